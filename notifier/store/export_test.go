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
