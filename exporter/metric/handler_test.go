package metric_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"shopwatch/exporter"
	"shopwatch/exporter/metric"
	"shopwatch/rules"
)

// get is one scrape, which must succeed.
func get(t testing.TB, handler http.Handler, header http.Header, query string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "/metrics"+query, nil)
	request.Header = header
	handler.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Fatalf("scrape answered %d: %s", recorder.Code, recorder.Body)
	}
	return recorder
}

// strict is client_golang's own handler, which refuses a scrape that has twins,
// wrong types or invalid text.
func strict(gatherers ...prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers(gatherers), promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
}

// scrape is what Prometheus would read. client_golang must find no fault in
// it, and our handler must say the same.
func scrape(t testing.TB, own *metric.Gatherer, collectors ...prometheus.Collector) string {
	t.Helper()
	others := registry(t, collectors...)
	want := get(t, strict(own, others), nil, "").Body.String()
	got := get(t, metric.Handler(nil, own, others), nil, "").Body.String()
	if !slices.Equal(lines(got), lines(want)) {
		t.Errorf("our handler says\n%s\nand client_golang's\n%s", got, want)
	}
	return want
}

func lines(scraped string) []string {
	return slices.Sorted(strings.SplitSeq(scraped, "\n"))
}

func TestAScrapeIsCompressedOnlyForWhoAsks(t *testing.T) {
	t.Parallel()
	handler := metric.Handler(nil, fullGatherer())
	want := get(t, handler, nil, "").Body.String()
	for accept, zipped := range map[string]bool{
		"gzip": true, "deflate, GZIP;q=0.5": true, "gzip; q=1.0": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip;q=x": false, "x-gzipped": false,
	} {
		answer := get(t, handler, http.Header{"Accept-Encoding": {accept}}, "")
		body := io.Reader(answer.Body)
		if got := answer.Header().Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("%q: compressed is %t", accept, got)
			continue
		}
		if zipped {
			unzipped, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			body = unzipped
		}
		if got, err := io.ReadAll(body); err != nil || !slices.Equal(lines(string(got)), lines(want)) {
			t.Errorf("%q: another scrape (%v):\n%s", accept, err, got)
		}
	}
}

func TestTheFormatIsNegotiatedAsClientGolangDoes(t *testing.T) {
	t.Parallel()
	others := registry(t, fullDurations())
	for _, accept := range []string{
		"", "*/*", "text/html",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3",
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3",
	} {
		header := http.Header{"Accept": {accept}}
		got, want := get(t, metric.Handler(nil, fullGatherer(), others), header, ""), get(t, strict(fullGatherer(), others), header, "")
		if a, b := got.Header().Get("Content-Type"), want.Header().Get("Content-Type"); a != b {
			t.Errorf("%q: got %s, want %s", accept, a, b)
		}
		a, b := decode(t, got.Body, got.Header()), decode(t, want.Body, want.Header())
		if !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
			t.Errorf("%q: other families", accept)
		}
		for name, family := range b {
			if len(a[name].GetMetric()) != len(family.GetMetric()) || a[name].GetType() != family.GetType() || a[name].GetHelp() != family.GetHelp() {
				t.Errorf("%q: %s is another", accept, name)
			}
		}
		if native := a[rules.OrderDelivery.Name].GetMetric()[0].GetHistogram().Schema != nil; native != strings.Contains(accept, "protobuf") {
			t.Errorf("%q: native histograms: %t", accept, native)
		}
	}
}

func decode(t *testing.T, body io.Reader, header http.Header) map[string]*dto.MetricFamily {
	t.Helper()
	families := map[string]*dto.MetricFamily{}
	for decoder := expfmt.NewDecoder(body, expfmt.ResponseFormat(header)); ; {
		family := new(dto.MetricFamily)
		if err := decoder.Decode(family); errors.Is(err, io.EOF) {
			return families
		} else if err != nil {
			t.Fatal(err)
		}
		families[family.GetName()] = family
	}
}

func TestAScraperMayAskForSomeFamiliesOnly(t *testing.T) {
	t.Parallel()
	answer := get(t, metric.Handler(nil, fullGatherer(), registry(t, fullDurations())), nil,
		"?name[]="+rules.ProbeSuccess.Name+"&name[]="+rules.OrderPayment.Name)
	families := decode(t, answer.Body, answer.Header())
	if got := slices.Sorted(maps.Keys(families)); !slices.Equal(got, []string{rules.ProbeSuccess.Name, rules.OrderPayment.Name}) {
		t.Errorf("got %v", got)
	}
}

// failing is a gatherer of one family and an error.
type failing struct{ prometheus.Gatherer }

func (f failing) Gather() ([]*dto.MetricFamily, error) {
	families, _ := f.Gatherer.Gather()
	return families, errors.New("the disk is on fire")
}

func TestAGathererThatFailsSpoilsOnlyItself(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	twin := prometheus.NewGauge(prometheus.GaugeOpts{Name: rules.BuildInfo.Name, Help: rules.BuildInfo.Help})
	other := prometheus.NewGauge(prometheus.GaugeOpts{Name: "node_load1", Help: "Load."})
	scraped := get(t, metric.Handler(slog.New(slog.NewTextHandler(&log, nil)), fullGatherer(),
		failing{registry(t, other)}, registry(t, twin)), nil, "").Body.String()
	if !has(scraped, "node_load1 0") || !strings.Contains(scraped, "\nprobe_success{") {
		t.Errorf("got\n%s", scraped)
	}
	if got := strings.Count(scraped, "\nshopwatch_build_info"); got != 1 {
		t.Errorf("a family that two give is there %d times", got)
	}
	if !strings.Contains(log.String(), "the disk is on fire") {
		t.Errorf("nobody hears of it: %q", &log)
	}
}

func TestScrapesAtTheSameTimeDontMix(t *testing.T) {
	t.Parallel()
	one, other := metric.New(metric.Config{Version: "1"}), fullGatherer()
	first, second := get(t, metric.Handler(nil, one), nil, "").Body.String(), scrape(t, other)
	var scraping sync.WaitGroup
	for range 8 {
		scraping.Go(func() {
			for range 20 {
				if got := get(t, metric.Handler(nil, one), nil, "").Body.String(); got != first {
					t.Errorf("the small one says\n%s", got)
				}
				if got := get(t, metric.Handler(nil, other), nil, "").Body.String(); !slices.Equal(lines(got), lines(second)) {
					t.Errorf("the full one says\n%s", got)
				}
			}
		})
	}
	scraping.Wait()
}

// oneService is a scrape of one service with these readings.
func TestAScrapeOfManyServicesShowsEverySeriesOnceAndByFamily(t *testing.T) {
	t.Parallel()
	for _, n := range []int{249, 250, 1000, 3000} {
		states := manyServices(n, true)
		own := metric.New(metric.Config{States: func() []exporter.State { return states }, Books: fullBooks, Version: "1.2.3"})
		want := lines(scrape(t, own))
		got := get(t, metric.Handler(nil, own), nil, "").Body.String()
		if !slices.Equal(lines(got), want) {
			t.Errorf("%d services: the handler shows %d lines, the gatherer %d, or others", n, len(lines(got)), len(want))
		}
		var families []string
		for line := range strings.Lines(got) {
			if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
				families = append(families, name)
			}
		}
		if !slices.IsSorted(families) || len(slices.Compact(slices.Clone(families))) != len(families) {
			t.Errorf("%d services: the families are not in order, each once: %v", n, families)
		}
	}
}

func oneService(t *testing.T, module exporter.Module, readings ...exporter.Reading) string {
	t.Helper()
	return scrape(t, metric.New(metric.Config{States: func() []exporter.State {
		return []exporter.State{{Service: exporter.Service{Shop: "card", ID: "web", Module: module}, Readings: readings}}
	}}))
}

func TestEveryTargetShowsItsReading(t *testing.T) {
	t.Parallel()
	up := []exporter.Sample{{Metric: &rules.ProbeSuccess, Value: 1}}
	down := []exporter.Sample{{Metric: &rules.ProbeSuccess, Value: 0}}
	scraped := oneService(t, exporter.HTTPModule(nil),
		exporter.Reading{Target: "https://a/", Success: true, Samples: up},
		exporter.Reading{Target: "https://b/", Reason: rules.ReasonStatus, Samples: down},
		exporter.Reading{Target: "https://c/", Reason: rules.ReasonVantage, Samples: down},
		exporter.Reading{Target: "https://a/", Reason: rules.ReasonStatus, Samples: down}, // had another query
	)
	for line, want := range map[string]bool{
		`probe_success{service="web",shop="card",target="https://a/"} 1`: true,
		`probe_success{service="web",shop="card",target="https://b/"} 0`: true,
		`probe_success{service="web",shop="card",target="https://c/"} 0`: false,
		`probe_success{service="web",shop="card",target="https://a/"} 0`: false,
	} {
		if has(scraped, line) != want {
			t.Errorf("%s: want it there %t", line, want)
		}
	}
}

func TestExpectedAnswersCarryTheLabelsThatTheirModuleNames(t *testing.T) {
	t.Parallel()
	expect := func(value float64, labels ...string) exporter.Sample {
		own := rules.ProbeExpectInfo
		own.Labels = slices.Concat(own.Labels, labels)
		return exporter.Sample{Metric: &own, Labels: slices.Repeat([]string{"v\xff"}, len(labels)), Value: value}
	}
	short := expect(6, "a", "b")
	short.Labels = short.Labels[:1]
	phased := rules.ProbeSuccess
	phased.Labels = append(slices.Clone(phased.Labels), "stranger")
	scraped := oneService(t, exporter.TCPModule(nil), exporter.Reading{Target: "cache:1", Samples: []exporter.Sample{
		expect(1, "zone", "banner"), expect(2, "banner"), expect(3), expect(4, "banner"),
		expect(5, "shop"), expect(5, "a", "a"), expect(5, "bad-name"), expect(5, "__name__"), expect(5, ""), short,
		{Metric: &phased, Labels: []string{"x"}, Value: 7},
	}})
	const about = `service="web",shop="card",target="cache:1"`
	for _, line := range []string{
		`probe_expect_info{banner="v�",` + about + `,zone="v�"} 1`,
		`probe_expect_info{banner="v�",` + about + `} 2`,
		`probe_expect_info{` + about + `} 3`,
	} {
		if !has(scraped, line) {
			t.Errorf("%s is not there", line)
		}
	}
	if got := strings.Count(scraped, "\nprobe_"); got != 3 {
		t.Errorf("%d series of the look, want 3:\n%s", got, scraped)
	}
}

func TestEveryKindCountsItsReasonsFromTheStart(t *testing.T) {
	t.Parallel()
	secure := exporter.TCPModule(nil)
	secure.Blackbox.TCP.TLS = true
	for name, c := range map[string]struct {
		module exporter.Module
		want   string
	}{
		"http":           {exporter.HTTPModule(nil), "body certificate connect dns other status timeout tls vantage"},
		"tcp":            {exporter.TCPModule(nil), "body connect dns other timeout vantage"},
		"tcp with TLS":   {secure, "body certificate connect dns other timeout tls vantage"},
		"mysql":          {exporter.Module{Kind: exporter.KindMySQL, MySQL: &exporter.Database{}}, "auth connect dns other query timeout vantage"},
		"dns":            {exporter.Module{Kind: exporter.KindDNS, Blackbox: &blackbox.Module{}}, "body connect dns other query status timeout vantage"},
		"a heartbeat":    {exporter.Module{Kind: exporter.KindPush}, "other status timeout vantage"},
		"sms":            {exporter.Module{Kind: exporter.KindSMS}, "auth body certificate connect dns other query status timeout tls vantage"},
		"an unheard one": {exporter.Module{Kind: "stranger"}, "connect dns other timeout vantage"},
	} {
		var got []string
		for line := range strings.SplitSeq(oneService(t, c.module), "\n") {
			if rest, ok := strings.CutPrefix(line, rules.ServiceFailures.Name+`{reason="`); ok {
				reason, zero, _ := strings.Cut(rest, `"`)
				if strings.HasSuffix(zero, " 0") {
					got = append(got, reason)
				}
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", name, got, c.want)
		}
	}
}

func TestSecondsAreToldAsFinelyAsTheyAreMeasured(t *testing.T) {
	t.Parallel()
	scraped := oneService(t, exporter.HTTPModule(nil), exporter.Reading{Target: "t", Samples: []exporter.Sample{
		{Metric: &rules.ProbeDuration, Value: (1234567891 * time.Nanosecond).Seconds() / 3},
		{Metric: &rules.ProbeSSLChain, Value: 1_800_000_000.123456},
		{Metric: &rules.ProbeIPHash, Value: 4294967295},
	}})
	for _, line := range []string{
		`probe_duration_seconds{service="web",shop="card",target="t"} 0.411523`,
		`probe_ssl_last_chain_expiry_timestamp_seconds{service="web",shop="card",target="t"} 1.800000000123e+09`,
		`probe_ip_addr_hash{service="web",shop="card",target="t"} 4.294967295e+09`,
	} {
		if !has(scraped, line) {
			t.Errorf("%s is not there:\n%s", line, scraped)
		}
	}
}
