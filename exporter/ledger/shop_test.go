package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

var start = ledgertest.Now

// shop is a book in memory and a follower of it, on a clock that the test turns.
type shop struct {
	*ledgertest.Book
	*ledger.Follower
	t      *testing.T
	config ledger.Config

	mu    sync.Mutex
	clock time.Time
	heard []string
	log   strings.Builder
}

func newShop(t *testing.T, change ...func(*ledger.Config)) *shop {
	t.Helper()
	s := &shop{Book: ledgertest.NewBook(), t: t, clock: start}
	s.StoresMoments = true
	s.config = ledger.Config{Shop: "shop", Ledger: s.Book.Ledger(), Dir: t.TempDir(), Now: s.now, Observer: s,
		Logger: slog.New(slog.NewTextHandler(lockedWriter{s}, nil))}
	for _, c := range change {
		c(&s.config)
	}
	s.begin()
	t.Cleanup(func() { s.Close() })
	return s
}

// begin makes a follower, as a new process does.
func (s *shop) begin() {
	s.t.Helper()
	d, err := s.Book.Open(s.config.Ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	s.config.Driver = d
	if s.Follower, err = ledger.New(s.config); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) restart() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.begin()
}

func (s *shop) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

// after turns the clock on.
func (s *shop) after(d time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
	return s.clock
}

func (s *shop) poll() {
	s.t.Helper()
	if err := s.Poll(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// pollEvery polls at the ledger's interval for a time.
func (s *shop) pollEvery(d time.Duration) {
	s.t.Helper()
	for end := s.now().Add(d); s.now().Before(end); {
		s.after(s.config.Ledger.Interval)
		s.poll()
	}
}

func (s *shop) Delivered(_ string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, "delivered "+took.String())
}

func (s *shop) Paid(_, payment string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, fmt.Sprintf("paid by %s %s", payment, took))
}

// hears fails unless exactly these durations were told since it was asked last.
func (s *shop) hears(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Join(s.heard, "; ") != strings.Join(want, "; ") {
		s.t.Errorf("heard %q, want %q", s.heard, want)
	}
	s.heard = nil
}

// counted fails unless the counters, summed over payments, are these; others are 0.
func (s *shop) counted(want map[rules.OrderEvent]uint64) {
	s.t.Helper()
	got := events(s.Books())
	for _, event := range rules.OrderEvents {
		if got[event] != want[event] {
			s.t.Errorf("%s = %d, want %d", event, got[event], want[event])
		}
	}
}

func events(b exporter.Books) map[rules.OrderEvent]uint64 {
	sum := map[rules.OrderEvent]uint64{}
	for key, n := range b.Orders {
		sum[key.Event] += n
	}
	return sum
}

func (s *shop) waiting(kind rules.Kind) [3]int {
	w := s.Books().Waiting[kind]
	return [3]int{w[rules.AgeUnder5m], w[rules.Age5to30m], w[rules.AgeOver30m]}
}

// set moves an order now.
func (s *shop) set(id int64, state exporter.OrderState) {
	s.t.Helper()
	if err := s.Change(id, state, s.now()); err != nil {
		s.t.Fatal(err)
	}
}

// failing lets the n-th and every later call of a method fail.
func failing(method string, n int) func(string) error {
	calls := 0
	return func(call string) error {
		if call != method {
			return nil
		}
		if calls++; calls >= n {
			return errors.New("connection lost")
		}
		return nil
	}
}

type lockedWriter struct{ s *shop }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.log.Write(p)
}

func (s *shop) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func TestTheBookInMemoryPassesTheSuite(t *testing.T) {
	t.Parallel()
	for _, stores := range []bool{true, false} {
		ledgertest.Run(t, ledgertest.Fixture{
			Open: func(t testing.TB, now time.Time) ledgertest.Shop {
				b := ledgertest.NewBook()
				b.StoresMoments = stores
				b.SetStock(exporter.Stock{Product: "1", Cards: 7})
				first := b.Create(t, now.Add(-time.Hour))
				b.Pay(t, first, now.Add(-50*time.Minute))
				b.Create(t, now.Add(-20*time.Minute))
				b.Skip(3)
				third := b.Create(t, now.Add(-10*time.Minute))
				b.Pay(t, third, now.Add(-9*time.Minute))
				b.Deliver(t, third, now.Add(-9*time.Minute))
				return b
			},
			Away:    exporter.Ledger{DSN: ledgertest.Away},
			Waiting: map[rules.Kind]map[rules.Age]int{rules.Automatic: {rules.AgeOver30m: 1}},
			States:  map[exporter.OrderState]int{exporter.PaidAutoWaiting: 1, exporter.Unpaid: 1, exporter.Delivered: 1},
			Orders: map[exporter.OrderCount]uint64{
				{Payment: "alipay", Event: rules.OrderCreated}: 3, {Payment: "alipay", Event: rules.OrderPaid}: 2,
				{Payment: "alipay", Event: rules.OrderDelivered}: 1, {Payment: "alipay", Event: rules.OrderUnpaidAtDeadline}: 1,
			},
			Stock: []exporter.Stock{{Product: "1", Cards: 7}},
		})
	}
}

func TestRunPollsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *ledger.Config) { c.Ledger.Interval = time.Millisecond })
	s.Create(t, start)
	polled := make(chan struct{}, 100)
	s.Fail(func(call string) error {
		if call == "After" {
			select {
			case polled <- struct{}{}:
			default:
			}
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for range 3 {
		<-polled
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if b := s.Books(); !b.Up {
		t.Errorf("after Run: up %v, problem %q: being stopped is no fault of the book", b.Up, b.Problem)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("a closed follower runs")
	}
}
