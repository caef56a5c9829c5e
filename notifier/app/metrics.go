package app

import (
	"context"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// metrics are the notifier's series of the treaty.
type metrics struct {
	incidents   *prometheus.GaugeVec
	subscribers *prometheus.GaugeVec
	channels    *prometheus.GaugeVec // whether each can be used
	notices     *prometheus.CounterVec
	delay       *prometheus.HistogramVec
	outbox      *prometheus.GaugeVec
	oldest      *moment
	heartbeat   *moment
	watchdog    prometheus.Gauge

	counted map[store.RecipientCount]bool // of which subscribers there was a number, numbers apart; of measure alone
}

func newMetrics(registerer prometheus.Registerer, version string) *metrics {
	gauge := func(m rules.Metric) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, m.Labels)
	}
	m := &metrics{
		incidents: gauge(rules.IncidentsOpen), subscribers: gauge(rules.SubscribersCount), outbox: gauge(rules.OutboxNotices), channels: gauge(rules.ChannelUp),
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{Name: rules.Notices.Name, Help: rules.Notices.Help}, rules.Notices.Labels),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: rules.NoticeDelay.Name, Help: rules.NoticeDelay.Help,
			Buckets: []float64{0.5, 1, 2, 5, 10, 30, 60, 300, 1800}, NativeHistogramBucketFactor: 1.1,
		}, rules.NoticeDelay.Labels),
		oldest: newMoment(rules.OutboxOldest), heartbeat: newMoment(rules.HeartbeatLast),
		watchdog: prometheus.NewGauge(prometheus.GaugeOpts{Name: rules.WatchdogLast.Name, Help: rules.WatchdogLast.Help}),
	}
	registerer.MustRegister(m.incidents, m.subscribers, m.notices, m.delay, m.outbox, m.channels, m.oldest, m.heartbeat, m.watchdog)
	if version != "" {
		build := gauge(rules.BuildInfo)
		build.WithLabelValues(version, "", runtime.Version()).Set(1)
		registerer.MustRegister(build)
	}
	return m
}

// expect has the series of the lines be there before anything happens on them:
// what a counter begins with, Prometheus can't see it grow to.
func (m *metrics) expect(lines []dispatch.Line) {
	for _, line := range lines {
		for _, audience := range []rules.Audience{rules.Ops, rules.Management, rules.Subscribers} {
			for _, result := range dispatch.Results {
				m.notices.WithLabelValues(line.Channel.Name(), string(audience), string(result))
			}
		}
	}
}

// Noticed counts a try; the delay runs from the alert's start and counts only
// what the far side accepted.
func (m *metrics) Noticed(channel string, audience rules.Audience, result dispatch.Result, delay time.Duration) {
	m.notices.WithLabelValues(channel, string(audience), string(result)).Inc()
	if result == dispatch.Accepted {
		m.delay.WithLabelValues(channel, string(audience)).Observe(max(delay, 0).Seconds())
	}
}

// measure sets the gauges from the store.
func (d *desk) measure(ctx context.Context) {
	outbox, err := d.store.Outbox(ctx)
	if err != nil {
		return // the store's trouble is logged where it matters; gauges keep their last values
	}
	for _, impact := range notifier.Impacts {
		d.metrics.incidents.WithLabelValues(string(impact)).Set(float64(outbox.Open[impact]))
	}
	d.metrics.outbox.WithLabelValues(string(notifier.Queued)).Set(float64(outbox.Queued))
	d.metrics.outbox.WithLabelValues(string(notifier.Dead)).Set(float64(outbox.Dead))
	d.metrics.oldest.set(outbox.Oldest)
	if at := d.lastWatchdog().Evaluated; !at.IsZero() {
		d.metrics.watchdog.Set(float64(at.Unix()))
	}
	counts, err := d.store.Recipients(ctx)
	if err != nil {
		return
	}
	counted := map[store.RecipientCount]bool{}
	for _, c := range counts {
		if c.Audience != string(rules.Subscribers) {
			continue
		}
		d.metrics.subscribers.WithLabelValues(c.Channel, string(c.State)).Set(float64(c.N))
		c.N = 0
		counted[c] = true
	}
	for c := range d.metrics.counted {
		if !counted[c] { // there is nobody left
			d.metrics.subscribers.DeleteLabelValues(c.Channel, string(c.State))
		}
	}
	d.metrics.counted = counted
}
