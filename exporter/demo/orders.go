package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// purchase is what a buyer orders.
type purchase struct {
	Product  string `json:"product"` // slug
	Payment  string `json:"payment"` // service id
	Mail     string `json:"mail"`
	Password string `json:"password"` // opens the goods later
}

// receipt is an order as far as the pages and gateways need it.
type receipt struct {
	Order    string `json:"order"`
	Product  string `json:"product"`
	Payment  string `json:"payment"`
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
	Status   string `json:"status"`
	Goods    string `json:"goods,omitempty"` // once delivered
}

// place books one purchase as dujiao-next does: a parent row with the money, a
// child row with the item, a payment, and a card reserved for it.
func (b *books) place(ctx context.Context, in purchase) (receipt, error) {
	p, known := productBySlug(in.Product)
	if !known {
		return receipt{}, refusedProduct
	}
	now := b.now()
	order := receipt{
		// dujiao-next's numbers: the second, then six random digits.
		Order:   fmt.Sprintf("DJ%s%06d", now.In(shanghai).Format("20060102150405"), b.rand.IntN(1_000_000)),
		Product: p.slug, Payment: in.Payment, Amount: p.price, Currency: p.currency, Status: "pending_payment",
	}
	created, expires := automatic(now), local(now.Add(b.scale(orderExpiry)))
	err := b.write(ctx, func(tx *sql.Tx) error {
		var productID, channelID int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM products WHERE slug=? AND is_active AND deleted_at IS NULL`, p.slug).Scan(&productID); err != nil {
			return unless(err, refusedProduct)
		}
		if err := tx.QueryRowContext(ctx, `SELECT id FROM payment_channels WHERE channel_type=? AND is_active AND deleted_at IS NULL`, in.Payment).Scan(&channelID); err != nil {
			return unless(err, refusedProduct)
		}
		const insertOrder = `INSERT INTO orders (order_no, parent_id, user_id, guest_email, guest_password, status, currency, total_amount, expires_at, created_at, updated_at)
			VALUES (?, ?, 0, ?, ?, 'pending_payment', ?, ?, ?, ?, ?)`
		parent, err := insert(ctx, tx, insertOrder, order.Order, nil, in.Mail, in.Password, p.currency, p.price, expires, created, created)
		if err != nil {
			return err
		}
		child, err := insert(ctx, tx, insertOrder, order.Order+"-01", parent, in.Mail, in.Password, p.currency, p.price, expires, created, created)
		if err != nil {
			return err
		}
		if _, err := insert(ctx, tx, `INSERT INTO order_items (order_id, product_id, title_json, quantity, fulfillment_type, created_at, updated_at)
			VALUES (?, ?, ?, 1, ?, ?, ?)`, child, productID, titleJSON(p), p.fulfillment(), created, created); err != nil {
			return err
		}
		if _, err := insert(ctx, tx, `INSERT INTO payments (order_id, channel_id, provider_type, channel_type, amount, status, created_at, updated_at, expired_at)
			VALUES (?, ?, 'official', ?, ?, 'pending', ?, ?, ?)`, parent, channelID, in.Payment, p.price, created, created, expires); err != nil {
			return err
		}
		if p.manual {
			return nil
		}
		reserved, err := tx.ExecContext(ctx, `UPDATE card_secrets SET status='reserved', order_id=?, reserved_at=?, updated_at=? WHERE id=
			(SELECT id FROM card_secrets WHERE product_id=? AND sku_id=0 AND status='available' AND deleted_at IS NULL ORDER BY id LIMIT 1)`,
			child, local(now), created, productID)
		return unlessChanged(reserved, err, refusedSoldOut)
	})
	return order, err
}

// payment is what a gateway says to have been paid.
type payment struct {
	Order   string `json:"order"`
	Payment string `json:"payment"`
	Amount  string `json:"amount"`
}

// paid books a gateway's callback on parent and child. A second callback for
// the same order changes nothing; one that comes after the order was canceled
// is refused, as dujiao-next does.
func (b *books) paid(ctx context.Context, in payment) (nothing, error) {
	now := b.now()
	at, updated := local(now), automatic(now)
	return nothing{}, b.write(ctx, func(tx *sql.Tx) error {
		var parent int64
		var status string
		var exact bool
		if err := tx.QueryRowContext(ctx, `SELECT id, status, total_amount=CAST(? AS NUMERIC) FROM orders WHERE order_no=? AND parent_id IS NULL`,
			in.Amount, in.Order).Scan(&parent, &status, &exact); err != nil {
			return unless(err, refusedUnknown)
		}
		switch {
		case !exact:
			return refusedAmount
		case status == "canceled":
			return refusedClosed
		case status != "pending_payment":
			return nil
		}
		booked, err := tx.ExecContext(ctx, `UPDATE payments SET status='success', paid_at=?, callback_at=?, updated_at=? WHERE order_id=? AND channel_type=? AND status='pending'`,
			at, at, updated, parent, in.Payment)
		if err := unlessChanged(booked, err, refusedUnknown); err != nil {
			return err
		}
		var manual bool
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM order_items i JOIN orders o ON o.id=i.order_id WHERE o.parent_id=? AND i.fulfillment_type='manual'`, parent).Scan(&manual); err != nil {
			return err
		}
		next := "paid"
		if manual {
			next = "fulfilling"
		}
		_, err = tx.ExecContext(ctx, `UPDATE orders SET status=?, paid_at=?, updated_at=?,
			online_paid_amount=CASE WHEN parent_id IS NULL THEN total_amount ELSE 0 END WHERE id=? OR parent_id=?`, next, at, updated, parent, parent)
		return err
	})
}

// lookup asks for an order, with the password that opens its goods.
type lookup struct {
	Order    string `json:"order"`
	Password string `json:"password"`
}

// find is the buyer's own look at an order, its goods included once delivered.
// A wrong password and an unknown order are told alike.
func (b *books) find(ctx context.Context, in lookup) (receipt, error) {
	if in.Password == "" {
		return receipt{}, refusedUnknown
	}
	out := receipt{Order: in.Order}
	var goods sql.NullString
	err := b.db.QueryRowContext(ctx, `SELECT pr.slug, pay.channel_type, printf('%.2f', o.total_amount), o.currency, c.status, f.payload
		FROM orders o JOIN orders c ON c.parent_id=o.id JOIN order_items i ON i.order_id=c.id JOIN products pr ON pr.id=i.product_id
		JOIN payments pay ON pay.order_id=o.id LEFT JOIN fulfillments f ON f.order_id=c.id
		WHERE o.order_no=? AND o.guest_password=? AND o.parent_id IS NULL AND o.deleted_at IS NULL`, in.Order, in.Password).
		Scan(&out.Product, &out.Payment, &out.Amount, &out.Currency, &out.Status, &goods)
	out.Goods = goods.String
	return out, unless(err, refusedUnknown)
}

// unpaid lists the orders that a payment is still awaited for.
func (b *books) unpaid(ctx context.Context, _ nothing) ([]receipt, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT o.order_no, pay.channel_type, printf('%.2f', o.total_amount)
		FROM orders o JOIN payments pay ON pay.order_id=o.id WHERE o.status='pending_payment' AND o.parent_id IS NULL ORDER BY o.id LIMIT 200`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	orders := []receipt{}
	for rows.Next() {
		var order receipt
		if err := rows.Scan(&order.Order, &order.Payment, &order.Amount); err != nil {
			return nil, err
		}
		orders = append(orders, order)
	}
	return orders, rows.Err()
}

func (b *books) scale(d time.Duration) time.Duration { return time.Duration(float64(d) * b.pace) }

func insert(ctx context.Context, tx *sql.Tx, statement string, values ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, values...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// unless turns "no row" into a refusal.
func unless(err error, no refusal) error {
	if errors.Is(err, sql.ErrNoRows) {
		return no
	}
	return err
}

// unlessChanged turns "no row changed" into a refusal.
func unlessChanged(result sql.Result, err error, no refusal) error {
	if err != nil {
		return err
	}
	changed, err := result.RowsAffected()
	if err == nil && changed == 0 {
		return no
	}
	return err
}
