package store_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func TestUntoldIsWhatReachedNobodyAndIsStillOnItsWay(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1", "2"), nil); err != nil {
			t.Fatal(err)
		}
		untold := func(what string, want time.Time) {
			t.Helper()
			if at, err := s.Untold(t.Context(), now.Add(-time.Hour)); err != nil || !at.Equal(want) {
				t.Errorf("%s: untold since %s (%v), want %s", what, at, err, want)
			}
		}
		none := time.Time{}
		untold("nothing was decided", none)
		for id, at := range map[string]time.Time{"old": now.Add(-2 * time.Hour), "i1": now} {
			i := incident(id)
			n := notice(i, rules.Ops, notifier.EventDown)
			n.At = at
			save(t, s, i, n)
		}
		public := incident("i2")
		early := notice(public, rules.Subscribers, notifier.EventDown)
		early.At = now.Add(-time.Minute)
		save(t, s, public, early)
		untold("before it is expanded; not of the public, nor of long ago", now)
		expand(t, s)
		list := claim(t, s, "telegram", now)
		var mine []notifier.Delivery
		for _, d := range list {
			if d.Notice.Incident == "i1" {
				mine = append(mine, d)
			}
		}
		finish(t, s, notifier.Outcome{Delivery: mine[0].ID, State: notifier.Queued, At: now, Next: now.Add(time.Hour), Problem: "busy"})
		untold("the first try failed", now)
		finish(t, s, notifier.Outcome{Delivery: mine[1].ID, State: notifier.Sent, At: now})
		untold("the other recipient got it", none)
	})
}

func TestUntoldIsAlsoWhatEveryAddressRefusedUntilOneTakesALaterNotice(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1", "2"), nil); err != nil {
			t.Fatal(err)
		}
		untold := func(what string, want time.Time) {
			t.Helper()
			if at, err := s.Untold(t.Context(), now.Add(-time.Hour)); err != nil || !at.Equal(want) {
				t.Errorf("%s: untold since %s (%v), want %s", what, at, err, want)
			}
		}
		tell := func(id string, states ...notifier.DeliveryState) {
			t.Helper()
			i := incident(id)
			save(t, s, i, notice(i, rules.Ops, notifier.EventDown))
			expand(t, s)
			for n, d := range claim(t, s, "telegram", now) {
				finish(t, s, notifier.Outcome{Delivery: d.ID, State: states[n], At: now, Problem: "the bot was blocked", Deactivate: states[n] == notifier.Dead})
			}
		}
		none := time.Time{}
		tell("i1", notifier.Dead, notifier.Sent)
		untold("one of two blocked the bot", none)
		tell("i2", notifier.Dead, notifier.Dead)
		untold("both blocked the bot", now)
		tell("i3", notifier.Sent, notifier.Dead)
		untold("one of them takes notices again", none)
		tell("i4", notifier.Dead, notifier.Dead)
		untold("both blocked it again", now)
		if err := s.SyncPeople(t.Context(), people("3"), nil); err != nil {
			t.Fatal(err)
		}
		untold("somebody else is named instead", none)
	})
}
