package engine_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/rules"
)

func TestTheTiersHoldThroughARestart(t *testing.T) {
	t.Parallel()
	const (
		interval = rules.Interval / 30
		// busy is what a machine that does other things may miss. A tier that is kept
		// in memory would be late by the time of the stop: three seconds and more.
		busy = time.Second
	)
	for _, c := range []struct {
		name        string
		stops, back time.Duration // ages of the outage at which the engine stops and is back
		within      time.Duration // of what is due: the tier, or the return where that is later
	}{
		{"that ends before the tier", 2 * time.Second, 5 * time.Second, interval},
		// It answers, evaluates at its slot of the interval, and hands over.
		{"across the tier", 2 * time.Second, 10 * time.Second, 2 * interval},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Pointer[time.Time]
			s := newStage(t, func(now time.Time) string {
				var text strings.Builder
				if since := broken.Load(); since != nil {
					service(&text, "kiosk", "storefront", *since, now, true)
				} else {
					service(&text, "kiosk", "storefront", now, now, false)
				}
				return text.String()
			})
			files, data := s.files(t, "engine", "http://127.0.0.1:9"), t.TempDir()
			stop := s.run(t, files, data)
			s.next(t, "Watchdog", "firing")
			now := time.Now()
			broken.Store(&now)
			<-time.After(time.Until(now.Add(c.stops)))
			stop()
			<-time.After(time.Until(now.Add(c.back)))
			s.run(t, files, data)

			back := time.Since(now) // on a busy machine later than it should
			due := now.Add(max(fast.Ops, back))
			p := s.next(t, "ServiceDown", "firing")
			if age := p.StartsAt.Sub(now); age < fast.Ops {
				t.Errorf("judged at an age of %s, before the tier of %s", age, fast.Ops)
			}
			if late := p.StartsAt.Sub(due); late > c.within+busy {
				t.Errorf("judged %s after it was due, want within %s", late, c.within)
			}
			t.Logf("judged %s after it was due, told %s after that", p.StartsAt.Sub(due), p.at.Sub(p.StartsAt))
			if delay := p.at.Sub(p.StartsAt); delay > 2*time.Second {
				t.Errorf("told %s after it was judged", delay)
			}
			again := s.next(t, "ServiceDownProlonged", "firing")
			if age := again.StartsAt.Sub(now); age < fast.Management || age > max(fast.Management, back)+interval+busy {
				t.Errorf("the second tier is judged at %s, want %s to %s", age, fast.Management, fast.Management+interval)
			}
			told := map[string]int{}
			eventually(t, "ServiceDown is told to both", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				clear(told)
				for _, p := range s.pages["engine"] {
					if p.Labels["alertname"] == "ServiceDown" {
						told[p.Audience+" "+p.Status]++
					}
				}
				return len(told) > 1
			})
			if len(told) != 2 || told["ops firing"] != 1 || told["subscribers firing"] != 1 {
				t.Errorf("ServiceDown was told %v, want once to ops and once to subscribers", told)
			}
		})
	}
}

// next waits for a page of the alert, and leaves out all others.
func (s *stage) next(t *testing.T, alert, status string) page {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for {
		select {
		case p := <-s.news:
			if p.Labels["alertname"] == alert && p.Status == status {
				return p
			}
		case <-deadline.C:
			t.Fatalf("no page of %s", alert)
		}
	}
}
