package dashboards_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"

	"shopwatch/rules"
	"shopwatch/rules/rulestest"
)

// words are values of labels that queries choose by; other labels have one value of any kind.
var words = map[string][]string{
	rules.LabelShop:     {"demo"},
	rules.LabelStatus:   {string(rules.Operational), string(rules.Degraded), string(rules.Outage), string(rules.Unknown)},
	rules.LabelKind:     {string(rules.Automatic), string(rules.Manual)},
	rules.LabelAge:      {string(rules.AgeUnder5m), string(rules.Age5to30m), string(rules.AgeOver30m)},
	rules.LabelEvent:    {string(rules.OrderPaid), string(rules.OrderDelivered)},
	rules.LabelReason:   {string(rules.ReasonTimeout)},
	rules.LabelExporter: {"e1"},
	"job":               {"shopwatch"},
	"instance":          {"e1"},
	"mode":              {"idle", "iowait", "user"},
	"fstype":            {"ext4"},
	"mountpoint":        {"/"},
	"le":                {"60", "300", "+Inf"},
}

// sets are all combinations of the values of labels.
func sets(labels rulestest.Labels) []string {
	all := []string{""}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
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

// seeded is an hour of every series of the treaty, and of what the rules
// record, in the test language of Prometheus. What counts, rises.
func seeded(t *testing.T) string {
	t.Helper()
	known := treaty(t)
	var load strings.Builder
	load.WriteString("load 15s\n")
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if name == "ALERTS" {
			continue
		}
		values := "1x240"
		for _, suffix := range []string{"_total", "_count", "_sum", "_bucket"} {
			if strings.HasSuffix(name, suffix) {
				values = "0+2x240"
			}
		}
		for _, set := range sets(known[name]) {
			if strings.Contains(set, `le="60"`) {
				values = "0+1x240"
			} else if strings.Contains(set, "le=") {
				values = "0+2x240"
			}
			fmt.Fprintf(&load, "  %s{%s} %s\n", name, strings.TrimPrefix(set, ","), values)
		}
	}
	load.WriteString(`  ALERTS{alertstate="firing",alertname="ServiceDown",tier="ops",severity="critical",shop="demo",service="home",incident="demo/home"} 1x240` + "\n")
	return load.String()
}

func TestEveryQueryReturnsSeriesWhereTheTreatyIsServed(t *testing.T) {
	t.Parallel()
	storage := promqltest.LoadedStorage(t, seeded(t))
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
