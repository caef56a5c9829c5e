package engine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/notifications"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"
)

// Limits on remote read, which boards of other software use: a tenth of
// Prometheus's.
const (
	remoteReadSamples     = 5_000_000
	remoteReadConcurrency = 2
	remoteReadFrame       = 1 << 20 // bytes; Prometheus's own
)

// describeNothing matches no path, so that Prometheus doesn't write an OpenAPI
// document of itself at every start: that alone was two thirds of the start.
const describeNothing = "-"

// newHandler is the HTTP API of Prometheus, with the links that alerts carry
// (/graph) leading to the answer of the query instead of to a page that isn't here.
func (p *prometheusServer) newHandler(dir string) http.Handler {
	api := apiv1.NewAPI(
		p.queries, p.store, nil, nil, p.store,
		func(context.Context) apiv1.ScrapePoolsRetriever { return p.scrapes },
		func(context.Context) apiv1.TargetRetriever { return p.scrapes },
		func(context.Context) apiv1.AlertmanagerRetriever { return p.notifications },
		func() config.Config { return *p.applied.Load() },
		p.flags(),
		apiv1.GlobalURLOptions{ListenAddress: hostPort(p.base), Host: p.base.Host, Scheme: p.base.Scheme},
		func(next http.HandlerFunc) http.HandlerFunc { return next }, // the gate knows when we are ready
		adminStats{p.store}, dir,
		false,    // admin API
		false, 0, // search API
		p.logger.With("component", "web"),
		func(context.Context) apiv1.RulesRetriever { return p.rules },
		remoteReadSamples, remoteReadConcurrency, remoteReadFrame,
		false,                            // agent mode
		relabel.MustNewRegexp("").Regexp, // no origin is allowed
		p.runtimeInfo, buildInfo(),
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, nil, false },
		p.registry, p.registry, nil,
		false, nil, // remote-write receiver
		false, false, false, // OTLP receiver
		false, lookbackDelta, false, false, nil,
		p.features, apiv1.OpenAPIOptions{IncludePaths: []string{describeNothing}}, p.parser,
	)
	router := route.New()
	api.Register(router)

	mux := http.NewServeMux()
	mux.Handle("/api/v1/", http.StripPrefix("/api/v1", router))
	mux.Handle("/api/v1/openapi.yaml", http.NotFoundHandler())
	mux.HandleFunc("GET /graph", func(w http.ResponseWriter, r *http.Request) {
		query := url.Values{"query": {r.URL.Query().Get("g0.expr")}}
		http.Redirect(w, r, p.external.Path+"/api/v1/query?"+query.Encode(), http.StatusFound)
	})
	handleHealth(mux)
	return mux
}

// handleHealth serves what both servers have: the gate answers when they aren't.
func handleHealth(mux *http.ServeMux) {
	for _, path := range []string{"GET /-/healthy", "GET /-/ready"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "OK") })
	}
}

// flags is what the engine does, in the words of Prometheus's command line:
// tools such as pint read it from /api/v1/status/flags.
func (p *prometheusServer) flags() map[string]string {
	duration := func(d time.Duration) string { return model.Duration(d).String() }
	return map[string]string{
		"config.file":                      p.config.PrometheusConfig,
		"web.external-url":                 p.external.String(),
		"web.enable-admin-api":             "false",
		"web.enable-lifecycle":             "false",
		"web.enable-remote-write-receiver": "false",
		"web.enable-otlp-receiver":         "false",
		"storage.tsdb.path":                p.store.Dir(),
		"storage.tsdb.retention.time":      p.applied.Load().StorageConfig.TSDBConfig.Retention.Time.String(),
		"storage.tsdb.retention.size":      p.applied.Load().StorageConfig.TSDBConfig.Retention.Size.String(),
		"rules.alert.for-outage-tolerance": duration(p.config.OutageTolerance),
		"rules.alert.for-grace-period":     duration(p.config.ForGracePeriod),
		"rules.alert.resend-delay":         duration(p.config.ResendDelay),
		"query.lookback-delta":             duration(lookbackDelta),
		"query.timeout":                    duration(queryTimeout),
		"query.max-concurrency":            strconv.Itoa(queryConcurrency),
		"query.max-samples":                strconv.Itoa(queryMaxSamples),
	}
}

// adminStats gives the store in the shape that the API wants. The admin calls
// among its methods are never reached, since the admin API is off.
type adminStats struct{ *store }

func (a adminStats) Stats(label string, limit int) (*tsdb.Stats, error) {
	return a.Head().Stats(label, limit), nil
}

func (a adminStats) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return a.stats.Head.WALReplayStatus.GetWALReplayStatus(), nil
}

func (a adminStats) BlockMetas() ([]tsdb.BlockMeta, error) { return a.DB.BlockMetas(), nil }

func (p *prometheusServer) runtimeInfo() (apiv1.RuntimeInfo, error) {
	info := apiv1.RuntimeInfo{
		StartTime: p.born, ServerTime: time.Now().UTC(), CWD: p.store.Dir(),
		GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		GOMEMLIMIT: debug.SetMemoryLimit(-1), GOGC: os.Getenv("GOGC"), GODEBUG: os.Getenv("GODEBUG"),
		StorageRetention: p.applied.Load().StorageConfig.TSDBConfig.Retention.Time.String(),
	}
	var err error
	if info.Hostname, err = os.Hostname(); err != nil {
		return info, fmt.Errorf("get host name: %w", err)
	}
	families, err := p.registry.Gather()
	if err != nil {
		return info, fmt.Errorf("gather own metrics: %w", err)
	}
	for _, family := range families {
		switch family.GetName() {
		case "prometheus_tsdb_wal_corruptions_total":
			info.CorruptionCount = int64(family.GetMetric()[0].GetCounter().GetValue())
		case "prometheus_config_last_reload_successful":
			info.ReloadConfigSuccess = family.GetMetric()[0].GetGauge().GetValue() != 0
		case "prometheus_config_last_reload_success_timestamp_seconds":
			info.LastConfigTime = time.Unix(int64(family.GetMetric()[0].GetGauge().GetValue()), 0).UTC()
		}
	}
	return info, nil
}

// buildInfo names the Prometheus within, whose version Grafana asks for.
func buildInfo() *apiv1.PrometheusVersion {
	info := &apiv1.PrometheusVersion{GoVersion: runtime.Version()}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	for _, module := range build.Deps {
		if module.Path == "github.com/prometheus/prometheus" {
			info.Version = releaseOf(module.Version)
		}
	}
	return info
}

// releaseOf turns the version of Prometheus's Go module into that of its
// release: v0.315.0 is 3.15.0 (https://github.com/prometheus/prometheus#prometheus-as-a-library).
func releaseOf(module string) string {
	var number, patch int
	if _, err := fmt.Sscanf(module, "v0.%d.%d", &number, &patch); err != nil || number < 300 {
		return strings.TrimPrefix(module, "v")
	}
	return fmt.Sprintf("%d.%d.%d", number/100, number%100, patch)
}

// hostPort is the address of a base URL with the port that its scheme implies.
func hostPort(base *url.URL) string {
	if base.Port() != "" {
		return base.Host
	}
	if base.Scheme == "https" {
		return net.JoinHostPort(base.Hostname(), "443")
	}
	return net.JoinHostPort(base.Hostname(), "80")
}
