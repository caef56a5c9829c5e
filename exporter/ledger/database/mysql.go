package database

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// mysqlEngine is MySQL or MariaDB. Statements are of a form that suits both.
type mysqlEngine struct{ database, user string }

func openMySQL(dsn string) (*sql.DB, engine, error) {
	wrong := fmt.Errorf("dsn: not of the form %s", forms([]Engine{MySQL}))
	config, err := mysql.ParseDSN(dsn)
	if err != nil || config.DBName == "" || config.User == "" || config.Net != "tcp" && config.Net != "unix" {
		// The parser's error may quote a piece of the password, and so may a network's name.
		return nil, nil, wrong
	}
	if _, set := config.Params["time_zone"]; set {
		return nil, nil, errors.New("dsn: sets time_zone: remove it, the zone of the shop's clock is the ledger's own setting")
	}
	config.ParseTime = false
	config.InterpolateParams = true // one round trip a question; SET STATEMENT can't always be prepared
	// Whatever DSN or server prefer: in GBK and its like, the last byte of a
	// character swallows the escape of the quote behind it.
	if err := config.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, nil, wrong
	}
	config.MultiStatements = false
	config.AllowAllFiles = false
	config.Logger = &mysql.NopLogger{} // what it would say is in the errors
	if config.Params == nil {
		config.Params = map[string]string{}
	}
	// A table that is being altered would otherwise hold the statement for a day,
	// or for a year, and each poll would leave another one behind. Shorter than a
	// statement's limit, so that the error says what the matter is.
	config.Params["lock_wait_timeout"] = "1"
	// Of a connection that was lost without a word, the server would keep the claim
	// for eight hours.
	config.Params["wait_timeout"] = "600"
	if config.Timeout == 0 {
		config.Timeout = networkLimit
	}
	if config.ReadTimeout == 0 {
		config.ReadTimeout = Long + networkLimit
	}
	if config.WriteTimeout == 0 {
		config.WriteTimeout = networkLimit
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, nil, errors.New("dsn: its settings contradict each other")
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(2)
	pool.SetMaxIdleConns(1)
	pool.SetConnMaxLifetime(30 * time.Minute)
	return pool, &mysqlEngine{database: config.DBName, user: config.User}, nil
}

func (*mysqlEngine) kind() Engine             { return MySQL }
func (e *mysqlEngine) account() string        { return e.user }
func (*mysqlEngine) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
func (*mysqlEngine) reachable() error         { return nil }

func (*mysqlEngine) query(ctx context.Context, c *sql.Conn, _ bool, limit time.Duration, query string, arguments []any) (*sql.Rows, func() error, error) {
	rows, err := c.QueryContext(ctx, limited(query, limit), arguments...)
	return rows, func() error { return nil }, err
}

// limited is a SELECT, or an EXPLAIN of one, that the server itself ends after limit. To MySQL the
// first part is a comment, and to MariaDB the second: so no failover can put a
// server in place that is told of no limit.
func limited(query string, limit time.Duration) string {
	verb := "SELECT"
	if explained, is := strings.CutPrefix(query, explaining[MySQL]); is {
		verb, query = explaining[MySQL]+verb, explained
	}
	return fmt.Sprintf("/*M!100102 SET STATEMENT max_statement_time=%g FOR */ %s /*+ MAX_EXECUTION_TIME(%d) */ %s",
		limit.Seconds(), verb, limit.Milliseconds(), query[len("SELECT"):])
}

// Numbers of server errors that there is something to say about.
const (
	errTooManyConnections = 1040
	errDatabaseDenied     = 1044
	errAccessDenied       = 1045
	errNoDatabase         = 1049
	errShutdown           = 1053
	errNoColumn           = 1054
	errSyntax             = 1064
	errHostBlocked        = 1129
	errHostDenied         = 1130
	errTableDenied        = 1142
	errColumnDenied       = 1143
	errNoSuchTable        = 1146
	errUserLimit          = 1203
	errLockWait           = 1205
	errUserConnections    = 1226
	errKilled             = 1317
	errViewBroken         = 1356
	errTableChanged       = 1412
	errNoPassword         = 1698
	errConnectionKilled   = 1927
	errLimitMariaDB       = 1969
	errLimitMySQL         = 3024
	errAccountLocked      = 4151
	errAccountLockedMySQL = 3118
)

func (e *mysqlEngine) explain(err error, software string) error {
	at, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		switch {
		case errors.Is(err, mysql.ErrInvalidConn):
			return because(rules.LedgerAway, "the connection to the database was lost", err)
		case errors.Is(err, mysql.ErrNativePassword), errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrOldPassword),
			errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrNoTLS):
			return unfit(rules.LedgerAccess, "user %q can't log in this way: %w", e.user, err)
		}
		return away(err)
	}
	switch at.Number {
	case errAccessDenied, errNoPassword, errHostDenied, errAccountLocked, errAccountLockedMySQL:
		return unfit(rules.LedgerAccess, "the server refuses user %q: check user, password and host of the account", e.user)
	case errDatabaseDenied, errNoDatabase:
		return unfit(rules.LedgerAccess, "database %q isn't there, or user %q may read nothing in it", e.database, e.user)
	case errNoSuchTable:
		return &lack{unfit(rules.LedgerSchema, "%s: check database and table prefix", at.Message), theTable}
	case errNoColumn:
		return &lack{unfit(rules.LedgerSchema, "%s: is the shop %s, of a version that is supported?", at.Message, software), theColumn}
	case errTableDenied, errColumnDenied:
		return &lack{unfit(rules.LedgerAccess, "%s: grant SELECT on the columns that the driver reads", at.Message), theRight}
	case errViewBroken:
		return unfit(rules.LedgerSchema, "%s", at.Message)
	case errLimitMariaDB, errLimitMySQL:
		return because(rules.LedgerSlow, "the server was too slow and ended the statement", err)
	case errLockWait, errTableChanged:
		return because(rules.LedgerLocked, "a table is locked, perhaps being altered", err)
	case errTooManyConnections, errUserConnections, errUserLimit:
		return because(rules.LedgerConnections, "the server takes no more connections", err)
	case errHostBlocked:
		return because(rules.LedgerAway, "the server blocks this host until FLUSH HOSTS", err)
	case errShutdown, errKilled, errConnectionKilled:
		return because(rules.LedgerAway, "the server ended the statement or its connection", err)
	}
	return because(rules.LedgerOther, "the server says", err)
}

// talks: whatever the server says, it goes on, but for its farewells.
func (*mysqlEngine) talks(err error) bool {
	at, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && at.Number != errShutdown && at.Number != errConnectionKilled
}

// replicas are the forms of the one question: of MariaDB, where there may be
// several sources, of MySQL, and of MySQL before 8.0.22.
var replicas = []string{"SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS"}

// lag asks the server's own word for it. Accounts that may not ask (it needs
// SLAVE MONITOR of MariaDB, REPLICATION CLIENT of MySQL) don't get to know.
func (e *mysqlEngine) lag(ctx context.Context, d *DB) (lag time.Duration, known bool, err error) {
	conn, _, giveBack, err := d.connection(ctx)
	if err != nil {
		return 0, false, err
	}
	defer func() { giveBack(err) }()
	for _, question := range replicas {
		lag, known, err = behind(ctx, conn, question)
		at, said := errors.AsType[*mysql.MySQLError](err)
		switch {
		case said && at.Number == errSyntax:
			continue
		case said:
			return 0, false, nil
		}
		return lag, known, err
	}
	return 0, false, nil
}

// behind is the greatest lag behind a source. The server knows none while it is
// cut off from one, or met an error on the way.
func behind(ctx context.Context, conn *sql.Conn, question string) (lag time.Duration, known bool, err error) {
	rows, err := conn.QueryContext(ctx, question)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, false, err
	}
	var seconds sql.NullInt64
	targets := make([]any, len(columns))
	for i, column := range columns {
		if targets[i] = new(sql.RawBytes); column == "Seconds_Behind_Master" || column == "Seconds_Behind_Source" {
			targets[i] = &seconds
		}
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return 0, false, err
		}
		if !seconds.Valid {
			return 0, false, &ledger.Error{Reason: rules.LedgerReplica,
				Err: errors.New("the replica doesn't replicate: SHOW REPLICA STATUS says why")}
		}
		lag, known = max(lag, time.Duration(seconds.Int64)*time.Second), true
	}
	return lag, known, rows.Err()
}

// claim holds a lock of the server's. MySQL's own word for it ends with the
// connection at the latest. It waits for a second, since a server needs a moment
// to notice that a connection is gone: of our process before this, or our own.
func (e *mysqlEngine) claim(ctx context.Context, d *DB) error {
	key := lockKey(e.database, d.prefix, d.book.Part)
	name := "shopwatch-" + hex.EncodeToString(key[:12]) // MySQL takes 64 characters
	return d.hold(ctx, func(conn *sql.Conn, has bool) (bool, error) {
		query := "SELECT COALESCE(GET_LOCK(?, 1), 0)"
		if has {
			query = "SELECT COALESCE(IS_USED_LOCK(?) = CONNECTION_ID(), 0)"
		}
		var mine bool
		err := conn.QueryRowContext(ctx, query, name).Scan(&mine)
		return mine, err
	})
}
