package demo

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// waiting is a child order that a paid buyer waits for.
type waiting struct {
	ID   int64     `json:"id"`
	Paid time.Time `json:"paid"`
}

// waitingFor asks for the oldest children in a state: paid waits for the
// machine, fulfilling for a person.
type waitingFor struct {
	Status string `json:"status"`
	Limit  int    `json:"limit"`
}

func (b *books) waiting(ctx context.Context, in waitingFor) ([]waiting, error) {
	// The cast keeps the driver from reading the text as a time of its own.
	rows, err := b.db.QueryContext(ctx, `SELECT id, CAST(paid_at AS TEXT) FROM orders
		WHERE status=? AND parent_id IS NOT NULL AND deleted_at IS NULL ORDER BY id LIMIT ?`, in.Status, in.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []waiting{}
	for rows.Next() {
		var w waiting
		var paid string
		if err := rows.Scan(&w.ID, &paid); err != nil {
			return nil, err
		}
		if w.Paid, err = time.Parse(timeText, paid); err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

// deliver hands the goods of one waiting child over. Automatic goods go from
// paid to completed, those of a person to delivered; the parent follows.
func (b *books) deliver(ctx context.Context, child int64) (nothing, error) {
	now := b.now()
	at, updated := local(now), automatic(now)
	return nothing{}, b.write(ctx, func(tx *sql.Tx) error {
		var status string
		var parent int64
		if err := tx.QueryRowContext(ctx, `SELECT status, parent_id FROM orders WHERE id=?`, child).Scan(&status, &parent); err != nil {
			return unless(err, refusedUnknown)
		}
		var kind, payload, after string
		switch status {
		case "paid":
			kind, after = "auto", "completed"
			if err := tx.QueryRowContext(ctx, `SELECT secret FROM card_secrets WHERE order_id=? AND status='reserved'`, child).Scan(&payload); err != nil {
				return unless(err, refusedSoldOut)
			}
			if _, err := tx.ExecContext(ctx, `UPDATE card_secrets SET status='used', used_at=?, updated_at=? WHERE order_id=? AND status='reserved'`, at, updated, child); err != nil {
				return err
			}
		case "fulfilling":
			kind, after, payload = "manual", "delivered", "您的账号已开通 / your account is set up"
		default:
			return refusedClosed
		}
		if _, err := insert(ctx, tx, `INSERT INTO fulfillments (order_id, type, status, payload, delivered_at, created_at, updated_at)
			VALUES (?, ?, 'delivered', ?, ?, ?, ?)`, child, kind, payload, at, updated, updated); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE orders SET status=?, updated_at=? WHERE id IN (?, ?)`, after, updated, child, parent)
		return err
	})
}

// catchUp delivers what the last process left paid, before the doors open: a
// shop that was off for a night is no shop that delivers late.
func (b *books) catchUp(ctx context.Context) error {
	for {
		left, err := b.waiting(ctx, waitingFor{Status: "paid", Limit: 100})
		if err != nil {
			return fmt.Errorf("deliver what was left: %w", err)
		}
		done := 0
		for _, order := range left {
			if _, err := b.deliver(ctx, order.ID); err == nil {
				done++
			}
		}
		if done == 0 { // nothing left, or only what the worker will say why it can't be delivered
			return nil
		}
	}
}

// expire cancels unpaid orders past their deadline, expires their payments and
// puts their cards back on sale. It returns how many.
func (b *books) expire(ctx context.Context, _ nothing) (int, error) {
	now := b.now()
	canceled := 0
	err := b.write(ctx, func(tx *sql.Tx) error {
		// Seconds, not text: the books mix offsets. Few orders are unpaid at a time.
		due, err := ids(ctx, tx, `SELECT id FROM orders WHERE status='pending_payment' AND parent_id IS NULL
			AND CAST(strftime('%s', expires_at) AS INTEGER) <= ? ORDER BY id LIMIT 100`, now.Unix())
		if err != nil || len(due) == 0 {
			return err
		}
		canceled = len(due)
		at, updated := local(now), automatic(now)
		for _, parent := range due {
			if err := execute(ctx, tx,
				statement{`UPDATE card_secrets SET status='available', order_id=NULL, reserved_at=NULL, updated_at=?
					WHERE status='reserved' AND order_id IN (SELECT id FROM orders WHERE parent_id=?)`, []any{updated, parent}},
				statement{`UPDATE orders SET status='canceled', canceled_at=?, updated_at=? WHERE id=? OR parent_id=?`, []any{at, updated, parent, parent}},
				statement{`UPDATE payments SET status='expired', expired_at=?, updated_at=? WHERE order_id=? AND status='pending'`, []any{at, updated, parent}},
			); err != nil {
				return err
			}
		}
		return nil
	})
	return canceled, err
}

// refill puts new cards on sale for every product that runs low. It returns how many.
func (b *books) refill(ctx context.Context, _ nothing) (int, error) {
	added := 0
	err := b.write(ctx, func(tx *sql.Tx) (err error) {
		added, err = b.refillIn(ctx, tx, false)
		return err
	})
	return added, err
}

// refillIn fills a product up to three horizons of sales once fewer cards than
// 1.5 horizons are left, so that stock moves and yet no warning of short stock
// is due. A new shop begins anywhere between the two.
func (b *books) refillIn(ctx context.Context, tx *sql.Tx, begin bool) (int, error) {
	sales := float64(stockHorizon) / float64(meanArrival)
	created := automatic(b.now())
	total := 0
	for _, p := range catalogue {
		if p.manual {
			continue
		}
		horizon := sales * p.share
		var product int64
		var left float64
		if err := tx.QueryRowContext(ctx, `SELECT id, (SELECT count(*) FROM card_secrets c WHERE c.product_id=p.id AND c.sku_id=0 AND c.status='available')
			FROM products p WHERE slug=?`, p.slug).Scan(&product, &left); err != nil {
			return total, err
		}
		if left >= 1.5*horizon {
			continue
		}
		fill := 3 * horizon
		if begin {
			fill = (1.5 + 1.5*b.rand.Float64()) * horizon
		}
		cards := int(fill - left)
		if _, err := tx.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<?)
			INSERT INTO card_secrets (product_id, sku_id, secret, status, created_at, updated_at)
			SELECT ?, 0, 'DEMO-' || hex(randomblob(8)), 'available', ?, ? FROM n`, cards, product, created, created); err != nil {
			return total, err
		}
		total += cards
	}
	return total, nil
}

// prune forgets up to a hundred finished orders older than keepOrders, with
// all that hangs on them. It returns how many. Orders that wait stay for ever.
func (b *books) prune(ctx context.Context, _ nothing) (int, error) {
	forgotten := 0
	err := b.write(ctx, func(tx *sql.Tx) error {
		// created_at is all UTC, so here its text may be compared.
		parents, err := ids(ctx, tx, `SELECT id FROM orders WHERE created_at < ? AND parent_id IS NULL
			AND status IN ('completed','delivered','canceled') ORDER BY created_at LIMIT 100`, automatic(b.now().Add(-keepOrders)))
		if err != nil || len(parents) == 0 {
			return err
		}
		forgotten = len(parents)
		list := placeholders(len(parents))
		children := `(SELECT id FROM orders WHERE parent_id IN ` + list + `)`
		return execute(ctx, tx,
			statement{`DELETE FROM order_items WHERE order_id IN ` + children, parents},
			statement{`DELETE FROM fulfillments WHERE order_id IN ` + children, parents},
			statement{`DELETE FROM card_secrets WHERE status='used' AND order_id IN ` + children, parents},
			statement{`DELETE FROM payments WHERE order_id IN ` + list, parents},
			statement{`DELETE FROM orders WHERE parent_id IN ` + list, parents},
			statement{`DELETE FROM orders WHERE id IN ` + list, parents},
		)
	})
	return forgotten, err
}

type statement struct {
	text   string
	values []any
}

func execute(ctx context.Context, tx *sql.Tx, statements ...statement) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s.text, s.values...); err != nil {
			return fmt.Errorf("%w in %.40s", err, s.text)
		}
	}
	return nil
}

func placeholders(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")" }

// ids reads a column of keys.
func ids(ctx context.Context, tx *sql.Tx, query string, values ...any) ([]any, error) {
	rows, err := tx.QueryContext(ctx, query, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []any
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
