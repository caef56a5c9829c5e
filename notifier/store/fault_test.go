package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func TestFullDiskChangesNothingAndTheStoreGoesOnWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	s := place.Open(t)
	pages := store.LimitPages(t, s, 3)
	var err error
	kept := 0
	for ; err == nil; kept++ {
		i := incident(fmt.Sprint("i", kept))
		i.Title.EN = strings.Repeat("much ", 500)
		err = s.Change(t.Context(), func(tx *store.Tx) error {
			return tx.Save(i, []notifier.Notice{notice(i, rules.Ops, notifier.EventDown), notice(i, rules.Management, notifier.EventDown)})
		})
		if kept > 1000 {
			t.Fatal("the disk is never full")
		}
	}
	kept--
	if !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	consistent := func(want int) {
		t.Helper()
		open, err := s.OpenIncidents(t.Context())
		if n := store.Count(t, s, "notices"); err != nil || len(open) != want || n != 2*want {
			t.Errorf("%d incidents (%v) and %d notices, want %d and %d", len(open), err, n, want, 2*want)
		}
	}
	consistent(kept)
	store.LimitPages(t, s, pages)
	i := incident("after")
	save(t, s, i, notice(i, rules.Ops, notifier.EventDown), notice(i, rules.Management, notifier.EventDown))
	consistent(kept + 1)
	s.Close()
	s = place.Open(t)
	consistent(kept + 1)
}

func TestLockedDatabaseIsAClearErrorAndTheStoreGoesOnAfterIt(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	s := place.Open(t)
	save(t, s, incident("i1"))
	shell, err := sql.Open("sqlite", place.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	shell.SetMaxOpenConns(1)
	run := func(statement string) {
		t.Helper()
		if _, err := shell.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Exec(t, s, `PRAGMA busy_timeout = 20`); err != nil {
		t.Fatal(err)
	}
	run(`BEGIN IMMEDIATE`)
	err = s.Change(t.Context(), func(tx *store.Tx) error { return tx.SetMark("a", "1") })
	if err == nil || !strings.Contains(err.Error(), "another program holds the database") {
		t.Errorf("got %v", err)
	}
	if open, err := s.OpenIncidents(t.Context()); err != nil || len(open) != 1 {
		t.Errorf("reading goes on: %d, %v", len(open), err)
	}
	run(`ROLLBACK`)
	save(t, s, incident("i2"))
}
