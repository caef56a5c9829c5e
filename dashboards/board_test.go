package dashboards_test

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"shopwatch/dashboards"
	"shopwatch/rules"
	"shopwatch/rules/rulestest"
)

// board is a Grafana dashboard, as far as it is tested.
type board struct {
	ID            *int
	UID           string
	Title         string
	Description   string
	Tags          []string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name       string
			Type       string
			Query      any
			Definition string
			Datasource *datasource
		}
	}
	Annotations struct {
		List []struct {
			Name       string
			Expr       string
			BuiltIn    int
			Datasource datasource
		}
	}
	Panels []panel
}

type datasource struct{ Type, UID string }

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  datasource
	GridPos     struct{ H, W, X, Y int }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct {
		RefID, Expr, LegendFormat string
		Datasource                datasource
	}
}

func load(t *testing.T) board {
	t.Helper()
	content, err := fs.ReadFile(dashboards.Files(), "shop.json")
	if err != nil {
		t.Fatal(err)
	}
	var b board
	if err := json.Unmarshal(content, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// queries are what Grafana would ask, with a value for each variable, by where they stand.
func (b board) queries() map[string]string {
	filled := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$__interval", "1m", "$shop", "demo")
	queries := map[string]string{}
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			queries["panel "+p.Title+", "+target.RefID] = filled.Replace(target.Expr)
		}
	}
	for _, a := range b.Annotations.List {
		if a.Expr != "" {
			queries["annotation "+a.Name] = filled.Replace(a.Expr)
		}
	}
	return queries
}

// treaty is what exporter, notifier and node_exporter give, and what the rules
// record of it, in whatever order they do.
func treaty(t *testing.T) rulestest.Treaty {
	t.Helper()
	content, err := rules.RenderFile(rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	type rule struct{ Record, Expr string }
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	var left []rule
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if r.Record != "" {
				left = append(left, r)
			}
		}
	}
	known := rulestest.New()
	for len(left) > 0 {
		var later []rule
		var problem error
		for _, r := range left {
			if err := known.Record(r.Record, r.Expr); err != nil {
				later, problem = append(later, r), err
			}
		}
		if len(later) == len(left) {
			t.Fatal(problem)
		}
		left = later
	}
	return known
}

var ours = datasource{"prometheus", "${datasource}"}

func TestBoardHasAStableFace(t *testing.T) {
	t.Parallel()
	b := load(t)
	if b.ID != nil {
		t.Errorf("has id %d, which only one Grafana knows", *b.ID)
	}
	if b.UID != rules.BoardUID || len(b.UID) > 40 {
		t.Errorf("its uid is %q, alerts link to %q", b.UID, rules.BoardUID)
	}
	if b.SchemaVersion != 39 {
		t.Errorf("its schema is %d; 39 loads in Grafana 11 too", b.SchemaVersion)
	}
	if b.Title == "" || b.Description == "" || !slices.Contains(b.Tags, "shopwatch") {
		t.Errorf("title %q, description %q, tags %v", b.Title, b.Description, b.Tags)
	}
}

func TestBoardAsksForItsDataSourceAndShop(t *testing.T) {
	t.Parallel()
	b := load(t)
	variables := map[string]string{}
	for _, v := range b.Templating.List {
		variables[v.Name] = v.Type
		if v.Type == "query" && (v.Datasource == nil || *v.Datasource != ours) {
			t.Errorf("variable %s: asks %v", v.Name, v.Datasource)
		}
	}
	if b.Templating.List[0].Name != "datasource" || b.Templating.List[0].Type != "datasource" || b.Templating.List[0].Query != "prometheus" {
		t.Errorf("the first variable is %+v, want the data source", b.Templating.List[0])
	}
	if variables["shop"] != "query" {
		t.Errorf("variable shop is %q; alerts open the board with var-shop", variables["shop"])
	}
	known := regexp.MustCompile(`^\$(__rate_interval|__range|__interval)$`)
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`\$\w+`).FindAllString(target.Expr, -1) {
				if !known.MatchString(name) && variables[name[1:]] == "" {
					t.Errorf("panel %s: uses %s, which is no variable", p.Title, name)
				}
			}
		}
	}
}

func TestVariablesListLabelsThatTheirSeriesHave(t *testing.T) {
	t.Parallel()
	asks := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, v := range load(t).Templating.List {
		if v.Type != "query" {
			continue
		}
		match := asks.FindStringSubmatch(v.Definition)
		if match == nil {
			t.Errorf("variable %s: asks %q", v.Name, v.Definition)
			continue
		}
		if _, err := rulestest.New().Check("count by (" + match[2] + ") (" + match[1] + ")"); err != nil {
			t.Errorf("variable %s: %v", v.Name, err)
		}
		if query, ok := v.Query.(map[string]any); !ok || query["query"] != v.Definition {
			t.Errorf("variable %s: asks %v and says %q", v.Name, v.Query, v.Definition)
		}
	}
}

func TestEveryPanelSaysWhatItShows(t *testing.T) {
	t.Parallel()
	ids := map[int]string{}
	for _, p := range load(t).Panels {
		if other, taken := ids[p.ID]; taken || p.ID == 0 {
			t.Errorf("panel %s: its id %d is that of %q", p.Title, p.ID, other)
		}
		ids[p.ID] = p.Title
		if p.Title == "" {
			t.Errorf("panel %d: has no title", p.ID)
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" {
			t.Errorf("panel %s: has no description", p.Title)
		}
		if p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("panel %s: has no unit", p.Title)
		}
		if p.Datasource != ours {
			t.Errorf("panel %s: asks %v", p.Title, p.Datasource)
		}
		if len(p.Targets) == 0 {
			t.Errorf("panel %s: asks nothing", p.Title)
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if refs[target.RefID] || target.RefID == "" {
				t.Errorf("panel %s: asks twice as %q", p.Title, target.RefID)
			}
			refs[target.RefID] = true
			if target.Datasource != ours {
				t.Errorf("panel %s: target %s asks %v", p.Title, target.RefID, target.Datasource)
			}
			if target.LegendFormat == "" {
				t.Errorf("panel %s: target %s has no legend", p.Title, target.RefID)
			}
		}
	}
}

func TestPanelsNeitherOverlapNorStandOutside(t *testing.T) {
	t.Parallel()
	panels := load(t).Panels
	for i, p := range panels {
		a := p.GridPos
		if a.W < 1 || a.H < 1 || a.X < 0 || a.Y < 0 || a.X+a.W > 24 {
			t.Errorf("panel %s: stands at %+v", p.Title, a)
		}
		for _, q := range panels[:i] {
			b := q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %s and %s overlap: %+v, %+v", p.Title, q.Title, a, b)
			}
		}
	}
}

func TestPanelsAskOnlyForWhatTheTreatyGives(t *testing.T) {
	t.Parallel()
	known := treaty(t)
	b := load(t)
	for where, query := range b.queries() {
		if _, err := known.Check(query); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			left, err := known.Check(strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h").Replace(target.Expr))
			if err != nil {
				continue // told above
			}
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !left[label[1]] {
					t.Errorf("panel %s: its legend names %q, the query leaves %s", p.Title, label[1], left)
				}
			}
		}
	}
}

func TestCountersAreOnlyShownAsRates(t *testing.T) {
	t.Parallel()
	inside := regexp.MustCompile(`(rate|increase)\(shopwatch_\w+(\{[^}]*\})?\[(5m|1h)\]\)`)
	for where, query := range load(t).queries() {
		rest := inside.ReplaceAllString(query, "")
		for _, metric := range slices.Concat(rules.ExporterMetrics(), rules.NotifierMetrics()) {
			if metric.Type != rules.Gauge && strings.Contains(rest, metric.Name) {
				t.Errorf("%s: shows counter %s as it is: %s", where, metric.Name, query)
			}
			if metric.Type == rules.Gauge && query != rest && strings.Contains(inside.FindString(query), metric.Name) {
				t.Errorf("%s: takes the rate of gauge %s: %s", where, metric.Name, query)
			}
		}
	}
}

func TestBoardCoversWhatPeopleAskOf(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, query := range load(t).queries() {
		all.WriteString(query)
	}
	for _, metric := range []rules.Metric{
		rules.ServiceStatus, rules.ServiceFailures, rules.ProbeDuration, rules.ProbeSSLExpiry,
		rules.OrdersWaiting, rules.OrdersOldestWaiting, rules.OrdersShortOfStock, rules.Orders, rules.OrdersLate, rules.OrderDelivery, rules.StockCards,
		rules.LedgerUp, rules.LedgerLastSuccess, rules.LedgerPollDuration, rules.LedgerUnknownStatuses,
		rules.IncidentsOpen, rules.Notices, rules.NoticeDelay, rules.OutboxNotices, rules.OutboxOldest, rules.WatchdogLast,
	} {
		if !strings.Contains(all.String(), metric.Name) {
			t.Errorf("%s is on no panel", metric.Name)
		}
	}
	for _, name := range []string{
		"service:error_budget:remaining", "service:outage:ratio_30d", "shop:delivery_health:score", "shop:money_lost:hour",
		"node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_filesystem_avail_bytes", "node_disk_io_time_seconds_total",
	} {
		if !strings.Contains(all.String(), name) {
			t.Errorf("%s is on no panel", name)
		}
	}
}
