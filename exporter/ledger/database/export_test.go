package database

import (
	"context"
	"database/sql"
)

// Pool is the connections themselves, which a connection pool in between could
// hand on to the shop.
func (d *DB) Pool() *sql.DB { return d.pool }

// EndTransaction ends the claim's, as a server or a pool in between may.
func (d *DB) EndTransaction(ctx context.Context) error {
	_, err := d.claim.conn.ExecContext(ctx, "ROLLBACK")
	return err
}
