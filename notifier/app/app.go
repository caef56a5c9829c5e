// Package app wires the telling half: alerts come in, incidents and notices are
// kept, notices go out, and the page and the console show what is known.
//
// It is where the rooms of notifier meet; they know each other only through the
// functions and small interfaces that are joined here. The app is a value: New,
// Run, Close; it opens no listener of its own.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram/bot"
	"shopwatch/notifier/config"
	"shopwatch/notifier/console"
	"shopwatch/notifier/dispatch"
	"shopwatch/notifier/heartbeat"
	"shopwatch/notifier/incident"
	"shopwatch/notifier/intake"
	"shopwatch/notifier/maintenance"
	"shopwatch/notifier/message"
	"shopwatch/notifier/query"
	"shopwatch/notifier/statuspage"
	"shopwatch/notifier/store"
	"shopwatch/notifier/subscription"
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
	// WebhookToken is taken where the configuration names none.
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

// App is the telling half.
type App struct {
	cfg        Config
	store      *store.Store
	machine    *incident.Machine
	planner    *maintenance.Machine
	dispatcher *dispatch.Dispatcher
	probes     *probes
	leads      atomic.Pointer[func() bool] // whether this replica ticks the incidents; nil: it never has
	chosen     chan struct{}               // it is to tick them from now on
	querier    *query.Querier
	silencer   *intake.Silencer   // nil: there is no Alertmanager to silence
	bot        *bot.Bot           // nil: nobody listens to the Telegram bot
	standing   standing           // what the public page shows, for the bot
	reconciler *intake.Reconciler // nil: there is no Alertmanager to ask
	heart      *heartbeat.Heart   // nil: nobody takes heartbeats
	page       *statuspage.Page

	subscription *subscription.Service
	public       http.Handler
	private      http.Handler
	metrics      *metrics
	clocks       clocks
	started      time.Time
	listening    time.Time // when the first process started since the last Watchdog came

	mu       sync.Mutex
	services map[string]notifier.Service // the last known, by key
	order    []string                    // keys in the order of the page
	seen     time.Time                   // when services were last measured
	watchdog incident.Watchdog

	history                             map[string][]query.Bar // of watch alone
	drawn                               time.Time              // when history was last asked for
	unasked, unremembered, unreconciled trouble                // of watch alone

	due     chan struct{} // an incident waits to be looked at between two rounds
	changed chan struct{} // incidents changed: show it without waiting for the next round
}

// clocks are the app's durations at the escalation's pace.
type clocks struct {
	round time.Duration // between looks at Prometheus
	lag   time.Duration // age of samples that still describe now
	// fresh is the age of a Watchdog that proves that Prometheus evaluates. It
	// lies between what a healthy one reaches (resent every 60–75 s, repeated
	// every 30 s: 105 s) and the 4 min after which Alertmanager calls a dead
	// Prometheus's alerts resolved.
	fresh      time.Duration
	settle     time.Duration // time for Prometheus to fire again after it was away
	trusted    time.Duration // uptime of an Alertmanager whose missing alerts are gone
	silence    time.Duration // of the Watchdog, until ops are alarmed
	pause      time.Duration // between two notices of what joined an incident
	parentWait time.Duration // for a root cause to show up
	reopen     time.Duration // after its end, an incident opens again
	aftermath  time.Duration // that lighter trouble may be the trace of an outage
	bar        time.Duration // of the page's history
	historyAge time.Duration // between looks at the past
}

func clocksOf(n config.Config) clocks {
	e := n.Escalation
	c := clocks{
		round: e.Scale(15 * time.Second), lag: max(e.Scale(time.Minute), 10*time.Second),
		fresh: e.Scale(150 * time.Second), settle: e.Scale(time.Minute), silence: e.Scale(5 * time.Minute), pause: e.Scale(10 * time.Minute), trusted: e.Scale(5 * time.Minute),
		bar: 24 * time.Hour, historyAge: e.Scale(5 * time.Minute),
	}
	c.parentWait, c.reopen, c.aftermath = e.Scale(30*time.Second), e.Scale(n.Reopen), e.Scale(time.Hour)
	if e.Pace < 1 { // compressed time: a day of it would show nothing for hours
		c.bar = 10 * time.Second
	}
	return c
}

// New opens the store and builds every room. A Prometheus, bot or mail server
// that is away is no reason not to start.
func New(ctx context.Context, cfg Config) (*App, error) {
	if cfg.Operator == nil || cfg.Registerer == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("notifier: operator, registerer, clock and logger are required")
	}
	if cfg.Notifier.Page.URL == "" {
		cfg.Notifier.Page.URL = cfg.PageURL
	}
	cfg.RunbookURL = cmp.Or(cfg.RunbookURL, rules.DefaultRunbookURL)
	for _, warning := range cfg.Notifier.Warnings {
		cfg.Logger.Warn("configuration", "warning", warning.Error())
	}
	a := &App{
		cfg: cfg, clocks: clocksOf(cfg.Notifier), metrics: newMetrics(cfg.Registerer, cfg.Version), started: cfg.Now(),
		unasked:      trouble{begins: "prometheus can't be asked", ends: "prometheus can be asked again"},
		unremembered: trouble{begins: "prometheus can't be asked for history", ends: "prometheus can be asked for history again"},
		unreconciled: trouble{begins: "alerts not reconciled", ends: "alerts are reconciled again"},
		services:     map[string]notifier.Service{}, changed: make(chan struct{}, 1), due: make(chan struct{}, 1), chosen: make(chan struct{}, 1),
	}
	var err error
	if a.querier, err = newQuerier(cfg, a.clocks.lag); err != nil {
		return nil, err
	}
	if a.reconciler, err = newReconciler(cfg, a.clocks.trusted); err != nil {
		return nil, err
	}
	if a.silencer, err = newSilencer(cfg); err != nil {
		return nil, err
	}
	if a.store, err = store.Open(ctx, storeConfig(cfg.Notifier.Store, cfg.DataDir)); err != nil {
		return nil, err
	}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.store.Close())
	}
	return a, nil
}

func newQuerier(cfg Config, lag time.Duration) (*query.Querier, error) {
	server := config.ServerConfig{URL: cfg.PrometheusURL}
	if cfg.Notifier.Prometheus != nil {
		server = *cfg.Notifier.Prometheus
	}
	asking, err := client(server, cfg.Dial)
	if err != nil {
		return nil, fmt.Errorf("notifier.prometheus: %w", err)
	}
	return query.New(query.Config{URL: server.URL, Client: asking, Lag: lag})
}

// newReconciler gives nil where no Alertmanager is known: then an incident whose
// resolved was lost stays open until a person closes it.
func newReconciler(cfg Config, upFor time.Duration) (*intake.Reconciler, error) {
	list, err := alertmanagers(cfg)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return intake.NewReconciler(list, upFor, cfg.Now)
}

func (a *App) build(ctx context.Context) error {
	if err := a.remember(ctx); err != nil {
		return err
	}
	var err error
	a.machine = incident.New(incident.Config{
		Words: message.Words{}, NewID: newID, Service: a.service,
		Fresh: a.clocks.fresh, Settle: a.clocks.settle, Pause: a.clocks.pause, Reopen: a.clocks.reopen, ParentWait: a.clocks.parentWait, Aftermath: a.clocks.aftermath,
		Publication: a.publication, Peers: a.peers, Hold: a.cfg.Notifier.HoldAcknowledged, StatusURL: a.cfg.Notifier.Page.URL,
	})
	a.planner = a.newPlanner()
	if err := a.newSubscription(); err != nil {
		return err
	}
	writer, err := a.newWriter()
	if err != nil {
		return err
	}
	lines, err := channels(a.cfg.Notifier, a.cfg.Now, a.cfg.Logger)
	if err != nil {
		return err
	}
	a.metrics.expect(lines)
	a.probes = newProbes(probedOf(lines), a.cfg.Registerer, probeEvery, a.cfg.Logger)
	a.dispatcher, err = dispatch.New(dispatch.Config{
		Outbox: a.store, Lines: lines, Compose: writer.Compose, Recorder: a.metrics, Zone: cmp.Or(a.cfg.Notifier.Page.Zone, time.UTC), Now: a.cfg.Now, Logger: a.cfg.Logger,
	})
	if err != nil {
		return err
	}
	if a.bot, err = a.newBot(lines); err != nil {
		return err
	}
	if a.heart, err = a.newHeart(); err != nil {
		return err
	}
	if a.page, err = a.newPage(); err != nil {
		return err
	}
	if a.public, err = a.newPublic(); err != nil {
		return err
	}
	a.private, err = a.newPrivate()
	return err
}

func (a *App) newPage() (*statuspage.Page, error) {
	page := statuspage.Config{
		Title: a.cfg.Notifier.Page.Title, BaseURL: a.cfg.Notifier.Page.URL, Zone: a.cfg.Notifier.Page.Zone,
		Escalation: a.cfg.Notifier.Escalation, SignUp: a.signUpPath(), Now: a.cfg.Now, Logger: a.cfg.Logger,
	}
	if a.cfg.Demo != nil {
		page.Demo = &statuspage.Demo{Hint: a.cfg.Demo.Hint}
	}
	return statuspage.New(page)
}

func (a *App) newPrivate() (http.Handler, error) {
	sender := a.cfg.Notifier.Webhook
	hooks := intake.Config{
		Token: cmp.Or(sender.Token.Reveal(), a.cfg.WebhookToken), Username: sender.Username, Password: sender.Password.Reveal(),
		Keep: a.keep, Now: a.cfg.Now, Logger: a.cfg.Logger,
	}
	webhook, err := intake.New(hooks)
	if err != nil {
		return nil, err
	}
	uptimeRobot, err := intake.NewUptimeRobot(hooks)
	if err != nil {
		return nil, err
	}
	pages, err := console.New(console.Config{
		Operator: a.cfg.Operator, Source: a, Links: a.cfg.Links, Zone: a.cfg.Notifier.Page.Zone,
		Fresh: a.clocks.fresh, Now: a.cfg.Now, Logger: a.cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/webhook", webhook)
	mux.Handle("/webhook/uptimerobot", uptimeRobot)
	for _, path := range console.Paths {
		mux.Handle(path, pages)
	}
	subscribers := a.cfg.Operator.Only(subscription.NewAPI(a.subscription, a.cfg.Logger), "")
	mux.Handle(subscription.API, subscribers)
	mux.Handle(subscription.API+"/", subscribers)
	return mux, nil
}

// remember takes up what the last process knew, and who is told.
func (a *App) remember(ctx context.Context) error {
	if err := a.loadMarks(ctx); err != nil {
		return err
	}
	if err := a.store.ReleaseLeases(ctx); err != nil {
		return err
	}
	var people []notifier.Recipient
	for _, audience := range rules.Audiences {
		people = append(people, a.cfg.Notifier.Audiences[audience]...)
	}
	if err := a.store.SyncPeople(ctx, people); err != nil {
		return err
	}
	if a.cfg.Demo == nil {
		return nil
	}
	for _, subscriber := range a.cfg.Demo.Subscribers {
		if err := a.store.Subscribe(ctx, subscriber); err != nil {
			return err
		}
	}
	return nil
}

// Private answers /webhook, /console/, /runbooks/ and /api/incidents on the private address.
func (a *App) Private() http.Handler { return a.private }

// Public answers everything on the public address.
func (a *App) Public() http.Handler { return a.public }

// Run tells and shows until ctx ends.
func (a *App) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { a.dispatcher.Run(ctx) })
	running.Go(func() { a.watch(ctx) })
	running.Go(func() { a.lead(ctx) })
	running.Go(func() { a.tidy(ctx) })
	running.Go(func() { a.probes.run(ctx) })
	if a.bot != nil {
		running.Go(func() { a.bot.Run(ctx) })
	}
	if a.heart != nil {
		running.Go(func() { a.heart.Run(ctx) })
	}
	running.Wait()
	return nil
}

// Close closes the store; call it after Run has returned.
func (a *App) Close() error { return a.store.Close() }

// newID gives an incident's identity: 80 random bits, readable aloud.
func newID() string {
	b := make([]byte, 10)
	rand.Read(b)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}
