package query_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/query"
	"shopwatch/rules"
)

var now = time.Date(2026, 11, 22, 3, 0, 5, 0, time.UTC)

// server answers queries from a table by their first words, as Prometheus's
// HTTP API does.
func server(t *testing.T, answers map[string][]map[string]any) *query.Querier {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.FormValue("query")
		result := []map[string]any{}
		longest := -1
		for prefix, answer := range answers {
			if strings.HasPrefix(asked, prefix) && len(prefix) > longest {
				result, longest = answer, len(prefix)
			}
		}
		kind := "vector"
		if strings.HasSuffix(r.URL.Path, "query_range") {
			kind = "matrix"
		}
		json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": kind, "result": result}})
	}))
	t.Cleanup(s.Close)
	q, err := query.New(query.Config{URL: s.URL, Lag: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func sample(value float64, labels ...string) map[string]any {
	metric := map[string]string{}
	for i := 0; i < len(labels); i += 2 {
		metric[labels[i]] = labels[i+1]
	}
	return map[string]any{"metric": metric, "value": []any{now.Unix(), fmt.Sprint(value)}}
}

func TestSightHoldsWhatPrometheusKnowsAndGuessesNothing(t *testing.T) {
	t.Parallel()
	info := func(id, position, public string) map[string]any {
		return sample(1, "shop", "main", "service", id, "name_zh", "甲", "name_en", "A", "role", "payment", "position", position, "critical", "true", "public", public)
	}
	at := float64(now.Unix())
	q := server(t, map[string][]map[string]any{
		"max(timestamp(":                                      {sample(at - 3)},
		"shopwatch_service_info":                              {info("late", "2", "false"), info("alipay", "1", "true"), info("silent", "3", "true")},
		"max by (shop, service, depends_on)":                  {sample(1, "shop", "main", "service", "alipay", "depends_on", "late"), sample(1, "shop", "main", "service", "alipay", "depends_on", "db"), sample(1, "shop", "main", "service", "late", "depends_on", "late")},
		"max by (shop, name_zh, name_en)":                     {sample(1, "shop", "main", "name_zh", "主店", "name_en", "Main")},
		"max by (shop, service, status)":                      {sample(1, "shop", "main", "service", "alipay", "status", "outage"), sample(1, "shop", "main", "service", "alipay", "status", "operational"), sample(1, "shop", "main", "service", "late", "status", "degraded")},
		"max by (shop, service) (shopwatch_service_last_succ": {sample(at-60, "shop", "main", "service", "late")},
		"avg by (shop, service)":                              {sample(0.25, "shop", "main", "service", "alipay")},
		"max by (shop) (shopwatch_ledger_up":                  {sample(1, "shop", "main")},
		"max by (shop) (shopwatch_ledger_last_success":        {sample(at-4, "shop", "main")},
		"max by (shop, kind, age)":                            {sample(3, "shop", "main", "kind", "automatic", "age", "lt5m"), sample(9, "shop", "unknown", "kind", "automatic", "age", "lt5m")},
		"min by (shop, kind)":                                 {sample(at-200, "shop", "main", "kind", "automatic")},
	})
	sight, err := q.Look(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if len(sight.Services) != 3 || sight.Services[0].ID != "alipay" || sight.Services[1].ID != "late" {
		t.Fatalf("services, in the order of the page: %+v", sight.Services)
	}
	alipay, late, silent := sight.Services[0], sight.Services[1], sight.Services[2]
	if !slices.Equal(alipay.DependsOn, []string{"main/db", "main/late"}) || len(late.DependsOn) > 0 {
		t.Errorf("alipay depends on %v, late on %v", alipay.DependsOn, late.DependsOn)
	}
	if got := sight.Shops["main"]; got != (rules.Text{ZH: "主店", EN: "Main"}) || len(sight.Shops) != 1 {
		t.Errorf("shops are called %v", sight.Shops)
	}
	if alipay.Status != rules.Operational {
		t.Errorf("two exporters disagree and %s is told, want the one that sees it work", alipay.Status)
	}
	if alipay.Latency != 250*time.Millisecond || !alipay.Public || !alipay.Critical || alipay.Name.ZH != "甲" {
		t.Errorf("alipay: %+v", alipay)
	}
	if late.Status != rules.Degraded || late.Public || now.Sub(late.LastSuccess) < time.Minute {
		t.Errorf("late: %+v", late)
	}
	if silent.Status != rules.Unknown || !silent.LastSuccess.IsZero() {
		t.Errorf("a service without readings: %+v", silent)
	}
	if len(sight.Orders) != 1 || sight.Orders[0].Waiting[rules.Automatic][rules.AgeUnder5m] != 3 || len(sight.Orders[0].Oldest) != 1 || !sight.Orders[0].Up {
		t.Errorf("orders: %+v", sight.Orders)
	}
	if !q.Fresh(sight, now) || q.Fresh(sight, now.Add(2*time.Minute)) || q.Fresh(query.Sight{}, now) {
		t.Error("freshness is not the age of the newest sample")
	}
}

func TestBarsOfHistorySayWhereNobodyLooked(t *testing.T) {
	t.Parallel()
	series := func(status string, values ...[]any) map[string]any {
		return map[string]any{"metric": map[string]string{"shop": "main", "service": "alipay", "status": status}, "values": values}
	}
	end := func(bar int) int64 { return now.Truncate(10*time.Second).Unix() + int64(bar-2)*10 } // of bars 0, 1, 2
	q := server(t, map[string][]map[string]any{
		"max by (shop, service, status) (avg_over_time(": {
			series("operational", []any{end(2), "0.6"}, []any{end(3), "0"}),
			series("unknown", []any{end(2), "0.2"}, []any{end(3), "0"}),
			series("outage", []any{end(2), "0.2"}, []any{end(3), "1"}),
		},
		`max by (shop, service) (count_over_time(max by (shop, service) (shopwatch_service_status{status="outage"})[10s:1s]))`: {series("", []any{end(2), "10"})},
		`max by (shop, service) (count_over_time(max by (shop, service) (shopwatch_service_status{status="outage"})[5s:1s]))`: {
			{"metric": map[string]string{"shop": "main", "service": "alipay"}, "value": []any{now.Unix(), "3"}},
		},
	})
	history, err := q.History(t.Context(), now, 10*time.Second, 3)
	if err != nil {
		t.Fatal(err)
	}
	bars := history["main/alipay"]
	if len(bars) != 3 {
		t.Fatalf("bars: %+v", bars)
	}
	if !math.IsNaN(bars[0].Up) || bars[0].Status != rules.Unknown {
		t.Errorf("where nobody looked: %+v", bars[0])
	}
	if math.Abs(bars[1].Up-0.75) > 1e-9 || bars[1].Seen != 8*time.Second || bars[1].Outage != 2*time.Second || bars[1].Status != rules.Outage {
		t.Errorf("a quarter of 8 s in outage: %+v", bars[1])
	}
	if bars[2].Up != 0 || bars[2].Seen != 3*time.Second || bars[2].Outage != 3*time.Second || !bars[2].Start.Equal(now.Truncate(10*time.Second)) {
		t.Errorf("the running bar, 5 s old, of which somebody looked for 3: %+v", bars[2])
	}
}

func TestServerThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	q, err := query.New(query.Config{URL: s.URL, Lag: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Look(t.Context(), now); err == nil || !strings.Contains(err.Error(), "prometheus") {
		t.Errorf("got %v", err)
	}
	if _, err := query.New(query.Config{URL: s.URL}); err == nil {
		t.Error("a querier without lag was built")
	}
}
