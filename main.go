// Command shopwatch measures an auto-delivery card shop, judges what it
// measured, tells people, and shows a public page.
//
// Without a command it runs everything in one process; without --config.file it
// does so on a demo shop that can be broken on command. This package holds flags
// and wiring, and nothing else: see README.md for the map of the house.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

// version is set by the linker: -X main.version=1.2.3.
var version = "dev"

// flags are what the command line says.
type flags struct {
	configFile   string
	dataDir      string
	logLevel     string
	logFormat    string
	public       string
	private      string
	privateHosts []string
	webConfig    string // exporter-toolkit's file for the private address
	httpConfig   string // Prometheus's form, for commands that ask a running shopwatch
	service      string // of demo break and heal
	rules        rulesFlags
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// execute parses the command line and runs its command until ctx ends.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f flags
	app := kingpin.New("shopwatch", "Watches auto-delivery card shops: measures, judges, tells, shows.")
	app.UsageWriter(stdout).ErrorWriter(stderr)
	app.HelpFlag.Short('h')
	app.Version("shopwatch " + version)
	app.Flag("config.file", "Configuration file; without one, `up` runs on the demo shop.").StringVar(&f.configFile)
	app.Flag("data.dir", "Folder of everything that must survive a restart.").Default("data").StringVar(&f.dataDir)
	app.Flag("log.level", "Least level of messages on standard error (default info; of the demo, warn).").EnumVar(&f.logLevel, "debug", "info", "warn", "error")
	app.Flag("log.format", "Form of messages.").Default("logfmt").EnumVar(&f.logFormat, "logfmt", "json")
	app.Flag("web.listen-address", "Address of the public page.").Default(":8080").StringVar(&f.public)
	app.Flag("private.listen-address", "Address of metrics, webhook and console (default 127.0.0.1:9816; of `notifier`, 127.0.0.1:9817).").StringVar(&f.private)
	app.Flag("private.host", "Further host name under which the private address may be asked; repeatable.").StringsVar(&f.privateHosts)

	app.Flag("web.config.file", "TLS and logins of the private address, in exporter-toolkit's form.").StringVar(&f.webConfig)
	app.Flag("http.config.file", "What a command that asks a running shopwatch shows its private address, where --web.config.file protects that: login, authority, client certificate, in the form of Prometheus's HTTP clients.").StringVar(&f.httpConfig)

	commands := map[string]func() error{}
	command := func(cmd *kingpin.CmdClause, do func() error) *kingpin.CmdClause {
		commands[cmd.FullCommand()] = do
		return cmd
	}
	command(app.Command("up", "Everything in one process.").Default(), func() error { return up(ctx, f, stdout, stderr) })
	command(app.Command("exporter", "The measuring half."), func() error { return runExporter(ctx, f, stdout, stderr) })
	command(app.Command("notifier", "The telling half."), func() error { return runNotifier(ctx, f, stdout, stderr) })
	command(app.Command("check", "Say every mistake in the configuration file, and exit 1 if there is one."), func() error { return check(f, stdout) })
	f.rules.commands(&f, app, command, stdout)
	new(templatesFlags).commands(app, command, stdout)
	demo := app.Command("demo", "Break and heal the demo shop that runs.")
	for _, verb := range []string{"break", "heal"} {
		cmd := demo.Command(verb, verb+" a service: its id, as on the demo page, or delivery.")
		cmd.Arg("service", "Service id.").Required().StringVar(&f.service)
		command(cmd, func() error { return askDemo(ctx, f, verb, stdout) })
	}
	new(ordersFlags).commands(ctx, &f, app, command, stdout, stderr)
	new(incidentFlags).commands(ctx, &f, app, command, stdout, stderr)
	new(maintenanceFlags).commands(ctx, &f, app, command, stdout, stderr)
	backupCommand(ctx, &f, app, command, stdout)
	new(subscriberFlags).commands(ctx, &f, app, command, stdout, stderr)
	new(outboxFlags).commands(ctx, &f, app, command, stdout, stderr)
	name, err := app.Parse(args)
	if err != nil {
		return fmt.Errorf("shopwatch: %w; try --help", err)
	}
	return commands[name]()
}

// logger writes to standard error in the form that was asked for.
func (f flags) logger(stderr io.Writer) *slog.Logger {
	var level slog.Level
	switch {
	case f.logLevel != "":
		_ = level.UnmarshalText([]byte(f.logLevel)) // one of the flag's own values
	case f.configFile == "":
		level = slog.LevelWarn // in the demo the page and the sandbox tell what happens
	}
	options := &slog.HandlerOptions{Level: level}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(stderr, options))
	}
	return slog.New(slog.NewTextHandler(stderr, options))
}

// clock is the only place where the time is taken from the machine.
func clock() time.Time { return time.Now() }
