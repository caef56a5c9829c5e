package store_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func change(t *testing.T, s *store.Store, do func(*store.Tx) error) {
	t.Helper()
	if err := s.Change(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

func subscriber(address string) notifier.Subscriber {
	return notifier.Subscriber{
		Recipient: notifier.Recipient{
			Channel: "email", Address: address, Language: notifier.English, State: notifier.Pending, Nonce: "n1",
			Wants: notifier.Wants{Services: []string{"main/alipay"}, Least: notifier.ImpactMajor, Quiet: notifier.Quiet{From: 1320, To: 480}},
		},
		Created: now.Local(), NonceUntil: now.Add(time.Hour).Local(), NonceTries: 2,
	}
}

func TestSubscriberIsKeptWhole(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		want := subscriber("a@x.example")
		change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&want) })
		if want.ID == 0 || want.Audience != rules.Subscribers {
			t.Fatalf("kept as %+v", want)
		}
		same := func(what string) {
			t.Helper()
			change(t, s, func(tx *store.Tx) error {
				found, err := tx.Subscriber("email", want.Address)
				if err != nil || found == nil || !reflect.DeepEqual(*found, want) {
					t.Errorf("%s, by address: %+v (%v), want %+v", what, found, err, want)
				}
				byID, err := tx.SubscriberByID(want.ID)
				if err != nil || byID == nil || !reflect.DeepEqual(*byID, want) {
					t.Errorf("%s, by id: %+v, %v", what, byID, err)
				}
				return err
			})
		}
		same("new")
		want.State, want.Confirmed, want.Nonce, want.NonceUntil, want.NonceTries = notifier.Active, now.Local(), "", time.Time{}, 0
		want.Address, want.Language, want.Wants, want.Problem = "b@x.example", notifier.Chinese, notifier.Wants{}, "full"
		change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&want) })
		same("changed")
		change(t, s, func(tx *store.Tx) error {
			if none, err := tx.Subscriber("email", "a@x.example"); err != nil || none != nil {
				t.Errorf("at the old address: %+v, %v", none, err)
			}
			return nil
		})
		if list, err := s.Subscribers(t.Context(), want.ID-1, 10); err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], want) {
			t.Errorf("listed: %+v, %v", list, err)
		}
		if list, err := s.Subscribers(t.Context(), want.ID, 10); err != nil || len(list) != 0 {
			t.Errorf("after the last: %+v, %v", list, err)
		}
	})
}

func TestNobodyTakesTheAddressOfAnother(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		a, b := subscriber("a@x.example"), subscriber("b@x.example")
		change(t, s, func(tx *store.Tx) error { return errors.Join(tx.KeepSubscriber(&a), tx.KeepSubscriber(&b)) })
		b.Address = "A@x.example"
		var coded *notifier.Error
		err := s.Change(t.Context(), func(tx *store.Tx) error { return tx.KeepSubscriber(&b) })
		if !errors.As(err, &coded) || coded.Code != notifier.Conflict {
			t.Errorf("got %v, want a conflict", err)
		}
		nobody := subscriber("c@x.example")
		nobody.ID = 4711
		err = s.Change(t.Context(), func(tx *store.Tx) error { return tx.KeepSubscriber(&nobody) })
		if !errors.As(err, &coded) || coded.Code != notifier.NotFound {
			t.Errorf("got %v, want not found", err)
		}
	})
}

func TestErasedSubscriberLeavesNoTraceButANumberInTheAuditLog(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		a := subscriber("a@x.example")
		a.State = notifier.Active
		i := incident("i1")
		change(t, s, func(tx *store.Tx) error {
			return errors.Join(tx.KeepSubscriber(&a), tx.Save(i, []notifier.Notice{notice(i, rules.Subscribers, notifier.EventDown)}))
		})
		change(t, s, func(tx *store.Tx) error {
			return tx.Notify(notifier.Notice{Audience: rules.Subscribers, To: a.ID, Event: notifier.EventWelcome, At: now})
		})
		expand(t, s)
		change(t, s, func(tx *store.Tx) error {
			return errors.Join(tx.EraseSubscriber(a.ID), tx.Audit(notifier.AuditEntry{At: now, Way: "page", Deed: "erase", Subject: "recipient 1"}))
		})
		if list := claim(t, s, "email", now); len(list) != 0 {
			t.Errorf("still to be sent: %+v", list)
		}
		if told, err := s.Told(t.Context(), "i1"); err != nil || len(told) != 0 {
			t.Errorf("still told: %v, %v", told, err)
		}
		if list, err := s.Subscribers(t.Context(), 0, 10); err != nil || len(list) != 0 {
			t.Errorf("still there: %+v, %v", list, err)
		}
		if log, err := s.AuditLog(t.Context(), "recipient 1", 0, 10); err != nil || len(log) != 1 {
			t.Errorf("audit %+v, %v", log, err)
		}
	})
}

func TestConfigAndSubscriptionDoNotMixUpWhoIsNamedInBoth(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		sync := func(audience rules.Audience, addresses ...string) {
			t.Helper()
			var list []notifier.Recipient
			for _, a := range addresses {
				list = append(list, notifier.Recipient{Audience: audience, Channel: "email", Address: a, Language: notifier.Chinese})
			}
			if err := s.SyncPeople(t.Context(), list, nil); err != nil {
				t.Fatal(err)
			}
		}
		state := func() notifier.RecipientState {
			t.Helper()
			var found *notifier.Subscriber
			change(t, s, func(tx *store.Tx) (err error) { found, err = tx.Subscriber("email", "a@x.example"); return err })
			if found == nil {
				return ""
			}
			return found.State
		}
		sync(rules.Ops, "a@x.example")
		if got := state(); got != "" {
			t.Errorf("one of ops is a subscriber: %s", got)
		}
		a := subscriber("a@x.example")
		a.State = notifier.Active
		change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&a) })
		sync(rules.Ops)
		if got := state(); got != notifier.Active {
			t.Errorf("who is no longer in ops is as subscriber %s", got)
		}
		sync(rules.Subscribers, "A@x.example")
		sync(rules.Subscribers)
		if got := state(); got != notifier.Active {
			t.Errorf("who signed up, and was named in the file for a while, is %s", got)
		}
		a.State = notifier.Departed
		change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&a) })
		sync(rules.Subscribers, "a@x.example")
		if got := state(); got != notifier.Departed {
			t.Errorf("who left is called back by the file: %s", got)
		}
	})
}

func TestSyncOfTheSamePeopleWritesNothing(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		sync := func(addresses ...string) {
			t.Helper()
			if err := s.SyncPeople(t.Context(), people(addresses...), nil); err != nil {
				t.Fatal(err)
			}
		}
		sync("1", "2")
		before := store.RecipientRows(t, s)
		sync("1", "2")
		if after := store.RecipientRows(t, s); after != before {
			t.Errorf("rows were written:\n%s\n%s", before, after)
		}
		sync("2")
		sync("2", "1")
		if after := store.RecipientRows(t, s); after != before {
			t.Errorf("who left and came back is another:\n%s\n%s", before, after)
		}
	})
}

func TestSignUpsOfOneAddressAtTheSameMomentAreOneSubscriber(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := s.Subscribe(context.WithoutCancel(t.Context()), notifier.Recipient{Channel: "email", Address: "a@x.example", Language: notifier.English}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if list, err := s.Subscribers(t.Context(), 0, 10); err != nil || len(list) != 1 {
			t.Errorf("%d subscribers, %v", len(list), err)
		}
	})
}
