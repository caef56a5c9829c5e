// Package store keeps what the telling half must not forget: incidents, the
// notices they cause, who is told, and what became of each delivery.
//
// It is the only SQL of ours, for SQLite (one process) and PostgreSQL (several
// replicas) alike. An incident's change and its notices are one transaction
// (Change), synced to disk before it returns; so whoever answers after Change has
// lost nothing if the process dies. Addresses are sealed (seal.go). The room
// decides nothing and sends nothing; only an app imports it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"shopwatch/notifier"
)

// Config says where the store is. Path or PostgresDSN is required, and KeyFile.
type Config struct {
	Path        string // of the SQLite file; of no use with PostgresDSN
	PostgresDSN string // URL or keyword=value form of a PostgreSQL database that is ours alone
	// KeyFile holds the key that seals addresses: 32 bytes in base64. It is made
	// where there is none and nothing was sealed with a key that is missing.
	KeyFile string
	// PreviousKeyFiles are keys that KeyFile replaces: still read, and needed
	// until Reseal has nothing left to do.
	PreviousKeyFiles []string
}

// Store is the notifier's database, safe for concurrent use.
type Store struct {
	engine engine
	write  *sql.DB       // of SQLite one connection: it has one writer
	turn   chan struct{} // SQLite: the outbox's own work takes turns, so that it is never twice in a change's way
	read   *sql.DB
	look   bound     // read, for statements outside a transaction
	alone  *sql.DB   // SQLite: holds the lock of the one process that uses the database
	dial   *dialling // PostgreSQL
	seal   *seal

	residue atomic.Bool // SQLite: who was erased may still be in the log
}

// Open opens the database, migrates it forward and checks it and its key. A
// database that a newer shopwatch wrote, a damaged one, or one of another key
// is an error and is left as it was.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.PostgresDSN != "" {
		return openPostgres(ctx, cfg)
	}
	return openSQLite(ctx, cfg)
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

	ctx    context.Context
	seal   *seal
	locked map[string]bool // the names that this transaction has for itself
	erased bool            // somebody was forgotten
}

// tries is how often a transaction is begun that the database broke off; the
// pauses between them add up to about 2 s.
const tries = 6

// Change runs one transaction: all that do did, durably, or nothing of it.
//
// With PostgreSQL do may run again, in a transaction of its own, where another
// replica was in its way or the connection broke before the end: it must keep
// nothing of a run that failed. An error of the commit itself is never tried
// again, since it may have happened; who asks again must be able to bear that.
func (s *Store) Change(ctx context.Context, do func(*Tx) error) error {
	for try := 1; ; try++ {
		err := s.change(ctx, do)
		if err == nil || try == tries || !s.engine.again(err) {
			return s.engine.explain(err)
		}
		pause := 30 * time.Millisecond << try
		select {
		case <-ctx.Done():
			return fmt.Errorf("store: %w", ctx.Err())
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// work is Change for what the outbox does in great numbers. On SQLite, which has
// one writer, only one such transaction at a time asks for it: whoever decides
// on an incident meanwhile waits for that one, and not for those behind it.
func (s *Store) work(ctx context.Context, do func(*Tx) error) error {
	if s.turn != nil {
		select {
		case s.turn <- struct{}{}:
			defer func() { <-s.turn }()
		case <-ctx.Done():
			return fmt.Errorf("store: %w", ctx.Err())
		}
	}
	return s.Change(ctx, do)
}

func (s *Store) change(ctx context.Context, do func(*Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() // no-op once committed
	t := &Tx{bound: bound{s.engine, tx}, ctx: ctx, seal: s.seal}
	if err := do(t); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return &commitError{err}
	}
	if t.erased {
		s.emptyLog(ctx)
	}
	return nil
}

// commitError is one after which nobody knows whether the transaction happened,
// unless the database itself says that it didn't.
type commitError struct{ err error }

func (e *commitError) Error() string { return "store: commit: " + e.err.Error() }

// Unwrap gives the cause.
func (e *commitError) Unwrap() error { return e.err }

// errTaken says that somebody has an address already.
var errTaken = &notifier.Error{Code: notifier.Conflict, Message: "somebody has signed up with the same address"}

// errOvertaken says that another replica has kept an address since this
// transaction looked for it.
var errOvertaken = fmt.Errorf("just now: %w", errTaken)

// SetMark keeps a single value under a name.
func (t *Tx) SetMark(name, value string) error {
	_, err := t.exec(t.ctx, `INSERT INTO marks (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	if err != nil {
		return fmt.Errorf("store: mark %s: %w", name, err)
	}
	return nil
}

// Mark gives the value kept under a name, "" where there is none. One that there
// is stays as it is until the transaction ends, unless that changes it.
func (t *Tx) Mark(name string) (string, error) {
	return mark(t.ctx, t.bound, name, t.engine.locking())
}

// Mark gives the value kept under a name, "" where there is none.
func (s *Store) Mark(ctx context.Context, name string) (string, error) {
	return mark(ctx, s.look, name, "")
}

func mark(ctx context.Context, on bound, name, locking string) (string, error) {
	var value string
	err := on.row(ctx, `SELECT value FROM marks WHERE name = ?`+locking, name).Scan(&value)
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
