package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
)

// incidentsWithin is how long a running notifier may take to answer about incidents.
const incidentsWithin = 10 * time.Second

// incidentFlags are the options of the commands about incidents.
type incidentFlags struct {
	format string
	id, by string
}

func (i *incidentFlags) commands(ctx context.Context, f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout, stderr io.Writer) {
	all := app.Command("incident", "Incidents that run, asked of the notifier that runs.")
	list := command(all.Command("list", "What runs, and who has it in hand."), func() error { return i.list(ctx, *f, stdout, stderr) })
	list.Flag("format", "table or json.").Default("table").EnumVar(&i.format, console.Formats...)
	deed := func(verb, help string, deed notifier.Deed) {
		cmd := command(all.Command(verb, help), func() error { return i.do(ctx, *f, deed, stdout) })
		cmd.Arg("id", "The incident's id, as in the list.").Required().StringVar(&i.id)
		cmd.Flag("by", "Who you are, as management will read it.").Default(cmp.Or(os.Getenv("USER"), os.Getenv("USERNAME"))).StringVar(&i.by)
	}
	deed("ack", "Say that you have an incident in hand.", notifier.DeedAcknowledge)
	deed("unack", "Say that you no longer have it in hand.", notifier.DeedWithdraw)
}

// list prints the incidents that run.
func (i *incidentFlags) list(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	var incidents []console.Running
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		incidents, err = c.Incidents(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("incident list: %w", err)
	}
	if len(incidents) == 0 {
		fmt.Fprintln(stderr, "no incident runs")
	}
	return console.Write(stdout, i.format, incidents, time.Local)
}

// do does a deed to an incident.
func (i *incidentFlags) do(ctx context.Context, f flags, deed notifier.Deed, stdout io.Writer) error {
	var r console.Running
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		r, err = c.Do(ctx, deed, i.id, i.by)
		return err
	})
	if err != nil {
		return fmt.Errorf("incident: %w", err)
	}
	return console.WriteHand(stdout, r, time.Local)
}

// askNotifier asks the notifier that runs with the same data directory: at the
// private address that is named, else at that of `up`, else at that of `notifier`.
func (f flags) askNotifier(ctx context.Context, ask func(context.Context, console.Client) error) error {
	token, err := os.ReadFile(filepath.Join(f.dataDir, operatorToken))
	if err != nil {
		return fmt.Errorf("no shopwatch has run with --data.dir %q: %w", f.dataDir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, incidentsWithin)
	defer cancel()
	for _, address := range []string{"127.0.0.1:9816", "127.0.0.1:9817"} {
		err = ask(ctx, console.Client{
			URL: f.privateScheme() + "://" + f.privateOr(address), Token: strings.TrimSpace(string(token)), HTTP: http.DefaultClient,
		})
		if f.private != "" || !errors.Is(err, console.ErrNoNotifier) {
			break
		}
	}
	return err
}
