package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

// traces are the bytes by which somebody could be found again: the sealed
// address, its hash, and the words that prove it.
func traces(t *testing.T, path string) (list [][]byte) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT address, address_hash, CAST(nonce AS BLOB) FROM recipients ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var address, hash, nonce []byte
		if err := rows.Scan(&address, &hash, &nonce); err != nil {
			t.Fatal(err)
		}
		list = append(list, address, hash, nonce)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// left counts those traces that any file of the database still holds.
func left(t *testing.T, path string, traces [][]byte) (n int) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	for _, trace := range traces {
		if bytes.Contains(all, trace) {
			n++
		}
	}
	return n
}

func TestWhoIsErasedIsGoneFromTheFilesWhileTheStoreRuns(t *testing.T) {
	t.Parallel()
	for name, erase := range map[string]func(*testing.T, *store.Store, int){
		"by themselves": func(t *testing.T, s *store.Store, n int) {
			for id := range n {
				change(t, s, func(tx *store.Tx) error { return tx.EraseSubscriber(int64(id + 1)) })
			}
		},
		"by time": func(t *testing.T, s *store.Store, _ int) {
			for more := true; more; {
				var err error
				if more, err = s.Prune(t.Context(), now.Add(100*time.Hour), 500); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const people = 300
			place := storetest.SQLite(t)
			s := place.Open(t)
			change(t, s, func(tx *store.Tx) error {
				for n := range people {
					a := subscriber(fmt.Sprintf("reader%d@x.example", n))
					a.State, a.Created, a.Nonce = notifier.Pending, now, fmt.Sprintf("nonce-of-reader-%03d", n)
					if err := tx.KeepSubscriber(&a); err != nil {
						return err
					}
				}
				return nil
			})
			held := traces(t, place.Path)
			if n := left(t, place.Path, held); len(held) != 3*people || n != len(held) {
				t.Fatalf("%d of %d traces are found before", n, len(held))
			}
			erase(t, s, people)
			if n := left(t, place.Path, held); n != 0 {
				t.Errorf("%d of %d traces are left", n, len(held))
			}
		})
	}
}

func TestWhoIsErasedDuringABackupIsGoneWithTheNextPruning(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	s := place.Open(t)
	a := subscriber("reader@x.example")
	a.Nonce = "nonce-of-the-reader"
	change(t, s, func(tx *store.Tx) error { return tx.KeepSubscriber(&a) })
	held := traces(t, place.Path)
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: place.Path}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reading, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reading.QueryRowContext(t.Context(), `SELECT count(*) FROM recipients`).Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	change(t, s, func(tx *store.Tx) error { return tx.EraseSubscriber(a.ID) })
	if left(t, place.Path, held) == 0 {
		t.Fatal("the reader's view is gone, so this proves nothing")
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), now, 500); err != nil {
		t.Fatal(err)
	}
	if n := left(t, place.Path, held); n != 0 {
		t.Errorf("%d of %d traces are left", n, len(held))
	}
}
