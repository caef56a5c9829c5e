package metric

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"shopwatch/rules"
)

// family is one metric of the treaty, with what is worked out of it once.
type family struct {
	name, help string
	kind       dto.MetricType
	labels     []string
	order      []int   // positions of labels, by name
	grain      float64 // parts of a unit to which values are rounded; 0: not at all
	ofLook     bool    // given by a look: begins with shop, service, target
	anyLabels  bool    // a sample names its labels after those three
}

// families are all constant metrics of the treaty, by name. Histograms are
// those of Durations.
var families = func() (all []family) {
	for _, m := range rules.ExporterMetrics() {
		if m.Type == rules.Histogram {
			continue
		}
		f := family{name: m.Name, help: m.Help, kind: dto.MetricType_GAUGE, labels: m.Labels, order: sorted(m.Labels), grain: grain(m.Name)}
		if m.Type == rules.Counter {
			f.kind = dto.MetricType_COUNTER
		}
		f.ofLook = slices.ContainsFunc(rules.ProbeMetrics(), func(p *rules.Metric) bool { return p.Name == m.Name })
		f.anyLabels = m.Name == rules.ProbeExpectInfo.Name
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b family) int { return cmp.Compare(a.name, b.name) })
	return all
}()

var byName = func() map[string]int {
	index := make(map[string]int, len(families))
	for i, f := range families {
		index[f.name] = i
	}
	return index
}()

// The families of every service.
var (
	affected      = byName[rules.ServiceAffected.Name]
	failures      = byName[rules.ServiceFailures.Name]
	interval      = byName[rules.ServiceInterval.Name]
	lastLook      = byName[rules.ServiceLastLook.Name]
	lastSuccess   = byName[rules.ServiceLastSuccess.Name]
	serviceStatus = byName[rules.ServiceStatus.Name]
)

// grain is how finely a metric is told. Clocks tell a timestamp to the
// millisecond and a duration to the microsecond; the other digits of a float64
// are noise, and the larger half of what a compressed scrape weighs.
func grain(name string) float64 {
	switch {
	case strings.HasSuffix(name, "_timestamp_seconds"):
		return 1e3
	case strings.HasSuffix(name, "_seconds"):
		return 1e6
	}
	return 0
}

// sorted gives the positions of labels by name, as Prometheus's formats want them.
func sorted(labels []string) []int {
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(labels[a], labels[b]) })
	return order
}

// fit reports whether a sample may carry the labels that it names: the three of
// every look, then valid names, each once.
func fit(labels []string) bool {
	common := rules.ProbeSuccess.Labels
	if len(labels) < len(common) || !slices.Equal(labels[:len(common)], common) {
		return false
	}
	for i, name := range labels {
		if !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, model.ReservedLabelPrefix) || slices.Contains(labels[:i], name) {
			return false
		}
	}
	return true
}

// series is one line of a scrape; labels are by name.
type series struct {
	labels []*dto.LabelPair
	value  float64
}

// word is a label with a value from a bounded set, which many series share.
type word struct{ name, value string }

type serviceName struct{ shop, service string }

// scrape is what one scrape shows. It knows what it has shown, since a twin
// would cost the scrape as a whole.
type scrape struct {
	from, to int        // the families that are made now: from the first to before the last
	series   [][]series // by family
	services map[serviceName]bool
	shops    map[string]bool
	words    map[word]*dto.LabelPair
	marks    []int            // by family: where the series of the service under way begin
	pairs    []*dto.LabelPair // what labels are cut from
	slab     slab
}

// scrapes are used again, since a scrape of a thousand services holds megabytes.
var scrapes = sync.Pool{New: func() any { return newScrape() }}

func newScrape() *scrape {
	return &scrape{
		to: len(families), series: make([][]series, len(families)), marks: make([]int, len(families)),
		services: map[serviceName]bool{}, shops: map[string]bool{}, words: map[word]*dto.LabelPair{},
	}
}

// reset forgets what was shown, and says which families are to be made next.
func (s *scrape) reset(from, to int) {
	s.from, s.to = from, to
	for i := range s.series {
		s.series[i] = s.series[i][:0]
	}
	s.pairs = s.pairs[:0]
	clear(s.services)
	clear(s.shops)
	clear(s.words)
}

// shows reports whether a family is made now.
func (s *scrape) shows(f int) bool { return f >= s.from && f < s.to }

// add shows one series, its labels by name. A value that isn't finite is left
// out: one bad series must not cost the scrape.
func (s *scrape) add(f int, value float64, labels []*dto.LabelPair) {
	if !s.shows(f) || math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	if grain := families[f].grain; grain > 0 {
		value = math.Round(value*grain) / grain
	}
	s.series[f] = append(s.series[f], series{labels, value})
}

// emit is add by metric and plain label values, for what is there but a few times.
func (s *scrape) emit(m rules.Metric, value float64, values ...string) {
	f := byName[m.Name]
	if !s.shows(f) {
		return
	}
	begin := len(s.pairs)
	for _, i := range families[f].order {
		s.pairs = append(s.pairs, pair(m.Labels[i], values[i]))
	}
	s.add(f, value, s.pairs[begin:len(s.pairs):len(s.pairs)])
}

// time is emit of a time as Unix seconds; a zero time is absent.
func (s *scrape) time(m rules.Metric, at time.Time, values ...string) {
	if !at.IsZero() {
		s.emit(m, float64(at.UnixMilli())/1000, values...)
	}
}

// keep makes labels of pairs.
func (s *scrape) keep(pairs ...*dto.LabelPair) []*dto.LabelPair {
	begin := len(s.pairs)
	s.pairs = append(s.pairs, pairs...)
	return s.pairs[begin:len(s.pairs):len(s.pairs)]
}

// pair is a label that a scrape may carry: its value is valid UTF-8.
func pair(name, value string) *dto.LabelPair {
	value = text(value)
	return &dto.LabelPair{Name: &name, Value: &value}
}

func text(value string) string { return strings.ToValidUTF8(value, "\uFFFD") }

// bounded is pair for values that many series have.
func (s *scrape) bounded(name, value string) *dto.LabelPair {
	known := s.words[word{name, value}]
	if known == nil {
		known = pair(name, value)
		s.words[word{name, value}] = known
	}
	return known
}

// claim reports whether a service is not shown yet, and notes that it is now.
func (s *scrape) claim(shop, service string) bool {
	name := serviceName{text(shop), text(service)}
	if s.services[name] {
		return false
	}
	s.services[name] = true
	return true
}

// twin reports whether the service under way already shows such a series.
func (s *scrape) twin(f int, labels []*dto.LabelPair) bool {
	return slices.ContainsFunc(s.series[f][s.marks[f]:], func(other series) bool {
		return slices.EqualFunc(other.labels, labels, func(a, b *dto.LabelPair) bool {
			return a == b || *a.Name == *b.Name && *a.Value == *b.Value
		})
	})
}

// slab is the memory of one family as the formats of Prometheus take it.
type slab struct {
	metrics  []dto.Metric
	pointers []*dto.Metric
	gauges   []dto.Gauge
	counters []dto.Counter
}

// family gives a family with its series; it is good until the slab's next.
func (b *slab) family(f int, series []series) *dto.MetricFamily {
	about := &families[f]
	for len(b.metrics) < len(series) {
		n := max(2*len(b.metrics), len(series))
		b.metrics, b.gauges, b.pointers = make([]dto.Metric, n), make([]dto.Gauge, n), make([]*dto.Metric, n)
	}
	if about.kind == dto.MetricType_COUNTER && len(b.counters) < len(series) {
		b.counters = make([]dto.Counter, max(2*len(b.counters), len(series)))
	}
	for i := range series {
		m := &b.metrics[i]
		m.Label, m.Gauge, m.Counter = series[i].labels, nil, nil
		if about.kind == dto.MetricType_COUNTER {
			m.Counter = &b.counters[i]
			m.Counter.Value = &series[i].value
		} else {
			m.Gauge = &b.gauges[i]
			m.Gauge.Value = &series[i].value
		}
		b.pointers[i] = m
	}
	return &dto.MetricFamily{Name: &about.name, Help: &about.help, Type: about.kind.Enum(), Metric: b.pointers[:len(series)]}
}
