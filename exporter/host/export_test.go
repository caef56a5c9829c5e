//go:build linux

package host

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Of makes a Host of collectors of the test's own.
func Of(patience time.Duration, log *slog.Logger, updates map[string]func(chan<- prometheus.Metric) error) *Host {
	h := &Host{patience: patience, log: log}
	for name, update := range updates {
		h.works = append(h.works, &work{name: name, update: update})
	}
	return h
}
