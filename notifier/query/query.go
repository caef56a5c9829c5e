// Package query asks any Prometheus HTTP API (Prometheus, Thanos, Mimir,
// VictoriaMetrics) how the shops are now and how they were, in the nouns of
// telling.
//
// It is the only room of the telling half that knows PromQL, and it asks only
// for series of the treaty. It keeps nothing and judges nothing: a series that
// nobody exports is absent from the answer, never guessed.
package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// timeout of one query; the server's own limits may be lower.
const timeout = 15 * time.Second

// Config says which server to ask.
type Config struct {
	URL    string
	Client *http.Client // carries who asks; nil: nobody in particular
	// Lag is how old the newest sample of a living exporter may be: a few scrape intervals.
	Lag time.Duration
}

// Querier asks one server. It is safe for concurrent use.
type Querier struct {
	api prometheus.API
	lag time.Duration
}

// New gives a Querier; it asks nothing yet, so the server may still be away.
func New(cfg Config) (*Querier, error) {
	if cfg.Lag <= 0 {
		return nil, errors.New("query: lag must be positive")
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{}
	}
	client, err := api.NewClient(api.Config{Address: cfg.URL, Client: cfg.Client})
	if err != nil {
		return nil, fmt.Errorf("prometheus url: %w", err)
	}
	return &Querier{api: prometheus.NewAPI(client), lag: cfg.Lag}, nil
}

// Sight is what Prometheus knows of all shops at one moment.
type Sight struct {
	At       time.Time // of the newest sample; zero if there is none
	Services []Service
	Orders   []Orders
	Shops    map[string]rules.Text // their names by id; a shop of which nobody tells is absent
}

// Service is a service with what is measured of it now.
type Service struct {
	notifier.Service
	LastSuccess time.Time     // zero where nobody looks (delivery) or never
	Latency     time.Duration // mean of the last looks, 0 where nobody measures
}

// Orders is what the books of one shop say.
type Orders struct {
	Shop         string
	Waiting      map[rules.Kind]map[rules.Age]int
	Oldest       map[rules.Kind]time.Time // only kinds that wait
	ShortOfStock int
	Up           bool
	LastSuccess  time.Time
}

// Look asks for the present. Services are in the order of the page.
func (q *Querier) Look(ctx context.Context, now time.Time) (Sight, error) {
	sight := Sight{Shops: map[string]rules.Text{}}
	services := map[string]*Service{}
	orders := map[string]*Orders{}
	ask := []struct {
		query string
		take  func(labels model.Metric, value float64)
	}{
		{"max(timestamp(" + rules.ServiceInfo.Name + "))", func(_ model.Metric, v float64) { sight.At = seconds(v) }},
		{rules.ServiceInfo.Name, func(l model.Metric, _ float64) {
			s := serviceOf(l)
			services[s.Key()] = &Service{Service: s}
		}},
		{"max by (shop, service, depends_on) (" + rules.ServiceDependencyInfo.Name + ")", func(l model.Metric, _ float64) {
			cause := string(l[rules.LabelShop]) + "/" + string(l["depends_on"])
			if s := services[keyOf(l)]; s != nil && cause != s.Key() {
				s.DependsOn = append(s.DependsOn, cause)
			}
		}},
		{"max by (shop, name_zh, name_en) (" + rules.ShopInfo.Name + ")", func(l model.Metric, _ float64) {
			sight.Shops[string(l[rules.LabelShop])] = rules.Text{ZH: string(l["name_zh"]), EN: string(l["name_en"])}
		}},
		{"max by (shop, service, status) (" + rules.ServiceStatus.Name + ") == 1", func(l model.Metric, _ float64) {
			if s := services[keyOf(l)]; s != nil {
				s.Status = better(s.Status, rules.Status(l[rules.LabelStatus]))
			}
		}},
		{"max by (shop, service) (" + rules.ServiceLastSuccess.Name + ")", func(l model.Metric, v float64) {
			if s := services[keyOf(l)]; s != nil {
				s.LastSuccess = seconds(v)
			}
		}},
		{"avg by (shop, service) (avg_over_time(" + rules.ProbeDuration.Name + "[" + model.Duration(4*q.lag).String() + "]))", func(l model.Metric, v float64) {
			if s := services[keyOf(l)]; s != nil {
				s.Latency = time.Duration(v * float64(time.Second))
			}
		}},
		{"max by (shop) (" + rules.LedgerUp.Name + ")", func(l model.Metric, v float64) {
			shop := string(l[rules.LabelShop])
			orders[shop] = &Orders{
				Shop: shop, Up: v == 1, Oldest: map[rules.Kind]time.Time{},
				Waiting: map[rules.Kind]map[rules.Age]int{rules.Automatic: {}, rules.Manual: {}},
			}
		}},
		{"max by (shop) (" + rules.LedgerLastSuccess.Name + ")", ofShop(orders, func(o *Orders, _ model.Metric, v float64) { o.LastSuccess = seconds(v) })},
		{"max by (shop) (" + rules.OrdersShortOfStock.Name + ")", ofShop(orders, func(o *Orders, _ model.Metric, v float64) { o.ShortOfStock = int(v) })},
		{"max by (shop, kind, age) (" + rules.OrdersWaiting.Name + ")", ofShop(orders, func(o *Orders, l model.Metric, v float64) {
			if ages := o.Waiting[rules.Kind(l[rules.LabelKind])]; ages != nil {
				ages[rules.Age(l[rules.LabelAge])] = int(v)
			}
		})},
		// Of the exporter that read the books last: one that they were taken from
		// goes on showing the orders that it knew.
		{"min by (shop, kind) (" + rules.OrdersOldestWaiting.Name + " and on (shop, job, instance, exporter) (" +
			rules.LedgerLastSuccess.Name + " == on (shop) group_left () max by (shop) (" + rules.LedgerLastSuccess.Name + ")))", ofShop(orders, func(o *Orders, l model.Metric, v float64) {
			o.Oldest[rules.Kind(l[rules.LabelKind])] = seconds(v)
		})},
	}
	for _, a := range ask {
		if err := q.instant(ctx, a.query, now, a.take); err != nil {
			return Sight{}, err
		}
	}
	sight.Services, sight.Orders = ofPage(services), byShop(orders)
	return sight, nil
}

// ofPage gives the services in the order of the page.
func ofPage(services map[string]*Service) (list []Service) {
	for _, s := range services {
		if s.Status == "" {
			s.Status = rules.Unknown
		}
		slices.Sort(s.DependsOn) // in one order at every look
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Service) int {
		if a.Shop == b.Shop && a.Position != b.Position {
			return a.Position - b.Position
		}
		return compare(a.Key(), b.Key())
	})
	return list
}

// byShop gives the orders of each shop, by its id.
func byShop(orders map[string]*Orders) (list []Orders) {
	for _, o := range orders {
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b Orders) int { return compare(a.Shop, b.Shop) })
	return list
}

// Fresh reports whether the sight describes now.
func (q *Querier) Fresh(s Sight, now time.Time) bool {
	return !s.At.IsZero() && now.Sub(s.At) <= q.lag
}

func ofShop(orders map[string]*Orders, take func(*Orders, model.Metric, float64)) func(model.Metric, float64) {
	return func(l model.Metric, v float64) {
		if o := orders[string(l[rules.LabelShop])]; o != nil {
			take(o, l, v)
		}
	}
}

func (q *Querier) instant(ctx context.Context, query string, at time.Time, take func(model.Metric, float64)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, _, _, err := q.api.Query(ctx, query, at)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return fmt.Errorf("prometheus answered a %s, want a vector", value.Type())
	}
	for _, sample := range vector {
		take(sample.Metric, float64(sample.Value))
	}
	return nil
}

func serviceOf(l model.Metric) notifier.Service {
	position, _ := strconv.Atoi(string(l["position"])) // an unreadable one sorts first
	return notifier.Service{
		Shop: string(l[rules.LabelShop]), ID: string(l[rules.LabelService]),
		Name:  rules.Text{ZH: string(l["name_zh"]), EN: string(l["name_en"])},
		Group: rules.Text{ZH: string(l["group_zh"]), EN: string(l["group_en"])},
		Role:  rules.Role(l["role"]), Position: position,
		Critical: l["critical"] == "true", Public: l[rules.LabelPublic] == "true",
	}
}

// better settles what two exporters see differently: the one that sees the
// service work is believed, as in the rules.
func better(a, b rules.Status) rules.Status {
	for _, s := range rules.MeasuredStatuses {
		if a == s || b == s {
			return s
		}
	}
	return rules.Unknown
}

func keyOf(l model.Metric) string {
	return string(l[rules.LabelShop]) + "/" + string(l[rules.LabelService])
}

func seconds(v float64) time.Time { return time.UnixMilli(int64(v * 1000)) }

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
