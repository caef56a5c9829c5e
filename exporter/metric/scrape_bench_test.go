//go:build unix

package metric_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"shopwatch/exporter"
	"shopwatch/exporter/metric"
	"shopwatch/rules"
)

// manyServices are services of kind http that were just looked at, each with
// its own target, durations and, if secure, certificate.
func manyServices(n int, secure bool) []exporter.State {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	scheme := "http"
	if secure {
		scheme = "https"
	}
	states := make([]exporter.State, n)
	for i := range states {
		took := func(most time.Duration) float64 { return time.Duration(random.Int64N(int64(most))).Seconds() }
		id := fmt.Sprintf("service-%04d", i)
		looked := noon.Add(-time.Duration(random.Int64N(int64(15 * time.Second))))
		reading := exporter.Reading{
			Shop: "card", Service: id, Target: fmt.Sprintf("%s://shop-%04d.example.com/", scheme, i), Success: true,
			Start: looked, End: looked, Samples: httpSamples(took, secure, fmt.Sprintf("shop-%04d.example.com", i)),
		}
		states[i] = exporter.State{
			Service: exporter.Service{
				Shop: "card", ID: id, Role: rules.RoleStorefront, Position: i + 1, Critical: true, Public: true,
				Name:  rules.Text{ZH: fmt.Sprintf("商城 %d", i), EN: fmt.Sprintf("Shop %d", i)},
				Group: rules.Text{ZH: "商城", EN: "Shop"}, Module: exporter.HTTPModule(nil),
			},
			Status: rules.Operational, LastLook: looked, LastSuccess: looked,
			Failures: map[rules.Reason]uint64{rules.ReasonTimeout: uint64(i % 7)},
			Readings: []exporter.Reading{reading},
		}
	}
	return states
}

func httpSamples(took func(time.Duration) float64, secure bool, host string) []exporter.Sample {
	var samples []exporter.Sample
	add := func(m *rules.Metric, value float64, labels ...string) {
		samples = append(samples, exporter.Sample{Metric: m, Labels: labels, Value: value})
	}
	add(&rules.ProbeDNSLookup, took(5*time.Millisecond))
	add(&rules.ProbeIPProtocol, 4)
	add(&rules.ProbeIPHash, 2.7e9+float64(len(host)))
	add(&rules.ProbeHTTPStatus, 200)
	for phase, most := range map[string]time.Duration{
		"resolve": 5 * time.Millisecond, "connect": 30 * time.Millisecond, "tls": 60 * time.Millisecond,
		"processing": 200 * time.Millisecond, "transfer": 10 * time.Millisecond,
	} {
		add(&rules.ProbeHTTPDuration, took(most), phase)
	}
	add(&rules.ProbeHTTPRedirects, 0)
	add(&rules.ProbeHTTPLength, -1)
	add(&rules.ProbeHTTPBody, 18_000+float64(int(took(time.Second)*1000)))
	add(&rules.ProbeHTTPVersion, 1.1)
	add(&rules.ProbeFailedRegex, 0)
	add(&rules.ProbeSuccess, 1)
	add(&rules.ProbeDuration, took(300*time.Millisecond))
	if !secure {
		add(&rules.ProbeHTTPSSL, 0)
		return samples
	}
	expiry := float64(noon.Add(time.Duration(took(90*24*time.Hour) * 1e9)).Unix())
	add(&rules.ProbeHTTPSSL, 1)
	add(&rules.ProbeSSLExpiry, expiry)
	add(&rules.ProbeSSLChain, expiry)
	add(&rules.ProbeSSLInfo, 1, fmt.Sprintf("%x", sha256.Sum256([]byte(host))), "CN="+host, "CN=R11,O=Let's Encrypt,C=US", host,
		fmt.Sprintf("%x", sha256.Sum224([]byte(host)))[:36])
	add(&rules.ProbeTLSVersion, 1, "TLS 1.3")
	add(&rules.ProbeTLSCipher, 1, "TLS_AES_128_GCM_SHA256")
	return samples
}

// BenchmarkScrape is one compressed scrape through the HTTP handler. Beside it
// stand client_golang's handler on the same families, and blackbox_exporter's
// way: a registry for each look's answer, a scrape for each target.
func BenchmarkScrape(b *testing.B) {
	for _, secure := range []bool{false, true} {
		states := manyServices(1000, secure)
		own := metric.New(metric.Config{States: func() []exporter.State { return states }})
		kind := "http"
		if secure {
			kind = "https"
		}
		all := count(b, own)
		looks := 0
		for _, state := range states {
			looks += len(state.Readings[0].Samples)
		}
		b.Run(kind+"/shopwatch", func(b *testing.B) { benchmark(b, all, "gzip", "", metric.Handler(nil, own)) })
		b.Run(kind+"/shopwatch-plain", func(b *testing.B) { benchmark(b, all, "identity", "", metric.Handler(nil, own)) })
		b.Run(kind+"/shopwatch-protobuf", func(b *testing.B) {
			benchmark(b, all, "gzip", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", metric.Handler(nil, own))
		})
		b.Run(kind+"/client_golang", func(b *testing.B) { benchmark(b, all, "gzip", "", strict(own)) })
		b.Run(kind+"/blackbox_exporter", func(b *testing.B) {
			answers := make([]http.Handler, len(states))
			for i, state := range states {
				answers[i] = blackboxAnswer(state.Readings[0])
			}
			benchmark(b, looks, "gzip", "", answers...)
		})
	}
}

// blackboxAnswer makes a registry of a look, at each request, and answers with it.
func blackboxAnswer(reading exporter.Reading) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		registry := prometheus.NewRegistry()
		gauges := map[string]*prometheus.GaugeVec{}
		for _, sample := range reading.Samples {
			gauge := gauges[sample.Metric.Name]
			if gauge == nil {
				gauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: sample.Metric.Name, Help: sample.Metric.Help}, sample.Metric.Labels[3:])
				registry.MustRegister(gauge)
				gauges[sample.Metric.Name] = gauge
			}
			gauge.WithLabelValues(sample.Labels...).Set(sample.Value)
		}
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	})
}

func count(b *testing.B, own *metric.Gatherer) int {
	b.Helper()
	n := 0
	for family := range own.Families() {
		n += len(family.GetMetric())
	}
	return n
}

// counting throws an answer away and knows how long it was.
type counting struct {
	header http.Header
	bytes  int
}

func (c *counting) Header() http.Header { return c.header }
func (c *counting) WriteHeader(int)     {}
func (c *counting) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}

// benchmark asks every handler once an operation, and tells the CPU time of
// this process and the bytes for each of n series.
func benchmark(b *testing.B, n int, encoding, accept string, handlers ...http.Handler) {
	b.Helper()
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept-Encoding", encoding)
	request.Header.Set("Accept", accept)
	bytes := 0
	b.ReportAllocs()
	begin := cpu(b)
	for b.Loop() {
		bytes = 0
		for _, handler := range handlers {
			answer := &counting{header: http.Header{}}
			handler.ServeHTTP(answer, request)
			bytes += answer.bytes
		}
	}
	b.ReportMetric((cpu(b)-begin).Seconds()*1e6/float64(b.N)/float64(n), "µs/series")
	b.ReportMetric(float64(bytes)/float64(n), "bytes/series")
	b.ReportMetric(float64(n), "series")
}

// cpu is the CPU time that this process has used, garbage collection included.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
