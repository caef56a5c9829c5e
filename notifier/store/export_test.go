package store

import (
	"fmt"
	"strings"
	"testing"
)

// Exec runs a statement as nobody but a stranger with the password would.
func Exec(t *testing.T, s *Store, statement string) error {
	t.Helper()
	_, err := s.write.ExecContext(t.Context(), statement)
	return err
}

// RecipientRows is all of the recipients' rows, sealed as they are.
func RecipientRows(t *testing.T, s *Store) string {
	t.Helper()
	rows, err := s.look.query(t.Context(), `SELECT id, state, origin, address, address_hash FROM recipients ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var id int64
		var state, origin string
		var address, hash []byte
		if err := rows.Scan(&id, &state, &origin, &address, &hash); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%d %s %s %x %x\n", id, state, origin, address, hash)
	}
	return all.String()
}

// Count is how many rows a table has.
func Count(t *testing.T, s *Store, table string) int {
	t.Helper()
	var n int
	if err := s.look.row(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// LimitPages lets the SQLite file grow by so many pages at most, as a disk with
// that much room would, and gives the limit that was.
func LimitPages(t *testing.T, s *Store, more int) (was int) {
	t.Helper()
	var pages int
	err := s.write.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages)
	if err == nil {
		err = s.write.QueryRowContext(t.Context(), `PRAGMA max_page_count`).Scan(&was)
	}
	if err == nil {
		_, err = s.write.ExecContext(t.Context(), fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+more))
	}
	if err != nil {
		t.Fatal(err)
	}
	return was - pages
}

// LimitNames is what the rows of limits are called.
func LimitNames(t *testing.T, s *Store) string {
	t.Helper()
	var names string
	if err := s.look.row(t.Context(), `SELECT coalesce(max(name), '') || coalesce(min(name), '') FROM limits`).Scan(&names); err != nil {
		t.Fatal(err)
	}
	return names
}
