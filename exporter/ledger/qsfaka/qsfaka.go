// Package qsfaka reads the order book of a qs-faka shop on MySQL or MariaDB.
//
// qs-faka delivers lazily: a payment only marks the order, and cards are bound
// to it when the buyer, or the merchant, opens the order's page. So a paid order
// without cards mostly means that nobody has looked yet, and is Ready. The
// machine fails a buyer only where the product has too few cards for those who
// paid: that order waits. When the cards were handed out is the buyer's doing,
// and therefore no moment of delivery.
//
// The account needs SELECT on the columns of Book alone, which keeps card keys,
// contacts and passwords out of reach even of a mistake. Orders are read by
// primary key, cards counted through an index and no further than they are
// needed.
package qsfaka

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// Book is what the driver reads.
var Book = database.Book{
	Software: "qs-faka", Engines: []database.Engine{database.MySQL},
	Tables: []database.Table{
		{Name: "order", Columns: []string{"id", "goods_id", "channel_id", "quantity", "sendout", "total_price", "status", "create_at", "success_at"},
			Optional: []string{"trade_no"}},
		{Name: "order_card", Columns: []string{"order_id"}},
		{Name: "goods", Columns: []string{"id", "status", "delete_at"}},
		{Name: "goods_card", Columns: []string{"goods_id", "status", "unfreeze_at", "delete_at"}},
		{Name: "pay_channel", Columns: []string{"id", "code"}},
	},
}

// Driver reads one book.
type Driver struct {
	*database.DB
	line line

	mu       sync.Mutex
	payments map[int64]string // by pay_channel.id; of ids that aren't there too
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver without connecting. l.DSN is go-sql-driver's
// user:password@tcp(host:3306)/database. The zone isn't used: qs-faka stores
// Unix seconds.
func Open(l exporter.Ledger) (*Driver, error) {
	db, err := database.Open(Book, l)
	if err != nil {
		return nil, fmt.Errorf("qsfaka: %w", err)
	}
	return &Driver{DB: db, payments: map[int64]string{}}, nil
}

// number is a prefix that the shop sets, or the merchant's id, the time to the
// second, and eight random hexadecimal digits: too many to try.
var number = regexp.MustCompile(`^[\p{L}\p{N}_-]{0,20}\d{12}[0-9a-f]{8}$`)

// Traits says that the shop stores the payment. What it stores of the delivery
// is when the buyer looked.
func (*Driver) Traits() ledger.Traits {
	return ledger.Traits{Moments: exporter.Moments{Paid: rules.BasisStored, Delivered: rules.BasisNone}, Number: number}
}

// Last gives the newest order.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, create_at FROM "+d.Table("order")+" ORDER BY id DESC LIMIT 1")
}

// At gives the first order whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, create_at FROM "+d.Table("order")+" WHERE id >= ? ORDER BY id LIMIT 1", id)
}

func (d *Driver) place(ctx context.Context, query string, arguments ...any) (ledger.Place, error) {
	var place ledger.Place
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var created sql.NullInt64
		err := rows.Scan(&place.ID, &created)
		place.Created = database.Unix(created)
		return err
	})
	return place, err
}

// After gives the orders behind a key.
func (d *Driver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if err := database.PageSize(limit); err != nil {
		return nil, err
	}
	return d.orders(ctx, "id > ? ORDER BY id LIMIT ?", id, limit)
}

// ByID gives the orders with these keys.
func (d *Driver) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 {
		return nil, err
	}
	list, keys := database.Keys(ids)
	orders, err := d.orders(ctx, "id IN ("+list+")", keys...)
	if err != nil {
		return nil, err
	}
	gone := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return slices.ContainsFunc(orders, func(o exporter.Order) bool { return o.ID == id })
	})
	d.line.leave(gone)
	return orders, nil
}

// Find gives the order with a number, through its index. That isn't unique, and
// who shares a number with another isn't told of either.
func (d *Driver) Find(ctx context.Context, number string) (exporter.Order, error) {
	orders, err := d.orders(ctx, "trade_no = ? LIMIT 2", number)
	if err != nil || len(orders) != 1 {
		return exporter.Order{}, err
	}
	return orders[0], nil
}

// Numbers gives the orders' numbers, if the account may read them.
func (d *Driver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	numbers := map[int64]string{}
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 || !d.Has("order", "trade_no") {
		return numbers, err
	}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, trade_no FROM "+d.Table("order")+" WHERE id IN ("+list+") AND trade_no IS NOT NULL", keys,
		func(rows *sql.Rows) error {
			var id int64
			var number string
			err := rows.Scan(&id, &number)
			numbers[id] = number
			return err
		})
	return numbers, err
}
