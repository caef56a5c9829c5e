package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

// desk is the telling half under one configuration: what is decided, sent and
// shown until it changes. Its work is run; it is used once.
type desk struct {
	cfg        Config
	store      *store.Store
	machine    *incident.Machine
	planner    *maintenance.Machine
	dispatcher *dispatch.Dispatcher
	lines      []dispatch.Line
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

	// Of watch alone.
	sight                               query.Sight // the last that showed services
	history                             map[string][]query.Bar
	drawn                               time.Time // when history was last asked for
	unasked, unremembered, unreconciled trouble

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

// newDesk builds every room, and changes nothing: the desk takes over when it runs.
// A Prometheus, bot or mail server that is away is no reason not to build it.
func newDesk(cfg Config, s *store.Store, m *metrics) (*desk, error) {
	if cfg.Notifier.Page.URL == "" {
		cfg.Notifier.Page.URL = cfg.PageURL
	}
	cfg.RunbookURL = cmp.Or(cfg.RunbookURL, rules.DefaultRunbookURL)
	d := &desk{
		cfg: cfg, store: s, metrics: m, clocks: clocksOf(cfg.Notifier), started: cfg.Now(),
		unasked:      trouble{begins: "prometheus can't be asked", ends: "prometheus can be asked again"},
		unremembered: trouble{begins: "prometheus can't be asked for history", ends: "prometheus can be asked for history again"},
		unreconciled: trouble{begins: "alerts not reconciled", ends: "alerts are reconciled again"},
		services:     map[string]notifier.Service{}, changed: make(chan struct{}, 1), due: make(chan struct{}, 1), chosen: make(chan struct{}, 1),
	}
	var err error
	if d.querier, err = newQuerier(cfg, d.clocks.lag); err != nil {
		return nil, err
	}
	if d.reconciler, err = newReconciler(cfg, d.clocks.trusted); err != nil {
		return nil, err
	}
	if d.silencer, err = newSilencer(cfg); err != nil {
		return nil, err
	}
	if err := d.build(); err != nil {
		return nil, err
	}
	for _, warning := range cfg.Notifier.Warnings {
		cfg.Logger.Warn("configuration", "warning", warning.Error())
	}
	return d, nil
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

func (d *desk) build() error {
	d.machine = incident.New(incident.Config{
		Words: message.Words{}, NewID: newID, Service: d.service,
		Fresh: d.clocks.fresh, Settle: d.clocks.settle, Pause: d.clocks.pause, Reopen: d.clocks.reopen, ParentWait: d.clocks.parentWait, Aftermath: d.clocks.aftermath,
		Publication: d.publication, Peers: d.peers, Hold: d.cfg.Notifier.HoldAcknowledged, StatusURL: d.cfg.Notifier.Page.URL,
	})
	d.planner = d.newPlanner()
	if err := d.newSubscription(); err != nil {
		return err
	}
	writer, err := d.newWriter()
	if err != nil {
		return err
	}
	lines, err := channels(d.cfg.Notifier, d.cfg.Now, d.cfg.Logger)
	if err != nil {
		return err
	}
	d.lines = lines
	d.probes = newProbes(probedOf(lines), d.metrics.channels, probeEvery, d.cfg.Logger)
	d.dispatcher, err = dispatch.New(dispatch.Config{
		Outbox: d.store, Lines: lines, Compose: writer.Compose, Recorder: d.metrics, Zone: cmp.Or(d.cfg.Notifier.Page.Zone, time.UTC), Now: d.cfg.Now, Logger: d.cfg.Logger,
	})
	if err != nil {
		return err
	}
	if d.bot, err = d.newBot(lines); err != nil {
		return err
	}
	if d.heart, err = d.newHeart(); err != nil {
		return err
	}
	if d.page, err = d.newPage(); err != nil {
		return err
	}
	if d.public, err = d.newPublic(); err != nil {
		return err
	}
	d.private, err = d.newPrivate()
	return err
}

func (d *desk) newPage() (*statuspage.Page, error) {
	page := statuspage.Config{
		Title: d.cfg.Notifier.Page.Title, BaseURL: d.cfg.Notifier.Page.URL, Zone: d.cfg.Notifier.Page.Zone,
		Escalation: d.cfg.Notifier.Escalation, SignUp: d.signUpPath(), Now: d.cfg.Now, Logger: d.cfg.Logger,
	}
	if d.cfg.Demo != nil {
		page.Demo = &statuspage.Demo{Hint: d.cfg.Demo.Hint}
	}
	return statuspage.New(page)
}

func (d *desk) newPrivate() (http.Handler, error) {
	sender := d.cfg.Notifier.Webhook
	hooks := intake.Config{
		Token: cmp.Or(sender.Token.Reveal(), d.cfg.WebhookToken), Username: sender.Username, Password: sender.Password.Reveal(),
		Keep: d.keep, Now: d.cfg.Now, Logger: d.cfg.Logger,
	}
	uptimeRobot, err := intake.NewUptimeRobot(hooks)
	if err != nil {
		return nil, err
	}
	hooks.Inside = d.cfg.WebhookToken
	webhook, err := intake.New(hooks)
	if err != nil {
		return nil, err
	}
	pages, err := console.New(console.Config{
		Operator: d.cfg.Operator, Source: d, Links: d.cfg.Links, Zone: d.cfg.Notifier.Page.Zone,
		Fresh: d.clocks.fresh, Now: d.cfg.Now, Logger: d.cfg.Logger,
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
	subscribers := d.cfg.Operator.Only(subscription.NewAPI(d.subscription, d.cfg.Logger), "")
	mux.Handle(subscription.API, subscribers)
	mux.Handle(subscription.API+"/", subscribers)
	return mux, nil
}

// remember takes up what is known of the world, and who is told.
func (d *desk) remember(ctx context.Context) error {
	if err := d.loadMarks(ctx); err != nil {
		return err
	}
	if err := d.store.ReleaseLeases(ctx); err != nil {
		return err
	}
	var people []notifier.Recipient
	for _, audience := range rules.Audiences {
		people = append(people, d.cfg.Notifier.Audiences[audience]...)
	}
	if err := d.store.SyncPeople(ctx, people, d.welcome); err != nil {
		return err
	}
	if err := d.store.DropDeparted(ctx, d.cfg.Now()); err != nil {
		return err
	}
	if d.cfg.Demo == nil {
		return nil
	}
	for _, subscriber := range d.cfg.Demo.Subscribers {
		if err := d.store.Subscribe(ctx, subscriber); err != nil {
			return err
		}
	}
	return nil
}

// welcome has somebody whom the configuration names for the first time hear of what
// runs: those whom they take the place of perhaps never did.
func (d *desk) welcome(tx *store.Tx, to notifier.Recipient) error { return joining{tx, d}.CatchUp(to) }

// succeed goes on where another desk has stopped, so that nobody sees a gap: it is
// certain of what that one was, and shows what it showed until it has looked itself.
func (d *desk) succeed(ctx context.Context, former *desk) error {
	d.started = former.started
	if err := d.dispatcher.Follow(ctx, former.dispatcher); err != nil {
		return err
	}
	if err := d.remember(ctx); err != nil {
		return err
	}
	if d.bot != nil && former.bot != nil {
		d.bot.Follow(former.bot)
	}
	d.metrics.channels.Reset() // some may be no more
	if d.heart == nil {
		d.metrics.heartbeat.set(time.Time{})
	}
	d.sight, d.history = former.sight, former.history
	former.mu.Lock()
	d.services, d.order, d.seen = maps.Clone(former.services), slices.Clone(former.order), former.seen
	former.mu.Unlock()
	return d.draw(ctx, d.sight)
}

// run tells and shows until ctx ends.
func (d *desk) run(ctx context.Context) {
	d.metrics.expect(d.lines)
	var running sync.WaitGroup
	running.Go(func() { d.dispatcher.Run(ctx) })
	running.Go(func() { d.watch(ctx) })
	running.Go(func() { d.lead(ctx) })
	running.Go(func() { d.tidy(ctx) })
	running.Go(func() { d.probes.run(ctx) })
	if d.bot != nil {
		running.Go(func() { d.bot.Run(ctx) })
	}
	if d.heart != nil {
		running.Go(func() { d.heart.Run(ctx) })
	}
	running.Wait()
	for _, line := range d.lines {
		if kept, ok := line.Channel.(io.Closer); ok {
			_ = kept.Close() // a connection that was good enough to keep
		}
	}
}

// newID gives an incident's identity: 80 random bits, readable aloud.
func newID() string {
	b := make([]byte, 10)
	rand.Read(b)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}
