package ledger_test

import (
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// wall is a moment as a driver reads it from a shop's wall clock.
func wall(t *testing.T, zone *time.Location, at time.Time) time.Time {
	t.Helper()
	for _, ahead := range []time.Duration{time.Hour, 30 * time.Minute} {
		if later := at.Add(ahead); later.In(zone).Format(time.DateTime) == at.In(zone).Format(time.DateTime) {
			return later
		}
	}
	return at
}

// changes are moments at which clocks are set, by zone.
var changes = []struct {
	zone   string
	change time.Time
}{
	{"America/New_York", time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
	{"America/New_York", time.Date(2027, 3, 14, 7, 0, 0, 0, time.UTC)},
	{"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
	{"Europe/Berlin", time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC)},
	{"Australia/Lord_Howe", time.Date(2027, 4, 3, 15, 0, 0, 0, time.UTC)}, // by half an hour
	{"Asia/Shanghai", start},
}

func TestAgesAreRightWhenClocksAreSet(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.zone+c.change.Format(" January"), func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			s := newShop(t, func(l *ledger.Config) { l.Ledger.Zone = zone })
			s.after(c.change.Add(-2 * time.Hour).Sub(s.now()))
			s.poll()
			order := func(state exporter.OrderState) int64 {
				return s.Put(exporter.Order{State: state, Automatic: true, Payment: "alipay",
					Created: wall(t, zone, s.now().Add(-20*time.Second)), Paid: wall(t, zone, s.now().Add(-10*time.Second))})
			}
			// An order gets stuck in the hour that comes twice, and stays so all the time.
			stuck, since := int64(0), time.Time{}
			for minute := 0; minute < 240; minute += 2 {
				if s.after(2 * time.Minute); minute == 70 {
					stuck, since = order(exporter.PaidAutoWaiting), s.now().Add(-10*time.Second)
				}
				id := order(exporter.PaidAutoWaiting)
				s.poll()
				want := s.now().Add(-10 * time.Second)
				if stuck != 0 {
					want = since
				}
				if got := s.Books().Oldest[rules.Automatic]; !got.Equal(want) {
					t.Fatalf("at %s the oldest waits since %s, want %s", s.now(), got, want)
				}
				o, _ := s.Get(id)
				o.State, o.Delivered = exporter.Delivered, wall(t, zone, s.now())
				s.Put(o)
				if minute%7 == 0 {
					s.restart()
				}
				s.after(time.Second)
				s.poll()
				heard := "delivered 10s"
				if s.mu.Lock(); s.heard[len(s.heard)-1] != heard || s.heard[0] != "paid by alipay 10s" {
					t.Errorf("at %s heard %q", s.clock, s.heard)
				}
				s.heard = nil
				s.mu.Unlock()
			}
			if b := s.Books(); b.NegativeAges != 0 || b.Late != 1 || s.waiting(rules.Automatic) != [3]int{0, 0, 1} {
				t.Errorf("negative ages %d, late %d, waiting %v", b.NegativeAges, b.Late, b.Waiting)
			}
			s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 121, rules.OrderPaid: 121, rules.OrderDelivered: 120})
		})
	}
}

func TestAColdStartMissesNothingWhenItsFirstHourComesTwice(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		for i, since := range []time.Duration{-61, -59, -30, -1, 0, 1, 20, 30, 40, 50, 61} {
			since *= time.Minute
			s := newShop(t, func(l *ledger.Config) { l.Ledger.Zone = zone; l.Ledger.Lookback = 24 * time.Hour })
			from := c.change.Add(since)
			s.after(from.Add(24 * time.Hour).Sub(s.now()))
			want := uint64(0)
			for minute := -300 - 20*i; minute < 300; minute++ { // a bisect may land anywhere
				created := wall(t, zone, c.change.Add(time.Duration(minute)*time.Minute))
				s.Put(exporter.Order{State: exporter.Delivered, Created: created})
				if !created.Before(from) {
					want++
				}
			}
			s.poll()
			if got := events(s.Books())[rules.OrderCreated]; got != want {
				t.Errorf("%s, first order %v after the change: %d are counted, want %d", c.zone, since, got, want)
			}
		}
	}
}

func TestOldOrdersThatAColdStartComesUponAreNotCountedButWait(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *ledger.Config) { c.Ledger.Lookback = time.Hour })
	s.Create(t, start.Add(-time.Hour-time.Second)) // its key came before the first of the last hour
	stuck := s.Create(t, start.Add(-time.Hour-time.Second))
	s.Pay(t, stuck, start.Add(-time.Hour))
	s.Create(t, start.Add(-time.Hour))
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderUnpaidAtDeadline: 1})
	if got := s.waiting(rules.Automatic); got != [3]int{0, 0, 1} {
		t.Errorf("waiting = %v", got)
	}
}

func TestOurClockMayJumpAndNothingIsCountedTwice(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{5 * time.Hour, -5 * time.Hour} {
		for _, stores := range []bool{true, false} {
			s := newShop(t)
			s.StoresMoments = stores
			s.createDelivered(3, 2)
			short, paid, unpaid := s.Create(t, start), s.Create(t, start), s.Create(t, start)
			s.set(paid, exporter.PaidAutoWaiting)
			s.set(short, exporter.FailedShortOfStock)
			s.poll()
			s.pollEvery(time.Minute)
			true0 := s.now()

			s.after(jump) // for a minute, until somebody sets it right
			for range 4 {
				s.after(15 * time.Second)
				s.Poll(t.Context())
			}
			s.after(true0.Add(time.Minute).Sub(s.now()))
			s.set(paid, exporter.Delivered)
			s.poll()
			s.pollEvery(time.Minute)
			want := map[rules.OrderEvent]uint64{rules.OrderCreated: 6, rules.OrderPaid: 5, rules.OrderDelivered: 4}
			if jump > 0 {
				want[rules.OrderUnpaidAtDeadline] = 1
			}
			s.counted(want)
			if got := s.Books().Oldest[rules.Automatic]; !got.Equal(start) || s.waiting(rules.Automatic) != [3]int{1, 0, 0} {
				t.Errorf("jump %v: waits since %v, want %v; %v", jump, got, start, s.waiting(rules.Automatic))
			}
			s.set(unpaid, exporter.Delivered)
			s.poll()
			want[rules.OrderPaid], want[rules.OrderDelivered] = 6, 5
			s.counted(want)
			if b := s.Books(); b.Items["1"] != 3 || b.Late > 2 {
				t.Errorf("jump %v: items %v, late %d", jump, b.Items, b.Late)
			}
		}
	}
}
