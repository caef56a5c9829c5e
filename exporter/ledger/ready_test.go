package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

func TestAnOrderWhoseGoodsAreReadyIsPaidAndNobodyWaits(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.Create(t, start)
	s.poll()
	s.after(15 * time.Second)
	s.set(id, exporter.Ready)
	s.poll()
	s.hears("paid by alipay 15s")
	s.createDelivered(1, 1)
	s.pollEvery(6 * time.Minute)
	want := map[rules.OrderEvent]uint64{rules.OrderCreated: 2, rules.OrderPaid: 2, rules.OrderDelivered: 1}
	s.counted(want)
	if b := s.Books(); s.waiting(rules.Automatic) != [3]int{} || b.Late != 0 || b.Delivery != rules.Operational || b.Open != 1 {
		t.Errorf("waiting %v, late %d, delivery %s, open %d", b.Waiting, b.Late, b.Delivery, b.Open)
	}
	s.hears("paid by alipay 0s", "delivered 0s")
	s.restart()
	s.set(id, exporter.Delivered) // the buyer came an hour later: no time of the machine's
	s.pollEvery(10*time.Minute + s.config.Ledger.Interval)
	want[rules.OrderDelivered] = 2
	s.counted(want)
	s.hears()
	if got := s.Books().Late; got != 0 {
		t.Errorf("late = %d", got)
	}
}

func TestAWaitAfterGoodsWereReadyBeginsWhenItWasSeen(t *testing.T) {
	t.Parallel()
	for _, stores := range []bool{true, false} {
		s := newShop(t)
		s.StoresMoments = stores
		id := s.Create(t, start)
		s.set(id, exporter.Ready)
		s.poll()
		s.createDelivered(1, 1)
		s.pollEvery(time.Hour)
		s.set(id, exporter.PaidAutoWaiting) // the cards ran out
		s.after(10 * time.Minute)
		s.poll()
		seen := s.now()
		s.pollEvery(2 * time.Minute)
		s.set(id, exporter.FailedShortOfStock)
		s.restart()
		s.pollEvery(2 * time.Minute)
		if got := s.Books().Oldest[rules.Automatic]; !got.Equal(seen) || s.waiting(rules.Automatic) != [3]int{1, 0, 0} {
			t.Errorf("stores moments %v: waits since %v, want %v; waiting %v", stores, got, seen, s.waiting(rules.Automatic))
		}
		s.pollEvery(time.Minute)
		if got := s.Books().Late; got != 1 {
			t.Errorf("late = %d, want 1", got)
		}
		s.heard = nil
		s.set(id, exporter.Delivered)
		s.poll()
		s.hears()
		s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 2, rules.OrderPaid: 2, rules.OrderDelivered: 2})
	}
}

func TestGoodsThatNobodyFetchesAreLetGoSilentlyAfterTheLookback(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.Create(t, start)
	s.set(id, exporter.Ready)
	s.poll()
	want := map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1}
	s.after(s.config.Ledger.Lookback - time.Second)
	s.poll()
	if got := s.Books().Open; got != 1 {
		t.Errorf("before the lookback %d are open", got)
	}
	s.after(time.Second)
	s.poll()
	if got := s.Books().Open; got != 0 {
		t.Errorf("after the lookback %d are open", got)
	}
	s.counted(want)
}

func TestAShortageThatTheShopNeverLearnsTheEndOfEnds(t *testing.T) {
	t.Parallel()
	for _, stores := range []bool{true, false} {
		t.Run(fmt.Sprint("stores moments ", stores), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.StoresMoments, s.ShortageEnds = stores, 24*time.Hour
			short := func(ago time.Duration) int64 {
				id := s.Create(t, start.Add(-ago-time.Minute))
				if err := s.Change(id, exporter.FailedShortOfStock, start.Add(-ago)); err != nil {
					t.Fatal(err)
				}
				return id
			}
			short(25 * time.Hour) // over before it was seen
			short(23 * time.Hour)
			s.poll()
			want := map[rules.OrderEvent]uint64{rules.OrderCreated: 2, rules.OrderPaid: 2, rules.OrderDelivered: 1}
			s.counted(want)
			for _, heard := range s.heard {
				if heard != "paid by alipay 1m0s" {
					t.Errorf("heard %q", heard)
				}
			}
			if b := s.Books(); b.ShortOfStock != 1 || s.waiting(rules.Automatic) != [3]int{0, 0, 1} {
				t.Errorf("short %d, waiting %v", b.ShortOfStock, b.Waiting)
			}
			s.after(time.Hour)
			for range 2 {
				s.poll()
				want[rules.OrderFailed] = 1
				s.counted(want)
				if b := s.Books(); b.ShortOfStock != 0 || s.waiting(rules.Automatic) != [3]int{} || b.Open != 0 {
					t.Errorf("short %d, waiting %v, open %d", b.ShortOfStock, b.Waiting, b.Open)
				}
				s.restart()
			}
		})
	}
}

func TestABookWithoutMomentsOfDeliveryGivesNoDuration(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.StoresMoments, s.Untimed = false, true
	id := s.Create(t, start)
	s.poll()
	s.after(15 * time.Second)
	s.set(id, exporter.Delivered)
	s.poll()
	s.hears("paid by alipay 15s")
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1, rules.OrderDelivered: 1})
}
