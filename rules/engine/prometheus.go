package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/logging"
)

// Limits on queries: a shop's heaviest board stays far below, and none of them
// can take a small machine down. Prometheus: 2 min, 50 million, 20.
const (
	queryTimeout     = 15 * time.Second
	queryMaxSamples  = 20_000_000
	queryConcurrency = 4
	lookbackDelta    = 5 * time.Minute // Prometheus's own
)

const (
	alertQueue   = 10_000                 // alerts waiting for Alertmanager; Prometheus's own
	ruleStopWait = 500 * time.Millisecond // for evaluations under way when stopping, before they are cancelled
)

// prometheusServer is Prometheus without its web interface, wired as
// cmd/prometheus does.
type prometheusServer struct {
	config   Config
	base     *url.URL // of both servers
	external *url.URL // of this one
	logger   *slog.Logger
	registry *prometheus.Registry
	born     time.Time

	store         *store
	remote        *remote.Storage // the queues of remote_write
	written       storage.Storage // store, with remote told of what is written
	parser        parser.Parser
	queries       *promql.Engine // of the API
	judging       *promql.Engine // of the rules
	features      features.Collector
	scrapes       *scrape.Manager
	discovery     *discovery.Manager
	rules         *rules.Manager
	notifications *notifier.Manager
	handler       http.Handler

	loaded            *config.Config // by New, until start applies it
	applied           atomic.Pointer[config.Config]
	configSuccess     prometheus.Gauge
	configSuccessTime prometheus.Gauge

	scraping      chan struct{} // closed once the scrape manager has its first targets
	discovering   context.Context
	stopDiscovery context.CancelFunc
	cancelRules   context.CancelFunc
	started       bool
	running       sync.WaitGroup
}

// newPrometheus opens the database and wires everything on it; nothing runs yet.
func newPrometheus(c Config, base *url.URL, conf *config.Config, alertmanager *alertmanagerServer, loud *slog.Logger) (*prometheusServer, error) {
	dir := filepath.Join(c.DataDir, "prometheus")
	opened, err := openStore(dir, conf.StorageConfig.TSDBConfig.Retention, c.Logger, loud)
	if err != nil {
		return nil, err
	}
	p := &prometheusServer{
		config: c, base: base, external: base.JoinPath(PrometheusPath), born: time.Now(),
		logger: c.Logger.With("server", "prometheus"), registry: opened.registry,
		store: opened, parser: newParser(), features: features.NewRegistry(),
		scraping: make(chan struct{}),
	}
	p.applied.Store(conf)
	p.configSuccess = promauto.With(p.registry).NewGauge(prometheus.GaugeOpts{
		Name: "prometheus_config_last_reload_successful",
		Help: "Whether the last configuration reload attempt was successful.",
	})
	p.configSuccessTime = promauto.With(p.registry).NewGauge(prometheus.GaugeOpts{
		Name: "prometheus_config_last_reload_success_timestamp_seconds",
		Help: "Timestamp of the last successful configuration reload.",
	})
	p.wireRemote(dir)
	if err := errors.Join(p.wireQueries(dir), p.wireScrapes()); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.wireRules(conf, alertmanager)
	p.handler = p.newHandler(dir)
	return p, nil
}

func (p *prometheusServer) wireQueries(dir string) error {
	tracker, err := promql.NewActiveQueryTracker(dir, queryConcurrency, p.logger.With("component", "activeQueryTracker"))
	if err != nil {
		return fmt.Errorf("open log of active queries: %w", err)
	}
	options := promql.EngineOpts{
		Logger:     p.logger.With("component", "query engine"),
		MaxSamples: queryMaxSamples, Timeout: queryTimeout, LookbackDelta: lookbackDelta,
		NoStepSubqueryIntervalFn: func(int64) int64 {
			return time.Duration(p.applied.Load().GlobalConfig.EvaluationInterval).Milliseconds()
		},
		EnableAtModifier: true, EnableNegativeOffset: true,
		FeatureRegistry: p.features, Parser: p.parser,
	}
	// The rules have an engine of their own: whoever asks the API too much waits
	// for whoever asks the API, and judging goes on.
	p.judging = promql.NewEngine(options)
	options.Reg, options.ActiveQueryTracker = p.registry, tracker
	p.queries = promql.NewEngine(options)
	return nil
}

func (p *prometheusServer) wireScrapes() error {
	metrics, err := discovery.CreateAndRegisterSDMetrics(p.registry)
	if err != nil {
		return fmt.Errorf("register metrics of service discovery: %w", err)
	}
	p.discovering, p.stopDiscovery = context.WithCancel(context.Background())
	p.discovery = discovery.NewManager(p.discovering, p.logger.With("component", "discovery manager"), p.registry, metrics,
		discovery.Name("scrape"), discovery.FeatureRegistry(p.features))
	if p.discovery == nil {
		return errors.New("create discovery manager: its metrics are registered already")
	}
	p.scrapes, err = scrape.NewManager(
		// The first targets are scraped at once instead of after 5 s.
		&scrape.Options{
			DiscoveryReloadOnStartup: true, FeatureRegistry: p.features,
			HTTPClientOptions: []commonconfig.HTTPClientOption{commonconfig.WithDialContextFunc(p.config.Dial)},
		},
		p.logger.With("component", "scrape manager"), logging.NewJSONFileLogger, nil, p.written, p.registry)
	if err != nil {
		return fmt.Errorf("create scrape manager: %w", err)
	}
	return nil
}

func (p *prometheusServer) wireRules(conf *config.Config, alertmanager *alertmanagerServer) {
	p.notifications = notifier.NewManager(&notifier.Options{
		QueueCapacity: alertQueue, DrainOnShutdown: true, Registerer: p.registry,
		Do: func(ctx context.Context, _ *http.Client, r *http.Request) (*http.Response, error) {
			return alertmanager.receive(r.WithContext(ctx)), nil
		},
	}, conf.GlobalConfig.MetricNameValidationScheme, p.logger.With("component", "notifier"))

	ctx, cancel := context.WithCancel(context.Background())
	p.cancelRules = cancel
	p.rules = rules.NewManager(&rules.ManagerOptions{
		NameValidationScheme: conf.GlobalConfig.MetricNameValidationScheme,
		Appendable:           p.written, Queryable: p.store,
		QueryFunc:   rules.EngineQueryFunc(p.judging, p.store),
		NotifyFunc:  rules.SendAlerts(p.notifications, p.external.String()),
		Context:     ctx,
		ExternalURL: p.external, Registerer: p.registry,
		Logger:          p.logger.With("component", "rule manager"),
		OutageTolerance: p.config.OutageTolerance, ForGracePeriod: p.config.ForGracePeriod,
		ResendDelay: p.config.ResendDelay,
		DefaultRuleQueryOffset: func() time.Duration {
			return time.Duration(p.applied.Load().GlobalConfig.RuleQueryOffset)
		},
		FeatureRegistry: p.features, Parser: p.parser,
	})
}

// apply puts a configuration into force, also while running. The order is
// cmd/prometheus's: scraping must know a job before its targets arrive.
func (p *prometheusServer) apply(conf *config.Config) (err error) {
	p.applied.Store(conf)
	err = errors.Join(
		p.store.ApplyConfig(conf),
		p.remote.ApplyConfig(conf),
		p.applyQueryLog(conf),
		p.scrapes.ApplyConfig(conf),
		p.applyTargets(conf),
		p.notifications.ApplyConfig(conf),
		p.applyRules(conf),
	)
	if err != nil {
		p.configSuccess.Set(0)
		return err
	}
	p.configSuccess.Set(1)
	p.configSuccessTime.SetToCurrentTime()
	return nil
}

func (p *prometheusServer) applyQueryLog(conf *config.Config) error {
	file := conf.GlobalConfig.QueryLogFile
	if file == "" {
		p.queries.SetQueryLogger(nil)
		return nil
	}
	log, err := logging.NewJSONFileLogger(file)
	if err != nil {
		return fmt.Errorf("open query log %q: %w", file, err)
	}
	p.queries.SetQueryLogger(log)
	return nil
}

func (p *prometheusServer) applyTargets(conf *config.Config) error {
	scrapes, err := conf.GetScrapeConfigs()
	if err != nil {
		return err
	}
	targets := make(map[string]discovery.Configs, len(scrapes))
	for _, s := range scrapes {
		targets[s.JobName] = s.ServiceDiscoveryConfigs
	}
	return p.discovery.ApplyConfig(targets)
}

func (p *prometheusServer) applyRules(conf *config.Config) error {
	var paths []string
	for _, pattern := range conf.RuleFiles {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("rule_files: %q: %w", pattern, err)
		}
		paths = append(paths, matches...)
	}
	return p.rules.Update(time.Duration(conf.GlobalConfig.EvaluationInterval), paths,
		conf.GlobalConfig.ExternalLabels, p.external.String(), nil)
}

// start applies the configuration and sets everything going; it doesn't block.
func (p *prometheusServer) start() error {
	p.started = true
	alertmanagers := make(chan map[string][]*targetgroup.Group)
	p.running.Go(func() { p.notifications.Run(alertmanagers) })
	targets := make(chan map[string][]*targetgroup.Group)
	p.running.Go(func() { _ = p.scrapes.Run(targets) }) // returns nil always

	err := p.apply(p.loaded)
	if err == nil {
		// "config-0" is the first alertmanager of the configuration. Sending it
		// twice makes sure that it was taken in: the second is received after the
		// first was worked on. Else the first alerts could find no Alertmanager,
		// and would be gone for a whole resend delay.
		here := map[string][]*targetgroup.Group{"config-0": {{
			Targets: []model.LabelSet{{model.AddressLabel: model.LabelValue(hostPort(p.base))}},
		}}}
		alertmanagers <- here
		alertmanagers <- here
	}
	// Also after an error: rule groups that were loaded wait for Run, and Stop waits for them.
	p.running.Go(p.rules.Run)
	if err != nil {
		return err
	}
	p.running.Go(func() { _ = p.discovery.Run() }) // returns the context's error always
	p.running.Go(func() { p.forward(p.discovery.SyncCh(), targets) })
	return nil
}

// forward hands targets on from discovery to scraping and closes p.scraping
// with the first.
func (p *prometheusServer) forward(from <-chan map[string][]*targetgroup.Group, to chan<- map[string][]*targetgroup.Group) {
	first := sync.OnceFunc(func() { close(p.scraping) })
	if jobs, err := p.loaded.GetScrapeConfigs(); err == nil && len(jobs) == 0 {
		first() // nothing to wait for
	}
	for targets := range from {
		select {
		case to <- targets:
			first()
		case <-p.discovering.Done():
			return
		}
	}
}

// stop ends what start began, rules first: they must not see series go stale
// or absent because scraping has stopped.
func (p *prometheusServer) stop() {
	if !p.started {
		return
	}
	overdue := time.AfterFunc(ruleStopWait, p.cancelRules)
	p.rules.Stop()
	overdue.Stop()
	p.stopDiscovery()
	p.scrapes.Stop()
	p.notifications.Stop() // sends what is queued
	p.notifyRemote()
	p.running.Wait()
}

// close releases the database and all else that New opened.
func (p *prometheusServer) close() error {
	for _, cancel := range []context.CancelFunc{p.stopDiscovery, p.cancelRules} {
		if cancel != nil {
			cancel()
		}
	}
	if p.queries != nil {
		p.queries.SetQueryLogger(nil) // closes its file
	}
	if err := errors.Join(p.queries.Close(), p.judging.Close(), p.remote.Close(), p.store.Close()); err != nil {
		return fmt.Errorf("close prometheus: %w", err)
	}
	return nil
}
