package dujiaoka

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// currency of dujiaoka, which knows one only and doesn't store it.
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
	orders, err := d.orders(ctx, "order_sn = ? AND deleted_at IS NULL", number)
	if err != nil || len(orders) == 0 {
		return exporter.Order{}, err
	}
	return orders[0], nil
}

// Numbers gives the orders' numbers, if the account may read them.
func (d *Driver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	numbers := map[int64]string{}
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 || !d.Has("orders", "order_sn") {
		return numbers, err
	}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, order_sn FROM "+d.Table("orders")+" WHERE id IN ("+list+")", keys, func(rows *sql.Rows) error {
		var id int64
		var number string
		err := rows.Scan(&id, &number)
		numbers[id] = number
		return err
	})
	return numbers, err
}

func (d *Driver) orders(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	quantity := "1"
	if d.Has("orders", "buy_amount") {
		quantity = "buy_amount"
	}
	var orders []exporter.Order
	var channels []sql.NullInt64
	query := "SELECT id, status, type, goods_id, pay_id, actual_price, " + quantity + ", created_at, updated_at, deleted_at FROM " +
		d.Table("orders") + " WHERE " + which
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var o exporter.Order
		var status, kind, product, items, channel sql.NullInt64 // a fork may allow NULL: it mustn't hide all other rows
		var amount sql.NullFloat64
		var created, updated, deleted sql.NullString
		if err := rows.Scan(&o.ID, &status, &kind, &product, &channel, &amount, &items, &created, &updated, &deleted); err != nil {
			return err
		}
		o.State, o.Automatic = state(status, kind.Int64), kind.Int64 == automatic
		if deleted.Valid {
			o.State = exporter.Removed
		}
		o.Items = []exporter.Item{{Product: strconv.FormatInt(product.Int64, 10), Quantity: int(max(1, items.Int64))}}
		o.Amount, o.Currency = amount.Float64, currency
		o.Created, o.Updated = d.Moment(created), d.Moment(updated)
		orders, channels = append(orders, o), append(channels, channel)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return orders, d.name(ctx, orders, channels)
}

// The values of orders.type and goods.type.
const (
	automatic = 1
	manual    = 2
)

// state is the one state model's word for orders.status and orders.type. Forks
// add values; those are unknown.
func state(stored sql.NullInt64, kind int64) exporter.OrderState {
	status := stored.Int64 // 0, which is none, where it is NULL
	switch status {
	case 1:
		return exporter.Unpaid
	case -1:
		return exporter.Expired
	case 4:
		return exporter.Delivered
	case 5:
		return exporter.Failed
	}
	switch {
	case kind == automatic && (status == 2 || status == 3): // only a person sets these
		return exporter.PaidAutoWaiting
	case kind == automatic && status == 6:
		return exporter.FailedShortOfStock
	case kind == manual && (status == 2 || status == 6): // 6: the type was changed after it ran short
		return exporter.ManualWaiting
	case kind == manual && status == 3:
		return exporter.ManualWorking
	}
	return exporter.UnknownState
}

// name sets the orders' payments. The table of channels is small and hardly ever
// changes: it is read when an order names a channel that isn't known yet. A
// free order names one too, but nothing was paid through it.
func (d *Driver) name(ctx context.Context, orders []exporter.Order, channels []sql.NullInt64) error {
	read := false
	for i, channel := range channels {
		if !channel.Valid || orders[i].Amount == 0 {
			continue
		}
		payment, known := d.payment(channel.Int64)
		if !known && !read {
			if err := d.readPayments(ctx); err != nil {
				return err
			}
			read = true
			payment, known = d.payment(channel.Int64)
		}
		if !known {
			payment = unknownPayment
			d.mu.Lock()
			d.payments[channel.Int64] = payment // until the next reading: don't ask for it with every order
			d.mu.Unlock()
		}
		orders[i].Payment = payment
	}
	return nil
}

// plainCode is what a payment may be called: codes are short words of the
// software, which name gateways, unless an owner wrote something of his own.
var plainCode = regexp.MustCompile(`^[\w.-]{1,64}$`)

func (d *Driver) payment(channel int64) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	payment, known := d.payments[channel]
	return payment, known
}

func (d *Driver) readPayments(ctx context.Context) error {
	payments := map[int64]string{}
	err := d.Each(ctx, database.Short, "SELECT id, pay_check FROM "+d.Table("pays")+" ORDER BY id LIMIT 1000", nil, func(rows *sql.Rows) error {
		var id int64
		var code sql.NullString
		err := rows.Scan(&id, &code)
		if payments[id] = code.String; !plainCode.MatchString(code.String) {
			payments[id] = fmt.Sprintf("channel-%d", id)
		}
		return err
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.payments = payments
	return nil
}

// Stock counts the cards of the products on sale. Cards that are sold again and
// again never run out, and manual products have a number that a person keeps.
// The channels' names are read again on the way, since this is called seldom.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	if err := d.readPayments(ctx); err != nil {
		return nil, 0, err
	}
	at := map[int64]int{} // place in stock of the automatic ones
	var keys []int64
	const most = 10 * exporter.MaxProducts // of which the rest is counted as hidden
	err = d.Each(ctx, database.Short, "SELECT id, type, in_stock FROM "+d.Table("goods")+
		" WHERE is_open = 1 AND deleted_at IS NULL ORDER BY id LIMIT ?", []any{most}, func(rows *sql.Rows) error {
		var id, kind int64
		var count int
		if err := rows.Scan(&id, &kind, &count); err != nil {
			return err
		}
		if len(stock) == exporter.MaxProducts {
			hidden++
			return nil
		}
		if kind == automatic {
			count, at[id] = 0, len(stock) // the cards say how many
			keys = append(keys, id)
		}
		stock = append(stock, exporter.Stock{Product: strconv.FormatInt(id, 10), Cards: max(0, count)})
		return nil
	})
	if err != nil || len(keys) == 0 {
		return stock, hidden, err
	}
	list, arguments := database.Keys(keys)
	err = d.Each(ctx, database.Long, "SELECT goods_id, COALESCE(SUM(is_loop = 0), 0), COALESCE(SUM(is_loop = 1), 0) FROM "+d.Table("carmis")+
		" WHERE goods_id IN ("+list+") AND status = 1 AND deleted_at IS NULL GROUP BY goods_id", arguments,
		func(rows *sql.Rows) error {
			var id int64
			var single, looped int
			if err := rows.Scan(&id, &single, &looped); err != nil {
				return err
			}
			s := &stock[at[id]]
			s.Cards, s.Looped = single, looped > 0
			return nil
		})
	return stock, hidden, err
}
