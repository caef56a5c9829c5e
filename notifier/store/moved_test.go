package store_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

// onCall decides a notice to those on call of some audiences, and expands it.
func onCall(t *testing.T, s *store.Store, id string, event notifier.Event, at time.Time, audiences ...rules.Audience) {
	t.Helper()
	var notices []notifier.Notice
	for _, audience := range audiences {
		notices = append(notices, notifier.Notice{Incident: id, Audience: audience, Event: event, At: at})
	}
	save(t, s, incident(id), notices...)
	expand(t, s)
}

func TestGroupOnCallThatMovedIsTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		sync := func(people []notifier.Recipient) {
			t.Helper()
			if err := s.SyncPeople(t.Context(), people, nil); err != nil {
				t.Fatal(err)
			}
		}
		sync(people("-100"))
		onCall(t, s, "i1", notifier.EventDown, now, rules.Ops)
		list := claim(t, s, "telegram", now)
		finish(t, s, notifier.Outcome{Delivery: list[0].ID, State: notifier.Queued, At: now, Next: now, Moved: "-1002"})
		sync(people("-100"))
		list = claim(t, s, "telegram", now.Add(time.Second))
		expect(t, "after a restart", list, "down -1002 first")
		finish(t, s, notifier.Outcome{Delivery: list[0].ID, State: notifier.Queued, At: now, Next: now, Moved: "-1003"})
		sync(people("-100"))
		list = claim(t, s, "telegram", now.Add(2*time.Second))
		expect(t, "after another move", list, "down -1003 first")
		finish(t, s, sent(list, now)...)
		sync(people("-1003"))
		sync(people("-1003", "-100"))
		onCall(t, s, "i1", notifier.EventRecovered, now, rules.Ops)
		expect(t, "once the file names the new one", claim(t, s, "telegram", now.Add(3*time.Second)), "recovered -1003")
		onCall(t, s, "i2", notifier.EventDown, now, rules.Ops)
		expect(t, "and another by the old", claim(t, s, "telegram", now.Add(4*time.Second)), "down -1003 first", "down -100 first")
	})
}

func TestPersonOfTwoAudiencesHearsOnceThatItIsOver(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		both := people("1", "2")
		both = append(both, notifier.Recipient{Audience: rules.Management, Channel: "telegram", Address: "1", Language: notifier.Chinese},
			notifier.Recipient{Audience: rules.Management, Channel: "telegram", Address: "3", Language: notifier.Chinese})
		if err := s.SyncPeople(t.Context(), both, nil); err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Time{now, now.Add(time.Hour)} { // it comes again
			onCall(t, s, "i1", notifier.EventDown, at, rules.Ops, rules.Management)
			finish(t, s, sent(claim(t, s, "telegram", at), at)...)
			onCall(t, s, "i1", notifier.EventRecovered, at, rules.Ops, rules.Management)
			list := claim(t, s, "telegram", at)
			expect(t, "over", list, "recovered 1", "recovered 2", "recovered 3")
			finish(t, s, sent(list, at)...)
		}
	})
}
