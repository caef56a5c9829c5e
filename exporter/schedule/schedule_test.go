package schedule_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

// world answers looks as the test says and notes when they came. In a synctest
// bubble its clock stands still until everything waits.
type world struct {
	t       *testing.T
	mu      sync.Mutex
	broken  map[string]rules.Reason
	lasts   map[string]time.Duration // how long a look takes
	looks   map[string][]time.Time   // starts
	running map[string]int
	atOnce  int // looks that run, over all services
	most    int // of those, ever
}

func newWorld(t *testing.T) *world {
	return &world{t: t, broken: map[string]rules.Reason{}, lasts: map[string]time.Duration{}, looks: map[string][]time.Time{}, running: map[string]int{}}
}

func (w *world) breaks(service string, reason rules.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken[service] = reason
}

func (w *world) starts(service string) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]time.Time(nil), w.looks[service]...)
}

func (w *world) look(ctx context.Context, service exporter.Service, target string) exporter.Reading {
	w.mu.Lock()
	start := time.Now()
	w.looks[service.ID] = append(w.looks[service.ID], start)
	w.running[service.ID]++
	if w.running[service.ID] > 1 {
		w.t.Errorf("two looks at %s at once", service.ID)
	}
	w.atOnce++
	w.most = max(w.most, w.atOnce)
	lasts := w.lasts[service.ID]
	w.mu.Unlock()

	if lasts > 0 {
		timer := time.NewTimer(lasts)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[service.ID]--
	w.atOnce--
	reason := w.broken[service.ID]
	return exporter.Reading{
		Shop: service.Shop, Service: service.ID, Target: target, Start: start, End: time.Now(), Success: reason == "", Reason: reason,
	}
}

func service(id string, position int, interval time.Duration, on ...string) exporter.Service {
	return exporter.Service{
		Shop: "card", ID: id, Position: position, Targets: []string{"https://" + id + ".example.com/"}, Interval: interval, Timeout: interval,
		Slow: time.Second, FailureThreshold: 2, SuccessThreshold: 2, DependsOn: on,
	}
}

// run starts a schedule in the bubble; the given func stops it and gives Run's error.
func run(t *testing.T, config schedule.Config) (*schedule.Schedule, func() error) {
	t.Helper()
	s, err := schedule.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	var result error
	stop := func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return s, stop
}

// pass lets the bubble's time pass and everything that is due happen.
func pass(d time.Duration) {
	time.Sleep(d) // the bubble's clock: no real time passes
	synctest.Wait()
}

func state(t *testing.T, s *schedule.Schedule, id string) exporter.State {
	t.Helper()
	for _, state := range s.States() {
		if state.Service.ID == id {
			return state
		}
	}
	t.Fatalf("no state of %s", id)
	return exporter.State{}
}

func TestEveryServiceIsLookedAtSoonThenAtItsOwnSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, n = time.Minute, 30
		var services []exporter.Service
		for i := range n {
			services = append(services, service(fmt.Sprintf("s%02d", i), i+1, interval))
		}
		w := newWorld(t)
		begin := time.Now()
		run(t, schedule.Config{Services: services, Look: w.look})
		pass(10*interval - time.Second)

		seconds := map[int]int{} // looks in each second of the interval, once steady
		for _, s := range services {
			starts := w.starts(s.ID)
			if first := starts[0].Sub(begin); first > time.Second {
				t.Errorf("%s was first looked at after %v", s.ID, first)
			}
			for i := 1; i < len(starts); i++ {
				gap := starts[i].Sub(starts[i-1])
				if i == 1 && (gap < interval/2 || gap > interval*3/2) || i > 1 && gap != interval {
					t.Errorf("%s: look %d came %v after the one before", s.ID, i, gap)
				}
			}
			if len(starts) < 9 || len(starts) > 11 {
				t.Errorf("%s was looked at %d times in ten intervals", s.ID, len(starts))
			}
			seconds[int(starts[3].Sub(begin)%interval/time.Second)]++
		}
		for second, looks := range seconds {
			if looks > 1 {
				t.Errorf("%d services share second %d of the interval, want them spread", looks, second)
			}
		}
	})
}

func TestAMissedSlotIsSkippedNotQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lasts["slow"] = 25 * time.Second
		slow := service("slow", 1, 10*time.Second)
		slow.Timeout = time.Minute
		begin := time.Now()
		run(t, schedule.Config{Services: []exporter.Service{slow}, Look: w.look})
		pass(2 * time.Minute)
		for i, start := range w.starts("slow") {
			if want := time.Duration(i) * 30 * time.Second; start.Sub(begin) != want {
				t.Errorf("look %d began at %v, want %v", i, start.Sub(begin), want)
			}
		}
		if got := len(w.starts("slow")); got != 5 {
			t.Errorf("%d looks, want 5", got)
		}
	})
}

func TestLooksAtOnceAreBoundedAndNobodyStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var services []exporter.Service
		for i := range 20 {
			s := service(fmt.Sprintf("s%02d", i), i, 10*time.Second)
			w.lasts[s.ID] = 9 * time.Second
			services = append(services, s)
		}
		run(t, schedule.Config{Services: services, Look: w.look, Concurrency: 4})
		pass(5 * time.Minute)
		if w.most != 4 {
			t.Errorf("%d looks ran at once, want 4", w.most)
		}
		for _, s := range services {
			if got := len(w.starts(s.ID)); got < 4 {
				t.Errorf("%s was looked at %d times", s.ID, got)
			}
		}
	})
}

func TestStatesTellWhatTheLooksGave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lasts["web"] = 100 * time.Millisecond
		s, _ := run(t, schedule.Config{
			Services: []exporter.Service{service("web", 2, 10*time.Second), service("pay", 1, 10*time.Second)}, Look: w.look,
		})
		if states := s.States(); len(states) != 2 || states[0].Service.ID != "pay" {
			t.Fatalf("states are %v, want pay first", states)
		}
		before := state(t, s, "web")
		if before.Status != rules.Unknown || !before.LastLook.IsZero() || !before.LastSuccess.IsZero() || len(before.Readings) != 0 {
			t.Fatalf("before the first look the state is %+v", before)
		}
		pass(2 * time.Second)
		good := state(t, s, "web")
		if good.Status != rules.Operational || good.LastLook.IsZero() || !good.LastLook.Equal(good.LastSuccess) {
			t.Fatalf("after a good look the state is %+v", good)
		}
		if !good.LastLook.Equal(good.Readings[0].End) {
			t.Errorf("last look is %v, the look ended at %v", good.LastLook, good.Readings[0].End)
		}

		w.breaks("web", rules.ReasonStatus)
		pass(26 * time.Second)
		bad := state(t, s, "web")
		if bad.Status != rules.Outage || !bad.LastLook.After(bad.LastSuccess) || bad.Failures[rules.ReasonStatus] != 2 {
			t.Fatalf("after two failed looks the state is %+v", bad)
		}

		w.breaks("web", rules.ReasonVantage)
		pass(20 * time.Second)
		blind := state(t, s, "web")
		if blind.Status != rules.Unknown || !blind.LastLook.Equal(bad.LastLook) || !blind.LastSuccess.Equal(bad.LastSuccess) {
			t.Fatalf("an inconclusive look moved the state to %+v", blind)
		}
		if blind.Failures[rules.ReasonVantage] != 2 {
			t.Errorf("failures are %v, want two of vantage", blind.Failures)
		}

		blind.Failures[rules.ReasonVantage] = 99
		blind.Readings[0].Detail = "mine"
		if again := state(t, s, "web"); again.Failures[rules.ReasonVantage] != 2 || again.Readings[0].Detail != "" {
			t.Error("a caller changed the schedule's own state")
		}
	})
}

func TestStatesNeverWaitForALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lasts["web"] = time.Hour
		web := service("web", 1, time.Second)
		web.Timeout = time.Hour
		s, _ := run(t, schedule.Config{Services: []exporter.Service{web}, Look: w.look})
		pass(time.Minute)
		before := time.Now()
		if got := state(t, s, "web"); got.Status != rules.Unknown {
			t.Errorf("status is %s", got.Status)
		}
		if waited := time.Since(before); waited != 0 {
			t.Errorf("States waited %v", waited)
		}
	})
}

func TestAServiceIsAffectedWhileItsCauseIsDownAndAMinuteAfter(t *testing.T) {
	for name, pace := range map[string]float64{"in production": 1, "in the demo": 1.0 / 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tail := time.Duration(float64(time.Minute) * pace)
				w := newWorld(t)
				s, _ := run(t, schedule.Config{Look: w.look, Pace: pace, Services: []exporter.Service{
					service("db", 1, time.Second), service("api", 2, time.Second, "db"), service("web", 3, time.Second, "api"), service("sms", 4, time.Second),
				}})
				affected := func() (ids string) {
					for _, state := range s.States() {
						if state.Affected {
							ids += state.Service.ID + " "
						}
					}
					return ids
				}
				pass(5*time.Second + 100*time.Millisecond)
				if got := affected(); got != "" {
					t.Fatalf("all is well, and %s are affected", got)
				}
				w.breaks("db", rules.ReasonConnect)
				pass(time.Second)
				if got := affected(); got != "" {
					t.Fatalf("one failed look is no outage, and %s are affected", got)
				}
				pass(time.Second)
				if got := affected(); got != "api web " {
					t.Fatalf("db is down and %q are affected", got)
				}
				w.breaks("db", "")
				pass(2 * time.Second) // two good looks end the outage, the second just now
				healed := time.Now()
				if got := state(t, s, "db"); got.Status != rules.Operational {
					t.Fatalf("db is %s", got.Status)
				}
				pass(tail - time.Since(healed) - 200*time.Millisecond)
				if got := affected(); got != "api web " {
					t.Fatalf("within the minute after, %q are affected", got)
				}
				pass(300 * time.Millisecond)
				if got := affected(); got != "" {
					t.Fatalf("a minute after, %q are affected", got)
				}
			})
		})
	}
}

func TestWhatBuyersFeelOfAPrivateCauseIsToldAsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		db, web, inside := service("db", 1, time.Second), service("web", 2, time.Second, "db"), service("inside", 3, time.Second, "db")
		web.Public = true
		s, _ := run(t, schedule.Config{Look: w.look, Services: []exporter.Service{db, web, inside}})
		pass(5 * time.Second)
		w.breaks("db", rules.ReasonConnect)
		pass(3 * time.Second)
		if got := state(t, s, "web"); got.Affected {
			t.Error("a public service is hidden behind a private one, of which buyers are not told")
		}
		if got := state(t, s, "inside"); !got.Affected {
			t.Error("a private service is told beside its cause")
		}
	})
}

func TestALookThatTheStopCutShortCountsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lasts["web"] = time.Hour
		w.breaks("web", rules.ReasonConnect)
		web := service("web", 1, time.Second)
		web.Timeout = time.Hour
		s, stop := run(t, schedule.Config{Look: w.look, Services: []exporter.Service{web}})
		pass(time.Minute)
		before := time.Now()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(before); waited != 0 {
			t.Errorf("the stop took %v", waited)
		}
		if got := state(t, s, "web"); !got.LastLook.IsZero() || len(got.Failures) != 0 {
			t.Errorf("the state is %+v", got)
		}
		if err := s.Run(context.Background()); err == nil {
			t.Error("a second Run is an error")
		}
	})
}

func TestWithoutServicesRunStillWaitsForItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := schedule.New(schedule.Config{Look: newWorld(t).look})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		before := time.Now()
		if err := s.Run(ctx); err != nil || time.Since(before) != time.Hour {
			t.Errorf("Run ended after %v with %v", time.Since(before), err)
		}
	})
}

func TestAScheduleRefusesToBeBuiltWrong(t *testing.T) {
	t.Parallel()
	look := newWorld(t).look
	one := service("web", 1, time.Second)
	lazy, bold := one, one
	lazy.Interval = 0
	bold.FailureThreshold = 0
	for name, c := range map[string]struct {
		config schedule.Config
		want   string
	}{
		"no look":            {schedule.Config{}, "needs a look"},
		"no interval":        {schedule.Config{Look: look, Services: []exporter.Service{lazy}}, `service "card/web": interval is 0s`},
		"no threshold":       {schedule.Config{Look: look, Services: []exporter.Service{bold}}, `service "card/web": thresholds are 0 and 2`},
		"twins":              {schedule.Config{Look: look, Services: []exporter.Service{one, one}}, `service "card/web" is there twice`},
		"a missing cause":    {schedule.Config{Look: look, Services: []exporter.Service{service("web", 1, time.Second, "db")}}, `depends on "db"`},
		"a circle of causes": {schedule.Config{Look: look, Services: []exporter.Service{service("web", 1, time.Second, "web")}}, "depends on itself"},
		"a negative pace":    {schedule.Config{Look: look, Pace: -1}, "pace is -1"},
		"negative places":    {schedule.Config{Look: look, Concurrency: -1}, "concurrency is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := schedule.New(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want %q in it", err, c.want)
			}
		})
	}
}
