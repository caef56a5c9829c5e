package ledgertest

import (
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// watcher is a follower on a clock that the test turns.
type watcher struct {
	*ledger.Follower
	t     *testing.T
	shop  Shop
	dir   string
	mu    sync.Mutex
	clock time.Time
}

func watch(t *testing.T, shop Shop) *watcher {
	t.Helper()
	w := &watcher{t: t, shop: shop, dir: t.TempDir(), clock: Now}
	w.begin(Ledger(shop.Ledger()))
	t.Cleanup(func() { w.Close() })
	return w
}

func (w *watcher) begin(l exporter.Ledger) {
	w.t.Helper()
	d, err := w.shop.Open(l)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Follower, err = ledger.New(ledger.Config{Shop: "shop", Ledger: l, Driver: d, Dir: w.dir, Now: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *watcher) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// restart is a new process on the old state.
func (w *watcher) restart() {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.begin(Ledger(w.shop.Ledger()))
}

func (w *watcher) poll(at time.Time) {
	w.t.Helper()
	w.mu.Lock()
	w.clock = at
	w.mu.Unlock()
	if err := w.Poll(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Count(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if b := w.Books(); !b.Up || b.Problem != "" || !b.LastSuccess.Equal(at) {
		w.t.Fatalf("after a good poll: up %v, problem %q, last success %v", b.Up, b.Problem, b.LastSuccess)
	}
}

// events sums the counters over payments.
func (w *watcher) events() map[rules.OrderEvent]uint64 {
	events := map[rules.OrderEvent]uint64{}
	for key, n := range w.Books().Orders {
		events[key.Event] += n
	}
	return events
}

// grew compares the counters with earlier ones; those that aren't named stay.
func (w *watcher) grew(before, by map[rules.OrderEvent]uint64) {
	w.t.Helper()
	after := w.events()
	for _, event := range rules.OrderEvents {
		if got := after[event] - before[event]; got != by[event] {
			w.t.Errorf("%s grew by %d, want %d", event, got, by[event])
		}
	}
}

func coldStartIsBounded(t *testing.T, f Fixture) {
	shop := f.Open(t, Now)
	l := Ledger(shop.Ledger())
	l.Lookback = 50 * time.Second // no row of a fixture is that young
	for i := range 3 {
		shop.Create(t, Now.Add(time.Duration(i-40)*time.Second))
	}
	w := &watcher{t: t, shop: shop, dir: t.TempDir(), clock: Now}
	w.begin(l)
	defer w.Close()
	w.poll(Now)
	w.grew(nil, map[rules.OrderEvent]uint64{rules.OrderCreated: 3})
}

func countsOnce(t *testing.T, f Fixture) {
	shop := f.Open(t, Now)
	w := watch(t, shop)
	w.poll(Now)
	start := w.events()

	now := Now.Add(15 * time.Second)
	id := shop.Create(t, now)
	twice := func() {
		t.Helper()
		w.poll(now)
		w.poll(now.Add(5 * time.Second))
	}
	twice()
	w.grew(start, map[rules.OrderEvent]uint64{rules.OrderCreated: 1})

	now = now.Add(15 * time.Second)
	shop.Pay(t, id, now)
	twice()
	w.grew(start, map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1})

	now = now.Add(15 * time.Second)
	w.restart()
	twice()
	shop.Deliver(t, id, now)
	twice()
	w.grew(start, map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1, rules.OrderDelivered: 1})
}

func outlivesRestart(t *testing.T, f Fixture) {
	shop := f.Open(t, Now)
	w := watch(t, shop)
	id := shop.Create(t, Now.Add(-10*time.Second))
	shop.Pay(t, id, Now)
	w.poll(Now)
	before := w.Books().Waiting[rules.Automatic]

	w.restart()
	if got := w.Books(); got.Waiting[rules.Automatic][rules.AgeUnder5m] != before[rules.AgeUnder5m] {
		t.Errorf("before its first poll a new process tells of %v, want %v", got.Waiting[rules.Automatic], before)
	}
	w.poll(Now.Add(31 * time.Minute))
	sum := 0
	for _, n := range before {
		sum += n
	}
	// By now all that waited at the start is past the second tier.
	if got := w.Books().Waiting[rules.Automatic][rules.AgeOver30m]; got != sum {
		t.Errorf("after 31 minutes and a restart %d wait over 30 minutes, want %d", got, sum)
	}
}

func countsRemoved(t *testing.T, f Fixture) {
	shop := f.Open(t, Now)
	w := watch(t, shop)
	id := shop.Create(t, Now)
	shop.Pay(t, id, Now)
	w.poll(Now)
	start := w.events()
	waiting := w.Books().Waiting[rules.Automatic][rules.AgeUnder5m]
	shop.Delete(t, id)
	w.poll(Now.Add(15 * time.Second))
	w.poll(Now.Add(30 * time.Second))
	w.grew(start, map[rules.OrderEvent]uint64{rules.OrderRemoved: 1})
	if got := w.Books().Waiting[rules.Automatic][rules.AgeUnder5m]; got != waiting-1 {
		t.Errorf("%d wait after one of %d was deleted", got, waiting)
	}
}
