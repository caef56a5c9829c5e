package incident_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/rules"
)

// resolve calls the latest incident over.
func (w *world) resolve(t *testing.T, at time.Time, e incident.Ending) {
	t.Helper()
	r, err := w.machine.Resolve(at, *w.latest, e)
	if err != nil {
		t.Fatal(err)
	}
	w.keep(r)
}

func TestAPersonPublishesWhatNoAlertMadePublic(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Hold, t0.Add(time.Minute), "小王")
	if !w.latest.Publication.Held || w.latest.Public {
		t.Errorf("held: %+v", w.latest.Publication)
	}
	if r := w.act(t, w.machine.Hold, t0.Add(time.Minute), "小王"); r.Changed {
		t.Error("held twice")
	}
	w.update(t, t0.Add(2*time.Minute), incident.Draft{Scope: rules.Text{ZH: "部分用户", EN: "some users"}, Silent: true})
	w.act(t, w.machine.Publish, t0.Add(3*time.Minute), "小王")
	expect(t, w, "ops:down", "subscribers:down")
	if facts := w.notices[1].Facts; facts.Scope.EN != "some users" || facts.Description.EN != "" || facts.By != "" || facts.Acknowledged.Given() {
		t.Errorf("the subscribers hear %+v", facts)
	}
	if r := w.act(t, w.machine.Publish, t0.Add(4*time.Minute), "x"); r.Changed || len(r.Notices) > 0 {
		t.Error("published twice")
	}
	if _, err := w.machine.Hold(t0.Add(4*time.Minute), *w.latest, ""); code(err) != notifier.Conflict {
		t.Errorf("taken back from the public: %v", err)
	}
	w.tick(t0.Add(5 * time.Minute))
	w.alert(t0.Add(6*time.Minute), down(rules.Subscribers, rules.Ops, t0))
	expect(t, w, "ops:down", "subscribers:down")
}

func TestWhatThePageMayNotShowIsNotPublished(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.public = false
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	if _, err := w.machine.Publish(t0, *w.latest, ""); code(err) != notifier.Conflict || !strings.Contains(err.Error(), "demo/alipay") {
		t.Errorf("a private service: %v", err)
	}
	w.resolve(t, t0, incident.Ending{Force: true})
	for name, do := range map[string]func(time.Time, notifier.Incident, string) (incident.Result, error){"publish": w.machine.Publish, "hold": w.machine.Hold} {
		if _, err := do(t0, *w.latest, ""); code(err) != notifier.Conflict {
			t.Errorf("%s what is over: %v", name, err)
		}
		if _, err := do(t0, *w.latest, "a\nb"); code(err) != notifier.Invalid {
			t.Errorf("%s by two lines: %v", name, err)
		}
	}
}

func TestAPersonCallsOverWhatNobodyElseWill(t *testing.T) {
	t.Parallel()
	w := known()
	at := t0.Add(time.Hour)
	_, err := w.machine.Resolve(at, *w.latest, incident.Ending{By: "小王"})
	if code(err) != notifier.Conflict || !strings.Contains(err.Error(), "ServiceDown, ServiceDownProlonged") || !strings.Contains(err.Error(), "force") {
		t.Fatalf("while it fires: %v", err)
	}
	w.resolve(t, at, incident.Ending{By: "小王", Text: rules.Text{ZH: "已人工确认恢复。"}, Force: true})
	expect(t, w, "ops:recovered", "management:recovered", "subscribers:recovered")
	i := *w.latest
	if last := i.Updates[len(i.Updates)-1]; i.Open() || !i.Over.Equal(at) || last.Text.ZH != "已人工确认恢复。" || last.By != "小王" || last.Status != notifier.Resolved {
		t.Errorf("it ended as %+v", i)
	}
	if _, err := w.machine.Resolve(at, i, incident.Ending{}); code(err) != notifier.Conflict {
		t.Errorf("resolved twice: %v", err)
	}
}

func TestARepeatOpensNoResolvedIncidentAgainAndANewFiringDoes(t *testing.T) {
	t.Parallel()
	w := known()
	w.resolve(t, t0.Add(time.Hour), incident.Ending{Force: true})
	id := w.latest.ID
	w.notices = nil
	for _, later := range []time.Duration{time.Minute, 4 * time.Hour, 24 * time.Hour} { // Alertmanager's repeats
		w.alert(t0.Add(time.Hour+later), down(rules.Ops, rules.Ops, t0))
		w.alert(t0.Add(time.Hour+later), down(rules.Management, rules.Management, t0.Add(30*time.Minute)))
	}
	expect(t, w)
	anew := t0.Add(26 * time.Hour)
	w.alert(anew, down(rules.Ops, rules.Ops, anew))
	if w.latest.ID == id && !w.latest.Open() {
		t.Error("what fires anew opened nothing")
	}
	if len(w.notices) == 0 {
		t.Error("nobody hears of what fires anew")
	}
}

func TestAStrangersAlertThatNeverEndsIsCalledOver(t *testing.T) {
	t.Parallel()
	w := newWorld()
	stranger := notifier.Alert{
		Audience: rules.Ops, Fingerprint: "cccccccccccccccc", Firing: true, StartsAt: t0,
		Labels: map[string]string{rules.LabelAlert: "DiskFull", rules.LabelSeverity: "warning"},
	}
	w.alert(t0, stranger)
	w.resolve(t, t0.Add(time.Hour), incident.Ending{Force: true, Text: rules.Text{EN: "replaced"}})
	expect(t, w, "ops:down", "ops:recovered")
	stranger.Firing, stranger.EndsAt = false, t0.Add(2*time.Hour)
	w.alert(t0.Add(2*time.Hour), stranger)
	expect(t, w, "ops:down", "ops:recovered")
}

func TestWhatAPersonHoldsStaysHeldWhenItBeginsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.machine = incident.New(incident.Config{
		Words: words{}, NewID: func() string { w.ids++; return fmt.Sprint("i", w.ids) },
		Service: func(key string) (notifier.Service, bool) {
			return notifier.Service{Shop: "demo", ID: "alipay", Position: 1, Role: rules.RolePayment, Public: true}, true
		},
		Fresh: 2 * time.Minute, Settle: time.Minute, Pause: 10 * time.Minute, Reopen: 15 * time.Minute, Aftermath: time.Hour,
	})
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.act(t, w.machine.Hold, t0.Add(time.Minute), "小王")
	end := t0.Add(10 * time.Minute)
	w.watchdog = judging(end)
	w.alert(end, ended(down(rules.Ops, rules.Ops, t0), end))
	again := end.Add(time.Minute)
	w.watchdog = judging(again)
	w.alert(again, down(rules.Ops, rules.Ops, again))
	w.alert(again, down(rules.Subscribers, rules.Ops, again))
	w.tick(again.Add(time.Minute))
	if !w.latest.Publication.Held || w.latest.Public || w.latest.Reopened.IsZero() {
		t.Errorf("it stands as %+v, public %v", w.latest.Publication, w.latest.Public)
	}
	w.update(t, again.Add(2*time.Minute), incident.Draft{Status: notifier.Identified})
	if last := w.notices[len(w.notices)-1]; last.Audience != rules.Ops || last.Event != notifier.EventUpdated {
		t.Errorf("an update of it went to %s", last.Audience)
	}
}
