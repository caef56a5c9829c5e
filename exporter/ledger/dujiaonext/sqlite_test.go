package dujiaonext_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func TestTimesAreReadInEveryFormThatGoWrites(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, ledgertest.Now)
	d := driver(t, s)
	id := s.Create(t, ledgertest.Now)
	for text, want := range map[string]time.Time{
		"2026-11-22 07:00:00.123456789+08:00":                    time.Date(2026, 11, 21, 23, 0, 0, 123456789, time.UTC),
		"2026-11-21 23:00:00+00:00":                              time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC),
		"2026-11-22T07:00:00.5+08:00":                            time.Date(2026, 11, 21, 23, 0, 0, 500000000, time.UTC),
		"2026-11-21T23:00:00Z":                                   time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC),
		"2026-11-22 07:00:00.12 +0800 CST":                       time.Date(2026, 11, 21, 23, 0, 0, 120000000, time.UTC),
		"2026-11-22 07:00:00.123456789 +0800 CST m=+0.000000001": time.Date(2026, 11, 21, 23, 0, 0, 123456789, time.UTC),
		"2026-11-22 07:00:00":                                    time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC), // the ledger's zone
		"yesterday":                                              {},
		"":                                                       {},
	} {
		s.run(t, "UPDATE orders SET created_at='"+text+"' WHERE id=%d", id)
		if got := one(t, d, id); !got.Created.Equal(want) {
			t.Errorf("%q is read as %v, want %v", text, got.Created, want)
		}
	}
	s.Create(t, ledgertest.Now)
	s.run(t, "UPDATE orders SET created_at='yesterday' WHERE id=%d", id)
	if _, err := d.Check(t.Context()); err != nil {
		t.Errorf("one order without a moment: Check = %v", err)
	}
	s.run(t, "UPDATE orders SET created_at='last Tuesday'")
	if _, err := d.Check(t.Context()); !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), "no creation time in a form") {
		t.Errorf("times of another kind: Check = %v", err)
	}
}

func TestReadingNeverHoldsTheShopUp(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, ledgertest.Now)
	d := driver(t, s)
	// The shop is in the middle of a write; the driver reads what was before.
	tx, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`DELETE FROM orders WHERE id<=20`); err != nil {
		t.Fatal(err)
	}
	orders, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil || len(orders) != 15 {
		t.Errorf("amid a write %d orders are read, %v, want 15", len(orders), err)
	}
	if err := tx.Commit(); err != nil {
		t.Errorf("the shop's write: %v", err)
	}
	if orders, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil || len(orders) != 5 {
		t.Errorf("after the write %d orders are read, %v, want 5", len(orders), err)
	}
}

func TestAFileThatCannotBeReadIsTroubleThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		path   func(*testing.T) string
		reason rules.LedgerReason
		want   string
	}{
		{"it is no database", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "x.db")
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, rules.LedgerSchema, "is no SQLite file"},
		{"its -wal file is out of reach", func(t *testing.T) string {
			s := onSQLite(t, ledgertest.Now)
			if err := s.db.Close(); err != nil { // the last one to leave removes -wal and -shm
				t.Fatal(err)
			}
			if err := os.Mkdir(s.dsn+"-wal", 0o700); err != nil {
				t.Fatal(err)
			}
			return s.dsn
		}, rules.LedgerAccess, "-wal and -shm files"},
		{"it isn't there", func(t *testing.T) string { return filepath.Join(t.TempDir(), "x.db") }, rules.LedgerAway, "isn't there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := dujiaonext.Open(exporter.Ledger{DSN: c.path(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if _, err := d.Check(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) || ledger.Reason(err) != c.reason {
				t.Errorf("Check = %v (%s), want %q (%s)", err, ledger.Reason(err), c.want, c.reason)
			}
		})
	}
}
