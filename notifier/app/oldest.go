package app

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// oldest is a gauge that is absent while nothing waits: 0 would read as 1970.
type oldest struct {
	desc *prometheus.Desc
	at   atomic.Int64 // Unix milliseconds, 0: absent
}

func (o *oldest) set(at time.Time) { o.at.Store(unixMilli(at)) }

// Describe implements prometheus.Collector.
func (o *oldest) Describe(descs chan<- *prometheus.Desc) { descs <- o.desc }

// Collect implements prometheus.Collector.
func (o *oldest) Collect(metrics chan<- prometheus.Metric) {
	if ms := o.at.Load(); ms > 0 {
		metrics <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, float64(ms)/1000)
	}
}
