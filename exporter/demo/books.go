package demo

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // pure Go: the demo runs wherever Go does
)

// schema is dujiao-next's, as far as orders, cards and payments go.
//
//go:embed schema.sql
var schema string

// Durations at pace 1.
const (
	orderExpiry  = 15 * time.Minute // an unpaid order is canceled after
	meanArrival  = time.Minute      // between customers
	stockHorizon = 24 * time.Hour   // sales that the shop keeps cards for
)

// keepOrders is how long finished orders stay in the books, at every pace: a
// day, so that nobody who follows them for a day misses their end, and a little.
const keepOrders = 26 * time.Hour

// books are the shop's orders, cards and payments in SQLite. They are used by
// one goroutine at a time: the database's.
type books struct {
	db   *sql.DB
	now  func() time.Time
	pace float64
	rand *rand.Rand
}

// The books' refusals, which a page tells the buyer.
const (
	refusedUnknown refusal = "no such order"
	refusedProduct refusal = "no such product"
	refusedSoldOut refusal = "sold out"
	refusedClosed  refusal = "the order is closed"
	refusedAmount  refusal = "wrong amount"
)

// openBooks opens or makes the books at path.
func openBooks(path string, now func() time.Time, pace float64, rand *rand.Rand) (*books, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open demo books: %w", err)
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: path,
		RawQuery: "_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=synchronous(NORMAL)&_txlock=immediate"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("open demo books %q: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	b := &books{db: db, now: now, pace: pace, rand: rand}
	if err := b.prepare(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("open demo books %q: %w", path, err), db.Close())
	}
	return b, nil
}

func (b *books) close() error { return b.db.Close() }

// prepare makes the tables, the catalogue and the first cards in new books.
func (b *books) prepare(ctx context.Context) error {
	return b.write(ctx, func(tx *sql.Tx) error {
		var tables int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type='table' AND name='orders'`).Scan(&tables); err != nil {
			return err
		}
		if tables > 0 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		for _, id := range paymentIDs {
			if _, err := tx.ExecContext(ctx, `INSERT INTO payment_channels (name, provider_type, channel_type) VALUES (?, 'official', ?)`,
				paymentName(id).ZH, id); err != nil {
				return err
			}
		}
		for _, p := range catalogue {
			stock := 0
			if p.manual {
				stock = 100
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO products (slug, title_json, fulfillment_type, manual_stock_total, is_active) VALUES (?, ?, ?, ?, 1)`,
				p.slug, titleJSON(p), p.fulfillment(), stock); err != nil {
				return err
			}
		}
		_, err := b.refillIn(ctx, tx, true)
		return err
	})
}

// write runs one transaction.
func (b *books) write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func titleJSON(p product) string {
	text, err := json.Marshal(map[string]string{"zh-CN": p.title.ZH, "en-US": p.title.EN})
	if err != nil {
		panic(err) // two strings
	}
	return string(text)
}

func (p product) fulfillment() string {
	if p.manual {
		return "manual"
	}
	return "auto"
}

// timeText is how dujiao-next's SQLite driver writes a time.
const timeText = "2006-01-02 15:04:05.999999999-07:00"

// automatic is a moment as the columns that the ORM fills hold it (created_at,
// updated_at): in UTC.
func automatic(t time.Time) string { return t.UTC().Format(timeText) }

// local is a moment as the shop's own code writes it (paid_at, delivered_at,
// canceled_at, …): with the server's offset.
func local(t time.Time) string { return t.In(shanghai).Format(timeText) }

// desk lists what the database answers.
func (b *books) desk() desk {
	return desk{
		opStock:   takes(b.stock),
		opPlace:   takes(b.place),
		opPaid:    takes(b.paid),
		opFind:    takes(b.find),
		opUnpaid:  takes(b.unpaid),
		opWaiting: takes(b.waiting),
		opDeliver: takes(b.deliver),
		opExpire:  takes(b.expire),
		opRefill:  takes(b.refill),
		opPrune:   takes(b.prune),
	}
}

// The questions that the database knows.
const (
	opStock   = "count stock"
	opPlace   = "place an order"
	opPaid    = "book a payment"
	opFind    = "find an order"
	opUnpaid  = "list unpaid orders"
	opWaiting = "list waiting orders"
	opDeliver = "deliver an order"
	opExpire  = "expire orders"
	opRefill  = "refill cards"
	opPrune   = "prune orders"
)

// takes makes a typed method answer a question of the desk.
func takes[In, Out any](do func(context.Context, In) (Out, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, text json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(text, &in); err != nil {
			return nil, err
		}
		return do(ctx, in)
	}
}

// nothing is what some questions carry and some answers hold.
type nothing struct{}

// stock counts the cards on sale by slug; manual products count as one.
func (b *books) stock(ctx context.Context, _ nothing) (map[string]int, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT p.slug, CASE p.fulfillment_type WHEN 'manual' THEN 1 ELSE
		(SELECT count(*) FROM card_secrets c WHERE c.product_id=p.id AND c.sku_id=0 AND c.status='available') END
		FROM products p WHERE p.is_active AND p.deleted_at IS NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stock := map[string]int{}
	for rows.Next() {
		var slug string
		var cards int
		if err := rows.Scan(&slug, &cards); err != nil {
			return nil, err
		}
		stock[slug] = cards
	}
	return stock, rows.Err()
}
