package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

// outboxModel is a store at work with far sides that fail at random and senders that
// die at random, and what must be true of it.
type outboxModel struct {
	s       *store.Store
	channel string
	now     time.Time
	notices int
	held    []notifier.Delivery
	moments []time.Time       // of all that was claimed
	done    map[string]string // by recipient and notice: how it ended
	told    map[string]int64  // by recipient and incident: the last notice that was sent
	until   time.Time         // the far side's block
}

const modelPeople = 4

var modelPace = notifier.Pace{Messages: 5, Per: time.Second}

func (m *outboxModel) claim(t *rapid.T) {
	c := unlimited(m.channel, notifier.LaneOnCall, m.now)
	c.Horizon, c.Limit = 500*time.Millisecond, rapid.IntRange(1, 5).Draw(t, "limit")
	c.Whole.Pace = modelPace
	found, err := m.s.Claim(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found.Deliveries {
		if d.At.Before(m.now) || d.At.Sub(m.now) > c.Horizon || d.At.Before(m.until) {
			t.Fatalf("%s may go at %s, claimed at %s, blocked until %s", d.Identity(), d.At, m.now, m.until)
		}
		if n := len(m.moments); n > 0 && d.At.Sub(m.moments[n-1]) < modelPace.Interval()-time.Microsecond {
			t.Fatalf("%s goes %s after the one before", d.Identity(), d.At.Sub(m.moments[n-1]))
		}
		if slices.ContainsFunc(m.held, func(h notifier.Delivery) bool {
			return h.Recipient.ID == d.Recipient.ID && h.Notice.Incident == d.Notice.Incident
		}) {
			t.Fatalf("%s is given out beside another of the same incident to the same one", d.Identity())
		}
		m.moments = append(m.moments, d.At)
		m.held = append(m.held, d)
	}
}

// finish ends one of the held deliveries in a way that a far side may.
func (m *outboxModel) finish(t *rapid.T, how string) {
	if len(m.held) == 0 {
		return
	}
	at := rapid.IntRange(0, len(m.held)-1).Draw(t, "which")
	d := m.held[at]
	m.held = slices.Delete(m.held, at, at+1)
	o := notifier.Outcome{Delivery: d.ID, At: m.now, State: notifier.Queued, Next: m.now.Add(700 * time.Millisecond)}
	key := fmt.Sprint(d.Recipient.ID, " ", d.Notice.ID)
	switch how {
	case "sent":
		o.State = notifier.Sent
		if m.done[key] != "" {
			t.Fatalf("%s was %s, and is sent", d.Identity(), m.done[key])
		}
		whose := fmt.Sprint(d.Recipient.ID, " ", d.Notice.Incident)
		if m.told[whose] > d.Notice.ID {
			t.Fatalf("%s comes after notice %d", d.Identity(), m.told[whose])
		}
		m.done[key], m.told[whose] = "sent", d.Notice.ID
	case "unsendable":
		o.State, m.done[key] = notifier.Dead, "dead"
	case "blocked":
		o.Block = notifier.Scope{Name: m.channel}
		m.until = o.Next
	}
	if _, err := m.s.Finish(t.Context(), []notifier.Outcome{o}); err != nil {
		t.Fatal(err)
	}
}

func TestAnyHistoryOfClaimsLosesNobodyKeepsOrderAndGoesNeverEarly(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t)
	history := 0
	rapid.Check(t, func(rt *rapid.T) {
		history++ // on a channel of its own
		m := &outboxModel{s: s, now: now, channel: fmt.Sprint("c", history), done: map[string]string{}, told: map[string]int64{}}
		everybody := people("1", "2", "3", "4")
		for i := range everybody {
			everybody[i].Channel = m.channel
		}
		if err := s.SyncPeople(rt.Context(), everybody, nil); err != nil {
			rt.Fatal(err)
		}
		expansion := expansion(m.now)
		expansion.Channels = func(notifier.Event) []string { return []string{m.channel} }
		actions := map[string]func(*rapid.T){
			"notice": func(rt *rapid.T) {
				i := incident(fmt.Sprint(m.channel, "-", rapid.IntRange(1, 2).Draw(rt, "incident")))
				err := s.Change(rt.Context(), func(tx *store.Tx) error {
					return tx.Save(i, []notifier.Notice{{Incident: i.ID, Audience: rules.Ops, Event: notifier.EventJoined, At: m.now}})
				})
				expansion.Now = m.now
				for more := err == nil; more; {
					var e notifier.Expanded
					e, err = s.Expand(rt.Context(), expansion)
					more = e.More && err == nil
				}
				if err != nil {
					rt.Fatal(err)
				}
				m.notices++
			},
			"claim":      m.claim,
			"sent":       func(rt *rapid.T) { m.finish(rt, "sent") },
			"refused":    func(rt *rapid.T) { m.finish(rt, "refused") },
			"blocked":    func(rt *rapid.T) { m.finish(rt, "blocked") },
			"unsendable": func(rt *rapid.T) { m.finish(rt, "unsendable") },
			"time goes on": func(rt *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(rt, "ms")) * time.Millisecond)
			},
			"all senders are killed": func(*rapid.T) {
				m.held, m.now = nil, m.now.Add(time.Minute) // the lease's time
			},
		}
		rt.Repeat(actions)
		for tries := 0; len(m.done) < m.notices*modelPeople; tries++ {
			if tries > 1000 {
				rt.Fatalf("%d of %d deliveries ended", len(m.done), m.notices*modelPeople)
			}
			for len(m.held) > 0 {
				m.finish(rt, "sent")
			}
			m.now = m.now.Add(300 * time.Millisecond)
			m.claim(rt)
		}
	})
}
