package ledger_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// oldShop has 1,200 orders from before the lookback, two of which are stuck, and a young one.
func oldShop(t *testing.T, change ...func(*ledger.Config)) (s *shop, stuck []int64) {
	t.Helper()
	s = newShop(t, append([]func(*ledger.Config){func(c *ledger.Config) { c.Ledger.Sweep = true }}, change...)...)
	old := start.Add(-30 * 24 * time.Hour)
	for i := range 1200 {
		o := exporter.Order{State: exporter.Delivered, Automatic: true, Payment: "alipay", Created: old, Paid: old}
		switch i {
		case 100, 1100:
			o.State = exporter.PaidAutoWaiting
		case 200:
			o.State, o.Paid = exporter.Unpaid, time.Time{}
		case 300:
			o.State = exporter.Ready
		case 400:
			o.State, o.Paid = exporter.UnknownState, time.Time{}
		}
		id := s.Put(o)
		if o.State == exporter.PaidAutoWaiting {
			stuck = append(stuck, id)
		}
	}
	s.Create(t, start)
	return s, stuck
}

func TestTheSweepFindsOldOrdersInWhichSomebodyWaitsAndCountsNothing(t *testing.T) {
	t.Parallel()
	s, stuck := oldShop(t)
	s.poll()
	want := map[rules.OrderEvent]uint64{rules.OrderCreated: 1}
	for page, c := range []struct {
		unswept int64
		waiting int
	}{{1200, 0}, {700, 1}, {200, 1}, {0, 2}, {0, 2}} {
		if b := s.Books(); b.Unswept != c.unswept || b.Waiting[rules.Automatic][rules.AgeOver30m] != c.waiting {
			t.Errorf("after %d pages: %d unswept, waiting %v", page, b.Unswept, b.Waiting)
		}
		s.counted(want)
		if page == 1 {
			s.Fail(failing("After", 1))
			if more, err := s.Sweep(t.Context()); err == nil || more {
				t.Errorf("Sweep = %v, %v", more, err)
			}
			s.Fail(nil)
		}
		more, err := s.Sweep(t.Context())
		if err != nil || more != (page < 2) {
			t.Errorf("page %d: more %v, %v", page, more, err)
		}
		s.pollEvery(s.config.Ledger.Interval)
		s.restart() // it goes on where it was
		s.poll()
	}
	s.set(stuck[0], exporter.Delivered)
	s.pollEvery(s.config.Ledger.Interval)
	want[rules.OrderDelivered] = 1
	s.counted(want)
	s.hears("delivered 720h1m15s") // the buyer waited a month: that is the truth
}

func TestWithoutASweepTheOldKeysAreToldOf(t *testing.T) {
	t.Parallel()
	s, _ := oldShop(t, func(c *ledger.Config) { c.Ledger.Sweep = false })
	s.poll()
	if more, err := s.Sweep(t.Context()); more || err != nil {
		t.Errorf("Sweep = %v, %v", more, err)
	}
	s.poll()
	if got := s.Books().Unswept; got != 1200 {
		t.Errorf("%d unswept", got)
	}
}

func TestRunSweepsBetweenPolls(t *testing.T) {
	t.Parallel()
	s, _ := oldShop(t, func(c *ledger.Config) { c.Ledger.Interval = time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	swept := make(chan struct{}, 1)
	calls := 0
	s.Fail(func(call string) error {
		if call == "After" && strings.Contains(s.logged(), "all old orders are read") {
			if calls++; calls == 3 { // a poll has told of it
				close(swept)
			}
		}
		return nil
	})
	go func() { ended <- s.Run(ctx) }()
	<-swept
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if b := s.Books(); b.Unswept != 0 || b.Waiting[rules.Automatic][rules.AgeOver30m] != 2 {
		t.Errorf("%d unswept, waiting %v", b.Unswept, b.Waiting)
	}
}

func TestClosingWaitsForAPageOfTheSweep(t *testing.T) {
	t.Parallel()
	s, _ := oldShop(t)
	s.poll()
	s.Close()
	inner, err := s.Book.Open(s.config.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	asked, goOn := make(chan bool), make(chan bool)
	s.config.Driver = &slowDriver{Driver: inner, asked: asked, goOn: goOn}
	f, err := ledger.New(s.config)
	if err != nil {
		t.Fatal(err)
	}
	swept, closed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := f.Sweep(t.Context())
		swept <- err
	}()
	<-asked
	go func() { closed <- f.Close() }()
	for !f.Closing() {
		runtime.Gosched()
	}
	close(goOn)
	if err := <-swept; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
