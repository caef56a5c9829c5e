package incident_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// alarm is an alert of demo/alipay with a name of its own, as ops get it.
func alarm(name string, severity rules.Severity, startsAt time.Time) notifier.Alert {
	a := down(rules.Ops, rules.Ops, startsAt)
	a.Fingerprint = name
	a.Labels[rules.LabelAlert], a.Labels[rules.LabelSeverity] = name, string(severity)
	if severity != rules.SeverityCritical { // what follows from an outage is not what buyers feel
		delete(a.Labels, rules.LabelPublic)
	}
	a.Annotations[rules.AnnotationSummary], a.Annotations[rules.AnnotationSummaryZH] = name+" happens", name+"发生了"
	return a
}

// news are the English lines of the last notice.
func (w *world) news() []string {
	var lines []string
	for _, text := range w.notices[len(w.notices)-1].Facts.News {
		lines = append(lines, text.EN)
	}
	return lines
}

func TestOpsHearWhatJoinsAnIncidentGatheredAndAtMostOncePerPause(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for _, product := range []string{"A", "B", "C"} {
		w.alert(t0, alarm(product, rules.SeverityWarning, t0))
	}
	w.tick(t0.Add(59 * time.Second))
	expect(t, w, "ops:down")
	w.tick(t0.Add(time.Minute))
	expect(t, w, "ops:down", "ops:joined")
	if got := w.news(); !slices.Equal(got, []string{"B happens", "C happens"}) {
		t.Errorf("the update lists %q", got)
	}
	for n := range 5 { // one more a minute
		at := t0.Add(time.Duration(2+n) * time.Minute)
		d := alarm(fmt.Sprint("D", n), rules.SeverityWarning, at)
		d.Annotations[rules.AnnotationSince] = fmt.Sprint(at.Unix())
		w.alert(at, d)
		w.alert(at, d) // redelivered
		w.tick(at)
	}
	w.watchdog = judging(t0.Add(7 * time.Minute))
	w.alert(t0.Add(7*time.Minute), ended(alarm("D0", rules.SeverityWarning, t0.Add(2*time.Minute)), t0.Add(7*time.Minute)))
	w.tick(t0.Add(11*time.Minute - time.Second))
	expect(t, w, "ops:down", "ops:joined")
	w.tick(t0.Add(11 * time.Minute))
	w.tick(t0.Add(30 * time.Minute))
	expect(t, w, "ops:down", "ops:joined", "ops:joined")
	if got := w.news(); !slices.Equal(got, []string{"D1 happens", "D2 happens", "D3 happens", "D4 happens"}) {
		t.Errorf("the second update lists %q, want those that still fire", got)
	}
	if got, want := w.notices[2].Facts.NewsSince, t0.Add(3*time.Minute); !got.Equal(want) {
		t.Errorf("the first of the news began at %s, want %s", got, want)
	}
}

func TestGraverTroubleInAnOpenIncidentIsToldAtOnceAndNamesIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, alarm("ServiceFlapping", rules.SeverityWarning, t0))
	w.alert(t0.Add(time.Second), alarm("ServiceSlow", rules.SeverityWarning, t0))
	w.alert(t0.Add(2*time.Second), alarm(rules.AlertServiceDown, rules.SeverityCritical, t0.Add(2*time.Second)))
	expect(t, w, "ops:down", "ops:joined")
	if got := w.news(); !slices.Equal(got, []string{"ServiceSlow happens", "ServiceDown happens"}) {
		t.Errorf("the update lists %q", got)
	}
	if w.latest.Impact != notifier.ImpactMajor {
		t.Errorf("impact %s, want major", w.latest.Impact)
	}
}

func TestLighterTroubleInAnOpenIncidentIsForTheConsoleAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.alert(t0.Add(time.Minute), alarm("ServiceFlapping", rules.SeverityWarning, t0))
	w.tick(t0.Add(time.Hour))
	expect(t, w, "ops:down")
	if len(w.latest.Alerts) != 2 {
		t.Errorf("the incident lists %d alerts, want both", len(w.latest.Alerts))
	}
}

func TestTiersOfOneOutageAreOneWordToOpsInWhicheverOrderTheyCome(t *testing.T) {
	t.Parallel()
	w := newWorld()
	at := t0.Add(35 * time.Minute) // the notifier was away
	w.alert(at, down(rules.Ops, rules.Management, at))
	w.alert(at, down(rules.Ops, rules.Ops, at))
	w.tick(at.Add(time.Hour))
	expect(t, w, "ops:down")
}

func TestOutageThatJoinsOtherTroubleByItsLaterTierFirstIsStillToldToOps(t *testing.T) {
	t.Parallel()
	flapping := alarm("ServiceFlapping", rules.SeverityWarning, t0)
	for name, tiers := range map[string][]rules.Audience{
		"the tier of ops first": {rules.Ops, rules.Management}, "the tier of management first": {rules.Management, rules.Ops},
	} {
		w := newWorld()
		w.alert(t0, flapping)
		for _, tier := range tiers { // both at once: Prometheus was away for half an hour
			at := t0.Add(40 * time.Minute)
			w.alert(at, down(rules.Ops, tier, at))
			w.tick(at.Add(5 * time.Minute))
		}
		if got := w.told(); !slices.Equal(got, []string{"ops:down", "ops:joined"}) {
			t.Errorf("%s: told %v, want the outage once", name, got)
		}
	}
}

func TestWhatBuyersFeelIsToldAtOnceThoughItJoinsTroubleOfItsWeight(t *testing.T) {
	t.Parallel()
	late := alarm("OrdersLateRatio", rules.SeverityWarning, t0)
	delayed := alarm(rules.AlertOrdersDelayed, rules.SeverityWarning, t0)
	delayed.Labels[rules.LabelPublic] = "true"
	for name, c := range map[string]struct {
		alerts []notifier.Alert
		want   []string
	}{
		"it comes second":                       {[]notifier.Alert{late, delayed}, []string{"ops:down", "ops:joined"}},
		"it comes first, and the other follows": {[]notifier.Alert{delayed, late}, []string{"ops:down"}},
	} {
		w := newWorld()
		for _, alert := range c.alerts {
			w.alert(t0, alert)
		}
		if got := w.told(); !slices.Equal(got, c.want) {
			t.Errorf("%s: told %v, want %v", name, got, c.want)
		}
		w.tick(t0.Add(time.Hour))
		if got := w.told(); !slices.Equal(got, c.want) {
			t.Errorf("%s, an hour later: told %v, want %v", name, got, c.want)
		}
	}
}

func TestInfoIsShownAndToldToNobody(t *testing.T) {
	t.Parallel()
	w := newWorld()
	info := alarm("ErrorBudgetBurn1x", rules.SeverityInfo, t0)
	for _, audience := range []rules.Audience{rules.Ops, rules.Subscribers, rules.Management} {
		info.Audience = audience
		w.alert(t0, info)
	}
	if w.latest == nil || !w.latest.Open() || w.latest.Public || w.latest.Impact != notifier.ImpactNone {
		t.Fatalf("the incident is %+v, want it open, private and without impact", w.latest)
	}
	w.watchdog = judging(t0.Add(time.Hour))
	w.alert(t0.Add(time.Hour), ended(info, t0.Add(time.Hour)))
	if w.latest.Open() {
		t.Error("the incident is not closed")
	}
	expect(t, w)

	w = newWorld()
	w.alert(t0, alarm("ErrorBudgetBurn1x", rules.SeverityInfo, t0))
	w.alert(t0.Add(time.Minute), down(rules.Ops, rules.Ops, t0.Add(time.Minute)))
	w.alert(t0.Add(time.Minute), down(rules.Subscribers, rules.Ops, t0.Add(time.Minute)))
	expect(t, w, "ops:down", "subscribers:down")
	w.watchdog = judging(t0.Add(time.Hour))
	w.alert(t0.Add(time.Hour), ended(down(rules.Ops, rules.Ops, t0.Add(time.Minute)), t0.Add(time.Hour)))
	expect(t, w, "ops:down", "subscribers:down", "ops:recovered", "subscribers:recovered")
	if !w.latest.Open() || w.latest.Public || len(w.latest.Alerts) != 1 {
		t.Errorf("what fires on is %+v, want an incident of its own for the board", w.latest)
	}
}

func TestOutageIsOverThoughLighterTroubleLooksBackOnItForLong(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.alert(t0, down(rules.Subscribers, rules.Ops, t0))
	late := alarm("OrdersLateRatio", rules.SeverityWarning, t0.Add(5*time.Minute))
	w.alert(t0.Add(5*time.Minute), late)
	end := t0.Add(20 * time.Minute)
	w.watchdog = judging(end)
	w.alert(end, ended(down(rules.Ops, rules.Ops, t0), end))
	told := []string{"ops:down", "subscribers:down", "ops:recovered", "subscribers:recovered"}
	expect(t, w, told...)
	if !w.latest.Open() || w.latest.Public || w.latest.ID == w.closed.ID || w.latest.Impact != notifier.ImpactMinor || w.closed.Open() || len(w.closed.Alerts) != 1 {
		t.Fatalf("left over: %+v of %+v", w.latest, w.closed)
	}
	w.alert(end.Add(10*time.Second), late) // Alertmanager repeats what fires on
	w.tick(end.Add(time.Hour - time.Second))
	expect(t, w, told...)
	again := end.Add(2 * time.Hour)
	w.alert(again, down(rules.Ops, rules.Ops, again)) // a new outage is told as one
	expect(t, w, append(told, "ops:down")...)
	w.watchdog = judging(again.Add(time.Hour))
	w.alert(again.Add(time.Hour), ended(late, again.Add(time.Hour)))
	w.alert(again.Add(time.Hour), ended(down(rules.Ops, rules.Ops, again), again.Add(time.Hour)))
	expect(t, w, append(told, "ops:down", "ops:recovered")...)
}

func TestNothingIsOverWhileBuyersStillFeelItsLighterTier(t *testing.T) {
	t.Parallel()
	w := newWorld()
	delayed := alarm(rules.AlertOrdersDelayed, rules.SeverityWarning, t0)
	delayed.Labels[rules.LabelPublic] = "true"
	stuck := alarm(rules.AlertOrdersStuck, rules.SeverityCritical, t0.Add(25*time.Minute))
	stuck.Labels[rules.LabelTier] = string(rules.Management)
	for _, a := range []notifier.Alert{delayed, stuck} {
		w.alert(a.StartsAt, a)
	}
	half, whole := t0.Add(30*time.Minute), t0.Add(40*time.Minute)
	w.watchdog = judging(half)
	w.alert(half, ended(stuck, half)) // the oldest order is delivered, younger ones still wait
	expect(t, w, "ops:down")
	w.watchdog = judging(whole)
	w.alert(whole, ended(delayed, whole))
	expect(t, w, "ops:down", "ops:recovered")
}

func TestWhatIsLeftOfAnOutageEndsInSilence(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	late := alarm("OrdersLateRatio", rules.SeverityWarning, t0)
	w.alert(t0, late)
	w.alert(t0.Add(time.Minute), ended(down(rules.Ops, rules.Ops, t0), t0.Add(time.Minute)))
	w.watchdog = judging(t0.Add(2 * time.Minute))
	w.alert(t0.Add(2*time.Minute), ended(late, t0.Add(2*time.Minute)))
	expect(t, w, "ops:down", "ops:recovered")
	if w.latest.Open() {
		t.Error("it is not closed")
	}
}

func TestIncidentWithAThirdPartInItsKeyHasItsServicesNameAndStandsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := alarm("CertificateExpiring", rules.SeverityWarning, t0)
	a.Labels[rules.LabelIncident] = "demo/alipay/certificate"
	w.alert(t0, a)
	if w.latest.Key != "demo/alipay/certificate" || w.latest.Service.Name.EN != "Alipay" || w.latest.Impact != notifier.ImpactMinor {
		t.Errorf("key %q, service %q, impact %s", w.latest.Key, w.latest.Service.Name.EN, w.latest.Impact)
	}

	w = newWorld()
	w.known = false
	w.alert(t0, a)
	w.known = true
	w.tick(t0.Add(time.Minute))
	if w.latest.Service.Name.EN != "Alipay" || w.latest.Key != "demo/alipay/certificate" {
		t.Errorf("once it is known: key %q, service %q", w.latest.Key, w.latest.Service.Name.EN)
	}
}
