package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// clocks are the ages that alerts are judged by.
type clocks struct {
	Ops, Management time.Duration
	// The windows are the tiers less the time for which the pipeline's alerts
	// wait after them.
	OpsWindow, ManagementWindow time.Duration
	Settle                      time.Duration
}

func clocksOf(e Escalation) clocks {
	// However fast the clocks run, a scrape still takes its time on a busy
	// machine, so the wait is not scaled below ten seconds where the tier has room.
	wait := max(e.Scale(settle), min(10*time.Second, e.Ops*2/3))
	return clocks{
		Ops: e.Ops, Management: e.Management, Settle: wait,
		OpsWindow: e.Ops - wait, ManagementWindow: e.Management - wait,
	}
}

// functions are what templates/ may call. Durations are written at pace 1 and scaled.
func functions(e Escalation) template.FuncMap {
	scale := func(text string) (time.Duration, error) {
		days, isDays := strings.CutSuffix(text, "d")
		if isDays {
			n, err := strconv.Atoi(days)
			return e.Scale(time.Duration(n) * 24 * time.Hour), err
		}
		d, err := time.ParseDuration(text)
		return e.Scale(d), err
	}
	return template.FuncMap{
		"scale":    scale,
		"duration": prometheusDuration,
		"seconds":  seconds,
		"quote":    strconv.Quote,
		"english":  english,
		"chinese":  chinese,
		"reasons":  reasonsInWords,
		"window": func(text string) (string, error) {
			d, err := scale(text)
			return "[" + prometheusDuration(d) + "]", err
		},
		"subquery": func(d time.Duration) string {
			return "[" + prometheusDuration(d) + ":" + prometheusDuration(e.Scale(Interval)) + "]"
		},
	}
}

// prometheusDuration prints d as Prometheus and Alertmanager read it, rounded
// to milliseconds: 5m, 1m30s, 750ms, 0s. Hours are the largest unit that both
// of them and promtool of every version write the same way.
func prometheusDuration(d time.Duration) string {
	left := milliseconds(d)
	if left == 0 {
		return "0s"
	}
	var text strings.Builder
	for _, unit := range []struct {
		name string
		ms   int64
	}{{"h", 3600_000}, {"m", 60_000}, {"s", 1000}, {"ms", 1}} {
		if n := left / unit.ms; n > 0 {
			fmt.Fprintf(&text, "%d%s", n, unit.name)
			left %= unit.ms
		}
	}
	return text.String()
}

// seconds prints d for arithmetic in PromQL: 300, 15, 0.75.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(float64(milliseconds(d))/1000, 'f', -1, 64)
}

// milliseconds rounds what a scaled duration lost in floating point.
func milliseconds(d time.Duration) int64 {
	return int64(math.Round(float64(d) / float64(time.Millisecond)))
}

// english says a tier in words: "5 minutes", "90 seconds", "1 hour".
func english(d time.Duration) string {
	n, unit := inUnits(d, "day", "hour", "minute", "second")
	if n != "1" {
		unit += "s"
	}
	return n + " " + unit
}

// chinese says a tier in words, with the space that separates figures from characters.
func chinese(d time.Duration) string {
	n, unit := inUnits(d, "天", "小时", "分钟", "秒")
	return " " + n + " " + unit
}

// inUnits gives the number of the largest unit that divides d.
func inUnits(d time.Duration, day, hour, minute, second string) (string, string) {
	ms := milliseconds(d)
	switch {
	case ms%86400_000 == 0:
		return strconv.FormatInt(ms/86400_000, 10), day
	case ms%3600_000 == 0:
		return strconv.FormatInt(ms/3600_000, 10), hour
	case ms%60_000 == 0:
		return strconv.FormatInt(ms/60_000, 10), minute
	}
	return seconds(d), second
}
