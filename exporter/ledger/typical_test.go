package ledger_test

import (
	"testing"
	"time"

	"shopwatch/exporter"
)

func TestWhatIsTypicalIsOfTheLastHoursAutomaticDeliveries(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	deliver := func(automatic bool, paid time.Time, took time.Duration) {
		s.Put(exporter.Order{State: exporter.Delivered, Automatic: automatic, Payment: "alipay", Created: paid, Paid: paid, Delivered: paid.Add(took)})
	}
	s.poll()
	if got := s.Books().Typical; got != (exporter.Typical{}) {
		t.Errorf("before any delivery %+v is typical", got)
	}
	deliver(true, start.Add(-2*time.Hour), time.Second) // long ago
	deliver(false, start.Add(-time.Minute), time.Hour)  // a person's
	for i := range 10 {
		deliver(true, start.Add(-time.Minute), time.Duration(10-i)*time.Second)
	}
	s.poll()
	want := exporter.Typical{P50: 5 * time.Second, P90: 9 * time.Second, Orders: 10}
	if got := s.Books().Typical; got != want {
		t.Errorf("%+v is typical, want %+v", got, want)
	}
	s.after(30 * time.Minute)
	deliver(true, s.now().Add(-time.Minute), 7*time.Second)
	s.poll()
	s.pollEvery(29*time.Minute + time.Second)
	want = exporter.Typical{P50: 7 * time.Second, P90: 7 * time.Second, Orders: 1}
	if got := s.Books().Typical; got != want {
		t.Errorf("an hour later %+v is typical, want %+v", got, want)
	}
	for range 3 {
		for range 1000 { // more than are remembered
			deliver(true, s.now().Add(-time.Second), time.Second)
		}
		s.pollEvery(s.config.Ledger.Interval)
	}
	want = exporter.Typical{P50: time.Second, P90: time.Second, Orders: 2000}
	if got := s.Books().Typical; got != want {
		t.Errorf("after many %+v is typical, want %+v", got, want)
	}
}

func TestNothingIsTypicalWhereDeliveriesHaveNoMoment(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Untimed = true
	s.createDelivered(10, 1)
	s.poll()
	if got := s.Books().Typical; got != (exporter.Typical{}) {
		t.Errorf("%+v is typical", got)
	}
}
