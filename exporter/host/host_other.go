//go:build !linux

package host

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// Host measures nothing on this system.
type Host struct{}

// New says that the host can be measured on Linux only; its error is
// errors.ErrUnsupported.
func New(Config) (*Host, error) {
	return nil, fmt.Errorf("measure the host: %w on %s; set exporter.host.collectors to []", errors.ErrUnsupported, runtime.GOOS)
}

// Describe implements prometheus.Collector.
func (*Host) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (*Host) Collect(chan<- prometheus.Metric) {}
