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

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

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

func (*sqliteEngine) kind() Engine { return SQLite }

// quote uses MySQL's quotes: of an unknown name in its own, SQLite makes a text.
func (*sqliteEngine) quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// reachable looks for the file, since SQLite says "unable to open database file"
// for every reason there is.
func (e *sqliteEngine) reachable() error {
	_, err := os.Stat(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &ledger.Error{Reason: rules.LedgerAway, Err: fmt.Errorf("the shop's database %q isn't there", e.path)}
	}
	if err != nil {
		return &ledger.Error{Reason: rules.LedgerAccess, Err: fmt.Errorf("the shop's database: %w", err)}
	}
	return nil
}

// query is ended by this process: there is no server.
func (*sqliteEngine) query(ctx context.Context, c *sql.Conn, limit time.Duration, query string, arguments []any) (*sql.Rows, func() error, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+busyTimeout)
	rows, err := c.QueryContext(ctx, query, arguments...)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return rows, func() error { cancel(); return nil }, nil
}

func (e *sqliteEngine) explain(err error, software string) error {
	unfit := func(reason rules.LedgerReason, form string, arguments ...any) error {
		return &ledger.Error{Reason: reason, Err: fmt.Errorf("%w: "+form, append([]any{ledger.ErrUnfit}, arguments...)...)}
	}
	switch text := err.Error(); {
	case strings.Contains(text, "unable to open database file"):
		return &ledger.Error{Reason: rules.LedgerAccess,
			Err: fmt.Errorf("the shop's database %q can't be opened: its -wal and -shm files must be readable too: %w", e.path, err)}
	case strings.Contains(text, "file is not a database"):
		return unfit(rules.LedgerSchema, "%q is no SQLite file", e.path)
	case strings.Contains(text, "no such table"):
		return unfit(rules.LedgerSchema, "%s in %q: is it the file of %s? (%w)", text, e.path, software, errNoTable)
	case strings.Contains(text, "no such column"):
		return unfit(rules.LedgerSchema, "%s: is the shop %s, of a version that is supported?", text, software)
	case strings.Contains(text, "database is locked"), strings.Contains(text, "SQLITE_BUSY"):
		return &ledger.Error{Reason: rules.LedgerLocked, Err: fmt.Errorf("the shop holds its database locked: %w", err)}
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(text, "interrupted"):
		return &ledger.Error{Reason: rules.LedgerSlow, Err: fmt.Errorf("the statement took too long and was ended: %w", err)}
	}
	return away(err)
}

func (*sqliteEngine) lag(context.Context, *DB) (time.Duration, bool, error) { return 0, false, nil }

// claim: whoever reads the file is on this machine, where the lock of the state
// file is.
func (*sqliteEngine) claim(context.Context, *DB) error { return nil }
