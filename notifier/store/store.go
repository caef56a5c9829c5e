// Package store keeps what the telling half must not forget: incidents, the
// notices they cause, who is told, and what became of each delivery.
//
// It is the only SQL of ours. An incident's change and its notices are one
// transaction (Change), synced to disk before it returns; so whoever answers
// after Change has lost nothing if the process dies. Addresses are sealed
// (seal.go). The room decides nothing and sends nothing; only an app imports it.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite": pure Go, so a binary needs no C library
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// Config says where the store is.
type Config struct {
	Path    string // of the SQLite file
	KeyFile string // of the key that seals addresses; made where there is none
}

// Store is the notifier's database, safe for concurrent use.
type Store struct {
	engine engine
	write  *sql.DB // one connection: SQLite has one writer
	read   *sql.DB
	look   bound   // read, for statements outside a transaction
	alone  *sql.DB // holds the lock of the one process that uses the database
	seal   *seal
}

// Open opens the database, migrates it forward and checks it and its key. A
// database that a newer shopwatch wrote, a damaged one, or one of another key
// is an error and is left as it was.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	// SQLite gives its other files the mode of this one.
	file, err := os.OpenFile(cfg.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	write, err := open(cfg.Path, "_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", cfg.Path, err)
	}
	write.SetMaxOpenConns(1)
	read, err := open(cfg.Path, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Path, err), write.Close())
	}
	read.SetMaxOpenConns(4)
	s := &Store{engine: sqlite, write: write, read: read, look: bound{sqlite, read}}
	if s.alone, err = hold(ctx, cfg.Path+".lock"); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Path, err), s.Close())
	}
	if err := s.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Path, err), s.Close())
	}
	return s, nil
}

func open(path, more string) (*sql.DB, error) {
	// FULL: a commit is on the disk when it returns, WAL or not.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + more
	return sql.Open("sqlite", dsn)
}

// hold takes a lock that ends with the process, however it ends. It is a
// database of SQLite's own, whose locks work on every system that we run on.
func hold(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `PRAGMA user_version = 1`); err != nil { // a write, which takes the lock; EXCLUSIVE keeps it
		return nil, errors.Join(fmt.Errorf("another shopwatch uses this folder (%w): stop it, or name another with --data.dir", err), db.Close())
	}
	return db, nil
}

func (s *Store) prepare(ctx context.Context, cfg Config) error {
	var verdict string
	if err := s.write.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("the file is damaged (%s): restore a backup, or move it aside to start anew", verdict)
	}
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	seal, err := openSeal(cfg.KeyFile)
	if err != nil {
		return err
	}
	s.seal = seal
	return s.Change(ctx, func(tx *Tx) error { return seal.check(tx) })
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("a newer shopwatch wrote it (schema %d, this one knows %d): start that version again", have, want)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Close closes the database. What Change returned for is kept.
func (s *Store) Close() error {
	problems := []error{s.read.Close(), s.write.Close()}
	if s.alone != nil {
		problems = append(problems, s.alone.Close())
	}
	return errors.Join(problems...)
}

// Tx is one transaction of Change.
type Tx struct {
	bound

	ctx  context.Context
	seal *seal
}

// Change runs one transaction: all that do did, durably, or nothing of it.
func (s *Store) Change(ctx context.Context, do func(*Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() // no-op once committed
	if err := do(&Tx{bound: bound{s.engine, tx}, ctx: ctx, seal: s.seal}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: commit: %w", err)
	}
	return nil
}

// SetMark keeps a single value under a name.
func (t *Tx) SetMark(name, value string) error {
	_, err := t.exec(t.ctx, `INSERT INTO marks (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	if err != nil {
		return fmt.Errorf("store: mark %s: %w", name, err)
	}
	return nil
}

// Mark gives the value kept under a name, "" where there is none.
func (t *Tx) Mark(name string) (string, error) { return mark(t.ctx, t.bound, name) }

// Mark gives the value kept under a name, "" where there is none.
func (s *Store) Mark(ctx context.Context, name string) (string, error) {
	return mark(ctx, s.look, name)
}

func mark(ctx context.Context, on bound, name string) (string, error) {
	var value string
	err := on.row(ctx, `SELECT value FROM marks WHERE name = ?`, name).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("store: mark %s: %w", name, err)
	}
	return value, nil
}

// millis and fromMillis keep times as Unix milliseconds, the zero time as 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// marksOf gives "?, ?, ?" for n values.
func marksOf(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
