package ledgertest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

// Away is the DSN under which a Book's driver finds nobody.
const Away = "away"

// Book is a shop's order book in memory. It is a Shop, and may be used from
// several goroutines. Its orders may be changed at will; keys are given by the
// test or counted up.
type Book struct {
	// StoresMoments tells whether the book keeps the moments of payment and delivery.
	StoresMoments bool
	// Guessable and ShortageEnds are the driver's traits of these names.
	Guessable    bool
	ShortageEnds time.Duration
	// Untimed books don't tell of deliveries' moments at all.
	Untimed bool

	mu     sync.Mutex
	rows   map[int64]exporter.Order
	keys   []int64 // of the rows, ascending
	hidden map[int64]bool
	next   int64
	stock  []exporter.Stock
	lag    *time.Duration
	rival  bool
	queues []exporter.Queue
	failed int
	fail   func(call string) error
	calls  []string
}

// NewBook is an empty book.
func NewBook() *Book {
	return &Book{rows: map[int64]exporter.Order{}, hidden: map[int64]bool{}, next: 1}
}

// Put writes an order under its key, or under the next one if it has none.
func (b *Book) Put(o exporter.Order) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.ID == 0 {
		o.ID = b.next
	}
	b.next = max(b.next, o.ID+1)
	if place, there := slices.BinarySearch(b.keys, o.ID); !there {
		b.keys = slices.Insert(b.keys, place, o.ID)
	}
	b.rows[o.ID] = o
	return o.ID
}

// Get gives the order under a key, and whether there is one, hidden or not.
func (b *Book) Get(id int64) (exporter.Order, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, there := b.rows[id]
	return o, there
}

// Skip leaves a gap of n keys.
func (b *Book) Skip(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next += n
}

// Gap leaves a gap of n keys, too.
func (b *Book) Gap(_ testing.TB, n int) { b.Skip(int64(n)) }

// Hide keeps a row from readers, as a transaction does that isn't committed yet.
func (b *Book) Hide(id int64, hidden bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hidden[id] = hidden
}

// Clear empties the book and begins with the first key again.
func (b *Book) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.rows)
	b.keys = nil
	clear(b.hidden)
	b.next = 1
}

// SetStock sets what is on sale.
func (b *Book) SetStock(stock ...exporter.Stock) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stock = stock
}

// SetLag makes the book a replica that is so far behind, or says that it is none.
func (b *Book) SetLag(lag *time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lag = lag
}

// SetRival lets another exporter follow the book, or leave it.
func (b *Book) SetRival(there bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rival = there
}

// SetJobs sets what the shop has yet to do, and how many jobs it gave up.
func (b *Book) SetJobs(failed int, queues ...exporter.Queue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queues, b.failed = queues, failed
}

// Fail asks fail before each call of a driver, by the method's name; nil lets all succeed.
func (b *Book) Fail(fail func(call string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = fail
}

// Calls lists the drivers' calls since it was asked last.
func (b *Book) Calls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = nil
	return calls
}

// Ledger is how the book is followed.
func (b *Book) Ledger() exporter.Ledger { return Ledger(exporter.Ledger{Software: "memory"}) }

// Open makes a driver.
func (b *Book) Open(l exporter.Ledger) (ledger.Driver, error) {
	return &bookDriver{book: b, away: l.DSN == Away}, nil
}

// Create books an unpaid automatic order.
func (b *Book) Create(_ testing.TB, at time.Time) int64 {
	return b.Put(exporter.Order{State: exporter.Unpaid, Automatic: true, Payment: "alipay", Items: []exporter.Item{{Product: "1", Quantity: 1}},
		Amount: 10, Currency: "CNY", Created: at, Updated: at})
}

// Pay books the payment.
func (b *Book) Pay(t testing.TB, id int64, at time.Time) {
	b.change(t, id, exporter.PaidAutoWaiting, at)
}

// Deliver books the delivery.
func (b *Book) Deliver(t testing.TB, id int64, at time.Time) {
	b.change(t, id, exporter.Delivered, at)
}

// Expire, Refund and Remove are what else becomes of an order.

func (b *Book) Expire(t testing.TB, id int64, at time.Time) { b.change(t, id, exporter.Expired, at) }
func (b *Book) Refund(t testing.TB, id int64, at time.Time) { b.change(t, id, exporter.Refunded, at) }
func (b *Book) Remove(t testing.TB, id int64, at time.Time) { b.change(t, id, exporter.Removed, at) }

// CreateSlowly books an order that is hidden until commit.
func (b *Book) CreateSlowly(t testing.TB, at time.Time) (id int64, commit func()) {
	id = b.Create(t, at)
	b.Hide(id, true)
	return id, func() { b.Hide(id, false) }
}

func (b *Book) change(t testing.TB, id int64, state exporter.OrderState, at time.Time) {
	t.Helper()
	if err := b.Change(id, state, at); err != nil {
		t.Fatal(err)
	}
}

// Change moves an order to a state as a shop would: with it go Updated and,
// where the book stores them, Paid and Delivered.
func (b *Book) Change(id int64, state exporter.OrderState, at time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, there := b.rows[id]
	if !there {
		return fmt.Errorf("no order %d", id)
	}
	o.State, o.Updated = state, at
	if b.StoresMoments {
		if _, waits := state.Waiting(); (waits || state == exporter.Ready || state == exporter.Delivered) && o.Paid.IsZero() {
			o.Paid = at
		}
		if state == exporter.Delivered && o.Delivered.IsZero() {
			o.Delivered = at
		}
	}
	b.rows[id] = o
	return nil
}

// Delete deletes a row for good.
func (b *Book) Delete(_ testing.TB, id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.rows, id)
	if place, there := slices.BinarySearch(b.keys, id); there {
		b.keys = slices.Delete(b.keys, place, place+1)
	}
}
