package ledger_test

import (
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

func TestAPaymentThatNobodySawIsGuessedAndGivesNoDuration(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.StoresMoments = false
	lost := s.Put(exporter.Order{State: exporter.PaidAutoWaiting, Automatic: true, Payment: "alipay", Created: start.Add(-20 * time.Hour)})
	s.poll()
	if got := s.waiting(rules.Automatic); got != [3]int{0, 0, 1} {
		t.Errorf("an order of yesterday that is found paid waits as %v, want it in the oldest tier", got)
	}
	s.pollEvery(time.Minute)
	fresh := s.Put(exporter.Order{State: exporter.PaidAutoWaiting, Automatic: true, Payment: "alipay", Created: s.now()})
	s.after(15 * time.Second)
	s.poll()
	if got := s.waiting(rules.Automatic); got != [3]int{1, 0, 1} {
		t.Errorf("with one that came just now, %v wait", got)
	}
	s.pollEvery(time.Minute)
	for _, id := range []int64{lost, fresh} {
		o, _ := s.Get(id)
		o.State = exporter.Delivered
		s.Put(o)
	}
	s.pollEvery(2 * time.Minute)
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 2, rules.OrderPaid: 2, rules.OrderDelivered: 2})
	s.hears()
}
