package schedule_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
)

func many(n int, interval time.Duration) []exporter.Service {
	var services []exporter.Service
	for i := range n {
		services = append(services, service(fmt.Sprintf("s%05d", i), i, interval))
	}
	return services
}

// lateness notes how late looks began.
type lateness struct {
	mu    sync.Mutex
	times []time.Duration
}

func (l *lateness) observe(late time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = append(l.times, late)
}

// sorted gives all times, shortest first.
func (l *lateness) sorted() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.times)
	return l.times
}

func TestAThousandServicesAreSpreadOverTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, interval = 1000, 15 * time.Second
		w := newWorld(t)
		services := many(n, interval)
		begin := time.Now()
		run(t, schedule.Config{Services: services, Look: w.look})
		pass(4*interval - time.Millisecond)
		groups := map[time.Duration]int{}
		for _, s := range services {
			starts := w.starts(s.ID)
			if len(starts) != 4 {
				t.Fatalf("%s was looked at %d times in four intervals", s.ID, len(starts))
			}
			if first := starts[0].Sub(begin); first >= interval {
				t.Errorf("%s was first looked at after %v", s.ID, first)
			}
			for _, start := range starts {
				groups[start.Sub(begin).Truncate(time.Second)]++
			}
		}
		if len(groups) != 60 {
			t.Errorf("looks began in %d of 60 seconds", len(groups))
		}
		for second, looks := range groups {
			if looks < 60 || looks > 75 {
				t.Errorf("%d looks began in the second from %v, want about 67", looks, second)
			}
		}
	})
}

func TestLooksComeInGroups(t *testing.T) {
	for interval, apart := range map[time.Duration]time.Duration{
		15 * time.Second: time.Second, 750 * time.Millisecond: 187500 * time.Microsecond,
	} {
		t.Run(interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				services := many(200, interval)
				begin := time.Now()
				run(t, schedule.Config{Services: services, Look: w.look})
				pass(5 * interval)
				moments := map[time.Duration]bool{}
				for _, s := range services {
					starts := w.starts(s.ID)[2:]
					for i, start := range starts {
						moments[start.Sub(begin)] = true
						if i > 0 && start.Sub(starts[i-1]) != interval {
							t.Fatalf("%s: looks are %v apart", s.ID, start.Sub(starts[i-1]))
						}
					}
				}
				for moment := range moments {
					if moment%apart != 0 {
						t.Errorf("looks began %v after the start, want whole steps of %v", moment, apart)
					}
				}
				if most := int(5 * interval / apart); len(moments) > most || len(moments) < most/4 {
					t.Errorf("looks began at %d moments, want at most %d", len(moments), most)
				}
			})
		})
	}
}

func TestServicesOfAnyNumberSpreadEvenly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "services")
		interval := time.Duration(rapid.IntRange(4, 90).Draw(t, "seconds")) * time.Second
		s, err := schedule.New(schedule.Config{Services: many(n, interval), Look: nothing})
		if err != nil {
			t.Fatal(err)
		}
		groups := int(interval / time.Second)
		for i := range 3 * groups { // until all have their steady slots
			s.Due(time.Duration(i) * time.Second)
		}
		seen := 0
		for i := range groups {
			looks := len(s.Due(3*interval + time.Duration(i)*time.Second))
			seen += looks
			if most := n/groups + n/groups/4 + 4; looks > most {
				t.Errorf("%d of %d services share one of %d groups", looks, n, groups)
			}
		}
		if seen != n {
			t.Errorf("%d of %d services were looked at in one interval", seen, n)
		}
	})
}

func nothing(context.Context, exporter.Service, string) exporter.Reading {
	return exporter.Reading{Success: true}
}

func TestSlotsThatAStallMissedAreSkippedOnce(t *testing.T) {
	t.Parallel()
	const interval = 10 * time.Second
	s, err := schedule.New(schedule.Config{Services: many(100, interval), Look: nothing})
	if err != nil {
		t.Fatal(err)
	}
	for second := range 30 {
		s.Due(time.Duration(second) * time.Second)
	}
	const back = 30*time.Second + 7*interval + 500*time.Millisecond // stalled for 71 s
	if got := len(s.Due(back)); got > 25 {
		t.Errorf("after the stall %d looks were due at once, want those of the last two groups", got)
	}
	seen := map[string]int{}
	for second := 1; second <= 10; second++ {
		group := s.Due(back + time.Duration(second)*time.Second)
		if len(group) > 12 {
			t.Errorf("second %d after the stall has %d looks", second, len(group))
		}
		for _, id := range group {
			seen[id]++
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 services were looked at in the interval after the stall", len(seen))
	}
}

func TestAMachineThatIsAlwaysLateStillLooks(t *testing.T) {
	t.Parallel()
	const interval = 10 * time.Second
	s, err := schedule.New(schedule.Config{Services: many(10, interval), Look: nothing})
	if err != nil {
		t.Fatal(err)
	}
	looks := map[string]int{}
	for i := range 40 { // wakes every 23 s only
		for _, id := range s.Due(time.Duration(i) * 23 * time.Second) {
			looks[id]++
		}
	}
	for id, n := range looks {
		if n < 15 {
			t.Errorf("%s was looked at %d times", id, n)
		}
	}
	if len(looks) != 10 {
		t.Errorf("%d of 10 services were looked at", len(looks))
	}
}

func TestHangingTargetsDelayNoOthers(t *testing.T) {
	for name, c := range map[string]struct {
		hanging, concurrency int
		from                 time.Duration // since when nobody is late
	}{
		"a thousand":                            {1000, 0, 0},
		"more than there are places for":        {400, 200, 40 * time.Second},
		"three times what there are places for": {600, 120, 80 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const interval = 15 * time.Second
				services := many(c.hanging+100, interval)
				quick := map[string]bool{}
				for i := range services {
					services[i].Timeout = 10 * time.Second
					if i%(len(services)/100) == 0 {
						quick[services[i].ID] = true
					}
				}
				w := newWorld(t)
				for _, s := range services {
					if !quick[s.ID] {
						w.lasts[s.ID] = time.Hour // until its context ends
					}
				}
				begin := time.Now()
				run(t, schedule.Config{Services: services, Look: w.look, Concurrency: c.concurrency})
				pass(9 * interval)
				for id := range quick {
					starts := w.starts(id)
					for i, start := range starts {
						if i == 0 || start.Sub(begin) < c.from {
							continue
						}
						if gap := start.Sub(starts[i-1]); starts[i-1].Sub(begin) > c.from && (gap < interval-time.Second || gap > interval+time.Second) {
							t.Fatalf("%s: look %d came %v after the one before", id, i, gap)
						}
					}
					if last := starts[len(starts)-1]; time.Since(last) > interval+time.Second {
						t.Errorf("%s was last looked at %v ago", id, time.Since(last))
					}
				}
			})
		})
	}
}

func TestNoLookIsLate(t *testing.T) {
	for _, n := range []int{1000, 4000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const interval = 15 * time.Second
				var late lateness
				services := many(n, interval)
				looked := map[string]bool{}
				var mu sync.Mutex
				run(t, schedule.Config{Services: services, Observe: late.observe, Look: func(ctx context.Context, s exporter.Service, _ string) exporter.Reading {
					mu.Lock()
					looked[s.ID] = true
					mu.Unlock()
					time.Sleep(200 * time.Millisecond)
					return exporter.Reading{Success: true}
				}})
				pass(interval)
				mu.Lock()
				first := len(looked)
				mu.Unlock()
				if first != n {
					t.Errorf("%d of %d services were looked at within one interval of the start", first, n)
				}
				pass(interval)
				times := late.sorted()
				if p99, most := times[len(times)*99/100], times[len(times)-1]; most > 600*time.Millisecond {
					t.Errorf("looks began up to %v late, 99 %% within %v", most, p99)
				}
			})
		})
	}
}

func TestTheWallClockMovesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var set time.Duration
		now := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(set).Round(0)
		}
		w := newWorld(t)
		run(t, schedule.Config{Services: many(1, 10*time.Second), Look: w.look, Now: now})
		for _, jump := range []time.Duration{24 * time.Hour, -48 * time.Hour, time.Minute} {
			pass(25 * time.Second)
			mu.Lock()
			set = jump
			mu.Unlock()
		}
		pass(25*time.Second - time.Millisecond)
		starts := w.starts("s00000")
		if len(starts) != 10 {
			t.Errorf("%d looks in ten intervals", len(starts))
		}
		for i := 1; i < len(starts); i++ {
			if gap := starts[i].Sub(starts[i-1]); gap != 10*time.Second {
				t.Errorf("look %d came %v after the one before", i, gap)
			}
		}
	})
}

func TestAFewLooksOfAGroupBeginAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		lasts         time.Duration
		first, moment int // looks that begin in the first moment, and in any
	}{
		"when they wait for the far side":   {time.Second, 8, 8},
		"and the others when one has ended": {0, 64, 64},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				services := many(64, time.Minute)
				for _, s := range services {
					w.lasts[s.ID] = c.lasts
				}
				begin := time.Now()
				run(t, schedule.Config{Services: services, Look: w.look})
				pass(500 * time.Millisecond)
				moments := map[time.Duration]int{}
				looks := 0
				for _, s := range services {
					for _, start := range w.starts(s.ID) {
						moments[start.Sub(begin)]++
						looks++
					}
				}
				if looks != 64 || moments[0] != c.first {
					t.Errorf("%d of %d looks began in the first moment, want %d of 64", moments[0], looks, c.first)
				}
				for moment, n := range moments {
					if n > c.moment {
						t.Errorf("%d looks began after %v", n, moment)
					}
				}
			})
		})
	}
}
