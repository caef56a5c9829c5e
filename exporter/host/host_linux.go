package host

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/node_exporter/collector"
)

// Host is a prometheus.Collector of the machine. It may be scraped by many at once.
type Host struct {
	works    []*work
	patience time.Duration
	log      *slog.Logger
}

// New makes a Host. Its error names a collector that node_exporter doesn't have.
func New(config Config) (*Host, error) {
	if len(config.Collectors) == 0 {
		return nil, errors.New("host: no collectors are named")
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	known, err := setUp(cmp.Or(config.Root, "/"))
	if err != nil {
		return nil, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(config.Collectors)))
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("host: collector %q is not one of node_exporter's on this system: %s", name, strings.Join(known, ", "))
		}
	}
	// What collectors say themselves, at every scrape, is less than what a Host
	// tells of them once.
	made, err := collector.NewNodeCollector(slog.New(slog.DiscardHandler), names...)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	h := &Host{patience: cmp.Or(config.Patience, defaultPatience), log: config.Logger}
	for _, name := range names {
		h.works = append(h.works, &work{name: name, update: made.Collectors[name].Update})
	}
	return h, nil
}

// global is what was set up of node_exporter's flags in this process.
var global struct {
	sync.Mutex
	root  string
	known []string
}

// setUp parses node_exporter's flags once: every collector may be asked for,
// and reads below root. It gives the collectors' names.
func setUp(root string) ([]string, error) {
	global.Lock()
	defer global.Unlock()
	if global.root != "" {
		if root != global.root {
			return nil, fmt.Errorf("host: root is %s in this process already, and can't become %s without a restart", global.root, root)
		}
		return global.known, nil
	}
	var known, arguments []string
	for _, flag := range kingpin.CommandLine.Model().Flags {
		if name, ok := strings.CutPrefix(flag.Name, "collector."); ok && !strings.ContainsAny(name, ".") && flag.IsBoolFlag() {
			known = append(known, name)
			arguments = append(arguments, "--"+flag.Name)
		}
	}
	if root != "/" {
		arguments = append(arguments, "--path.rootfs="+root, "--path.procfs="+filepath.Join(root, "proc"),
			"--path.sysfs="+filepath.Join(root, "sys"), "--path.udev.data="+filepath.Join(root, "run/udev/data"))
	}
	if _, err := kingpin.CommandLine.Parse(arguments); err != nil {
		return nil, fmt.Errorf("host: node_exporter's options: %w", err)
	}
	slices.Sort(known)
	global.root, global.known = root, known
	return known, nil
}

var (
	durationDesc = prometheus.NewDesc("node_scrape_collector_duration_seconds",
		"node_exporter: Duration of a collector scrape.", []string{"collector"}, nil)
	successDesc = prometheus.NewDesc("node_scrape_collector_success",
		"node_exporter: Whether a collector succeeded.", []string{"collector"}, nil)
)

// Describe implements prometheus.Collector. As with node_exporter, what the
// collectors give isn't known before they do.
func (h *Host) Describe(out chan<- *prometheus.Desc) {
	out <- durationDesc
	out <- successDesc
}

// Collect implements prometheus.Collector.
func (h *Host) Collect(out chan<- prometheus.Metric) {
	late := make(chan struct{})
	timer := time.AfterFunc(h.patience, func() { close(late) })
	defer timer.Stop()
	begin := time.Now()
	flights := make([]*flight, len(h.works))
	for i, w := range h.works {
		flights[i] = w.start()
	}
	for i, w := range h.works {
		r := flights[i].wait(late)
		if r == nil {
			r = &result{took: time.Since(begin), err: fmt.Errorf("not done within %s", h.patience)}
		}
		h.tell(w, r.err)
		success := 1.
		if r.err != nil {
			success = 0
		}
		for _, metric := range r.metrics {
			out <- metric
		}
		out <- prometheus.MustNewConstMetric(durationDesc, prometheus.GaugeValue, r.took.Seconds(), w.name)
		out <- prometheus.MustNewConstMetric(successDesc, prometheus.GaugeValue, success, w.name)
	}
}

// tell logs a collector's failure when it begins, and when it is over.
func (h *Host) tell(w *work, err error) {
	w.mu.Lock()
	was := w.failing
	w.failing = err != nil
	w.mu.Unlock()
	switch {
	case err != nil && !was:
		h.log.Warn("host collector fails", "collector", w.name, "err", err)
	case err == nil && was:
		h.log.Info("host collector works again", "collector", w.name)
	}
}

// work is one collector.
type work struct {
	name   string
	update func(chan<- prometheus.Metric) error

	mu      sync.Mutex
	flight  *flight // the run under way, nil if there is none
	failing bool
}

// result is what one run of a collector gave.
type result struct {
	metrics []prometheus.Metric
	took    time.Duration
	err     error
}

// flight is one run, for which several scrapes may wait.
type flight struct {
	done   chan struct{}
	result result // to be read once done is closed
}

// wait gives the run's result, nil if it isn't there when it is late.
func (f *flight) wait(late <-chan struct{}) *result {
	select {
	case <-f.done:
		return &f.result
	default:
	}
	select {
	case <-f.done:
		return &f.result
	case <-late:
		return nil
	}
}

// start runs the collector. While it runs, as it may for long over the file
// systems of a server that went away, it is not started again.
func (w *work) start() *flight {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flight != nil {
		return w.flight
	}
	f := &flight{done: make(chan struct{})}
	w.flight = f
	go func() {
		f.result = w.run()
		w.mu.Lock()
		w.flight = nil
		w.mu.Unlock()
		close(f.done)
	}()
	return f
}

// run gathers what the collector gives. Collectors panic over labels that are
// no UTF-8, such as a mount point's.
func (w *work) run() (r result) {
	begin := time.Now()
	metrics, done := make(chan prometheus.Metric, 64), make(chan struct{})
	go func() {
		defer close(done)
		for metric := range metrics {
			r.metrics = append(r.metrics, metric)
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			r.err = fmt.Errorf("panic: %v", p)
		}
		close(metrics)
		<-done
		r.took = time.Since(begin)
	}()
	r.err = w.update(metrics)
	return r
}
