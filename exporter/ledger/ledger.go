// Package ledger follows a shop's own order book: it knows at any moment which
// paid buyers wait, for how long, and what became of every order.
//
// The book belongs to the shop, so the room is a guest: it only reads, adds no
// index, never scans a table, and asks by primary key alone. A poll ([Follower.Poll],
// round.go) is these steps: may the book be read, and does it fit (check.go); what
// is new (delta.go); keys that were missing, since they become visible out of
// order (gaps.go); orders that are not final, in batches (lanes.go); what time
// alone has brought. A cold start finds its first row by bisecting the key on
// creation time (coldstart.go), and what is older is swept once (sweep.go).
// Counters are made of transitions that the follower saw (sight.go), each once
// per order, because COUNT(*) of a shop goes down: shops delete. Beside the polls
// stock and jobs are counted (beside.go) and single orders looked up (lookup.go).
//
// The room knows no shop's tables. Each shop software has a driver in a child
// room, and ledgertest is the suite that all of them pass. The room must not
// know Prometheus either: package metric turns Books into series.
package ledger

import (
	"context"
	"errors"
	"regexp"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// MaxBatch is the most rows that a driver is asked for at once, by key or by page.
const MaxBatch = 500

// ErrUnfit marks an error that waiting doesn't cure: tables, columns, rights or
// settings differ from what the driver needs, and the sentence says which. A
// database that is merely away is never unfit.
var ErrUnfit = errors.New("the books don't fit the driver")

// Error is trouble with a book, with the one word for it that metrics carry.
type Error struct {
	Reason rules.LedgerReason
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the trouble without its word.
func (e *Error) Unwrap() error { return e.Err }

// Reason is the word for what is wrong with a book.
func Reason(err error) rules.LedgerReason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	switch {
	case errors.Is(err, ErrUnfit):
		return rules.LedgerSchema
	case errors.Is(err, context.DeadlineExceeded):
		return rules.LedgerSlow
	}
	return rules.LedgerOther
}

// Driver reads one shop software's order book. All methods only read, keep each
// statement short whatever the book's size, and honour ctx. A driver knows no
// clock. Its errors never hold a password, and are an [Error] where the reason
// is known. Its methods may be called from several goroutines.
type Driver interface {
	// Traits says what is true of every book of this software. It asks nobody.
	Traits() Traits

	// Check looks whether the book has the tables and columns that the driver
	// reads, and whether they may be read. All faults are joined, each wrapping
	// ErrUnfit. Doubts are sentences about what is missing but not needed.
	Check(ctx context.Context) (doubts []string, err error)

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

	// Find gives the order that carries a number, whose form matches
	// Traits.Number. The zero Order means that there is none, that it was deleted,
	// or that more than one carries it. It never scans, and takes no longer for a
	// number that isn't there.
	Find(ctx context.Context, number string) (exporter.Order, error)

	// Numbers gives the buyers' order numbers by key, of at most MaxBatch keys.
	// In many shops a number opens the cards: it is for the owner's eyes only.
	Numbers(ctx context.Context, ids []int64) (map[int64]string, error)

	// Stock gives the products on sale by ascending id, at most
	// exporter.MaxProducts, and how many there are beyond those. It may be slower
	// than the rest.
	Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error)

	// Close gives the connections back.
	Close() error
}

// Traits are what is true of every book of one shop software.
type Traits struct {
	Moments exporter.Moments
	// Number is the form of a buyer's order number, anchored at both ends. Nil:
	// orders have none by which they could be found.
	Number *regexp.Regexp
	// Guessable numbers are those of which an attacker can try all: a look-up must
	// also name the amount.
	Guessable bool
	// ShortageEnds is how long an order that ran short of cards is followed, where
	// the shop itself never learns that it was made good. Then it is failed. Zero:
	// until the shop says what became of it.
	ShortageEnds time.Duration
}

// Replica is a Driver that can tell how old what it reads is.
type Replica interface {
	// Lag is how far the database is behind the one that is written to. Known is
	// false where it is that one, or won't say.
	Lag(ctx context.Context) (lag time.Duration, known bool, err error)
}

// Claimer is a Driver that can make sure that no other exporter follows the book.
type Claimer interface {
	// Claim takes the book for this exporter, or makes sure that it still has it.
	// An Error with reason claimed means that another one has.
	Claim(ctx context.Context) error
}

// Worker is a Driver whose shop has jobs that it does in the background.
type Worker interface {
	// Jobs counts the jobs that wait and those that were given up, -1 where
	// nobody knows.
	Jobs(ctx context.Context) (queues []exporter.Queue, failed int, err error)
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
