package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func work(id string, from time.Time) notifier.Maintenance {
	return notifier.Maintenance{
		ID: id, Title: rules.Text{ZH: "搬迁", EN: "Moving"}, Services: []string{"demo/alipay"}, Status: notifier.Scheduled, Created: now,
		Window:  notifier.Window{From: from, Until: from.Add(2 * time.Hour)},
		Updates: []notifier.MaintenanceUpdate{{At: now, Status: notifier.Scheduled, By: "小王"}},
	}
}

func TestPlannedWorkIsKeptWithItsNoticesAndListedNextFirst(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		keep := func(m notifier.Maintenance) {
			t.Helper()
			if err := s.Change(t.Context(), func(tx *store.Tx) error { return tx.SaveMaintenance(m, nil) }); err != nil {
				t.Fatal(err)
			}
		}
		old, done := work("old", now.Add(-90*24*time.Hour)), work("done", now.Add(-5*time.Hour))
		old.Ended, done.Ended = now.Add(-89*24*time.Hour), now.Add(-3*time.Hour)
		for _, m := range []notifier.Maintenance{old, work("later", now.Add(48*time.Hour)), done, work("next", now.Add(time.Hour))} {
			keep(m)
		}
		moved := work("later", now.Add(72*time.Hour))
		keep(moved)
		s.Close()

		s = place.Open(t)
		list, err := s.Maintenances(t.Context(), now.Add(-30*24*time.Hour), 10)
		var ids []string
		for _, m := range list {
			ids = append(ids, m.ID)
		}
		if want := []string{"next", "later", "done"}; err != nil || !slices.Equal(ids, want) {
			t.Fatalf("listed are %v (%v), want %v", ids, err, want)
		}
		if got := list[1]; !got.Window.From.Equal(moved.Window.From) || got.Updates[0].By != "小王" || got.Title != moved.Title {
			t.Errorf("kept is %+v, want %+v", got, moved)
		}
		if none, err := s.Maintenance(t.Context(), "none"); none != nil || err != nil {
			t.Errorf("an unknown id gives %+v (%v)", none, err)
		}
	})
}

func TestPlannedWorkIsToldToWhoeverWantsToHearOfOneOfItsServicesAndItsEndToWhoeverWasTold(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		wants := map[string]notifier.Wants{
			"all": {}, "alipay": {Services: []string{"demo/alipay"}}, "wechat": {Services: []string{"demo/wechat"}}, "grave": {Least: notifier.ImpactCritical},
		}
		err := s.Change(t.Context(), func(tx *store.Tx) (err error) {
			for address, w := range wants {
				err = errors.Join(err, tx.KeepSubscriber(&notifier.Subscriber{Recipient: notifier.Recipient{
					Audience: rules.Subscribers, Channel: "telegram", Address: address, Language: notifier.Chinese, State: notifier.Active, Wants: w,
				}, Created: now}))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		tell := func(event notifier.Event) []string {
			t.Helper()
			m := work("m1", now)
			err := s.Change(t.Context(), func(tx *store.Tx) error {
				return tx.SaveMaintenance(m, []notifier.Notice{{
					Incident: m.ID, Audience: rules.Subscribers, Event: event, At: now,
					Facts: notifier.Facts{Title: m.Title, Planned: &notifier.Planned{Keys: []string{"demo/web", "demo/alipay"}, Window: m.Window}},
				}})
			})
			if err != nil {
				t.Fatal(err)
			}
			expand(t, s)
			var told []string
			var outcomes []notifier.Outcome
			for _, d := range claim(t, s, "telegram", now) {
				told = append(told, d.Recipient.Address)
				outcomes = append(outcomes, notifier.Outcome{Delivery: d.ID, State: notifier.Sent, At: now})
				if d.Notice.Facts.Planned == nil || !d.Notice.Facts.Planned.Window.From.Equal(now) {
					t.Errorf("%s is told of %+v, want the window", d.Recipient.Address, d.Notice.Facts.Planned)
				}
			}
			if _, err := s.Finish(t.Context(), outcomes); err != nil {
				t.Fatal(err)
			}
			slices.Sort(told)
			return told
		}
		for _, event := range []notifier.Event{notifier.EventScheduled, notifier.EventCompleted} {
			if told, want := tell(event), []string{"alipay", "all", "grave"}; !slices.Equal(told, want) {
				t.Errorf("%s is told to %v, want %v", event, told, want)
			}
		}
	})
}

func TestWhatIsUnsentOfPlannedWorkGivesWayToItsEnd(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		err := s.Change(t.Context(), func(tx *store.Tx) error {
			return tx.KeepSubscriber(&notifier.Subscriber{Recipient: notifier.Recipient{
				Audience: rules.Subscribers, Channel: "telegram", Address: "a", Language: notifier.Chinese, State: notifier.Active,
			}, Created: now})
		})
		if err != nil {
			t.Fatal(err)
		}
		m := work("m1", now)
		for _, event := range []notifier.Event{notifier.EventScheduled, notifier.EventBegan, notifier.EventCompleted} {
			err := s.Change(t.Context(), func(tx *store.Tx) error {
				return tx.SaveMaintenance(m, []notifier.Notice{{
					Incident: m.ID, Audience: rules.Subscribers, Event: event, At: now, Facts: notifier.Facts{Planned: &notifier.Planned{Window: m.Window}},
				}})
			})
			if err != nil {
				t.Fatal(err)
			}
			expand(t, s)
		}
		list := claim(t, s, "telegram", now)
		if len(list) != 1 || list[0].Notice.Event != notifier.EventCompleted || !list[0].First {
			t.Errorf("due is %+v, want the end alone, as the first that its reader hears", list)
		}
	})
}
