package schedule_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

func TestCombine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		letters string // one a target, as reading's
		answers int
		want    string // success, reason or reason and detail
	}{
		"all answer": {"ggg", 0, "success"},
		"one of three fails, and all must answer":     {"gbg", 0, "status: 1 of 3 targets failed: b1"},
		"one of three fails, and two must answer":     {"gbg", 2, "success"},
		"two of three fail, and two must answer":      {"bgb", 2, "status: 2 of 3 targets failed: b0"},
		"two of three fail, and one must answer":      {"bgb", 1, "success"},
		"all fail":                                    {"bbb", 1, "status: 3 of 3 targets failed: b0"},
		"we were blind for one, and the others do":    {"gvg", 2, "success"},
		"we were blind for one, and all must answer":  {"gvg", 0, "vantage: 1 of 3 targets could not be looked at: v1"},
		"we were blind for one that may have decided": {"gvb", 2, "vantage: 1 of 3 targets could not be looked at: v1"},
		"we were blind for one that decides nothing":  {"bvb", 2, "status: 2 of 3 targets failed: b0"},
		"we were blind for all":                       {"vvv", 1, "vantage: 3 of 3 targets could not be looked at: v0"},
		"a single target speaks for itself":           {"b", 1, "status: b0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var readings []exporter.Reading
			for i, letter := range c.letters {
				r := reading(letter)
				r.Detail = fmt.Sprintf("%c%d", letter, i)
				readings = append(readings, r)
			}
			targets := make([]string, len(readings))
			got := schedule.Combine(exporter.Service{Targets: targets, Answers: c.answers}, readings)
			text := fmt.Sprintf("%s: %s", got.Reason, got.Detail)
			if got.Success {
				text = "success"
			}
			if text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}

func TestCombinedTimes(t *testing.T) {
	t.Parallel()
	at := func(letter rune, start, end time.Duration) exporter.Reading {
		r := reading(letter)
		r.Start, r.End = noon.Add(start), noon.Add(end)
		return r
	}
	readings := []exporter.Reading{at('g', 0, 4*time.Second), at('g', time.Second, 2*time.Second), at('b', 0, 9*time.Second)}
	service := exporter.Service{Targets: make([]string, 3), Answers: 2}
	if got := schedule.Combine(service, readings); !got.End.Equal(noon.Add(9*time.Second)) || got.End.Sub(got.Start) != 4*time.Second {
		t.Errorf("with two needed it took from %v to %v, want as long as the second fastest good one, to the latest end", got.Start, got.End)
	}
	service.Answers = 1
	if got := schedule.Combine(service, readings); got.End.Sub(got.Start) != time.Second {
		t.Errorf("with one needed it took %v, want as long as the fastest", got.End.Sub(got.Start))
	}
	service.Answers = 3
	if got := schedule.Combine(service, readings); !got.Start.Equal(noon) || !got.End.Equal(noon.Add(9*time.Second)) {
		t.Errorf("a failure lasted from %v to %v, want from the first start to the last end", got.Start, got.End)
	}
}

func TestAllTargetsOfAServiceAreLookedAtInTheSameSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		starts := map[string][]time.Time{}
		broken := map[string]bool{}
		look := func(_ context.Context, s exporter.Service, target string) exporter.Reading {
			mu.Lock()
			start := time.Now()
			starts[target] = append(starts[target], start)
			bad := broken[target]
			mu.Unlock()
			time.Sleep(time.Second)
			r := exporter.Reading{Shop: s.Shop, Service: s.ID, Target: target, Start: start, End: time.Now(), Success: !bad}
			if bad {
				r.Reason, r.Detail = rules.ReasonConnect, "refused"
			}
			return r
		}
		web := service("web", 1, 10*time.Second)
		web.Targets, web.Answers, web.Slow = []string{"a:1", "b:1", "c:1"}, 2, 5*time.Second
		s, _ := run(t, schedule.Config{Services: []exporter.Service{web}, Look: look})
		pass(35 * time.Second)
		mu.Lock()
		for i, start := range starts["a:1"] {
			if !start.Equal(starts["b:1"][i]) || !start.Equal(starts["c:1"][i]) {
				t.Errorf("look %d began at %v, %v and %v", i, start, starts["b:1"][i], starts["c:1"][i])
			}
		}
		broken["b:1"] = true
		mu.Unlock()
		pass(30 * time.Second)
		got := state(t, s, "web")
		if got.Status != rules.Operational || len(got.Failures) != 0 || !got.LastLook.Equal(got.LastSuccess) {
			t.Errorf("two of three answer, and the state is %+v", got)
		}
		var shown []string
		for _, r := range got.Readings {
			shown = append(shown, fmt.Sprint(r.Target, " ", r.Success))
		}
		if want := []string{"a:1 true", "b:1 false", "c:1 true"}; !slices.Equal(shown, want) {
			t.Errorf("readings are %v, want %v", shown, want)
		}
		mu.Lock()
		broken["c:1"] = true
		mu.Unlock()
		pass(20 * time.Second)
		if got := state(t, s, "web"); got.Status != rules.Outage || got.Failures[rules.ReasonConnect] != 2 {
			t.Errorf("one of three answers, and the state is %+v", got)
		}
	})
}

func TestEachTargetTakesAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		var services []exporter.Service
		for i := range 5 {
			s := service(fmt.Sprint("s", i), i, 30*time.Second)
			s.Targets = []string{"a", "b", "c", "d"}
			services = append(services, s)
		}
		run(t, schedule.Config{Services: services, Concurrency: 6, Look: func(context.Context, exporter.Service, string) exporter.Reading {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(2 * time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return exporter.Reading{Success: true}
		}})
		pass(5 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if most != 6 {
			t.Errorf("%d looks ran at once, want 6", most)
		}
	})
}

func TestAServiceOfNoTargetsOrTooManyAnswersIsRefused(t *testing.T) {
	t.Parallel()
	none, bold := service("none", 1, time.Second), service("bold", 2, time.Second)
	none.Targets = nil
	bold.Answers = 2
	_, err := schedule.New(schedule.Config{Look: nothing, Services: []exporter.Service{none, bold}})
	for _, part := range []string{`service "card/none" has no target`, `service "card/bold": answers is 2, want 0–1`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error is %v, want %q in it", err, part)
		}
	}
}
