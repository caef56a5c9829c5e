package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	exporterapp "shopwatch/exporter/app"
	exporterconfig "shopwatch/exporter/config"
	"shopwatch/internal/guard"
	notifierapp "shopwatch/notifier/app"
	notifierconfig "shopwatch/notifier/config"
	"shopwatch/notifier/console"
	"shopwatch/rules"
	"shopwatch/rules/engine"
)

// everything is what `up` runs, on a configuration file or on the demo shop.
type everything struct {
	flags    flags
	exporter exporterconfig.Config
	notifier notifierconfig.Config
	judgement
	demo   *demoWorld // nil on a configuration file
	logger *slog.Logger

	private, public net.Listener
	inside          *inside // the private address within this process
	hangups         <-chan os.Signal
	operator        *guard.Operator
	webhookToken    string // of the engine's Alertmanager alone, so that it stays whatever others are given
	registry        *prometheus.Registry
}

// up runs everything in one process until ctx ends.
func up(ctx context.Context, f flags, stdout, stderr io.Writer) (err error) {
	var hangups <-chan os.Signal
	switch {
	case f.configFile != "":
		hangups = hearHangups()
	case !signal.Ignored(syscall.SIGHUP): // nothing to read anew: the demo ends with the window it was started in
		var stop func()
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
	}
	if err := f.checkWebConfig(); err != nil {
		return err
	}
	if err := prepare(f.dataDir); err != nil {
		return err
	}
	e := &everything{flags: f, logger: f.logger(stderr), registry: newRegistry(), hangups: hangups}
	if e.private, err = listen("private.listen-address", f.privateOr("127.0.0.1:9816")); err != nil {
		return err
	}
	defer e.private.Close()
	e.inside = newInside(reach(e.private))
	if e.public, err = listen("web.listen-address", f.public); err != nil {
		return err
	}
	defer e.public.Close()
	if e.operator, err = operator(f); err != nil {
		return err
	}
	if err := e.configure(); err != nil {
		return err
	}
	defer e.demo.close()
	return e.run(ctx, stdout)
}

// configure reads the configuration file, or builds the demo shop.
func (e *everything) configure() error {
	if e.flags.configFile == "" {
		world, err := newDemoWorld(e.flags, reach(e.private), e.logger)
		if err != nil {
			return err
		}
		e.demo, e.exporter, e.notifier = world, world.exporter(), world.notifier()
	} else {
		doc, err := read(e.flags)
		if err != nil {
			return err
		}
		if err := load(doc, into(&e.exporter, exporterconfig.Load), into(&e.notifier, notifierconfig.Load),
			into(&e.settings, engine.LoadSettings)); err != nil {
			return err
		}
		e.notifier.Warnings = append(e.notifier.Warnings, strangers(doc, e.exporter, e.notifier)...)
	}
	e.escalation = e.exporter.Escalation
	var err error
	e.webhookToken, err = guard.TokenFile(filepath.Join(e.flags.dataDir, webhookToken))
	return err
}

// run builds the parts from the measuring end to the telling end and runs them
// as one group: the first that ends stops all.
func (e *everything) run(ctx context.Context, stdout io.Writer) error {
	measuring, err := exporterapp.New(exporterapp.Config{
		Exporter: e.exporter, DataDir: e.flags.dataDir, Version: version, Registerer: e.registry, Operator: e.operator.Known, Now: clock, Logger: e.logger,
	})
	if err != nil {
		return err
	}
	defer measuring.Close()
	b, err := e.bench()
	if err != nil {
		return err
	}
	judging, err := b.open(e.judgement)
	if err != nil {
		return err
	}
	defer judging.Close()
	telling, err := notifierapp.New(ctx, notifierapp.Config{
		Notifier: e.notifier, DataDir: e.flags.dataDir, PrometheusURL: e.url() + engine.PrometheusPath,
		AlertmanagerURL: e.url() + engine.AlertmanagerPath, Dial: e.inside.Dial, WebhookToken: e.webhookToken,
		PageURL: "http://" + reach(e.public), RunbookURL: e.shown() + "/runbooks", Operator: e.operator, Links: e.links(), Demo: e.demo.audience(e.shown()),
		Registerer: e.registry, Now: clock, Logger: e.logger,
	})
	if err != nil {
		return err
	}
	defer telling.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", measuring.Metrics(e.registry, judging.Gatherer()))
	measuring.Mount(mux)
	// Prometheus's API changes nothing; a query may come by POST. An alert or a
	// silence that anybody on this machine could post would be told to everybody.
	mux.Handle(engine.PrometheusPath+"/", http.StripPrefix(engine.PrometheusPath, judging.Prometheus()))
	mux.Handle(engine.AlertmanagerPath+"/", e.operator.Changes(http.StripPrefix(engine.AlertmanagerPath, judging.Alertmanager())))
	mux.Handle("GET /{$}", http.RedirectHandler("/console/", http.StatusFound))
	mux.Handle("/", telling.Private())
	e.demo.mount(mux, e.operator)
	again := newReload(func() error { return e.reload(b, measuring, judging, telling) }, e.registry, e.logger)
	again.mount(mux, e.operator)
	handler, err := private(e.flags, e.private, mux, judging.Ready())
	if err != nil {
		return err
	}

	// Stopped in this order: whoever acts before whom it acts on, or a notice
	// that is on its way at the stop would count as one that failed.
	var group run.Group
	addSignal(&group, ctx)
	addRun(&group, telling.Run)
	addRun(&group, measuring.Run)
	addRun(&group, judging.Run)
	addServer(&group, e.inside, "", handler, e.logger)
	addServer(&group, e.private, e.flags.webConfig, handler, e.logger)
	addServer(&group, e.public, "", telling.Public(), e.logger)
	again.add(&group, e.hangups)
	e.demo.add(&group)
	addRun(&group, func(ctx context.Context) error {
		select {
		case <-judging.Ready():
			e.greet(stdout)
		case <-ctx.Done():
		}
		<-ctx.Done()
		return nil
	})
	return group.Run()
}

// reload puts the sections of the configuration file into force anew, all of them
// or nothing.
func (e *everything) reload(b bench, measuring *exporterapp.App, running *engine.Engine, telling *notifierapp.App) error {
	if e.flags.configFile == "" {
		return errors.New("the demo shop has no configuration file")
	}
	doc, err := read(e.flags)
	if err != nil {
		return err
	}
	var measure exporterconfig.Config
	var tell notifierconfig.Config
	var next judgement
	if err := load(doc, into(&measure, exporterconfig.Load), into(&tell, notifierconfig.Load),
		into(&next.settings, engine.LoadSettings)); err != nil {
		return err
	}
	next.escalation = measure.Escalation
	next.escalation.Pace = e.judgement.escalation.Pace
	tell.Escalation.Pace = next.escalation.Pace
	tell.Warnings = append(tell.Warnings, strangers(doc, measure, tell)...)
	use, err := telling.Prepare(tell)
	if err != nil {
		return err
	}
	if err := b.reload(running, e.judgement, next); err != nil {
		return err
	}
	if err := measuring.Reload(measure); err != nil {
		return errors.Join(err, b.reload(running, next, e.judgement))
	}
	if measure.Escalation.Pace != next.escalation.Pace {
		e.logger.Warn("the pace changes with the next start only", "pace", next.escalation.Pace)
	}
	e.judgement = next
	use()
	return nil
}

// bench is where the engine judges.
func (e *everything) bench() (bench, error) {
	dir, err := filepath.Abs(filepath.Join(e.flags.dataDir, "engine"))
	if err != nil {
		return bench{}, err
	}
	token, err := filepath.Abs(filepath.Join(e.flags.dataDir, webhookToken))
	return bench{dir: dir, token: token, exporter: reach(e.private), shown: e.shown(), dial: e.inside.Dial, logger: e.logger}, err
}

// url is the private address within this process.
func (e *everything) url() string { return "http://" + reach(e.private) }

// shown is the private address for people.
func (e *everything) shown() string { return e.flags.privateScheme() + "://" + reach(e.private) }

func (e *everything) links() []console.Link {
	links := []console.Link{
		{Name: rules.Text{ZH: "状态页", EN: "Public page"}, URL: "http://" + reach(e.public) + "/"},
		{Name: rules.Text{ZH: "探测记录：为什么变红", EN: "Last looks: why it is red"}, URL: "/looks"},
		{Name: rules.Text{ZH: "Prometheus 告警", EN: "Prometheus alerts"}, URL: engine.PrometheusPath + "/api/v1/alerts"},
		{Name: rules.Text{ZH: "Alertmanager 告警", EN: "Alertmanager alerts"}, URL: engine.AlertmanagerPath + "/api/v2/alerts"},
	}
	return append(links, e.demo.links()...)
}

// greet says what runs, where, and how to break it.
func (e *everything) greet(stdout io.Writer) {
	console := fmt.Sprintf("%s/console/login?code=%s", e.shown(), e.operator.Code())
	page := "http://" + strings.Replace(reach(e.public), "127.0.0.1", "localhost", 1) + "/"
	if e.demo != nil {
		e.demo.greet(stdout, page, console, e.shown())
		return
	}
	fmt.Fprintf(stdout, "shopwatch watches %d shop(s); operations are told after %s, management after %s.\n",
		len(e.exporter.Shops), model.Duration(e.exporter.Escalation.Ops), model.Duration(e.exporter.Escalation.Management))
	fmt.Fprintf(stdout, "  Public page   %s\n  Console       %s\n  Prometheus    %s%s/\n  Alertmanager  %s%s/\n",
		page, console, e.shown(), engine.PrometheusPath, e.shown(), engine.AlertmanagerPath)
}
