package app

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/rules"
)

// moment is a gauge that is absent while there is no such moment: 0 would read as 1970.
type moment struct {
	desc *prometheus.Desc
	at   atomic.Int64 // Unix milliseconds, 0: absent
}

func (m *moment) set(at time.Time) { m.at.Store(unixMilli(at)) }

func newMoment(m rules.Metric) *moment {
	return &moment{desc: prometheus.NewDesc(m.Name, m.Help, nil, nil)}
}

// Describe implements prometheus.Collector.
func (m *moment) Describe(descs chan<- *prometheus.Desc) { descs <- m.desc }

// Collect implements prometheus.Collector.
func (m *moment) Collect(metrics chan<- prometheus.Metric) {
	if ms := m.at.Load(); ms > 0 {
		metrics <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, float64(ms)/1000)
	}
}
