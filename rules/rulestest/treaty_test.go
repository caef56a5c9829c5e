package rulestest_test

import (
	"strings"
	"testing"

	"shopwatch/rules/rulestest"
)

func TestTreatyRefusesWhatNobodyGives(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ expr, want string }{
		"a series that nobody gives":            {`shopwatch_nothing > 0`, "not in the treaty"},
		"a series without a name":               {`{shop="a"}`, "not in the treaty"},
		"a matcher for a label it lacks":        {`shopwatch_ledger_up{service="x"}`, `no label "service"`},
		"a matcher for a bucket":                {`shopwatch_order_delivery_seconds_bucket{le="300"}`, "label le is matched"},
		"a histogram by its bare name":          {`shopwatch_order_delivery_seconds`, "not in the treaty"},
		"a label that the snippet moved away":   {`probe_success{target="x"}`, `no label "target"`},
		"a grouping by a label it lacks":        {`sum by (payment) (shopwatch_ledger_up)`, `label "payment"`},
		"a label that an aggregation dropped":   {`max by (shop) (max by (service) (shopwatch_service_affected))`, `label "shop"`},
		"a match on a label of one side only":   {`shopwatch_service_affected and on (service) shopwatch_ledger_up`, `label "service"`},
		"a label ignored that neither has":      {`shopwatch_ledger_up + ignoring (product) shopwatch_ledger_up`, `label "product"`},
		"sides that can never match":            {`max by (shop) (shopwatch_ledger_up) > max(shopwatch_ledger_up)`, "never match"},
		"a syntax error":                        {`max by (`, "parse error"},
		"a wrong name inside a subquery's call": {`max_over_time((shopwatch_oops == 1)[5m:15s])`, "not in the treaty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := rulestest.New().Check(tt.expr); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want an error with %q", tt.expr, err, tt.want)
			}
		})
	}
}

func TestTreatyKnowsTheLabelsThatAnExpressionLeaves(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`shopwatch_ledger_up == 1`:                                                                       "{exporter, instance, job, shop}",
		`max by (shop) (last_over_time(shopwatch_ledger_up[1h]))`:                                        "{shop}",
		`sum without (reason, job) (rate(shopwatch_service_failures_total[5m]))`:                         "{exporter, instance, service, shop}",
		`topk(1, shopwatch_ledger_up{shop="a"})`:                                                         "{exporter, instance, job, shop}",
		`histogram_quantile(0.9, sum by (le, shop) (rate(shopwatch_order_delivery_seconds_bucket[5m])))`: "{shop}",
		`absent_over_time((up{job="x"} == 1)[4m:15s])`:                                                   "{}",
		`max by (host) (label_replace(shopwatch_ledger_up, "host", "$1", "instance", "(.+)"))`:           "{host}",
		`vector(time())`: "{}",
		`shopwatch_service_status + ignoring (status) 2 * shopwatch_service_status`:                       "{exporter, instance, job, service, shop}",
		`shopwatch_service_affected unless on (shop) shopwatch_ledger_up == 1`:                            "{exporter, instance, job, service, shop}",
		`time() - max by (shop) (shopwatch_ledger_last_success_timestamp_seconds)`:                        "{shop}",
		`shopwatch_service_affected * on (shop) group_left () max by (shop) (shopwatch_ledger_up)`:        "{exporter, instance, job, service, shop}",
		`max by (shop, service) (shopwatch_service_affected) + on (shop, service) shopwatch_service_info`: "{service, shop}",
	} {
		got, err := rulestest.New().Check(expr)
		if err != nil {
			t.Error(err)
			continue
		}
		if got.String() != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
}

func TestTreatyRecordsSeriesOnce(t *testing.T) {
	t.Parallel()
	treaty := rulestest.New()
	if err := treaty.Record("shop:ledger:up", `max by (shop) (shopwatch_ledger_up)`); err != nil {
		t.Fatal(err)
	}
	if got, err := treaty.Check("shop:ledger:up"); err != nil || got.String() != "{shop}" {
		t.Errorf("got %s, %v, want {shop}", got, err)
	}
	if err := treaty.Record("shop:ledger:up", `vector(1)`); err == nil {
		t.Error("the same name was recorded twice")
	}
	if err := treaty.Record("shop:other:up", `oops`); err == nil {
		t.Error("a series was recorded from one that nobody gives")
	}
}
