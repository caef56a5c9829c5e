package store_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

const day = 24 * time.Hour

func prune(t *testing.T, s *store.Store, at time.Time) {
	t.Helper()
	for range 100 {
		more, err := s.Prune(t.Context(), at, 2)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("pruning never ends")
}

func TestOldNoticesAreForgottenButThoseOfWhatStillRuns(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1", "2", "3", "4", "5"), nil); err != nil {
			t.Fatal(err)
		}
		running, over := incident("running"), incident("over")
		over.Closed = now.Add(time.Hour)
		for _, i := range []notifier.Incident{running, over} {
			save(t, s, i, notice(i, rules.Ops, notifier.EventDown))
		}
		expand(t, s)
		var outcomes []notifier.Outcome
		for n, d := range claim(t, s, "telegram", now) {
			o := notifier.Outcome{Delivery: d.ID, State: notifier.Sent, At: now}
			if d.Notice.Incident == "over" && n%5 == 0 {
				o.State, o.Problem = notifier.Dead, "blocked"
			}
			outcomes = append(outcomes, o)
		}
		finish(t, s, outcomes...)
		told := func(what, id string, sent, dead int) {
			t.Helper()
			got, err := s.Told(t.Context(), id)
			n := map[notifier.DeliveryState]int{}
			for _, c := range got {
				n[c.State] += c.N
			}
			if err != nil || n[notifier.Sent] != sent || n[notifier.Dead] != dead {
				t.Errorf("%s, %s: %v (%v), want %d sent and %d dead", what, id, got, err, sent, dead)
			}
		}
		prune(t, s, now.Add(30*day))
		told("after 30 days", "over", 4, 1)
		prune(t, s, now.Add(31*day))
		told("after 31 days", "over", 4, 0)
		prune(t, s, now.Add(91*day))
		told("after 91 days", "over", 0, 0)
		told("after 91 days", "running", 5, 0)
		recent, err := s.RecentIncidents(t.Context(), now.Add(-time.Hour), 10)
		if err != nil || len(recent) != 2 {
			t.Errorf("incidents are gone: %+v, %v", recent, err)
		}
	})
}

func TestPeopleWhoLeftOrNeverConfirmedAreForgotten(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		keep := func(address string, state notifier.RecipientState) notifier.Subscriber {
			t.Helper()
			r := subscriber(address)
			r.State = state
			change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&r) })
			return r
		}
		keep("active@x.example", notifier.Active)
		keep("pending@x.example", notifier.Pending)
		keep("refused@x.example", notifier.Refused)
		back := keep("back@x.example", notifier.Departed)
		keep("departed@x.example", notifier.Departed)
		is := func(what, want string) {
			t.Helper()
			if got := addresses(t, s); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		prune(t, s, now.Add(3*day))
		is("after 3 days", "active@x.example pending@x.example refused@x.example back@x.example departed@x.example")
		prune(t, s, now.Add(3*day+time.Minute))
		is("later", "active@x.example refused@x.example back@x.example departed@x.example")
		back.State = notifier.Active
		change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&back) })
		back.State = notifier.Departed
		change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&back) })
		prune(t, s, now.Add(20*day))
		prune(t, s, now.Add(34*day))
		is("30 days after they left", "active@x.example refused@x.example back@x.example")
		prune(t, s, now.Add(51*day))
		is("and after one left again", "active@x.example refused@x.example")
	})
}
