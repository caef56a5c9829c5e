package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/rules"
)

var t0 = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

type words struct{}

func (words) Title(a notifier.Alert, s notifier.Service) rules.Text {
	return rules.Text{ZH: s.Name.ZH + "坏了", EN: s.Name.EN + " is broken"}
}
func (words) Opened(notifier.Incident) rules.Text { return rules.Text{ZH: "开始", EN: "opened"} }
func (words) Closed(notifier.Incident) rules.Text { return rules.Text{ZH: "结束", EN: "closed"} }
func (words) Reopened(notifier.Incident) rules.Text {
	return rules.Text{ZH: "又开始", EN: "reopened"}
}
func (words) Watched(notifier.Incident) rules.Text { return rules.Text{ZH: "观察", EN: "watched"} }
func (words) Eased(notifier.Incident) rules.Text   { return rules.Text{ZH: "好转", EN: "eased"} }

// world is the shop around the machine: one key, one latest incident.
type world struct {
	machine  *incident.Machine
	latest   *notifier.Incident
	closed   *notifier.Incident // before latest
	all      map[string]notifier.Incident
	notices  []notifier.Notice
	watchdog incident.Watchdog
	known    bool
	public   bool
	ids      int
	hold     bool
}

// judging is a Prometheus that has evaluated without a break.
func judging(now time.Time) incident.Watchdog {
	return incident.Watchdog{Evaluated: now, Since: now.Add(-time.Hour)}
}

func newWorld() *world { return worldOf(false) }

// worldOf is a world whose management is held out of what ops have in hand, or isn't.
func worldOf(hold bool) *world {
	w := &world{all: map[string]notifier.Incident{}, known: true, public: true, watchdog: judging(t0), hold: hold}
	w.machine = incident.New(incident.Config{
		Words: words{},
		NewID: func() string { w.ids++; return fmt.Sprint("i", w.ids) },
		Service: func(key string) (notifier.Service, bool) {
			return notifier.Service{
				Shop: "demo", ID: "alipay", Position: 1, Name: rules.Text{ZH: "支付宝", EN: "Alipay"},
				Role: rules.RolePayment, Critical: true, Public: w.public,
			}, w.known && key == "demo/alipay"
		},
		Fresh: 2 * time.Minute, Settle: time.Minute, Pause: 10 * time.Minute, Aftermath: time.Hour, Hold: w.hold, StatusURL: "https://status.example",
	})
	return w
}

func (w *world) alert(now time.Time, a notifier.Alert) incident.Result {
	r := w.machine.Alert(now, w.scene(), w.latest, a)
	w.keep(r)
	return r
}

func (w *world) tick(now time.Time) {
	if w.latest != nil {
		w.keep(w.machine.Tick(now, w.scene(), *w.latest))
	}
}

func (w *world) scene() incident.Scene {
	return incident.Scene{Watchdog: w.watchdog, ByID: func(id string) *notifier.Incident {
		if i, ok := w.all[id]; ok {
			return &i
		}
		return nil
	}}
}

func (w *world) keep(r incident.Result) {
	for _, i := range []*notifier.Incident{r.Merged, &r.Incident, r.Rest} {
		if i != nil {
			w.all[i.ID] = *i
		}
	}
	if r.Changed {
		w.latest, w.closed = &r.Incident, w.latest
	}
	if r.Rest != nil {
		w.latest, w.closed = r.Rest, &r.Incident
	}
	w.notices = append(w.notices, r.Notices...)
}

// told lists audience:event of every notice so far.
func (w *world) told() []string {
	var list []string
	for _, n := range w.notices {
		list = append(list, string(n.Audience)+":"+string(n.Event))
	}
	return list
}

func down(audience rules.Audience, tier rules.Audience, startsAt time.Time) notifier.Alert {
	name, fingerprint := rules.AlertServiceDown, "aaaaaaaaaaaaaaaa"
	if tier == rules.Management {
		name, fingerprint = rules.AlertServiceDownProlonged, "bbbbbbbbbbbbbbbb"
	}
	return notifier.Alert{
		Audience: audience, Fingerprint: fingerprint, Firing: true, StartsAt: startsAt,
		Labels: map[string]string{
			rules.LabelAlert: name, rules.LabelIncident: "demo/alipay", rules.LabelTier: string(tier),
			rules.LabelShop: "demo", rules.LabelService: "alipay", rules.LabelSeverity: string(rules.SeverityCritical), rules.LabelPublic: "true",
		},
		Annotations: map[string]string{
			rules.AnnotationSince: fmt.Sprint(t0.Unix()), rules.AnnotationKeepFiringFor: "60",
			rules.AnnotationDescription: "10.0.0.5:443 refused",
		},
	}
}

func ended(a notifier.Alert, at time.Time) notifier.Alert {
	a.Firing, a.EndsAt = false, at
	return a
}

func expect(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		t.Fatalf("told %v, want %v", got, want)
	}
}

func TestEachAudienceIsToldOnceThatItBeganAndOnceThatItIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld()
	five, thirty, end := t0.Add(5*time.Minute), t0.Add(30*time.Minute), t0.Add(43*time.Minute)
	w.alert(five, down(rules.Ops, rules.Ops, five))
	w.alert(five, down(rules.Subscribers, rules.Ops, five))
	expect(t, w, "ops:down", "subscribers:down")

	w.alert(thirty, down(rules.Management, rules.Management, thirty))
	w.alert(thirty, down(rules.Ops, rules.Management, thirty)) // continue: true
	w.alert(thirty, down(rules.Subscribers, rules.Management, thirty))
	expect(t, w, "ops:down", "subscribers:down", "subscribers:worsened", "management:prolonged")
	if w.latest.Impact != notifier.ImpactCritical {
		t.Errorf("impact is %s after 30 minutes, want critical", w.latest.Impact)
	}

	w.watchdog = judging(end)
	w.alert(end, ended(down(rules.Ops, rules.Ops, five), end))
	if !w.latest.Open() {
		t.Fatal("closed while the second alert fires")
	}
	w.alert(end, ended(down(rules.Ops, rules.Management, thirty), end))
	expect(t, w, "ops:down", "subscribers:down", "subscribers:worsened", "management:prolonged", "ops:recovered", "management:recovered", "subscribers:recovered")
	if got := w.notices[4].Facts.Lasted(); got != 42*time.Minute {
		t.Errorf("lasted %s, want 42m: from the last success to the end less the minute that the rule holds on", got)
	}
	if w.latest.Status != notifier.Resolved || w.latest.Open() {
		t.Errorf("status %s, open %v", w.latest.Status, w.latest.Open())
	}
}

func TestRedeliveryChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := down(rules.Ops, rules.Ops, t0)
	w.alert(t0, a)
	if r := w.alert(t0.Add(time.Second), a); r.Changed || len(r.Notices) > 0 {
		t.Errorf("a firing alert told twice changed %+v", r)
	}
	end := ended(a, t0.Add(10*time.Minute))
	w.watchdog = judging(t0.Add(10 * time.Minute))
	w.alert(t0.Add(10*time.Minute), end)
	closed := w.latest.ID
	for _, late := range []notifier.Alert{end, a} { // a: a receiver that was down hears it when all is over
		if r := w.alert(t0.Add(11*time.Minute), late); r.Changed || len(r.Notices) > 0 {
			t.Errorf("told again after it was over, it changed %+v", r)
		}
	}
	later := t0.Add(time.Hour)
	w.alert(later, down(rules.Ops, rules.Ops, later))
	if w.latest.ID == closed {
		t.Error("a new outage joined the closed incident")
	}
	w.watchdog = judging(later)
	w.alert(later, ended(down(rules.Ops, rules.Ops, later), later))
	closed = w.latest.ID
	w.alert(later.Add(5*time.Minute), down(rules.Ops, rules.Ops, later)) // its rules stood still, and it fires on
	if w.latest.ID == closed || !w.latest.Open() {
		t.Error("an outage that runs on was taken for a late word of the closed one")
	}
}

func TestRestartedPrometheusTellsNobodyASecondTime(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.alert(t0.Add(time.Minute), down(rules.Ops, rules.Ops, t0.Add(time.Minute)))
	expect(t, w, "ops:down")
}

func TestResolvedIsNotBelievedWhilePrometheusIsDead(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	silence := t0.Add(4 * time.Minute) // the last Watchdog was evaluated at t0
	w.alert(silence, ended(down(rules.Ops, rules.Ops, t0), silence))
	w.tick(silence.Add(10 * time.Minute))
	expect(t, w, "ops:down")
	if !w.latest.Open() {
		t.Fatal("closed on a dead Prometheus's word")
	}

	back := silence.Add(20 * time.Minute)
	w.watchdog = w.watchdog.Next(back, 2*time.Minute)
	again := w.latest
	w.tick(back) // its Watchdog came before the group of rules that sees the outage was evaluated
	w.alert(back.Add(time.Second), ended(down(rules.Ops, rules.Ops, t0), silence))
	if !w.latest.Open() {
		t.Fatal("closed before Prometheus, back again, had time to fire")
	}
	w.alert(back.Add(15*time.Second), down(rules.Ops, rules.Ops, back.Add(15*time.Second)))
	w.tick(back.Add(30 * time.Second))
	expect(t, w, "ops:down")
	if w.latest.ID != again.ID || !w.latest.Open() {
		t.Error("the same outage, found again after the restart, is another incident")
	}
}

func TestDoubtfulEndIsBelievedOncePrometheusEvaluatesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	silence := t0.Add(4 * time.Minute)
	w.alert(silence, ended(down(rules.Ops, rules.Ops, t0), silence))
	for _, lives := range []time.Duration{30 * time.Minute, 30*time.Minute + 59*time.Second} {
		w.watchdog = w.watchdog.Next(silence.Add(lives), 2*time.Minute)
		w.tick(w.watchdog.Evaluated)
		if !w.latest.Open() {
			t.Fatal("closed before Prometheus had time to fire again")
		}
	}
	w.watchdog = w.watchdog.Next(silence.Add(31*time.Minute), 2*time.Minute)
	w.tick(w.watchdog.Evaluated)
	expect(t, w, "ops:down", "ops:recovered")
}

func TestSubscribersHearOnlyOfPublicServicesAndNeverWhatAlertsSay(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.public = false
	w.alert(t0, down(rules.Subscribers, rules.Ops, t0))
	expect(t, w)

	w = newWorld()
	w.known = false
	w.alert(t0, down(rules.Subscribers, rules.Ops, t0))
	expect(t, w)
	w.known = true // Prometheus could be asked again
	w.tick(t0.Add(time.Minute))
	w.tick(t0.Add(2 * time.Minute))
	expect(t, w, "subscribers:down")
	if !w.latest.Public || w.latest.Service.Name.EN != "Alipay" || w.latest.Title.EN != "Alipay is broken" {
		t.Errorf("public %v, service %+v, title %q", w.latest.Public, w.latest.Service, w.latest.Title.EN)
	}
	if w.notices[0].Facts.Title != w.latest.Title {
		t.Errorf("told of %q, which is not its title", w.notices[0].Facts.Title.EN)
	}

	w = newWorld()
	w.alert(t0, down(rules.Subscribers, rules.Ops, t0))
	if facts := w.notices[0].Facts; facts.Description.EN != "" {
		t.Errorf("a public notice quotes the alert: %+v", facts)
	}
}

func TestStrangersAlertIsCalledByItsName(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.known = false
	w.alert(t0, notifier.Alert{
		Audience: rules.Ops, Fingerprint: "f", Firing: true, StartsAt: t0,
		Labels: map[string]string{rules.LabelAlert: "DiskFull" + strings.Repeat("!", 5000)},
	})
	if name := w.notices[0].Facts.Service.Name.EN; !strings.HasPrefix(name, "DiskFull") || len(name) > 200 {
		t.Errorf("it is called %.300q", name)
	}
}

func TestEndOfSomethingUnheardOfIsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if r := w.alert(t0, ended(down(rules.Ops, rules.Ops, t0), t0)); r.Changed {
		t.Errorf("it changed %+v", r)
	}
}

// Whatever alerts come in whatever order, however often: nobody is told of an
// end without a beginning, of the same incident's beginning twice, or of an end
// twice, and an incident with a firing alert is never closed.
func TestAnyHistoryTellsEachAudienceBeginningThenEndOfEachIncident(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		now := t0
		starts := map[rules.Audience]time.Time{}
		firing := map[rules.Audience]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "prometheus lives") {
				w.watchdog = w.watchdog.Next(now, 2*time.Minute)
			}
			tier := rapid.SampledFrom([]rules.Audience{rules.Ops, rules.Management}).Draw(t, "tier")
			audience := rapid.SampledFrom([]rules.Audience{rules.Ops, rules.Management, rules.Subscribers}).Draw(t, "audience")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				starts[tier], firing[tier] = now, true
				w.alert(now, down(audience, tier, now))
			case 1:
				if firing[tier] {
					w.alert(now, down(audience, tier, starts[tier]))
				}
			case 2:
				if firing[tier] {
					firing[tier] = false
					w.alert(now, ended(down(audience, tier, starts[tier]), now))
				}
			case 3:
				w.tick(now)
			}
			if w.latest != nil && !w.latest.Open() && (firing[rules.Ops] && heard(w, rules.Ops, starts) || firing[rules.Management] && heard(w, rules.Management, starts)) {
				t.Fatal("closed while an alert fires")
			}
		}
		seen := map[string]bool{}
		for _, n := range w.notices {
			begin := n.Incident + string(n.Audience)
			if n.Event == notifier.EventRecovered {
				if !seen[begin] || seen[begin+"over"] {
					t.Fatalf("told %s of the end of %s without a beginning, or twice", n.Audience, n.Incident)
				}
				if n.Facts.Over.Before(n.Facts.Since) {
					t.Fatalf("ended %s before it began %s", n.Facts.Over, n.Facts.Since)
				}
				seen[begin+"over"] = true
				continue
			}
			if n.Event == notifier.EventWorsened || n.Event == notifier.EventEased || n.Event == notifier.EventJoined && n.Audience == rules.Ops { // what eased may worsen again
				if !seen[begin] || seen[begin+"over"] {
					t.Fatalf("told %s more of %s, of which it knows nothing", n.Audience, n.Incident)
				}
				continue
			}
			if seen[begin] {
				t.Fatalf("told %s twice of %s: %v", n.Audience, n.Incident, w.told())
			}
			seen[begin] = true
		}
	})
}

// heard reports whether the latest incident holds the tier's present firing.
func heard(w *world, tier rules.Audience, starts map[rules.Audience]time.Time) bool {
	return slices.ContainsFunc(w.latest.Alerts, func(a notifier.ActiveAlert) bool {
		return a.Tier == tier && a.StartsAt.Equal(starts[tier])
	})
}
