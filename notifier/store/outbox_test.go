package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

// join signs somebody up on Telegram.
func join(t *testing.T, s *store.Store, address string, wants notifier.Wants) notifier.Subscriber {
	t.Helper()
	subscriber := notifier.Subscriber{Recipient: notifier.Recipient{
		Audience: rules.Subscribers, Channel: "telegram", Address: address, Language: notifier.English, State: notifier.Active, Wants: wants,
	}}
	if err := s.Change(t.Context(), func(tx *store.Tx) error { return tx.KeepSubscriber(&subscriber) }); err != nil {
		t.Fatal(err)
	}
	return subscriber
}

// tell decides a notice to the public at a moment, and expands it then.
func tell(t *testing.T, s *store.Store, id string, event notifier.Event, facts notifier.Facts, at time.Time) {
	t.Helper()
	i := incident(id)
	save(t, s, i, notifier.Notice{Incident: id, Audience: rules.Subscribers, Event: event, At: at, Facts: facts})
	expandAll(t, s, at)
}

// expandAll expands at a moment all that was decided.
func expandAll(t *testing.T, s *store.Store, at time.Time) {
	t.Helper()
	for more := true; more; {
		done, err := s.Expand(t.Context(), expansion(at))
		if err != nil {
			t.Fatal(err)
		}
		more = done.More
	}
}

// said is what deliveries say to whom: "down 1", "recovered 1 first".
func said(list []notifier.Delivery) []string {
	var words []string
	for _, d := range list {
		word := fmt.Sprint(d.Notice.Event, " ", d.Recipient.Address)
		if d.First {
			word += " first"
		}
		words = append(words, word)
	}
	return words
}

func expect(t *testing.T, what string, list []notifier.Delivery, want ...string) {
	t.Helper()
	if got := said(list); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func sent(list []notifier.Delivery, at time.Time) []notifier.Outcome {
	var outcomes []notifier.Outcome
	for _, d := range list {
		for _, id := range append([]int64{d.ID}, d.Together...) {
			outcomes = append(outcomes, notifier.Outcome{Delivery: id, State: notifier.Sent, At: at})
		}
	}
	return outcomes
}

var alipay = notifier.Service{Shop: "demo", ID: "alipay"}

func TestRecoveryTakesThePlaceOfWhatWasNotSentAndTellsAllOfIt(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		for _, address := range []string{"1", "2", "3"} {
			join(t, s, address, notifier.Wants{})
		}
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{}, now)
		one, err := s.Claim(t.Context(), func() notifier.Claim {
			c := unlimited("telegram", notifier.LanePublic, now)
			c.Limit = 1
			return c
		}())
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "at first", one.Deliveries, "down 1 first")
		finish(t, s, sent(one.Deliveries, now)...)
		join(t, s, "4", notifier.Wants{}) // amid the trouble, and never told of it
		tell(t, s, "i1", notifier.EventUpdated, notifier.Facts{}, now)
		tell(t, s, "i1", notifier.EventRecovered, notifier.Facts{}, now.Add(time.Minute))
		expect(t, "when it is over", claim(t, s, "telegram", now.Add(time.Minute)), "recovered 1", "recovered 2 first", "recovered 3 first")
	})
}

func TestWhatGoesOnIsToldToThoseWhoWereToldAndNothingElse(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		join(t, s, "all", notifier.Wants{})
		join(t, s, "other service", notifier.Wants{Services: []string{"demo/wechat"}})
		join(t, s, "this service", notifier.Wants{Services: []string{"demo/alipay"}})
		join(t, s, "grave alone", notifier.Wants{Least: notifier.ImpactMajor})
		facts := notifier.Facts{Service: alipay, Impact: notifier.ImpactMinor}
		at := now
		for _, event := range []notifier.Event{notifier.EventDown, notifier.EventUpdated, notifier.EventEased, notifier.EventReopened, notifier.EventRecovered} {
			at = at.Add(time.Second)
			tell(t, s, "i1", event, facts, at)
			first := ""
			if event == notifier.EventDown {
				first = " first"
			}
			list := claim(t, s, "telegram", at)
			expect(t, string(event), list, string(event)+" all"+first, string(event)+" this service"+first)
			finish(t, s, sent(list, at)...)
		}
		facts.Impact = notifier.ImpactCritical
		tell(t, s, "i2", notifier.EventDown, facts, at)
		expect(t, "a grave one", claim(t, s, "telegram", at), "down all first", "down this service first", "down grave alone first")
	})
}

func TestTroubleThatGrowsGraveIsToldToWhoHearsOfGraveTroubleAlone(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		join(t, s, "all", notifier.Wants{})
		join(t, s, "grave alone", notifier.Wants{Least: notifier.ImpactMajor})
		steps := []struct {
			event  notifier.Event
			impact notifier.Impact
			want   []string
		}{
			{notifier.EventDown, notifier.ImpactMinor, []string{"down all first"}},
			{notifier.EventWorsened, notifier.ImpactMajor, []string{"worsened grave alone first"}},
			{notifier.EventWorsened, notifier.ImpactCritical, nil},
			{notifier.EventRecovered, notifier.ImpactCritical, []string{"recovered all", "recovered grave alone"}},
		}
		for n, step := range steps {
			at := now.Add(time.Duration(n) * time.Minute)
			tell(t, s, "i1", step.event, notifier.Facts{Service: alipay, Impact: step.impact}, at)
			list := claim(t, s, "telegram", at)
			expect(t, string(step.event), list, step.want...)
			finish(t, s, sent(list, at)...)
		}
	})
}

func TestQuietHoursEndWithOneDigest(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		night := notifier.Quiet{From: 22 * 60, To: 7 * 60}
		join(t, s, "sleeper", notifier.Wants{Quiet: night})
		join(t, s, "watcher", notifier.Wants{})
		evening := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
		morning := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{}, evening)
		tell(t, s, "i2", notifier.EventDown, notifier.Facts{}, evening)
		tell(t, s, "i1", notifier.EventRecovered, notifier.Facts{}, evening.Add(time.Hour))
		tell(t, s, "i3", notifier.EventDown, notifier.Facts{}, morning.Add(-time.Hour))
		before := claim(t, s, "telegram", morning.Add(-time.Second))
		expect(t, "in the night", before, "down watcher first", "recovered watcher first", "down watcher first")
		finish(t, s, sent(before, morning)...)
		list := claim(t, s, "telegram", morning)
		expect(t, "in the morning", list, "digest sleeper first")
		var told []string
		for _, n := range list[0].Digest {
			told = append(told, fmt.Sprint(n.Event, " ", n.Incident))
		}
		if want := []string{"down i2", "recovered i1", "down i3"}; !slices.Equal(told, want) {
			t.Errorf("the digest tells %q, want %q", told, want)
		}
		finish(t, s, sent(list, morning)...)
		expect(t, "afterwards", claim(t, s, "telegram", morning.Add(time.Hour)))

		next := evening.Add(24 * time.Hour)
		tell(t, s, "i4", notifier.EventDown, notifier.Facts{}, next)
		finish(t, s, sent(claim(t, s, "telegram", next), next)...)
		expect(t, "one notice alone is itself", claim(t, s, "telegram", morning.Add(24*time.Hour)), "down sleeper first")
	})
}

func TestNoticeToOneReachesWhoHasNotConfirmedYetAndNobodyWhoLeft(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		var ids []int64
		for _, state := range []notifier.RecipientState{notifier.Pending, notifier.Active, notifier.Departed} {
			r := join(t, s, string(state), notifier.Wants{})
			r.State, r.NonceUntil = state, now.Add(10*time.Minute)
			if err := s.Change(t.Context(), func(tx *store.Tx) error { return tx.KeepSubscriber(&r) }); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.ID)
		}
		ask := func() {
			err := s.Change(t.Context(), func(tx *store.Tx) error {
				for _, id := range ids {
					if err := tx.Notify(notifier.Notice{Audience: rules.Subscribers, To: id, Event: notifier.EventConfirm, At: now}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			expand(t, s)
		}
		ask()
		expect(t, "at once", claim(t, s, "telegram", now), "confirm pending", "confirm active")
		ask()
		expect(t, "once the word is void", claim(t, s, "telegram", now.Add(10*time.Minute)))
	})
}

func TestWhoLeavesHearsNothingThatIsStillQueued(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		r := join(t, s, "1", notifier.Wants{})
		join(t, s, "2", notifier.Wants{})
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{}, now)
		r.State = notifier.Departed
		if err := s.Change(t.Context(), func(tx *store.Tx) error { return tx.KeepSubscriber(&r) }); err != nil {
			t.Fatal(err)
		}
		found, err := s.Claim(t.Context(), unlimited("telegram", notifier.LanePublic, now))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "due", found.Deliveries, "down 2 first")
		if len(found.Ended) != 1 || found.Ended[0].N != 1 || found.Ended[0].State != notifier.Dropped {
			t.Errorf("ended %+v, want one dropped", found.Ended)
		}
	})
}

func TestAddressThatMovedToSomebodyElsesLeavesOneOfThem(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		join(t, s, "old", notifier.Wants{})
		join(t, s, "new", notifier.Wants{})
		gone := join(t, s, "gone", notifier.Wants{})
		gone.State = notifier.Departed
		if err := s.Change(t.Context(), func(tx *store.Tx) error { return tx.KeepSubscriber(&gone) }); err != nil {
			t.Fatal(err)
		}
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{}, now)
		list := claim(t, s, "telegram", now)
		finish(t, s,
			notifier.Outcome{Delivery: list[0].ID, State: notifier.Queued, At: now, Next: now, Moved: "new"},
			notifier.Outcome{Delivery: list[1].ID, State: notifier.Queued, At: now, Next: now, Moved: "gone"})
		expect(t, "the other is told there", claim(t, s, "telegram", now.Add(time.Second)), "down gone first")
	})
}

func TestWhoMayHaveTakenAMessageIsKnownToTheNextTry(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1"), nil); err != nil {
			t.Fatal(err)
		}
		i := incident("i1")
		save(t, s, i, notice(i, rules.Ops, notifier.EventDown))
		expand(t, s)
		for _, unclear := range []notifier.Unclear{{}, {With: "aliyun", Since: now.Add(-time.Minute)}, {With: "tencent", Since: now}, {}} {
			list := claim(t, s, "telegram", now)
			if len(list) != 1 {
				t.Fatalf("claimed %d, want 1", len(list))
			}
			finish(t, s, notifier.Outcome{Delivery: list[0].ID, State: notifier.Queued, At: now, Next: now, Problem: "lost", Unclear: unclear})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = place.Open(t)
			again := claim(t, s, "telegram", now)
			if len(again) != 1 || again[0].Unclear.With != unclear.With || !again[0].Unclear.Since.Equal(unclear.Since) {
				t.Fatalf("the next try knows of %+v, want %+v", again, unclear)
			}
			finish(t, s, notifier.Outcome{Delivery: list[0].ID, State: notifier.Queued, At: now, Next: now})
		}
	})
}
