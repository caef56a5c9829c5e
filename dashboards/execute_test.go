package dashboards_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"

	"shopwatch/rules"
)

// words are values of labels that queries choose by; other labels have one value of any kind.
var words = map[string][]string{
	rules.LabelShop:   {"demo"},
	rules.LabelStatus: {string(rules.Operational), string(rules.Degraded), string(rules.Outage), string(rules.Unknown)},
	rules.LabelKind:   {string(rules.Automatic), string(rules.Manual)},
	rules.LabelAge:    {string(rules.AgeUnder5m), string(rules.Age5to30m), string(rules.AgeOver30m)},
	rules.LabelEvent:  {string(rules.OrderPaid), string(rules.OrderDelivered)},
	rules.LabelReason: {string(rules.ReasonTimeout)},
}

// sets are all combinations of the values of labels.
func sets(labels []string) []string {
	all := []string{`job="shopwatch",instance="e1",exporter="e1"`}
	for _, label := range labels {
		if label == rules.LabelTarget {
			continue
		}
		values := words[label]
		if values == nil {
			values = []string{"any"}
		}
		var longer []string
		for _, set := range all {
			for _, value := range values {
				longer = append(longer, fmt.Sprintf("%s,%s=%q", set, label, value))
			}
		}
		all = longer
	}
	return all
}

// seeded is an hour of every series of the treaty, in the test language of Prometheus.
func seeded() string {
	var load strings.Builder
	load.WriteString("load 15s\n")
	for _, metric := range slices.Concat(rules.ExporterMetrics(), rules.NotifierMetrics()) {
		for _, set := range sets(metric.Labels) {
			switch metric.Type {
			case rules.Gauge:
				fmt.Fprintf(&load, "  %s{%s} 1x240\n", metric.Name, set)
			case rules.Counter:
				fmt.Fprintf(&load, "  %s{%s} 0+2x240\n", metric.Name, set)
			case rules.Histogram:
				fmt.Fprintf(&load, "  %s_bucket{%s,le=\"60\"} 0+1x240\n", metric.Name, set)
				fmt.Fprintf(&load, "  %s_bucket{%s,le=\"300\"} 0+2x240\n", metric.Name, set)
				fmt.Fprintf(&load, "  %s_bucket{%s,le=\"+Inf\"} 0+2x240\n", metric.Name, set)
			}
		}
	}
	load.WriteString(`  ALERTS{alertstate="firing",alertname="ServiceDown",tier="ops",severity="critical",shop="demo",service="home",incident="demo/home"} 1x240` + "\n")
	return load.String()
}

func TestEveryQueryReturnsSeriesWhereTheTreatyIsServed(t *testing.T) {
	t.Parallel()
	storage := promqltest.LoadedStorage(t, seeded())
	t.Cleanup(func() {
		if err := storage.Close(); err != nil {
			t.Error(err)
		}
	})
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000)
	for where, text := range load(t).queries() {
		query, err := engine.NewInstantQuery(t.Context(), storage, nil, text, time.Unix(3600, 0))
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		result := query.Exec(t.Context())
		vector, ok := result.Value.(promql.Vector)
		if result.Err != nil || len(result.Warnings) > 0 || !ok || len(vector) == 0 {
			t.Errorf("%s: %s: got %v, %v, warnings %v, want series", where, text, result.Value, result.Err, result.Warnings)
			continue
		}
		for _, sample := range vector {
			if math.IsNaN(sample.F) || math.IsInf(sample.F, 0) {
				t.Errorf("%s: %s is %v", where, sample.Metric, sample.F)
			}
		}
		query.Close()
	}
}
