// Package metric makes readings and orders into exactly the metrics of the
// treaty (package rules): names, labels, types and help come from there, and a
// test holds what is gathered to it.
//
// The room measures nothing and keeps nothing but the histograms of
// [Durations]: each scrape shows the States and Books of that moment, so a
// service or shop that left the configuration leaves /metrics with it. A scrape
// never waits for a look or a database, and never fails for one bad value: what
// can't be shown truthfully is absent.
//
// It makes the families itself rather than through a client_golang registry:
// that costs 10 µs and 1 KB a series, and a thousand services have 35,000.
package metric

import (
	"cmp"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Config is where the metrics come from. Every field may be left out.
type Config struct {
	// States gives the services as they are judged now; it must not wait.
	States func() []exporter.State
	// Books gives the books of every shop that has some; it must not wait.
	Books func() []exporter.Books
	// Shops gives the names of every shop.
	Shops func() []exporter.Shop
	// Delivery gives the names and place of the service rules.ServiceDelivery of
	// a shop with books.
	Delivery func(shop string) exporter.Service
	// Version and Revision of this shopwatch; Revision defaults to the build's.
	Version, Revision string
}

// Gatherer is a prometheus.Gatherer of everything the exporter gives but
// [Durations]. It may be scraped by many at once, through [Handler] at the
// least cost.
type Gatherer struct {
	states   func() []exporter.State
	books    func() []exporter.Books
	shops    func() []exporter.Shop
	delivery func(shop string) exporter.Service
	build    []string
}

// New makes a Gatherer.
func New(config Config) *Gatherer {
	g := &Gatherer{
		states: config.States, books: config.Books, shops: config.Shops, delivery: config.Delivery,
		build: []string{
			cmp.Or(config.Version, "unknown"), cmp.Or(config.Revision, buildRevision(), "unknown"), runtime.Version(),
		},
	}
	if g.delivery == nil {
		g.delivery = func(string) exporter.Service { return exporter.Service{} }
	}
	if g.states == nil {
		g.states = func() []exporter.State { return nil }
	}
	if g.shops == nil {
		g.shops = func() []exporter.Shop { return nil }
	}
	if g.books == nil {
		g.books = func() []exporter.Books { return nil }
	}
	return g
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

// Gather implements prometheus.Gatherer. It never fails, and the caller owns
// what it gives.
func (g *Gatherer) Gather() ([]*dto.MetricFamily, error) {
	s := newScrape()
	s.fill(g.moment())
	var gathered []*dto.MetricFamily
	for i := range s.series {
		if len(s.series[i]) > 0 {
			gathered = append(gathered, new(slab).family(i, s.series[i]))
		}
	}
	return gathered, nil
}

// Families gives the families one after the other, by name. Each is good only
// until the next: their memory is used again. The more services there are, the
// fewer families are made at once, since those of ten thousand services would
// be a hundred megabytes.
func (g *Gatherer) Families() iter.Seq[*dto.MetricFamily] {
	return func(yield func(*dto.MetricFamily) bool) {
		s, _ := scrapes.Get().(*scrape)
		defer scrapes.Put(s)
		now := g.moment()
		rounds := min(1+len(now.states)/servicesAtOnce, mostRounds)
		for round := range rounds {
			s.reset(round*len(families)/rounds, (round+1)*len(families)/rounds)
			s.fill(now)
			for i := s.from; i < s.to; i++ {
				if len(s.series[i]) > 0 && !yield(s.slab.family(i, s.series[i])) {
					return
				}
			}
		}
	}
}

const (
	// servicesAtOnce is of how many services all families are made at once.
	servicesAtOnce = 250
	mostRounds     = 8
)

// moment is what there is to show at one time.
type moment struct {
	build    []string
	states   []exporter.State
	books    []exporter.Books
	shops    []exporter.Shop
	delivery func(shop string) exporter.Service
}

func (g *Gatherer) moment() moment {
	return moment{g.build, g.states(), g.books(), g.shops(), g.delivery}
}

// fill makes the series of the families that are asked for.
func (s *scrape) fill(now moment) {
	s.emit(rules.BuildInfo, 1, now.build...)
	named := make(map[string]bool, len(now.shops))
	for _, shop := range now.shops {
		if id := text(shop.ID); !named[id] {
			named[id] = true
			s.emit(rules.ShopInfo, 1, id, shop.Name.ZH, shop.Name.EN)
		}
	}
	for _, state := range now.states {
		s.service(state)
	}
	for _, books := range now.books {
		s.shop(books, now.delivery(books.Shop))
	}
}

// service shows one service that is looked at.
func (s *scrape) service(state exporter.State) {
	service := state.Service
	if !s.claim(service.Shop, service.ID) {
		return
	}
	for i := range s.series {
		s.marks[i] = len(s.series[i])
	}
	shop, id := pair(rules.LabelShop, service.Shop), pair(rules.LabelService, service.ID)
	both := []*dto.LabelPair{id, shop} // by name
	s.info(service)
	s.status(id, shop, state.Status)
	s.add(affected, truth(state.Affected), both)
	s.instant(lastLook, state.LastLook, both)
	s.instant(lastSuccess, state.LastSuccess, both)
	if service.Interval > 0 {
		s.add(interval, service.Interval.Seconds(), both)
	}
	for _, reason := range rules.Reasons {
		if !s.shows(failures) {
			break
		}
		if n := state.Failures[reason]; n > 0 || possible(service.Module, reason) {
			s.add(failures, float64(n), s.keep(s.bounded(rules.LabelReason, string(reason)), id, shop))
		}
	}
	for _, reading := range state.Readings {
		if reading.Conclusive() {
			s.reading(reading, id, shop)
		}
	}
}

// reading shows the samples of a look. One that our own connectivity spoiled
// shows none: probe_success 0 would accuse the service. Of targets that look
// the same once their secrets are cut off, the first shows what it has.
func (s *scrape) reading(reading exporter.Reading, service, shop *dto.LabelPair) {
	base := [3]*dto.LabelPair{shop, service, pair(rules.LabelTarget, reading.Target)}
	alone := s.keep(service, shop, base[2]) // by name
	for i := range reading.Samples {
		sample := &reading.Samples[i]
		f, ok := byName[sample.Metric.Name]
		if !ok || !families[f].ofLook || !s.shows(f) {
			continue
		}
		labels := alone
		if len(sample.Labels) > 0 || len(sample.Metric.Labels) > len(base) {
			if labels = s.own(f, base, sample); labels == nil {
				continue
			}
		} else if len(families[f].labels) != len(base) {
			continue // its labels are missing
		}
		if !s.twin(f, labels) {
			s.add(f, sample.Value, labels)
		}
	}
}

// own gives the labels of a sample that has some of its own, by name; nil if
// they can't be shown.
func (s *scrape) own(f int, base [3]*dto.LabelPair, sample *exporter.Sample) []*dto.LabelPair {
	names, order := families[f].labels, families[f].order
	if families[f].anyLabels {
		if names = sample.Metric.Labels; !fit(names) {
			return nil
		}
		order = sorted(names)
	}
	if len(names) != len(base)+len(sample.Labels) {
		return nil
	}
	begin := len(s.pairs)
	for _, i := range order {
		switch {
		case i < len(base):
			s.pairs = append(s.pairs, base[i])
		case len(sample.Labels) == 1: // such as phase: from a bounded set
			s.pairs = append(s.pairs, s.bounded(names[i], sample.Labels[0]))
		default:
			s.pairs = append(s.pairs, pair(names[i], sample.Labels[i-len(base)]))
		}
	}
	return s.pairs[begin:len(s.pairs):len(s.pairs)]
}

func (s *scrape) info(service exporter.Service) {
	s.emit(rules.ServiceInfo, 1, service.Shop, service.ID, string(cmp.Or(service.Role, rules.RoleOther)),
		service.Name.ZH, service.Name.EN, service.Group.ZH, service.Group.EN,
		strconv.Itoa(service.Position), strconv.FormatBool(service.Critical), strconv.FormatBool(service.Public))
	for i, id := range service.DependsOn {
		if !slices.Contains(service.DependsOn[:i], id) {
			s.emit(rules.ServiceDependencyInfo, 1, service.Shop, service.ID, id)
		}
	}
}

// status shows one 1 and the other measured statuses as 0; a word that isn't
// measured is unknown.
func (s *scrape) status(service, shop *dto.LabelPair, status rules.Status) {
	if !slices.Contains(rules.MeasuredStatuses, status) {
		status = rules.Unknown
	}
	for _, one := range rules.MeasuredStatuses {
		if !s.shows(serviceStatus) {
			return
		}
		s.add(serviceStatus, truth(one == status), s.keep(service, shop, s.bounded(rules.LabelStatus, string(one))))
	}
}

// instant shows a time as Unix seconds; a zero time is absent.
func (s *scrape) instant(f int, at time.Time, labels []*dto.LabelPair) {
	if !at.IsZero() {
		s.add(f, float64(at.UnixMilli())/1000, labels)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
