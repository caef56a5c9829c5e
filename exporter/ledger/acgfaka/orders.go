package acgfaka

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// currency of acg-faka, which knows one only and doesn't store it.
const currency = "CNY"

// unknownPayment is the payment of an order whose channel was deleted from the table.
const unknownPayment = "unknown"

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
	return d.orders(ctx, "id IN ("+list+")", keys...)
}

// Find gives the order with a number, through its unique index.
func (d *Driver) Find(ctx context.Context, number string) (exporter.Order, error) {
	orders, err := d.orders(ctx, "trade_no = ?", number)
	if err != nil || len(orders) == 0 {
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
	err := d.Each(ctx, database.Short, "SELECT id, trade_no FROM "+d.Table("order")+" WHERE id IN ("+list+")", keys, func(rows *sql.Rows) error {
		var id int64
		var number sql.NullString
		err := rows.Scan(&id, &number)
		numbers[id] = number.String
		return err
	})
	return numbers, err
}

// row is an order as the shop writes it.
type row struct {
	id                      int64
	status, delivery        sql.NullInt64
	product, cards, channel sql.NullInt64
	amount                  sql.NullFloat64
	created, paid           sql.NullString
}

func (d *Driver) orders(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	var page []row
	query := "SELECT id, status, delivery_status, commodity_id, card_num, pay_id, amount, create_time, pay_time FROM " +
		d.Table("order") + " WHERE " + which
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var r row
		err := rows.Scan(&r.id, &r.status, &r.delivery, &r.product, &r.cards, &r.channel, &r.amount, &r.created, &r.paid)
		page = append(page, r)
		return err
	})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	products, channels := make([]int64, len(page)), make([]int64, len(page))
	for i, r := range page {
		products[i], channels[i] = r.product.Int64, r.channel.Int64
	}
	goods, err := d.products.of(ctx, products)
	if err != nil {
		return nil, err
	}
	payments, err := d.channels.of(ctx, channels)
	if err != nil {
		return nil, err
	}
	// The cards are linked when the order is marked delivered, in one transaction:
	// whoever reads them after the order sees them.
	linked, err := d.linked(ctx, page, goods)
	if err != nil {
		return nil, err
	}
	orders := make([]exporter.Order, len(page))
	for i, r := range page {
		orders[i] = d.order(r, goods[r.product.Int64], payments[r.channel.Int64], linked[r.id])
	}
	return orders, nil
}

// cards are those that an order got.
type cards struct {
	count int
	last  time.Time // when the last of them was linked; zero: not known of every one
}

// linked counts the cards of the orders that the shop calls delivered and that
// it delivers by linking cards.
func (d *Driver) linked(ctx context.Context, page []row, goods map[int64]product) (map[int64]cards, error) {
	var ids []int64
	for _, r := range page {
		if r.status.Int64 == paid && r.delivery.Int64 == delivered && goods[r.product.Int64].byCards() {
			ids = append(ids, r.id)
		}
	}
	linked := map[int64]cards{}
	if len(ids) == 0 {
		return linked, nil
	}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT order_id, COUNT(*), COUNT(purchase_time), MAX(purchase_time) FROM "+d.Table("card")+
		" WHERE order_id IN ("+list+") GROUP BY order_id", keys, func(rows *sql.Rows) error {
		var id int64
		var timed int
		var last sql.NullString
		var c cards
		err := rows.Scan(&id, &c.count, &timed, &last)
		if timed == c.count {
			c.last = d.Moment(last)
		}
		linked[id] = c
		return err
	})
	return linked, err
}

// order is the noun of a row. A gift, a free order and one that the site's
// balance paid name a channel too, but nothing was paid through it.
func (d *Driver) order(r row, p product, payment string, got cards) exporter.Order {
	o := exporter.Order{
		ID: r.id, State: state(r, p, got), Automatic: p.there && p.way == automatic, Amount: r.amount.Float64, Currency: currency,
		Items:   []exporter.Item{{Product: strconv.FormatInt(r.product.Int64, 10), Quantity: int(max(1, r.cards.Int64))}},
		Created: d.Moment(r.created), Paid: d.Moment(r.paid),
	}
	switch {
	case o.Amount == 0 || payment == system:
	case payment == "":
		o.Payment = unknownPayment
	default:
		o.Payment = payment
	}
	if o.State == exporter.Delivered && o.Automatic {
		o.Delivered = o.Paid
		if p.byCards() && (got.last.IsZero() || got.last.After(o.Paid)) {
			o.Delivered = got.last // somebody made a shortage good
		}
	}
	return o
}

// The values of order.status and order.delivery_status.
const (
	unpaid = 0
	paid   = 1

	undelivered = 0
	delivered   = 1
)

// state is the one state model's word for a row. Plugins add values; those are
// unknown. What waits undelivered is goods that a person delivers, unless their
// product says otherwise; of a product that is gone nobody can say whether its
// cards are too.
func state(r row, p product, got cards) exporter.OrderState {
	switch {
	case r.status.Valid && r.status.Int64 == unpaid:
		return exporter.Unpaid
	case r.status.Int64 != paid || !r.delivery.Valid:
		return exporter.UnknownState
	case r.delivery.Int64 == delivered && p.byCards() && int64(got.count) < r.cards.Int64:
		return exporter.FailedShortOfStock
	case r.delivery.Int64 == delivered:
		return exporter.Delivered
	case r.delivery.Int64 != undelivered:
		return exporter.UnknownState
	case !p.there || p.way == manual:
		return exporter.ManualWaiting
	case p.way == automatic:
		return exporter.PaidAutoWaiting
	}
	return exporter.UnknownState
}
