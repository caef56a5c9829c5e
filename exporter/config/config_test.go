package config_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

var update = flag.Bool("update", false, "write the .want files of testdata")

// password stands in every secret of these tests, and in no message; token too,
// where a secret must be longer.
const (
	password = "hunter2"
	token    = password + "-" + password + "-" + password
)

// environment is what the files of testdata find.
func environment(name string) (string, bool) {
	value, set := map[string]string{
		"DUJIAOKA_DSN":     "shopwatch:" + password + "@tcp(127.0.0.1:3306)/dujiaoka",
		"DATABASE_ADDRESS": "127.0.0.1",
		"SHOP_URL":         "https://shop.example.com",
		"PASSWORD":         token,
	}[name]
	return value, set
}

// read reads a file of testdata under its own name.
func read(t *testing.T, path string, env configfile.Lookup) *configfile.Document {
	t.Helper()
	doc, err := configfile.Read(path, env)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryMistakeIsReportedWithItsLine(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/invalid-*.yml")
	if err != nil || len(files) < 50 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			t.Parallel()
			got, err := config.Load(read(t, file, environment))
			if err == nil {
				t.Fatalf("got no error, but %v", got)
			}
			if !reflect.DeepEqual(got, config.Config{}) {
				t.Errorf("got %v besides the error", got)
			}
			message := strings.ReplaceAll(err.Error(), "testdata/", "") + "\n"
			if strings.Contains(message, password) {
				t.Errorf("the password is in %q", message)
			}
			golden := strings.TrimSuffix(file, ".yml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(message), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if message != string(want) {
				t.Errorf("got\n%swant\n%s", message, want)
			}
		})
	}
}

func TestAMinimalFileGetsTheDefaults(t *testing.T) {
	t.Parallel()
	got, err := config.Load(read(t, "testdata/minimal.yml", nil))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Shops: []exporter.Shop{{
			ID:   "main",
			Name: rules.Text{ZH: "main", EN: "main"},
			Services: []exporter.Service{{
				Shop: "main", ID: "storefront",
				Name:     rules.Text{ZH: "storefront", EN: "storefront"},
				Group:    rules.Text{ZH: "商店", EN: "Shop"},
				Role:     rules.RoleOther,
				Position: 1,
				Public:   true,
				Module:   plainHTTP(),
				Targets:  []string{"https://shop.example.com/"},
				Outward:  true,
				Interval: 15 * time.Second, Timeout: 10 * time.Second, Slow: 3 * time.Second,
				FailureThreshold: 1, SuccessThreshold: 1,
			}},
		}},
		Delivery:   map[string]exporter.Service{},
		Escalation: rules.DefaultEscalation(),
		Anchors:    []string{"223.5.5.5:53", "119.29.29.29:53", "1.1.1.1:53", "8.8.8.8:53"},
		Host:       config.Host{Collectors: []string{"cpu", "meminfo", "filesystem", "loadavg", "diskstats", "netdev"}},
		Orders:     config.Orders{LookupsPerMinute: 10, LookupsPerMinuteTotal: 300},
	}
	if len(got.Modules) == 0 {
		t.Error("got no module for /probe")
	}
	got.Modules = nil // another test's
	equal(t, got, want)
}

func TestAFullFileSaysEverything(t *testing.T) {
	t.Parallel()
	got, err := config.Load(read(t, "testdata/full.yml", environment))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Shops: []exporter.Shop{{
			ID:   "main",
			Name: rules.Text{ZH: "我的小店", EN: "My shop"},
			Ledger: &exporter.Ledger{
				Software: "dujiaoka", DSN: "user:hunter2@tcp(db)/shop", Prefix: "dj_", Zone: time.UTC,
				Interval: 5 * time.Second, Lookback: 24 * time.Hour, Slow: 30 * time.Second,
				Late: 15 * time.Second, Stuck: 90 * time.Second,
				Sweep: true, Queue: "redis://:" + token + "@127.0.0.1:6379/0",
			},
			Services: []exporter.Service{{
				Shop: "main", ID: "storefront",
				Name:     rules.Text{ZH: "Storefront", EN: "Storefront"},
				Group:    rules.Text{ZH: "购买", EN: "Buying"},
				Role:     rules.RoleStorefront,
				Position: 1, Critical: true, Public: false,
				Targets: []string{"https://shop.example.com/", "https://www.example.com/"}, Answers: 1, Outward: true,
				Module: exporter.HTTPModule(func(h *blackbox.HTTPProbe) {
					h.Method, h.Headers = "POST", map[string]string{"Authorization": "Bearer shopwatch:hunter2@tcp(127.0.0.1:3306)/dujiaoka"}
					h.ValidStatusCodes, h.BodySizeLimit = []int{200, 204}, 512<<10
					h.FailIfBodyNotMatchesRegexp = []blackbox.Regexp{exporter.Literal("Welcome")}
					h.FailIfBodyMatchesRegexp = []blackbox.Regexp{exporter.Literal("Whoops")}
					h.HTTPClientConfig.FollowRedirects = false
					h.HTTPClientConfig.TLSConfig.InsecureSkipVerify = true
				}),
				Interval: time.Minute, Timeout: 5 * time.Second, Slow: time.Second,
				FailureThreshold: 3, SuccessThreshold: 2, DependsOn: []string{"database"},
			}, {
				Shop: "main", ID: "database",
				Name:     rules.Text{ZH: "database", EN: "database"},
				Group:    rules.Text{ZH: "商店", EN: "Shop"},
				Role:     rules.RoleDatabase,
				Position: 3, // delivery is the second
				Public:   true,
				Targets:  []string{"[::1]:3306"}, Outward: true, // as the file says
				Module:   exporter.TCPModule(func(t *blackbox.TCPProbe) { t.TLS = true }),
				Interval: 5 * time.Second,
				Timeout:  5 * time.Second, // never longer than the interval
				Slow:     3 * time.Second, FailureThreshold: 1, SuccessThreshold: 1,
			}},
		}, {
			ID:   "second",
			Name: rules.Text{ZH: "second", EN: "second"},
			Ledger: &exporter.Ledger{
				Software: "sql", DSN: "postgres://shopwatch:" + token + "@db/shop", Zone: shanghai(t),
				Interval: 15 * time.Second, Lookback: 168 * time.Hour, Slow: time.Minute, Late: 15 * time.Second, Stuck: 90 * time.Second,
				Queries: &exporter.Queries{
					Orders: "SELECT o.id, o.state, o.created_at AS created, o.total AS amount\nFROM orders o",
					Key:    "o.id", Where: "o.total > 0", Number: "o.no", Form: "[A-Z]{2}[0-9]{10}",
					States: map[string]exporter.OrderState{"": exporter.Unpaid, "-1": exporter.Expired, "1": exporter.PaidAutoWaiting, "true": exporter.Delivered, "x": exporter.Removed},
					Stock:  "SELECT product, COUNT(*) AS cards FROM cards GROUP BY product",
				},
			},
			Services: []exporter.Service{{
				Shop: "second", ID: "storefront", // an id of another shop
				Name:  rules.Text{ZH: "storefront", EN: "storefront"},
				Group: rules.Text{ZH: "商店", EN: "Shop"},
				Role:  rules.RoleOther, Position: 1, Public: true,
				Module: plainHTTP(), Targets: []string{"http://127.0.0.1:8000/"},
				Interval: 15 * time.Second, Timeout: 10 * time.Second, Slow: 3 * time.Second,
				FailureThreshold: 1, SuccessThreshold: 1,
			}},
		}},
		Delivery: map[string]exporter.Service{"main": {
			Shop: "main", ID: rules.ServiceDelivery,
			Name:  rules.Text{ZH: "发货", EN: "Automatic delivery"},
			Group: rules.Text{ZH: "Buying", EN: "Buying"},
			Role:  rules.RoleDelivery, Position: 2, DependsOn: []string{"database"},
		}, "second": {
			Shop: "second", ID: rules.ServiceDelivery,
			Name:  rules.Text{ZH: "自动发货", EN: "Automatic delivery"},
			Group: rules.Text{ZH: "商店", EN: "Shop"},
			Role:  rules.RoleDelivery, Position: 2, Critical: true, Public: true,
		}},
		Escalation: rules.DemoEscalation(),
		Anchors:    []string{"119.29.29.29:53"},
		Probe: config.Probe{
			Targets: []string{
				"shop.example.com", "shop.example.com:443", "*.example.com", "*.example.com:443",
				"203.0.113.0/24", "[2001:db8::/32]:443",
			},
			Token: token,
		},
		Host:   config.Host{Root: "/host", Collectors: []string{"cpu", "pressure"}},
		Orders: config.Orders{LookupToken: token, LookupsPerMinute: 3, LookupsPerMinuteTotal: 60},
	}
	if want := []string{"api", "banner", "books", "http_2xx", "http_post", "postgresql"}; !slices.Equal(slices.Sorted(maps.Keys(got.Modules)), want) {
		t.Errorf("got modules %v, want %v", got.Modules, want)
	}
	got.Modules, got.Warnings = nil, nil // other tests'; and everybody may open the files of a checkout
	equal(t, got, want)
}

func shanghai(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// plainHTTP is the module of a service that names no more than a URL.
func plainHTTP() exporter.Module {
	return exporter.HTTPModule(func(h *blackbox.HTTPProbe) { h.Method, h.BodySizeLimit = "GET", 1<<20 })
}

// equal compares; fingerprints are another test's. A failure shows JSON, where
// a module is its name and kind.
func equal(t *testing.T, got, want config.Config) {
	t.Helper()
	for _, shop := range got.Shops {
		for i := range shop.Services {
			if shop.Services[i].Module.Fingerprint == "" {
				t.Errorf("service %s has no fingerprint", shop.Services[i].ID)
			}
			shop.Services[i].Module.Fingerprint = ""
		}
	}
	if reflect.DeepEqual(got, want) {
		return
	}
	type plain config.Config // without the methods that hide
	gotText, _ := json.MarshalIndent(plain(got), "", " ")
	wantText, _ := json.MarshalIndent(plain(want), "", " ")
	t.Errorf("got  %s\nwant %s", gotText, wantText)
	for i, shop := range got.Shops {
		for j, service := range shop.Services {
			if wanted := want.Shops[i].Services[j].Module; !reflect.DeepEqual(service.Module, wanted) {
				t.Errorf("service %s: got module %+v\nwant %+v", service.ID, service.Module.Blackbox, wanted.Blackbox)
			}
		}
	}
}

func TestAShopWithBooksAloneHasDeliveryByDefault(t *testing.T) {
	t.Parallel()
	doc, err := configfile.Parse("test.yml", []byte("exporter:\n  shops: [{id: main, ledger: {software: dujiaoka, dsn: 'u:p@tcp(db)/shop'}}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := exporter.Service{
		Shop: "main", ID: rules.ServiceDelivery,
		Name:  rules.Text{ZH: "自动发货", EN: "Automatic delivery"},
		Group: rules.Text{ZH: "商店", EN: "Shop"},
		Role:  rules.RoleDelivery, Position: 1, Critical: true, Public: true,
	}
	if !reflect.DeepEqual(got.Delivery["main"], want) {
		t.Errorf("got  %+v\nwant %+v", got.Delivery["main"], want)
	}
	ledger := got.Shops[0].Ledger
	if ledger.Zone.String() != "Asia/Shanghai" || ledger.Interval != 15*time.Second || ledger.Lookback != 168*time.Hour ||
		ledger.Slow != time.Minute || ledger.Late != 5*time.Minute || ledger.Stuck != 30*time.Minute {
		t.Errorf("got ledger %+v", ledger)
	}
}

func TestAConfigIsPrintedWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	loaded, err := config.Load(read(t, "testdata/full.yml", environment))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("loaded", "config", loaded)
	slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "config", loaded)
	marshalled, err := json.Marshal(loaded)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s", loaded, loaded, loaded, marshalled) + log.String()
	if strings.Contains(printed, password) {
		t.Errorf("the password is in %s", printed)
	}
	if want := "2 shops, 3 services, 2 ledgers"; loaded.String() != want {
		t.Errorf("got %q, want %q", loaded, want)
	}
}

// sampleEnvironment reads examples/dujiaoka.env, which also a shell can read.
func sampleEnvironment(t *testing.T) configfile.Lookup {
	t.Helper()
	text, err := os.ReadFile("../../examples/dujiaoka.env")
	if err != nil {
		t.Fatal(err)
	}
	env := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			env[name] = strings.Trim(value, "'")
		}
	}
	return func(name string) (string, bool) { value, set := env[name]; return value, set }
}

func TestTheExamplesLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no examples, %v", err)
	}
	for _, file := range files {
		doc := read(t, file, sampleEnvironment(t))
		loaded, err := config.Load(doc)
		if err := configfile.Join(doc.Only("escalation", "exporter", "notifier"), err); err != nil {
			t.Errorf("got\n%v", err)
		}
		for _, warning := range loaded.Warnings {
			if warning.Got != "the sample's value" {
				t.Errorf("got the warning %v", warning)
			}
		}
		if filepath.Base(file) == "dujiaoka.yml" && (len(loaded.Shops) != 1 || len(loaded.Shops[0].Services) != 6 || len(loaded.Delivery) != 1) {
			t.Errorf("got %v", loaded)
		}
	}
}

func TestWhatTheExampleOffersInACommentLoadsToo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/dujiaoka.yml")
	if err != nil {
		t.Fatal(err)
	}
	var open strings.Builder
	inside := false
	for line := range strings.Lines(string(text)) {
		inside = strings.HasPrefix(line, "        # - id: ") || inside && strings.HasPrefix(line, "        # ")
		if inside {
			line = "        " + strings.TrimPrefix(line, "        # ")
		}
		if module := "  # module_files: [blackbox.yml]"; strings.HasPrefix(line, module) {
			line = strings.Replace(module, "# ", "", 1) + "\n"
		}
		if probe := "  # probe: {"; strings.HasPrefix(line, probe) {
			line = strings.Replace(line, "# ", "", 1)
		}
		open.WriteString(line)
	}
	doc, err := configfile.Parse("testdata/test.yml", []byte(open.String()), sampleEnvironment(t))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(doc)
	if err != nil {
		t.Fatalf("got\n%v", err)
	}
	kinds := make(map[exporter.Kind]int)
	for _, service := range loaded.Shops[0].Services {
		kinds[service.Module.Kind]++
	}
	if kinds[exporter.KindJourney] != 1 || len(loaded.Probe.Targets) != 1 || loaded.Modules["banner"].Kind != exporter.KindTCP {
		t.Errorf("got %v, %v", kinds, loaded.Probe.Targets)
	}
}
