// Package app wires the measuring half: it looks at services from outside,
// follows the books of shops, and gives the treaty's metrics.
//
// It is where the rooms of exporter meet. The app is a value: New, Run; it opens
// no listener of its own, tells nobody, and is the only process that holds a
// shop's database password.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/dujiaoka"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/metric"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/schedule"
)

// Config is what an App is built of. All fields are required.
type Config struct {
	Exporter   config.Config
	DataDir    string
	Version    string
	Registerer prometheus.Registerer
	Now        func() time.Time
	Logger     *slog.Logger
}

// App is the measuring half.
type App struct {
	schedule  *schedule.Schedule
	followers []*ledger.Follower
}

// New builds every room. A service or database that is away is no reason not
// to start.
func New(cfg Config) (*App, error) {
	if cfg.Registerer == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("exporter: registerer, clock and logger are required")
	}
	a := &App{}
	var services []exporter.Service
	for _, shop := range cfg.Exporter.Shops {
		services = append(services, shop.Services...)
	}
	prober := probe.New(probe.Config{Now: cfg.Now, UserAgent: "shopwatch/" + cfg.Version})
	var err error
	a.schedule, err = schedule.New(schedule.Config{
		Services: services, Look: prober.Look, Now: cfg.Now, Path: filepath.Join(cfg.DataDir, "services.json"),
		Pace: cfg.Exporter.Escalation.Pace, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	durations := metric.NewDurations()
	for _, shop := range cfg.Exporter.Shops {
		if shop.Ledger == nil {
			continue
		}
		follower, err := follow(cfg, shop, durations)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("shop %s: %w", shop.ID, err), a.Close())
		}
		a.followers = append(a.followers, follower)
	}
	collector := metric.New(metric.Config{
		States: a.schedule.States, Books: a.books, Delivery: cfg.Exporter.Delivery, Version: cfg.Version,
	})
	return a, errors.Join(cfg.Registerer.Register(collector), cfg.Registerer.Register(durations))
}

func follow(cfg Config, shop exporter.Shop, observer ledger.Observer) (*ledger.Follower, error) {
	driver, err := openDriver(*shop.Ledger)
	if err != nil {
		return nil, err
	}
	follower, err := ledger.New(ledger.Config{
		Shop: shop.ID, Ledger: *shop.Ledger, Driver: driver, Dir: cfg.DataDir,
		StockInterval: cfg.Exporter.Escalation.Scale(5 * time.Minute), Now: cfg.Now, Observer: observer, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	return follower, nil
}

// openDriver picks the driver of the shop's software.
func openDriver(l exporter.Ledger) (ledger.Driver, error) {
	switch l.Software {
	case "dujiaoka":
		return dujiaoka.Open(l)
	case "dujiaonext":
		return dujiaonext.Open(l)
	}
	return nil, fmt.Errorf("software %q has no driver, want dujiaoka or dujiaonext", l.Software)
}

func (a *App) books() []exporter.Books {
	list := make([]exporter.Books, len(a.followers))
	for i, f := range a.followers {
		list[i] = f.Books()
	}
	return list
}

// Run measures until ctx ends.
func (a *App) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	problems := make(chan error, 1+len(a.followers))
	start := func(run func(context.Context) error) {
		running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				problems <- err
				stop() // half a measuring half would look like a healthy shop
			}
		})
	}
	start(a.schedule.Run)
	for _, f := range a.followers {
		start(f.Run)
	}
	running.Wait()
	close(problems)
	return <-problems
}

// Close closes the books; call it after Run has returned.
func (a *App) Close() error {
	var problems []error
	for _, f := range a.followers {
		problems = append(problems, f.Close())
	}
	return errors.Join(problems...)
}
