package zfaka

import (
	"context"
	"database/sql"
	"regexp"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// currency of zfaka, which knows one only and doesn't store it.
const currency = "CNY"

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

// Numbers gives the orders' numbers, if the account may read them.
func (d *Driver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	numbers := map[int64]string{}
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 || !d.Has("order", "orderid") {
		return numbers, err
	}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, orderid FROM "+d.Table("order")+" WHERE id IN ("+list+")", keys, func(rows *sql.Rows) error {
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
	id, product    int64
	status         sql.NullInt64
	cards, deleted sql.NullInt64
	method         sql.NullString
	due, got       sql.NullFloat64
	created, paid  sql.NullInt64
}

func (d *Driver) orders(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	got := "0"
	if d.Has("order", "paymoney") {
		got = "paymoney"
	}
	var page []row
	var products []int64
	query := "SELECT id, status, pid, number, paymethod, money, " + got + ", addtime, paytime, isdelete FROM " + d.Table("order") + " WHERE " + which
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var r row
		var product sql.NullInt64
		err := rows.Scan(&r.id, &r.status, &product, &r.cards, &r.method, &r.due, &r.got, &r.created, &r.paid, &r.deleted)
		r.product = product.Int64
		page, products = append(page, r), append(products, r.product)
		return err
	})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	kinds, err := d.kinds(ctx, products)
	if err != nil {
		return nil, err
	}
	orders := make([]exporter.Order, len(page))
	for i, r := range page {
		orders[i] = order(r, kinds[r.product])
	}
	return orders, nil
}

// order is the noun of a row. The amount is what was paid where the shop knows
// it: some channels add cents by which they tell orders apart.
func order(r row, k kind) exporter.Order {
	o := exporter.Order{
		ID: r.id, State: state(r, k), Automatic: k != manual, Payment: payment(r.method.String), Amount: r.due.Float64, Currency: currency,
		Items:   []exporter.Item{{Product: strconv.FormatInt(r.product, 10), Quantity: int(max(1, r.cards.Int64))}},
		Created: database.Unix(r.created), Paid: database.Unix(r.paid),
	}
	if r.got.Float64 > 0 {
		o.Amount = r.got.Float64
	}
	if o.Amount == 0 {
		o.Payment = "" // free: nothing was paid through a channel
	}
	return o
}

// state is the one state model's word for a row. Where the product is gone, the
// shop stops after it took down the payment, as it does when it breaks.
func state(r row, k kind) exporter.OrderState {
	if r.deleted.Int64 != 0 {
		return exporter.Removed
	}
	if !r.status.Valid {
		return exporter.UnknownState
	}
	switch r.status.Int64 {
	case 0:
		return exporter.Unpaid
	case 1:
		switch k {
		case automatic, gone:
			return exporter.PaidAutoWaiting
		case manual:
			return exporter.ManualWaiting
		}
	case 2:
		return exporter.Delivered
	case 3:
		return exporter.FailedShortOfStock
	}
	return exporter.UnknownState
}

// byHand is the channel of orders that the administrator called paid.
const byHand = "admin"

const longestPayment = 64

var freeText = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// payment is a channel's alias, which the shop writes down with the payment and
// not before. What an administrator completes came through no channel.
func payment(method string) string {
	if method == byHand {
		return ""
	}
	name := freeText.ReplaceAllLiteralString(method, "_")
	return name[:min(len(name), longestPayment)]
}
