package incident_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Whatever alerts of whatever severity come and go in one incident: what fires is
// always listed in one that is open, ops hear of each incident's beginning, then
// of what joined, then of its end, and nobody ever hears of info.
func TestAnyMixtureOfSeveritiesLosesNoAlertAndTellsInOrder(t *testing.T) {
	t.Parallel()
	severities := []rules.Severity{rules.SeverityCritical, rules.SeverityWarning, rules.SeverityInfo}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		now := t0
		starts := map[int]time.Time{} // of what fires
		alert := func(n int) notifier.Alert {
			return alarm(fmt.Sprint(severities[n%3], n), severities[n%3], starts[n])
		}
		grave := false // something else than info ever fired
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second)
			w.watchdog = judging(now)
			n := rapid.IntRange(0, 8).Draw(t, "alert")
			_, fires := starts[n]
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1: // fires, or is told again
				if !fires {
					starts[n] = now
				}
				grave = grave || n%3 < 2
				w.alert(now, alert(n))
			case 2:
				if fires {
					w.alert(now, ended(alert(n), now))
					delete(starts, n)
				}
			case 3:
				w.tick(now)
			}
			for n := range starts {
				if w.latest == nil || !w.latest.Open() || !slices.ContainsFunc(w.latest.Alerts, func(a notifier.ActiveAlert) bool {
					return a.Fingerprint == alert(n).Fingerprint && a.Ended.IsZero()
				}) {
					t.Fatalf("%s fires and is in no open incident", alert(n).Name())
				}
			}
		}
		if !grave && len(w.notices) > 0 {
			t.Fatalf("info was told: %v", w.told())
		}
		told := map[string][]notifier.Event{}
		for _, notice := range w.notices {
			told[notice.Incident] = append(told[notice.Incident], notice.Event)
			for _, line := range notice.Facts.News {
				if len(line.EN) > 4 && line.EN[:4] == "info" {
					t.Fatalf("info was told as news: %q", line.EN)
				}
			}
		}
		for id, events := range told {
			for n, event := range events {
				first, last := n == 0, n == len(events)-1
				if first != (event == notifier.EventDown) || event == notifier.EventRecovered && !last {
					t.Fatalf("ops were told of %s: %v", id, events)
				}
			}
		}
	})
}
