package probe

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/blackbox_exporter/prober"
	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Kinds dns and icmp look through blackbox_exporter's own probers. What those
// lack is done around them: the name is resolved here, so that a guard sees the
// address and the prober gets nothing but that address; a look ends when its
// time is up, whatever the prober does; and its log lines become a reason.

const (
	// grace is how long a prober may still take once the look's time is up,
	// to tell what it has.
	grace = 100 * time.Millisecond
	// maxRecords bounds what is kept of a prober's log lines.
	maxRecords = 16
)

// delegation is one look through a prober of blackbox_exporter.
type delegation struct {
	look      *Look
	ask       prober.ProbeFn
	module    blackbox.Module // a copy that may be changed
	preferred string          // ip4, ip6 or ""
	fallback  bool
	durations *rules.Metric // whose phase "resolve" is ours to tell
	explain   func(record) error
}

// run resolves the host, has the prober look at what target makes of its
// address, and gives the prober's samples.
func (d *delegation) run(ctx context.Context, host string, port uint16, target func(ip string) string) error {
	l := d.look
	h := l.begin()
	// One address, of IPv6 where no family is named, as blackbox_exporter does it.
	err := l.lookup(ctx, h, host, route{preferred: cmp.Or(d.preferred, "ip6"), strict: !d.fallback})
	lookup := between(h.started, h.resolved)
	if err != nil {
		// Nothing resolves to nothing, without asking anybody: the prober gives
		// the samples that it gives then.
		d.sample(d.start(ctx, target("")), lookup, false)
		return err
	}
	address := h.addresses[0]
	if err := l.allow(address, port); err != nil {
		return err
	}
	l.Step("waiting for the answer")
	asked := d.start(ctx, target(address.String()))
	select {
	case <-asked.done:
	case <-ctx.Done():
		select {
		case <-asked.done:
		case <-time.After(grace):
		}
	}
	d.sample(asked, lookup, true)
	return d.judge(ctx, asked)
}

// asked is a prober at work, or done.
type asked struct {
	registry *prometheus.Registry
	lines    *lines
	done     chan struct{}
	success  bool // to be read once done
	panicked bool
}

// start lets the prober begin. Should it panic, the process must not.
func (d *delegation) start(ctx context.Context, target string) *asked {
	a := &asked{registry: prometheus.NewRegistry(), lines: new(lines), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer func() { a.panicked = recover() != nil }()
		a.success = d.ask(ctx, target, d.module, a.registry, slog.New(a.lines))
	}()
	if target == "" || target[0] == ':' { // it will not wait for anything
		<-a.done
	}
	return a
}

// judge says why the prober failed, nil if it didn't.
func (d *delegation) judge(ctx context.Context, a *asked) error {
	select {
	case <-a.done:
	default:
		return d.look.Blame(ctx, context.DeadlineExceeded, rules.ReasonTimeout, "")
	}
	if a.panicked {
		return Problem(rules.ReasonOther, "the prober broke off: its library has a defect")
	}
	if a.success {
		return nil
	}
	records := a.lines.kept()
	for _, line := range records {
		if err := d.explain(line); err != nil {
			return err
		}
	}
	if timedOut(ctx, nil) {
		return d.look.Blame(ctx, ctx.Err(), rules.ReasonTimeout, "")
	}
	if len(records) > 0 { // the library's own words, without what they were about
		return Problem(rules.ReasonOther, records[len(records)-1].message)
	}
	return Problem(rules.ReasonOther, "the prober failed without a word")
}

// sample makes the prober's metrics into samples of the treaty, and phases of
// its durations. Names that the treaty doesn't have are left out.
func (d *delegation) sample(a *asked, lookup time.Duration, resolved bool) {
	families, _ := a.registry.Gather() // what is inconsistent is absent
	var phases []exporter.Phase
	for _, family := range families {
		metric := probeMetric(family.GetName())
		if metric == nil {
			continue
		}
		for _, series := range family.GetMetric() {
			labels := make([]string, 0, len(series.GetLabel()))
			for _, name := range metric.Labels[len(rules.ProbeSuccess.Labels):] {
				for _, pair := range series.GetLabel() {
					if pair.GetName() == name {
						labels = append(labels, pair.GetValue())
					}
				}
			}
			value := series.GetGauge().GetValue()
			switch {
			case metric == &rules.ProbeDNSLookup:
				value = lookup.Seconds()
			case metric == d.durations && slices.Equal(labels, []string{"resolve"}) && resolved:
				value = lookup.Seconds()
			}
			if metric == d.durations && len(labels) == 1 {
				phases = append(phases, exporter.Phase{Name: labels[0], Took: time.Duration(value * float64(time.Second))})
			}
			d.look.Sample(metric, value, labels...)
		}
	}
	order := []string{"resolve", "setup", "connect", "request", "rtt"}
	slices.SortStableFunc(phases, func(a, b exporter.Phase) int {
		return slices.Index(order, a.Name) - slices.Index(order, b.Name)
	})
	d.look.mu.Lock()
	defer d.look.mu.Unlock()
	d.look.phases = phases
}

// probeMetric is the metric of the treaty by its name, nil if there is none.
func probeMetric(name string) *rules.Metric {
	for _, metric := range rules.ProbeMetrics() {
		if metric.Name == name {
			return metric
		}
	}
	return nil
}

// record is a log line of a prober: constant words, and what went wrong.
type record struct {
	message string
	err     error
	attrs   map[string]string // the few that a detail may repeat
}

// lines is a slog.Handler that keeps warnings and errors, the first ones and the last.
type lines struct {
	mu      sync.Mutex
	records []record
}

// Enabled implements slog.Handler.
func (*lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// WithAttrs implements slog.Handler.
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *lines) WithGroup(string) slog.Handler { return l }

// Handle implements slog.Handler.
func (l *lines) Handle(_ context.Context, line slog.Record) error {
	kept := record{message: line.Message, attrs: map[string]string{}}
	line.Attrs(func(attr slog.Attr) bool {
		switch attr.Key {
		case "err":
			kept.err, _ = attr.Value.Any().(error)
		case "string_rcode", "regexp": // a DNS word, and a pattern of the module
			kept.attrs[attr.Key] = attr.Value.String()
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == maxRecords {
		l.records = l.records[:maxRecords-1]
	}
	l.records = append(l.records, kept)
	return nil
}

func (l *lines) kept() []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.records)
}
