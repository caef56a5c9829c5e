// Package ledger follows a shop's own order book: it knows at any moment which
// paid buyers wait, for how long, and what became of every order.
//
// The book belongs to the shop, so the room is a guest: it only reads, adds no
// index, never scans a table, and asks by primary key alone. New rows come as a
// delta with an overlap (keys become visible out of order), rows that are not
// final are asked for again in batches, and a cold start finds its first row by
// bisecting the key on creation time. Counters are made of transitions that the
// follower saw, each once per order, because COUNT(*) of a shop goes down:
// shops delete.
//
// The room knows no shop's tables. Each shop software has a driver in a child
// room, and ledgertest is the suite that all of them pass. The room must not
// know Prometheus either: package metric turns Books into series.
package ledger

import (
	"context"
	"errors"
	"time"

	"shopwatch/exporter"
)

// MaxBatch is the most rows that a driver is asked for at once, by key or by page.
const MaxBatch = 500

// ErrUnfit marks an error that waiting doesn't cure: tables, columns, rights or
// settings differ from what the driver needs, and the sentence says which. A
// database that is merely away is never unfit.
var ErrUnfit = errors.New("the books don't fit the driver")

// Driver reads one shop software's order book. All methods only read, keep each
// statement short whatever the book's size, and honour ctx. A driver knows no
// clock. Its errors never hold a password.
type Driver interface {
	// Check looks whether the book has the tables and columns that the driver
	// reads, and whether they may be read. All faults are joined, each wrapping ErrUnfit.
	Check(ctx context.Context) error

	// After gives at most limit orders (1–MaxBatch) whose key is greater than id,
	// by ascending key. Rows that the shop deleted softly are among them, as
	// exporter.Removed. Fewer than limit means that there are no more.
	After(ctx context.Context, id int64, limit int) ([]exporter.Order, error)

	// ByID gives the orders with these keys, at most MaxBatch, in no certain
	// order. A key without a row is left out: the shop deleted it for good.
	ByID(ctx context.Context, ids []int64) ([]exporter.Order, error)

	// At gives the place of the first order whose key is id or greater.
	At(ctx context.Context, id int64) (Place, error)

	// Last gives the place of the order with the greatest key.
	Last(ctx context.Context) (Place, error)

	// Stock gives the products on sale, at most MaxBatch. It may be slower than the rest.
	Stock(ctx context.Context) ([]exporter.Stock, error)

	// Close gives the connections back.
	Close() error
}

// Place is where an order stands in the book. The zero Place means that there
// is no such order.
type Place struct {
	ID      int64
	Created time.Time // zero: not stored
}

// Observer hears durations as they are measured, each order at most once per method.
type Observer interface {
	// Delivered says how long an automatic order took from payment to delivery.
	Delivered(shop string, took time.Duration)
	// Paid says how long a buyer took from order to payment.
	Paid(shop, payment string, took time.Duration)
}

type deaf struct{}

func (deaf) Delivered(string, time.Duration)    {}
func (deaf) Paid(string, string, time.Duration) {}
