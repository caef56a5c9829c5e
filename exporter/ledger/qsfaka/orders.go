package qsfaka

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

// currency of qs-faka, which knows one only and doesn't store it.
const currency = "CNY"

// The values of order.status. Nothing in the shop sets closed, but its pages know it.
const (
	unpaid   = 0
	paid     = 1
	closed   = 2
	refunded = 3
)

// orders gives the orders of a condition, with the judgement on those that have
// not got their cards.
func (d *Driver) orders(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	rows, err := d.read(ctx, which, arguments...)
	if err != nil {
		return nil, err
	}
	if err := d.settle(ctx, rows); err != nil {
		return nil, err
	}
	if err := d.name(ctx, rows); err != nil {
		return nil, err
	}
	orders := make([]exporter.Order, len(rows))
	for i, r := range rows {
		orders[i] = r.order
	}
	return orders, nil
}

// row is an order as it was read. One that has not got all its cards is Ready
// until settle says otherwise.
type row struct {
	order    exporter.Order
	product  int64
	channel  int64
	quantity int
	handed   int // cards handed out
}

func (d *Driver) read(ctx context.Context, which string, arguments ...any) ([]row, error) {
	var list []row
	query := "SELECT id, status, goods_id, channel_id, quantity, sendout, total_price, create_at, success_at FROM " +
		d.Table("order") + " WHERE " + which
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var r row
		var status int64
		var created, success sql.NullInt64
		o := &r.order
		if err := rows.Scan(&o.ID, &status, &r.product, &r.channel, &r.quantity, &r.handed, &o.Amount, &created, &success); err != nil {
			return err
		}
		o.State, o.Automatic, o.Currency = state(status), true, currency
		o.Items = []exporter.Item{{Product: strconv.FormatInt(r.product, 10), Quantity: max(1, r.quantity)}}
		o.Created = database.Unix(created)
		if status == paid || status == refunded {
			o.Paid = database.Unix(success)
		}
		list = append(list, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, d.countHanded(ctx, list)
}

// state is the one state model's word for order.status, as if nothing were
// handed out. Forks add values; those are unknown.
func state(status int64) exporter.OrderState {
	switch status {
	case unpaid:
		return exporter.Unpaid
	case paid:
		return exporter.Ready
	case closed:
		return exporter.Expired
	case refunded:
		return exporter.Refunded
	}
	return exporter.UnknownState
}

// countHanded finds the delivered orders among the paid ones. Column sendout
// holds the size of the last batch alone, so where it is short the cards
// themselves are counted. That is how the shop counts, gifts included: once there
// are as many as were bought, it hands out no more.
func (d *Driver) countHanded(ctx context.Context, list []row) error {
	var doubtful []int64
	at := map[int64]int{}
	for i, r := range list {
		if r.order.State == exporter.Ready && r.handed < r.quantity {
			doubtful = append(doubtful, r.order.ID)
			at[r.order.ID] = i
		}
	}
	for batch := range slices.Chunk(doubtful, ledger.MaxBatch) {
		keys, arguments := database.Keys(batch)
		err := d.Each(ctx, database.Short, "SELECT order_id, COUNT(*) FROM "+d.Table("order_card")+
			" WHERE order_id IN ("+keys+") GROUP BY order_id", arguments, func(rows *sql.Rows) error {
			var id int64
			var cards int
			err := rows.Scan(&id, &cards)
			r := &list[at[id]]
			r.handed = max(r.handed, cards)
			return err
		})
		if err != nil {
			return err
		}
	}
	for i := range list {
		if r := &list[i]; r.order.State == exporter.Ready && r.handed >= r.quantity {
			r.order.State = exporter.Delivered
		}
	}
	return nil
}

var plain = regexp.MustCompile(`^[\w.-]{1,50}$`)

// name sets the orders' payments: the channel's code, or where that is in words,
// channel-<id>. The table of channels is small and hardly ever changes: it is
// read when an order names a channel that isn't known yet.
func (d *Driver) name(ctx context.Context, list []row) error {
	d.mu.Lock()
	unknown := slices.ContainsFunc(list, func(r row) bool { return r.channel != 0 && d.payments[r.channel] == "" })
	d.mu.Unlock()
	if unknown {
		if err := d.readPayments(ctx); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range list {
		channel := list[i].channel
		if channel == 0 {
			continue
		}
		if d.payments[channel] == "" { // until the next reading: don't ask for it with every order
			d.payments[channel] = "unknown"
		}
		list[i].order.Payment = d.payments[channel]
	}
	return nil
}

func (d *Driver) readPayments(ctx context.Context) error {
	payments := map[int64]string{}
	err := d.Each(ctx, database.Short, "SELECT id, code FROM "+d.Table("pay_channel")+" ORDER BY id LIMIT 1000", nil, func(rows *sql.Rows) error {
		var id int64
		var code string
		err := rows.Scan(&id, &code)
		if !plain.MatchString(code) {
			code = fmt.Sprintf("channel-%d", id)
		}
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
