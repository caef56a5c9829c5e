package incident_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/rules"
)

// town is a shop of several services, and a store of their incidents.
type town struct {
	machine  *incident.Machine
	services map[string]notifier.Service
	all      map[string]notifier.Incident
	notices  []notifier.Notice
	now      time.Time
	since    time.Time // Prometheus has evaluated without a break
	dead     bool      // Prometheus is
	heard    incident.Watchdog
	publish  map[string]notifier.Publication
	hold     time.Duration // of publish, from now on
	broken   func(format string, args ...any)
}

func newTown(t testing.TB) *town {
	w := &town{
		all: map[string]notifier.Incident{}, now: t0, since: t0.Add(-time.Hour), publish: map[string]notifier.Publication{},
		services: map[string]notifier.Service{},
	}
	if t != nil {
		w.broken = t.Fatalf
	}
	w.add("db", rules.RoleDatabase, false)
	w.add("cache", rules.RoleDatabase, true)
	w.add("home", rules.RoleStorefront, true, "db", "cache")
	w.add("order", rules.RoleOther, true, "home")
	w.add("alipay", rules.RolePayment, true)
	w.add("wechat", rules.RolePayment, true)
	w.add("east", rules.RoleAPI, true, "west")
	w.add("west", rules.RoleAPI, true, "east", "nowhere")
	ids := 0
	w.machine = incident.New(incident.Config{
		Words: words{}, NewID: func() string { ids++; return fmt.Sprintf("i%03d", ids) },
		Service: func(key string) (notifier.Service, bool) { s, ok := w.services[key]; return s, ok },
		Peers: func(s notifier.Service) []notifier.Service {
			var list []notifier.Service
			for _, key := range slices.Sorted(maps.Keys(w.services)) {
				if p := w.services[key]; p.Role == s.Role && p.ID != s.ID {
					list = append(list, p)
				}
			}
			return list
		},
		Publication: func(key string) notifier.Publication {
			p := w.publish[key]
			if w.hold > 0 {
				p.At = w.now.Add(w.hold)
			}
			return p
		},
		Fresh: 150 * time.Second, Settle: time.Minute, Pause: 10 * time.Minute,
		Reopen: 10 * time.Minute, ParentWait: 30 * time.Second, Aftermath: time.Hour,
	})
	return w
}

func (w *town) add(id string, role rules.Role, public bool, dependsOn ...string) {
	s := notifier.Service{Shop: "demo", ID: id, Role: role, Public: public, Critical: true, Position: len(w.services) + 1, Name: rules.Text{ZH: id, EN: id}}
	for _, on := range dependsOn {
		s.DependsOn = append(s.DependsOn, "demo/"+on)
	}
	w.services[s.Key()] = s
}

// latest is what the store gives: what is open, else what was closed last.
func (w *town) latest(key string) *notifier.Incident {
	var list []notifier.Incident
	for _, i := range w.all {
		if i.Key == key {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return nil
	}
	found := slices.MaxFunc(list, func(a, b notifier.Incident) int {
		if a.Open() != b.Open() {
			if a.Open() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.Closed.Compare(b.Closed), cmp.Compare(a.ID, b.ID))
	})
	return &found
}

func (w *town) open() []notifier.Incident {
	var list []notifier.Incident
	for _, i := range w.all {
		if i.Open() {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b notifier.Incident) int { return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.ID, b.ID)) })
	return list
}

func (w *town) watchdog() incident.Watchdog {
	if !w.dead {
		w.heard = incident.Watchdog{Evaluated: w.now, Since: w.since}
	}
	return w.heard
}

func (w *town) scene(open []notifier.Incident) incident.Scene {
	return incident.Scene{Watchdog: w.watchdog(), Open: open, Latest: w.latest, ByID: func(id string) *notifier.Incident {
		if i, ok := w.all[id]; ok {
			return &i
		}
		return nil
	}}
}

func (w *town) tell(a notifier.Alert) {
	w.keep(w.machine.Alert(w.now, w.scene(nil), w.latest(a.Key()), a))
}

func (w *town) keep(r incident.Result) {
	if !r.Changed && (len(r.Notices) > 0 || r.Rest != nil || r.Merged != nil) {
		w.broken("a step tells, and changes nothing: %+v", r)
	}
	if !r.Changed {
		return
	}
	for _, i := range []*notifier.Incident{r.Merged, &r.Incident, r.Rest} {
		if i != nil {
			w.all[i.ID] = *i
		}
	}
	w.notices = append(w.notices, r.Notices...)
}

// tick lets time pass to so long after the first moment, in the steps in which an app looks.
func (w *town) tick(until time.Duration) {
	for end := t0.Add(until); w.now.Before(end); {
		w.now = w.now.Add(15 * time.Second)
		if w.now.After(end) {
			w.now = end
		}
		w.look()
	}
}

func (w *town) look() {
	open := w.open()
	for n, i := range open {
		if now := w.all[i.ID]; now.Open() {
			w.keep(w.machine.Tick(w.now, w.scene(open), now))
			open[n] = w.all[i.ID]
		}
	}
}

// outage gives the alert of a service in one tier, as it fires since a moment.
func (w *town) outage(service string, tier rules.Audience, startsAt time.Time) notifier.Alert {
	a := down(rules.Ops, tier, startsAt)
	a.Fingerprint = service + "-" + string(tier)
	a.Labels[rules.LabelService], a.Labels[rules.LabelIncident] = service, "demo/"+service
	a.Annotations[rules.AnnotationSince] = fmt.Sprint(startsAt.Add(-5 * time.Minute).Unix())
	return a
}

// fires brings an alert to all who receive it; ends brings its end.
func (w *town) fires(a notifier.Alert) {
	for _, audience := range receivers(a) {
		a.Audience = audience
		w.tell(a)
	}
}

func (w *town) ends(a notifier.Alert) { w.fires(ended(a, w.now)) }

func receivers(a notifier.Alert) []rules.Audience {
	list := []rules.Audience{rules.Ops}
	if a.Labels[rules.LabelTier] == string(rules.Management) {
		list = append(list, rules.Management)
	}
	if a.Labels[rules.LabelPublic] == "true" {
		list = append(list, rules.Subscribers)
	}
	return list
}

// told lists service audience:event of every notice so far, and forgets them.
func (w *town) told() []string {
	var list []string
	for _, n := range w.notices {
		list = append(list, n.Facts.Service.ID+" "+string(n.Audience)+":"+string(n.Event))
	}
	w.notices = nil
	return list
}

func (w *town) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		t.Fatalf("%s: told %q, want %q", when, got, want)
	}
}

// stored is an incident as it comes back from a store.
func stored(t interface{ Fatal(args ...any) }, i notifier.Incident) notifier.Incident {
	body, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	var back notifier.Incident
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	return back
}
