package dujiaonext

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// automatic is the fulfillment_type of what the machine delivers.
const automatic = "auto"

// After gives the purchases behind a key.
func (d *Driver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if err := database.PageSize(limit); err != nil {
		return nil, err
	}
	return d.purchases(ctx, "id > ? ORDER BY id LIMIT ?", id, limit)
}

// ByID gives the purchases with these keys.
func (d *Driver) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 {
		return nil, err
	}
	list, keys := database.Keys(ids)
	return d.purchases(ctx, "id IN ("+list+")", keys...)
}

// unset is a condition that no index answers. Nearly all rows of a table have no
// deleted_at, and half of the orders no parent_id: an optimizer that takes that
// for rare reads all of them instead of going by key.
func unset(column string) string { return "(" + column + " IS NULL) IS TRUE" }

// statement selects one row per item of each purchase that which picks. A
// purchase without child rows stands for itself; one that was deleted still has
// the children that were deleted with it. Of several payments the one
// that succeeded is the purchase's, else the last that was begun.
func (d *Driver) statement(which string) string {
	return "SELECT p.id, p.status, p.currency, p.total_amount, " +
		d.Instant("p.paid_at") + ", " + d.Instant("p.created_at") + ", " + d.Instant("p.updated_at") + `, p.deleted_at IS NOT NULL,
	(SELECT y.channel_type FROM ` + d.Table("payments") + ` y WHERE y.order_id = p.id AND ` + unset("y.deleted_at") + `
		ORDER BY y.status = 'success' DESC, y.id DESC LIMIT 1),
	COALESCE(c.id, p.id), COALESCE(c.status, p.status), ` + d.Instant("c.paid_at") + `,
	i.product_id, i.quantity, i.fulfillment_type, ` + d.Instant("f.delivered_at") + `
FROM (SELECT id, status, currency, total_amount, paid_at, created_at, updated_at, deleted_at
	FROM ` + d.orders() + ` WHERE ` + unset("parent_id") + ` AND ` + which + `) p
LEFT JOIN ` + d.Table("orders") + ` c ON c.parent_id = p.id AND (c.deleted_at IS NULL OR p.deleted_at IS NOT NULL)
LEFT JOIN ` + d.Table("order_items") + ` i ON i.order_id = COALESCE(c.id, p.id) AND ` + unset("i.deleted_at") + `
LEFT JOIN ` + d.Table("fulfillments") + ` f ON f.order_id = COALESCE(c.id, p.id) AND ` + unset("f.deleted_at") + `
ORDER BY p.id, c.id, i.id`
}

func (d *Driver) purchases(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	var orders []exporter.Order
	var lines []line
	finish := func() {
		if n := len(orders); n > 0 {
			judge(&orders[n-1], lines)
		}
		lines = lines[:0]
	}
	err := d.Each(ctx, database.Short, d.statement(which), arguments, func(rows *sql.Rows) error {
		o, l, err := d.scan(rows)
		if err != nil {
			return err
		}
		if n := len(orders); n == 0 || orders[n-1].ID != o.ID {
			finish()
			orders = append(orders, o)
		}
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	finish()
	return orders, nil
}

// line is one item of a purchase.
type line struct {
	child     int64
	status    string
	paid      time.Time
	product   int64 // 0: a child without items
	quantity  int
	how       string // fulfillment_type
	delivered time.Time
}

// scan reads one row. The order is complete but for what its lines decide.
func (d *Driver) scan(rows *sql.Rows) (exporter.Order, line, error) {
	var o exporter.Order
	var l line
	var status string
	var removed bool
	var amount sql.NullFloat64
	var product, quantity sql.NullInt64
	var payment, how, paid, created, updated, childPaid, delivered sql.NullString
	err := rows.Scan(&o.ID, &status, &o.Currency, &amount, &paid, &created, &updated, &removed, &payment,
		&l.child, &l.status, &childPaid, &product, &quantity, &how, &delivered)
	if err != nil {
		return o, l, err
	}
	o.Amount, o.Payment = amount.Float64, payment.String
	if removed {
		o.State = exporter.Removed
	}
	o.Paid, o.Created, o.Updated = d.Moment(paid), d.Moment(created), d.Moment(updated)
	l.product, l.quantity, l.how = product.Int64, int(quantity.Int64), how.String
	l.paid, l.delivered = d.Moment(childPaid), d.Moment(delivered)
	return o, l, nil
}

// urgency orders the states of a purchase's products: the purchase is what the
// first of these is that any product is.
var urgency = []exporter.OrderState{
	exporter.PaidAutoWaiting, exporter.ManualWaiting, exporter.UnknownState,
	exporter.Unpaid, exporter.Delivered, exporter.Refunded, exporter.Expired,
}

// judge completes a purchase from its lines, of which there is at least one.
func judge(o *exporter.Order, lines []line) {
	byMachine := map[int64]bool{} // children all of whose items the machine delivers
	for _, l := range lines {
		if l.product != 0 {
			o.Items = append(o.Items, exporter.Item{Product: strconv.FormatInt(l.product, 10), Quantity: max(1, l.quantity)})
		}
		all, met := byMachine[l.child]
		byMachine[l.child] = l.how == automatic && (all || !met)
	}
	states := map[exporter.OrderState]bool{}
	whole := true
	var last time.Time
	o.Automatic = true
	for _, l := range lines {
		states[state(l.status, byMachine[l.child])] = true
		o.Automatic = o.Automatic && byMachine[l.child]
		if o.Paid.IsZero() {
			o.Paid = l.paid
		}
		whole = whole && !l.delivered.IsZero()
		if l.delivered.After(last) {
			last = l.delivered
		}
	}
	if whole {
		o.Delivered = last
	}
	if o.State == exporter.Removed {
		return
	}
	for _, s := range urgency {
		if states[s] {
			o.State = s
			break
		}
	}
	// While the machine owes a part of it, a mixed purchase waits for the machine.
	if o.State == exporter.PaidAutoWaiting {
		o.Automatic = true
	}
}

// state is the one state model's word for a product's status. Cards are
// reserved when the buyer orders; a product that the machine can't deliver
// stays paid.
func state(status string, byMachine bool) exporter.OrderState {
	switch status {
	case "pending_payment":
		return exporter.Unpaid
	case "canceled":
		return exporter.Expired
	case "paid":
		if byMachine {
			return exporter.PaidAutoWaiting
		}
		return exporter.ManualWaiting
	case "fulfilling", "partially_delivered":
		return exporter.ManualWaiting
	case "delivered", "completed":
		return exporter.Delivered
	case "refunded", "partially_refunded":
		return exporter.Refunded
	}
	return exporter.UnknownState
}
