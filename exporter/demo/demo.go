// Package demo is a small live card shop: pages, three payment gateways, an
// SMS gateway and an SQLite order book in dujiao-next's schema, with customers
// who come, pay and are delivered, and every part of it can be broken on command.
//
// It exists so that `shopwatch` without a configuration shows the whole chain
// on something real. So nothing here is pretended: customers buy over HTTP as a
// visitor with a browser does, the gateways call back, and every page, gateway
// callback and worker reaches the books through the database's one TCP door.
// A broken database therefore takes the order page, the API, payments and
// delivery with it, without a line that says so.
//
// The room must not know who watches it: it measures nothing, tells nobody and
// imports only the nouns. It talks to nothing but loopback (or what
// Config.Listen gives), moves no money, and holds no person's data.
package demo

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shopwatch/rules"
)

// beat is how often the shop looks at its clock and does what is due.
const beat = 100 * time.Millisecond

// Config is what a demo shop is built from. Dir and Rand are required.
type Config struct {
	// Dir is the shop's data folder, made if it is missing: shop.db holds the
	// books, broken.json the services that are broken.
	Dir string
	// Escalation gives the two ages of the ledger's tiers; zero means
	// rules.DemoEscalation.
	Escalation rules.Escalation
	// Pace multiplies every duration of the shop's life: at 1 a customer comes
	// about once a minute and goods follow within half a minute, at 1/20 once
	// in three seconds and within a second and a half. Zero means Escalation.Pace.
	Pace   float64
	Now    func() time.Time // default time.Now
	Rand   *rand.Rand       // drawn from in New only
	Logger *slog.Logger     // default: silent
	// Listen gives one listener per call; default: a port of 127.0.0.1 from
	// 10000 to 19999.
	Listen func() (net.Listener, error)
}

func (c *Config) defaults() error {
	var problems []error
	if c.Dir == "" {
		problems = append(problems, errors.New("demo: Dir is empty: name the shop's data folder"))
	}
	if c.Rand == nil {
		problems = append(problems, errors.New("demo: Rand is nil: give the shop its randomness"))
	}
	if c.Escalation == (rules.Escalation{}) {
		c.Escalation = rules.DemoEscalation()
	}
	if c.Pace == 0 {
		c.Pace = c.Escalation.Pace
	}
	if !(c.Pace > 0 && c.Pace <= 1) {
		problems = append(problems, fmt.Errorf("demo: Pace is %g, want above 0 and at most 1", c.Pace))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Listen == nil {
		c.Listen = listen
	}
	return errors.Join(problems...)
}

// Shop is the demo shop. Its methods may be called from several goroutines.
type Shop struct {
	config    Config
	logger    *slog.Logger
	outages   *outages
	books     *books
	database  *database
	web       *web
	gateways  map[string]*gateway
	customers *customers
	worker    *worker
	servers   []*server
	beat      time.Duration

	mu       sync.Mutex
	started  bool
	cancel   context.CancelFunc // set by Run
	finished chan struct{}      // closed when Run has ended
	closed   bool
}

// server is one HTTP server of the shop on the listener that New took for it.
type server struct {
	http     *http.Server
	listener net.Listener
}

// New opens the books in config.Dir (and fills them, the first time) and takes
// the listeners, so that Shop and URL are final. Nothing is answered before Run.
func New(config Config) (*Shop, error) {
	if err := config.defaults(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make demo folder: %w", err)
	}
	broken, err := openOutages(filepath.Join(config.Dir, "broken.json"), serviceIDs())
	if err != nil {
		return nil, err
	}
	s := &Shop{
		config:   config,
		logger:   config.Logger.With("shop", ShopID),
		outages:  broken,
		gateways: map[string]*gateway{},
		beat:     beat,
		finished: make(chan struct{}),
	}
	s.books, err = openBooks(s.databasePath(), s.config.Now, s.config.Pace, s.fork())
	if err != nil {
		return nil, err
	}
	if err := s.build(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// build takes the listeners and puts the shop's people and machines behind them.
func (s *Shop) build() error {
	listener, err := s.config.Listen()
	if err != nil {
		return fmt.Errorf("listen for the demo database: %w", err)
	}
	s.database = newDatabase(s.books, listener, s.logger)
	if !s.outages.broken(serviceDelivery) && !s.outages.broken(serviceDatabase) {
		if err := s.books.catchUp(context.Background()); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	if s.outages.broken(serviceDatabase) {
		s.database.down()
	}
	door := s.database.door()

	listener, err = s.config.Listen()
	if err != nil {
		return fmt.Errorf("listen for the demo shop's pages: %w", err)
	}
	key := make([]byte, 32)
	crand.Read(key)
	s.web, err = newWeb("http://"+listener.Addr().String(), door, s.outages, till(key))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.serve(listener, s.web)
	for _, id := range []string{serviceAlipay, serviceWeChat, serviceUSDT, serviceSMS} {
		listener, err := s.config.Listen()
		if err != nil {
			return fmt.Errorf("listen for the demo service %s: %w", id, err)
		}
		g := newGateway(id, "http://"+listener.Addr().String(), s.web, s.outages)
		s.gateways[id] = g
		s.serve(listener, g)
	}
	s.web.cashiers = s.gateways
	s.customers = newCustomers(s.web, s.config.Pace, s.fork(), s.logger)
	s.worker = newWorker(door, s.outages, s.gateways[serviceSMS].url, s.config.Pace, s.fork(), s.logger)
	return nil
}

// fork gives one part of the shop its own source: rand.Rand is not for several goroutines.
func (s *Shop) fork() *rand.Rand {
	return rand.New(rand.NewPCG(s.config.Rand.Uint64(), s.config.Rand.Uint64()))
}

func (s *Shop) serve(listener net.Listener, handler http.Handler) {
	s.servers = append(s.servers, &server{listener: listener, http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}})
}

// Run keeps the shop open until ctx ends, then closes its doors within a
// second and returns nil. It may be called once.
func (s *Shop) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.started || s.closed {
		s.mu.Unlock()
		return errors.New("demo: this shop was opened before: build a new one on the same folder")
	}
	s.started, s.cancel = true, cancel
	s.mu.Unlock()
	defer close(s.finished)

	var tasks sync.WaitGroup
	failed := make(chan error, len(s.servers))
	tasks.Go(func() { s.database.serve(ctx) })
	for _, server := range s.servers {
		tasks.Go(func() {
			if err := server.http.Serve(server.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve demo shop on %s: %w", server.listener.Addr(), err)
			}
		})
	}
	tasks.Go(func() { s.live(ctx) })
	s.logger.Info("demo shop open", "url", s.URL(), "broken", s.outages.list())

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	for _, server := range s.servers {
		// Not Shutdown: a broken gateway hangs by intent and would hold us.
		server.http.Close()
	}
	tasks.Wait()
	return err
}

// live lets the shop's life go on: every beat, whatever the clock says is due.
func (s *Shop) live(ctx context.Context) {
	ticker := time.NewTicker(s.beat)
	defer ticker.Stop()
	defer s.customers.wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.step(ctx)
		}
	}
}

func (s *Shop) step(ctx context.Context) {
	now := s.config.Now()
	if !s.outages.broken(serviceDatabase) {
		if err := s.database.up(); err != nil {
			s.logger.Debug("database still closed", "err", err)
		}
	}
	s.customers.step(ctx, now)
	s.worker.step(ctx, now)
}

// Close ends Run if it still runs, waits for it, and releases the listeners
// and the books. It may be called more than once.
func (s *Shop) Close() error {
	s.mu.Lock()
	first, started, cancel := !s.closed, s.started, s.cancel
	s.closed = true
	s.mu.Unlock()
	if started {
		cancel()
		<-s.finished
	}
	if !first {
		return nil
	}
	if s.database != nil {
		s.database.down()
	}
	for _, server := range s.servers {
		server.listener.Close()
	}
	return s.books.close()
}

// URL is the storefront's address, for a browser.
func (s *Shop) URL() string { return s.web.url + "/" }

func (s *Shop) databasePath() string { return filepath.Join(s.config.Dir, "shop.db") }

// Break breaks a service, each in its own way, until Heal: also across
// restarts on the same folder. Breaking a broken service changes nothing. The
// error of an unknown service lists the known ones.
func (s *Shop) Break(service string) error {
	changed, err := s.outages.set(service, true)
	if err != nil {
		return err
	}
	if service == serviceDatabase {
		s.database.down()
	}
	if changed {
		s.logger.Info("demo service broken", "service", service)
	}
	return nil
}

// Heal mends a service. Healing a whole service changes nothing. The error of
// an unknown service lists the known ones.
func (s *Shop) Heal(service string) error {
	changed, err := s.outages.set(service, false)
	if err != nil {
		return err
	}
	if service == serviceDatabase {
		if err := s.database.up(); err != nil {
			return fmt.Errorf("heal database: %w: the shop keeps trying", err)
		}
	}
	if changed {
		s.logger.Info("demo service healed", "service", service)
	}
	return nil
}

// Broken lists the broken services in the order of Services.
func (s *Shop) Broken() []string { return s.outages.list() }

// Services lists the ids that Break and Heal take: every looked-at service and
// "delivery", in the order of the page.
func (s *Shop) Services() []string { return serviceIDs() }
