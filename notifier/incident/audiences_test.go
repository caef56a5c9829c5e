package incident_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/rules"
)

// kinds are alerts of one key, of every severity, tier and audience.
var kinds = []struct {
	name     string
	severity rules.Severity
	tier     rules.Audience
	receives []rules.Audience
}{
	{"Down", rules.SeverityCritical, rules.Ops, []rules.Audience{rules.Ops, rules.Subscribers}},
	{"Prolonged", rules.SeverityCritical, rules.Management, []rules.Audience{rules.Ops, rules.Management, rules.Subscribers}},
	{"Delayed", rules.SeverityWarning, rules.Ops, []rules.Audience{rules.Ops, rules.Subscribers}},
	{"Flapping", rules.SeverityWarning, rules.Ops, []rules.Audience{rules.Ops}},
	{"Health", rules.SeverityInfo, rules.Ops, []rules.Audience{rules.Ops}},
}

// shop is what really happens while the machine of a world is told of it.
type shop struct {
	*world
	t     *rapid.T
	now   time.Time
	fires map[int]time.Time // kind -> startsAt
	since time.Time         // Prometheus evaluates without a break
	dead  bool              // Prometheus is
}

// tell brings a kind by each of its receivers, in any order.
func (s *shop) tell(kind int, firing bool) {
	k := kinds[kind]
	for _, audience := range rapid.Permutation(k.receives).Draw(s.t, "receivers") {
		a := alarm(k.name, k.severity, s.fires[kind])
		a.Audience, a.Labels[rules.LabelTier] = audience, string(k.tier)
		if slices.Contains(k.receives, rules.Subscribers) {
			a.Labels[rules.LabelPublic] = "true"
		}
		began := s.fires[kind]
		if k.tier == rules.Management {
			began = began.Add(-25 * time.Minute)
		}
		a.Annotations[rules.AnnotationSince] = fmt.Sprint(began.Unix())
		if !firing {
			a = ended(a, s.now)
		}
		s.alert(s.now, a)
	}
}

// dies stops Prometheus for so long that Alertmanager calls everything resolved.
func (s *shop) dies() {
	s.dead, s.now = true, s.now.Add(4*time.Minute)
	before := len(s.notices)
	for kind := range kinds {
		if _, fires := s.fires[kind]; fires {
			s.tell(kind, false)
		}
	}
	if len(s.notices) > before {
		s.t.Fatalf("told of an end that nobody saw: %v", s.told()[before:])
	}
}

// returns starts Prometheus again, which fires anew what it sees.
func (s *shop) returns() {
	s.dead, s.since = false, s.now
	s.judge()
	s.tick(s.now)
	s.now = s.now.Add(20 * time.Second)
	s.judge()
	for kind := range kinds {
		if _, fires := s.fires[kind]; fires {
			s.fires[kind] = s.now
			s.tell(kind, true)
		}
	}
}

func (s *shop) judge() {
	if !s.dead {
		s.watchdog = incident.Watchdog{Evaluated: s.now, Since: s.since}
	}
}

// step lets one thing happen.
func (s *shop) step() {
	s.now = s.now.Add(time.Duration(rapid.IntRange(1, 300).Draw(s.t, "seconds")) * time.Second)
	s.judge()
	kind := rapid.IntRange(0, len(kinds)-1).Draw(s.t, "kind")
	_, fires := s.fires[kind]
	switch what := rapid.IntRange(0, 8).Draw(s.t, "what"); {
	case what <= 3 && !s.dead && !fires:
		s.fires[kind] = s.now
		s.tell(kind, true)
	case what <= 3 && !s.dead:
		s.tell(kind, false)
		delete(s.fires, kind)
	case what == 4 && s.dead:
		s.returns()
	case what == 4:
		s.dies()
	case what == 5 && s.latest != nil:
		if r, err := s.machine.Acknowledge(s.now, *s.latest, "x"); err == nil {
			s.keep(r)
		}
	case what == 6 && s.latest != nil:
		if r, err := s.machine.Withdraw(s.now, *s.latest, "x"); err == nil {
			s.keep(r)
		}
	default:
		s.tick(s.now)
	}
}

// owed checks that whoever must know by now was told.
func (s *shop) owed() {
	knows := func(kind int, audience rules.Audience) bool {
		_, fires := s.fires[kind]
		if !fires {
			return true
		}
		_, told := s.latest.Told[audience]
		return told
	}
	inHand := s.hold && s.latest != nil && s.latest.Acknowledged.Given()
	if !knows(1, rules.Management) && !inHand {
		s.t.Fatalf("management doesn't hear of what lasts: %v", s.told())
	}
	for _, audience := range []rules.Audience{rules.Ops, rules.Subscribers} {
		for _, outage := range []int{0, 1, 2} { // what buyers feel
			if !knows(outage, audience) {
				s.t.Fatalf("%s don't hear of %s: %v", audience, kinds[outage].name, s.told())
			}
		}
	}
}

// Whatever comes and goes, through deaths of Prometheus, acknowledged or not:
// everybody hears of an outage, each audience hears an incident's beginning
// once, then its end once and last, and no end is told that nobody saw.
func TestEveryAudienceHearsOfEachBeginningItsEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &shop{world: worldOf(rapid.Bool().Draw(t, "hold")), t: t, now: t0, since: t0.Add(-time.Hour), fires: map[int]time.Time{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s.step()
			s.owed()
		}
		if s.dead {
			s.returns()
		}
		for kind := range kinds {
			if _, fires := s.fires[kind]; fires {
				s.tell(kind, false)
			}
		}
		s.now = s.now.Add(10 * time.Minute)
		s.judge()
		s.tick(s.now)
		if s.latest != nil && s.latest.Open() {
			t.Fatal("an incident stays open though nothing fires")
		}
		type story struct {
			incident string
			audience rules.Audience
		}
		told := map[story][]notifier.Event{}
		for _, n := range s.notices {
			told[story{n.Incident, n.Audience}] = append(told[story{n.Incident, n.Audience}], n.Event)
		}
		for story, events := range told {
			for n, event := range events {
				begins := event == notifier.EventDown || event == notifier.EventProlonged
				more := event == notifier.EventWorsened || event == notifier.EventJoined && story.audience == rules.Ops || event == notifier.EventEased
				if begins != (n == 0) || (event == notifier.EventRecovered) != (n == len(events)-1) || !begins && !more && event != notifier.EventRecovered {
					t.Fatalf("%s are told of %s: %v", story.audience, story.incident, events)
				}
			}
		}
	})
}
