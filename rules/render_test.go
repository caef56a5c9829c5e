package rules_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/rules"
)

var update = flag.Bool("update", false, "write the rendered files instead of comparing")

// golden compares with a committed file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is rendered; look at the change, then run go test ./rules -update\ngot:\n%s", path, got)
	}
}

func render(t *testing.T, o rules.Options) map[string][]byte {
	t.Helper()
	files, err := rules.Render(o)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDefaultRulesAreTheCommittedFiles(t *testing.T) {
	t.Parallel()
	files := render(t, rules.Options{})
	for name, content := range files {
		golden(t, filepath.Join("files", name), content)
	}
	committed, err := filepath.Glob("files/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(committed) != len(files) {
		t.Errorf("files/ holds %v, rendered are %v", committed, slices.Sorted(maps.Keys(files)))
	}
}

func TestDemoRulesAreTheCommittedFile(t *testing.T) {
	t.Parallel()
	content, err := rules.RenderFile(rules.Options{Escalation: rules.DemoEscalation()})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/demo.yml", content)
}

func TestOneFileHoldsTheGroupsOfAll(t *testing.T) {
	t.Parallel()
	whole, err := rules.RenderFile(rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range render(t, rules.Options{}) {
		_, groups, _ := bytes.Cut(content, []byte("groups:\n"))
		if len(groups) == 0 || !bytes.Contains(whole, groups) {
			t.Errorf("%s: its group is not in the one file", name)
		}
	}
	if n := bytes.Count(whole, []byte("\ngroups:\n")); n != 1 {
		t.Errorf("got %d lists of groups, want 1", n)
	}
}

func TestEveryDurationFollowsTheEscalation(t *testing.T) {
	t.Parallel()
	// A pace that makes of no duration here another one that is here too.
	content, err := rules.RenderFile(rules.Options{
		Escalation: rules.Escalation{Ops: 10 * time.Minute, Management: 2 * time.Hour, Pace: 1.1},
		Job:        "shops/monitor", RunbookURL: "https://wiki.example/runbooks/", DashboardURL: "https://grafana.example/g",
	})
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, want := range []string{
		"_success_timestamp_seconds[1h6m]", "affected[5m30s]", "time() - 600", "time() - 7200", "keep_firing_for: 1m6s\n", "keep_firing_for: '66'",
		`absent_over_time((up{job="shops/monitor"} == 1)[8m54s:16s500ms])`, `[1h58m54s:16s500ms])`, "for: 1m6s\n",
		"longer than 10 minutes", "longer than 2 hours", "超过 10 分钟", "超过 2 小时",
		"'https://wiki.example/runbooks/ServiceDown'", "'https://grafana.example/g/d/shopwatch-shop?var-shop=",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, not := range []string{"- 300", "- 1800", "[1h])", ": 1m\n", "[[", "]]"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is left in\n%s", not, text)
		}
	}
}

func TestOptionsThatCannotMeanWhatTheySayAreRefused(t *testing.T) {
	t.Parallel()
	minutes := func(ops, management int, pace float64) rules.Escalation {
		return rules.Escalation{Ops: time.Duration(ops) * time.Minute, Management: time.Duration(management) * time.Minute, Pace: pace}
	}
	for name, tt := range map[string]struct {
		options rules.Options
		want    string
	}{
		"no pace":                      {rules.Options{Escalation: minutes(5, 30, 0)}, "escalation: pace 0"},
		"a pace below zero":            {rules.Options{Escalation: minutes(5, 30, -1)}, "escalation: pace -1"},
		"a pace that leaves no time":   {rules.Options{Escalation: minutes(5, 30, 0.0001)}, "want at least 10ms"},
		"a pace beyond reason":         {rules.Options{Escalation: minutes(500, 3000, 1000)}, "want at most 100"},
		"a first tier of a minute":     {rules.Options{Escalation: minutes(1, 30, 1)}, "ops 1m0s: want at least 1m15s"},
		"tiers in the wrong order":     {rules.Options{Escalation: minutes(30, 5, 1)}, "management 5m0s: want longer than ops"},
		"tiers that are the same":      {rules.Options{Escalation: minutes(5, 5, 1)}, "want longer than ops"},
		"a job that ends the string":   {rules.Options{Job: `a"} or vector(1) #`}, "job"},
		"a runbook address with quote": {rules.Options{RunbookURL: "http://a/'b"}, "runbook url: want no quotes"},
		"a runbook address of a file":  {rules.Options{RunbookURL: "file:///etc"}, "runbook url: want http"},
		"a board address with a query": {rules.Options{DashboardURL: "http://a/?x=1"}, "dashboard url: want no query"},
		"a board address with braces":  {rules.Options{DashboardURL: "http://a/{{x}}"}, "dashboard url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := rules.Render(tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestAllProblemsAreToldAtOnceAndNoneRepeatsAPassword(t *testing.T) {
	t.Parallel()
	_, err := rules.RenderFile(rules.Options{Job: "two words", RunbookURL: "http://me:secret@a", DashboardURL: "http://me:secret@a:x"})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"job", "runbook url", "dashboard url"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in %v", err)
	}
}

func TestPrometheusFileIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	content, err := rules.Prometheus(rules.PrometheusOptions{
		Exporter: "127.0.0.1:9816", Notifier: "[::1]:9817", RuleFiles: []string{"../files/*.yml"},
		Alertmanagers: []string{"http://127.0.0.1:9093/alertmanager/", "https://alerts.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/prometheus.yml", content)
}

func TestPrometheusFileOfTheDemoIsFast(t *testing.T) {
	t.Parallel()
	content, err := rules.Prometheus(rules.PrometheusOptions{
		Escalation: rules.DemoEscalation(), Job: "demo", Exporter: "localhost:1", RuleFiles: []string{"demo.yml"},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/prometheus-demo.yml", content)
}

func TestPrometheusOptionsThatWouldNotLoadAreRefused(t *testing.T) {
	t.Parallel()
	good := rules.PrometheusOptions{Exporter: "a:1", RuleFiles: []string{"x.yml"}}
	for name, tt := range map[string]struct {
		change func(*rules.PrometheusOptions)
		want   string
	}{
		"no exporter":                 {func(o *rules.PrometheusOptions) { o.Exporter = "" }, "exporter"},
		"an exporter without a port":  {func(o *rules.PrometheusOptions) { o.Exporter = "a" }, "want host:port"},
		"an exporter with a path":     {func(o *rules.PrometheusOptions) { o.Exporter = "a/b:1" }, "want host:port"},
		"a notifier with a bad port":  {func(o *rules.PrometheusOptions) { o.Notifier = "a:70000" }, "want a port"},
		"no rule file":                {func(o *rules.PrometheusOptions) { o.RuleFiles = nil }, "rule files: want at least one"},
		"a rule file of two lines":    {func(o *rules.PrometheusOptions) { o.RuleFiles = []string{"a\nb"} }, "control characters"},
		"an alertmanager without URL": {func(o *rules.PrometheusOptions) { o.Alertmanagers = []string{"a:9093"} }, "alertmanager url"},
		"a bad job":                   {func(o *rules.PrometheusOptions) { o.Job = "a b" }, "job"},
		"a bad escalation":            {func(o *rules.PrometheusOptions) { o.Escalation.Pace = 1 }, "escalation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := good
			tt.change(&options)
			if _, err := rules.Prometheus(options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
