// Package app wires the measuring half: it looks at services from outside,
// follows the books of shops, and gives the treaty's metrics.
//
// It is where the rooms of exporter meet. The app is a value: New, Run, Reload,
// Close; it opens no listener of its own, tells nobody, and is the only process
// that holds a shop's database password.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/exporter/host"
	"shopwatch/exporter/metric"
	"shopwatch/exporter/orders"
	"shopwatch/exporter/probe/push"
	"shopwatch/exporter/schedule"
	"shopwatch/exporter/web"
)

// Config is what an App is built of. All fields are required.
type Config struct {
	Exporter   config.Config
	DataDir    string
	Version    string
	Registerer prometheus.Registerer
	Operator   func(*http.Request) bool // whether a request is the owner's
	Now        func() time.Time
	Logger     *slog.Logger
}

// App is the measuring half.
type App struct {
	config   Config
	looking  looking
	pushes   *push.Receiver
	schedule *schedule.Schedule
	books    *books
	metrics  *metric.Gatherer
	pages    atomic.Pointer[web.Web]
	orders   atomic.Pointer[orders.Orders]
	shops    atomic.Pointer[[]exporter.Shop] // in force

	reloading sync.Mutex
	exporter  config.Config // in force
}

// New builds every room. A service or database that is away is no reason not
// to start.
func New(cfg Config) (*App, error) {
	if cfg.Registerer == nil || cfg.Operator == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("exporter: registerer, operator, clock and logger are required")
	}
	warn(cfg.Logger, cfg.Exporter)
	a := &App{config: cfg, exporter: cfg.Exporter}
	var err error
	if a.pushes, err = push.New(push.Config{Path: filepath.Join(cfg.DataDir, "pushes.json"), Now: cfg.Now, Logger: cfg.Logger}); err != nil {
		return nil, err
	}
	a.pushes.Configure(services(cfg.Exporter))
	a.looking = newLooking(cfg, a.pushes)
	durations := metric.NewDurations()
	a.schedule, err = schedule.New(schedule.Config{
		Services: services(cfg.Exporter), Look: a.looking.prober(nil).Look, Now: cfg.Now,
		Path: filepath.Join(cfg.DataDir, "services.json"), Pace: cfg.Exporter.Escalation.Pace,
		Anchors: cfg.Exporter.Anchors, Reach: reach, Observe: durations.Late, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	pages, err := a.newPages(cfg.Exporter)
	if err != nil {
		return nil, err
	}
	a.pages.Store(pages)
	if a.books, err = newBooks(cfg, durations); err != nil {
		return nil, err
	}
	answers, err := a.newOrders(cfg.Exporter)
	if err != nil {
		return nil, errors.Join(err, a.books.close())
	}
	a.orders.Store(answers)
	a.shops.Store(&cfg.Exporter.Shops)
	a.metrics = metric.New(metric.Config{
		Shops:  func() []exporter.Shop { return *a.shops.Load() },
		States: a.schedule.States, Books: a.books.list, Delivery: a.books.deliveryOf, Version: cfg.Version,
	})
	return a, errors.Join(cfg.Registerer.Register(durations), a.watchHost())
}

// watchHost adds node_exporter's metrics of this machine.
func (a *App) watchHost() error {
	if len(a.exporter.Host.Collectors) == 0 {
		return nil
	}
	machine, err := host.New(host.Config{Collectors: a.exporter.Host.Collectors, Root: a.exporter.Host.Root, Logger: a.config.Logger})
	if errors.Is(err, errors.ErrUnsupported) { // the default names some wherever it runs
		a.config.Logger.Warn("this machine itself is not watched", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	return a.config.Registerer.Register(machine)
}

// newPages makes the pages of the private address for a configuration.
func (a *App) newPages(cfg config.Config) (*web.Web, error) {
	guard, err := web.NewGuard(cfg.Probe.Targets)
	if err != nil {
		return nil, err
	}
	return web.New(web.Config{
		Module: func(name string) (exporter.Module, bool) { m, ok := cfg.Modules[name]; return m, ok },
		Look:   a.looking.prober(guard.Check).Look, Guard: guard, Token: cfg.Probe.Token,
		States: a.schedule.States, History: a.schedule.History,
		Zone: zone(cfg), Now: a.config.Now, Logger: a.config.Logger,
	})
}

// zone is that of the first shop with books, and Shanghai's otherwise.
func zone(cfg config.Config) *time.Location {
	for _, shop := range cfg.Shops {
		if shop.Ledger != nil && shop.Ledger.Zone != nil {
			return shop.Ledger.Zone
		}
	}
	return time.FixedZone("Asia/Shanghai", 8*60*60)
}

// Mount adds /probe, /looks, /push and the answers about orders to the private address.
func (a *App) Mount(mux *http.ServeMux) {
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.pages.Load().ServeHTTP(w, r) })
	mux.Handle("/probe", pages)
	mux.Handle("/looks", pages)
	mux.Handle("/looks/", pages)
	mux.Handle("/push/", a.pushes)
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.orders.Load().ServeHTTP(w, r) })
	mux.Handle(orders.Path, answers)
	mux.Handle(orders.LookupPath, answers)
}

// Metrics answers a scrape with everything that is measured, and with what the
// others give.
func (a *App) Metrics(others ...prometheus.Gatherer) http.Handler {
	return metric.Handler(a.config.Logger, a.metrics, others...)
}

// Reload puts another configuration into force while Run goes on. Services and
// books that are as before keep all that is known of them. Where the new one
// can't be put into force, the former stays.
func (a *App) Reload(next config.Config) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	pages, err := a.newPages(next)
	if err != nil {
		return err
	}
	answers := a.orders.Load()
	if next.Orders != a.exporter.Orders { // else callers keep what they have used of their limits
		if answers, err = a.newOrders(next); err != nil {
			return err
		}
	}
	// Books may fail on the way, and can be taken up again where they were left.
	// What services have been is forgotten with them: they change last, and
	// where they can't, nothing of them has changed.
	if err = a.books.reload(next); err == nil {
		err = a.schedule.Reload(services(next))
	}
	if err != nil {
		return errors.Join(err, a.books.reload(a.exporter))
	}
	a.pushes.Configure(services(next))
	a.pages.Store(pages)
	a.orders.Store(answers)
	a.shops.Store(&next.Shops)
	warn(a.config.Logger, next)
	before := a.exporter
	a.exporter = next
	if before.Escalation.Pace != next.Escalation.Pace || !slices.Equal(before.Anchors, next.Anchors) || !reflect.DeepEqual(before.Host, next.Host) {
		a.config.Logger.Warn("the pace of the escalation, anchors and host change with the next start only")
	}
	return nil
}

// Run measures until ctx ends.
func (a *App) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	problems := make(chan error, 1)
	failed := func(err error) {
		select {
		case problems <- err:
		default:
		}
		stop() // half a measuring half would look like a healthy shop
	}
	for _, run := range []func(context.Context) error{a.schedule.Run, a.pushes.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		})
	}
	a.books.start(ctx, &running, failed)
	<-ctx.Done()
	a.books.halt()
	running.Wait()
	select {
	case err := <-problems:
		return err
	default:
		return nil
	}
}

// Close closes the books; call it after Run has returned.
func (a *App) Close() error { return a.books.close() }

// warn tells the log what works, but hardly as it was meant.
func warn(log *slog.Logger, cfg config.Config) {
	for _, warning := range cfg.Warnings {
		log.Warn("configuration", "warning", warning.Error())
	}
}

func services(cfg config.Config) []exporter.Service {
	var all []exporter.Service
	for _, shop := range cfg.Shops {
		all = append(all, shop.Services...)
	}
	return all
}
