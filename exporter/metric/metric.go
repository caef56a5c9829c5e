// Package metric makes readings and orders into exactly the metrics of the
// treaty (package rules): names, labels, types and help come from there, and a
// test holds what is gathered to it.
//
// The room measures nothing and keeps nothing but the histograms of
// [Durations]: each scrape shows the States and Books of that moment, so a
// service or shop that left the configuration leaves /metrics with it. A scrape
// never waits for a look or a database, and never fails for one bad value: what
// can't be shown truthfully is absent.
package metric

import (
	"cmp"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Config is where the metrics come from. Every field may be left out.
type Config struct {
	// States gives the services as they are judged now; it must not wait.
	States func() []exporter.State
	// Books gives the books of every shop that has some; it must not wait.
	Books func() []exporter.Books
	// Delivery holds, by shop, the names and place of the service
	// rules.ServiceDelivery of a shop with books.
	Delivery map[string]exporter.Service
	// Version and Revision of this shopwatch; Revision defaults to the build's.
	Version, Revision string
}

// Collector is a prometheus.Collector of everything the exporter gives but
// [Durations]. It may be scraped by many at once.
type Collector struct {
	states   func() []exporter.State
	books    func() []exporter.Books
	delivery map[string]exporter.Service
	build    []string
}

// New makes a Collector.
func New(config Config) *Collector {
	c := &Collector{
		states: config.States, books: config.Books, delivery: config.Delivery,
		build: []string{
			cmp.Or(config.Version, "unknown"), cmp.Or(config.Revision, buildRevision(), "unknown"), runtime.Version(),
		},
	}
	if c.states == nil {
		c.states = func() []exporter.State { return nil }
	}
	if c.books == nil {
		c.books = func() []exporter.Books { return nil }
	}
	return c
}

func buildRevision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}

// descs are all constant metrics of the treaty, by name. Histograms are those of Durations.
var descs = func() map[string]*prometheus.Desc {
	all := map[string]*prometheus.Desc{}
	for _, m := range rules.ExporterMetrics() {
		if m.Type != rules.Histogram {
			all[m.Name] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
		}
	}
	return all
}()

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range descs {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := scrape{out: out, services: map[serviceName]bool{}, shops: map[string]bool{}}
	s.emit(rules.BuildInfo, 1, slices.Clone(c.build)...) // emit changes labels, and scrapes run at the same time
	for _, state := range c.states() {
		s.service(state)
	}
	for _, books := range c.books() {
		s.shop(books, c.delivery[books.Shop])
	}
}

type serviceName struct{ shop, service string }

// scrape is one Collect. It knows what it has shown, since a twin would fail
// the scrape as a whole.
type scrape struct {
	out      chan<- prometheus.Metric
	services map[serviceName]bool
	shops    map[string]bool
}

// emit shows one series. A value that isn't finite is left out, as is a metric
// or a number of labels that the treaty doesn't know: one bad series must not
// cost the scrape. Labels are changed in place.
func (s *scrape) emit(m rules.Metric, value float64, labels ...string) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	kind := prometheus.GaugeValue
	if m.Type == rules.Counter {
		kind = prometheus.CounterValue
	}
	for i := range labels {
		labels[i] = text(labels[i])
	}
	desc, ok := descs[m.Name]
	if !ok {
		return
	}
	if metric, err := prometheus.NewConstMetric(desc, kind, value, labels...); err == nil {
		s.out <- metric
	}
}

// moment shows a time as Unix seconds; a zero time is absent.
func (s *scrape) moment(m rules.Metric, at time.Time, labels ...string) {
	if !at.IsZero() {
		s.emit(m, float64(at.UnixMilli())/1000, labels...)
	}
}

// text is a label value that a scrape may carry: valid UTF-8.
func text(value string) string { return strings.ToValidUTF8(value, "\uFFFD") }

// claim reports whether a service is not shown yet, and notes that it is now.
func (s *scrape) claim(shop, service string) bool {
	name := serviceName{text(shop), text(service)}
	if s.services[name] {
		return false
	}
	s.services[name] = true
	return true
}

// service shows one service that is looked at.
func (s *scrape) service(state exporter.State) {
	service := state.Service
	if !s.claim(service.Shop, service.ID) {
		return
	}
	s.info(service)
	s.status(service.Shop, service.ID, state.Status)
	s.emit(rules.ServiceAffected, truth(state.Affected), service.Shop, service.ID)
	s.moment(rules.ServiceLastLook, state.LastLook, service.Shop, service.ID)
	s.moment(rules.ServiceLastSuccess, state.LastSuccess, service.Shop, service.ID)
	for _, reason := range rules.Reasons {
		if n := state.Failures[reason]; n > 0 || possible(service.Module, reason) {
			s.emit(rules.ServiceFailures, float64(n), service.Shop, service.ID, string(reason))
		}
	}
	for _, reading := range state.Readings {
		if reading.Conclusive() {
			s.reading(reading)
		}
	}
}

// everyReason is why a look of any kind can fail.
var everyReason = []rules.Reason{
	rules.ReasonDNS, rules.ReasonConnect, rules.ReasonTimeout, rules.ReasonVantage, rules.ReasonOther,
}

// reasons are why a look of a kind can fail besides [everyReason].
var reasons = map[exporter.Kind][]rules.Reason{
	exporter.KindHTTP: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody},
	exporter.KindTCP:  {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonBody},
	exporter.KindUnix: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonBody},
	exporter.KindICMP: {},
	exporter.KindDNS:  {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonQuery, rules.ReasonBody},
	exporter.KindGRPC: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus},

	exporter.KindMySQL:       {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonQuery},
	exporter.KindPostgres:    {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonQuery},
	exporter.KindRedis:       {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonQuery},
	exporter.KindSMTP:        {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonStatus},
	exporter.KindTLS:         {rules.ReasonTLS, rules.ReasonCertificate},
	exporter.KindJourney:     {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody},
	exporter.KindUptimeRobot: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonStatus, rules.ReasonBody},
	exporter.KindPush:        {},
	exporter.KindPayment: {
		rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody, rules.ReasonAuth, rules.ReasonQuery,
	},
	exporter.KindSMS: {
		rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody, rules.ReasonAuth, rules.ReasonQuery,
	},
}

// possible reports whether a look of the module can fail for the reason: the
// counters that exist from the start, at 0.
func possible(module exporter.Module, reason rules.Reason) bool {
	if reason == rules.ReasonTLS || reason == rules.ReasonCertificate {
		return slices.Contains(reasons[module.Kind], reason) && !plain(module)
	}
	return slices.Contains(everyReason, reason) || slices.Contains(reasons[module.Kind], reason)
}

// plain reports whether the module says that there is no TLS.
func plain(module exporter.Module) bool {
	switch module.Kind {
	case exporter.KindTCP, exporter.KindUnix:
		if module.Blackbox == nil {
			return false
		}
		tcp := module.Blackbox.TCP
		if module.Kind == exporter.KindUnix {
			return !module.Blackbox.Unix.TLS && !upgrades(module.Blackbox.Unix.QueryResponse)
		}
		return !tcp.TLS && !upgrades(tcp.QueryResponse)
	case exporter.KindMySQL:
		return module.MySQL != nil && module.MySQL.TLS == nil
	case exporter.KindPostgres:
		return module.Postgres != nil && module.Postgres.TLS == nil
	case exporter.KindRedis:
		return module.Redis != nil && module.Redis.TLS == nil
	case exporter.KindSMTP:
		return module.SMTP != nil && module.SMTP.Encryption == exporter.EncryptionNone
	}
	return false
}

// upgrades reports whether a conversation goes over to TLS on the way.
func upgrades(conversation []blackbox.QueryResponse) bool {
	return slices.ContainsFunc(conversation, func(step blackbox.QueryResponse) bool { return step.StartTLS })
}

// reading shows the samples of a look. One that our own connectivity spoiled
// shows none: probe_success 0 would accuse the service.
func (s *scrape) reading(reading exporter.Reading) {
	shown := make(map[string]bool, len(reading.Samples))
	for _, sample := range reading.Samples {
		key := sample.Metric.Name + "\xff" + text(strings.Join(sample.Labels, "\xfe"))
		if shown[key] {
			continue
		}
		shown[key] = true
		labels := make([]string, 0, 4)
		labels = append(labels, reading.Shop, reading.Service, reading.Target)
		s.emit(*sample.Metric, sample.Value, append(labels, sample.Labels...)...)
	}
}

func (s *scrape) info(service exporter.Service) {
	s.emit(rules.ServiceInfo, 1, service.Shop, service.ID, string(cmp.Or(service.Role, rules.RoleOther)),
		service.Name.ZH, service.Name.EN, service.Group.ZH, service.Group.EN,
		strconv.Itoa(service.Position), strconv.FormatBool(service.Critical), strconv.FormatBool(service.Public))
}

// status shows one 1 and the other measured statuses as 0; a word that isn't
// measured is unknown.
func (s *scrape) status(shop, service string, status rules.Status) {
	if !slices.Contains(rules.MeasuredStatuses, status) {
		status = rules.Unknown
	}
	for _, one := range rules.MeasuredStatuses {
		s.emit(rules.ServiceStatus, truth(one == status), shop, service, string(one))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
