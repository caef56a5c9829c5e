package incident_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// trouble is what may be wrong with a service of the town: what really fires, as
// opposed to what the machine was told of it.
type trouble struct {
	service, name string
	severity      rules.Severity
	tier          rules.Audience
	public        bool
}

var troubles = func() []trouble {
	var list []trouble
	for _, service := range []string{"db", "cache", "home", "order", "alipay", "east", "west"} {
		list = append(list,
			trouble{service, "Down", rules.SeverityCritical, rules.Ops, true},
			trouble{service, "Prolonged", rules.SeverityCritical, rules.Management, true},
			trouble{service, "Slow", rules.SeverityWarning, rules.Ops, false})
	}
	return append(list,
		trouble{"alipay", "Delayed", rules.SeverityWarning, rules.Ops, true},
		trouble{"alipay", "Burn", rules.SeverityInfo, rules.Ops, false},
		trouble{"home", "Nothing", rules.SeverityNone, rules.Ops, true})
}()

// model is the town with what really happens in it.
type model struct {
	*town
	t     *rapid.T
	fires map[trouble]time.Time // -> startsAt
	past  []notifier.Alert      // words that may come late, or twice
	shown map[string]time.Time  // by incident: when subscribers were first told

	readers  []*reader
	spreadTo int // so many notices they have heard, as far as they hear them
}

func (m *model) alert(f trouble, startsAt time.Time) notifier.Alert {
	a := m.outage(f.service, f.tier, startsAt)
	a.Fingerprint = f.service + f.name
	a.Labels[rules.LabelAlert], a.Labels[rules.LabelSeverity] = f.name, string(f.severity)
	if !f.public {
		delete(a.Labels, rules.LabelPublic)
	}
	return a
}

// say brings an alert by its receivers in any order, some of them twice, as
// peers of Alertmanager do; now and then one is left for later.
func (m *model) say(a notifier.Alert) {
	for _, audience := range rapid.Permutation(receivers(a)).Draw(m.t, "receivers") {
		a.Audience = audience
		m.tell(a)
		if rapid.IntRange(0, 5).Draw(m.t, "twice") == 0 {
			m.again(a)
		}
		m.past = append(m.past, a)
	}
}

// again brings the very same word at once: nothing may follow from it.
func (m *model) again(a notifier.Alert) {
	before, was := len(m.notices), m.latest(a.Key())
	m.tell(a)
	if len(m.notices) != before {
		m.t.Fatalf("a word that came twice (%s of %s, firing %v) was told twice: %s\nafter %s", a.Audience, a.Name(), a.Firing, events(m.notices[before:]), m.chain(*was))
	}
}

func (m *model) pass(d time.Duration) {
	m.now = m.now.Add(d)
	if len(m.past) > 0 && rapid.IntRange(0, 9).Draw(m.t, "late word") == 0 {
		late := rapid.SampledFrom(m.past).Draw(m.t, "late")
		if m.now.Sub(late.StartsAt) < 2*time.Minute && m.known(late) {
			m.tell(late)
		}
	}
	m.past = slices.DeleteFunc(m.past, func(a notifier.Alert) bool { return m.now.Sub(a.StartsAt) > 10*time.Minute })
	m.look()
}

// known reports whether a late word says what is still so: what contradicts it
// would be told again by whoever said it, which this model leaves out.
func (m *model) known(a notifier.Alert) bool {
	for f, startsAt := range m.fires {
		if f.service+f.name == a.Fingerprint {
			return a.Firing && startsAt.Equal(a.StartsAt) || !a.Firing && a.StartsAt.Before(startsAt)
		}
	}
	return !a.Firing
}

func (m *model) step() {
	m.pass(time.Duration(rapid.SampledFrom([]int{1, 10, 25, 60, 200, 700}).Draw(m.t, "seconds")) * time.Second)
	f := rapid.SampledFrom(troubles).Draw(m.t, "trouble")
	startsAt, fires := m.fires[f]
	switch what := rapid.IntRange(0, 11).Draw(m.t, "what"); {
	case what <= 6 && !m.dead && !fires:
		m.fires[f] = m.now
		m.say(m.alert(f, m.now))
	case what <= 6 && !m.dead:
		delete(m.fires, f)
		m.say(ended(m.alert(f, startsAt), m.now))
	case what == 7 && m.dead:
		m.returns()
	case what == 7:
		m.dies()
	case what == 8:
		m.person()
	case what == 9: // the process starts anew: all that it knows comes from the store
		m.restart()
	case what == 10:
		m.join()
	}
}

// dies stops Prometheus until Alertmanager calls everything resolved.
func (m *model) dies() {
	m.watchdog()
	m.dead = true
	m.pass(4 * time.Minute)
	before := len(m.notices)
	for _, f := range troubles {
		if startsAt, fires := m.fires[f]; fires {
			m.say(ended(m.alert(f, startsAt), m.now))
		}
	}
	for _, n := range m.notices[before:] {
		if n.Event == notifier.EventRecovered || n.Event == notifier.EventEased {
			m.t.Fatalf("told of an end that nobody saw: %v", n)
		}
	}
}

func (m *model) returns() {
	m.dead, m.since = false, m.now
	m.pass(15 * time.Second)
	for _, f := range troubles {
		if _, fires := m.fires[f]; fires {
			m.fires[f] = m.now
			m.say(m.alert(f, m.now))
		}
	}
	m.past = nil
}

func (m *model) person() {
	open := m.open()
	if len(open) == 0 {
		return
	}
	i := rapid.SampledFrom(open).Draw(m.t, "incident")
	switch rapid.IntRange(0, 3).Draw(m.t, "deed") {
	case 0:
		if r, err := m.machine.Acknowledge(m.now, i, "x"); err == nil {
			m.keep(r)
		}
	case 1:
		if r, err := m.machine.Withdraw(m.now, i, "x"); err == nil {
			m.keep(r)
		}
	case 2:
		if r, err := m.machine.Publish(m.now, i, "x"); err == nil {
			m.shown[i.ID] = m.now
			m.keep(r)
		}
	case 3:
		if r, err := m.machine.Hold(m.now, i, "x"); err == nil {
			m.keep(r)
		}
	}
}

// restart forgets what only a process knows. Incidents pass through JSON, as in a store.
func (m *model) restart() {
	for id, i := range m.all {
		m.all[id] = stored(m.t, i)
	}
}

// check holds what must be so after every step.
func (m *model) check() {
	for _, f := range troubles {
		startsAt, fires := m.fires[f]
		if !fires {
			continue
		}
		i := m.latest("demo/" + f.service)
		if i == nil || !i.Open() {
			m.t.Fatalf("%v fires and no incident of it is open", f)
		}
		age := m.now.Sub(startsAt)
		if !m.dead && f.severity == rules.SeverityCritical && age > 10*time.Minute {
			m.owed(*i, f)
		}
	}
	for _, i := range m.all {
		if i.Closed.Before(i.Opened) && !i.Open() || !i.Open() && (i.Over.Before(i.Since) || i.Status != notifier.Resolved) {
			m.t.Fatalf("%s runs backwards: %+v", i.ID, i)
		}
		if !slices.IsSortedFunc(i.Updates, func(a, b notifier.Update) int { return a.At.Compare(b.At) }) {
			m.t.Fatalf("the timeline of %s runs backwards: %+v", i.ID, i.Updates)
		}
		if i.Public && !i.Service.Public {
			m.t.Fatalf("%s is public, and its service isn't", i.ID)
		}
	}
}

// owed checks that an outage that has lasted reached those who must know: by its
// own incident, or by the one that it follows from.
func (m *model) owed(i notifier.Incident, f trouble) {
	for p := i; ; p = m.all[p.Parent] {
		_, told := p.Told[rules.Ops]
		lost := p.Parent == "" && m.now.Before(p.Due) // its parent, just now
		if told && p.Open() || p.Closed.Equal(m.now) || lost {
			return
		}
		if p.Parent == "" {
			break
		}
	}
	m.t.Fatalf("ops don't hear of %v at %s: %s", f, m.now.Sub(t0), m.chain(i))
}

// chain tells of an incident and what it follows from.
func (m *model) chain(i notifier.Incident) string {
	text := fmt.Sprintf("%s of %s opened %s, reopened %v, due %s, closed %v, told %v, again %v, pending %d", i.ID, i.Key,
		i.Opened.Sub(t0), !i.Reopened.IsZero(), i.Due.Sub(t0), !i.Open(), i.Told, i.Again, len(i.Pending))
	for _, a := range i.Alerts {
		text += fmt.Sprintf("\n  %s %s, ended %v", a.Fingerprint, a.StartsAt.Sub(t0), !a.Ended.IsZero())
	}
	if i.Parent != "" {
		text += "\nfollows from " + m.chain(m.all[i.Parent])
	}
	return text
}

// settle ends everything and lets so much time pass that nothing may be left.
func (m *model) settle() {
	if m.dead {
		m.returns()
	}
	m.pass(2 * time.Minute)
	for _, f := range troubles {
		if startsAt, fires := m.fires[f]; fires {
			m.say(ended(m.alert(f, startsAt), m.now))
		}
	}
	clear(m.fires)
	m.past = nil
	m.tick(m.now.Add(30 * time.Minute).Sub(t0))
	if open := m.open(); len(open) > 0 {
		m.t.Fatalf("open though nothing fires: %+v", open)
	}
}

// stories checks what each audience was told of each incident, from its
// beginning to its end.
func (m *model) stories() {
	told := map[string][]notifier.Notice{}
	var last time.Time
	for _, n := range m.notices {
		if n.At.Before(last) {
			m.t.Fatalf("notices run backwards: %+v", n)
		}
		last = n.At
		told[n.Incident+" "+string(n.Audience)] = append(told[n.Incident+" "+string(n.Audience)], n)
	}
	for _, r := range m.readers {
		for id, open := range r.knows {
			if open {
				m.t.Fatalf("who joined at %s never heard the end of %s", r.joined.Sub(t0), m.chain(m.all[id]))
			}
		}
	}
	for _, who := range slices.Sorted(maps.Keys(told)) {
		knows, ever := false, false
		worst := -1
		for _, n := range told[who] {
			ok := false
			weight := slices.Index(notifier.Impacts, n.Facts.Impact)
			switch n.Event {
			case notifier.EventWorsened:
				ok = knows && n.Audience == rules.Subscribers && weight > worst
			case notifier.EventDown, notifier.EventProlonged:
				ok, knows, ever = !ever, true, true
			case notifier.EventReopened:
				ok, knows = ever && !knows, true
			case notifier.EventJoined:
				ok = knows && n.Audience == rules.Ops
			case notifier.EventEased:
				ok = knows
			case notifier.EventRecovered:
				ok, knows = knows && !n.Facts.Over.Before(n.Facts.Since), false
			}
			if !ok {
				m.t.Fatalf("%s were told: %v", who, events(told[who]))
			}
			worst = max(worst, weight)
			if n.Audience == rules.Subscribers {
				m.harmless(n)
			}
		}
		if knows {
			m.t.Fatalf("%s were never told that it is over: %v", who, events(told[who]))
		}
	}
}

func events(notices []notifier.Notice) string {
	var list []string
	for _, n := range notices {
		list = append(list, fmt.Sprintf("%s at %s", n.Event, n.At.Sub(t0)))
	}
	return strings.Join(list, ", ")
}

// harmless checks that a public notice is of a public service, not sooner than
// agreed, and says nothing that is of the house.
func (m *model) harmless(n notifier.Notice) {
	i := m.all[n.Incident]
	f := n.Facts
	if !i.Public || !f.Service.Public || f.Acknowledged.Given() || f.Description != (rules.Text{}) || f.By != "" || f.Publication != (notifier.Publication{}) || len(f.News) > 0 {
		m.t.Fatalf("the public was told %+v", n)
	}
	_, byPerson := m.shown[i.ID]
	if begins := n.Event == notifier.EventDown; begins && !byPerson && (m.publish[i.Key].Held || n.At.Sub(i.Opened) < m.hold) {
		m.t.Fatalf("public %s after it opened, held %v, to wait for %s", n.At.Sub(i.Opened), m.publish[i.Key].Held, m.hold)
	}
}

// Whatever happens in a shop whose services depend on each other, through deaths
// of Prometheus, restarts of ours, words that come twice, late and out of order,
// and people's deeds: what fires is in an open incident, ops hear of every outage
// or of its cause, nobody hears of an end that nobody saw, or that is of something
// they never heard of, and everybody who was told hears the end.
func TestAnyDayOfAShopIsToldWholeAndOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{town: newTown(nil), t: t, fires: map[trouble]time.Time{}, shown: map[string]time.Time{}}
		m.broken = t.Fatalf
		m.hold = time.Duration(rapid.SampledFrom([]int{0, 0, 5}).Draw(t, "hold")) * time.Minute
		if rapid.Bool().Draw(t, "alipay waits for a person") {
			m.town.publish["demo/alipay"] = notifier.Publication{Held: true}
		}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			m.step()
			m.check()
			m.informed()
		}
		m.settle()
		m.informed()
		m.stories()
	})
}
