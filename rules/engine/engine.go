// Package engine runs real Prometheus and real Alertmanager inside this
// process, as libraries, on the very configuration files that servers of
// their own would load: a shop without monitoring gets the whole chain from
// one binary, and nothing changes when it moves to servers of its own.
//
// It is the only room that knows the Go APIs of the two. It decides nothing:
// what is scraped, judged and routed stands in prometheus.yml, the rule files
// and alertmanager.yml. It listens on no address; whoever wires it mounts its
// two handlers. Only the HTTP APIs are served: no web interface, no admin,
// lifecycle or remote-write endpoints, no cross-origin headers. Neither is
// clustering, remote reading or any service discovery but static, file and http,
// because who needs them runs the servers themselves. What is measured can be
// sent on by remote_write, so that a shop that grows keeps its past elsewhere.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Defaults of Config.
const (
	// DefaultRetention holds a whole error budget of 30 days, and the hour of
	// the week before that of each of them.
	DefaultRetention = 35 * 24 * time.Hour
	// DefaultRetentionSize, in bytes, keeps a small machine's disk from filling:
	// two thousand series need an eighth of it for DefaultRetention.
	DefaultRetentionSize = 4 << 30
	// Prometheus's own.
	DefaultResendDelay     = time.Minute
	DefaultForGracePeriod  = 10 * time.Minute
	DefaultOutageTolerance = time.Hour
)

// Paths below ExternalURL at which the two handlers are to be mounted.
const (
	PrometheusPath   = "/prometheus"
	AlertmanagerPath = "/alertmanager"
)

// Errors of an engine that is asked for something in the wrong moment.
var (
	ErrClosed     = errors.New("engine is closed")
	ErrRunning    = errors.New("engine runs already")
	ErrNotRunning = errors.New("engine doesn't run")
)

// Config says on which files an engine works, and where. The first four fields
// and Logger are required; a duration of 0 means its default.
type Config struct {
	// DataDir holds all state: prometheus/ and alertmanager/ below it. Only
	// one engine may use it at a time.
	DataDir string
	// PrometheusConfig is the path of a prometheus.yml. Its alertmanagers are
	// replaced by the one in this process; alert_relabel_configs stay.
	PrometheusConfig string
	// AlertmanagerConfig is the path of an alertmanager.yml.
	AlertmanagerConfig string
	// ExternalURL is the base under which both handlers are mounted, such as
	// http://127.0.0.1:9816; links in alerts begin with it.
	ExternalURL string

	// Retention is the age at which samples are dropped, and RetentionSize the
	// number of bytes beyond which the oldest are dropped earlier, unless
	// prometheus.yml says otherwise in storage.tsdb.retention.
	Retention     time.Duration
	RetentionSize int64
	// ResendDelay is the least time before a firing alert is sent again to Alertmanager.
	ResendDelay time.Duration
	// ForGracePeriod and OutageTolerance are Prometheus's rules.alert.for-grace-period
	// and rules.alert.for-outage-tolerance: what becomes of pending alerts over a restart.
	ForGracePeriod, OutageTolerance time.Duration

	// Dial connects scrapes and receivers to where they go; default a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger gets warnings and errors of both as they are, and their
	// operational messages, which are many, at debug level.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, *url.URL, error) {
	for name, value := range map[string]string{
		"DataDir": c.DataDir, "PrometheusConfig": c.PrometheusConfig,
		"AlertmanagerConfig": c.AlertmanagerConfig, "ExternalURL": c.ExternalURL,
	} {
		if value == "" {
			return c, nil, fmt.Errorf("engine: %s is empty", name)
		}
	}
	if c.Logger == nil {
		return c, nil, errors.New("engine: Logger is nil")
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"Retention", &c.Retention, DefaultRetention},
		{"ResendDelay", &c.ResendDelay, DefaultResendDelay},
		{"ForGracePeriod", &c.ForGracePeriod, DefaultForGracePeriod},
		{"OutageTolerance", &c.OutageTolerance, DefaultOutageTolerance},
	} {
		if *d.value < 0 {
			return c, nil, fmt.Errorf("engine: %s: got %s, want 0 (default %s) or more", d.name, *d.value, d.fallback)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if c.RetentionSize < 0 {
		return c, nil, fmt.Errorf("engine: RetentionSize: got %d, want 0 (default %d) or more", c.RetentionSize, DefaultRetentionSize)
	}
	if c.RetentionSize == 0 {
		c.RetentionSize = DefaultRetentionSize
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	base, err := url.Parse(c.ExternalURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return c, nil, fmt.Errorf("engine: ExternalURL: got %q, want http://host:port or https://host", c.ExternalURL)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	return c, base, nil
}

// state is where an engine is in its life; it only moves forward.
type state int

const (
	built state = iota
	running
	closed
)

// Engine is one Prometheus and one Alertmanager. It runs once.
type Engine struct {
	config       Config
	logger       *slog.Logger
	release      func() error // of the data directory
	prometheus   *prometheusServer
	alertmanager *alertmanagerServer
	gate         *gate
	ready        chan struct{}

	mu       sync.Mutex // guards state and cancel; held while a reload applies
	state    state
	cancel   context.CancelFunc
	done     chan struct{} // closed when everything is stopped and released
	closeErr error         // valid once done is closed
}

// New reads and checks all configuration files and opens the stores, replaying
// what they hold; it starts nothing that acts. Damaged stores are moved aside
// within DataDir (never deleted), which is logged, and begun anew. The caller
// must call Run or Close.
func New(config Config) (*Engine, error) {
	config, base, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	logger := config.Logger
	config.Logger = quiet(logger)

	loaded, err := load(config, base)
	if err != nil {
		return nil, err
	}
	release, err := lock(config.DataDir)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		config:  config,
		logger:  logger,
		release: release,
		gate:    newGate(),
		ready:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	if err := e.open(loaded, base, logger); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Check reads all configuration files as New does, and says what is wrong with
// them. It opens no store and connects to nothing.
func Check(config Config) error {
	config, base, err := config.withDefaults()
	if err != nil {
		return err
	}
	config.Logger = quiet(config.Logger)
	loaded, err := load(config, base)
	if err != nil {
		return err
	}
	am := alertmanagerServer{logger: config.Logger, external: base.JoinPath(AlertmanagerPath), dial: config.Dial}
	if _, err := am.build(loaded.alertmanager); err != nil {
		return fmt.Errorf("alertmanager configuration %q: %w", config.AlertmanagerConfig, err)
	}
	return nil
}

// open builds both servers on what was loaded.
func (e *Engine) open(loaded files, base *url.URL, logger *slog.Logger) (err error) {
	e.alertmanager, err = newAlertmanager(e.config, base.JoinPath(AlertmanagerPath), logger)
	if err != nil {
		return err
	}
	// Already parsed, but receivers open their CA and secret files only now.
	if _, err := e.alertmanager.build(loaded.alertmanager); err != nil {
		return fmt.Errorf("alertmanager configuration %q: %w", e.config.AlertmanagerConfig, err)
	}
	e.prometheus, err = newPrometheus(e.config, base, loaded.prometheus, e.alertmanager, logger)
	if err != nil {
		return err
	}
	e.alertmanager.loaded, e.prometheus.loaded = loaded.alertmanager, loaded.prometheus
	return nil
}

// Run scrapes, judges, routes and answers until ctx ends or Close is called.
// Then it stops everything in the order in which nothing is lost or falsely
// raised: rules, scrapes, the queue of alerts, routing; then the silences and
// the notification log are written and the database is closed. It returns nil
// after a clean stop.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	switch e.state {
	case running:
		e.mu.Unlock()
		return ErrRunning
	case closed:
		e.mu.Unlock()
		return ErrClosed
	}
	ctx, e.cancel = context.WithCancel(ctx)
	defer e.cancel()
	e.state = running
	err := e.start()
	e.mu.Unlock()

	if err == nil {
		e.gate.open()
		select {
		case <-e.prometheus.scraping:
			close(e.ready)
			<-ctx.Done()
		case <-ctx.Done():
		}
	}
	return errors.Join(err, e.stop())
}

// start begins with Alertmanager, so that the first alert finds it.
func (e *Engine) start() error {
	if err := e.alertmanager.start(); err != nil {
		return fmt.Errorf("start alertmanager on %q: %w", e.config.AlertmanagerConfig, err)
	}
	if err := e.prometheus.start(); err != nil {
		return fmt.Errorf("start prometheus on %q: %w", e.config.PrometheusConfig, err)
	}
	return nil
}

// stop ends a run, whether its start succeeded or not.
func (e *Engine) stop() error {
	e.mu.Lock() // lets a reload that is being applied end first
	e.state = closed
	e.mu.Unlock()

	e.gate.close()
	e.prometheus.stop()
	e.alertmanager.stop()
	return e.finish()
}

// finish closes the stores, releases the data directory and ends all waiting.
func (e *Engine) finish() error {
	var err error
	if e.prometheus != nil {
		err = e.prometheus.close()
	}
	if e.alertmanager != nil {
		e.alertmanager.close()
	}
	e.closeErr = errors.Join(err, e.release())
	close(e.done)
	return e.closeErr
}

// Close stops a running engine and waits for it, or releases one that never
// ran. It may be called often and from anywhere; each call returns the same.
func (e *Engine) Close() error {
	e.mu.Lock()
	switch e.state {
	case built:
		e.state = closed
		e.mu.Unlock()
		e.gate.close()
		return e.finish()
	case running:
		e.cancel()
	}
	e.mu.Unlock()
	<-e.done
	return e.closeErr
}

// Reload reads all configuration files again and applies them; they may be
// others than before, and so may be the retention. The rest of next must be as
// it was: it changes with the next start. If any file is wrong, or can't be
// applied, the configuration before stays in force and the error names the file.
func (e *Engine) Reload(next Config) error {
	next, base, err := next.withDefaults()
	if err != nil {
		return err
	}
	next.Logger = e.config.Logger
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != running {
		return ErrNotRunning
	}
	loaded, err := load(next, base)
	if err == nil {
		_, err = e.alertmanager.build(loaded.alertmanager)
	}
	if err != nil {
		e.prometheus.configSuccess.Set(0)
		return err
	}
	before := files{e.prometheus.applied.Load(), e.alertmanager.loaded}
	if err := e.apply(next, loaded); err != nil {
		return errors.Join(err, e.apply(e.config, before))
	}
	e.config, e.alertmanager.loaded = next, loaded.alertmanager
	e.logger.Info("reloaded", "prometheus_config", filepath.Clean(next.PrometheusConfig),
		"alertmanager_config", filepath.Clean(next.AlertmanagerConfig))
	return nil
}

// apply puts what was loaded into force, the judge last: what it finds by new
// rules is routed by new routes.
func (e *Engine) apply(c Config, loaded files) error {
	if err := e.alertmanager.coordinator.ApplyConfig(loaded.alertmanager); err != nil {
		return fmt.Errorf("apply %q: %w", c.AlertmanagerConfig, err)
	}
	if err := e.prometheus.apply(loaded.prometheus); err != nil {
		return fmt.Errorf("apply %q: %w", c.PrometheusConfig, err)
	}
	return nil
}

// Ready is closed once both APIs answer and targets and rules are being worked
// on. It stays open if the run ends before.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Prometheus is the HTTP API under /api/v1, to be mounted at PrometheusPath
// with the prefix stripped. It answers 503 while the engine doesn't run.
func (e *Engine) Prometheus() http.Handler { return e.gate.wrap(e.prometheus.handler) }

// Alertmanager is the HTTP API under /api/v2, to be mounted at AlertmanagerPath
// with the prefix stripped. It answers 503 while the engine doesn't run.
func (e *Engine) Alertmanager() http.Handler { return e.gate.wrap(e.alertmanager.handler) }

// Gatherer is the metrics of both about themselves, prometheus_* and alertmanager_*.
func (e *Engine) Gatherer() prometheus.Gatherer {
	return prometheus.Gatherers{e.prometheus.registry, e.alertmanager.registry}
}
