//go:build linux

package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"shopwatch/exporter/host"
)

// scrape is what a Prometheus would read; nothing of it may be wrong.
func scrape(t *testing.T, h *host.Host) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(h); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func has(scraped, line string) bool { return strings.Contains("\n"+scraped, "\n"+line) }

func TestTheHostIsMeasuredUnderNodeExportersNames(t *testing.T) {
	t.Parallel()
	h, err := host.New(host.Config{Collectors: append(host.Default, "cpu"), Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	scraped := scrape(t, h)
	for _, line := range []string{
		"node_cpu_seconds_total{cpu=", "node_memory_MemTotal_bytes ", "node_load1 ", "node_network_receive_bytes_total{device=",
		`node_scrape_collector_success{collector="cpu"} 1`, `node_scrape_collector_success{collector="meminfo"} 1`,
		`node_scrape_collector_success{collector="filesystem"} `, `node_scrape_collector_success{collector="diskstats"} `,
		`node_scrape_collector_duration_seconds{collector="netdev"} `,
	} {
		if !has(scraped, line) {
			t.Errorf("%s is not there", line)
		}
	}
	if has(scraped, "node_uname_info") {
		t.Error("a collector that nobody named is there")
	}
	for line := range strings.SplitSeq(strings.TrimSpace(scraped), "\n") {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "node_") {
			t.Errorf("%s is not node_exporter's", line)
		}
	}
}

func TestAHostThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := host.New(host.Config{Collectors: []string{"cpu"}}); err != nil {
		t.Fatal(err)
	}
	for about, c := range map[string]struct {
		config host.Config
		want   string
	}{
		"no collector":      {host.Config{}, "no collectors"},
		"a mistyped one":    {host.Config{Collectors: []string{"cpu", "memory"}}, `"memory"`},
		"an option's name":  {host.Config{Collectors: []string{"cpu.info"}}, `"cpu.info"`},
		"another root, now": {host.Config{Collectors: []string{"cpu"}, Root: "/host"}, "restart"},
	} {
		if _, err := host.New(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", about, err)
		}
	}
}

func gauge(name string, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(prometheus.NewDesc(name, "For the test.", []string{"mount"}, nil), prometheus.GaugeValue, 1, labels...)
}

func TestACollectorThatFailsCostsOnlyItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		release, hung := make(chan struct{}), new(atomic.Int32)
		h := host.Of(2*time.Second, slog.New(slog.NewTextHandler(&log, nil)), map[string]func(chan<- prometheus.Metric) error{
			"good": func(out chan<- prometheus.Metric) error { out <- gauge("node_good", "/"); return nil },
			"failing": func(out chan<- prometheus.Metric) error {
				out <- gauge("node_half", "/")
				return errors.New("no such file")
			},
			"panicking": func(out chan<- prometheus.Metric) error { out <- gauge("node_mount", "/mnt/\xff"); return nil },
			"hanging": func(out chan<- prometheus.Metric) error {
				hung.Add(1)
				<-release
				out <- gauge("node_slow", "/")
				return nil
			},
		})
		want := func(scraped string, hanging int) {
			t.Helper()
			for _, line := range []string{
				`node_good{mount="/"} 1`, `node_half{mount="/"} 1`, `node_scrape_collector_success{collector="good"} 1`,
				`node_scrape_collector_success{collector="failing"} 0`, `node_scrape_collector_success{collector="panicking"} 0`,
				fmt.Sprintf(`node_scrape_collector_success{collector="hanging"} %d`, hanging),
			} {
				if !has(scraped, line) {
					t.Errorf("%s is not there:\n%s", line, scraped)
				}
			}
			if has(scraped, "node_slow") != (hanging == 1) {
				t.Errorf("what the hanging one gives: want %d", hanging)
			}
		}
		begin := time.Now()
		want(scrape(t, h), 0)
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("the scrape took %s, want its patience", took)
		}
		want(scrape(t, h), 0)
		if got := hung.Load(); got != 1 {
			t.Errorf("the hanging one was started %d times while it hung", got)
		}
		for _, line := range []string{"collector=failing", "collector=panicking", "collector=hanging"} {
			if got := strings.Count(log.String(), line); got != 1 {
				t.Errorf("%s was told %d times, want once:\n%s", line, got, &log)
			}
		}
		close(release)
		synctest.Wait()
		want(scrape(t, h), 1)
		if !strings.Contains(log.String(), `msg="host collector works again" collector=hanging`) {
			t.Errorf("nobody hears that it works again:\n%s", &log)
		}
	})
}

func TestScrapesAtTheSameTimeShareOneRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		h := host.Of(time.Minute, slog.New(slog.DiscardHandler), map[string]func(chan<- prometheus.Metric) error{
			"slow": func(out chan<- prometheus.Metric) error {
				runs.Add(1)
				time.Sleep(time.Second) // the bubble's clock
				out <- gauge("node_slow", "/")
				return nil
			},
		})
		var scraping sync.WaitGroup
		for range 5 {
			scraping.Go(func() {
				if scraped := scrape(t, h); !has(scraped, "node_slow") || !has(scraped, `node_scrape_collector_success{collector="slow"} 1`) {
					t.Errorf("got\n%s", scraped)
				}
			})
		}
		scraping.Wait()
		if got := runs.Load(); got != 1 {
			t.Errorf("it ran %d times", got)
		}
	})
}

// TestTheRootIsWhereTheHostIsMounted runs itself in a process of its own, since
// a process has one root.
func TestTheRootIsWhereTheHostIsMounted(t *testing.T) {
	t.Parallel()
	const variable = "SHOPWATCH_TEST_HOST_ROOT"
	if root := os.Getenv(variable); root != "" {
		h, err := host.New(host.Config{Collectors: []string{"loadavg", "meminfo"}, Root: root})
		if err != nil {
			t.Fatal(err)
		}
		if scraped := scrape(t, h); !has(scraped, "node_load1 12.25") || !has(scraped, "node_memory_MemTotal_bytes 4.096e+06") {
			t.Errorf("got\n%s", scraped)
		}
		return
	}
	root := t.TempDir()
	for name, content := range map[string]string{
		"loadavg": "12.25 3.00 2.00 1/100 4242\n", "meminfo": "MemTotal:           4000 kB\nMemFree:            1000 kB\n", "stat": "cpu 1 1 1 1\n",
	} {
		file := filepath.Join(root, "proc", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "sys"), 0o700); err != nil {
		t.Fatal(err)
	}
	itself, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command(itself, "-test.run=^"+t.Name()+"$", "-test.v")
	other.Env = append(os.Environ(), variable+"="+root)
	out, err := other.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v:\n%s", err, out)
	}
}
