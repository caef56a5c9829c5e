package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// prepared connects to SQLite by connections that keep what they have parsed:
// parsing a statement costs SQLite more than running it, and database/sql has no
// place for a statement that outlives a transaction. pgx does the same for
// PostgreSQL by itself.
type prepared struct {
	driver driver.Driver
	dsn    string
}

// openPrepared opens a pool of such connections.
func openPrepared(dsn string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn) // connects to nothing yet
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(&prepared{db.Driver(), dsn}), db.Close()
}

// Connect opens a connection.
func (p *prepared) Connect(context.Context) (driver.Conn, error) {
	c, err := p.driver.Open(p.dsn)
	if err != nil {
		return nil, err
	}
	whole, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("store: the driver of SQLite lacks what its connections must do"), c.Close())
	}
	return &preparedConn{whole, map[string]*preparedStmt{}}, nil
}

// Driver gives the driver behind.
func (p *prepared) Driver() driver.Driver { return p.driver }

// sqliteConn is what the driver's connections do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// preparedConn is one connection; database/sql lets one goroutine at a time use it.
type preparedConn struct {
	sqliteConn
	kept map[string]*preparedStmt // by text
}

type preparedStmt struct {
	driver.Stmt
	busy bool // its rows are being read
}

// mostPrepared is how many statements a connection keeps, a few KiB each; ours
// are fewer, but for texts that hold a number.
const mostPrepared = 128

// stmt gives the idle statement of a text, nil where there is none to be had.
func (c *preparedConn) stmt(ctx context.Context, query string) (*preparedStmt, error) {
	if s := c.kept[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(c.kept) >= mostPrepared {
		if err := c.forget(); err != nil {
			return nil, err
		}
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &preparedStmt{Stmt: made}
	c.kept[query] = s
	return s, nil
}

// forget closes what is idle.
func (c *preparedConn) forget() (err error) {
	for query, s := range c.kept {
		if !s.busy {
			delete(c.kept, query)
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// ExecContext runs a statement without rows.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// QueryContext runs a statement with rows.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &preparedRows{rows, s}, nil
}

// Close closes the statements and the connection.
func (c *preparedConn) Close() error {
	for _, s := range c.kept {
		s.busy = false
	}
	return errors.Join(c.forget(), c.sqliteConn.Close())
}

// preparedRows gives their statement back when they end.
type preparedRows struct {
	driver.Rows
	of *preparedStmt
}

// Close ends the rows.
func (r *preparedRows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
