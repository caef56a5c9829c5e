package incident_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// reader is a subscriber who joined at some moment, and what they were told, as
// a store spreads the notices to all: what goes on with trouble goes to whoever
// heard of it, what begins or begins again to everybody.
type reader struct {
	joined time.Time
	heard  map[string]bool // incidents of which they were ever told
	knows  map[string]bool // and of which they have not heard the end
}

// join makes somebody a subscriber, who hears of what runs.
func (m *model) join() {
	m.spread()
	r := &reader{joined: m.now, heard: map[string]bool{}, knows: map[string]bool{}}
	m.readers = append(m.readers, r)
	for _, n := range m.machine.Newcomer(m.now, m.open(), notifier.Recipient{ID: int64(len(m.readers))}) {
		m.harmless(n)
		m.hears(r, n)
	}
}

// spread brings the notices to all that are new to those who have joined.
func (m *model) spread() {
	for _, n := range m.notices[m.spreadTo:] {
		for _, r := range m.readers {
			if n.Audience == rules.Subscribers {
				m.hears(r, n)
			}
		}
	}
	m.spreadTo = len(m.notices)
}

func (m *model) hears(r *reader, n notifier.Notice) {
	id := n.Incident
	if n.Event.Follows() && !r.heard[id] || n.Event == notifier.EventWorsened && r.heard[id] {
		return
	}
	if begins := n.Event == notifier.EventDown || n.Event == notifier.EventReopened; begins == r.knows[id] && n.Event != notifier.EventWorsened {
		m.t.Fatalf("who joined at %s is told %s at %s of %s, and knew of it: %v", r.joined.Sub(t0), n.Event, n.At.Sub(t0), m.chain(m.all[id]), r.knows[id])
	}
	if at := n.Facts.Resumed; at.IsZero() != m.all[id].Reopened.IsZero() && n.Event == notifier.EventReopened || at.After(n.At) || !at.IsZero() && at.Before(n.Facts.Since) {
		m.t.Fatalf("told that it began again at %s, in %+v", at, n)
	}
	r.heard[id], r.knows[id] = true, n.Event != notifier.EventRecovered
}

// informed checks that whatever the public was told of and runs, everybody who
// has joined by now knows of, whenever that was.
func (m *model) informed() {
	m.spread()
	for _, i := range m.open() {
		_, told := i.Told[rules.Subscribers]
		if !i.Reopened.IsZero() {
			_, told = i.Again[rules.Subscribers]
		}
		for _, r := range m.readers {
			if told && !r.knows[i.ID] {
				m.t.Fatalf("who joined at %s doesn't know of %s", r.joined.Sub(t0), m.chain(i))
			}
		}
	}
}

func TestWhoJoinsBetweenAnEndAndTheNextBeginningHearsOfThatAlone(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	w.tick(6 * time.Minute)
	w.ends(w.outage("alipay", rules.Ops, t0))
	w.told()
	w.tick(12 * time.Minute)
	if n := w.machine.Newcomer(w.now, w.open(), notifier.Recipient{ID: 1}); len(n) > 0 {
		t.Fatalf("who joins once it is over is told %+v", n)
	}
	// It fires five minutes after the last good look.
	again := w.outage("alipay", rules.Ops, w.now)
	w.fires(again)
	for _, n := range w.notices {
		if got, want := n.Facts.Resumed, t0.Add(7*time.Minute); n.Event != notifier.EventReopened || !got.Equal(want) {
			t.Errorf("%s are told %s, again since %s, want reopened since %s", n.Audience, n.Event, got.Sub(t0), want.Sub(t0))
		}
	}
	n := w.machine.Newcomer(w.now, w.open(), notifier.Recipient{ID: 2})
	if len(n) != 1 || n[0].Event != notifier.EventDown || !n[0].Facts.Resumed.Equal(t0.Add(7*time.Minute)) {
		t.Errorf("who joins once it is back is told %+v", n)
	}
}

func TestWhoIsNewlyOnCallHearsOfAllThatOpsWereToldAndTheManagementOfWhatItWas(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	newcomers := func(audience rules.Audience) []notifier.Notice {
		return w.machine.Newcomer(w.now, w.open(), notifier.Recipient{ID: 7, Audience: audience})
	}
	w.fires(w.outage("alipay", rules.Ops, w.now))
	w.tick(time.Minute)
	onCall, management := newcomers(rules.Ops), newcomers(rules.Management)
	if len(onCall) != 1 || onCall[0].Audience != rules.Ops || onCall[0].To != 7 || onCall[0].Event != notifier.EventDown {
		t.Errorf("who is newly on call is told %+v", onCall)
	}
	if len(management) > 0 {
		t.Errorf("before the management is told, somebody new in it is told %+v", management)
	}
	w.fires(w.outage("alipay", rules.Management, w.now))
	if told := newcomers(rules.Management); len(told) != 1 || told[0].Event != notifier.EventProlonged {
		t.Errorf("somebody new in the management is told %+v", told)
	}
}
