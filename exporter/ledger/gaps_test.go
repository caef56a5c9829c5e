package ledger_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// calls counts the drivers' calls since it was asked last.
func (s *shop) calls() map[string]int {
	calls := map[string]int{}
	for _, call := range s.Calls() {
		calls[call]++
	}
	return calls
}

func (s *shop) createDelivered(n int, step int64) {
	for range n {
		s.Skip(step - 1)
		s.Put(exporter.Order{State: exporter.Delivered, Automatic: true, Payment: "alipay", Created: s.now(), Paid: s.now(), Delivered: s.now()})
	}
}

func TestALateKeyIsFoundWithinTwoMinutesHoweverManyCameSince(t *testing.T) {
	t.Parallel()
	for _, step := range []int64{1, 2, 3} { // of the shop's numbering
		s := newShop(t)
		s.createDelivered(1, 1)
		s.poll()
		late := s.Create(t, start)
		s.Hide(late, true)
		for range 8 { // 2 minutes at 500 orders a second
			s.createDelivered(7500, step)
			s.pollEvery(15 * time.Second)
			if calls := s.calls(); calls["After"] > 20 || calls["ByID"] > 8*7500*int(step-1)/4/500+12 {
				t.Errorf("step %d: a poll asks %v", step, calls)
			}
		}
		s.Hide(late, false)
		s.pollEvery(time.Minute)
		if got := events(s.Books())[rules.OrderCreated]; got != 8*7500+2 {
			t.Errorf("step %d: %d orders are counted, want %d", step, got, 8*7500+2)
		}
	}
}

func TestGapsAreAskedForTwoMinutesAndThenNoMore(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.createDelivered(1, 1)
	s.poll()
	s.Skip(1)
	s.createDelivered(1, 1)
	s.Skip(1_000_000_000) // by a page of one row
	s.createDelivered(1, 1)
	s.poll()
	s.calls()
	for s.now().Before(start.Add(2 * time.Minute)) {
		s.restart()
		s.pollEvery(15 * time.Second)
		if calls := s.calls(); calls["ByID"] != 1 || calls["After"] != 3 { // one is the self-check's
			t.Fatalf("after %v a poll asks %v", s.now().Sub(start), calls)
		}
	}
	s.pollEvery(15 * time.Second)
	if got := s.Calls(); !slices.Equal(got, []string{"After"}) {
		t.Errorf("after 2 minutes a poll asks %v", got)
	}
}

func TestMoreLateKeysThanAPageHoldsAreFoundInAWideGap(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.createDelivered(1, 1)
	s.poll()
	var slow []int64
	for range 1200 {
		slow = append(slow, s.Create(t, start))
		s.Hide(slow[len(slow)-1], true)
	}
	s.createDelivered(1, 1)
	s.poll()
	for i, id := range slow {
		s.Hide(id, i%7 == 0) // those were rolled back
	}
	s.poll()
	s.poll()
	if got, want := events(s.Books())[rules.OrderCreated], uint64(2+1200-172); got != want {
		t.Errorf("%d orders are counted, want %d", got, want)
	}
	s.Hide(slow[700], false)
	s.poll()
	if got, want := events(s.Books())[rules.OrderCreated], uint64(2+1200-171); got != want {
		t.Errorf("%d orders are counted, want %d", got, want)
	}
}

func TestNewestOrdersThatAreGoneForAWhileAreNeitherForgottenNorCountedTwice(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.createDelivered(300, 1)
	stuck := s.Create(t, start)
	s.Pay(t, stuck, start)
	s.createDelivered(300, 1)
	s.poll()
	// The database fails over to a replica that lags by 301 orders, and catches up.
	for id := stuck; id <= stuck+300; id++ {
		s.Hide(id, true)
	}
	s.pollEvery(time.Minute)
	if calls := s.calls(); calls["At"] > 10 {
		t.Errorf("the book is read anew: %v", calls)
	}
	if strings.Contains(s.logged(), "went back") {
		t.Errorf("orders that are gone look like keys that went back:\n%s", s.logged())
	}
	for id := stuck; id <= stuck+300; id++ {
		s.Hide(id, false)
	}
	s.createDelivered(5, 1)
	s.pollEvery(time.Minute)
	if got := s.waiting(rules.Automatic); got != [3]int{1, 0, 0} {
		t.Errorf("waiting = %v", got)
	}
	s.set(stuck, exporter.Delivered)
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 606, rules.OrderPaid: 606, rules.OrderDelivered: 606, rules.OrderRemoved: 1})
}

func TestAnotherBookIsFollowedAnewWithoutCounting(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.createDelivered(10, 1)
	s.poll()
	s.after(15 * time.Second)
	s.Clear() // a larger and older book is in its place
	for i := range 100 {
		s.Put(exporter.Order{State: exporter.Delivered, Created: start.Add(time.Duration(i-100) * time.Hour)})
	}
	stuck := s.Create(t, start)
	s.Pay(t, stuck, start)
	s.poll()
	if got := s.waiting(rules.Automatic); got != [3]int{1, 0, 0} || !strings.Contains(s.logged(), "went back") {
		t.Errorf("waiting %v, log:\n%s", got, s.logged())
	}
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 10, rules.OrderPaid: 10, rules.OrderDelivered: 10})
}

func TestAKeyThatIsGivenAgainIsAnotherOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.Create(t, start)
	s.poll()
	s.after(10 * time.Minute)
	s.createDelivered(1, 1)
	s.poll()
	s.Put(exporter.Order{ID: id, State: exporter.PaidAutoWaiting, Automatic: true, Created: s.now(), Paid: s.now()})
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 3, rules.OrderPaid: 2, rules.OrderDelivered: 1, rules.OrderRemoved: 1})
	if got := s.waiting(rules.Automatic); got != [3]int{1, 0, 0} {
		t.Errorf("waiting = %v", got)
	}
}
