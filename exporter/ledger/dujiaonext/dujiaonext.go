// Package dujiaonext reads the order book of a dujiao-next shop on SQLite,
// PostgreSQL, MySQL or MariaDB.
//
// dujiao-next keeps a purchase as one parent row (money, payment) and one child
// row per product (goods, delivery). The driver makes one exporter.Order of the
// whole purchase, under the parent's key: the buyer paid once and waits until
// the last product is there, so nothing counts twice.
//
// Each question is a single statement, so a purchase is never seen half changed.
// Card keys, addresses and passwords are in columns that no statement here
// names. The driver must not rely on children having keys next to their parent's,
// nor compare times in SQL: SQLite holds them as text in mixed zones.
package dujiaonext

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// Book is what the driver reads.
var Book = database.Book{
	Software: "dujiao-next", Engines: []database.Engine{database.SQLite, database.PostgreSQL, database.MySQL}, Keyed: true,
	Tables: []database.Table{
		{Name: "orders", Columns: []string{"id", "parent_id", "status", "currency", "total_amount", "paid_at", "created_at", "updated_at", "deleted_at"},
			Optional: []string{"order_no"}},
		{Name: "order_items", Columns: []string{"id", "order_id", "product_id", "quantity", "fulfillment_type", "deleted_at"}},
		{Name: "fulfillments", Columns: []string{"order_id", "delivered_at", "deleted_at"}},
		{Name: "payments", Columns: []string{"id", "order_id", "channel_type", "status", "deleted_at"}},
		{Name: "products", Columns: []string{"id", "fulfillment_type", "is_active", "deleted_at"}, Optional: []string{"manual_stock_total"}},
		{Name: "card_secrets", Columns: []string{"product_id", "status", "deleted_at"}},
	},
}

// Driver reads one book.
type Driver struct {
	*database.DB

	scans atomic.Bool // the unique index of order_no can't be read by: see number.go
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver without connecting. l.DSN is the path of the shop's
// SQLite file, postgres://user:password@host/database or
// user:password@tcp(host:3306)/database. On MySQL times are wall time: l.Zone
// must be what the shop's own DSN names as loc, UTC where it names none. A zone
// of nil is Asia/Shanghai.
func Open(l exporter.Ledger) (*Driver, error) {
	db, err := database.Open(Book, l)
	if err != nil {
		return nil, fmt.Errorf("dujiaonext: %w", err)
	}
	return &Driver{DB: db}, nil
}

// number is an order's number, or that of one product of it.
var number = regexp.MustCompile(`^DJ\d{20}(-\d{2})?$`)

// Traits says that the shop stores both moments, and that its numbers are the
// second of the order with six digits behind.
func (*Driver) Traits() ledger.Traits {
	return ledger.Traits{
		Moments: exporter.Moments{Paid: rules.BasisStored, Delivered: rules.BasisStored},
		Number:  number, Guessable: true,
	}
}

// Check looks for the tables and columns that the driver reads, and whether it
// understands how times are written.
func (d *Driver) Check(ctx context.Context) ([]string, error) {
	doubts, err := d.DB.Check(ctx)
	if err != nil {
		return nil, err
	}
	newest, err := d.Last(ctx)
	if err != nil {
		return nil, err
	}
	if newest.ID != 0 && newest.Created.IsZero() {
		return nil, &ledger.Error{Reason: rules.LedgerSchema, Err: fmt.Errorf(
			"%w: the newest order (id %d) has no creation time in a form that the driver reads", ledger.ErrUnfit, newest.ID)}
	}
	return doubts, d.lookAtIndex(ctx)
}

// orders names the table for statements that go through it by primary key. Left
// alone, MySQL may walk along idx_orders_parent_id from the first purchase on.
func (d *Driver) orders() string {
	if d.Engine() == database.MySQL {
		return d.Table("orders") + " FORCE INDEX (PRIMARY)"
	}
	return d.Table("orders")
}

// Last gives the newest purchase.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, unset("parent_id")+" ORDER BY id DESC LIMIT 1")
}

// At gives the first purchase whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, unset("parent_id")+" AND id >= ? ORDER BY id LIMIT 1", id)
}

func (d *Driver) place(ctx context.Context, which string, arguments ...any) (ledger.Place, error) {
	var place ledger.Place
	query := "SELECT id, " + d.Instant("created_at") + " FROM " + d.orders() + " WHERE " + which
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var created sql.NullString
		err := rows.Scan(&place.ID, &created)
		place.Created = d.Moment(created)
		return err
	})
	return place, err
}

// Stock counts the cards of the products on sale. Products that a supplier
// delivers have no stock here.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	left := "-1" // of what a person delivers; -1 is without limit
	if d.Has("products", "manual_stock_total") {
		left = "manual_stock_total"
	}
	at := map[int64]int{} // place in stock of the automatic ones
	var keys []int64
	const most = 10 * exporter.MaxProducts // of which the rest is counted as hidden
	err = d.Each(ctx, database.Short, "SELECT id, fulfillment_type, "+left+" FROM "+d.Table("products")+
		" WHERE is_active AND deleted_at IS NULL AND fulfillment_type IN ('auto', 'manual') ORDER BY id LIMIT ?", []any{most},
		func(rows *sql.Rows) error {
			var id int64
			var how string
			var count int
			if err := rows.Scan(&id, &how, &count); err != nil {
				return err
			}
			if len(stock) == exporter.MaxProducts {
				hidden++
				return nil
			}
			s := exporter.Stock{Product: strconv.FormatInt(id, 10), Cards: max(0, count), Looped: count < 0}
			if how == automatic {
				s.Cards, s.Looped = 0, false // the cards say how many
				at[id] = len(stock)
				keys = append(keys, id)
			}
			stock = append(stock, s)
			return nil
		})
	if err != nil || len(keys) == 0 {
		return stock, hidden, err
	}
	// The count per product is a range of idx_card_secret_reserve; grouping all
	// cards would read the whole table.
	list, arguments := database.Keys(keys)
	err = d.Each(ctx, database.Long, "SELECT p.id, (SELECT COUNT(*) FROM "+d.Table("card_secrets")+
		" s WHERE s.product_id = p.id AND s.status = 'available' AND "+unset("s.deleted_at")+") FROM "+d.Table("products")+
		" p WHERE p.id IN ("+list+")", arguments,
		func(rows *sql.Rows) error {
			var id int64
			var cards int
			err := rows.Scan(&id, &cards)
			stock[at[id]].Cards = cards
			return err
		})
	return stock, hidden, err
}
