package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func TestAPollThatFailsHalfWayLosesNothingAndCountsNothingTwice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		nth    int
	}{{"Check", 1}, {"Last", 1}, {"At", 2}, {"After", 1}, {"After", 3}, {"ByID", 1}, {"ByID", 2}} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s call %d, restart %v", c.method, c.nth, restart), func(t *testing.T) {
				t.Parallel()
				s := newShop(t)
				s.Put(exporter.Order{State: exporter.Delivered, Created: start.Add(-30 * 24 * time.Hour)}) // beyond the lookback
				for i := range 1400 {
					id := s.Create(t, start)
					if i%2 == 0 {
						s.Pay(t, id, start)
					}
				}
				if c.method == "ByID" {
					s.poll()
					s.after(3 * time.Minute) // beyond the overlap's time
					s.poll()
					for id := int64(2); id <= 1401; id += 2 {
						s.set(id, exporter.Delivered)
					}
				}
				s.after(3 * time.Minute)
				for _, nth := range []int{c.nth, 1} {
					s.Fail(failing(c.method, nth))
					if err := s.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "connection lost") {
						t.Fatalf("Poll = %v", err)
					}
					if b := s.Books(); b.Up || !strings.Contains(b.Problem, "connection lost") {
						t.Errorf("up %v, problem %q", b.Up, b.Problem)
					}
					if restart {
						s.restart()
					}
				}
				s.Fail(nil)
				s.poll()
				want := map[rules.OrderEvent]uint64{rules.OrderCreated: 1400, rules.OrderPaid: 700}
				if c.method == "ByID" {
					want[rules.OrderDelivered] = 700
				}
				s.counted(want)
				if s.Books().Items["1"] != 700 {
					t.Errorf("items = %v", s.Books().Items)
				}
			})
		}
	}
}

func TestBookThatWasNeverReadAgesFromTheFirstTry(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Fail(failing("After", 1))
	for range 2 {
		if err := s.Poll(t.Context()); err == nil {
			t.Fatal("Poll succeeds")
		}
		if b := s.Books(); b.Up || !b.LastSuccess.Equal(start) || b.Delivery != rules.Unknown {
			t.Errorf("never read: %+v", b)
		}
		s.after(time.Minute)
	}
}

func TestWhileTheBookIsAwayTheLastGoodValuesStay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	if b := s.Books(); b.Up || !b.LastSuccess.IsZero() || b.Delivery != rules.Unknown {
		t.Errorf("before the first poll: %+v", b)
	}
	id := s.Create(t, start)
	s.Pay(t, id, start)
	s.poll()
	s.Fail(failing("After", 1))
	s.after(5 * time.Minute)
	if err := s.Poll(t.Context()); err == nil {
		t.Fatal("Poll succeeds")
	}
	b := s.Books()
	if b.Up || !b.LastSuccess.Equal(start) || s.waiting(rules.Automatic) != [3]int{1, 0, 0} || b.Delivery != rules.Operational {
		t.Errorf("away for as long as an order may take: %+v", b)
	}
	s.after(time.Second)
	if got := s.Books().Delivery; got != rules.Unknown {
		t.Errorf("away for longer: delivery is %s", got)
	}

	// A new process has not tried yet, then it has.
	s.restart()
	if b := s.Books(); !b.LastSuccess.IsZero() || b.Up {
		t.Errorf("a new process: %+v", b)
	}
	if err := s.Poll(t.Context()); err == nil {
		t.Fatal("Poll succeeds")
	}
	if b := s.Books(); !b.LastSuccess.Equal(start) || s.waiting(rules.Automatic) != [3]int{1, 0, 0} || b.Delivery != rules.Unknown {
		t.Errorf("a new process that can't read: %+v", b)
	}
	if n := strings.Count(s.logged(), "books not read"); n != 2 {
		t.Errorf("two outages were logged %d times", n)
	}
}

func TestEveryPollThatFailsCountsByItsReason(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	want := map[rules.LedgerReason]uint64{}
	fails := func(reason rules.LedgerReason) {
		t.Helper()
		if err := s.Poll(t.Context()); err == nil || ledger.Reason(err) != reason {
			t.Errorf("Poll = %v, want an error of reason %s", err, reason)
		}
		want[reason]++
	}
	for _, c := range []struct {
		err    error
		reason rules.LedgerReason
	}{
		{&ledger.Error{Reason: rules.LedgerLocked, Err: errors.New("being altered")}, rules.LedgerLocked},
		{fmt.Errorf("wrapped: %w", &ledger.Error{Reason: rules.LedgerAway, Err: errors.New("gone")}), rules.LedgerAway},
		{fmt.Errorf("no such table: %w", ledger.ErrUnfit), rules.LedgerSchema},
		{context.DeadlineExceeded, rules.LedgerSlow},
		{errors.New("strange"), rules.LedgerOther},
		{errors.New("strange"), rules.LedgerOther},
	} {
		s.Fail(func(string) error { return c.err })
		fails(c.reason)
	}
	s.Fail(nil)
	ahead := s.Create(t, start.Add(8*time.Hour))
	fails(rules.LedgerClock)
	s.Delete(t, ahead)
	s.poll()
	if err := os.Remove(s.file()); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.file(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Create(t, start)
	fails(rules.LedgerState)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	s.Poll(stopped) // says nothing about the book
	if got := s.Books().Failures; !maps.Equal(got, want) {
		t.Errorf("failures %v, want %v", got, want)
	}
}

func TestWhatIsToldOfAProblemHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "p4ss:w@rd"
	dsn := "reader:" + secret + "@tcp(db:3306)/shop"
	s := newShop(t, func(c *ledger.Config) { c.Ledger.DSN = dsn })
	for _, text := range []string{
		"open " + dsn + ": no", "bad password " + secret, "two\nlines\tand\r\nmore " + secret, strings.Repeat("long ", 1000) + secret,
	} {
		s.Fail(func(string) error { return errors.New(text) })
		s.Poll(t.Context())
		if p := s.Books().Problem; p == "" || strings.Contains(p, secret) || strings.ContainsAny(p, "\n\r\t") || len(p) > 1010 {
			t.Errorf("of %q the problem is %q", text, p)
		}
	}
	if log := s.logged(); strings.Contains(log, secret) {
		t.Errorf("the log holds the password:\n%s", log)
	}
	s.Fail(nil)
	s.poll()
	state, err := os.ReadFile(s.file())
	if err != nil || strings.Contains(string(state), secret) {
		t.Errorf("the state file holds the password, or isn't there: %v", err)
	}
}

func TestAColdStartFindsItsFirstOrderByAFewKeys(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	// One order a minute for ten days, with gaps between the keys.
	const orders = 10 * 24 * 60
	for i := range orders {
		s.Put(exporter.Order{ID: int64(i)*700 + 13, State: exporter.Delivered, Created: start.Add(time.Duration(i-orders+1) * time.Minute)})
	}
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 7*24*60 + 1, rules.OrderPaid: 7*24*60 + 1, rules.OrderDelivered: 7*24*60 + 1})
	calls := map[string]int{}
	for _, call := range s.Calls() {
		calls[call]++
	}
	if calls["At"] > 24 || calls["Last"] != 2 || calls["Check"] != 1 {
		t.Errorf("a cold start over %d keys took %v", orders*700, calls)
	}
}

func TestAQuietPollAsksForOneRowAndTheOpenOrdersAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for range 100 {
		s.Create(t, start)
	}
	s.poll()
	s.after(time.Minute)
	s.Calls()
	s.poll()
	if got := s.Calls(); !slices.Equal(got, []string{"After", "ByID"}) {
		t.Errorf("a quiet poll calls %v", got)
	}
}

func TestAClockThatDisagreesIsFoundOut(t *testing.T) {
	t.Parallel()
	t.Run("orders from the future", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.Create(t, start.Add(8*time.Hour))
		if err := s.Poll(t.Context()); !errors.Is(err, ledger.ErrUnfit) {
			t.Errorf("Poll = %v", err)
		}
		if p := s.Books().Problem; !strings.Contains(p, "8h0m0s in the future") {
			t.Errorf("problem %q", p)
		}
		s.Create(t, start.Add(2*time.Minute)) // clocks may differ a little
		s.poll()
	})
	t.Run("orders that are old when they appear", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.poll()
		for range 2 {
			s.Create(t, s.now().Add(-8*time.Hour))
			s.after(15 * time.Second)
			s.poll()
		}
		s.Create(t, s.now().Add(-8*time.Hour))
		if err := s.Poll(t.Context()); !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(s.Books().Problem, "the last 3 orders were already 8h0m0s old") {
			t.Errorf("Poll = %v", err)
		}
		s.Create(t, s.now())
		s.poll()
	})
	t.Run("old orders after an absence are no sign", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.poll()
		for i := range 10 {
			s.Create(t, start.Add(time.Duration(i)*time.Minute))
		}
		s.after(5 * time.Hour)
		s.poll()
	})
}

func TestBooksAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Pay(t, s.Create(t, start), start)
	s.SetStock(exporter.Stock{Product: "1", Cards: 5})
	s.SetJobs(1, exporter.Queue{Name: "mail", Ready: 2})
	s.poll()
	s.Count(t.Context())
	s.CountJobs(t.Context())
	b := s.Books()
	b.Queues[0].Ready = 0
	clear(b.Orders)
	clear(b.Oldest)
	clear(b.Items)
	clear(b.Revenue)
	clear(b.Waiting[rules.Automatic])
	b.Stock[0].Cards = 0
	again := s.Books()
	if len(again.Oldest) != 1 || again.Items["1"] != 1 || len(again.Revenue) != 1 || again.Waiting[rules.Automatic][rules.AgeUnder5m] != 1 || again.Stock[0].Cards != 5 || again.Queues[0].Ready != 2 {
		t.Errorf("changed by a reader: %+v", again)
	}
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1})
	if len(again.Orders) != len(rules.OrderEvents) {
		t.Errorf("%d series of orders, want one per event of the payment, zeros too", len(again.Orders))
	}
	if got := slices.Sorted(maps.Keys(again.Waiting)); len(got) != 2 {
		t.Errorf("kinds %v", got)
	}
}

func TestAFollowerRefusesToBeBuiltWrong(t *testing.T) {
	t.Parallel()
	good := func() ledger.Config {
		book := ledgertest.NewBook()
		d, err := book.Open(book.Ledger())
		if err != nil {
			t.Fatal(err)
		}
		return ledger.Config{Shop: "shop", Ledger: book.Ledger(), Driver: d, Dir: t.TempDir()}
	}
	f, err := ledger.New(good())
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for want, spoil := range map[string]func(*ledger.Config){
		"shop:":           func(c *ledger.Config) { c.Shop = "" },
		"shop: not an id": func(c *ledger.Config) { c.Shop = "../etc" },
		"driver: missing": func(c *ledger.Config) { c.Driver = nil },
		"dir: missing":    func(c *ledger.Config) { c.Dir = "" },
		"interval:":       func(c *ledger.Config) { c.Ledger.Interval = 0 },
		"late:":           func(c *ledger.Config) { c.Ledger.Late = 0 },
		"stuck:":          func(c *ledger.Config) { c.Ledger.Stuck = c.Ledger.Late },
		"slow:":           func(c *ledger.Config) { c.Ledger.Slow = -1 },
		"lookback:":       func(c *ledger.Config) { c.Ledger.Lookback = 0 },
		"deadline:":       func(c *ledger.Config) { c.Deadline = -1 },
		"stock interval:": func(c *ledger.Config) { c.StockInterval = -1 },
		"state directory": func(c *ledger.Config) { c.Dir = filepath.Join(os.Args[0], "x") },
	} {
		config := good()
		spoil(&config)
		if f, err := ledger.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, New = %v, %v", want, f, err)
		}
	}
}

func TestBeingStoppedSaysNothingAboutTheBook(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Create(t, start)
	s.poll()
	before := s.Books()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.after(15 * time.Second)
	if err := s.Poll(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Poll = %v", err)
	}
	if b := s.Books(); !b.Up || b.Problem != "" || !b.LastSuccess.Equal(before.LastSuccess) {
		t.Errorf("up %v, problem %q, last success %v", b.Up, b.Problem, b.LastSuccess)
	}
}
