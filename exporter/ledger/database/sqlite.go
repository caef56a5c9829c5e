package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

const busyTimeout = 2 * time.Second // waiting for the shop's write lock

type sqliteEngine struct{ path string }

func openSQLite(path string) (*sql.DB, engine, error) {
	source := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	source.RawQuery = url.Values{
		"mode":    {"ro"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "query_only(1)"},
	}.Encode()
	pool, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, nil, err
	}
	pool.SetMaxOpenConns(2)
	pool.SetMaxIdleConns(1)
	// The shop may replace its file, by restoring a backup say: an idle
	// connection would go on reading the old one.
	pool.SetConnMaxLifetime(time.Minute)
	return pool, &sqliteEngine{path}, nil
}

func (*sqliteEngine) kind() Engine    { return SQLite }
func (*sqliteEngine) account() string { return "" }

// quote uses MySQL's quotes: of an unknown name in its own, SQLite makes a text.
func (*sqliteEngine) quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// reachable looks for the file, since SQLite says "unable to open database file"
// for every reason there is.
func (e *sqliteEngine) reachable() error {
	info, err := os.Stat(e.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &ledger.Error{Reason: rules.LedgerAway, Err: fmt.Errorf("the shop's database %q isn't there", e.path)}
	case err != nil:
		return because(rules.LedgerAccess, "the shop's database", err)
	case info.IsDir():
		return unfit(rules.LedgerAccess, "%q is a directory, and not the shop's database", e.path)
	}
	return nil
}

// query is ended by this process: there is no server.
func (*sqliteEngine) query(ctx context.Context, c *sql.Conn, _ bool, limit time.Duration, query string, arguments []any) (*sql.Rows, func() error, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+busyTimeout)
	rows, err := c.QueryContext(ctx, query, arguments...)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return rows, func() error { cancel(); return nil }, nil
}

func (e *sqliteEngine) explain(err error, software string) error {
	at, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) {
			return because(rules.LedgerSlow, "the statement took too long and was ended", err)
		}
		return away(err)
	}
	switch at.Code() & 0xff { // the rest says more than there is to do about
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
		return because(rules.LedgerAccess, fmt.Sprintf("the shop's database %q can't be opened: our account must be able to read it"+
			" and its -wal and -shm files, and to make those in its directory while the shop doesn't run", e.path), err)
	case sqlite3.SQLITE_NOTADB:
		return unfit(rules.LedgerSchema, "%q is no SQLite file", e.path)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_SCHEMA:
		return because(rules.LedgerLocked, "the shop holds its database locked", err)
	case sqlite3.SQLITE_INTERRUPT:
		return because(rules.LedgerSlow, "the statement took too long and was ended", err)
	case sqlite3.SQLITE_IOERR:
		return because(rules.LedgerAway, fmt.Sprintf("the shop's database %q can't be read", e.path), err)
	}
	switch text := err.Error(); {
	case strings.Contains(text, "no such table"):
		return &lack{unfit(rules.LedgerSchema, "%s in %q: is it the file of %s?", text, e.path, software), theTable}
	case strings.Contains(text, "no such column"):
		return &lack{unfit(rules.LedgerSchema, "%s: is the shop %s, of a version that is supported?", text, software), theColumn}
	}
	return because(rules.LedgerOther, "SQLite says", err)
}

func (*sqliteEngine) talks(error) bool { return true }

func (*sqliteEngine) lag(context.Context, *DB) (time.Duration, bool, error) { return 0, false, nil }

// claim: a file knows no lock that ends with us and isn't in the shop's way. Who
// reads it is on this machine, where the lock of the state file is.
func (*sqliteEngine) claim(context.Context, *DB) error { return nil }
