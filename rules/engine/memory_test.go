package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shopwatch/rules"
	"shopwatch/rules/engine"
)

// TestMain is also the engine that BenchmarkServers measures: a process of its
// own, as a Prometheus beside it is one.
func TestMain(m *testing.M) {
	dir := os.Getenv("SHOPWATCH_MEASURE_ENGINE")
	if dir == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	e, err := engine.New(engine.Config{
		DataDir: filepath.Join(dir, "data"), PrometheusConfig: filepath.Join(dir, "prometheus.yml"), AlertmanagerConfig: filepath.Join(dir, "alertmanager.yml"),
		ExternalURL: "http://127.0.0.1:9", Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// measureSeries is how many series the servers are given, of both exporters.
const measureSeries = 20_000

// BenchmarkServers prints memory and processor time of the engine, and where it
// is installed of Debian's Prometheus beside it, with all rules on 20,000 series.
// SHOPWATCH_MEASURE_FOR says for how long: default 2m.
func BenchmarkServers(b *testing.B) {
	window := 2 * time.Minute
	if text := os.Getenv("SHOPWATCH_MEASURE_FOR"); text != "" {
		var err error
		if window, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	var names sync.Map // of the host as who scrapes it
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names.Store(r.UserAgent()+r.Host, true)
		text := town(time.Now())
		fmt.Fprint(w, text)
		for i := strings.Count(text, "\n"); i < measureSeries/2; i++ {
			fmt.Fprintf(w, "filler{n=\"%d\"} %d\n", i, time.Now().Unix()/int64(i))
		}
	}))
	b.Cleanup(target.Close)
	dir := b.TempDir()
	content, err := rules.RenderFile(rules.Options{})
	if err != nil {
		b.Fatal(err)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(target.URL, "http://"), ":")
	conf, err := rules.Prometheus(rules.PrometheusOptions{Exporter: "127.0.0.1:" + port, RuleFiles: []string{"rules.yml"}, Alertmanagers: []string{"http://127.0.0.1:9"}})
	if err != nil {
		b.Fatal(err)
	}
	one := fmt.Sprintf("%q", "127.0.0.1:"+port)
	put(b, filepath.Join(dir, "rules.yml"), string(content))
	put(b, filepath.Join(dir, "prometheus.yml"), strings.Replace(string(conf), one, one+fmt.Sprintf(", %q", "localhost:"+port), 1))
	put(b, filepath.Join(dir, "alertmanager.yml"), "route: {receiver: ops}\nreceivers: [{name: ops}]\n")

	ours := exec.Command(os.Args[0])
	ours.Env = append(os.Environ(), "SHOPWATCH_MEASURE_ENGINE="+dir)
	measured := map[string]*exec.Cmd{"engine": ours}
	if path, err := exec.LookPath("prometheus"); err == nil {
		measured["Debian's Prometheus"] = exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yml"),
			"--storage.tsdb.path="+b.TempDir(), "--web.listen-address=127.0.0.1:0", "--log.level=error")
	}
	for b.Loop() {
		for name, command := range measured {
			if err := command.Start(); err != nil {
				b.Fatal(name, err)
			}
		}
		<-time.After(30 * time.Second) // the start and the first scrapes are another matter
		before := make(map[string]time.Duration)
		for name, command := range measured {
			before[name] = spent(b, command.Process.Pid)
		}
		<-time.After(window)
		scrapes := 0
		names.Range(func(any, any) bool { scrapes++; return true })
		if scrapes != 2*len(measured) {
			b.Fatalf("%d pairs of server and exporter, want two of each server", scrapes)
		}
		fmt.Printf("%-22s %16s %12s %14s\n", "", "resident memory", "peak", "CPU of a core")
		for name, command := range measured {
			pid := command.Process.Pid
			fmt.Printf("%-22s %12.0f MiB %8.0f MiB %13.2f%%\n", name, memory(b, pid, "VmRSS"), memory(b, pid, "VmHWM"),
				100*(spent(b, pid)-before[name]).Seconds()/window.Seconds())
		}
		for _, command := range measured {
			_ = command.Process.Signal(syscall.SIGTERM)
			_ = command.Wait() // says that it was asked to end
		}
	}
}

// spent is the processor time of a process.
func spent(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // Linux counts hundredths of a second
}

// memory is one of the kernel's figures of a process, in MiB.
func memory(b *testing.B, pid int, figure string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), figure+":")
	kilobytes, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kilobytes / 1024
}
