// Package rulestest holds PromQL to the treaty: an expression may name only
// metrics that somebody gives, and only labels that they carry at that point
// of the expression. Rules, boards and queries of pages are tested with it.
//
// It is for tests: no room of the product imports it.
package rulestest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"shopwatch/rules"
)

// Labels is a set of label names.
type Labels map[string]bool

// Treaty knows every series that an expression may name, and its labels.
type Treaty map[string]Labels

// scraped are the labels that the scrape snippet adds to every metric.
var scraped = []string{"job", "instance", rules.LabelExporter}

// strangers are metrics of others that rules may name: of node_exporter's
// collectors, whoever runs them, and of Prometheus itself.
var strangers = map[string][]string{
	"node_cpu_seconds_total":                        {"cpu", "mode"},
	"node_memory_MemAvailable_bytes":                {},
	"node_memory_MemTotal_bytes":                    {},
	"node_filesystem_avail_bytes":                   {"device", "fstype", "mountpoint", "device_error"},
	"node_filesystem_size_bytes":                    {"device", "fstype", "mountpoint", "device_error"},
	"node_filesystem_files":                         {"device", "fstype", "mountpoint", "device_error"},
	"node_filesystem_files_free":                    {"device", "fstype", "mountpoint", "device_error"},
	"node_filesystem_readonly":                      {"device", "fstype", "mountpoint", "device_error"},
	"node_disk_io_time_seconds_total":               {"device"},
	"node_network_receive_errs_total":               {"device"},
	"node_network_transmit_errs_total":              {"device"},
	"node_network_receive_packets_total":            {"device"},
	"node_network_transmit_packets_total":           {"device"},
	"prometheus_rule_evaluation_failures_total":     {"rule_group"},
	"prometheus_rule_group_iterations_missed_total": {"rule_group"},
	"prometheus_notifications_errors_total":         {"alertmanager"},
	"prometheus_notifications_dropped_total":        {},
}

// New is the treaty of package rules: what exporter and notifier give, up,
// and ALERTS with the labels that all our alerts have.
func New() Treaty {
	t := Treaty{
		"up": set("job", "instance"),
		"ALERTS": set("alertstate", rules.LabelAlert, rules.LabelSeverity, rules.LabelTier, rules.LabelShop,
			rules.LabelService, rules.LabelPublic, rules.LabelIncident),
	}
	for name, labels := range strangers {
		t[name] = set(append(slices.Clone(labels), scraped...)...)
	}
	for _, metric := range slices.Concat(rules.ExporterMetrics(), rules.NotifierMetrics(), rules.ProcessMetrics()) {
		names := set(append(slices.Clone(metric.Labels), scraped...)...)
		// The scrape snippet moves target to instance.
		delete(names, rules.LabelTarget)
		if metric.Type == rules.Histogram {
			t[metric.Name+"_sum"], t[metric.Name+"_count"] = names, names
			names = maps.Clone(names)
			names["le"] = true
			t[metric.Name+"_bucket"] = names
			continue
		}
		t[metric.Name] = names
	}
	return t
}

// Record adds a recorded series with the labels that its expression leaves.
func (t Treaty) Record(name, expr string) error {
	if _, known := t[name]; known {
		return fmt.Errorf("%s: recorded, and known already", name)
	}
	got, err := t.Check(expr)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t[name] = got
	return nil
}

// Check parses an expression and returns the labels of its result.
func (t Treaty) Check(expr string) (Labels, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", expr, err)
	}
	got, err := t.labels(parsed)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", expr, err)
	}
	return got, nil
}

// Series are the names of the series that an expression selects.
func Series(expr string) ([]string, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", expr, err)
	}
	var names []string
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			names = append(names, selector.Name)
		}
		return nil
	})
	return names, nil
}

func (t Treaty) labels(node parser.Expr) (Labels, error) {
	switch n := node.(type) {
	case *parser.VectorSelector:
		return t.selector(n)
	case *parser.MatrixSelector:
		return t.labels(n.VectorSelector)
	case *parser.SubqueryExpr:
		return t.labels(n.Expr)
	case *parser.ParenExpr:
		return t.labels(n.Expr)
	case *parser.UnaryExpr:
		return t.labels(n.Expr)
	case *parser.StepInvariantExpr:
		return t.labels(n.Expr)
	case *parser.AggregateExpr:
		return t.aggregate(n)
	case *parser.BinaryExpr:
		return t.binary(n)
	case *parser.Call:
		return t.call(n)
	case *parser.NumberLiteral, *parser.StringLiteral:
		return Labels{}, nil
	}
	return nil, fmt.Errorf("%T: not known here", node)
}

func (t Treaty) selector(n *parser.VectorSelector) (Labels, error) {
	known, ok := t[n.Name]
	if !ok {
		return nil, fmt.Errorf("series %q: not in the treaty", n.Name)
	}
	for _, matcher := range n.LabelMatchers {
		switch {
		case matcher.Name == model.MetricNameLabel:
		case matcher.Name == "le":
			return nil, errors.New(`label le is matched: "300" in one Prometheus is "300.0" in another`)
		case !known[matcher.Name]:
			return nil, fmt.Errorf("series %s: has no label %q, only %s", n.Name, matcher.Name, known)
		}
	}
	return known, nil
}

func (t Treaty) aggregate(n *parser.AggregateExpr) (Labels, error) {
	inner, err := t.labels(n.Expr)
	if err != nil {
		return nil, err
	}
	if err := inner.have(n.Grouping); err != nil {
		return nil, err
	}
	switch {
	case n.Op == parser.TOPK, n.Op == parser.BOTTOMK:
		return inner, nil // the chosen series stay whole
	case n.Without:
		return inner.without(n.Grouping), nil
	}
	return set(n.Grouping...), nil
}

func (t Treaty) binary(n *parser.BinaryExpr) (Labels, error) {
	left, err := t.labels(n.LHS)
	if err != nil {
		return nil, err
	}
	right, err := t.labels(n.RHS)
	if err != nil {
		return nil, err
	}
	scalarLeft, scalarRight := n.LHS.Type() == parser.ValueTypeScalar, n.RHS.Type() == parser.ValueTypeScalar
	switch {
	case scalarLeft:
		return right, nil
	case scalarRight:
		return left, nil
	}
	matching := n.VectorMatching
	if matching.On {
		for _, side := range []Labels{left, right} {
			if err := side.have(matching.MatchingLabels); err != nil {
				return nil, err
			}
		}
	} else {
		either := maps.Clone(left)
		maps.Copy(either, right)
		if err := either.have(matching.MatchingLabels); err != nil {
			return nil, err
		}
		if !maps.Equal(left.without(matching.MatchingLabels), right.without(matching.MatchingLabels)) {
			return nil, fmt.Errorf("the sides of %s never match: %s and %s", n.Op, left, right)
		}
	}
	switch {
	case n.Op == parser.LOR:
		both := maps.Clone(left)
		maps.Copy(both, right)
		return both, nil
	case n.Op.IsSetOperator(), matching.Card == parser.CardManyToOne:
		return left, nil
	case matching.Card == parser.CardOneToMany:
		return right, nil
	case matching.On:
		return set(matching.MatchingLabels...), nil
	}
	return left.without(matching.MatchingLabels), nil
}

func (t Treaty) call(n *parser.Call) (Labels, error) {
	result := Labels{}
	for _, arg := range n.Args {
		got, err := t.labels(arg)
		if err != nil {
			return nil, err
		}
		maps.Copy(result, got)
	}
	switch n.Func.Name {
	case "vector", "time", "scalar", "absent", "absent_over_time":
		return Labels{}, nil
	case "histogram_quantile":
		return result.without([]string{"le"}), nil
	case "label_replace", "label_join":
		if made, ok := n.Args[1].(*parser.StringLiteral); ok {
			result = result.with(made.Val)
		}
	}
	return result, nil
}

func (l Labels) have(names []string) error {
	for _, name := range names {
		if !l[name] {
			return fmt.Errorf("label %q is named where only %s are", name, l)
		}
	}
	return nil
}

func (l Labels) with(name string) Labels {
	more := maps.Clone(l)
	more[name] = true
	return more
}

func (l Labels) without(names []string) Labels {
	rest := maps.Clone(l)
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

// String lists the labels in order.
func (l Labels) String() string {
	return "{" + strings.Join(slices.Sorted(maps.Keys(l)), ", ") + "}"
}

func set(names ...string) Labels {
	l := Labels{}
	for _, name := range names {
		l[name] = true
	}
	return l
}
