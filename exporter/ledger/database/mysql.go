package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// mysqlEngine is MySQL or MariaDB; which of the two is known after the first contact.
type mysqlEngine struct {
	database, user string
	maria          atomic.Pointer[bool]
}

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
	config.MultiStatements = false
	config.AllowAllFiles = false
	config.Logger = &mysql.NopLogger{} // what it would say is in the errors
	if config.Params == nil {
		config.Params = map[string]string{}
	}
	// A table that is being altered would otherwise hold the statement for a day,
	// or for a year, and each poll would leave another one behind.
	config.Params["lock_wait_timeout"] = "2"
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
func (*mysqlEngine) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
func (*mysqlEngine) reachable() error         { return nil }

func (e *mysqlEngine) query(ctx context.Context, c *sql.Conn, limit time.Duration, query string, arguments []any) (*sql.Rows, func() error, error) {
	maria, err := e.isMaria(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	rows, err := c.QueryContext(ctx, limited(maria, query, limit), arguments...)
	return rows, func() error { return nil }, err
}

// isMaria asks the server once. A failover may put another in its place, but
// hardly of another make: a statement in the wrong form then is an error, and
// asked for anew.
func (e *mysqlEngine) isMaria(ctx context.Context, c *sql.Conn) (bool, error) {
	if known := e.maria.Load(); known != nil {
		return *known, nil
	}
	var version string
	if err := c.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return false, err
	}
	maria := strings.Contains(strings.ToLower(version), "mariadb")
	e.maria.Store(&maria)
	return maria, nil
}

// limited is a SELECT that the server itself ends after limit.
func limited(maria bool, query string, limit time.Duration) string {
	if maria {
		return fmt.Sprintf("SET STATEMENT max_statement_time=%g FOR %s", limit.Seconds(), query)
	}
	return fmt.Sprintf("SELECT /*+ MAX_EXECUTION_TIME(%d) */ %s", limit.Milliseconds(), strings.TrimPrefix(query, "SELECT "))
}

// Numbers of server errors that there is something to say about.
const (
	errTooManyConnections = 1040
	errDatabaseDenied     = 1044
	errAccessDenied       = 1045
	errNoDatabase         = 1049
	errShutdown           = 1053
	errNoColumn           = 1054
	errTableDenied        = 1142
	errColumnDenied       = 1143
	errNoSuchTable        = 1146
	errLockWait           = 1205
	errUserConnections    = 1226
	errUserLimit          = 1203
	errKilled             = 1317
	errLimitMariaDB       = 1969
	errLimitMySQL         = 3024
)

var errNoTable = errors.New("the table isn't there")

func (e *mysqlEngine) explain(err error, software string) error {
	at, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return away(err)
	}
	unfit := func(reason rules.LedgerReason, form string, arguments ...any) error {
		return &ledger.Error{Reason: reason, Err: fmt.Errorf("%w: "+form, append([]any{ledger.ErrUnfit}, arguments...)...)}
	}
	because := func(reason rules.LedgerReason, what string) error {
		return &ledger.Error{Reason: reason, Err: fmt.Errorf("%s: %w", what, err)}
	}
	switch at.Number {
	case errAccessDenied:
		return unfit(rules.LedgerAccess, "the server refuses user %q: check user, password and host of the account", e.user)
	case errDatabaseDenied, errNoDatabase:
		return unfit(rules.LedgerAccess, "database %q isn't there, or user %q may not use it", e.database, e.user)
	case errNoSuchTable:
		return unfit(rules.LedgerSchema, "%s: check database and table prefix (%w)", at.Message, errNoTable)
	case errNoColumn:
		return unfit(rules.LedgerSchema, "%s: is the shop %s, of a version that is supported?", at.Message, software)
	case errTableDenied, errColumnDenied:
		return unfit(rules.LedgerAccess, "%s: grant SELECT on the columns that the driver reads", at.Message)
	case errLimitMariaDB, errLimitMySQL:
		return because(rules.LedgerSlow, "the server was too slow and ended the statement")
	case errLockWait:
		return because(rules.LedgerLocked, "a table is locked, perhaps being altered")
	case errTooManyConnections, errUserConnections, errUserLimit:
		return because(rules.LedgerConnections, "the server takes no more connections")
	case errShutdown, errKilled:
		return because(rules.LedgerAway, "the server ended the connection")
	}
	return because(rules.LedgerOther, "the server says")
}

// away gives the reason of an error that came from no server. A caller who gave
// up says nothing about the database.
func away(err error) error {
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return &ledger.Error{Reason: rules.LedgerAway, Err: fmt.Errorf("the database doesn't answer in time: %w", err)}
	case errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, sql.ErrConnDone):
		return &ledger.Error{Reason: rules.LedgerAway, Err: fmt.Errorf("no connection to the database: %w", err)}
	}
	return &ledger.Error{Reason: rules.LedgerOther, Err: err}
}

// lag asks MariaDB's or MySQL's own word for it. Accounts that may not ask (it
// needs SLAVE MONITOR or REPLICATION CLIENT) don't get to know.
func (e *mysqlEngine) lag(ctx context.Context, d *DB) (time.Duration, bool, error) {
	conn, giveBack, err := d.connection(ctx)
	if err != nil {
		return 0, false, d.explain(err)
	}
	defer giveBack()
	rows, err := conn.QueryContext(ctx, "SHOW SLAVE STATUS")
	if at, ok := errors.AsType[*mysql.MySQLError](err); ok && at.Number == 1064 { // MySQL 8.4 and later
		rows, err = conn.QueryContext(ctx, "SHOW REPLICA STATUS")
	}
	if _, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, d.explain(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, false, d.explain(err)
	}
	var lag time.Duration
	known := false
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() { // one a source
		if err := rows.Scan(targets...); err != nil {
			return 0, false, d.explain(err)
		}
		for i, column := range columns {
			if column != "Seconds_Behind_Master" && column != "Seconds_Behind_Source" {
				continue
			}
			if !values[i].Valid {
				return 0, false, &ledger.Error{Reason: rules.LedgerReplica, Err: errors.New("the replica doesn't replicate: its own status says why")}
			}
			seconds, err := strconv.ParseInt(values[i].String, 10, 64)
			if err != nil {
				return 0, false, fmt.Errorf("lag of the replica: %w", err)
			}
			lag, known = max(lag, time.Duration(seconds)*time.Second), true
		}
	}
	return lag, known, d.explain(rows.Err())
}

// claim holds a lock of the server's under the database's name, on a connection
// of its own through which polls are read too.
func (e *mysqlEngine) claim(ctx context.Context, d *DB) error {
	name := lockName(e.database + "/" + d.prefix)
	ctx, cancel := context.WithTimeout(ctx, networkLimit)
	defer cancel()
	return d.hold(ctx, func(conn *sql.Conn, has bool) (bool, error) {
		query := "SELECT COALESCE(GET_LOCK(?, 0), 0)"
		if has {
			query = "SELECT COALESCE(IS_USED_LOCK(?) = CONNECTION_ID(), 0)"
		}
		var mine bool
		err := conn.QueryRowContext(ctx, query, name).Scan(&mine)
		return mine, err
	})
}
