package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"shopwatch/rules"
)

// town is what two exporters tell of 10 shops with 100 services in all.
const (
	townShops    = 10
	townServices = 10 // a shop
	townProducts = 30 // a shop
)

// town tells of all shops as an exporter would; now moves its counters.
func town(now time.Time) string {
	var text strings.Builder
	n := now.Unix() % 1e6
	say := func(form string, values ...any) { fmt.Fprintf(&text, form+"\n", values...) }
	for s := range townShops {
		shop := fmt.Sprintf("shop%d", s)
		for i := range townServices {
			id := fmt.Sprintf("service%d", i)
			service(&text, shop, id, now, now, false)
			for _, status := range []string{"degraded", "unknown"} {
				say("shopwatch_service_status{shop=%q,service=%q,status=%q} 0", shop, id, status)
			}
			for _, reason := range []string{"dns", "connect", "tls", "timeout", "body", "certificate", "vantage", "other"} {
				say("shopwatch_service_failures_total{shop=%q,service=%q,reason=%q} 0", shop, id, reason)
			}
			target := "https://" + shop + ".example/" + id
			say("shopwatch_service_interval_seconds{shop=%q,service=%q} 30", shop, id)
			say("probe_success{shop=%q,service=%q,target=%q} 1", shop, id, target)
			say("probe_duration_seconds{shop=%q,service=%q,target=%q} 0.2", shop, id, target)
			say("probe_ssl_earliest_cert_expiry{shop=%q,service=%q,target=%q} %d", shop, id, target, now.Add(1000*time.Hour).Unix())
			for _, phase := range []string{"resolve", "connect", "tls", "processing", "transfer"} {
				say("probe_http_duration_seconds{shop=%q,service=%q,target=%q,phase=%q} 0.04", shop, id, target, phase)
			}
		}
		for p := range 3 {
			payment := fmt.Sprintf("payment%d", p)
			for e, event := range []string{"created", "paid", "unpaid_at_deadline", "delivered", "failed", "expired", "refunded", "removed"} {
				say("shopwatch_orders_total{shop=%q,payment=%q,event=%q} %d", shop, payment, event, n/int64(20+10*e))
			}
			say("shopwatch_order_revenue_total{shop=%q,payment=%q,currency=\"CNY\"} %d", shop, payment, n)
			for _, le := range []string{"1", "10", "60", "300", "1800", "+Inf"} {
				say("shopwatch_order_payment_seconds_bucket{shop=%q,payment=%q,le=%q} %d", shop, payment, le, n/30)
			}
		}
		for _, le := range []string{"1", "10", "30", "60", "120", "300", "600", "1800", "3600", "+Inf"} {
			say("shopwatch_order_delivery_seconds_bucket{shop=%q,le=%q} %d", shop, le, n/30)
		}
		for _, name := range []string{"order_delivery_seconds_sum", "order_delivery_seconds_count", "orders_late_total"} {
			say("shopwatch_%s{shop=%q} %d", name, shop, n/50)
		}
		for _, kind := range []string{"automatic", "manual"} {
			for _, age := range []string{"lt5m", "5to30m", "gt30m"} {
				say("shopwatch_orders_waiting{shop=%q,kind=%q,age=%q} 1", shop, kind, age)
			}
			say("shopwatch_orders_oldest_waiting_timestamp_seconds{shop=%q,kind=%q} %d", shop, kind, now.Add(-time.Minute).Unix())
		}
		for p := range townProducts {
			say("shopwatch_stock_cards{shop=%q,product=\"%d\"} %d", shop, p, 500-n%400)
			say("shopwatch_order_items_total{shop=%q,product=\"%d\"} %d", shop, p, n/100)
		}
		for _, name := range []string{"ledger_last_success_timestamp_seconds", "stock_last_success_timestamp_seconds"} {
			say("shopwatch_%s{shop=%q} %d", name, shop, now.Unix())
		}
		say("shopwatch_ledger_up{shop=%q} 1", shop)
		for _, name := range []string{"orders_short_of_stock", "ledger_unknown_statuses_total", "ledger_negative_ages_total",
			"ledger_failures_total", "ledger_dropped_orders_total", "ledger_replica_lag_seconds", "shop_failed_jobs"} {
			say("shopwatch_%s{shop=%q} 0", name, shop)
		}
		say("shopwatch_shop_queue_jobs{shop=%q,queue=\"default\",state=\"ready\"} 0", shop)
	}
	host(&text, n)
	say("shopwatch_time_seconds %.3f\nshopwatch_config_last_reload_successful 1", unix(now))
	for _, channel := range []string{"telegram", "email", "sms"} {
		for _, result := range []string{"accepted", "failed", "dead"} {
			say("shopwatch_notices_total{channel=%q,audience=\"ops\",result=%q} %d", channel, result, n/1000)
		}
	}
	say("shopwatch_outbox_notices{state=\"waiting\"} 0\nshopwatch_outbox_notices{state=\"dead\"} 0")
	return text.String()
}

// host is node_exporter's part that the rules ask for.
func host(text *strings.Builder, n int64) {
	for cpu := range 4 {
		for _, mode := range []string{"idle", "iowait", "user", "system", "softirq", "steal", "nice", "irq"} {
			fmt.Fprintf(text, "node_cpu_seconds_total{cpu=\"%d\",mode=%q} %d\n", cpu, mode, n/8)
		}
	}
	fmt.Fprintf(text, "node_memory_MemTotal_bytes 4e9\nnode_memory_MemAvailable_bytes 2e9\n")
	for _, disk := range []string{"vda1", "vdb1"} {
		for _, name := range []string{"avail_bytes", "size_bytes", "files", "files_free", "readonly"} {
			fmt.Fprintf(text, "node_filesystem_%s{device=%q,fstype=\"ext4\",mountpoint=\"/%s\"} 1e9\n", name, disk, disk)
		}
		fmt.Fprintf(text, "node_disk_io_time_seconds_total{device=%q} %d\n", disk, n/10)
	}
	for _, name := range []string{"receive_errs", "transmit_errs", "receive_packets", "transmit_packets"} {
		fmt.Fprintf(text, "node_network_%s_total{device=\"eth0\"} %d\n", name, n)
	}
}

// scraped are the town's samples as Prometheus stores those of an exporter.
func scraped(b *testing.B, exporter string, now time.Time) (sets []labels.Labels, values []float64) {
	b.Helper()
	parser, err := textparse.New([]byte(town(now)), "text/plain", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for {
		entry, err := parser.Next()
		if err != nil {
			break // the end
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := parser.Series()
		var set labels.Labels
		parser.Labels(&set)
		instance := exporter
		if target := set.Get("target"); target != "" {
			instance = target
		}
		sets = append(sets, labels.NewBuilder(set).Set("job", rules.DefaultJob).Set("exporter", exporter).Set("instance", instance).Del("target").Labels())
		values = append(values, value)
	}
	return append(sets, labels.FromStrings("__name__", "up", "job", rules.DefaultJob, "instance", exporter, "exporter", exporter)), append(values, 1)
}

// rulesOn are the groups of all our rules on a database.
func rulesOn(b *testing.B, db *tsdb.DB) []*promrules.Group {
	b.Helper()
	content, err := rules.RenderFile(rules.Options{})
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "rules.yml")
	put(b, file, string(content))
	queries := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return rules.Interval.Milliseconds() }, Parser: parser.NewParser(parser.Options{}),
	})
	manager := promrules.NewManager(&promrules.ManagerOptions{
		Appendable: db, Queryable: db, QueryFunc: promrules.EngineQueryFunc(queries, db), NameValidationScheme: model.LegacyValidation,
		NotifyFunc: func(context.Context, string, ...*promrules.Alert) {}, Context: b.Context(), ExternalURL: new(url.URL),
		Logger: slog.New(slog.DiscardHandler), Parser: parser.NewParser(parser.Options{}),
	})
	groups, errs := manager.LoadGroups(rules.Interval, labels.EmptyLabels(), "", nil, false, file)
	for _, err := range errs {
		b.Fatal(err)
	}
	return slices.SortedFunc(func(yield func(*promrules.Group) bool) {
		for _, g := range groups {
			if !yield(g) {
				return
			}
		}
	}, func(a, c *promrules.Group) int { return cmp.Compare(a.Name(), c.Name()) })
}

// openTown opens a database that keeps everything in memory.
func openTown(b *testing.B) *tsdb.DB {
	b.Helper()
	options := tsdb.DefaultOptions()
	options.RetentionDuration = (60 * 24 * time.Hour).Milliseconds()
	options.MinBlockDuration, options.MaxBlockDuration = options.RetentionDuration, options.RetentionDuration
	db, err := tsdb.Open(b.TempDir(), nil, nil, options, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.DisableCompactions()
	return db
}

// scrape appends what both exporters tell.
func scrapeTown(b *testing.B, app storage.Appender, now time.Time) {
	b.Helper()
	for _, exporter := range []string{"10.0.0.1:9816", "10.0.0.2:9816"} {
		sets, values := scraped(b, exporter, now)
		for i := range sets {
			if _, err := app.Append(0, sets[i], now.UnixMilli(), values[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// recorded are the series that the rules make, with the interval of their group.
func recorded(b *testing.B, now time.Time) map[time.Duration][]labels.Labels {
	b.Helper()
	db := openTown(b)
	for at := now.Add(-20 * time.Minute); at.Before(now); at = at.Add(rules.Interval) {
		app := db.Appender(b.Context())
		scrapeTown(b, app, at)
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	series := make(map[time.Duration][]labels.Labels)
	groups := rulesOn(b, db)
	for round := range 3 { // of those that are made of others
		for _, g := range groups {
			g.Eval(b.Context(), now.Add(time.Duration(round)*rules.Interval))
		}
	}
	querier, err := db.Querier(0, now.Add(time.Hour).UnixMilli())
	if err != nil {
		b.Fatal(err)
	}
	defer querier.Close()
	for _, g := range groups {
		for _, rule := range g.Rules() {
			if _, is := rule.(*promrules.RecordingRule); !is {
				continue
			}
			found := querier.Select(b.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", rule.Name()))
			for found.Next() {
				series[g.Interval()] = append(series[g.Interval()], found.At().Labels())
			}
		}
	}
	return series
}

// BenchmarkRules prints what the evaluation of all rules costs for 100 services
// and 10 shops that two exporters tell of: of each group, and in all, as a share
// of one core. The past is six hours of what is scraped, and thirty days of what
// slow groups record.
func BenchmarkRules(b *testing.B) {
	now := time.Now().Truncate(10 * time.Minute)
	made := recorded(b, now)
	db := openTown(b)
	for at := now.Add(-30 * 24 * time.Hour); at.Before(now); at = at.Add(rules.Interval) {
		app, due := db.Appender(b.Context()), false
		for interval, sets := range made {
			span := 30 * 24 * time.Hour
			if interval < time.Minute {
				span = 6 * time.Hour
			}
			if at.Before(now.Add(-span)) || at.Sub(at.Truncate(interval)) != 0 {
				continue
			}
			due = true
			for i, set := range sets {
				if _, err := app.Append(0, set, at.UnixMilli(), float64(i%3)); err != nil {
					b.Fatal(err)
				}
			}
		}
		if !at.Before(now.Add(-6*time.Hour - 10*time.Minute)) {
			due = true
			scrapeTown(b, app, at)
		}
		if !due {
			_ = app.Rollback()
			continue
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	series := db.Head().NumSeries()
	groups := rulesOn(b, db)
	spent := make(map[string]time.Duration)
	const rounds = 10
	for b.Loop() {
		for round := range rounds + 1 {
			at := now.Add(time.Duration(round) * rules.Interval)
			app := db.Appender(b.Context())
			scrapeTown(b, app, at)
			if err := app.Commit(); err != nil {
				b.Fatal(err)
			}
			for _, g := range groups {
				before := cpu()
				g.Eval(b.Context(), at)
				if round > 0 { // the first fills caches
					spent[g.Name()] += cpu() - before
				}
			}
		}
		now = now.Add((rounds + 1) * rules.Interval)
	}
	b.StopTimer()
	evaluations := time.Duration(rounds * b.N)
	total := 0.0
	share := func(g *promrules.Group) float64 {
		return 100 * (spent[g.Name()] / evaluations).Seconds() / g.Interval().Seconds()
	}
	slices.SortFunc(groups, func(a, c *promrules.Group) int { return cmp.Compare(share(c), share(a)) })
	fmt.Printf("%d series, %d groups\n%-34s %8s %12s %10s\n", series, len(groups), "group", "interval", "evaluation", "of a core")
	for _, g := range groups {
		total += share(g)
		fmt.Printf("%-34s %8s %12s %9.3f%%\n", g.Name(), g.Interval(), (spent[g.Name()] / evaluations).Round(10*time.Microsecond), share(g))
	}
	fmt.Printf("all rules: %.2f%% of one core\n", total)
	b.ReportMetric(total, "%core")
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // can't fail for oneself
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
