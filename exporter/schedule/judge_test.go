package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// reading makes a reading of one letter: g good, s good but slow, b bad, v vantage.
func reading(letter rune) exporter.Reading {
	r := exporter.Reading{Start: noon, End: noon.Add(100 * time.Millisecond), Success: true}
	switch letter {
	case 's':
		r.End = noon.Add(3 * time.Second)
	case 'b':
		r.Success, r.Reason = false, rules.ReasonStatus
	case 'v':
		r.Success, r.Reason = false, rules.ReasonVantage
	}
	return r
}

func TestJudge(t *testing.T) {
	t.Parallel()
	letters := map[rules.Status]byte{rules.Operational: 'O', rules.Degraded: 'D', rules.Outage: 'X', rules.Unknown: '?'}
	for name, c := range map[string]struct {
		looks, statuses   string
		failures, success int
	}{
		"the first good look makes operational at once":           {"gg", "OO", 3, 2},
		"the first slow look makes degraded at once":              {"sg", "DO", 3, 2},
		"failed looks in a row make an outage at the threshold":   {"gbbb", "OOOX", 3, 2},
		"one good look breaks the row":                            {"gbbgbbb", "OOOOOOX", 3, 2},
		"a threshold of one is an outage at once":                 {"gb", "OX", 1, 1},
		"good looks in a row end an outage at the threshold":      {"bbgg", "?XXO", 2, 2},
		"a failed look amid them starts anew":                     {"bbgbgg", "?XXXXO", 2, 2},
		"a slow look is a good look, and leaves degraded":         {"bbss", "?XXD", 2, 2},
		"unknown stays while the first looks fail":                {"bbb", "??X", 3, 1},
		"degraded stays while looks fail":                         {"sbb", "DDX", 2, 1},
		"without vantage nothing is known, whatever was":          {"gv", "O?", 2, 1},
		"an inconclusive look neither breaks nor lengthens a row": {"gbvvb", "OO??X", 2, 1},
		"after it a failed look shows the outage again":           {"bbvb", "?X?X", 2, 2},
		"after it one good look doesn't end the outage":           {"bbvgg", "?X??O", 2, 2},
		"after it one good look suffices where there was none":    {"gvg", "O?O", 2, 2},
		"after it one failed look doesn't make an outage":         {"gvbb", "O??X", 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := exporter.Service{FailureThreshold: c.failures, SuccessThreshold: c.success, Slow: 2 * time.Second}
			var v schedule.Verdict
			var got strings.Builder
			for _, letter := range c.looks {
				v = schedule.Judge(v, service, reading(letter))
				got.WriteByte(letters[v.Status])
			}
			if got.String() != c.statuses {
				t.Fatalf("looks %s gave %s, want %s", c.looks, got.String(), c.statuses)
			}
		})
	}
	t.Run("without a limit no look is slow", func(t *testing.T) {
		t.Parallel()
		v := schedule.Judge(schedule.Verdict{}, exporter.Service{FailureThreshold: 1, SuccessThreshold: 1}, reading('s'))
		if v.Status != rules.Operational {
			t.Fatalf("status is %s", v.Status)
		}
	})
}

func TestLastSuccess(t *testing.T) {
	t.Parallel()
	good, bad := reading('g'), reading('b')
	for name, c := range map[string]struct {
		before  time.Time
		age     time.Duration
		reading exporter.Reading
		want    time.Time
	}{
		"a success is its own end":                   {noon.Add(-time.Hour), time.Hour, good, good.End},
		"the first look ever seeds it, though bad":   {time.Time{}, 0, bad, bad.End},
		"a failed look keeps it":                     {bad.End.Add(-time.Minute), time.Minute, bad, bad.End.Add(-time.Minute)},
		"slewing moves nothing":                      {bad.End.Add(-time.Minute), time.Minute + 300*time.Millisecond, bad, bad.End.Add(-time.Minute)},
		"the clock was set forward: the age is true": {bad.End.Add(-time.Hour), time.Minute, bad, bad.End.Add(-time.Minute)},
		"the clock was set back: the age is true":    {bad.End.Add(time.Hour), time.Minute, bad, bad.End.Add(-time.Minute)},
		"remembered from the future, it becomes now": {bad.End.Add(time.Hour), -time.Hour, bad, bad.End},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := schedule.LastSuccess(c.before, c.age, c.reading); !got.Equal(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAffected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		causes []schedule.Outage
		want   bool
	}{
		"nothing to depend on":           {nil, false},
		"a cause that was never down":    {[]schedule.Outage{{}}, false},
		"a cause that is down":           {[]schedule.Outage{{}, {Down: true}}, true},
		"a cause that is down once more": {[]schedule.Outage{{Down: true, Ended: noon.Add(-time.Hour)}}, true},
		"a cause that healed just now":   {[]schedule.Outage{{Ended: noon}}, true},
		"a cause that healed 59.9 s ago": {[]schedule.Outage{{Ended: noon.Add(-59900 * time.Millisecond)}}, true},
		"a cause that healed a tail ago": {[]schedule.Outage{{Ended: noon.Add(-time.Minute)}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := schedule.Affected(noon, time.Minute, c.causes...); got != c.want {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestCausesAreFoundThroughOthers(t *testing.T) {
	t.Parallel()
	service := func(shop, id string, on ...string) exporter.Service {
		return exporter.Service{Shop: shop, ID: id, DependsOn: on}
	}
	causes, err := schedule.Causes([]exporter.Service{
		service("a", "web", "api", "cache"), service("a", "api", "db"), service("a", "cache", "db"), service("a", "db"),
		service("b", "web"), // the same name elsewhere has nothing to do with it
	})
	if err != nil {
		t.Fatal(err)
	}
	got := causes[schedule.Name{Shop: "a", Service: "web"}]
	slices.SortFunc(got, func(x, y schedule.Name) int { return strings.Compare(x.String(), y.String()) })
	want := []schedule.Name{{Shop: "a", Service: "api"}, {Shop: "a", Service: "cache"}, {Shop: "a", Service: "db"}}
	if !slices.Equal(got, want) {
		t.Errorf("web depends on %v, want %v", got, want)
	}
	if got := causes[schedule.Name{Shop: "b", Service: "web"}]; len(got) != 0 {
		t.Errorf("the other shop's web depends on %v", got)
	}

	_, err = schedule.Causes([]exporter.Service{
		service("a", "web", "gone"), service("a", "x", "y"), service("a", "y", "x"), service("b", "z", "x"),
	})
	for _, part := range []string{
		`"a/web" depends on "gone", which is no service`, `"a/x" depends on itself`, `"a/y" depends on itself`,
		`"b/z" depends on "x", which is no service`,
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error is %v, want %q in it", err, part)
		}
	}
}
