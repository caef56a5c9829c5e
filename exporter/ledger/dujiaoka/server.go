package dujiaoka

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"shopwatch/exporter/ledger"
)

// server is what the driver learns of the database when it first reaches it.
type server struct {
	mariaDB  bool
	quantity bool // orders.buy_amount may be read
}

// limited is a SELECT that the server itself ends after limit.
func (s server) limited(query string, limit time.Duration) string {
	if s.mariaDB {
		return fmt.Sprintf("SET STATEMENT max_statement_time=%g FOR %s", limit.Seconds(), query)
	}
	return fmt.Sprintf("SELECT /*+ MAX_EXECUTION_TIME(%d) */ %s", limit.Milliseconds(), strings.TrimPrefix(query, "SELECT "))
}

// known asks the server once what it is. While it is away, every call asks again.
func (d *Driver) known(ctx context.Context) (server, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server != nil {
		return *d.server, nil
	}
	ctx, cancel := context.WithTimeout(ctx, networkLimit)
	defer cancel()
	var version string
	if err := d.db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return server{}, d.explain(err)
	}
	s := server{mariaDB: strings.Contains(strings.ToLower(version), "mariadb"), quantity: true}
	rows, err := d.db.QueryContext(ctx, "SELECT buy_amount FROM "+d.table("orders")+" LIMIT 0")
	var e *mysql.MySQLError
	switch {
	case err == nil:
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return server{}, d.explain(err)
		}
	case errors.As(err, &e) && (e.Number == errColumnDenied || e.Number == errNoColumn):
		s.quantity = false
	default:
		return server{}, d.explain(err)
	}
	d.server = &s
	return s, nil
}

// each runs one SELECT under a limit and hands over its rows.
func (d *Driver) each(ctx context.Context, limit time.Duration, query string, arguments []any, row func(*sql.Rows) error) error {
	s, err := d.known(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit+networkLimit)
	defer cancel()
	rows, err := d.db.QueryContext(ctx, s.limited(query, limit), arguments...)
	if err != nil {
		return d.explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return d.explain(rows.Err())
}

// Numbers of server errors that the driver has something to say about.
const (
	errDatabaseDenied = 1044
	errAccessDenied   = 1045
	errNoDatabase     = 1049
	errNoColumn       = 1054
	errTableDenied    = 1142
	errColumnDenied   = 1143
	errNoTable        = 1146
	errLimitMariaDB   = 1969
	errLimitMySQL     = 3024
)

// explain says what to do about an error that waiting doesn't cure, and passes on the others.
func (d *Driver) explain(err error) error {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return err
	}
	switch e.Number {
	case errAccessDenied:
		return fmt.Errorf("%w: the server refuses user %q: check user, password and host of the account", ledger.ErrUnfit, d.user)
	case errDatabaseDenied, errNoDatabase:
		return fmt.Errorf("%w: database %q isn't there, or user %q may not use it", ledger.ErrUnfit, d.database, d.user)
	case errNoTable:
		return fmt.Errorf("%w: %s: check database and table prefix", ledger.ErrUnfit, e.Message)
	case errNoColumn:
		return fmt.Errorf("%w: %s: is the shop dujiaoka 2.0?", ledger.ErrUnfit, e.Message)
	case errTableDenied, errColumnDenied:
		return fmt.Errorf("%w: %s: grant SELECT on the columns that the driver reads", ledger.ErrUnfit, e.Message)
	case errLimitMariaDB, errLimitMySQL:
		return fmt.Errorf("the server was too slow and ended the statement: %w", err)
	}
	return err
}
