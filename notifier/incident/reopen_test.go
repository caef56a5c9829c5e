package incident_test

import (
	"fmt"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

func TestTroubleThatComesBackSoonIsTheSameIncident(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	first := w.latest("demo/alipay").ID
	w.tick(6 * time.Minute)
	w.ends(w.outage("alipay", rules.Ops, t0))
	w.told()
	w.tick(15 * time.Minute)
	again := w.outage("alipay", rules.Ops, w.now)
	w.fires(again)
	w.expect(t, "it comes back", "alipay ops:reopened", "alipay subscribers:reopened")
	i := w.latest("demo/alipay")
	if i.ID != first || !i.Open() || i.Status != notifier.Investigating || !i.Since.Before(t0) {
		t.Errorf("it is %s (%s) since %s, want %s since the first time", i.ID, i.Status, i.Since, first)
	}
	w.tick(16 * time.Minute)
	w.ends(again)
	w.tick(25 * time.Minute)
	w.expect(t, "while it is watched")
	if i := w.latest("demo/alipay"); i.Status != notifier.Monitoring {
		t.Errorf("it is %s, want monitoring", i.Status)
	}
	w.tick(26 * time.Minute)
	w.expect(t, "once it was quiet for long", "alipay ops:recovered", "alipay subscribers:recovered")
}

func TestTroubleThatComesBackLateIsNew(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	first := w.latest("demo/alipay").ID
	w.ends(w.outage("alipay", rules.Ops, t0))
	w.told()
	w.tick(10*time.Minute + time.Second)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	w.expect(t, "it is new", "alipay ops:down", "alipay subscribers:down")
	if w.latest("demo/alipay").ID == first {
		t.Error("it is the same incident")
	}
}

func TestServiceThatComesAndGoesIsToldFourTimesAndNotEachTime(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for range 20 {
		a := w.outage("alipay", rules.Ops, w.now)
		w.fires(a)
		w.tick(w.now.Add(2 * time.Minute).Sub(t0))
		w.ends(a)
		w.tick(w.now.Add(3 * time.Minute).Sub(t0))
	}
	w.tick(w.now.Add(time.Hour).Sub(t0))
	w.expect(t, "over two hours",
		"alipay ops:down", "alipay subscribers:down", "alipay ops:recovered", "alipay subscribers:recovered",
		"alipay ops:reopened", "alipay subscribers:reopened", "alipay ops:recovered", "alipay subscribers:recovered")
	if n := len(w.latest("demo/alipay").Updates); n > 6 {
		t.Errorf("its timeline has %d entries", n)
	}
}

func TestManagementThatHeardTheEndHearsAtOnceThatItIsBack(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	five, thirty := w.outage("alipay", rules.Ops, t0), w.outage("alipay", rules.Management, t0)
	w.fires(five)
	w.fires(thirty)
	w.tick(time.Minute)
	w.ends(five)
	w.ends(thirty)
	w.told()
	w.tick(5 * time.Minute)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	w.expect(t, "all", "alipay management:reopened", "alipay ops:reopened", "alipay subscribers:reopened")
}

func TestLighterTroubleAfterAnOutageDoesNotReopenIt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := w.outage("alipay", rules.Ops, w.now)
	w.fires(a)
	w.tick(time.Minute)
	w.ends(a)
	w.told()
	w.tick(3 * time.Minute)
	w.fires(lighter(w, "ServiceFlapping"))
	w.expect(t, "ops alone", "alipay ops:down")
}

// lighter is a warning about alipay that buyers don't feel, from now on.
func lighter(w *town, name string) notifier.Alert {
	a := w.outage("alipay", rules.Ops, w.now)
	a.Fingerprint, a.Labels[rules.LabelAlert], a.Labels[rules.LabelSeverity] = name, name, string(rules.SeverityWarning)
	a.Annotations[rules.AnnotationSince] = fmt.Sprint(w.now.Unix())
	delete(a.Labels, rules.LabelPublic)
	return a
}

func TestOutageThatComesBackTakesUpWhatWasLeftOfIt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := w.outage("alipay", rules.Ops, w.now)
	w.fires(a)
	first := w.latest("demo/alipay").ID
	w.tick(time.Minute)
	w.fires(lighter(w, "ServiceFlapping"))
	w.ends(a)
	rest := w.latest("demo/alipay")
	if !rest.Open() || rest.ID == first {
		t.Fatalf("left over: %+v", rest)
	}
	w.told()
	w.tick(2 * time.Minute)
	w.fires(a) // a receiver that was busy
	w.expect(t, "a late word of what is over")
	w.tick(5 * time.Minute)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	w.expect(t, "it is back", "alipay ops:reopened", "alipay subscribers:reopened")
	if i := w.latest("demo/alipay"); i.ID != first || len(i.Alerts) != 2 || len(w.open()) != 1 {
		t.Errorf("it is %s with %d alerts, one of %d open", i.ID, len(i.Alerts), len(w.open()))
	}
}

func TestWhatOutlivesAnOutageForLongIsToldToOps(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := w.outage("alipay", rules.Ops, w.now)
	w.fires(a)
	w.tick(time.Minute)
	slow := lighter(w, "ServiceSlow")
	w.fires(slow)
	w.ends(a)
	w.told()
	w.tick(time.Hour)
	w.expect(t, "while it may be the outage's trace")
	w.tick(62 * time.Minute)
	w.expect(t, "then", "alipay ops:down")
	w.ends(slow)
	w.expect(t, "its end", "alipay ops:recovered")
}

func TestNewTroubleInWhatIsLeftOfAnOutageIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := w.outage("alipay", rules.Ops, w.now)
	w.fires(a)
	w.tick(time.Minute)
	w.fires(lighter(w, "ServiceFlapping"))
	w.ends(a)
	w.told()
	w.tick(30 * time.Minute) // too late to be the same outage
	w.fires(w.outage("alipay", rules.Ops, w.now))
	w.expect(t, "the outage", "alipay ops:down", "alipay subscribers:down")
}

func TestWhoHadItInHandHasLetGoOfWhatComesBack(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := w.outage("alipay", rules.Ops, w.now)
	w.fires(a)
	r, err := w.machine.Acknowledge(w.now, *w.latest("demo/alipay"), "Li")
	if err != nil {
		t.Fatal(err)
	}
	w.keep(r)
	w.tick(time.Minute)
	w.ends(a)
	w.tick(2 * time.Minute)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	if i := w.latest("demo/alipay"); i.Acknowledged.Given() || len(i.Acts) != 1 {
		t.Errorf("in hand: %+v, acts %v", i.Acknowledged, i.Acts)
	}
}
