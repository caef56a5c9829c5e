// Package web answers for the measuring half on the private address: /probe,
// which looks at a target now as blackbox_exporter does, and /looks, which shows
// the last looks of each service: why is it red?
//
// The room looks at nothing itself, reads no configuration and keeps nothing:
// what it needs is given to its constructor. It never shows a password, and it
// is no way into the owner's network: /probe serves listed targets or holders of
// its token only, and what it dials must pass a [Guard].
package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"shopwatch/exporter"
)

// Config is what a Web works with.
type Config struct {
	// Module gives a module by name, as the configuration has it.
	Module func(name string) (exporter.Module, bool)
	// Look is one look at a target. Its prober must ask Guard.Check of every
	// address before it dials. It ends soon after its context does.
	Look func(ctx context.Context, service exporter.Service, target string) exporter.Reading
	// Guard says which targets may be looked at by whoever asks, and which
	// addresses may be dialled at all.
	Guard *Guard
	// Token lets its holder look at any public target; "" lets nobody.
	Token string
	// Concurrency is how many looks /probe has under way at most; default 64.
	Concurrency int

	// States gives the services as they are judged now; it must not wait.
	States func() []exporter.State
	// History gives the last looks at a service, in any order, and false if there
	// is no such service; it must not wait.
	History func(shop, service string) ([]exporter.Past, bool)

	// Zone is that of times on the pages; default UTC.
	Zone *time.Location
	// Now is the clock of ages on the pages; default time.Now.
	Now func() time.Time
	// Logger hears what is wrong with a page; default none.
	Logger *slog.Logger
}

// defaultConcurrency bounds the looks of /probe: a scraper has one a target.
const defaultConcurrency = 64

// Web answers /probe, /looks, /looks/{shop}/{service} and /looks/style.css. It
// is an http.Handler, and may be used by many goroutines at once.
type Web struct {
	Config
	mux    *http.ServeMux
	places chan struct{}
}

// New makes a Web. Module, Look, Guard, States and Past are required.
func New(config Config) (*Web, error) {
	if config.Module == nil || config.Look == nil || config.Guard == nil || config.States == nil || config.History == nil {
		return nil, errors.New("exporter's pages need modules, a look, a guard, states and a history")
	}
	config.Concurrency = cmp.Or(config.Concurrency, defaultConcurrency)
	config.Zone = cmp.Or(config.Zone, time.UTC)
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Web{Config: config, mux: http.NewServeMux(), places: make(chan struct{}, config.Concurrency)}
	w.mux.HandleFunc("/probe", w.probe)
	w.mux.HandleFunc("GET /looks", w.index)
	w.mux.HandleFunc("GET /looks/{shop}/{service}", w.history)
	w.mux.HandleFunc("GET /looks/style.css", style)
	return w, nil
}

// ServeHTTP implements http.Handler.
func (w *Web) ServeHTTP(out http.ResponseWriter, r *http.Request) { w.mux.ServeHTTP(out, r) }
