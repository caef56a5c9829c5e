package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

// census is the truth that a follower must agree with: at each poll it looks at
// every row of the book, which no follower may do, and never forgets.
type census struct {
	late    time.Duration
	events  map[int64]map[rules.OrderEvent]bool // by order
	payment map[int64]string                    // at first sight
	final   map[int64]bool
	isLate  map[int64]bool
	unknown map[int64]bool
	waiting map[int64]exporter.Order
	// Of orders whose goods were once ready: since when the buyer waits, zero while nobody does.
	ready map[int64]time.Time
}

func (c *census) look(book map[int64]exporter.Order, now time.Time) {
	clear(c.waiting)
	for id := range c.events {
		if _, there := book[id]; !there && !c.final[id] {
			c.final[id] = true
			c.events[id][rules.OrderRemoved] = true
		}
	}
	for id, o := range book {
		if c.final[id] {
			continue
		}
		if c.events[id] == nil {
			c.events[id] = map[rules.OrderEvent]bool{rules.OrderCreated: true}
			c.payment[id] = o.Payment
		}
		happened := c.events[id]
		kind, waits := o.State.Waiting()
		since, wasReady := c.ready[id]
		switch {
		case o.State == exporter.Ready || wasReady && !waits:
			c.ready[id] = time.Time{}
		case wasReady && since.IsZero():
			c.ready[id] = now
		}
		if !wasReady {
			since = o.Paid
		} else {
			since = c.ready[id]
		}
		if !o.Paid.IsZero() || o.State == exporter.Failed || o.State == exporter.Refunded {
			happened[rules.OrderPaid] = true
		}
		switch o.State {
		case exporter.Unpaid, exporter.Expired:
			if !happened[rules.OrderPaid] && now.Sub(o.Created) >= deadline {
				happened[rules.OrderUnpaidAtDeadline] = true
			}
			if o.State == exporter.Expired {
				happened[rules.OrderExpired] = true
			}
		case exporter.Delivered:
			happened[rules.OrderDelivered] = true
			if o.Automatic && !wasReady && o.Delivered.Sub(o.Paid) >= c.late {
				c.isLate[id] = true
			}
		case exporter.Failed:
			happened[rules.OrderFailed] = true
		case exporter.Refunded:
			happened[rules.OrderRefunded] = true
		case exporter.Removed:
			happened[rules.OrderRemoved] = true
		case exporter.UnknownState:
			c.unknown[id] = true
		}
		if waits {
			c.waiting[id] = o
			if kind == rules.Automatic && now.Sub(since) >= c.late {
				c.isLate[id] = true
			}
		}
		c.final[id] = o.State.Final()
	}
}

// deadline is short so that histories pass it.
const deadline = 6 * time.Minute

// history is a random life of a shop, and a follower and a census that watch it.
type history struct {
	*ledgertest.Book
	census
	follower *ledger.Follower
	config   ledger.Config
	now      time.Time

	hidden      []int64
	hiddenSince time.Time // the first of them
}

// rows are what a reader sees.
func (h *history) rows() map[int64]exporter.Order {
	d, err := h.Open(h.config.Ledger)
	if err != nil {
		panic(err)
	}
	orders, err := d.After(context.Background(), 0, ledger.MaxBatch)
	if err != nil || len(orders) == ledger.MaxBatch {
		panic(fmt.Sprint("too many orders, or ", err))
	}
	rows := map[int64]exporter.Order{}
	for _, o := range orders {
		rows[o.ID] = o
	}
	return rows
}

// next lists the states that an order may go to.
func next(o exporter.Order, now time.Time) []exporter.OrderState {
	payable := []exporter.OrderState{
		exporter.PaidAutoWaiting, exporter.FailedShortOfStock, exporter.ManualWaiting, exporter.Ready, exporter.Delivered, exporter.Removed,
	}
	switch o.State {
	case exporter.Unpaid:
		return append(payable, exporter.Expired, exporter.UnknownState)
	case exporter.Expired:
		if now.Sub(o.Created) < deadline { // later ones are looked at seldom: another test's business
			return payable
		}
	case exporter.Ready, exporter.PaidAutoWaiting, exporter.FailedShortOfStock, exporter.ManualWaiting, exporter.ManualWorking:
		return []exporter.OrderState{
			exporter.ManualWorking, exporter.FailedShortOfStock, exporter.Ready, exporter.Delivered, exporter.Delivered, exporter.Failed, exporter.Refunded, exporter.Removed,
		}
	}
	return nil
}

// actions are what can happen to a shop and its follower.
func (h *history) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create": h.create, "create more": h.create, "change": h.change, "change more": h.change, "change still more": h.change,
		"poll": h.poll, "poll more": h.poll, "poll in vain": h.pollInVain, "wait": h.wait, "wait more": h.wait,
		"poll stopped midway": h.pollStopped, "poll killed before it is stored": h.pollKilled,
		"show": func(*rapid.T) { h.show() }, "delete": h.delete, "restart": h.restart,
		"": h.compare, // also between polls: what is told is what the last one saw
	}
}

func (h *history) create(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "orders") {
		if gap := rapid.SampledFrom([]int64{0, 0, 0, 0, 1, 50, 300, 7000}).Draw(t, "gap"); gap > 0 {
			h.Skip(gap)
		}
		id := h.Put(exporter.Order{State: exporter.Unpaid, Automatic: rapid.Bool().Draw(t, "automatic"),
			Payment: rapid.SampledFrom([]string{"alipay", "wechat", ""}).Draw(t, "payment"),
			Items:   []exporter.Item{{Product: "1", Quantity: 1}}, Created: h.now, Updated: h.now})
		if rapid.IntRange(0, 5).Draw(t, "slow transaction") == 5 {
			h.Hide(id, true)
			if len(h.hidden) == 0 {
				h.hiddenSince = h.now
			}
			h.hidden = append(h.hidden, id)
		}
	}
}

// pick draws an order that a reader sees.
func (h *history) pick(t *rapid.T) (o exporter.Order, newest bool) {
	rows := h.rows()
	ids := slices.Sorted(maps.Keys(rows))
	if len(ids) == 0 {
		t.Skip("no order")
	}
	id := rapid.SampledFrom(ids).Draw(t, "order")
	return rows[id], id == ids[len(ids)-1]
}

func (h *history) change(t *rapid.T) {
	o, _ := h.pick(t)
	states := next(o, h.now)
	if len(states) == 0 {
		t.Skip("nothing more becomes of it")
	}
	h.ripen(t, o)
	if err := h.Change(o.ID, rapid.SampledFrom(states).Draw(t, "state"), h.now); err != nil {
		t.Fatal(err)
	}
}

func (h *history) delete(t *rapid.T) {
	// The newest order stays, since keys that go back are another test's business.
	o, newest := h.pick(t)
	if newest || o.State != exporter.Unpaid && len(next(o, h.now)) == 0 {
		t.Skip("it stays")
	}
	h.ripen(t, o)
	h.Book.Delete(nil, o.ID)
}

// ripen lets time pass where the order is of those that are looked at every ten minutes.
func (h *history) ripen(t *rapid.T, o exporter.Order) {
	if o.State != exporter.Ready {
		return
	}
	h.show()
	h.poll(t)
	h.now = h.now.Add(10 * time.Minute)
}

func (h *history) wait(t *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 110).Draw(t, "seconds")) * time.Second
	if len(h.hidden) > 0 && h.now.Add(d).Sub(h.hiddenSince) > 110*time.Second {
		h.show()
		h.poll(t)
	}
	h.now = h.now.Add(d)
}

// show makes visible what slow transactions held.
func (h *history) show() {
	for _, id := range h.hidden {
		h.Hide(id, false)
	}
	h.hidden = nil
}

func (h *history) poll(t *rapid.T) {
	h.look(h.rows(), h.now)
	if err := h.follower.Poll(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (h *history) pollInVain(t *rapid.T) {
	h.Fail(func(string) error { return errors.New("away") })
	if h.follower.Poll(context.Background()) == nil {
		t.Fatal("a poll of a book that is away succeeds")
	}
	h.Fail(nil)
}

// pollStopped ends a poll after some questions, perhaps with its process, and polls again.
func (h *history) pollStopped(t *rapid.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	calls := rapid.IntRange(1, 12).Draw(t, "questions")
	h.Fail(func(string) error {
		if calls--; calls == 0 {
			stop()
		}
		return ctx.Err()
	})
	if err := h.follower.Poll(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	h.Fail(nil)
	if rapid.Bool().Draw(t, "with its process") {
		h.restart(t)
	}
	h.poll(t)
}

// pollKilled ends the process after a poll has read all, before it has stored anything.
func (h *history) pollKilled(t *rapid.T) {
	path := filepath.Join(h.config.Dir, "ledger-shop.json")
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Skip("nothing is stored yet")
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Remove(path))
	must(os.MkdirAll(filepath.Join(path, "x"), 0o700)) // can't be replaced by a file
	err = h.follower.Poll(context.Background())
	must(os.RemoveAll(path))
	must(os.WriteFile(path, stored, 0o600))
	if err != nil && ledger.Reason(err) != rules.LedgerState {
		t.Fatal(err)
	}
	h.restart(t)
	h.poll(t)
}

func (h *history) restart(t *rapid.T) {
	if h.follower != nil {
		if err := h.follower.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if h.config.Driver, err = h.Open(h.config.Ledger); err != nil {
		t.Fatal(err)
	}
	if h.follower, err = ledger.New(h.config); err != nil {
		t.Fatal(err)
	}
}

func (h *history) compare(t *rapid.T) {
	b := h.follower.Books()
	got := map[rules.OrderEvent]uint64{}
	for key, n := range b.Orders {
		if n > 0 {
			got[key.Event] += n
		}
	}
	want := map[rules.OrderEvent]uint64{}
	created := map[string]uint64{}
	sold := uint64(0)
	for id, happened := range h.events {
		for event := range happened {
			want[event]++
		}
		if happened[rules.OrderPaid] {
			sold++
		}
		created[h.payment[id]]++
	}
	if !maps.Equal(got, want) {
		t.Fatalf("events %v, want %v", got, want)
	}
	for payment, n := range created {
		if got := b.Orders[exporter.OrderCount{Payment: payment, Event: rules.OrderCreated}]; got != n {
			t.Fatalf("created by %q: %d, want %d", payment, got, n)
		}
	}
	if b.Late != uint64(len(h.isLate)) || b.UnknownStatuses != uint64(len(h.unknown)) || b.Items["1"] != sold {
		t.Fatalf("late %d, unknown %d, sold %d, want %d, %d, %d", b.Late, b.UnknownStatuses, b.Items["1"], len(h.isLate), len(h.unknown), sold)
	}
	waiting := map[rules.Kind]int{rules.Automatic: 0, rules.Manual: 0}
	for _, o := range h.waiting {
		kind, _ := o.State.Waiting()
		waiting[kind]++
	}
	for kind, n := range waiting {
		sum := 0
		for _, m := range b.Waiting[kind] {
			sum += m
		}
		if sum != n {
			t.Fatalf("%d wait for the %s, want %d", sum, kind, n)
		}
	}
}

func TestCountersEqualTheTruthWhateverHappens(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			t.Fatal(err)
		}
		h := &history{Book: ledgertest.NewBook(), now: start}
		h.StoresMoments = true
		h.config = ledger.Config{Shop: "shop", Ledger: h.Book.Ledger(), Dir: dir, Deadline: deadline, Now: func() time.Time { return h.now }}
		h.census = census{
			late: h.config.Ledger.Late, events: map[int64]map[rules.OrderEvent]bool{}, payment: map[int64]string{}, final: map[int64]bool{},
			ready: map[int64]time.Time{}, isLate: map[int64]bool{}, unknown: map[int64]bool{}, waiting: map[int64]exporter.Order{},
		}
		h.restart(t)
		defer func() { h.follower.Close() }()
		t.Repeat(h.actions())
		h.show()
		h.poll(t)
		h.compare(t)
	})
}
