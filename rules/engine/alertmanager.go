package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
)

// How Alertmanager keeps house. Its own defaults, but for the snapshots, which
// it writes every 15 minutes: here a crash must not cost a silence that
// somebody has just set, and the files are small.
const (
	stateRetention      = 120 * time.Hour // of expired silences and of the notification log
	snapshotInterval    = time.Minute
	alertGCInterval     = 30 * time.Minute
	groupGCInterval     = 30 * time.Second
	alertmanagerTimeout = 30 * time.Second // of one API request
	maxSilences         = 10_000
	maxSilenceSize      = 64 << 10 // bytes
)

// modernMatchers has matchers parsed as Alertmanager's command does. The
// parser is a variable of its package, so this happens once in a process.
var modernMatchers = func() func(*slog.Logger) {
	var once sync.Once
	return func(logger *slog.Logger) {
		once.Do(func() { compat.InitFromFlags(logger, featurecontrol.NoopFlags{}) })
	}
}()

// alertmanagerServer is Alertmanager without its web interface and cluster,
// wired as its own app package does, which doesn't compile from a module.
type alertmanagerServer struct {
	logger      *slog.Logger
	external    *url.URL
	dial        commonconfig.DialContextFunc
	registry    *prometheus.Registry
	recorder    eventrecorder.Recorder
	marker      marker.GroupMarker
	silences    *silence.Silences
	silencer    *silence.Silencer
	log         *nflog.Log
	paths       statePaths
	alerts      *mem.Alerts
	api         *api.API
	handler     http.Handler
	pipelines   *notify.PipelineBuilder
	groups      *dispatch.DispatcherMetrics
	coordinator *amconfig.Coordinator
	loaded      *amconfig.Config // by New, until start applies it

	inhibitor  atomic.Pointer[inhibit.Inhibitor]
	dispatcher atomic.Pointer[dispatch.Dispatcher]
	stopping   chan struct{} // closed to have the snapshots written
	running    sync.WaitGroup
	underWay   sync.RWMutex // held for reading by every notification
}

// newAlertmanager loads silences and notification log and wires everything on
// them; nothing is routed yet.
func newAlertmanager(c Config, external *url.URL, loud *slog.Logger) (*alertmanagerServer, error) {
	dir := filepath.Join(c.DataDir, "alertmanager")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create directory of alertmanager: %w", err)
	}
	am := &alertmanagerServer{
		logger: c.Logger.With("server", "alertmanager"), external: external, dial: c.Dial,
		recorder: eventrecorder.NopRecorder(), marker: marker.NewGroupMarker(),
		paths:    statePaths{silences: filepath.Join(dir, "silences"), log: filepath.Join(dir, "nflog")},
		stopping: make(chan struct{}),
	}
	if err := am.openState(loud); err != nil {
		return nil, err
	}
	am.silencer = silence.NewSilencer(am.silences, am.logger, am.recorder)
	var err error
	am.alerts, err = mem.NewAlerts(context.Background(), alertGCInterval, 0, am.silencer,
		am.logger, am.recorder, am.registry, featurecontrol.NoopFlags{})
	if err != nil {
		return nil, fmt.Errorf("create store of alerts: %w", err)
	}
	am.pipelines = notify.NewPipelineBuilder(am.registry, featurecontrol.NoopFlags{}, am.recorder)
	am.groups = dispatch.NewDispatcherMetrics(false, am.registry, featurecontrol.NoopFlags{})
	am.coordinator = amconfig.NewCoordinator(c.AlertmanagerConfig, am.registry, am.logger.With("component", "configuration"))
	am.coordinator.Subscribe(am.apply)
	am.handler, err = am.newHandler()
	if err != nil {
		am.alerts.Close()
		return nil, err
	}
	return am, nil
}

// buildingAPI is held while an API of Alertmanager is built: its package expands
// one description of the API, in place, for all that are built in a process.
var buildingAPI sync.Mutex

func (am *alertmanagerServer) newHandler() (http.Handler, error) {
	buildingAPI.Lock()
	defer buildingAPI.Unlock()
	var err error
	am.api, err = api.New(api.Options{
		Alerts: am.alerts, Silences: am.silences, GroupMutedFunc: am.marker.Muted,
		Timeout: alertmanagerTimeout, Logger: am.logger.With("component", "api"), Registry: am.registry,
		RequestDuration: promauto.With(am.registry).NewHistogramVec(prometheus.HistogramOpts{
			Name:    "alertmanager_http_request_duration_seconds",
			Help:    "Histogram of latencies for HTTP requests.",
			Buckets: prometheus.DefBuckets,
		}, []string{"handler", "method", "code"}),
		GroupFunc: func(ctx context.Context, routes func(*dispatch.Route) bool, alerts func(*alert.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
			return am.dispatcher.Load().Groups(ctx, routes, alerts)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("create API of alertmanager: %w", err)
	}
	mux := am.api.Register(route.New(), "/")
	handleHealth(mux)
	return mux, nil
}

// receive takes a batch of alerts from the Prometheus next door. It passes the
// gate by, so that what is queued still arrives when the engine stops.
func (am *alertmanagerServer) receive(r *http.Request) *http.Response {
	r = r.Clone(r.Context())
	r.URL.Path = "/api/v2/alerts" // without the prefix that whoever mounts us strips
	return call(am.handler, r)
}

// routing is what one configuration makes of alerts.
type routing struct {
	routes     *dispatch.Route
	templates  *template.Template
	receivers  map[string][]notify.Integration
	intervener *timeinterval.Intervener
}

// build makes the routing of a configuration and changes nothing else.
func (am *alertmanagerServer) build(conf *amconfig.Config) (*routing, error) {
	templates, err := template.FromGlobs(conf.Templates)
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	templates.ExternalURL = am.external

	routes := dispatch.NewRoute(conf.Route, nil)
	used := make(map[string]bool)
	routes.Walk(func(r *dispatch.Route) {
		used[r.RouteOpts.Receiver] = true
		if r.RouteOpts.RepeatInterval > stateRetention {
			am.logger.Warn("repeat_interval is longer than the notification log is kept: notices may repeat earlier",
				"repeat_interval", r.RouteOpts.RepeatInterval, "kept", stateRetention, "route", r.Key())
		}
	})
	receivers := make(map[string][]notify.Integration, len(used))
	for _, r := range conf.Receivers {
		if !used[r.Name] {
			am.logger.Warn("no route leads to the receiver", "receiver", r.Name)
			continue
		}
		receivers[r.Name], err = receiver.BuildReceiverIntegrations(r, templates, am.logger, commonconfig.WithDialContextFunc(am.dial))
		if err != nil {
			return nil, fmt.Errorf("receiver %q: %w", r.Name, err)
		}
	}
	intervals := make(map[string][]timeinterval.TimeInterval, len(conf.MuteTimeIntervals)+len(conf.TimeIntervals))
	for _, i := range conf.MuteTimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	for _, i := range conf.TimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	return &routing{routes, templates, receivers, timeinterval.NewIntervener(intervals)}, nil
}

// apply puts a configuration into force: the coordinator calls it at the start
// and on every reload. The inhibitor knows all alerts before it is asked, and
// the dispatcher all groups, so that neither lets through what it shouldn't.
func (am *alertmanagerServer) apply(conf *amconfig.Config) error {
	next, err := am.build(conf)
	if err != nil {
		return err
	}
	am.stopRouting()

	inhibitor := inhibit.NewInhibitor(am.alerts, conf.InhibitRules, am.logger, am.recorder)
	pipeline := am.pipelines.New(next.receivers, func() time.Duration { return 0 }, inhibitor, am.silencer,
		next.intervener, am.marker, am.log, nil)
	am.api.Update(conf, func(ctx context.Context, labels model.LabelSet) {
		am.inhibitor.Load().Mutes(ctx, labels)
		am.silencer.Mutes(ctx, labels)
	})
	dispatcher := dispatch.NewDispatcher(am.alerts, next.routes, ending{pipeline, &am.underWay}, am.marker,
		func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) },
		groupGCInterval, nil, am.logger, am.recorder, am.groups, next.templates)

	am.running.Go(inhibitor.Run)
	inhibitor.WaitForLoading()
	am.inhibitor.Store(inhibitor)
	am.running.Go(func() { dispatcher.Run(time.Now()) })
	dispatcher.WaitForLoading()
	am.dispatcher.Store(dispatcher)
	return nil
}

// start begins to route; it doesn't block.
func (am *alertmanagerServer) start() error {
	am.running.Go(func() { am.silences.Maintenance(snapshotInterval, am.paths.silences, am.stopping, nil) })
	am.running.Go(func() { am.log.Maintenance(snapshotInterval, am.paths.log, am.stopping, nil) })
	return am.coordinator.ApplyConfig(am.loaded)
}

func (am *alertmanagerServer) stopRouting() {
	if inhibitor := am.inhibitor.Load(); inhibitor != nil {
		inhibitor.Stop()
	}
	am.dispatcher.Load().Stop() // may be nil
	am.underWay.Lock()          // waits for those that are on their way
	defer am.underWay.Unlock()
}

// stop ends routing, then writes silences and notification log.
func (am *alertmanagerServer) stop() {
	am.stopRouting()
	close(am.stopping)
	am.running.Wait()
}

// close releases what New began.
func (am *alertmanagerServer) close() { am.alerts.Close() }

// statePaths are the two files that outlive the process.
type statePaths struct{ silences, log string }

// openState loads both snapshots. One that can't be read is moved aside and
// begun anew; the metrics of a failed attempt are dropped with their registry.
func (am *alertmanagerServer) openState(loud *slog.Logger) error {
	for {
		path, err := am.tryState()
		if err == nil {
			return nil
		}
		if environmental(err) {
			return fmt.Errorf("open state of alertmanager %q: %w", path, err)
		}
		aside, moveErr := moveAside(path)
		if moveErr != nil {
			return fmt.Errorf("open state of alertmanager %q: %w", path, errors.Join(err, moveErr))
		}
		loud.Error("a state file of Alertmanager is damaged: moved it aside and begin with an empty one; check the silences, and expect some notices again",
			"file", filepath.Base(path), "err", err, "moved_to", aside)
	}
}

// tryState returns the file at fault with an error.
func (am *alertmanagerServer) tryState() (path string, err error) {
	am.registry = prometheus.NewRegistry()
	am.silences, err = silence.New(silence.Options{
		SnapshotFile: am.paths.silences, Retention: stateRetention,
		Limits: silence.Limits{
			MaxSilences:         func() int { return maxSilences },
			MaxSilenceSizeBytes: func() int { return maxSilenceSize },
		},
		Logger: am.logger.With("component", "silences"), Metrics: am.registry, EventRecorder: am.recorder,
	})
	if err != nil {
		return am.paths.silences, err
	}
	am.log, err = nflog.New(nflog.Options{
		SnapshotFile: am.paths.log, Retention: stateRetention,
		Logger: am.logger.With("component", "nflog"), Metrics: am.registry,
	})
	return am.paths.log, err
}
