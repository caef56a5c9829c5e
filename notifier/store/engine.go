package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
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
	return b.conn.ExecContext(ctx, b.engine.bind(query), args...)
}

func (b bound) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return b.conn.QueryContext(ctx, b.engine.bind(query), args...)
}

func (b bound) row(ctx context.Context, query string, args ...any) *sql.Row {
	return b.conn.QueryRowContext(ctx, b.engine.bind(query), args...)
}

// flag keeps a bool as a number: the engines agree on those alone.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
