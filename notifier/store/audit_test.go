package store_test

import (
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

func TestAuditLogTellsEveryActNewestFirst(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		for i, subject := range []string{"incident a", "incident b", "incident a"} {
			change(t, s, func(tx *store.Tx) error {
				return tx.Audit(notifier.AuditEntry{At: now.Add(time.Duration(i) * time.Minute), By: "小王", Way: "cli", Deed: "acknowledge", Subject: subject, Detail: "d"})
			})
		}
		all, err := s.AuditLog(t.Context(), "", 0, 2)
		if err != nil || len(all) != 2 || all[0].Subject != "incident a" || all[1].Subject != "incident b" || !all[0].At.Equal(now.Add(2*time.Minute)) ||
			all[0].By != "小王" || all[0].Way != "cli" || all[0].Deed != "acknowledge" || all[0].Detail != "d" {
			t.Fatalf("got %+v, %v", all, err)
		}
		rest, err := s.AuditLog(t.Context(), "incident a", all[0].ID, 10)
		if err != nil || len(rest) != 1 || !rest[0].At.Equal(now) {
			t.Errorf("got %+v, %v", rest, err)
		}
	})
}

func TestAuditLogIsNeverChanged(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		change(t, s, func(tx *store.Tx) error {
			return tx.Audit(notifier.AuditEntry{At: now, Deed: "update", Subject: "incident a"})
		})
		for _, statement := range []string{`UPDATE audit SET deed = 'nothing'`, `DELETE FROM audit`} {
			if err := store.Exec(t, s, statement); err == nil || !strings.Contains(err.Error(), "never changed") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		if log, err := s.AuditLog(t.Context(), "", 0, 10); err != nil || len(log) != 1 || log[0].Deed != "update" {
			t.Errorf("got %+v, %v", log, err)
		}
	})
}
