// Package app wires the telling half: alerts come in, incidents and notices are
// kept, notices go out, and the page and the console show what is known.
//
// It is where the rooms of notifier meet; they know each other only through the
// functions and small interfaces that are joined here. The app is a value: New,
// Run, Prepare (for another configuration), Close; it opens no listener of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/notifier/config"
	"shopwatch/notifier/console"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// Config is what an App is built of. Demo and Links may be absent.
type Config struct {
	Notifier config.Config
	DataDir  string
	// PrometheusURL is asked where the configuration names no Prometheus: the one in this process.
	PrometheusURL string
	// AlertmanagerURL is asked where the configuration names none: the one in this process.
	AlertmanagerURL string
	// Dial connects to the two; default a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// WebhookToken is that of the Alertmanager in this process, which no reload
	// changes; it is taken beside the configuration's.
	WebhookToken string
	// PageURL is where the public page is reached where the configuration names no URL.
	PageURL string
	// RunbookURL is where /runbooks is reached, for the notifier's own alert;
	// default rules.DefaultRunbookURL.
	RunbookURL string
	Operator   *guard.Operator
	Links      []console.Link
	Demo       *Demo
	// Version is told in shopwatch_build_info; empty where the other half, in
	// the same process, tells it.
	Version    string
	Registerer prometheus.Registerer
	Now        func() time.Time
	Logger     *slog.Logger
}

// Demo is the demo shop's audience, and what its page says of how to break it.
type Demo struct {
	Subscribers []notifier.Recipient
	Hint        rules.Text
	// Bot gives the address at which a word can be said to the demo's bot: it lives
	// in a sandbox, and its name in the world is another's.
	Bot func(said string) string
}

// App is the telling half, under one configuration after another.
type App struct {
	cfg     Config
	store   *store.Store
	metrics *metrics
	desk    atomic.Pointer[desk] // the one that answers
	next    chan *succession
	over    chan struct{} // Run has returned
}

// succession is a desk that is to take the place of the one that works.
type succession struct {
	desk *desk
	done chan struct{}
}

// New opens the store and builds the telling half. A Prometheus, bot or mail
// server that is away is no reason not to start.
func New(ctx context.Context, cfg Config) (*App, error) {
	if cfg.Operator == nil || cfg.Registerer == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("notifier: operator, registerer, clock and logger are required")
	}
	opened, err := store.Open(ctx, storeConfig(cfg.Notifier.Store, cfg.DataDir))
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, store: opened, metrics: newMetrics(cfg.Registerer, cfg.Version), next: make(chan *succession), over: make(chan struct{})}
	first, err := newDesk(cfg, a.store, a.metrics)
	if err == nil {
		err = first.remember(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, a.store.Close())
	}
	a.desk.Store(first)
	return a, nil
}

// Private answers /webhook, /console/, /runbooks/ and /api/incidents on the private address.
func (a *App) Private() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.desk.Load().private.ServeHTTP(w, r) })
}

// Public answers everything on the public address.
func (a *App) Public() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.desk.Load().public.ServeHTTP(w, r) })
}

// Run tells and shows until ctx ends.
func (a *App) Run(ctx context.Context) error {
	defer close(a.over)
	for working := a.desk.Load(); ; {
		own, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { working.run(own) })
		var next *succession
		select {
		case next = <-a.next:
		case <-ctx.Done():
		}
		stop()
		running.Wait()
		if next == nil || !a.hand(ctx, working, next.desk) {
			return nil
		}
		working = next.desk
		close(next.done)
	}
}

// hand gives the work of a desk that has stopped to the next, as soon as the store
// answers; false: ctx ended before. Requests are answered all the while: by the
// former, which keeps what it takes where the next finds it.
func (a *App) hand(ctx context.Context, former, next *desk) bool {
	for err := next.succeed(ctx, former); err != nil; err = next.succeed(ctx, former) {
		if ctx.Err() != nil {
			return false
		}
		a.cfg.Logger.Error("the new configuration waits until the store can be read", "err", err)
		select {
		case <-time.After(handAgain):
		case <-ctx.Done():
			return false
		}
	}
	a.desk.Store(next)
	return true
}

// handAgain is how long a desk waits for a store that can't be read.
const handAgain = time.Second

// Prepare builds what another configuration asks for. Nothing changes before use is
// called, which returns once it is in force: what is on its way is finished first.
// Where the store is changes with the next start only. A store that takes nothing
// is an error: it would keep the work from being handed on.
func (a *App) Prepare(cfg config.Config) (use func(), err error) {
	if err := a.writable(); err != nil {
		return nil, fmt.Errorf("notifier: a configuration can be changed once the store takes changes again: %w", err)
	}
	wanted := a.cfg
	wanted.Notifier = cfg
	if !reflect.DeepEqual(storeConfig(cfg.Store, a.cfg.DataDir), storeConfig(a.cfg.Notifier.Store, a.cfg.DataDir)) {
		a.cfg.Logger.Warn("notifier.store changes with the next start only")
	}
	next, err := newDesk(wanted, a.store, a.metrics)
	if err != nil {
		return nil, err
	}
	return func() {
		s := &succession{desk: next, done: make(chan struct{})}
		select {
		case a.next <- s:
		case <-a.over:
			return
		}
		select {
		case <-s.done:
		case <-a.over:
		}
	}, nil
}

// writable finds out whether the store takes a change, and leaves all as it is.
func (a *App) writable() error {
	ctx, cancel := context.WithTimeout(context.Background(), writableWithin)
	defer cancel()
	return a.store.Change(ctx, func(tx *store.Tx) error {
		listening, err := tx.Mark(markListening)
		if err != nil {
			return err
		}
		return tx.SetMark(markListening, listening)
	})
}

// writableWithin is how long a store may take for a change.
const writableWithin = 5 * time.Second

// Close closes the store; call it after Run has returned.
func (a *App) Close() error { return a.store.Close() }
