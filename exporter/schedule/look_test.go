package schedule_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

func TestALookThatDoesntReturnIsFailedOnceAndNeverDoubled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := make(chan struct{})
		stuck := service("web", 1, 10*time.Second)
		stuck.Timeout, stuck.FailureThreshold = 4*time.Second, 1
		deaf := func(_ context.Context, s exporter.Service, target string) exporter.Reading {
			r := w.look(context.Background(), s, target)
			<-release
			r.Success, r.End = true, time.Now()
			return r
		}
		s, _ := run(t, schedule.Config{Services: []exporter.Service{stuck}, Look: deaf})
		pass(4900 * time.Millisecond)
		if got := state(t, s, "web"); got.Status != rules.Unknown {
			t.Fatalf("within its grace the look made %s", got.Status)
		}
		pass(200 * time.Millisecond)
		got := state(t, s, "web")
		if got.Status != rules.Outage || got.Failures[rules.ReasonTimeout] != 1 || got.LastLook.IsZero() {
			t.Fatalf("after its timeout and a second the state is %+v", got)
		}
		if took := got.Readings[0].End.Sub(got.Readings[0].Start); took != 5*time.Second {
			t.Errorf("the look took %v", took)
		}
		pass(time.Minute)
		if looks := len(w.starts("web")); looks != 1 {
			t.Fatalf("%d looks began beside the one that hangs", looks-1)
		}
		close(release)
		synctest.Wait()
		if got := state(t, s, "web"); got.Status != rules.Outage || got.LastLook != got.Readings[0].End {
			t.Errorf("the late result counted: %+v", got)
		}
		pass(10 * time.Second)
		if got := state(t, s, "web"); len(w.starts("web")) != 2 || got.Failures[rules.ReasonTimeout] != 1 {
			t.Errorf("after it returned there were %d looks, and the state is %+v", len(w.starts("web")), got)
		}
	})
}

func TestALookEndsWithItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lasts["web"] = time.Hour
		web := service("web", 1, time.Minute)
		web.Timeout = 7 * time.Second
		s, _ := run(t, schedule.Config{Services: []exporter.Service{web}, Look: w.look})
		pass(7*time.Second - time.Millisecond)
		if got := state(t, s, "web"); len(got.Readings) != 0 {
			t.Fatalf("the look ended early: %+v", got)
		}
		pass(2 * time.Millisecond)
		if got := state(t, s, "web"); len(got.Readings) != 1 {
			t.Fatal("the look goes on after its timeout")
		}
	})
}

func TestALookThatPanicsSaysNothingAndHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, _ := run(t, schedule.Config{
			Services: []exporter.Service{service("web", 1, time.Second), service("odd", 2, time.Second)},
			Look: func(ctx context.Context, s exporter.Service, target string) exporter.Reading {
				if s.ID == "odd" {
					panic("index out of range")
				}
				return w.look(ctx, s, target)
			},
		})
		pass(10 * time.Second)
		odd := state(t, s, "odd")
		if odd.Status != rules.Unknown || !odd.LastLook.IsZero() || odd.Failures[rules.ReasonVantage] < 9 {
			t.Errorf("the state is %+v", odd)
		}
		if got := state(t, s, "web"); got.Status != rules.Operational {
			t.Errorf("the other is %s", got.Status)
		}
	})
}
