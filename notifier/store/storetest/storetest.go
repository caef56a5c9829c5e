// Package storetest opens stores for tests, on each engine: one suite for both.
//
// A package that uses it ends the shared PostgreSQL from its TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }
//
// The room judges nothing: what a store must do is the tests' matter.
package storetest

import (
	"path/filepath"
	"testing"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/store"
)

// Place is where a store is, so that it can be opened again. Each has a database
// and a contact key of its own.
type Place struct{ store.Config }

// OnEachEngine runs a test on SQLite and on PostgreSQL, each in a place that is new.
func OnEachEngine(t *testing.T, test func(*testing.T, Place)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite is a new place in a folder of the test's.
func SQLite(t testing.TB) Place {
	t.Helper()
	dir := t.TempDir()
	return Place{store.Config{Path: filepath.Join(dir, "notifier.db"), KeyFile: filepath.Join(dir, "contact.key")}}
}

// Postgres is a new place in the server that the package's tests share.
func Postgres(t testing.TB) Place {
	t.Helper()
	dsn := servertest.SharedPostgres(t).NewDatabase(t)
	return Place{store.Config{PostgresDSN: dsn, KeyFile: filepath.Join(t.TempDir(), "contact.key")}}
}

// Open opens the store until the test ends, or it is closed before.
func (p Place) Open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), p.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
