package rules_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"shopwatch/rules"
)

// fragment is what is merged into the file of somebody who has one.
func fragment(t *testing.T, o rules.AlertmanagerOptions) []byte {
	t.Helper()
	content, err := rules.AlertmanagerFragment(o)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// stranger is testdata/stranger-alertmanager.yml.
func stranger(t *testing.T) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/stranger-alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// merged is both in one, lists one after the other, as the fragment's head says
// that yq does it.
func merged(t *testing.T, first, second []byte) []byte {
	t.Helper()
	var a, b map[string]any
	for content, into := range map[*[]byte]*map[string]any{&first: &a, &second: &b} {
		if err := yaml.Unmarshal(*content, into); err != nil {
			t.Fatalf("%v\n%s", err, *content)
		}
	}
	content, err := yaml.Marshal(merge(a, b))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func merge(a, b any) any {
	switch a := a.(type) {
	case map[string]any:
		for name, value := range b.(map[string]any) {
			if have, ok := a[name]; ok {
				value = merge(have, value)
			}
			a[name] = value
		}
		return a
	case []any:
		return append(a, b.([]any)...)
	}
	return b
}

// routes is the tree of a whole alertmanager.yml.
func routes(t *testing.T, content []byte) (*config.Config, *dispatch.Route) {
	t.Helper()
	loaded, err := config.Load(string(content))
	if err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	return loaded, dispatch.NewRoute(loaded.Route, nil)
}

// openLabel is what a rule leaves to its expression.
var openLabel = regexp.MustCompile(`{{[^}]*}}`)

// fired are the labels that each alert of ours has, by its name: about a shop
// where the rule leaves that open.
func fired(t *testing.T) map[string]model.LabelSet {
	t.Helper()
	all := map[string]model.LabelSet{}
	for _, alert := range alertsOf(parseAll(t, rules.DefaultEscalation())) {
		labels := model.LabelSet{rules.LabelAlert: model.LabelValue(alert.Alert), rules.LabelShop: "main", rules.LabelService: "storefront"}
		for name, value := range alert.Labels {
			value = strings.NewReplacer("{{ $labels.shop }}", "main", "{{ $labels.service }}", "storefront").Replace(value)
			labels[model.LabelName(name)] = model.LabelValue(openLabel.ReplaceAllString(value, "some"))
		}
		all[alert.Alert] = labels
	}
	return all
}

// his are alerts of the stranger's own, near to ours in one label or another.
var his = map[string]model.LabelSet{
	"a plain one":                     {"alertname": "DiskFull", "severity": "critical", "instance": "db1"},
	"a warning":                       {"alertname": "DiskFilling", "severity": "warning"},
	"a Watchdog of kube-prometheus":   {"alertname": "Watchdog", "severity": "none"},
	"one with a tier of ours":         {"alertname": "Slow", "tier": "ops", "shop": "main", "service": "web"},
	"one with an incident of his":     {"alertname": "Slow", "tier": "ops", "shop": "main", "incident": "INC-12"},
	"one with an incident and no one": {"alertname": "Slow", "incident": "main/web", "shop": "main", "public": "true"},
	"one of another tier":             {"alertname": "Slow", "incident": "main/web", "shop": "main", "tier": "gold"},
	"one without a shop":              {"alertname": "Slow", "incident": "main/web", "tier": "ops"},
}

func TestFragmentIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/fragment-alertmanager.yml", fragment(t, routing))
}

func TestFragmentTakesEveryAlertOfOursAndNoneOfAStrangers(t *testing.T) {
	t.Parallel()
	_, own := routes(t, must(rules.Alertmanager(routing)))
	_, before := routes(t, stranger(t))
	both, after := routes(t, merged(t, fragment(t, routing), stranger(t)))
	for name, labels := range fired(t) {
		want, got := own.Match(labels), after.Match(labels)
		if len(got) != len(want) {
			t.Errorf("%s: reaches %v", name, receivers(after, labels))
			continue
		}
		for i := range want {
			opts, ours := got[i].RouteOpts, want[i].RouteOpts
			if opts.Receiver, _ = strings.CutPrefix(opts.Receiver, "shopwatch-"); !reflect.DeepEqual(opts, ours) {
				t.Errorf("%s: told by %+v, alone by %+v", name, got[i].RouteOpts, ours)
			}
		}
	}
	for name, labels := range his {
		if got, want := receivers(after, labels), receivers(before, labels); !slices.Equal(got, want) {
			t.Errorf("%s: reaches %v, before %v", name, got, want)
		}
	}
	for _, receiver := range both.Receivers {
		if posts, ours := len(receiver.WebhookConfigs) == 1, strings.HasPrefix(receiver.Name, "shopwatch-"); posts != ours {
			t.Errorf("receiver %q posts to shopwatch: %v", receiver.Name, posts)
		}
	}
}

func TestFragmentSaysHowToKeepAStrangersInhibitRulesAway(t *testing.T) {
	t.Parallel()
	const advice = `incident=""`
	if !strings.Contains(string(fragment(t, routing)), advice) {
		t.Errorf("the fragment doesn't say %s", advice)
	}
	both, _ := routes(t, merged(t, fragment(t, routing), stranger(t)))
	careless, careful := both.InhibitRules[0], both.InhibitRules[1]
	warnings := 0
	for name, labels := range fired(t) {
		if labels[rules.LabelSeverity] != model.LabelValue(rules.SeverityWarning) {
			continue
		}
		warnings++
		if without, with := silences(careless, labels), silences(careful, labels); !without || with {
			t.Errorf("%s: silenced %v without the advice, %v with it", name, without, with)
		}
	}
	if warnings == 0 {
		t.Error("no warning to be silenced")
	}
}

func silences(rule amcommon.InhibitRule, labels model.LabelSet) bool {
	for _, m := range rule.TargetMatchers {
		if !m.Matches(string(labels[model.LabelName(m.Name)])) {
			return false
		}
	}
	return true
}

func TestWarningsOfOperationsWaitForBusinessHoursWhenThoseAreSwitchedOn(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{
		"whole": must(rules.Alertmanager(routing)), "fragment": fragment(t, routing),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			off, prefix := content, ""
			on := []byte(strings.ReplaceAll(string(content), "#: ", ""))
			if name == "fragment" {
				off, on, prefix = merged(t, off, stranger(t)), merged(t, on, stranger(t)), "shopwatch-"
			}
			_, before := routes(t, off)
			_, after := routes(t, on)
			waiting := 0
			for alert, labels := range fired(t) {
				if got, want := receivers(after, labels), receivers(before, labels); !slices.Equal(got, want) {
					t.Errorf("%s: reaches %v in business hours, %v without", alert, got, want)
				}
				for _, route := range after.Match(labels) {
					waits := slices.Equal(route.RouteOpts.ActiveTimeIntervals, []string{prefix + "business-hours"})
					if waits {
						waiting++
					}
					if want := labels["severity"] == "warning" && labels["tier"] == "ops" && route.RouteOpts.Receiver == prefix+"ops"; waits != want {
						t.Errorf("%s to %s: waits %v, want %v", alert, route.RouteOpts.Receiver, waits, want)
					}
				}
			}
			if waiting == 0 {
				t.Error("nothing waits")
			}
			path := filepath.Join(t.TempDir(), "alertmanager.yml")
			if err := os.WriteFile(path, on, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, tool := range amtools(t) {
				run(t, tool, "check-config", path)
			}
		})
	}
}

// must is for what is rendered from options that are good.
func must(content []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return content
}
