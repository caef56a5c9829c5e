package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// claim is the connection that holds the server's lock on the book. Statements
// are read through it too, whenever it is free: with it there are two.
type claim struct {
	busy sync.Mutex // while the connection is lent, or changes
	conn *sql.Conn  // nil: the book isn't ours
}

// Claim makes sure that this process alone follows the book: on MySQL and
// PostgreSQL by a lock of the server's, which ends with the connection that holds
// it. Another's claim is an error with reason claimed. SQLite has no such lock.
func (d *DB) Claim(ctx context.Context) error {
	if err := d.engine.reachable(); err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, networkLimit)
	defer cancel()
	return d.explain(caller, d.engine.claim(ctx, d))
}

// Lag is how far a replica is behind, where the database is one and says so. One
// that doesn't replicate is an error with reason replica.
func (d *DB) Lag(ctx context.Context) (lag time.Duration, known bool, err error) {
	if err := d.engine.reachable(); err != nil {
		return 0, false, err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, networkLimit)
	defer cancel()
	lag, known, err = d.engine.lag(ctx, d)
	if err != nil {
		return 0, false, d.explain(caller, err)
	}
	return lag, known, nil
}

// hold keeps a connection for as long as lock says that it holds the claim. has
// tells lock whether the connection already should.
func (d *DB) hold(ctx context.Context, lock func(conn *sql.Conn, has bool) (bool, error)) error {
	d.claim.busy.Lock()
	defer d.claim.busy.Unlock()
	if d.claim.conn != nil {
		if mine, err := lock(d.claim.conn, true); err == nil && mine {
			return nil
		}
		d.claim.letGo()
	}
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return err
	}
	mine, err := lock(conn, false)
	if err == nil && mine {
		d.claim.conn = conn
		return nil
	}
	_ = conn.Close() // gives it back to the pool
	if err != nil {
		return err
	}
	return &ledger.Error{Reason: rules.LedgerClaimed,
		Err: errors.New("another exporter follows these books: stop one of the two, since each would tell every delay")}
}

// letGo ends the connection and with it whatever it holds.
func (c *claim) letGo() {
	_ = c.conn.Raw(func(any) error { return driver.ErrBadConn }) // the only way to keep it from the pool
	_ = c.conn.Close()
	c.conn = nil
}

// connection lends the one that holds the claim if it is free, else another.
// giveBack wants the error that its use ended with.
func (d *DB) connection(ctx context.Context) (conn *sql.Conn, claimed bool, giveBack func(error), err error) {
	if d.claim.busy.TryLock() {
		if d.claim.conn != nil {
			return d.claim.conn, true, func(err error) {
				if err != nil && !d.engine.talks(err) {
					d.claim.letGo() // else every statement would meet the lost connection until the next poll
				}
				d.claim.busy.Unlock()
			}, nil
		}
		d.claim.busy.Unlock()
	}
	conn, err = d.pool.Conn(ctx)
	if err != nil {
		return nil, false, nil, err
	}
	return conn, false, func(error) { _ = conn.Close() }, nil
}

// lockKey stands for a book among a server's locks, and doesn't tell which.
func lockKey(database, prefix, part string) [sha256.Size]byte {
	return sha256.Sum256([]byte("shopwatch " + database + "/" + prefix + "/" + part))
}
