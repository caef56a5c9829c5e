package rules_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"shopwatch/rules"
	"shopwatch/rules/rulestest"
)

// groupsOf loads rules as Prometheus does, templates of labels and annotations included.
func groupsOf(t *testing.T, content []byte) []rulefmt.RuleGroup {
	t.Helper()
	groups, errs := rulefmt.Parse(content, false, model.LegacyValidation,
		parser.NewParser(parser.Options{}), slog.New(slog.NewTextHandler(io.Discard, nil)))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	return groups.Groups
}

func parse(t *testing.T, content []byte) []rulefmt.Rule {
	t.Helper()
	var all []rulefmt.Rule
	for _, group := range groupsOf(t, content) {
		all = append(all, group.Rules...)
	}
	return all
}

// parseAll loads the one file that holds all rules.
func parseAll(t *testing.T, e rules.Escalation) []rulefmt.Rule {
	t.Helper()
	content, err := rules.RenderFile(rules.Options{Escalation: e})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, content)
}

func alertsOf(all []rulefmt.Rule) []rulefmt.Rule {
	var alerts []rulefmt.Rule
	for _, rule := range all {
		if rule.Alert != "" {
			alerts = append(alerts, rule)
		}
	}
	return alerts
}

func TestExpressionsNameOnlyWhatTheTreatyGives(t *testing.T) {
	t.Parallel()
	for name, escalation := range map[string]rules.Escalation{
		"at the default": rules.DefaultEscalation(),
		"in the demo":    rules.DemoEscalation(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := parseAll(t, escalation)
			treaty, recorded := recordAll(t, all)
			used := map[string]bool{}
			note := func(expr string) {
				names, err := rulestest.Series(expr)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range names {
					used[name] = true
				}
			}
			for _, rule := range all {
				note(rule.Expr)
				if rule.Record != "" {
					continue
				}
				got, err := treaty.Check(rule.Expr)
				if err != nil {
					t.Errorf("%s: %v", rule.Alert, err)
					continue
				}
				for _, template := range rule.Labels {
					for _, label := range labelsIn.FindAllStringSubmatch(template, -1) {
						if !got[label[1]] {
							t.Errorf("%s: a label of the alert uses %q, the expression leaves only %s", rule.Alert, label[1], got)
						}
					}
				}
				for annotation, template := range rule.Annotations {
					for _, query := range queriesIn(template) {
						note(query)
						if _, err := treaty.Check(query); err != nil {
							t.Errorf("%s, annotation %s: %v", rule.Alert, annotation, err)
						}
					}
				}
			}
			board, err := os.ReadFile("../dashboards/shop.json")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range recorded {
				if !used[name] && !bytes.Contains(board, []byte(name)) {
					t.Errorf("%s is recorded, and used by no rule and no board", name)
				}
			}
		})
	}
}

// recordAll adds every recorded series to the treaty and returns their names. A
// rule may use what a later file records: in Prometheus all groups run beside
// each other.
func recordAll(t *testing.T, all []rulefmt.Rule) (treaty rulestest.Treaty, recorded []string) {
	t.Helper()
	treaty = rulestest.New()
	var left []rulefmt.Rule
	for _, rule := range all {
		if rule.Record != "" {
			left = append(left, rule)
		}
	}
	for len(left) > 0 {
		var later []rulefmt.Rule
		var problems []error
		for _, rule := range left {
			if err := treaty.Record(rule.Record, rule.Expr); err != nil {
				later, problems = append(later, rule), append(problems, err)
				continue
			}
			recorded = append(recorded, rule.Record)
		}
		if len(later) == len(left) {
			t.Error(errors.Join(problems...))
			break
		}
		left = later
	}
	return treaty, recorded
}

var (
	labelsIn  = regexp.MustCompile(`\$labels\.(\w+)`)
	quoted    = regexp.MustCompile("`([^`]+)`")
	recording = regexp.MustCompile(`^[a-z_]+:[a-z_]+:[a-z0-9_]+$`)
)

// queriesIn are the queries of a template, with a value for each of their verbs.
func queriesIn(template string) []string {
	var queries []string
	for _, match := range quoted.FindAllStringSubmatch(template, -1) {
		queries = append(queries, strings.ReplaceAll(match[1], "%q", `"x"`))
	}
	return queries
}

func TestNamesOfServicesNeverEnterAnExpression(t *testing.T) {
	t.Parallel()
	for _, rule := range parseAll(t, rules.DefaultEscalation()) {
		names, err := rulestest.Series(rule.Expr)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name == rules.ServiceInfo.Name {
				t.Errorf("%s%s: names %s, whose labels change", rule.Alert, rule.Record, name)
			}
		}
		for annotation, template := range rule.Annotations {
			for _, query := range queriesIn(template) {
				if strings.Contains(query, rules.ServiceInfo.Name) && !strings.HasPrefix(query, "topk(1, ") {
					t.Errorf("%s, annotation %s: asks for names without topk(1, …): %s", rule.Alert, annotation, query)
				}
			}
		}
	}
}

func TestWindowsOfADayAreEvaluatedEveryFewMinutes(t *testing.T) {
	t.Parallel()
	content, err := rules.RenderFile(rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groupsOf(t, content) {
		interval := time.Duration(group.Interval)
		if interval != 0 && (interval < 2*time.Minute || interval > 10*time.Minute) {
			t.Errorf("group %s: is evaluated every %s, want 2–10 minutes, or the same as all", group.Name, interval)
		}
		for _, rule := range group.Rules {
			if longest := longestRange(t, rule.Expr); longest >= 24*time.Hour && interval == 0 {
				t.Errorf("%s%s: reads %s at every evaluation", rule.Alert, rule.Record, longest)
			}
		}
	}
}

// longestRange is the longest range of samples that an expression reads.
func longestRange(t *testing.T, expr string) (longest time.Duration) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatal(err)
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.MatrixSelector:
			longest = max(longest, n.Range)
		case *parser.SubqueryExpr:
			longest = max(longest, n.Range)
		}
		return nil
	})
	return longest
}

func TestRecordedSeriesAreNamedLevelMetricOperation(t *testing.T) {
	t.Parallel()
	for _, rule := range parseAll(t, rules.DefaultEscalation()) {
		if rule.Record != "" && !recording.MatchString(rule.Record) {
			t.Errorf("%s: want level:metric:operation", rule.Record)
		}
	}
}

// felt are the kinds of trouble that buyers feel.
var felt = map[string]bool{
	rules.AlertServiceDown: true, rules.AlertServiceDownProlonged: true,
	rules.AlertOrdersDelayed: true, rules.AlertOrdersStuck: true,
	rules.AlertPaymentFailing: true, rules.AlertPaymentFailingProlonged: true,
}

func TestEveryAlertSaysAllThatPeopleNeed(t *testing.T) {
	t.Parallel()
	alerts := alertsOf(parseAll(t, rules.DefaultEscalation()))
	if len(alerts) == 0 {
		t.Fatal("there is no alert")
	}
	seen := map[string]bool{}
	for _, alert := range alerts {
		if seen[alert.Alert] {
			t.Errorf("%s: is there twice", alert.Alert)
		}
		seen[alert.Alert] = true
		for _, name := range []string{
			rules.AnnotationSummary, rules.AnnotationSummaryZH, rules.AnnotationDescription, rules.AnnotationDescriptionZH,
			rules.AnnotationSince, rules.AnnotationKeepFiringFor, rules.AnnotationRunbook, rules.AnnotationDashboard,
		} {
			if strings.TrimSpace(alert.Annotations[name]) == "" {
				t.Errorf("%s: has no annotation %s", alert.Alert, name)
			}
		}
		if _, evaluated := alert.Annotations[rules.AnnotationEvaluated]; evaluated != (alert.Alert == rules.AlertWatchdog) {
			t.Errorf("%s: annotation evaluated is %v, it belongs to the Watchdog alone", alert.Alert, evaluated)
		}
		if got, want := alert.Annotations[rules.AnnotationKeepFiringFor], seconds(alert.KeepFiringFor); got != want {
			t.Errorf("%s: annotation keep_firing_for is %s, the rule keeps firing for %s s", alert.Alert, got, want)
		}
		if !strings.HasSuffix(alert.Annotations[rules.AnnotationRunbook], "/"+alert.Alert) {
			t.Errorf("%s: its runbook is %s", alert.Alert, alert.Annotations[rules.AnnotationRunbook])
		}
		checkLabels(t, alert)
	}
	for name := range felt {
		if !seen[name] {
			t.Errorf("%s: is in the treaty and no rule", name)
		}
	}
	if !seen[rules.AlertWatchdog] {
		t.Error("there is no Watchdog")
	}
}

func seconds(d model.Duration) string {
	return strconv.FormatFloat(time.Duration(d).Seconds(), 'f', -1, 64)
}

func checkLabels(t *testing.T, alert rulefmt.Rule) {
	t.Helper()
	labels := alert.Labels
	switch rules.Severity(labels[rules.LabelSeverity]) {
	case rules.SeverityCritical, rules.SeverityWarning, rules.SeverityInfo, rules.SeverityNone:
	default:
		t.Errorf("%s: its severity is %q", alert.Alert, labels[rules.LabelSeverity])
	}
	switch rules.Audience(labels[rules.LabelTier]) {
	case rules.Ops, rules.Management, rules.Deadman:
	default:
		t.Errorf("%s: its tier is %q", alert.Alert, labels[rules.LabelTier])
	}
	// What a rule does not set comes from the expression, under the same name.
	of := func(name string) string {
		if value, ok := labels[name]; ok {
			return value
		}
		return "{{ $labels." + name + " }}"
	}
	// Trouble that is no outage of the service is an incident of its own, named
	// by a third part.
	if got, want := labels[rules.LabelIncident], of(rules.LabelShop)+"/"+of(rules.LabelService); got != want && !strings.HasPrefix(got, want+"/") {
		t.Errorf("%s: its incident is %s, want %s", alert.Alert, got, want)
	}
	if public, want := labels[rules.LabelPublic], felt[alert.Alert]; (public == "true") != want || (public != "" && public != "true") {
		t.Errorf("%s: label public is %q, felt by buyers: %v", alert.Alert, public, want)
	}
	if labels[rules.LabelShop] == rules.ShopSelf && labels[rules.LabelPublic] != "" {
		t.Errorf("%s: is about our own pipeline and public", alert.Alert)
	}
	for name, value := range labels {
		if strings.Contains(value, "$value") || strings.Contains(value, "query") {
			t.Errorf("%s: label %s changes while the alert fires: %s", alert.Alert, name, value)
		}
	}
}

func TestEveryAlertHasARunbookInBothLanguages(t *testing.T) {
	t.Parallel()
	headings := map[string][]string{
		"en": {"**What it means.**", "**Who feels it.**", "**First three things**", "\n1. ", "\n2. ", "\n3. ", "**How to test it.**"},
		"zh": {"**含义。**", "**谁会受影响。**", "**先做三件事**", "\n1. ", "\n2. ", "\n3. ", "**如何演练。**"},
	}
	for _, alert := range alertsOf(parseAll(t, rules.DefaultEscalation())) {
		for language, parts := range headings {
			text, ok := rules.Runbook(alert.Alert, language)
			if !ok {
				t.Errorf("%s: has no runbook in %s", alert.Alert, language)
				continue
			}
			if !strings.HasPrefix(string(text), "# "+alert.Alert) {
				t.Errorf("%s: its runbook in %s begins otherwise", alert.Alert, language)
			}
			for _, part := range parts {
				if !strings.Contains(string(text), part) {
					t.Errorf("%s: its runbook in %s lacks %q", alert.Alert, language, part)
				}
			}
		}
	}
}

func TestThereIsNoRunbookForWhatIsNoAlert(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Nothing", "../runbooks/Watchdog", "Watchdog.en.md", "/Watchdog"} {
		if _, ok := rules.Runbook(name, "en"); ok {
			t.Errorf("%q has a runbook", name)
		}
	}
	if _, ok := rules.Runbook("Watchdog", "fr"); ok {
		t.Error("there is a runbook in French")
	}
}
