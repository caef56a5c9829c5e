//go:build !linux

package host

import (
	"errors"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// Host measures nothing on this system.
type Host struct{}

// New says that the host can be measured on Linux only.
func New(Config) (*Host, error) {
	return nil, errors.New("the host can be measured on Linux only, not on " + runtime.GOOS + ": set exporter.host.collectors to []")
}

// Describe implements prometheus.Collector.
func (*Host) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (*Host) Collect(chan<- prometheus.Metric) {}
