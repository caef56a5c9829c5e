// Package dujiaonext reads the order book of a dujiao-next shop on SQLite, the
// database of a new installation.
//
// dujiao-next keeps a purchase as one parent row (money, payment) and one child
// row per product (goods, delivery). The driver makes one exporter.Order of the
// whole purchase, under the parent's key: the buyer paid once and waits until
// the last product is there, so nothing counts twice. Product and quantity are
// those of the first product.
//
// The file is opened read-only and each question is a single statement, so the
// shop's writes never wait for a reader and a purchase is never seen half
// changed. Card keys, addresses and passwords are in columns that no statement
// here names.
package dujiaonext

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

const (
	statementLimit = 5 * time.Second // for a statement, waiting for the shop's write lock included
	busyTimeout    = 2 * time.Second
)

// columns are all that the driver reads.
var columns = map[string][]string{
	"orders":       {"id", "parent_id", "status", "currency", "total_amount", "paid_at", "created_at", "updated_at", "deleted_at"},
	"order_items":  {"id", "order_id", "product_id", "quantity", "fulfillment_type", "deleted_at"},
	"fulfillments": {"order_id", "delivered_at", "deleted_at"},
	"payments":     {"id", "order_id", "channel_type", "status", "deleted_at"},
	"products":     {"id", "fulfillment_type", "manual_stock_total", "is_active", "deleted_at"},
	"card_secrets": {"product_id", "status", "deleted_at"},
}

// Driver reads one book.
type Driver struct {
	path string
	db   *sql.DB
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver for the SQLite file that l.DSN names, without opening it.
func Open(l exporter.Ledger) (*Driver, error) {
	if l.DSN == "" || strings.ContainsAny(l.DSN, "?\x00") || strings.HasPrefix(l.DSN, "file:") {
		return nil, fmt.Errorf("dujiaonext: dsn: got a data source name or nothing, want the path of the shop's SQLite file")
	}
	if l.Prefix != "" {
		return nil, fmt.Errorf("dujiaonext: prefix: got %q, but dujiao-next's tables have none", l.Prefix)
	}
	source := url.URL{Scheme: "file", Opaque: (&url.URL{Path: l.DSN}).EscapedPath()}
	source.RawQuery = url.Values{
		"mode":    {"ro"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "query_only(1)"},
	}.Encode()
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, fmt.Errorf("dujiaonext: %w", err)
	}
	db.SetMaxOpenConns(1)
	// The shop may replace its file, by restoring a backup say: an idle
	// connection would go on reading the old one.
	db.SetConnMaxLifetime(time.Minute)
	return &Driver{path: l.DSN, db: db}, nil
}

// Close closes the file.
func (d *Driver) Close() error { return d.db.Close() }

// Check looks for the tables and columns that the driver reads, and whether it
// understands how times are written.
func (d *Driver) Check(ctx context.Context) ([]string, error) {
	var faults []error
	for _, table := range []string{"orders", "order_items", "fulfillments", "payments", "products", "card_secrets"} {
		there := map[string]bool{}
		err := d.each(ctx, "SELECT name FROM pragma_table_info(?)", []any{table}, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			there[name] = true
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(there) == 0 {
			faults = append(faults, fmt.Errorf("%w: %q has no table %s: is it dujiao-next's file?", ledger.ErrUnfit, d.path, table))
			continue
		}
		for _, column := range columns[table] {
			if !there[column] {
				faults = append(faults, fmt.Errorf("%w: table %s has no column %s: is it another version of dujiao-next?", ledger.ErrUnfit, table, column))
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	newest, err := d.Last(ctx)
	if err == nil && newest.ID != 0 && newest.Created.IsZero() {
		err = fmt.Errorf("%w: order %d has no creation time in a form that the driver reads", ledger.ErrUnfit, newest.ID)
	}
	return nil, err
}

// Traits says that the shop stores both moments.
func (*Driver) Traits() ledger.Traits {
	return ledger.Traits{Moments: exporter.Moments{Paid: rules.BasisStored, Delivered: rules.BasisStored}}
}

// Find finds nothing yet.
func (*Driver) Find(context.Context, string) (exporter.Order, error) { return exporter.Order{}, nil }

// Numbers gives none yet.
func (*Driver) Numbers(context.Context, []int64) (map[int64]string, error) { return nil, nil }

// Last gives the newest purchase.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, CAST(created_at AS TEXT) FROM orders WHERE parent_id IS NULL ORDER BY id DESC LIMIT 1")
}

// At gives the first purchase whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, CAST(created_at AS TEXT) FROM orders WHERE parent_id IS NULL AND id >= ? ORDER BY id LIMIT 1", id)
}

func (d *Driver) place(ctx context.Context, query string, arguments ...any) (ledger.Place, error) {
	var place ledger.Place
	err := d.each(ctx, query, arguments, func(rows *sql.Rows) error {
		var created sql.NullString
		if err := rows.Scan(&place.ID, &created); err != nil {
			return err
		}
		place.Created = moment(created)
		return nil
	})
	return place, err
}

// Stock counts the cards of the products on sale. Products that a supplier
// delivers have no stock here.
func (d *Driver) Stock(ctx context.Context) ([]exporter.Stock, int, error) {
	var stock []exporter.Stock
	// The count per product is a range of idx_card_secret_reserve; grouping all
	// cards would read the whole table.
	err := d.each(ctx, `SELECT p.id, CASE p.fulfillment_type WHEN 'auto' THEN
			(SELECT COUNT(*) FROM card_secrets s WHERE s.product_id = p.id AND s.status = 'available' AND s.deleted_at IS NULL)
			ELSE p.manual_stock_total END
		FROM products p
		WHERE p.is_active AND p.deleted_at IS NULL AND p.fulfillment_type IN ('auto', 'manual') ORDER BY p.id LIMIT ?`,
		[]any{ledger.MaxBatch}, func(rows *sql.Rows) error {
			var s exporter.Stock
			if err := rows.Scan(&s.Product, &s.Cards); err != nil {
				return err
			}
			if s.Cards < 0 { // a manual product without a limit
				s.Cards, s.Looped = 0, true
			}
			stock = append(stock, s)
			return nil
		})
	return stock, 0, err
}

// each runs one short statement and hands over its rows.
func (d *Driver) each(ctx context.Context, query string, arguments []any, row func(*sql.Rows) error) error {
	// SQLite says "unable to open database file" for every reason there is.
	if _, err := os.Stat(d.path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the shop's database %q isn't there", d.path)
		}
		return fmt.Errorf("the shop's database: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	rows, err := d.db.QueryContext(ctx, query, arguments...)
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

func (d *Driver) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "unable to open database file"):
		return fmt.Errorf("the shop's database %q can't be opened: its -wal and -shm files must be readable too: %w", d.path, err)
	case strings.Contains(err.Error(), "file is not a database"):
		return fmt.Errorf("%w: %q is no SQLite file", ledger.ErrUnfit, d.path)
	}
	return err
}
