package incident_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/rules"
)

// act does what a person does to the latest incident.
func (w *world) act(t *testing.T, do func(time.Time, notifier.Incident, string) (incident.Result, error), at time.Time, by string) incident.Result {
	t.Helper()
	r, err := do(at, *w.latest, by)
	if err != nil {
		t.Fatal(err)
	}
	w.keep(r)
	return r
}

func code(err error) notifier.Code {
	if e, ok := errors.AsType[*notifier.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestManagementIsStillToldAndHearsWhoHasItInHand(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.alert(t0, down(rules.Subscribers, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), " 小王 ")
	w.alert(t0.Add(30*time.Minute), down(rules.Management, rules.Management, t0.Add(30*time.Minute)))
	expect(t, w, "ops:down", "subscribers:down", "subscribers:worsened", "management:prolonged")
	if got, want := w.notices[3].Facts.Acknowledged, (notifier.Acknowledgement{By: "小王", At: t0.Add(2 * time.Minute)}); got != want {
		t.Errorf("management hears of %+v, want %+v", got, want)
	}
}

func TestTheFirstAcknowledgementStaysAndEveryActIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(time.Minute), "first")
	if r := w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), "second"); r.Changed || r.Incident.Acknowledged.By != "first" {
		t.Errorf("a second acknowledgement made it %+v", r.Incident.Acknowledged)
	}
	w.act(t, w.machine.Withdraw, t0.Add(3*time.Minute), "first")
	w.act(t, w.machine.Acknowledge, t0.Add(4*time.Minute), "")
	var record []string
	for _, a := range w.latest.Acts {
		record = append(record, a.At.Sub(t0).String()+" "+a.By+" "+string(a.Deed))
	}
	if got, want := strings.Join(record, ", "), "1m0s first acknowledge, 3m0s first withdraw, 4m0s  acknowledge"; got != want {
		t.Errorf("the record is %q, want %q", got, want)
	}
}

func TestWhatIsOverCanNotBeTakenInHand(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	if _, err := w.machine.Withdraw(t0, *w.latest, "x"); code(err) != notifier.Conflict {
		t.Errorf("withdrawing what nobody acknowledged: %v", err)
	}
	for _, name := range []string{"two\nlines", "two\u2028lines", "read \u202ebackwards", strings.Repeat("王", 41), "\xff"} {
		if r, err := w.machine.Acknowledge(t0, *w.latest, name); code(err) != notifier.Invalid || r.Changed {
			t.Errorf("the name %q: %v", name, err)
		}
	}
	w.alert(t0.Add(time.Minute), ended(down(rules.Ops, rules.Ops, t0), t0.Add(time.Minute)))
	if _, err := w.machine.Acknowledge(t0.Add(2*time.Minute), *w.latest, "x"); code(err) != notifier.Conflict {
		t.Errorf("acknowledging what is over: %v", err)
	}
	if _, err := w.machine.Withdraw(t0.Add(2*time.Minute), *w.latest, "x"); code(err) != notifier.Conflict {
		t.Errorf("withdrawing what is over: %v", err)
	}
}

func TestHeldManagementIsLeftAloneWhileSomebodyHasItInHand(t *testing.T) {
	t.Parallel()
	w := worldOf(true)
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), "小王")
	thirty := t0.Add(30 * time.Minute)
	for range 2 {
		w.alert(thirty, down(rules.Management, rules.Management, thirty))
	}
	expect(t, w, "ops:down")
	w.watchdog = judging(t0.Add(time.Hour))
	w.alert(t0.Add(time.Hour), ended(down(rules.Ops, rules.Ops, t0), t0.Add(time.Hour)))
	w.alert(t0.Add(time.Hour), ended(down(rules.Management, rules.Management, thirty), t0.Add(time.Hour)))
	expect(t, w, "ops:down", "ops:recovered")
}

func TestHeldManagementHearsOnceTheAcknowledgementIsWithdrawn(t *testing.T) {
	t.Parallel()
	w := worldOf(true)
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), "小王")
	thirty := t0.Add(30 * time.Minute)
	w.alert(thirty, down(rules.Management, rules.Management, thirty))
	w.act(t, w.machine.Withdraw, t0.Add(40*time.Minute), "小王")
	expect(t, w, "ops:down", "management:prolonged")
	if facts := w.notices[1].Facts; facts.Description.EN != "10.0.0.5:443 refused" || facts.Acknowledged.Given() {
		t.Errorf("management hears %+v", facts)
	}
	w.alert(t0.Add(50*time.Minute), down(rules.Management, rules.Management, thirty)) // repeated
	w.watchdog = judging(t0.Add(time.Hour))
	w.alert(t0.Add(time.Hour), ended(down(rules.Ops, rules.Ops, t0), t0.Add(time.Hour)))
	w.alert(t0.Add(time.Hour), ended(down(rules.Management, rules.Management, thirty), t0.Add(time.Hour)))
	expect(t, w, "ops:down", "management:prolonged", "ops:recovered", "management:recovered")
}

func TestWithdrawnAfterTheProlongedTroubleEndedTellsManagementNothing(t *testing.T) {
	t.Parallel()
	w := worldOf(true)
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), "小王")
	thirty := t0.Add(30 * time.Minute)
	w.alert(thirty, down(rules.Management, rules.Management, thirty))
	w.alert(t0.Add(35*time.Minute), ended(down(rules.Management, rules.Management, thirty), t0.Add(35*time.Minute)))
	w.act(t, w.machine.Withdraw, t0.Add(40*time.Minute), "小王")
	expect(t, w, "ops:down")
}

func TestNothingIsHeldBackForManagementThatKnows(t *testing.T) {
	t.Parallel()
	w := worldOf(true)
	thirty := t0.Add(30 * time.Minute)
	w.alert(thirty, down(rules.Management, rules.Management, thirty))
	w.act(t, w.machine.Acknowledge, t0.Add(40*time.Minute), "小王")
	w.alert(t0.Add(4*time.Hour), down(rules.Management, rules.Management, thirty)) // repeated
	if w.latest.Held != nil {
		t.Error("what management was told is held back")
	}
	w = worldOf(true)
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), "小王")
	w.alert(thirty, down(rules.Management, rules.Management, thirty))
	later := down(rules.Management, rules.Management, t0.Add(50*time.Minute))
	later.Fingerprint, later.Annotations[rules.AnnotationSince] = "later", "1795316580" // 03:03
	w.alert(t0.Add(50*time.Minute), later)
	expect(t, w, "ops:down", "management:prolonged")
	if w.latest.Held != nil {
		t.Error("what management then heard is still held back")
	}
}

func TestHeldManagementHearsOnceItIsWithdrawnThoughADeadPrometheusEndedIt(t *testing.T) {
	t.Parallel()
	w := worldOf(true)
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), "小王")
	thirty, dead := t0.Add(30*time.Minute), t0.Add(36*time.Minute)
	w.alert(thirty, down(rules.Management, rules.Management, thirty))
	w.alert(dead, ended(down(rules.Ops, rules.Ops, t0), dead)) // the last Watchdog is half an hour old
	w.alert(dead, ended(down(rules.Management, rules.Management, thirty), dead))
	w.act(t, w.machine.Withdraw, t0.Add(40*time.Minute), "小王")
	expect(t, w, "ops:down", "management:prolonged")
}

func TestHeldManagementHearsOfTroubleThatBeganAfterItWasTakenInHand(t *testing.T) {
	t.Parallel()
	w := worldOf(true)
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Acknowledge, t0.Add(2*time.Minute), "小王")
	later := down(rules.Management, rules.Management, t0.Add(50*time.Minute))
	later.Annotations[rules.AnnotationSince] = "1795316580" // 03:03, a minute after the acknowledgement
	w.alert(t0.Add(50*time.Minute), later)
	expect(t, w, "ops:down", "management:prolonged")
	if !w.notices[1].Facts.Acknowledged.Given() {
		t.Error("management doesn't hear that somebody works on it")
	}
}
