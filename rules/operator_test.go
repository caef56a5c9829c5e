package rules_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"shopwatch/rules"
)

// The parts of the operator's objects that we print, by the names of its
// CustomResourceDefinitions. Whatever isn't here, an API server would refuse or
// drop, so objects are read strictly.
type (
	objectHead struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct {
			Name      string
			Namespace string            `yaml:",omitempty"`
			Labels    map[string]string `yaml:",omitempty"`
		}
	}
	prometheusRule struct {
		objectHead `yaml:",inline"`
		Spec       ruleGroups
	}
	ruleGroups struct {
		Groups []struct {
			Name     string
			Interval string `yaml:",omitempty"`
			Limit    int    `yaml:",omitempty"`
			Rules    []struct {
				Record        string `yaml:",omitempty"`
				Alert         string `yaml:",omitempty"`
				Expr          string
				For           string            `yaml:",omitempty"`
				KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
				Labels        map[string]string `yaml:",omitempty"`
				Annotations   map[string]string `yaml:",omitempty"`
			}
		}
	}
)

// object is the metadata with which the tests print.
var object = rules.Object{Name: "cards", Namespace: "watching", Labels: map[string]string{"release": "kube-prometheus-stack"}}

// decoded reads every object of a file, strictly, and holds its head.
func decoded[T any](t *testing.T, content []byte, version, kind string, head func(T) objectHead) []T {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	var all []T
	for {
		var one T
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
		all = append(all, one)
		h := head(one)
		if h.APIVersion != version || h.Kind != kind || h.Metadata.Namespace != object.Namespace || h.Metadata.Labels["release"] != object.Labels["release"] {
			t.Errorf("head: got %+v, want %s of %s with the metadata given", h, kind, version)
		}
	}
}

// kubernetesDuration is the pattern of durations in the definitions.
var kubernetesDuration = regexp.MustCompile(`^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$`)

func TestPrometheusRuleHoldsTheGroupsOfTheRuleFile(t *testing.T) {
	t.Parallel()
	for name, escalation := range map[string]rules.Escalation{
		"at the default": rules.DefaultEscalation(),
		"in the demo":    rules.DemoEscalation(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := must(rules.PrometheusRule(rules.Options{Escalation: escalation}, object))
			printed := decoded(t, content, "monitoring.coreos.com/v1", "PrometheusRule", func(r prometheusRule) objectHead { return r.objectHead })
			if len(printed) != 1 || printed[0].Metadata.Name != "cards" {
				t.Fatalf("got %d objects, want one that is called cards", len(printed))
			}
			// What the operator writes for Prometheus is the spec, as it is.
			spec, err := yaml.Marshal(printed[0].Spec)
			if err != nil {
				t.Fatal(err)
			}
			want := parseAll(t, escalation)
			got := parse(t, spec)
			if len(got) != len(want) {
				t.Fatalf("got %d rules, want %d", len(got), len(want))
			}
			for i := range want {
				if a, b := asJSON(t, got[i]), asJSON(t, want[i]); a != b {
					t.Errorf("got %s\nwant %s", a, b)
				}
			}
			for _, group := range printed[0].Spec.Groups {
				for _, rule := range group.Rules {
					for _, d := range []string{group.Interval, rule.For, rule.KeepFiringFor} {
						if !kubernetesDuration.MatchString(d) {
							t.Errorf("%s%s: the API server refuses the duration %q", rule.Alert, rule.Record, d)
						}
					}
				}
			}
		})
	}
}

// kubectl apply keeps what it applied in an annotation of 256 KiB.
func TestPrometheusRuleIsSmallEnoughToBeApplied(t *testing.T) {
	t.Parallel()
	var printed any
	if err := yaml.Unmarshal(must(rules.PrometheusRule(rules.Options{}, object)), &printed); err != nil {
		t.Fatal(err)
	}
	size := len(asJSON(t, printed))
	t.Logf("%d KiB", size>>10)
	if size > 240<<10 {
		t.Errorf("%d bytes: kubectl apply refuses more than 262144, of which some are its own", size)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEachSubjectCanBeAnObjectOfItsOwn(t *testing.T) {
	t.Parallel()
	objects, err := rules.PrometheusRules(rules.Options{}, object)
	if err != nil {
		t.Fatal(err)
	}
	files := render(t, rules.Options{})
	if len(objects) != len(files) {
		t.Errorf("got %d objects, want %d", len(objects), len(files))
	}
	for name, content := range objects {
		printed := decoded(t, content, "monitoring.coreos.com/v1", "PrometheusRule", func(r prometheusRule) objectHead { return r.objectHead })
		if want := "cards-" + strings.TrimSuffix(name, ".yml"); len(printed) != 1 || printed[0].Metadata.Name != want {
			t.Errorf("%s: got %d objects, want one that is called %s", name, len(printed), want)
		}
		var file ruleGroups
		if err := yaml.Unmarshal(files[name], &file); err != nil {
			t.Fatal(err)
		}
		if a, b := asJSON(t, printed[0].Spec), asJSON(t, file); a != b {
			t.Errorf("%s: got %s\nwant %s", name, a, b)
		}
	}
}

func TestPromtoolAcceptsWhatTheOperatorMakesOfTheRules(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	var printed prometheusRule
	if err := yaml.Unmarshal(must(rules.PrometheusRule(rules.Options{}, object)), &printed); err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(printed.Spec)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, spec, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, tool, "check", "rules", path)
}

func TestObjectsThatAnAPIServerWouldRefuseAreRefused(t *testing.T) {
	t.Parallel()
	selector := map[string]string{"app": "shopwatch"}
	scrape := rules.PrometheusOptions{Exporter: "shop.example:9816"}
	for name, tt := range map[string]struct {
		print func() ([]byte, error)
		want  []string
	}{
		"a name of two words": {func() ([]byte, error) {
			return rules.PrometheusRule(rules.Options{}, rules.Object{Name: "card shops", Namespace: "A", Labels: map[string]string{"a b": "c"}})
		}, []string{`name "card shops"`, `namespace "A"`, `label "a b=c"`}},
		"a label's value of two lines": {func() ([]byte, error) {
			_, err := rules.PrometheusRules(rules.Options{}, rules.Object{Labels: map[string]string{"release": "a\nb"}})
			return nil, err
		}, []string{"label"}},
		"a selector of every Service": {func() ([]byte, error) {
			return rules.ServiceMonitor(rules.ServiceMonitorOptions{Port: "http"})
		}, []string{"want at least one"}},
		"a port by its number and a bad job": {func() ([]byte, error) {
			return rules.ServiceMonitor(rules.ServiceMonitorOptions{Port: "http/1", Exporter: selector, Job: "a b"})
		}, []string{`port "http/1"`, `job "a b"`}},
		"a name that is none": {func() ([]byte, error) {
			return rules.ScrapeConfig(scrape, rules.Object{Name: "_"})
		}, []string{`name "_"`}},
		"addresses that are nobody's in the cluster": {func() ([]byte, error) {
			return rules.ScrapeConfig(rules.PrometheusOptions{Exporter: "127.0.0.1:9816", Notifier: "localhost:1"}, rules.Object{})
		}, []string{`exporter "127.0.0.1:9816": want an address that is reached from inside the cluster`, `notifier "localhost:1"`}},
		"a webhook that is nobody's in the cluster": {func() ([]byte, error) {
			return rules.AlertmanagerConfig(rules.AlertmanagerConfigOptions{WebhookURL: "http://[::1]:9817"})
		}, []string{`webhook url "[::1]:9817"`}},
		"a secret that isn't one": {func() ([]byte, error) {
			return rules.AlertmanagerConfig(rules.AlertmanagerConfigOptions{Secret: "a/b", SecretKey: "c d", WebhookURL: "ftp://x"})
		}, []string{`secret "a/b"`, `secret key "c d"`, "webhook url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := tt.print()
			if err == nil {
				t.Fatalf("got no error and\n%s", content)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in %v", want, err)
				}
			}
		})
	}
}

func TestTheScrapeJobIsCalledAsOneLikesInEveryFile(t *testing.T) {
	t.Parallel()
	jobs := regexp.MustCompile(`\bjob(?:=|=~|_name: )"([^"]*)"|targetLabel: job\n +replacement: "([^"]*)"`)
	scrape := rules.PrometheusOptions{Job: "cards/eu", Exporter: "a:1", Notifier: "b:2", RuleFiles: []string{"rules.yml"}}
	selector := map[string]string{"app": "shopwatch"}
	for name, content := range map[string][]byte{
		"rules":          must(rules.RenderFile(rules.Options{Job: "cards/eu"})),
		"PrometheusRule": must(rules.PrometheusRule(rules.Options{Job: "cards/eu"}, rules.Object{})),
		"prometheus.yml": must(rules.Prometheus(scrape)),
		"ScrapeConfig":   must(rules.ScrapeConfig(scrape, rules.Object{})),
		"ServiceMonitor": must(rules.ServiceMonitor(rules.ServiceMonitorOptions{Job: "cards/eu", Port: "http", Exporter: selector, Notifier: selector})),
	} {
		found := map[string]bool{}
		for _, match := range jobs.FindAllSubmatch(content, -1) {
			found[string(match[1])+string(match[2])] = true
		}
		if !found["cards/eu"] {
			t.Errorf("%s: names %v, not the job", name, found)
		}
		delete(found, "cards/eu")
		delete(found, "cards/eu-notifier")
		if len(found) > 0 {
			t.Errorf("%s: names the jobs %v too", name, found)
		}
	}
}
