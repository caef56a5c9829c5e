package dujiaonext

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

// purchases selects one row per item of each purchase that %s picks. A purchase
// without child rows stands for itself.
const purchases = `SELECT p.id, p.status, p.currency, CAST(p.total_amount AS REAL), CAST(p.paid_at AS TEXT),
	CAST(p.created_at AS TEXT), CAST(p.updated_at AS TEXT), p.deleted_at IS NOT NULL,
	(SELECT y.channel_type FROM payments y WHERE y.order_id = p.id AND y.deleted_at IS NULL
		ORDER BY y.status = 'success' DESC, y.id DESC LIMIT 1),
	COALESCE(c.id, p.id), COALESCE(c.status, p.status), CAST(c.paid_at AS TEXT),
	COALESCE(i.product_id, ''), COALESCE(i.quantity, 0), COALESCE(i.fulfillment_type, ''), CAST(f.delivered_at AS TEXT)
FROM (SELECT id, status, currency, total_amount, paid_at, created_at, updated_at, deleted_at FROM orders WHERE parent_id IS NULL AND %s) p
LEFT JOIN orders c ON c.parent_id = p.id AND c.deleted_at IS NULL
LEFT JOIN order_items i ON i.order_id = COALESCE(c.id, p.id) AND i.deleted_at IS NULL
LEFT JOIN fulfillments f ON f.order_id = COALESCE(c.id, p.id) AND f.deleted_at IS NULL
ORDER BY p.id, c.id, i.id`

// After gives the purchases behind a key.
func (d *Driver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if limit < 1 || limit > ledger.MaxBatch {
		return nil, fmt.Errorf("page of %d orders: want 1–%d", limit, ledger.MaxBatch)
	}
	return d.purchases(ctx, "id > ? ORDER BY id LIMIT ?", id, limit)
}

// ByID gives the purchases with these keys.
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
	return d.purchases(ctx, "id IN (?"+strings.Repeat(",?", len(ids)-1)+")", keys...)
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
	err := d.each(ctx, fmt.Sprintf(purchases, which), arguments, func(rows *sql.Rows) error {
		o, l, err := scan(rows)
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
	finish()
	return orders, err
}

// line is one item of a purchase.
type line struct {
	child     int64
	status    string
	paid      time.Time
	product   string
	quantity  int
	how       string // fulfillment_type
	delivered time.Time
}

// scan reads one row. The order is complete but for what its lines decide.
func scan(rows *sql.Rows) (exporter.Order, line, error) {
	var o exporter.Order
	var l line
	var status string
	var removed bool
	var payment, paid, created, updated, childPaid, delivered sql.NullString
	err := rows.Scan(&o.ID, &status, &o.Currency, &o.Amount, &paid, &created, &updated, &removed, &payment,
		&l.child, &l.status, &childPaid, &l.product, &l.quantity, &l.how, &delivered)
	if err != nil {
		return o, l, err
	}
	o.Payment = payment.String
	if removed {
		o.State = exporter.Removed
	}
	o.Paid, o.Created, o.Updated = moment(paid), moment(created), moment(updated)
	l.paid, l.delivered = moment(childPaid), moment(delivered)
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
	for _, l := range lines {
		if l.product != "" {
			o.Items = append(o.Items, exporter.Item{Product: l.product, Quantity: max(1, l.quantity)})
		}
	}
	automatic := map[int64]bool{} // children all of whose items the machine delivers
	for _, l := range lines {
		all, met := automatic[l.child]
		automatic[l.child] = l.how == "auto" && (all || !met)
	}
	states := map[exporter.OrderState]bool{}
	whole := true
	var last time.Time
	o.Automatic = true
	for _, l := range lines {
		states[state(l.status, automatic[l.child])] = true
		o.Automatic = o.Automatic && automatic[l.child]
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
func state(status string, automatic bool) exporter.OrderState {
	switch status {
	case "pending_payment":
		return exporter.Unpaid
	case "canceled":
		return exporter.Expired
	case "paid":
		if automatic {
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

// layouts are how Go programs write a moment into SQLite. The shop mixes UTC
// and its own offset, so the text must be parsed and never compared.
var layouts = []string{
	"2006-01-02 15:04:05.999999999-07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 -0700 MST",
	"2006-01-02 15:04:05.999999999", // SQLite's own clock: UTC
}

// moment reads a stored time. NULL is the zero time, and so is what no layout
// fits: one odd row must not hide all others. Check looks whether odd is the rule.
func moment(text sql.NullString) time.Time {
	value, _, _ := strings.Cut(text.String, " m=") // Go's monotonic clock
	for _, layout := range layouts {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
