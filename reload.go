package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/internal/guard"
	"shopwatch/rules"
)

// reload reads the configuration file anew, on SIGHUP and when the operator
// posts to /-/reload. A file with a mistake changes nothing.
type reload struct {
	apply  func() error
	logger *slog.Logger

	mu       sync.Mutex // held while a file is applied
	outcome  prometheus.Gauge
	finished prometheus.Gauge
}

// newReload counts the start, which read the file, as the first success.
func newReload(apply func() error, registry prometheus.Registerer, logger *slog.Logger) *reload {
	r := &reload{
		apply: apply, logger: logger,
		outcome:  prometheus.NewGauge(prometheus.GaugeOpts{Name: rules.ConfigReloadSuccess.Name, Help: rules.ConfigReloadSuccess.Help}),
		finished: prometheus.NewGauge(prometheus.GaugeOpts{Name: rules.ConfigReloadTime.Name, Help: rules.ConfigReloadTime.Help}),
	}
	registry.MustRegister(r.outcome, r.finished)
	r.outcome.Set(1)
	r.finished.SetToCurrentTime()
	return r
}

func (r *reload) do() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.apply(); err != nil {
		r.outcome.Set(0)
		r.logger.Error("configuration was not reloaded; the former one stays in force", "err", err)
		return err
	}
	r.outcome.Set(1)
	r.finished.SetToCurrentTime()
	r.logger.Info("configuration was reloaded")
	return nil
}

// mount answers POST /-/reload, for the operator alone.
func (r *reload) mount(mux *http.ServeMux, operator *guard.Operator) {
	mux.Handle("POST /-/reload", operator.Changes(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := r.do(); err != nil {
			http.Error(w, fmt.Sprintf("not reloaded; the former configuration stays in force:\n%v", err), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "shopwatch has reloaded its configuration\n")
	})))
}

// hearHangups hears every SIGHUP for as long as the process lives. A command that
// reloads calls it first: a SIGHUP that comes while the parts start is heeded
// once they run, and none ends the process while it stops and writes down what
// it knows.
func hearHangups() <-chan os.Signal {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups
}

// add reloads on every SIGHUP, as one actor of the group.
func (r *reload) add(group *run.Group, hangups <-chan os.Signal) {
	addRun(group, func(ctx context.Context) error {
		for {
			select {
			case <-hangups:
				_ = r.do() // logged; the process goes on
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// ownClock is read at each scrape, so that Prometheus can compare it with its own.
func ownClock() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: rules.Time.Name, Help: rules.Time.Help}, func() float64 {
		return float64(clock().UnixMilli()) / 1000
	})
}
