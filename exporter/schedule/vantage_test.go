package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

// network is a connection to the world that can be cut, with services behind
// it that can be down and anchors that can be walled off.
type network struct {
	mu      sync.Mutex
	cut     bool
	walled  bool
	down    map[string]bool
	hangs   bool // what fails does so at its timeout, not at once
	reaches int
	asking  int // reaches at once
	most    int
}

func (n *network) set(change func(*network)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func (n *network) is(what func(*network) bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return what(n)
}

// look succeeds if the network stands when it begins and when it is answered.
func (n *network) look(ctx context.Context, s exporter.Service, target string) exporter.Reading {
	r := exporter.Reading{Shop: s.Shop, Service: s.ID, Target: target, Start: time.Now()}
	fails := func(n *network) bool { return n.cut && s.Outward || n.down[s.ID] }
	failed := n.is(fails)
	if failed && n.is(func(n *network) bool { return n.hangs || n.cut }) {
		<-ctx.Done()
	} else {
		time.Sleep(100 * time.Millisecond)
	}
	r.End, r.Success = time.Now(), !failed && !n.is(func(n *network) bool { return n.cut && s.Outward })
	if !r.Success {
		r.Reason = rules.ReasonConnect
	}
	return r
}

func (n *network) reach(ctx context.Context, _ string) error {
	n.set(func(n *network) { n.reaches++; n.asking++; n.most = max(n.most, n.asking) })
	defer n.set(func(n *network) { n.asking-- })
	if n.is(func(n *network) bool { return n.cut || n.walled }) {
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(20 * time.Millisecond)
	if n.is(func(n *network) bool { return n.cut || n.walled }) {
		return errors.New("lost")
	}
	return nil
}

func outward(id string, position int) exporter.Service {
	s := service(id, position, 15*time.Second)
	s.Timeout, s.Outward = 5*time.Second, true
	return s
}

// guarded runs a schedule over the network.
func guarded(t *testing.T, n *network, config schedule.Config) (*schedule.Schedule, func() error) {
	t.Helper()
	if n.down == nil {
		n.down = map[string]bool{}
	}
	config.Look, config.Reach = n.look, n.reach
	if config.Anchors == nil {
		config.Anchors = []string{"192.0.2.1:53", "192.0.2.2:53"}
	}
	return run(t, config)
}

func TestWithoutOurConnectionNothingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		near := service("near", 3, 15*time.Second)
		s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{outward("web", 1), outward("pay", 2), near}})
		pass(40 * time.Second)
		good := state(t, s, "web")
		if good.Status != rules.Operational {
			t.Fatalf("with everything up the state is %+v", good)
		}
		n.set(func(n *network) { n.cut = true })
		pass(48 * time.Hour)
		for _, id := range []string{"web", "pay"} {
			got := state(t, s, id)
			if got.Status != rules.Unknown || got.LastLook.After(good.LastLook.Add(15*time.Second)) || !got.LastLook.Equal(got.LastSuccess) {
				t.Errorf("in the dark %s is %+v", id, got)
			}
			if r := got.Readings[0]; r.Conclusive() || !strings.Contains(r.Detail, "no anchor answers") {
				t.Errorf("in the dark the reading of %s is %+v", id, r)
			}
			if len(got.Failures) != 1 || got.Failures[rules.ReasonVantage] == 0 {
				t.Errorf("failures of %s are %v", id, got.Failures)
			}
		}
		if got := state(t, s, "near"); got.Status != rules.Operational {
			t.Errorf("a service that needs no connection is %s", got.Status)
		}
		n.set(func(n *network) { n.cut = false; n.down["web"] = true })
		pass(50 * time.Second)
		if got := state(t, s, "pay"); got.Status != rules.Operational {
			t.Errorf("with the connection back, pay is %s", got.Status)
		}
		if got := state(t, s, "web"); got.Status != rules.Outage {
			t.Errorf("with the connection back, the one that is down is %+v", got)
		}
	})
}

func TestAServiceThatFailsWhileAnAnchorAnswersIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{down: map[string]bool{"web": true}}
		s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{outward("web", 1)}})
		pass(20 * time.Second)
		if got := state(t, s, "web"); got.Status != rules.Outage || got.Failures[rules.ReasonConnect] != 2 {
			t.Errorf("the only service is down, and its state is %+v", got)
		}
	})
}

func TestEveryLookWaitsForAnchorsAskedAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The connection is lost amid the look, after anchors were asked at the
		// start and answered.
		n := &network{down: map[string]bool{"web": true}, hangs: true}
		web := outward("web", 1)
		web.FailureThreshold = 1
		s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{web}})
		pass(4 * time.Second)
		n.set(func(n *network) { n.cut = true })
		pass(6 * time.Second)
		if got := state(t, s, "web"); got.Status != rules.Unknown || len(got.Readings) != 1 {
			t.Errorf("the state is %+v", got)
		}
	})
}

func TestAnchorsAreAskedTogetherForManyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{down: map[string]bool{}}
		services := many(500, 15*time.Second)
		for i := range services {
			services[i].Outward = true
			n.down[services[i].ID] = true
		}
		s, _ := guarded(t, n, schedule.Config{Services: services})
		pass(60 * time.Second)
		if n.most != 2 || n.reaches > 2*35 || n.reaches < 10 {
			t.Errorf("anchors were asked %d times in a minute, %d at once; want both together, each two seconds at most", n.reaches, n.most)
		}
		for _, state := range s.States() {
			if state.Status != rules.Outage {
				t.Fatalf("%s is %s", state.Service.ID, state.Status)
			}
		}
	})
}

func TestTheWaitForAnchorsHoldsUpNoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		var late lateness
		services := many(300, 15*time.Second)
		for i := range services {
			services[i].Outward, services[i].Timeout = true, 2*time.Second
		}
		s, _ := guarded(t, n, schedule.Config{Services: services, Observe: late.observe, Concurrency: 100})
		pass(30 * time.Second)
		n.set(func(n *network) { n.cut = true })
		pass(5 * time.Minute)
		times := late.sorted()
		if most := times[len(times)-1]; most > time.Second {
			t.Errorf("a look began %v late", most)
		}
		if len(times) < 300*21 {
			t.Errorf("%d looks in 22 intervals of 300 services", len(times))
		}
		for _, state := range s.States() {
			if state.Status != rules.Unknown {
				t.Fatalf("%s is %s", state.Service.ID, state.Status)
			}
		}
	})
}

func TestAnchorsThatAreWalledOffBlindNobody(t *testing.T) {
	t.Run("from the start, and another service is up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{walled: true, down: map[string]bool{"web": true}}
			var log strings.Builder
			s, stop := guarded(t, n, schedule.Config{
				Services: []exporter.Service{outward("web", 1), outward("pay", 2)}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			pass(70 * time.Second)
			if got := state(t, s, "web"); got.Status != rules.Outage {
				t.Errorf("the one that is down is %+v", got)
			}
			pass(time.Hour)
			_ = stop()
			if told := strings.Count(log.String(), "anchors are blocked"); told != 1 {
				t.Errorf("the log tells %d times that anchors are blocked, want once:\n%s", told, log.String())
			}
		})
	})
	t.Run("from the start, and the only service is down", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{walled: true, down: map[string]bool{"web": true}}
			s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{outward("web", 1)}})
			pass(5 * time.Minute)
			if got := state(t, s, "web"); got.Status != rules.Unknown || !got.LastLook.IsZero() {
				t.Errorf("in the first minutes the state is %+v", got)
			}
			pass(time.Minute)
			if got := state(t, s, "web"); got.Status != rules.Outage {
				t.Errorf("after them the state is %+v", got)
			}
		})
	})
	t.Run("later, and then a service goes down", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{outward("web", 1), outward("pay", 2)}})
			pass(time.Minute + time.Second)
			n.set(func(n *network) { n.walled = true })
			pass(90 * time.Second)
			n.set(func(n *network) { n.down["web"] = true })
			pass(33 * time.Second)
			if got := state(t, s, "web"); got.Status != rules.Outage {
				t.Errorf("the one that is down is %+v", got)
			}
			n.set(func(n *network) { n.walled = false })
			pass(2 * time.Minute)
			n.set(func(n *network) { n.cut = true })
			pass(time.Minute)
			if got := state(t, s, "pay"); got.Status != rules.Unknown {
				t.Errorf("anchors answered again, then the connection was lost, and the state is %+v", got)
			}
		})
	})
}

func TestASuccessBesideAnchorsThatDontAnswerMakesUsAskOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		web, pay := outward("web", 1), outward("pay", 2)
		web.FailureThreshold, pay.Interval = 1, time.Second
		s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{web, pay}})
		pass(20 * time.Second)
		n.set(func(n *network) { n.walled = true; n.down["web"] = true })
		pass(15 * time.Second) // its look, and twice the two seconds for which anchors are asked
		if got := state(t, s, "web"); got.Status != rules.Outage {
			t.Errorf("anchors were walled off when web went down, and its first failed look made %+v", got)
		}
	})
}

func TestAStartWithoutNetworkTellsNothing(t *testing.T) {
	t.Run("ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{cut: true}
			s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{outward("web", 1)}})
			pass(4 * time.Minute)
			n.set(func(n *network) { n.cut = false })
			pass(20 * time.Second)
			if got := state(t, s, "web"); got.Status != rules.Operational || len(got.Failures) != 1 || got.Failures[rules.ReasonVantage] == 0 {
				t.Errorf("after the network came up the state is %+v", got)
			}
		})
	})
	path := filepath.Join(t.TempDir(), "services.json")
	first := schedule.Config{Services: []exporter.Service{outward("web", 1)}, Path: path}
	synctest.Test(t, func(t *testing.T) {
		_, stop := guarded(t, &network{}, first)
		pass(time.Minute)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("after a process that had one, for however long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := guarded(t, &network{cut: true}, first)
			pass(3 * time.Hour)
			if got := state(t, s, "web"); got.Status != rules.Unknown || !got.LastLook.IsZero() {
				t.Errorf("the state is %+v", got)
			}
		})
	})
	t.Run("after a process that had one, with other anchors, for the first minutes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			other := first
			other.Anchors = []string{"198.51.100.1:53"}
			s, _ := guarded(t, &network{cut: true}, other)
			pass(time.Hour)
			if got := state(t, s, "web"); got.Status != rules.Outage {
				t.Errorf("the state is %+v", got)
			}
		})
	})
}

func TestAnchorsAreLeftAloneWithoutServicesOutward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{down: map[string]bool{"near": true}}
		guarded(t, n, schedule.Config{Services: []exporter.Service{service("near", 1, 15*time.Second)}})
		pass(time.Hour)
		if n.reaches != 0 {
			t.Errorf("anchors were asked %d times", n.reaches)
		}
	})
}

func TestWithoutAnchorsEveryFailureCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{cut: true}
		s, _ := guarded(t, n, schedule.Config{Services: []exporter.Service{outward("web", 1)}, Anchors: []string{}})
		pass(30 * time.Second)
		if got := state(t, s, "web"); got.Status != rules.Outage || n.reaches != 0 {
			t.Errorf("the state is %+v, and anchors were asked %d times", got, n.reaches)
		}
	})
	if _, err := schedule.New(schedule.Config{Look: nothing, Anchors: []string{"192.0.2.1:53"}}); err == nil || !strings.Contains(err.Error(), "reach") {
		t.Errorf("anchors without a way to reach them: %v", err)
	}
}
