package schedule_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

// script gives one look after the other, and fails those that it says.
type script struct {
	mu     sync.Mutex
	n      int
	failed func(n int, target string) string // detail, "" for a success
	phases func(n int) []exporter.Phase
}

func (s *script) look(_ context.Context, service exporter.Service, target string) exporter.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := exporter.Reading{
		Shop: service.Shop, Service: service.ID, Target: target, Start: time.Now(), Success: true, Phases: s.phases(s.n),
	}
	r.End = r.Start.Add(time.Duration(s.n) * time.Millisecond)
	if detail := s.failed(s.n, target); detail != "" {
		r.Success, r.Reason, r.Detail = false, rules.ReasonBody, detail
	}
	s.n++
	return r
}

// number is which of a script's looks it was: it lasted so many milliseconds.
func number(p exporter.Past) int { return int(p.Took.Round(time.Millisecond) / time.Millisecond) }

func noPhases(int) []exporter.Phase { return nil }

func TestHistoryKeepsTheLast50LooksAndOlderFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// looks 0–19 fail, all after are good
		sc := &script{phases: noPhases, failed: func(n int, _ string) string {
			if n < 20 {
				return fmt.Sprintf("failure %d", n)
			}
			return ""
		}}
		s, _ := run(t, schedule.Config{Services: []exporter.Service{service("web", 1, time.Second)}, Look: sc.look})
		if past, ok := s.History("card", "web"); !ok || len(past) != 0 {
			t.Errorf("before the first look the history is %v, %v", past, ok)
		}
		if _, ok := s.History("card", "gone"); ok {
			t.Error("a service that isn't there has a history")
		}
		pass(100 * time.Second)
		past, _ := s.History("card", "web")
		if len(past) != 60 {
			t.Fatalf("%d looks are kept, want 50 and 10 older failures", len(past))
		}
		newest := number(past[0])
		for i, p := range past {
			want := newest - i
			if i >= 50 {
				want = 19 - (i - 50)
			}
			if got := number(p); got != want {
				t.Fatalf("place %d holds look %d, want %d", i, got, want)
			}
			if bad := want < 20; p.Success == bad || bad && (p.Reason != rules.ReasonBody || p.Detail != fmt.Sprintf("failure %d", want)) {
				t.Errorf("look %d is kept as %+v", want, p)
			}
			if i > 0 && !p.Start.Before(past[i-1].Start) {
				t.Errorf("place %d began at %v, after %v", i, p.Start, past[i-1].Start)
			}
			if p.Target != "https://web.example.com/" {
				t.Errorf("target is %q", p.Target)
			}
		}
	})
}

func TestHistoryKeepsTheLooksAtEachTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc := &script{phases: noPhases, failed: func(_ int, target string) string {
			if target == "b:1" {
				return "refused"
			}
			return ""
		}}
		web := service("web", 1, time.Second)
		web.Targets, web.Answers = []string{"a:1", "b:1"}, 1
		s, _ := run(t, schedule.Config{Services: []exporter.Service{web}, Look: sc.look})
		pass(200 * time.Second)
		past, _ := s.History("card", "web")
		looks := map[string]int{}
		for _, p := range past[:100] {
			looks[p.Target]++
			if bad := p.Target == "b:1"; p.Success == bad {
				t.Errorf("a look at %s is kept as %+v", p.Target, p)
			}
		}
		if looks["a:1"] != 50 || looks["b:1"] != 50 || len(past) != 110 {
			t.Errorf("of %d looks the newest are %v", len(past), looks)
		}
	})
}

func TestHistoryKeepsPhasesWhateverTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc := &script{failed: func(int, string) string { return "" }, phases: func(n int) (phases []exporter.Phase) {
			for i := range n % 9 {
				phases = append(phases, exporter.Phase{Name: fmt.Sprint("step", i), Took: time.Duration(n*1000+i) * time.Microsecond})
			}
			return phases
		}}
		s, _ := run(t, schedule.Config{Services: []exporter.Service{service("web", 1, time.Second)}, Look: sc.look})
		pass(90 * time.Second)
		past, _ := s.History("card", "web")
		for _, p := range past {
			n := number(p)
			if len(p.Phases) != n%9 {
				t.Fatalf("look %d has %d phases, want %d", n, len(p.Phases), n%9)
			}
			for i, phase := range p.Phases {
				want := time.Duration(n*1000+i) * time.Microsecond
				if phase.Name != fmt.Sprint("step", i) || (phase.Took-want).Abs() > want/2000 {
					t.Errorf("look %d: phase %d is %v, want %v", n, i, phase, want)
				}
			}
		}
	})
}

func TestHistoryClipsDetailsAndForgetsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc := &script{phases: noPhases, failed: func(n int, _ string) string { return fmt.Sprint(n, strings.Repeat("错", 1000)) }}
		s, _ := run(t, schedule.Config{Services: []exporter.Service{service("web", 1, time.Second)}, Look: sc.look})
		pass(500 * time.Second)
		past, _ := s.History("card", "web")
		for i, p := range past {
			begin := fmt.Sprint(number(p), "错错")
			if len(p.Detail) > 200 || !utf8.ValidString(p.Detail) || !strings.HasPrefix(p.Detail, begin) || !strings.HasSuffix(p.Detail, "错…") {
				t.Fatalf("place %d: detail is %q, want %s…", i, p.Detail, begin)
			}
		}
		if causes := s.Causes("card", "web"); causes > 61 {
			t.Errorf("%d details are held for %d looks", causes, len(past))
		}
	})
}

func TestHistoryDurationsAreNearlyExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "duration"))
		got, want := schedule.Shorten(d), d.Truncate(time.Microsecond)
		if off := (got - want).Abs(); off > want/2000 || want < 2*time.Millisecond && off != 0 {
			t.Fatalf("%v became %v", d, got)
		}
	})
	if got := schedule.Shorten(-time.Second); got != 0 {
		t.Errorf("a negative duration became %v", got)
	}
	if got := schedule.Shorten(1 << 62); got < 30*24*time.Hour {
		t.Errorf("an endless duration became %v", got)
	}
}
