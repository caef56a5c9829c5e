package schedule_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

// chapter is a time in which nothing changes.
type chapter struct {
	lasts       time.Duration
	cut, walled bool
	down        []int // services
}

// history draws chapters, each longer than it takes to see the truth. Anchors
// are walled off only where the network stands: walled off and cut off at once
// can't be told from a world that is down. A start without network lasts less
// than the minutes for which anchors that never answered are believed.
func history(t *rapid.T, services int) []chapter {
	var all []chapter
	var last chapter
	for i := range rapid.IntRange(1, 6).Draw(t, "chapters") {
		c := chapter{lasts: time.Duration(rapid.IntRange(70, 400).Draw(t, "seconds")) * time.Second}
		switch rapid.IntRange(0, 3).Draw(t, "connection") {
		case 0:
			c.cut = i != 1 || !last.cut
			if i == 0 {
				c.lasts = min(c.lasts, 4*time.Minute)
			}
		case 1:
			c.walled = i > 0 && !last.cut
		}
		if c.cut && last.walled {
			all = append(all, chapter{lasts: 130 * time.Second}) // until anchors are believed again
		}
		for s := range services {
			if s > 0 && rapid.IntRange(0, 3).Draw(t, "down") == 0 { // one is never down
				c.down = append(c.down, s)
			}
		}
		all = append(all, c)
		last = c
	}
	return all
}

func TestNobodyIsDownForOurConnectionAndWhoIsDownIsCalledSo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const interval = 15 * time.Second
		number := rapid.IntRange(1, 4).Draw(rt, "services")
		threshold := rapid.IntRange(2, 3).Draw(rt, "threshold")
		hangs := rapid.Bool().Draw(rt, "hangs")
		chapters := history(rt, number)
		var problems []string
		synctest.Test(t, func(t *testing.T) {
			n := &network{down: map[string]bool{}, hangs: hangs}
			var services []exporter.Service
			for i := range number {
				s := outward(fmt.Sprint("s", i), i)
				s.FailureThreshold, s.SuccessThreshold = threshold, 1
				services = append(services, s)
			}
			s, stop := guarded(t, n, schedule.Config{Services: services})
			excused := make([]bool, number) // called down, rightly, until it is seen up
			for i, c := range chapters {
				n.set(func(n *network) {
					n.cut, n.walled, n.down = c.cut, c.walled, map[string]bool{}
					for _, s := range c.down {
						n.down[fmt.Sprint("s", s)] = true
					}
				})
				for passed := time.Duration(0); passed < c.lasts; passed += time.Second {
					pass(time.Second)
					for j, state := range s.States() {
						down := n.down[state.Service.ID]
						excused[j] = excused[j] || down
						if state.Status == rules.Outage && !excused[j] {
							problems = append(problems, fmt.Sprintf("chapter %d after %v: s%d is called down and isn't", i, passed, j))
						}
						if state.Status == rules.Operational && !down {
							excused[j] = false
						}
						// Its thresholds, one look that the dark before may have
						// spoiled, and one that showed that anchors are walled off.
						patience := time.Duration(threshold+2)*interval + 12*time.Second
						if down && !c.cut && passed > patience && state.Status != rules.Outage {
							problems = append(problems, fmt.Sprintf("chapter %d after %v: s%d is down and called %s", i, passed, j, state.Status))
						}
					}
				}
			}
			_ = stop()
		})
		if len(problems) > 0 {
			rt.Fatalf("%s\n%+v", problems[0], chapters)
		}
	})
}
