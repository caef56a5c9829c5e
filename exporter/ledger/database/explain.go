package database

import (
	"context"
	"database/sql"
	"errors"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// explaining is by what an engine is asked for its plan.
var explaining = map[Engine]string{
	MySQL:      "EXPLAIN ",
	PostgreSQL: "EXPLAIN (FORMAT JSON, VERBOSE) ",
	SQLite:     "EXPLAIN QUERY PLAN ",
}

// Explain asks how the server would run one SELECT, without running it, and hands
// over the rows of its answer, which are of the engine's own form: one a step on
// MySQL, a single JSON text on PostgreSQL, (id, parent, unused, step) on SQLite.
func (d *DB) Explain(ctx context.Context, query string, arguments []any, row func(*sql.Rows) error) error {
	if !aSelect.MatchString(query) {
		return errors.New("a statement must begin with SELECT")
	}
	return d.run(ctx, Short, explaining[d.Engine()]+query, arguments, row)
}

// Refused reports whether an error is what a server has against the statement
// itself, such as its grammar, and for which there is no better word. It would say
// the same again.
func Refused(err error) bool {
	if told, is := errors.AsType[*ledger.Error](err); !is || told.Reason != rules.LedgerOther {
		return false
	}
	_, byMySQL := errors.AsType[*mysql.MySQLError](err)
	_, byPostgreSQL := errors.AsType[*pgconn.PgError](err)
	_, bySQLite := errors.AsType[*sqlite.Error](err)
	return byMySQL || byPostgreSQL || bySQLite
}
