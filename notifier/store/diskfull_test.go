package store_test

import (
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func TestOutboxGoesOnByItselfAfterTheDiskIsFull(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t)
	const many = 300
	err := s.Change(t.Context(), func(tx *store.Tx) error {
		for n := range many {
			r := notifier.Subscriber{Recipient: notifier.Recipient{
				Audience: rules.Subscribers, Channel: "telegram", Address: strings.Repeat("9", n+1), Language: notifier.English, State: notifier.Active,
			}}
			if err := tx.KeepSubscriber(&r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	i := incident("i1")
	save(t, s, i, notice(i, rules.Subscribers, notifier.EventDown))
	full := func(pages string) {
		t.Helper()
		if err := store.Exec(t, s, "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	full("1") // SQLite takes no less than what is there: not a page more
	all := expansion(now)
	all.Limit = many
	if _, err := s.Expand(t.Context(), all); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("expanded on a full disk: %v", err)
	}
	if o, err := s.Outbox(t.Context()); err != nil || o.Queued != 0 {
		t.Errorf("half of an expansion stayed: %+v, %v", o, err)
	}
	full("1000000")
	expand(t, s)
	first := unlimited("telegram", notifier.LanePublic, now)
	first.Limit = many
	found, err := s.Claim(t.Context(), first)
	if err != nil || len(found.Deliveries) != many {
		t.Errorf("%d deliveries once there is room (%v), want %d", len(found.Deliveries), err, many)
	}
}
