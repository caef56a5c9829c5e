package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	driver "modernc.org/sqlite" // the driver "sqlite": pure Go, so a binary needs no C library
	code "modernc.org/sqlite/lib"
)

// readers is how many statements read a SQLite file at once.
const readers = 4

func openSQLite(ctx context.Context, cfg Config) (*Store, error) {
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
	write, err := sqliteFile(cfg.Path, "_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", cfg.Path, err)
	}
	write.SetMaxOpenConns(1)
	read, err := sqliteFile(cfg.Path, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Path, err), write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers) // a new one would parse everything anew
	s := &Store{engine: sqlite, write: write, read: read, look: bound{sqlite, read}, turn: make(chan struct{}, 1)}
	s.residue.Store(true) // of a process that was killed
	if s.alone, err = hold(ctx, cfg.Path+".lock"); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Path, err), s.Close())
	}
	if err := s.prepareSQLite(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Path, err), s.Close())
	}
	return s, nil
}

// busyTimeout is how long SQLite waits for a lock, in milliseconds.
const busyTimeout = "5000"

func sqliteFile(path, more string) (*sql.DB, error) {
	// FULL: a commit is on the disk when it returns, WAL or not. secure_delete: who
	// is erased doesn't stay in the file's free room, be it whole pages.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(" + busyTimeout + ")&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=secure_delete(1)&" + more
	return openPrepared(dsn)
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

func (s *Store) prepareSQLite(ctx context.Context, cfg Config) error {
	if err := quickCheck(ctx, s.write); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.openSeal(ctx, cfg)
}

func quickCheck(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("the file is damaged (%s): restore a backup, or move it aside to start anew", verdict)
	}
	return nil
}

// explainSQLite says what a person can do about an error of the file.
func explainSQLite(err error) error {
	var failed *driver.Error
	if !errors.As(err, &failed) {
		return err
	}
	switch failed.Code() & 0xff { // the rest says more exactly where
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		return fmt.Errorf("another program holds the database (%w): nothing was changed; end that program, a backup or a shell of sqlite3 perhaps", err)
	case code.SQLITE_FULL:
		return fmt.Errorf("the disk is full (%w): nothing was changed; make room, and the work goes on by itself", err)
	case code.SQLITE_IOERR:
		return fmt.Errorf("the disk failed (%w): nothing was changed; see whether it is full or damaged", err)
	case code.SQLITE_READONLY:
		return fmt.Errorf("the database can't be written (%w): see its file's owner and whether the disk is mounted read-only", err)
	case code.SQLITE_CORRUPT, code.SQLITE_NOTADB:
		return fmt.Errorf("the database is damaged (%w): stop shopwatch and restore a backup", err)
	}
	return err
}
