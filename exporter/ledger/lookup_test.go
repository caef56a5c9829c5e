package ledger_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

func TestAnOrderIsFoundByItsNumberWithItsPlaceInTheQueue(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	waiting := func(state exporter.OrderState, ago time.Duration) int64 {
		return s.Put(exporter.Order{State: state, Created: start.Add(-ago), Paid: start.Add(-ago), Updated: start.Add(-ago)})
	}
	first, second := waiting(exporter.ManualWaiting, 3*time.Minute), waiting(exporter.ManualWorking, 2*time.Minute)
	waiting(exporter.PaidAutoWaiting, 4*time.Minute) // for the machine: another queue
	unpaid := s.Create(t, start)
	delivered := waiting(exporter.Delivered, time.Minute)
	removed := waiting(exporter.Removed, time.Minute)
	ready := waiting(exporter.Ready, time.Minute)
	s.poll()
	young := waiting(exporter.ManualWaiting, time.Minute) // no poll has seen it
	s.set(unpaid, exporter.ManualWaiting)
	s.set(ready, exporter.ManualWaiting)
	for _, c := range []struct {
		id    int64
		since time.Time
		ahead int
	}{
		{first, start.Add(-3 * time.Minute), 0}, {second, start.Add(-2 * time.Minute), 1}, {young, start.Add(-time.Minute), 2},
		{unpaid, start, 2}, {ready, start, 2}, {delivered, time.Time{}, 0},
	} {
		got, err := s.Find(t.Context(), fmt.Sprint("N", c.id))
		if err != nil || got.Order.ID != c.id || !got.Since.Equal(c.since) || got.Ahead != c.ahead {
			t.Errorf("order %d: %+v, %v; want since %v behind %d", c.id, got, err, c.since, c.ahead)
		}
	}
	for _, number := range []string{fmt.Sprint("N", removed), "N999"} {
		if got, err := s.Find(t.Context(), number); err != nil || got.Order.ID != 0 {
			t.Errorf("Find(%s) = %+v, %v", number, got, err)
		}
	}
}

func TestANumberOfAnotherFormNeverReachesTheDatabase(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Create(t, start)
	s.poll()
	s.Calls()
	for _, number := range []string{"", "1", "N1 ", "n1", "N1' OR 1=1", "N" + strings.Repeat("1", 1<<20)} {
		if got, err := s.Find(t.Context(), number); err != nil || got.Order.ID != 0 {
			t.Errorf("Find = %+v, %v", got, err)
		}
	}
	if calls := s.Calls(); len(calls) > 0 {
		t.Errorf("the database was asked: %v", calls)
	}
}

func TestOpenOrdersAreListedAsTheyAreRemembered(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	unpaid := s.Create(t, start.Add(-time.Minute))
	s.createDelivered(1, 1)
	paid := s.Create(t, start.Add(-2*time.Minute))
	s.Pay(t, paid, start.Add(-time.Minute))
	ready := s.Create(t, start)
	s.set(ready, exporter.Ready)
	s.poll()
	s.restart()
	want := []exporter.OpenOrder{
		{ID: unpaid, State: exporter.Unpaid, Automatic: true, Payment: "alipay", Created: start.Add(-time.Minute)},
		{ID: paid, State: exporter.PaidAutoWaiting, Automatic: true, Payment: "alipay", Created: start.Add(-2 * time.Minute), Since: start.Add(-time.Minute)},
		{ID: ready, State: exporter.Ready, Automatic: true, Payment: "alipay", Created: start},
	}
	if got := s.Follower.Open(); !slices.Equal(got, want) {
		t.Errorf("open are\n%+v, want\n%+v", got, want)
	}
}

func TestAnyNumberOfOrdersIsReadInBatches(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.createDelivered(1300, 1)
	s.poll()
	s.Calls()
	ids := []int64{1400, 1, 9999}
	numbers := map[int64]string{1: "N1"}
	for id := int64(1300); id > 1; id-- {
		ids = append(ids, id)
		numbers[id] = fmt.Sprint("N", id)
	}
	orders, err := s.Read(t.Context(), ids)
	if err != nil || len(orders) != 1300 || orders[0].ID != 1 || orders[1299].ID != 1300 {
		t.Errorf("Read gives %d orders, %v", len(orders), err)
	}
	if got, err := s.Numbers(t.Context(), ids); err != nil || !maps.Equal(got, numbers) {
		t.Errorf("Numbers gives %d, %v", len(got), err)
	}
	if calls := s.calls(); calls["ByID"] != 3 || calls["Numbers"] != 3 {
		t.Errorf("calls %v", calls)
	}
	for _, method := range []string{"ByID", "Numbers", "Find"} {
		s.Fail(failing(method, 2))
		_, reading := s.Read(t.Context(), ids)
		_, naming := s.Numbers(t.Context(), ids)
		s.Find(t.Context(), "N1")
		_, finding := s.Find(t.Context(), "N1")
		for name, err := range map[string]error{"ByID": reading, "Numbers": naming, "Find": finding} {
			if (err != nil) != (name == method) {
				t.Errorf("when %s fails, %s = %v", method, name, err)
			}
		}
	}
}

func TestLookUpsDontWaitForAPollAndEndWithTheFollower(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.Create(t, start)
	s.Pay(t, id, start)
	s.poll()
	s.Create(t, start)
	asked, goOn := make(chan bool), make(chan bool)
	d := &slowDriver{Driver: s.config.Driver, asked: asked, goOn: goOn}
	s.Close()
	s.config.Driver = d
	f, err := ledger.New(s.config)
	if err != nil {
		t.Fatal(err)
	}
	d.Driver, _ = s.Book.Open(s.config.Ledger)
	polled := make(chan error)
	go func() { polled <- f.Poll(t.Context()) }()
	<-asked // the poll is under way and waits for the database

	if got, err := f.Find(t.Context(), "N1"); err != nil || got.Order.ID != 1 || !got.Since.Equal(start) {
		t.Errorf("Find = %+v, %v", got, err)
	}
	if orders, err := f.Read(t.Context(), []int64{1}); err != nil || len(orders) != 1 {
		t.Errorf("Read = %v, %v", orders, err)
	}
	if open := f.Open(); len(open) != 1 {
		t.Errorf("open %v", open)
	}
	if f.Shop() != "shop" || f.Traits().Number.String() != regexp.MustCompile(`^N\d{1,18}$`).String() {
		t.Errorf("shop %q, traits %+v", f.Shop(), f.Traits())
	}
	close(goOn)
	if err := <-polled; err != nil {
		t.Fatal(err)
	}

	// Many at once, while it polls and is closed.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				f.Find(t.Context(), "N1")
				f.Open()
				f.Books()
				f.Read(t.Context(), []int64{1, 2})
				f.Numbers(t.Context(), []int64{1})
			}
		})
	}
	for range 20 {
		s.Create(t, start)
		f.Poll(t.Context())
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	_, finding := f.Find(t.Context(), "N1")
	_, reading := f.Read(t.Context(), []int64{1})
	_, naming := f.Numbers(t.Context(), []int64{1})
	if finding == nil || reading == nil || naming == nil {
		t.Errorf("a closed follower answers: %v, %v, %v", finding, reading, naming)
	}
	if got := f.Open(); len(got) != 22 || f.Books().Waiting[rules.Automatic][rules.AgeUnder5m] != 1 {
		t.Errorf("a closed follower remembers %d orders, waiting %v", len(got), f.Books().Waiting)
	}
}

// slowDriver says when pages are asked for, and goes on when it is told to.
type slowDriver struct {
	ledger.Driver
	asked, goOn chan bool
	once        sync.Once
}

func (d *slowDriver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	d.once.Do(func() { close(d.asked) })
	<-d.goOn
	return d.Driver.After(ctx, id, limit)
}
