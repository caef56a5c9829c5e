package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

func TestAnOrderThatIsFirstSeenDeliveredCountsAsCreatedPaidAndDelivered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stores bool
		heard  []string
	}{
		{true, []string{"paid by alipay 20s", "delivered 40s"}},
		{false, nil}, // the moments aren't stored, and nobody watched
	} {
		t.Run(fmt.Sprintf("stores moments %v", c.stores), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.StoresMoments = c.stores
			id := s.Create(t, start.Add(-10*time.Minute))
			s.Pay(t, id, start.Add(-10*time.Minute+20*time.Second))
			s.Deliver(t, id, start.Add(-9*time.Minute))
			s.poll()
			s.poll()
			s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1, rules.OrderDelivered: 1})
			s.hears(c.heard...)
			b := s.Books()
			if b.Items["1"] != 1 || b.Revenue[exporter.Money{Payment: "alipay", Currency: "CNY"}] != 10 {
				t.Errorf("items %v, revenue %v", b.Items, b.Revenue)
			}
		})
	}
}

func TestDurationsAreToldWhereTheyWereSeen(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.StoresMoments = false
	instant := s.Create(t, start)
	short := s.Create(t, start)
	manual := s.Put(exporter.Order{State: exporter.Unpaid, Payment: "alipay", Created: start})
	s.poll()
	s.hears()

	s.after(15 * time.Second)
	s.set(instant, exporter.Delivered)
	s.set(short, exporter.FailedShortOfStock)
	s.set(manual, exporter.ManualWaiting)
	s.poll()
	s.hears("paid by alipay 15s", "paid by alipay 15s", "delivered 0s", "paid by alipay 15s") // the newest is read first

	s.pollEvery(2 * time.Minute)
	s.set(short, exporter.Delivered)
	s.set(manual, exporter.Delivered) // a person's time is no sample
	s.poll()
	s.hears("delivered 2m0s")

	// What happened while nobody looked has no duration.
	unseen := s.Create(t, s.now())
	s.poll()
	s.after(3 * time.Hour)
	s.set(unseen, exporter.Delivered)
	s.poll()
	s.hears()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 4, rules.OrderPaid: 4, rules.OrderDelivered: 4})
}

func TestNoDurationIsNegative(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Put(exporter.Order{State: exporter.Delivered, Automatic: true, Payment: "alipay",
		Created: start, Paid: start.Add(-time.Minute), Delivered: start.Add(-2 * time.Minute)})
	s.Put(exporter.Order{State: exporter.PaidAutoWaiting, Automatic: true, Created: start, Paid: start.Add(time.Minute)})
	s.poll()
	s.hears("paid by alipay 0s", "delivered 0s")
	if got := s.waiting(rules.Automatic); got != [3]int{1, 0, 0} {
		t.Errorf("waiting = %v", got)
	}
	b := s.Books()
	if oldest := b.Oldest[rules.Automatic]; !oldest.Equal(start) {
		t.Errorf("oldest waits since %v, want now", oldest)
	}
	s.poll()
	if b.NegativeAges != 1 || s.Books().NegativeAges != 1 {
		t.Errorf("%d orders of a time to come, want 1", b.NegativeAges)
	}
}

func TestAnOrderStaysInItsTierUntilItsAge(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	automatic, manual := s.Create(t, start), s.Put(exporter.Order{State: exporter.ManualWaiting, Created: start, Paid: start})
	s.Pay(t, automatic, start)
	for _, c := range []struct {
		after    time.Duration
		want     [3]int
		delivery rules.Status
		late     uint64
	}{
		{0, [3]int{1, 0, 0}, rules.Operational, 0},
		{2*time.Minute - time.Second, [3]int{1, 0, 0}, rules.Operational, 0},
		{2 * time.Minute, [3]int{1, 0, 0}, rules.Degraded, 0},
		{5*time.Minute - time.Second, [3]int{1, 0, 0}, rules.Degraded, 0},
		{5 * time.Minute, [3]int{0, 1, 0}, rules.Outage, 1},
		{30*time.Minute - time.Second, [3]int{0, 1, 0}, rules.Outage, 1},
		{30 * time.Minute, [3]int{0, 0, 1}, rules.Outage, 1},
		{72 * time.Hour, [3]int{0, 0, 1}, rules.Outage, 1},
	} {
		s.after(start.Add(c.after).Sub(s.now()))
		s.poll()
		b := s.Books()
		if s.waiting(rules.Automatic) != c.want || s.waiting(rules.Manual) != c.want {
			t.Errorf("after %v: automatic %v, manual %v, want %v", c.after, s.waiting(rules.Automatic), s.waiting(rules.Manual), c.want)
		}
		if b.Delivery != c.delivery || b.Late != c.late {
			t.Errorf("after %v: delivery %s, late %d, want %s, %d", c.after, b.Delivery, b.Late, c.delivery, c.late)
		}
		if !b.Oldest[rules.Automatic].Equal(start) {
			t.Errorf("after %v: oldest %v, want %v", c.after, b.Oldest[rules.Automatic], start)
		}
	}
	s.set(automatic, exporter.Delivered)
	s.set(manual, exporter.Delivered)
	s.poll()
	b := s.Books()
	if _, waits := b.Oldest[rules.Automatic]; waits || b.Delivery != rules.Operational || b.Late != 1 || s.waiting(rules.Automatic) != [3]int{} {
		t.Errorf("when all is delivered: %+v", b)
	}
}

func TestALateDeliveryCountsOnceAlsoWhenNobodySawItWait(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.poll()
	late, inTime := s.Create(t, start), s.Create(t, start)
	s.Pay(t, late, start)
	s.Pay(t, inTime, start)
	s.after(5 * time.Minute)
	s.Deliver(t, inTime, s.now().Add(-time.Second))
	s.Deliver(t, late, s.now())
	s.poll()
	s.poll()
	if got := s.Books().Late; got != 1 {
		t.Errorf("late = %d, want 1", got)
	}
}

func TestTheWaitBeginsWhenItWasFirstSeenHoweverOftenTheRowIsEdited(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.StoresMoments = false
	id := s.Create(t, start.Add(-time.Minute))
	s.Pay(t, id, start)
	s.poll()
	s.after(4 * time.Minute)
	s.set(id, exporter.FailedShortOfStock) // an edit moves updated_at
	s.poll()
	s.restart()
	s.after(2 * time.Minute)
	s.poll()
	b := s.Books()
	if !b.Oldest[rules.Automatic].Equal(start) || s.waiting(rules.Automatic) != [3]int{0, 1, 0} || b.ShortOfStock != 1 {
		t.Errorf("oldest %v, waiting %v, short %d", b.Oldest, b.Waiting, b.ShortOfStock)
	}
}

func TestAnOrderUnpaidAtItsDeadlineCountsOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(*shop, int64)
		want map[rules.OrderEvent]uint64
	}{
		{"nobody pays", func(s *shop, _ int64) {}, map[rules.OrderEvent]uint64{rules.OrderUnpaidAtDeadline: 1}},
		{"the shop closes it before", func(s *shop, id int64) { s.set(id, exporter.Expired) },
			map[rules.OrderEvent]uint64{rules.OrderExpired: 1, rules.OrderUnpaidAtDeadline: 1}},
		{"it is paid before", func(s *shop, id int64) { s.set(id, exporter.Delivered) },
			map[rules.OrderEvent]uint64{rules.OrderPaid: 1, rules.OrderDelivered: 1}},
		{"it is closed, and paid all the same before", func(s *shop, id int64) {
			s.set(id, exporter.Expired)
			s.pollEvery(time.Minute)
			s.set(id, exporter.PaidAutoWaiting)
		}, map[rules.OrderEvent]uint64{rules.OrderExpired: 1, rules.OrderPaid: 1}},
		{"it is deleted before", func(s *shop, id int64) { s.Delete(s.t, id) }, map[rules.OrderEvent]uint64{rules.OrderRemoved: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			id := s.Create(t, start)
			s.pollEvery(10 * time.Minute)
			c.do(s, id)
			c.want[rules.OrderCreated] = 1
			deadline := c.want[rules.OrderUnpaidAtDeadline]
			s.after(start.Add(15*time.Minute - time.Second).Sub(s.now()))
			s.poll()
			delete(c.want, rules.OrderUnpaidAtDeadline)
			s.counted(c.want)
			s.after(time.Second)
			s.poll()
			c.want[rules.OrderUnpaidAtDeadline] = deadline
			s.counted(c.want)
			s.restart()
			s.pollEvery(5 * time.Minute)
			s.counted(c.want)
		})
	}
}

func TestAnOrderFlippedToAndFroCountsOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.StoresMoments = false
	id := s.Create(t, start)
	for range 3 {
		for _, state := range []exporter.OrderState{exporter.PaidAutoWaiting, exporter.Expired, exporter.UnknownState, exporter.Unpaid} {
			s.set(id, state)
			s.after(time.Minute)
			s.poll()
		}
	}
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1, rules.OrderExpired: 1})
	if b := s.Books(); b.UnknownStatuses != 1 || b.Items["1"] != 1 {
		t.Errorf("unknown %d, items %v", b.UnknownStatuses, b.Items)
	}
	s.set(id, exporter.Delivered)
	s.poll()
	s.set(id, exporter.PaidAutoWaiting) // final is final
	s.poll()
	if got := s.waiting(rules.Automatic); got != [3]int{} {
		t.Errorf("a delivered order waits again: %v", got)
	}
}

func TestKeysThatBecomeVisibleLateAreNotLost(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for range 10 {
		s.Create(t, start)
	}
	s.poll()
	// A slow transaction holds a key while 300 more are given: more than the overlap.
	late := s.Create(t, start)
	s.Hide(late, true)
	for range 300 {
		s.Create(t, start)
	}
	s.pollEvery(time.Minute)
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 310})
	s.restart()
	s.Hide(late, false)
	s.pollEvery(time.Minute)
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 311})
}

func TestOrdersThatNobodyPaidAreLookedAtLessAndThenNoMore(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	fresh, old, expired, unknown := s.Create(t, start), s.Create(t, start.Add(-3*time.Hour)), s.Create(t, start), s.Create(t, start)
	s.set(expired, exporter.Expired)
	s.set(unknown, exporter.UnknownState)
	for range 1000 { // they come below the overlap
		s.set(s.Create(t, start), exporter.Delivered)
	}
	s.poll()
	s.pollEvery(16 * time.Minute) // the slow lane was looked at 6 minutes ago

	for _, id := range []int64{fresh, old, expired, unknown} {
		s.set(id, exporter.FailedShortOfStock)
	}
	s.pollEvery(s.config.Ledger.Interval)
	if got := s.Books().ShortOfStock; got != 1 {
		t.Errorf("a poll saw %d orders change, want the fresh one alone", got)
	}
	s.pollEvery(10 * time.Minute)
	if got := s.Books().ShortOfStock; got != 4 {
		t.Errorf("10 minutes saw %d orders change, want all 4", got)
	}

	dead := s.Create(t, s.now())
	s.poll()
	s.after(24 * time.Hour)
	s.poll()
	s.set(dead, exporter.FailedShortOfStock)
	s.after(10 * time.Minute)
	s.Calls()
	s.poll()
	if got := s.Books().ShortOfStock; got != 4 {
		t.Errorf("after a day %d orders wait: an unpaid one is still looked at, or a paid one no more", got)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for i := range 400 {
		s.Put(exporter.Order{State: exporter.Delivered, Payment: fmt.Sprint("gateway", i), Items: []exporter.Item{{Product: fmt.Sprint("p", i*7), Quantity: 1}},
			Currency: fmt.Sprint("C", i), Amount: 1, Created: start})
	}
	s.Put(exporter.Order{State: exporter.Delivered, Payment: "bad\xffutf-8" + string(make([]byte, 200)), Created: start})
	s.poll()
	s.restart()
	s.poll()
	b := s.Books()
	payments, currencies := map[string]bool{}, map[string]bool{}
	for key := range b.Orders {
		payments[key.Payment] = true
	}
	sum := 0.0
	for key, amount := range b.Revenue {
		currencies[key.Currency] = true
		sum += amount
	}
	if len(payments) != 101 || len(currencies) != 21 || !payments["other"] || !currencies["other"] {
		t.Errorf("%d payments, %d currencies", len(payments), len(currencies))
	}
	if sum != 400 || events(b)[rules.OrderCreated] != 401 {
		t.Errorf("revenue %v, created %d: something got lost", sum, events(b)[rules.OrderCreated])
	}
}

func TestOrdersBeyondTheLimitAreDroppedCountedAndToldOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Limit(10)
	stuck := s.Create(t, start)
	s.Pay(t, stuck, start)
	for range 11 {
		s.Create(t, s.now())
	}
	s.poll()
	for range 3 {
		s.Create(t, s.now())
		s.pollEvery(s.config.Ledger.Interval)
	}
	if b := s.Books(); b.Open != 10 || b.Dropped != 5 || s.waiting(rules.Automatic) != [3]int{1, 0, 0} {
		t.Errorf("open %d, dropped %d, waiting %v", b.Open, b.Dropped, b.Waiting)
	}
	if n := strings.Count(s.logged(), "too many open orders"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, s.logged())
	}
	s.restart()
	s.poll()
	if got := s.Books().Dropped; got != 5 {
		t.Errorf("after a restart %d are dropped", got)
	}
}

func TestTheOpenSetIsBoundedAndKeepsWhoeverWaitsLongest(t *testing.T) {
	t.Parallel()
	states := map[int64]exporter.OrderState{
		1: exporter.PaidAutoWaiting, 2: exporter.Unpaid, 3: exporter.ManualWaiting, 4: exporter.Expired, 5: exporter.PaidAutoWaiting, 6: exporter.Unpaid,
	}
	for most, want := range map[int]string{
		6: "[1 2 3 4 5 6]", 5: "[1 3 4 5 6]", 4: "[1 3 5 6]", 3: "[1 3 5]", 2: "[1 3]", 1: "[1]",
	} {
		if got := fmt.Sprint(ledger.Trim(states, most)); got != want {
			t.Errorf("a limit of %d leaves %s, want %s", most, got, want)
		}
	}
}
