package database_test

import (
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	held(t, sqliteShop)
}

func TestASQLiteFileThatIsNotThereOrNoneIsToldApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte("this is not a database, and it is long enough to be looked at as one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]rules.LedgerReason{
		filepath.Join(dir, "absent.db"): rules.LedgerAway, text: rules.LedgerSchema, dir: rules.LedgerAccess,
	} {
		d, err := database.Open(book, exporter.Ledger{DSN: path})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		_, err = d.Check(t.Context())
		reason(t, err, want, filepath.Base(path))
	}
}

func TestASQLiteFileIsNeverWrittenNorMade(t *testing.T) {
	t.Parallel()
	s := sqliteShop(t)
	d := s.open(t)
	if _, err := d.Pool().ExecContext(t.Context(), "DELETE FROM cards"); err == nil {
		t.Error("a row was deleted")
	}
	if err := d.Claim(t.Context()); err != nil {
		t.Error(err)
	}
	if _, known, err := d.Lag(t.Context()); known || err != nil {
		t.Errorf("Lag is known: %v, %v", known, err)
	}
	entries, err := os.ReadDir(filepath.Dir(s.dsn))
	if err != nil || len(entries) != 1 {
		t.Errorf("files: %v, %v", entries, err)
	}
}

func TestASQLiteFileThatComesLaterIsRead(t *testing.T) {
	t.Parallel()
	s := sqliteShop(t)
	moved := s.dsn + ".away"
	d := s.open(t)
	if err := os.Rename(s.dsn, moved); err != nil {
		t.Fatal(err)
	}
	reason(t, d.Each(t.Context(), database.Short, "SELECT id FROM cards", nil, ignore), rules.LedgerAway, "isn't there")
	if err := os.Rename(moved, s.dsn); err != nil {
		t.Fatal(err)
	}
	if got := one[int](t, d, "SELECT id FROM cards"); got != 1 {
		t.Errorf("id = %d", got)
	}
}

func TestOddRowsOfSQLiteHideNoOthers(t *testing.T) {
	t.Parallel()
	s := sqliteShop(t)
	s.run(t, "INSERT INTO `order` (id, status, created_at, number) VALUES (2, 'seven', '0000-00-00 00:00:00', CAST(x'fffe41' AS TEXT)),"+
		" (3, NULL, NULL, NULL), (4, 1, '2026-11-21 18:00:00-05:00', 'N4'), (5, 1, 1795302000, 'N5')")
	d := s.open(t)
	created := map[int]time.Time{}
	numbers := map[int]string{}
	err := d.Each(t.Context(), database.Short, "SELECT id, number, "+d.Instant("created_at")+" FROM `order`", nil, func(rows *sql.Rows) error {
		var id int
		var number, at sql.NullString
		err := rows.Scan(&id, &number, &at)
		created[id], numbers[id] = d.Moment(at), number.String
		return err
	})
	at := time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)
	want := map[int]time.Time{1: at, 2: {}, 3: {}, 4: at, 5: {}} // a number in a column of texts is no moment
	if err != nil || !maps.Equal(created, want) || numbers[2] != "\xff\xfeA" {
		t.Errorf("created %v, want %v, number %q, %v", created, want, numbers[2], err)
	}
}
