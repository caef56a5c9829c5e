package store_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

func incident(id string) notifier.Incident {
	return notifier.Incident{
		ID: id, Key: "demo/alipay", Title: rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"},
		Status: notifier.Investigating, Impact: notifier.ImpactMajor, Since: now, Opened: now,
		Told: map[rules.Audience]time.Time{rules.Ops: now},
	}
}

func notice(i notifier.Incident, audience rules.Audience, event notifier.Event) notifier.Notice {
	return notifier.Notice{Incident: i.ID, Audience: audience, Event: event, At: now, Facts: notifier.Facts{Title: i.Title, Since: i.Since}}
}

func save(t *testing.T, s *store.Store, i notifier.Incident, notices ...notifier.Notice) {
	t.Helper()
	if err := s.Change(t.Context(), func(tx *store.Tx) error { return tx.Save(i, notices) }); err != nil {
		t.Fatal(err)
	}
}

func expand(t *testing.T, s *store.Store) {
	t.Helper()
	for {
		done, err := s.Expand(t.Context(), expansion(now))
		if err != nil {
			t.Fatal(err)
		}
		if !done.More {
			return
		}
	}
}

// expansion looks at two recipients at a time.
func expansion(at time.Time) notifier.Expansion {
	return notifier.Expansion{Now: at, Limit: 2, Channels: func(notifier.Event) []string { return []string{"telegram", "email"} }}
}

// unlimited asks for all that is due on a lane of a channel that bears anything.
func unlimited(channel string, lane notifier.Lane, at time.Time) notifier.Claim {
	return notifier.Claim{
		Channel: channel, Lane: lane, Now: at, Horizon: time.Second, Lease: time.Minute, Limit: 100,
		Whole: notifier.Scope{Name: channel}, Own: func(string) []notifier.Scope { return nil },
	}
}

// claim takes all that is due on a channel, the most urgent lane first.
func claim(t *testing.T, s *store.Store, channel string, at time.Time) []notifier.Delivery {
	t.Helper()
	var list []notifier.Delivery
	for _, lane := range notifier.Lanes {
		claimed, err := s.Claim(t.Context(), unlimited(channel, lane, at))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, claimed.Deliveries...)
	}
	return list
}

func finish(t *testing.T, s *store.Store, outcomes ...notifier.Outcome) {
	t.Helper()
	if _, err := s.Finish(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
}

func people(addresses ...string) []notifier.Recipient {
	var list []notifier.Recipient
	for _, a := range addresses {
		list = append(list, notifier.Recipient{Audience: rules.Ops, Channel: "telegram", Address: a, Language: notifier.Chinese})
	}
	return list
}

func TestIncidentAndItsNoticesAreKeptTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1"), nil); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("power cut")
		err := s.Change(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.Save(incident("i1"), []notifier.Notice{notice(incident("i1"), rules.Ops, notifier.EventDown)}), broken)
		})
		if !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
		expand(t, s)
		if list := claim(t, s, "telegram", now); len(list) != 0 {
			t.Fatalf("a notice of an undone change is due: %+v", list)
		}
		want := incident("i1")
		save(t, s, want, notice(want, rules.Ops, notifier.EventDown))
		s.Close()

		s = place.Open(t)
		running, err := s.OpenIncidents(t.Context())
		if err != nil || len(running) != 1 || running[0].Title != want.Title || !running[0].Since.Equal(now) || !running[0].Told[rules.Ops].Equal(now) {
			t.Fatalf("after reopening: %+v, %v", running, err)
		}
		expand(t, s)
		list := claim(t, s, "telegram", now)
		if len(list) != 1 || list[0].Recipient.Address != "1" || list[0].Notice.Facts.Title != want.Title {
			t.Fatalf("after reopening, due: %+v", list)
		}
	})
}

func TestEveryActiveRecipientOfTheAudienceGetsOneDelivery(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1", "2", "3", "4", "5"), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.SyncPeople(t.Context(), people("1", "2", "3", "5"), nil); err != nil { // 4 left
			t.Fatal(err)
		}
		for _, address := range []string{"a@x.example", "A@X.example "} { // one person
			if err := s.Subscribe(t.Context(), notifier.Recipient{Audience: rules.Subscribers, Channel: "email", Address: address, Language: notifier.English}); err != nil {
				t.Fatal(err)
			}
		}
		i := incident("i1")
		save(t, s, i, notice(i, rules.Ops, notifier.EventDown), notice(i, rules.Subscribers, notifier.EventDown))
		expand(t, s)
		expand(t, s)
		var addresses []string
		for _, d := range claim(t, s, "telegram", now) {
			addresses = append(addresses, d.Recipient.Address)
		}
		if want := []string{"1", "2", "3", "5"}; !slices.Equal(addresses, want) {
			t.Errorf("ops: %v, want %v", addresses, want)
		}
		if mail := claim(t, s, "email", now); len(mail) != 1 {
			t.Errorf("subscribers: %+v, want one", mail)
		}
	})
}

func TestClaimedDeliveryIsNobodyElsesUntilTheLeaseEnds(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1"), nil); err != nil {
			t.Fatal(err)
		}
		i := incident("i1")
		save(t, s, i, notice(i, rules.Ops, notifier.EventDown))
		expand(t, s)
		first := claim(t, s, "telegram", now)
		if len(first) != 1 || len(claim(t, s, "telegram", now.Add(59*time.Second))) != 0 {
			t.Fatal("the lease doesn't hold")
		}
		again := claim(t, s, "telegram", now.Add(time.Minute))
		if len(again) != 1 || again[0].Identity() != first[0].Identity() {
			t.Fatalf("after the lease: %+v, want the same identity as %+v", again, first)
		}
		finish(t, s, notifier.Outcome{Delivery: again[0].ID, State: notifier.Queued, At: now, Next: now.Add(time.Hour), Problem: "busy"})
		idle, err := s.Claim(t.Context(), unlimited("telegram", notifier.LaneOnCall, now))
		if err != nil || len(idle.Deliveries) != 0 || !idle.Next.Equal(now.Add(time.Hour)) {
			t.Errorf("next due %s (%v), want in an hour", idle.Next, err)
		}
		retry := claim(t, s, "telegram", now.Add(time.Hour))
		if len(retry) != 1 || retry[0].Attempts != 1 {
			t.Fatalf("retry: %+v", retry)
		}
		if err := s.Hold(t.Context(), []int64{retry[0].ID}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if len(claim(t, s, "telegram", now.Add(time.Hour))) != 1 {
			t.Error("a released lease still holds")
		}
		finish(t, s, notifier.Outcome{Delivery: retry[0].ID, State: notifier.Sent, At: now})
		if len(claim(t, s, "telegram", now.Add(48*time.Hour))) != 0 {
			t.Error("a sent delivery is due again")
		}
	})
}

func TestRecoveryFollowsTheTroubleAndReachesWhoeverWasTold(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1", "2"), nil); err != nil {
			t.Fatal(err)
		}
		i := incident("i1")
		save(t, s, i, notice(i, rules.Ops, notifier.EventDown))
		expand(t, s)
		if err := s.SyncPeople(t.Context(), people("1", "2", "3"), nil); err != nil { // 3 joined amid the outage
			t.Fatal(err)
		}
		trouble := claim(t, s, "telegram", now)
		i.Closed = now.Add(time.Minute)
		save(t, s, i, notice(i, rules.Ops, notifier.EventRecovered))
		expand(t, s)
		if early := claim(t, s, "telegram", now); len(early) != 0 {
			t.Fatalf("recovery overtakes trouble: %+v", early)
		}
		finish(t, s,
			notifier.Outcome{Delivery: trouble[0].ID, State: notifier.Sent, At: now},
			notifier.Outcome{Delivery: trouble[1].ID, State: notifier.Queued, At: now, Next: now.Add(time.Hour)})
		recovered := claim(t, s, "telegram", now.Add(time.Second))
		if len(recovered) != 2 || recovered[0].Recipient.Address != "1" || recovered[0].Notice.Event != notifier.EventRecovered {
			t.Fatalf("due: %+v, want the recovery, to 1 and 2", recovered)
		}
		if recovered[0].First || !recovered[1].First {
			t.Errorf("first: %t and %t, want that 2, whom the trouble didn't reach, hears all of it", recovered[0].First, recovered[1].First)
		}
	})
}

func TestSubscriberWhoIsGoneIsDeactivatedAndPeopleOfTheConfigAreNot(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1"), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Subscribe(t.Context(), notifier.Recipient{Audience: rules.Subscribers, Channel: "telegram", Address: "9", Language: notifier.English}); err != nil {
			t.Fatal(err)
		}
		i := incident("i1")
		save(t, s, i, notice(i, rules.Ops, notifier.EventDown), notice(i, rules.Subscribers, notifier.EventDown))
		expand(t, s)
		for _, d := range claim(t, s, "telegram", now) {
			finish(t, s, notifier.Outcome{Delivery: d.ID, State: notifier.Dead, At: now, Problem: "blocked", Deactivate: true})
		}
		counts, err := s.Recipients(t.Context())
		want := []store.RecipientCount{{"ops", "telegram", notifier.Active, 1}, {"subscribers", "telegram", notifier.Refused, 1}}
		if err != nil || !slices.Equal(counts, want) {
			t.Errorf("got %+v (%v), want %+v", counts, err, want)
		}
		outbox, err := s.Outbox(t.Context())
		if err != nil || outbox.Dead != 2 || outbox.Queued != 0 || outbox.Open[notifier.ImpactMajor] != 1 {
			t.Errorf("outbox %+v, %v", outbox, err)
		}
		told, err := s.Told(t.Context(), "i1")
		each := []store.DeliveryCount{{rules.Ops, "telegram", notifier.Dead, 1}, {rules.Subscribers, "telegram", notifier.Dead, 1}}
		if err != nil || !slices.Equal(told, each) {
			t.Errorf("told %v, %v", told, err)
		}
		if unsent, err := s.Unsent(t.Context()); err != nil || !slices.Equal(unsent, each) {
			t.Errorf("unsent %v, %v", unsent, err)
		}
		if found, err := s.Incident(t.Context(), "i1"); err != nil || found == nil || found.ID != "i1" {
			t.Errorf("found %v, %v", found, err)
		}
		if found, err := s.Incident(t.Context(), "nosuch"); err != nil || found != nil {
			t.Errorf("found %v, %v", found, err)
		}
	})
}

func TestASubscriberWhoseServerRefusesIsNoOutboxThatStandsStill(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1"), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Subscribe(t.Context(), notifier.Recipient{Audience: rules.Subscribers, Channel: "telegram", Address: "9", Language: notifier.English}); err != nil {
			t.Fatal(err)
		}
		i := incident("i1")
		save(t, s, i, notice(i, rules.Ops, notifier.EventDown), notice(i, rules.Subscribers, notifier.EventDown))
		expand(t, s)
		oldest := func() time.Time {
			outbox, err := s.Outbox(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return outbox.Oldest
		}
		if !oldest().Equal(now) {
			t.Errorf("before any try the oldest is of %v", oldest())
		}
		var ops notifier.Delivery
		for _, d := range claim(t, s, "telegram", now) {
			finish(t, s, notifier.Outcome{Delivery: d.ID, State: notifier.Queued, At: now, Next: now.Add(time.Hour)})
			if d.Recipient.Audience == rules.Ops {
				ops = d
			}
		}
		if !oldest().Equal(now) {
			t.Error("a notice to operations that was refused no longer waits")
		}
		finish(t, s, notifier.Outcome{Delivery: ops.ID, State: notifier.Sent, At: now})
		if !oldest().IsZero() {
			t.Errorf("with one subscriber's server refusing, the oldest is of %v", oldest())
		}
	})
}

func TestLatestIncidentOfAKeyIsTheOneOpenedLast(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		first, second := incident("i1"), incident("i2")
		first.Closed = now.Add(time.Minute)
		second.Opened = now.Add(time.Hour)
		save(t, s, first)
		save(t, s, second)
		err := s.Change(t.Context(), func(tx *store.Tx) error {
			latest, err := tx.Latest("demo/alipay")
			if err != nil || latest == nil || latest.ID != "i2" {
				t.Errorf("latest: %+v, %v", latest, err)
			}
			none, err := tx.Latest("demo/wechat")
			if err != nil || none != nil {
				t.Errorf("of an unknown key: %+v, %v", none, err)
			}
			return tx.SetMark("watchdog", "1")
		})
		if err != nil {
			t.Fatal(err)
		}
		if value, err := s.Mark(t.Context(), "watchdog"); err != nil || value != "1" {
			t.Errorf("mark %q, %v", value, err)
		}
		recent, err := s.RecentIncidents(t.Context(), now.Add(-time.Hour), 10)
		if err != nil || len(recent) != 2 || recent[0].ID != "i2" {
			t.Errorf("recent: %+v, %v", recent, err)
		}
	})
}

func TestPublicIncidentStaysListedHoweverManyPrivateOnesAreOpenedAfterIt(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		public := incident("public")
		public.Public = true
		save(t, s, public)
		for i := range 5 {
			private := incident(fmt.Sprint("private", i))
			private.Opened = now.Add(time.Duration(i+1) * time.Hour)
			private.Closed = private.Opened.Add(time.Minute)
			save(t, s, private)
		}
		if list, err := s.PublicIncidents(t.Context(), now.Add(24*time.Hour), 3); err != nil || len(list) != 1 || list[0].ID != "public" {
			t.Errorf("public: %+v, %v", list, err)
		}
		if list, err := s.RecentIncidents(t.Context(), now, 3); err != nil || len(list) != 3 || list[0].ID != "public" {
			t.Errorf("recent, open first: %+v, %v", list, err)
		}
	})
}

func TestIncidentIsFoundByItsIDWithAllThatPeopleDidToIt(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		i := incident("i1")
		i.Acknowledged = notifier.Acknowledgement{By: "小王", At: now}
		i.Acts = []notifier.Act{{At: now, By: "小王", Deed: notifier.DeedAcknowledge}}
		i.Held = &notifier.Facts{Title: i.Title}
		save(t, s, i)
		err := s.Change(t.Context(), func(tx *store.Tx) error {
			got, err := tx.Incident("i1")
			if err != nil || got == nil || got.Acknowledged.By != "小王" || !got.Acknowledged.At.Equal(now) || len(got.Acts) != 1 || got.Held == nil {
				t.Errorf("got %+v, %v", got, err)
			}
			none, err := tx.Incident("i2")
			if err != nil || none != nil {
				t.Errorf("an unknown id: %+v, %v", none, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
