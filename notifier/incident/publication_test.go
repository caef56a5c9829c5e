package incident_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

func TestIncidentBecomesPublicAfterItsHoldTimeAndNotBefore(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.hold = 10 * time.Minute
	w.fires(w.outage("alipay", rules.Ops, w.now))
	if at := w.notices[0].Facts.Publication.At; !at.Equal(t0.Add(10 * time.Minute)) {
		t.Errorf("ops read that it becomes public at %s", at)
	}
	w.expect(t, "at first", "alipay ops:down")
	w.tick(10*time.Minute - time.Second)
	w.expect(t, "before its time")
	if w.latest("demo/alipay").Public {
		t.Error("it is public")
	}
	w.tick(10 * time.Minute)
	if len(w.notices) != 1 || w.notices[0].Facts.Publication != (notifier.Publication{}) || w.notices[0].Facts.Description.EN != "" {
		t.Errorf("told %+v", w.notices)
	}
	w.expect(t, "at its time", "alipay subscribers:down")
}

func TestTroubleThatEndsBeforeItsHoldTimeIsNeverPublic(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(*town, notifier.Alert){
		"it ends": func(w *town, a notifier.Alert) { w.ends(a) },
		"its end is doubtful": func(w *town, a notifier.Alert) {
			w.watchdog()
			w.dead = true
			w.tick(9 * time.Minute)
			w.ends(a)
		},
	} {
		w := newTown(t)
		w.hold = 10 * time.Minute
		a := w.outage("alipay", rules.Ops, w.now)
		w.fires(a)
		w.tick(5 * time.Minute)
		ends(w, a)
		w.tick(time.Hour)
		for _, n := range w.notices {
			if n.Audience == rules.Subscribers {
				t.Errorf("%s: subscribers are told %s", name, n.Event)
			}
		}
		if w.latest("demo/alipay").Public {
			t.Errorf("%s: it is public", name)
		}
	}
}

func TestIncidentThatIsHeldWaitsForAPerson(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.publish["demo/alipay"] = notifier.Publication{Held: true}
	w.fires(w.outage("alipay", rules.Ops, w.now))
	if !w.notices[0].Facts.Publication.Held {
		t.Error("ops don't read that it waits for a person")
	}
	w.tick(5 * time.Hour)
	w.expect(t, "for long", "alipay ops:down")
	r, err := w.machine.Publish(w.now, *w.latest("demo/alipay"), "Li")
	if err != nil {
		t.Fatal(err)
	}
	w.keep(r)
	w.expect(t, "at the person's word", "alipay subscribers:down")
}
