// Package fakabot reads the order book of a fakabot shop, which sells in
// Telegram: the rewrite for many tenants on PostgreSQL, and the bot of old on
// SQLite. The form of the DSN tells which of the two it is.
//
// Both go by the orders' primary key, the rewrite's over all tenants together.
// Card keys, buyers and invitations are in columns that no statement here names.
// What the books don't say the driver must not guess: in the rewrite a paid order
// waits for the machine whether its delivery failed, was never begun or is under
// way; and in both a payment that came after the order had expired is not there.
package fakabot

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

// generation is what differs between the rewrite and the bot of old. Its
// statements call the orders o.
type generation interface {
	traits() ledger.Traits
	// created is the expression of an order's moment, which place reads behind the key.
	created(d *database.DB) string
	place(d *database.DB, rows *sql.Rows) (ledger.Place, error)
	// statement selects the orders that a condition picks, which scan reads.
	statement(d *database.DB, which string) string
	scan(d *database.DB, rows *sql.Rows) (exporter.Order, error)
	// shelf selects key, kind and cards of the products on sale: at most most, by key.
	shelf(d *database.DB, most int) string
}

// Driver reads one book.
type Driver struct {
	*database.DB

	generation generation
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver without connecting. l.DSN is
// postgres://user:password@host/database for the rewrite, or the path of the
// SQLite file of the bot of old. Both store moments that need no zone.
func Open(l exporter.Ledger) (*Driver, error) {
	book, is := LegacyBook, generation(legacy{})
	switch engine, _ := database.EngineOf(l.DSN); engine {
	case database.PostgreSQL:
		book, is = Book, rewrite{}
	case database.SQLite:
	default: // so that the error names both forms
		book.Engines = append(book.Engines, Book.Engines...)
	}
	db, err := database.Open(book, l)
	if err != nil {
		return nil, fmt.Errorf("fakabot: %w", err)
	}
	return &Driver{DB: db, generation: is}, nil
}

// Traits says what the generation stores.
func (d *Driver) Traits() ledger.Traits { return d.generation.traits() }

// Last gives the newest order.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, "ORDER BY o.id DESC LIMIT 1")
}

// At gives the first order whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, "WHERE o.id >= ? ORDER BY o.id LIMIT 1", id)
}

func (d *Driver) place(ctx context.Context, which string, arguments ...any) (place ledger.Place, err error) {
	query := "SELECT o.id, " + d.generation.created(d.DB) + " FROM " + d.Table("orders") + " o " + which
	err = d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		place, err = d.generation.place(d.DB, rows)
		return err
	})
	return place, err
}

// After gives the orders behind a key.
func (d *Driver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if err := database.PageSize(limit); err != nil {
		return nil, err
	}
	return d.orders(ctx, "o.id > ? ORDER BY o.id LIMIT ?", id, limit)
}

// ByID gives the orders with these keys.
func (d *Driver) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 {
		return nil, err
	}
	list, keys := database.Keys(ids)
	return d.orders(ctx, "o.id IN ("+list+")", keys...)
}

// Find gives the order with a number, through its unique index.
func (d *Driver) Find(ctx context.Context, number string) (exporter.Order, error) {
	orders, err := d.orders(ctx, "o.out_trade_no = ?", number)
	if err != nil || len(orders) == 0 {
		return exporter.Order{}, err
	}
	return orders[0], nil
}

func (d *Driver) orders(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	var orders []exporter.Order
	err := d.Each(ctx, database.Short, d.generation.statement(d.DB, which), arguments, func(rows *sql.Rows) error {
		o, err := d.generation.scan(d.DB, rows)
		orders = append(orders, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return orders, nil
}

// Numbers gives the orders' numbers, if the account may read them.
func (d *Driver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	numbers := map[int64]string{}
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 || !d.Has("orders", "out_trade_no") {
		return numbers, err
	}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, out_trade_no FROM "+d.Table("orders")+" WHERE id IN ("+list+")", keys, func(rows *sql.Rows) error {
		var id int64
		var number string
		err := rows.Scan(&id, &number)
		numbers[id] = number
		return err
	})
	return numbers, err
}

// cards is the kind of a product that is sold card by card. All others can be
// sold again and again: a file, an invitation, one text for everybody.
const cards = "card_pool"

// Stock counts the cards of the products on sale, each by its index.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	const most = 10 * exporter.MaxProducts // of which the rest is counted as hidden
	var listed []exporter.Stock
	err = d.Each(ctx, database.Long, d.generation.shelf(d.DB, most), nil, func(rows *sql.Rows) error {
		var id int64
		var kind string
		var left int
		if err := rows.Scan(&id, &kind, &left); err != nil {
			return err
		}
		listed = append(listed, exporter.Stock{Product: strconv.FormatInt(id, 10), Cards: left, Looped: kind != cards})
		return nil
	})
	shown := min(len(listed), exporter.MaxProducts)
	return listed[:shown], len(listed) - shown, err
}
