package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"unicode/utf8"
)

// engine is the database behind the store. All statements are written once, with
// "?" for values, in the SQL that both understand; where they differ, a method
// here gives the words.
type engine string

const (
	sqlite   engine = "sqlite"
	postgres engine = "postgres"
)

// bind gives a statement the engine's own marks for values. No statement of ours
// has a question mark of its own.
func (e engine) bind(query string) string {
	if e == sqlite {
		return query
	}
	var b strings.Builder
	n := 0
	for _, part := range strings.SplitAfter(query, "?") {
		if !strings.HasSuffix(part, "?") {
			b.WriteString(part)
			continue
		}
		n++
		b.WriteString(part[:len(part)-1] + "$" + strconv.Itoa(n))
	}
	return b.String()
}

// later is the later of two moments in a statement.
func (e engine) later(a, b string) string {
	if e == sqlite {
		return "max(" + a + ", " + b + ")"
	}
	return "greatest(" + a + ", " + b + ")"
}

// locking ends a SELECT whose row the transaction is about to change.
func (e engine) locking() string {
	if e == sqlite {
		return ""
	}
	return " FOR UPDATE"
}

// explain adds to an error of the database what a person can do about it.
func (e engine) explain(err error) error {
	if err == nil {
		return nil
	}
	if e == sqlite {
		return explainSQLite(err)
	}
	return explainPostgres(err)
}

// values gives what a statement is asked with. PostgreSQL takes no text that
// isn't UTF-8 or has a zero byte, and either may come from outside.
func (e engine) values(args []any) []any {
	if e == sqlite {
		return args
	}
	for i, arg := range args {
		if text, ok := arg.(string); ok && (!utf8.ValidString(text) || strings.ContainsRune(text, 0)) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
		}
	}
	return args
}

// conn is what a pool of connections and a transaction have in common.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// bound is a conn whose statements are written with "?".
type bound struct {
	engine engine
	conn   conn
}

func (b bound) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return b.conn.ExecContext(ctx, b.engine.bind(query), b.engine.values(args)...)
}

func (b bound) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return b.conn.QueryContext(ctx, b.engine.bind(query), b.engine.values(args)...)
}

func (b bound) row(ctx context.Context, query string, args ...any) *sql.Row {
	return b.conn.QueryRowContext(ctx, b.engine.bind(query), b.engine.values(args)...)
}

// flag keeps a bool as a number: the engines agree on those alone.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// among says in SQL that a number is one of a list, which is one value (numbers):
// so the statement's text is the same however many there are.
func (e engine) among(column string) string {
	if e == sqlite {
		return column + " IN (SELECT value FROM json_each(?))"
	}
	return column + " = ANY(CAST(? AS bigint[]))"
}

// numbers is the value of a list of numbers.
func (e engine) numbers(list []int64) any {
	if e != sqlite {
		return list
	}
	text := make([]byte, 0, 8*len(list)+2)
	text = append(text, '[')
	for i, n := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, n, 10)
	}
	return string(append(text, ']'))
}

// skipLocked ends a SELECT of rows of a table that this transaction takes:
// another replica takes others meanwhile.
func (e engine) skipLocked(of string) string {
	if e == sqlite {
		return ""
	}
	return " FOR UPDATE OF " + of + " SKIP LOCKED"
}
