package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	exporterapp "shopwatch/exporter/app"
	exporterconfig "shopwatch/exporter/config"
	"shopwatch/internal/configfile"
	notifierapp "shopwatch/notifier/app"
	notifierconfig "shopwatch/notifier/config"
	"shopwatch/rules/engine"
)

// sections are the top-level keys of shopwatch.yml.
var sections = []string{exporterconfig.Section, notifierconfig.Section, exporterconfig.SectionEscalation, engine.Section}

// read parses the configuration file; load looks into it.
func read(f flags) (*configfile.Document, error) {
	if f.configFile == "" {
		return nil, errors.New("--config.file is required: without one there is only `shopwatch up` on the demo shop")
	}
	return configfile.Read(f.configFile, os.LookupEnv)
}

// load joins the mistakes of the sections that a command needs with those of
// sections that nobody reads, so that all come at once.
func load(doc *configfile.Document, sectionsOfCommand ...func(*configfile.Document) error) error {
	problems := []error{doc.Only(sections...)}
	for _, section := range sectionsOfCommand {
		problems = append(problems, section(doc))
	}
	return configfile.Join(problems...)
}

// into keeps what a section's loader gives.
func into[T any](to *T, loader func(*configfile.Document) (T, error)) func(*configfile.Document) error {
	return func(doc *configfile.Document) (err error) {
		*to, err = loader(doc)
		return err
	}
}

// check prints every mistake of the configuration file.
func check(f flags, stdout io.Writer) error {
	doc, err := read(f)
	if err != nil {
		return err
	}
	var measuring exporterconfig.Config
	var telling notifierconfig.Config
	var halves []func(*configfile.Document) error
	if doc.Has(exporterconfig.Section) || !doc.Has(notifierconfig.Section) {
		halves = append(halves, into(&measuring, exporterconfig.Load))
	}
	if doc.Has(notifierconfig.Section) {
		halves = append(halves, into(&telling, notifierconfig.Load))
	}
	var judge judgement
	if doc.Has(engine.Section) {
		halves = append(halves, into(&judge.settings, engine.LoadSettings))
	}
	if err := load(doc, halves...); err != nil {
		return err
	}
	judge.escalation = measuring.Escalation
	if doc.Has(engine.Section) {
		if err := checkEngine(judge); err != nil {
			return fmt.Errorf("%s: %w", f.configFile, err)
		}
	}
	if err := exporterapp.Check(measuring); err != nil {
		return fmt.Errorf("%s: %w", f.configFile, err)
	}
	if err := notifierapp.Check(telling); err != nil {
		return err
	}
	for _, warning := range slices.Concat(measuring.Warnings, telling.Warnings, strangers(doc, measuring, telling)) {
		fmt.Fprintf(stdout, "warning: %v\n", warning)
	}
	fmt.Fprintf(stdout, "%s: no mistakes\n", f.configFile)
	return nil
}

// strangers warns of services that only the telling half has, where the file has both.
func strangers(doc *configfile.Document, measuring exporterconfig.Config, telling notifierconfig.Config) configfile.Mistakes {
	var known []string
	for _, shop := range measuring.Shops {
		for _, service := range shop.Services {
			known = append(known, service.Shop+"/"+service.ID)
		}
		if delivery, ok := measuring.Delivery[shop.ID]; ok {
			known = append(known, delivery.Shop+"/"+delivery.ID)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return telling.Strangers(doc, known)
}

// readExporter reads what the measuring half needs of the configuration file.
func readExporter(f flags) (cfg exporterconfig.Config, err error) {
	doc, err := read(f)
	if err != nil {
		return cfg, err
	}
	return cfg, load(doc, into(&cfg, exporterconfig.Load))
}

// manyServices is where the memory of the services outgrows that of the program.
const manyServices = 2000

func countServices(cfg exporterconfig.Config) (n int) {
	for _, shop := range cfg.Shops {
		n += len(shop.Services)
	}
	return n
}

// runExporter runs the measuring half for a Prometheus of the user's.
func runExporter(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	hangups := hearHangups()
	cfg, err := readExporter(f)
	if err != nil {
		return err
	}
	if err := f.checkWebConfig(); err != nil {
		return err
	}
	if err := prepare(f.dataDir); err != nil {
		return err
	}
	if services := countServices(cfg); services > manyServices && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // a quarter less memory for a tenth more CPU
	}
	logger, registry := f.logger(stderr), newRegistry()
	operator, err := operator(f)
	if err != nil {
		return err
	}
	app, err := exporterapp.New(exporterapp.Config{
		Exporter: cfg, DataDir: f.dataDir, Version: version, Registerer: registry, Operator: operator.Known, Now: clock, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer app.Close()
	l, err := listen("private.listen-address", f.privateOr("127.0.0.1:9816"))
	if err != nil {
		return err
	}
	again := newReload(func() error {
		next, err := readExporter(f)
		if err != nil {
			return err
		}
		return app.Reload(next)
	}, registry, logger)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", app.Metrics(registry))
	app.Mount(mux)
	mux.Handle("GET /{$}", http.RedirectHandler("/looks", http.StatusFound))
	again.mount(mux, operator)
	handler, err := private(f, l, mux, closed())
	if err != nil {
		return err
	}
	var group run.Group
	addSignal(&group, ctx)
	addRun(&group, app.Run)
	addServer(&group, l, f.webConfig, handler, logger)
	again.add(&group, hangups)
	at := f.privateScheme() + "://" + reach(l)
	fmt.Fprintf(stdout, "shopwatch exporter: metrics at %s/metrics\n  why a service is red: %s/looks\n", at, at)
	return group.Run()
}

// readNotifier reads what the telling half needs of the configuration file.
func readNotifier(f flags) (cfg notifierconfig.Config, err error) {
	doc, err := read(f)
	if err != nil {
		return cfg, err
	}
	return cfg, load(doc, into(&cfg, notifierconfig.LoadStandalone))
}

// runNotifier runs the telling half beside an Alertmanager of the user's.
func runNotifier(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	hangups := hearHangups()
	cfg, err := readNotifier(f)
	if err != nil {
		return err
	}
	if err := f.checkWebConfig(); err != nil {
		return err
	}
	if err := prepare(f.dataDir); err != nil {
		return err
	}
	operator, err := operator(f)
	if err != nil {
		return err
	}
	l, err := listen("private.listen-address", f.privateOr("127.0.0.1:9817"))
	if err != nil {
		return err
	}
	public, err := listen("web.listen-address", f.public)
	if err != nil {
		return err
	}
	logger, registry := f.logger(stderr), newRegistry()
	app, err := notifierapp.New(ctx, notifierapp.Config{
		Notifier: cfg, DataDir: f.dataDir, PageURL: "http://" + reach(public), Operator: operator,
		RunbookURL: f.privateScheme() + "://" + reach(l) + "/runbooks",
		Version:    version, Registerer: registry, Now: clock, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer app.Close()
	again := newReload(func() error {
		next, err := readNotifier(f)
		if err != nil {
			return err
		}
		use, err := app.Prepare(next)
		if err != nil {
			return err
		}
		use()
		return nil
	}, registry, logger)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics(registry))
	mux.Handle("GET /{$}", http.RedirectHandler("/console/", http.StatusFound))
	mux.Handle("/", app.Private())
	again.mount(mux, operator)
	handler, err := private(f, l, mux, closed())
	if err != nil {
		return err
	}
	var group run.Group
	addSignal(&group, ctx)
	addRun(&group, app.Run)
	addServer(&group, l, f.webConfig, handler, logger)
	addServer(&group, public, "", app.Public(), logger)
	again.add(&group, hangups)
	fmt.Fprintf(stdout, "shopwatch notifier: page at http://%[1]s/, webhook at %[2]s://%[3]s/webhook, console at %[2]s://%[3]s/console/login?code=%[4]s\n",
		reach(public), f.privateScheme(), reach(l), operator.Code())
	return group.Run()
}

func (f flags) privateOr(address string) string {
	if f.private != "" {
		return f.private
	}
	return address
}

// newRegistry has the process's own metrics besides what the halves add.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), ownClock())
	return registry
}

// metrics answers a scrape from all gatherers; one that fails spoils only itself.
func metrics(gatherers ...prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers(gatherers), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
