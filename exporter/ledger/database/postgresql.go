package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

type postgresEngine struct{ database, user string }

func openPostgreSQL(dsn string) (*sql.DB, engine, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil || config.Database == "" || config.User == "" {
		// The parser's error may quote a piece of the password.
		return nil, nil, fmt.Errorf("dsn: not of the form %s", forms([]Engine{PostgreSQL}))
	}
	// A pool between us and the server may give each statement to another session.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = networkLimit
	}
	if _, set := config.RuntimeParams["application_name"]; !set {
		config.RuntimeParams["application_name"] = "shopwatch"
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(2)
	pool.SetMaxIdleConns(1)
	pool.SetConnMaxLifetime(30 * time.Minute)
	return pool, &postgresEngine{database: config.Database, user: config.User}, nil
}

func (*postgresEngine) kind() Engine { return PostgreSQL }
func (*postgresEngine) quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
func (*postgresEngine) reachable() error { return nil }

// query reads in a transaction of its own, whose settings end with it: a
// session's would stay with a connection that a pool hands on to the shop.
func (*postgresEngine) query(ctx context.Context, c *sql.Conn, limit time.Duration, query string, arguments []any) (*sql.Rows, func() error, error) {
	begin := fmt.Sprintf("BEGIN READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d",
		limit.Milliseconds(), min(limit, Short).Milliseconds())
	end := func() error {
		_, err := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // nothing was written; it also ends a failed one
		return err
	}
	if _, err := c.ExecContext(ctx, begin); err != nil {
		return nil, nil, err
	}
	rows, err := c.QueryContext(ctx, numbered(query), arguments...)
	if err != nil {
		_ = end() // a lost connection can't, and is closed by the pool
		return nil, nil, err
	}
	return rows, end, nil
}

// numbered writes $1, $2… for each ? outside quotes.
func numbered(query string) string {
	var b strings.Builder
	n := 0
	var quote rune
	for _, r := range query {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '?':
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (e *postgresEngine) explain(err error, software string) error {
	at, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if refused, ok := errors.AsType[*pgconn.ConnectError](err); ok {
			// It quotes host, user and database, and never the password.
			return &ledger.Error{Reason: rules.LedgerAway, Err: fmt.Errorf("no connection to the database: %w", refused)}
		}
		return away(err)
	}
	unfit := func(reason rules.LedgerReason, form string, arguments ...any) error {
		return &ledger.Error{Reason: reason, Err: fmt.Errorf("%w: "+form, append([]any{ledger.ErrUnfit}, arguments...)...)}
	}
	because := func(reason rules.LedgerReason, what string) error {
		return &ledger.Error{Reason: reason, Err: fmt.Errorf("%s: %w", what, err)}
	}
	switch at.Code {
	case "28P01", "28000":
		return unfit(rules.LedgerAccess, "the server refuses user %q: check user, password and pg_hba.conf", e.user)
	case "3D000":
		return unfit(rules.LedgerAccess, "database %q isn't there", e.database)
	case "42P01":
		return unfit(rules.LedgerSchema, "%s: check database, schema and table prefix (%w)", at.Message, errNoTable)
	case "42703":
		return unfit(rules.LedgerSchema, "%s: is the shop %s, of a version that is supported?", at.Message, software)
	case "42501":
		return unfit(rules.LedgerAccess, "%s: grant SELECT on the columns that the driver reads", at.Message)
	case "57014":
		return because(rules.LedgerSlow, "the server was too slow and ended the statement")
	case "55P03", "40P01":
		return because(rules.LedgerLocked, "a table is locked, perhaps being altered")
	case "53300":
		return because(rules.LedgerConnections, "the server takes no more connections")
	case "57P01", "57P02", "57P03", "57P05":
		return because(rules.LedgerAway, "the server is starting or ending")
	case "40001":
		return because(rules.LedgerReplica, "the replica had to end the statement")
	}
	return because(rules.LedgerOther, "the server says")
}

// lag is the age of what was replayed last; a replica that has replayed all that
// it received is not behind, however long nothing was written.
func (e *postgresEngine) lag(ctx context.Context, d *DB) (lag time.Duration, known bool, err error) {
	err = d.Each(ctx, Short, `SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN 0
		WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
		ELSE COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END::float8`, nil, func(rows *sql.Rows) error {
		var seconds float64
		err := rows.Scan(&known, &seconds)
		lag = time.Duration(max(0, seconds) * float64(time.Second))
		return err
	})
	return lag, known, err
}

// claim can't hold a lock: a session's would stay with a connection that a pool
// hands on. The lock of the state file has to do.
func (*postgresEngine) claim(context.Context, *DB) error { return nil }
