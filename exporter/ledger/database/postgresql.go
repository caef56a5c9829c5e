package database

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"shopwatch/rules"
)

type postgresEngine struct {
	database, user string
	keyed          bool
}

func openPostgreSQL(dsn string, keyed bool) (*sql.DB, engine, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil || config.Database == "" || config.User == "" || strings.Contains(config.Database, "@") { // a password with / or ?
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
	return pool, &postgresEngine{database: config.Database, user: config.User, keyed: keyed}, nil
}

func (*postgresEngine) kind() Engine      { return PostgreSQL }
func (e *postgresEngine) account() string { return e.user }
func (*postgresEngine) quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
func (*postgresEngine) reachable() error { return nil }

// byIndex leaves the planner nothing but going along indexes, where there are
// any. Where there are none, the price that it then sees must not make it compile.
const byIndex = "; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off" +
	"; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off; SET LOCAL jit = off"

// query reads in a transaction of its own, whose settings end with it: a
// session's would stay with a connection that a pool hands on. The connection
// that holds the claim is in a transaction already, and what is read within it
// leaves no lock and no setting behind either.
func (e *postgresEngine) query(ctx context.Context, c *sql.Conn, claimed bool, limit time.Duration, query string, arguments []any) (*sql.Rows, func() error, error) {
	begin, end := "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", "ROLLBACK" // nothing was written; it also ends a failed one
	if claimed {
		begin, end = "SAVEPOINT reading", "ROLLBACK TO reading; RELEASE reading"
	}
	// Waiting for a lock ends first, so that the error says what the matter is.
	begin += fmt.Sprintf("; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d", limit.Milliseconds(), Short.Milliseconds()/2)
	if e.keyed && limit <= Short {
		begin += byIndex
	}
	done := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), networkLimit)
		defer cancel()
		_, err := c.ExecContext(ctx, end)
		return err
	}
	if _, err := c.ExecContext(ctx, begin); err != nil {
		return nil, nil, err
	}
	rows, err := c.QueryContext(ctx, numbered(query), arguments...)
	if err != nil {
		_ = done() // a lost connection can't, and is closed by the pool
		return nil, nil, err
	}
	return rows, done, nil
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
	refused, connecting := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		if connecting {
			// It quotes host, user and database, and never the password.
			return because(rules.LedgerAway, "no connection to the database", refused)
		}
		if pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return because(rules.LedgerAway, "the connection to the database was lost", err)
		}
		return away(err)
	}
	if connecting && at.Code == "42501" {
		return unfit(rules.LedgerAccess, "%s: grant CONNECT on it to user %q", at.Message, e.user)
	}
	switch at.Code {
	case "28P01", "28000":
		return unfit(rules.LedgerAccess, "the server refuses user %q: check user, password and pg_hba.conf", e.user)
	case "3D000":
		return unfit(rules.LedgerAccess, "database %q isn't there", e.database)
	case "42P01":
		return &lack{unfit(rules.LedgerSchema, "%s: check database, table prefix, search_path, and that user %q has USAGE on the schema", at.Message, e.user), theTable}
	case "42703":
		return &lack{unfit(rules.LedgerSchema, "%s: is the shop %s, of a version that is supported?", at.Message, software), theColumn}
	case "42501":
		return &lack{unfit(rules.LedgerAccess, "%s: grant SELECT on the columns that the driver reads", at.Message), theRight}
	case "42883", "42804": // a column of a type that the driver's expressions don't take
		return unfit(rules.LedgerSchema, "%s: is the shop %s, of a version that is supported?", at.Message, software)
	case "57014":
		return because(rules.LedgerSlow, "the server was too slow and ended the statement", err)
	case "55P03":
		return because(rules.LedgerLocked, "a table is locked, perhaps being altered", err)
	case "53300":
		return because(rules.LedgerConnections, "the server takes no more connections", err)
	case "40001", "40P01": // what we read is never in conflict but on a standby
		return because(rules.LedgerReplica, "the replica had to end the statement", err)
	}
	switch {
	case strings.HasPrefix(at.Code, "57P"), strings.HasPrefix(at.Code, "08"), at.Code == "25P03":
		return because(rules.LedgerAway, "the server ended the connection, or takes none yet", err)
	}
	return because(rules.LedgerOther, "the server says", err)
}

// talks: a fatal error is the connection's last.
func (*postgresEngine) talks(err error) bool {
	at, ok := errors.AsType[*pgconn.PgError](err)
	return ok && at.Severity == "ERROR"
}

// lag is 0 for a standby that has replayed all that its primary sent, as long as
// it is connected to it. Else it is the age of the newest transaction that was
// replayed, which is more than the lag where little is written, and never less.
func (e *postgresEngine) lag(ctx context.Context, d *DB) (lag time.Duration, known bool, err error) {
	err = d.Each(ctx, Short, `SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN 0
		WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT pid FROM pg_stat_wal_receiver) THEN 0
		ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8`, nil, func(rows *sql.Rows) error {
		var seconds sql.NullFloat64 // NULL: nothing was replayed yet
		err := rows.Scan(&known, &seconds)
		lag, known = time.Duration(max(0, seconds.Float64)*float64(time.Second)), known && seconds.Valid
		return err
	})
	if at, ok := errors.AsType[*pgconn.PgError](err); ok && (at.Code == "0A000" || at.Code == "42501" || at.Code == "42883") {
		return 0, false, nil // a server that is not quite PostgreSQL
	}
	return lag, known, err
}

// claim holds an advisory lock for a transaction, not for a session: behind a
// pool in transaction mode a session's lock would stay with a connection that is
// handed on, while a transaction keeps its connection, and the pool ends both when
// we are gone (tried with PgBouncer; its statement mode has no transactions, and
// serves nothing of ours). The transaction is idle but for our reading, holds
// nothing else, not even VACUUM up, and is begun anew every ten minutes.
func (e *postgresEngine) claim(ctx context.Context, d *DB) error {
	hash := lockKey(e.database, d.prefix, d.book.Part)
	high, low := binary.BigEndian.Uint32(hash[:]), binary.BigEndian.Uint32(hash[4:])
	check := fmt.Sprintf(`SELECT clock_timestamp() - transaction_timestamp() < interval '10 minutes' AND EXISTS (SELECT FROM pg_locks
		WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid = %d AND objid = %d AND objsubid = 1 AND granted)`, high, low)
	// All at once, so that it hardly has time to become another's between. It waits
	// for a second, since a server needs a moment to notice that a connection is
	// gone: of our process before this, or our own.
	take := fmt.Sprintf(`ROLLBACK; BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0;
		SET LOCAL lock_timeout = 1000; SELECT pg_advisory_xact_lock(%d)`, int64(uint64(high)<<32|uint64(low)))
	return d.hold(ctx, func(conn *sql.Conn, has bool) (mine bool, err error) {
		if has {
			if err := conn.QueryRowContext(ctx, check).Scan(&mine); err != nil || mine {
				return mine, err
			}
		}
		_, err = conn.ExecContext(ctx, take)
		if at, ok := errors.AsType[*pgconn.PgError](err); ok && at.Code == "55P03" {
			_, err = conn.ExecContext(ctx, "ROLLBACK")
			return false, err
		}
		return err == nil, err
	})
}
