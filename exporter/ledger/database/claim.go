package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// held is the connection that holds the claim.
type held struct {
	conn *sql.Conn
	busy sync.Mutex
}

// Claim makes sure that this process alone follows the book, where the server
// offers a lock for it. Another one's claim is an error with reason claimed.
func (d *DB) Claim(ctx context.Context) error {
	if err := d.engine.reachable(); err != nil {
		return err
	}
	return d.engine.claim(ctx, d)
}

// Lag is how far a replica is behind, where the database is one and says so.
func (d *DB) Lag(ctx context.Context) (lag time.Duration, known bool, err error) {
	if err := d.engine.reachable(); err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, Short+networkLimit)
	defer cancel()
	return d.engine.lag(ctx, d)
}

// hold keeps a connection for as long as lock says that it holds the claim. has
// tells lock whether the connection already should.
func (d *DB) hold(ctx context.Context, lock func(conn *sql.Conn, has bool) (bool, error)) error {
	d.mu.Lock()
	h := d.held
	d.mu.Unlock()
	if h != nil {
		h.busy.Lock()
		mine, err := lock(h.conn, true)
		h.busy.Unlock()
		if err == nil && mine {
			return nil
		}
		d.mu.Lock()
		d.held = nil
		d.mu.Unlock()
		_ = h.conn.Close()
	}
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return d.explain(err)
	}
	mine, err := lock(conn, false)
	if err != nil || !mine {
		err = errors.Join(d.explain(err), conn.Close())
		if err != nil {
			return err
		}
		return &ledger.Error{Reason: rules.LedgerClaimed,
			Err: errors.New("another exporter follows these books: stop one of the two, since each would tell every delay")}
	}
	d.mu.Lock()
	d.held = &held{conn: conn}
	d.mu.Unlock()
	return nil
}

// lockName is short enough for every server, and doesn't tell what it stands for.
func lockName(what string) string {
	sum := sha256.Sum256([]byte(what))
	return "shopwatch-" + hex.EncodeToString(sum[:12])
}
