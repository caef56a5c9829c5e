package metric_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"shopwatch/exporter"
	"shopwatch/exporter/metric"
	"shopwatch/rules"
)

var update = flag.Bool("update", false, "rewrite the golden file")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fullStates are an http and a tcp service that have been looked at, one whose
// last look was inconclusive, and one that nobody has looked at yet.
func fullStates() []exporter.State {
	web := exporter.Service{
		Shop: "card", ID: "web", Role: rules.RoleStorefront, Position: 1, Critical: true, Public: true, Interval: 90 * time.Second, DependsOn: []string{"cache", "cache"},
		Name: rules.Text{ZH: "商城首页", EN: "Storefront"}, Group: rules.Text{ZH: "商城", EN: "Shop"}, Module: exporter.HTTPModule(nil),
	}
	cache := exporter.Service{
		Shop: "card", ID: "cache", Position: 2, Name: rules.Text{ZH: "缓存", EN: "Cache"}, Module: exporter.TCPModule(nil),
	}
	blind, fresh := cache, web
	fresh.DependsOn = nil
	blind.ID, blind.Position = "blind", 3
	fresh.ID, fresh.Position = "fresh", 4
	return []exporter.State{
		{
			Service: web, Status: rules.Degraded, Affected: true, LastLook: noon, LastSuccess: noon,
			Failures: map[rules.Reason]uint64{rules.ReasonStatus: 3, rules.ReasonAuth: 1},
			Readings: []exporter.Reading{{Shop: "card", Service: "web", Target: "https://card.example/", Success: true, Samples: everySample()}},
		},
		{
			Service: cache, Status: rules.Outage, LastLook: noon, LastSuccess: noon.Add(-10 * time.Minute),
			Failures: map[rules.Reason]uint64{rules.ReasonConnect: 20},
			Readings: []exporter.Reading{{
				Shop: "card", Service: "cache", Target: "cache:6379", Reason: rules.ReasonConnect,
				Samples: []exporter.Sample{{Metric: &rules.ProbeSuccess, Value: 0}, {Metric: &rules.ProbeDuration, Value: 0.01}},
			}},
		},
		{
			Service: blind, Status: rules.Unknown, LastSuccess: noon.Add(-time.Hour), Failures: map[rules.Reason]uint64{rules.ReasonVantage: 1},
			Readings: []exporter.Reading{{
				Shop: "card", Service: "blind", Target: "blind:1", Reason: rules.ReasonVantage,
				Samples: []exporter.Sample{{Metric: &rules.ProbeSuccess, Value: 0}},
			}},
		},
		{Service: fresh, Status: rules.Unknown},
	}
}

// everySample is one sample of each probe metric of the treaty.
func everySample() []exporter.Sample {
	values := map[string][]string{"phase": {"resolve", "connect", "tls", "processing", "transfer"}, "version": {"TLS 1.3"}}
	var samples []exporter.Sample
	for i, m := range rules.ProbeMetrics() {
		switch own := m.Labels[3:]; {
		case len(own) == 0:
			samples = append(samples, exporter.Sample{Metric: m, Value: float64(i)})
		case len(own) == 1 && values[own[0]] != nil:
			for _, value := range values[own[0]] {
				samples = append(samples, exporter.Sample{Metric: m, Labels: []string{value}, Value: float64(i) / 16})
			}
		default:
			samples = append(samples, exporter.Sample{Metric: m, Labels: own, Value: 1})
		}
	}
	return samples
}

func fullBooks() []exporter.Books {
	return []exporter.Books{
		{
			Shop: "card", Up: true, LastSuccess: noon, PollDuration: 250 * time.Millisecond,
			Waiting:      map[rules.Kind]map[rules.Age]int{rules.Automatic: {rules.AgeUnder5m: 4, rules.AgeOver30m: 1}},
			Oldest:       map[rules.Kind]time.Time{rules.Automatic: noon.Add(-40*time.Minute + 500*time.Millisecond)},
			ShortOfStock: 1, Late: 2, UnknownStatuses: 3,
			Orders: map[exporter.OrderCount]uint64{
				{Payment: "alipay", Event: rules.OrderPaid}: 7, {Payment: "", Event: rules.OrderCreated}: 9,
			},
			Items:    map[string]uint64{"12": 30},
			Revenue:  map[exporter.Money]float64{{Payment: "alipay", Currency: "CNY"}: 199.5},
			Stock:    []exporter.Stock{{Product: "12", Cards: 0}, {Product: "13", Cards: 8}, {Product: "14", Cards: 1, Looped: true}},
			Delivery: rules.Outage,
			Software: "dujiaoka", Moments: exporter.Moments{Paid: rules.BasisUpdated, Delivered: rules.BasisObserved},
			Failures: map[rules.LedgerReason]uint64{rules.LedgerAway: 2}, Lag: &lag,
			Open: 11, Dropped: 1, Unswept: 40_000, NegativeAges: 2,
			StockHidden: 3, StockCounted: noon.Add(-4 * time.Minute), FailedJobs: 6,
			Queues: []exporter.Queue{{Name: "default", Ready: 4, Delayed: 5, Reserved: 1}},
		},
		{Shop: "new", Delivery: rules.Unknown, FailedJobs: -1},
	}
}

var lag = 1500 * time.Millisecond

func fullGatherer() *metric.Gatherer {
	return metric.New(metric.Config{
		Shops: func() []exporter.Shop {
			return []exporter.Shop{{ID: "card", Name: rules.Text{ZH: "卡铺", EN: "Cards"}}, {ID: "card", Name: rules.Text{ZH: "重复", EN: "again"}}}
		},
		States: fullStates, Books: fullBooks, Version: "1.2.3", Revision: "abc123",
		Delivery: func(shop string) exporter.Service {
			return map[string]exporter.Service{"card": {
				Shop: "card", ID: rules.ServiceDelivery, Name: rules.Text{ZH: "自动发货", EN: "Automatic delivery"},
				Group: rules.Text{ZH: "订单", EN: "Orders"}, Position: 5, Critical: true, Public: true,
			}}[shop]
		},
	})
}

func fullDurations() *metric.Durations {
	d := metric.NewDurations()
	d.Delivered("card", 3*time.Second)
	d.Delivered("card", 400*time.Second)
	d.Paid("card", "alipay", 45*time.Second)
	d.Late(20 * time.Millisecond)
	return d
}

func registry(t testing.TB, collectors ...prometheus.Collector) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	for _, c := range collectors {
		if err := r.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestWhatIsGatheredIsExactlyTheTreaty(t *testing.T) {
	t.Parallel()
	families, err := prometheus.Gatherers{fullGatherer(), registry(t, fullDurations())}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	treaty := map[string]rules.Metric{}
	for _, m := range rules.ExporterMetrics() {
		treaty[m.Name] = m
	}
	for _, family := range families {
		m, ok := treaty[family.GetName()]
		if !ok {
			t.Errorf("%s is not in the treaty", family.GetName())
			continue
		}
		delete(treaty, m.Name)
		if got := strings.ToLower(family.GetType().String()); got != string(m.Type) {
			t.Errorf("%s is a %s, the treaty says %s", m.Name, got, m.Type)
		}
		if family.GetHelp() != m.Help {
			t.Errorf("%s: help is %q, the treaty says %q", m.Name, family.GetHelp(), m.Help)
		}
		want := slices.Sorted(slices.Values(m.Labels))
		for _, series := range family.GetMetric() {
			var labels []string
			for _, pair := range series.GetLabel() {
				labels = append(labels, pair.GetName())
			}
			if !slices.Equal(labels, want) {
				t.Errorf("%s has labels %v, the treaty says %v", m.Name, labels, want)
			}
		}
	}
	for name := range treaty {
		t.Errorf("%s of the treaty is never given", name)
	}
}

func TestTheExpositionIsGolden(t *testing.T) {
	t.Parallel()
	got := scrape(t, fullGatherer(), fullDurations())
	got = regexp.MustCompile(`goversion="[^"]*"`).ReplaceAllString(got, `goversion="GO"`)
	const golden = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("exposition differs from %s (rewrite it with -update):\n%s", golden, got)
	}
}

func TestTheExpositionIsLintedClean(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(prometheus.Gatherers{fullGatherer(), registry(t, fullDurations())})
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// has reports whether the scrape has this very line.
func has(scraped, line string) bool { return strings.Contains("\n"+scraped, "\n"+line+"\n") }

func TestWhatIsNotKnownIsAbsent(t *testing.T) {
	t.Parallel()
	scraped := scrape(t, fullGatherer(), fullDurations())
	for _, absent := range []string{
		`shopwatch_service_last_look_timestamp_seconds{service="fresh"`,    // not looked at yet
		`shopwatch_service_last_success_timestamp_seconds{service="fresh"`, // nor ever
		`shopwatch_service_last_look_timestamp_seconds{service="blind"`,    // not conclusively
		`probe_success{service="blind"`,                                    // we saw nothing: it isn't accused
		`shopwatch_service_last_look_timestamp_seconds{service="delivery"`,
		`shopwatch_service_last_success_timestamp_seconds{service="delivery"`,
		`shopwatch_service_affected{service="delivery"`,
		`shopwatch_service_interval_seconds{service="delivery"`,
		`shopwatch_service_interval_seconds{service="cache"`,
		`shopwatch_orders_oldest_waiting_timestamp_seconds{kind="manual"`,
		`shopwatch_ledger_last_success_timestamp_seconds{shop="new"`,
		`shopwatch_stock_cards{product="14"`, // looped
		`shopwatch_service_failures_total{reason="query",service="web"`,
		`shopwatch_service_failures_total{reason="status",service="cache"`,
		`shopwatch_service_failures_total{reason="tls",service="cache"`,
	} {
		if strings.Contains(scraped, absent) {
			t.Errorf("%s… is there", absent)
		}
	}
	for _, there := range []string{
		`shopwatch_service_last_success_timestamp_seconds{service="blind",shop="card"} 1.7953452e+09`, // remembered
		`shopwatch_service_interval_seconds{service="fresh",shop="card"} 90`,                          // before the first look
		`shopwatch_service_failures_total{reason="dns",service="fresh",shop="card"} 0`,
		`shopwatch_service_failures_total{reason="auth",service="web",shop="card"} 1`, // unforeseen, but counted
		`shopwatch_orders_total{event="refunded",payment="alipay",shop="card"} 0`,
		`shopwatch_orders_waiting{age="gt30m",kind="manual",shop="new"} 0`,
		`shopwatch_service_status{service="delivery",shop="card",status="outage"} 1`,
		`shopwatch_service_status{service="delivery",shop="new",status="unknown"} 1`,
		`shopwatch_ledger_up{shop="new"} 0`,
		`shopwatch_stock_cards{product="12",shop="card"} 0`,
	} {
		if !has(scraped, there) {
			t.Errorf("%s is not there", there)
		}
	}
}

func TestASuccessfulLooksTwoTimestampsAreEqual(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 123_456_789)
	scraped := scrape(t, metric.New(metric.Config{States: func() []exporter.State {
		return []exporter.State{{Service: exporter.Service{Shop: "card", ID: "web"}, LastLook: at, LastSuccess: at.Round(0)}}
	}}))
	const labels = `{service="web",shop="card"} 1.800000000123e+09`
	if !has(scraped, rules.ServiceLastLook.Name+labels) || !has(scraped, rules.ServiceLastSuccess.Name+labels) {
		t.Errorf("timestamps differ:\n%s", scraped)
	}
}

func TestNothingThatComesFromOutsideFailsTheScrape(t *testing.T) {
	t.Parallel()
	var manyProducts []exporter.Stock
	for i := range 600 {
		manyProducts = append(manyProducts, exporter.Stock{Product: fmt.Sprintf("p%03d", i), Cards: 600 - i})
	}
	web := exporter.Service{Shop: "card", ID: "web", Name: rules.Text{ZH: "坏\xff", EN: "bad\xff"}}
	scraped := scrape(t, metric.New(metric.Config{
		States: func() []exporter.State {
			return []exporter.State{
				{Service: web, Status: rules.Maintenance, Readings: []exporter.Reading{{
					Shop: "card", Service: "web", Target: "http://\xff/", Success: true,
					Samples: []exporter.Sample{
						{Metric: &rules.ProbeDuration, Value: math.NaN()},
						{Metric: &rules.ProbeHTTPLength, Value: math.Inf(1)},
						{Metric: &rules.ProbeHTTPDuration, Value: 1}, // its phase is missing
						{Metric: &rules.ProbeSuccess, Value: 1},
						{Metric: &rules.ProbeSuccess, Value: 0}, // a twin
						{Metric: &rules.Metric{Name: "probe_stranger", Type: rules.Gauge}, Value: 1},
					},
				}}},
				{Service: web, Status: rules.Outage}, // a twin
				{Service: exporter.Service{Shop: "own", ID: rules.ServiceDelivery}, Status: rules.Outage},
			}
		},
		Books: func() []exporter.Books {
			return []exporter.Books{
				{
					Shop: "card", Items: map[string]uint64{"\xff": 1, "\xfe": 2}, Stock: append(manyProducts, manyProducts[599]), StockCounted: noon,
					Orders: map[exporter.OrderCount]uint64{
						{Payment: "\xff", Event: rules.OrderPaid}: 1, {Payment: "\xfe", Event: rules.OrderPaid}: 2, {Payment: "ali", Event: "stranger"}: 5,
					},
					Revenue:  map[exporter.Money]float64{{Payment: "a", Currency: "\xff"}: 1.5, {Payment: "a", Currency: "\xfe"}: 2, {Payment: "b", Currency: "USD"}: math.Inf(1)},
					Delivery: "stranger",
				},
				{Shop: "card", Up: true}, // a twin
				{Shop: "own", Delivery: rules.Operational},
			}
		},
	}))
	for _, line := range []string{
		`probe_success{service="web",shop="card",target="http://�/"} 1`,
		`shopwatch_service_status{service="web",shop="card",status="unknown"} 1`,
		`shopwatch_service_status{service="delivery",shop="own",status="outage"} 1`,
		`shopwatch_service_status{service="delivery",shop="card",status="unknown"} 1`,
		`shopwatch_order_items_total{product="�",shop="card"} 3`,
		`shopwatch_orders_total{event="paid",payment="�",shop="card"} 3`,
		`shopwatch_orders_total{event="paid",payment="ali",shop="card"} 0`,
		`shopwatch_order_revenue_total{currency="�",payment="a",shop="card"} 3.5`,
		`shopwatch_ledger_up{shop="card"} 0`,
		`shopwatch_stock_products_hidden{shop="card"} 101`,
	} {
		if !has(scraped, line) {
			t.Errorf("%s is not there", line)
		}
	}
	for _, absent := range []string{"NaN", "Inf", "probe_stranger", "probe_http_content_length", "stranger", `product="p599"`} {
		if strings.Contains(scraped, absent) {
			t.Errorf("%s is there", absent)
		}
	}
	if got := strings.Count(scraped, "\nshopwatch_stock_cards{"); got != 500 {
		t.Errorf("stock of %d products is shown, want 500", got)
	}
}

func TestDurationsAreBoundedAndBothClassicAndNative(t *testing.T) {
	t.Parallel()
	d := metric.NewDurations()
	var hearing sync.WaitGroup
	for i := range 150 {
		hearing.Go(func() {
			d.Paid("card", fmt.Sprintf("pay%d", i), time.Minute)
			d.Delivered("card", -time.Second) // clocks that disagree
		})
	}
	hearing.Wait()
	d.Paid("card", "bad\xff", time.Second)
	families, err := registry(t, d).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		first := family.GetMetric()[0].GetHistogram()
		if len(first.GetBucket()) == 0 || first.Schema == nil {
			t.Errorf("%s is not both classic and native", family.GetName())
		}
		switch family.GetName() {
		case rules.OrderPayment.Name:
			if got := len(family.GetMetric()); got != 101 {
				t.Errorf("%d payments have a histogram, want 100 and the rest", got)
			}
			var sum uint64
			for _, series := range family.GetMetric() {
				sum += series.GetHistogram().GetSampleCount()
			}
			if sum != 151 {
				t.Errorf("%d durations were kept, want 151", sum)
			}
		case rules.OrderDelivery.Name:
			if first.GetSampleCount() != 150 || first.GetSampleSum() != 0 {
				t.Errorf("%d deliveries took %v s, want 150 of 0", first.GetSampleCount(), first.GetSampleSum())
			}
		}
	}
}

func TestAnEmptyConfigStillTellsTheVersion(t *testing.T) {
	t.Parallel()
	scraped := scrape(t, metric.New(metric.Config{}))
	if !strings.Contains(scraped, `shopwatch_build_info{goversion="go`) || strings.Count(scraped, "\n") != 3 {
		t.Errorf("got\n%s", scraped)
	}
}
