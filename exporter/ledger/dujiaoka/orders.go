package dujiaoka

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

// currency of dujiaoka, which knows one only and doesn't store it.
const currency = "CNY"

// unknownPayment is the payment of an order whose channel was deleted from the table.
const unknownPayment = "unknown"

// After gives the orders behind a key.
func (d *Driver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if limit < 1 || limit > ledger.MaxBatch {
		return nil, fmt.Errorf("page of %d orders: want 1–%d", limit, ledger.MaxBatch)
	}
	return d.orders(ctx, "id > ? ORDER BY id LIMIT ?", id, limit)
}

// ByID gives the orders with these keys.
func (d *Driver) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	if len(ids) > ledger.MaxBatch {
		return nil, fmt.Errorf("batch of %d orders: want at most %d", len(ids), ledger.MaxBatch)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]any, len(ids))
	for i, id := range ids {
		keys[i] = id
	}
	return d.orders(ctx, "id IN (?"+strings.Repeat(",?", len(ids)-1)+")", keys...)
}

func (d *Driver) orders(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	s, err := d.known(ctx)
	if err != nil {
		return nil, err
	}
	quantity := "1"
	if s.quantity {
		quantity = "buy_amount"
	}
	var orders []exporter.Order
	var channels []sql.NullInt64
	query := "SELECT id, status, type, goods_id, pay_id, actual_price, " + quantity + ", created_at, updated_at, deleted_at FROM " +
		d.table("orders") + " WHERE " + which
	err = d.each(ctx, statementLimit, query, arguments, func(rows *sql.Rows) error {
		var o exporter.Order
		var status, kind, product int64
		var channel sql.NullInt64
		var created, updated, deleted sql.NullString
		if err := rows.Scan(&o.ID, &status, &kind, &product, &channel, &o.Amount, &o.Quantity, &created, &updated, &deleted); err != nil {
			return err
		}
		o.State, o.Automatic = state(status, kind), kind == automatic
		if deleted.Valid {
			o.State = exporter.Removed
		}
		o.Product, o.Currency = strconv.FormatInt(product, 10), currency
		o.Created, o.Updated = d.moment(created), d.moment(updated)
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
func state(status, kind int64) exporter.OrderState {
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

func (d *Driver) payment(channel int64) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	payment, known := d.payments[channel]
	return payment, known
}

func (d *Driver) readPayments(ctx context.Context) error {
	payments := map[int64]string{}
	err := d.each(ctx, statementLimit, "SELECT id, pay_check FROM "+d.table("pays")+" ORDER BY id LIMIT 1000", nil, func(rows *sql.Rows) error {
		var id int64
		var code string
		err := rows.Scan(&id, &code)
		payments[id] = code
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
func (d *Driver) Stock(ctx context.Context) ([]exporter.Stock, error) {
	if err := d.readPayments(ctx); err != nil {
		return nil, err
	}
	var stock []exporter.Stock
	at := map[int64]int{} // place in stock of the automatic ones
	var keys []any
	err := d.each(ctx, statementLimit, "SELECT id, type, in_stock FROM "+d.table("goods")+
		" WHERE is_open = 1 AND deleted_at IS NULL ORDER BY id LIMIT ?", []any{ledger.MaxBatch}, func(rows *sql.Rows) error {
		var id, kind int64
		var count int
		if err := rows.Scan(&id, &kind, &count); err != nil {
			return err
		}
		if kind == automatic {
			count, at[id] = 0, len(stock) // the cards say how many
			keys = append(keys, id)
		}
		stock = append(stock, exporter.Stock{Product: strconv.FormatInt(id, 10), Cards: max(0, count)})
		return nil
	})
	if err != nil || len(keys) == 0 {
		return stock, err
	}
	err = d.each(ctx, stockLimit, "SELECT goods_id, SUM(is_loop = 0), SUM(is_loop = 1) FROM "+d.table("carmis")+
		" WHERE goods_id IN (?"+strings.Repeat(",?", len(keys)-1)+") AND status = 1 AND deleted_at IS NULL GROUP BY goods_id", keys,
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
	return stock, err
}
