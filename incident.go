package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	id     string
	wish   console.Wish
	status string
	eta    string
	quiet  time.Duration
}

func (i *incidentFlags) commands(ctx context.Context, f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout, stderr io.Writer) {
	all := app.Command("incident", "Incidents, asked of the notifier that runs.")
	list := command(all.Command("list", "What runs, and who has it in hand."), func() error { return i.list(ctx, *f, stdout, stderr) })
	list.Flag("format", "table or json.").Default("table").EnumVar(&i.format, console.Formats...)
	show := command(all.Command("show", "One incident, open or over: its timeline, who was told, who did what."), func() error { return i.show(ctx, *f, stdout) })
	i.which(show)
	show.Flag("format", "table or json.").Default("table").EnumVar(&i.format, console.Formats...)
	deed := func(verb, help string, deed notifier.Deed) *kingpin.CmdClause {
		cmd := command(all.Command(verb, help), func() error { return i.do(ctx, *f, deed, stdout) })
		i.which(cmd)
		byFlag(cmd, &i.wish.By)
		return cmd
	}
	deed("ack", "Say that you have an incident in hand.", notifier.DeedAcknowledge)
	deed("unack", "Say that you no longer have it in hand.", notifier.DeedWithdraw)
	update := deed("update", "Tell how an incident stands: whoever was told of it hears so, subscribers if it is public.", notifier.DeedUpdate)
	update.Flag("status", "investigating, identified or monitoring; postmortem once it is over.").
		EnumVar(&i.status, string(notifier.Investigating), string(notifier.Identified), string(notifier.Monitoring), string(notifier.Postmortem))
	i.words(update)
	update.Flag("silent", "On the page alone: send nothing.").BoolVar(&i.wish.Silent)
	i.words(deed("publish", "Make an incident public now, and tell the subscribers.", notifier.DeedPublish))
	deed("hold", "Keep an incident from becoming public by itself.", notifier.DeedHold)
	lengthFlag(deed("silence", "Keep an incident's alerts silent in Alertmanager for a while.", notifier.DeedSilence).
		Flag("for", "How long, from 1m to 24h.").Default("1h"), &i.quiet)
	resolve := deed("resolve", "Call an incident over whose end nobody else will tell; whoever was told of it hears so.", notifier.DeedResolve)
	i.text(resolve)
	resolve.Flag("force", "Though its alerts fire, as far as we know.").BoolVar(&i.wish.Force)
}

func (i *incidentFlags) which(cmd *kingpin.CmdClause) {
	cmd.Arg("id", "The incident's id, as in the list.").Required().StringVar(&i.id)
}

func (i *incidentFlags) text(cmd *kingpin.CmdClause) {
	cmd.Flag("zh", "What to tell, in Chinese. One language is enough: readers of the other see it as it is.").StringVar(&i.wish.Text.ZH)
	cmd.Flag("en", "What to tell, in English.").StringVar(&i.wish.Text.EN)
}

// words are the flags of what an update tells.
func (i *incidentFlags) words(cmd *kingpin.CmdClause) {
	i.text(cmd)
	cmd.Flag("scope-zh", "Who is affected, in Chinese: 所有用户, 部分渠道.").StringVar(&i.wish.Scope.ZH)
	cmd.Flag("scope-en", "Who is affected, in English.").StringVar(&i.wish.Scope.EN)
	cmd.Flag("workaround-zh", "What to do meanwhile, in Chinese.").StringVar(&i.wish.Workaround.ZH)
	cmd.Flag("workaround-en", "What to do meanwhile, in English.").StringVar(&i.wish.Workaround.EN)
	cmd.Flag("eta", `In how long it is expected to be over, as in 30m or 2h, or when, as "2026-11-23 02:00".`).StringVar(&i.eta)
}

// byFlag is who does something; empty if neither flag nor system says.
func byFlag(cmd *kingpin.CmdClause, by *string) {
	cmd.Flag("by", "Who you are, as others will read it.").Default(cmp.Or(os.Getenv("USER"), os.Getenv("USERNAME"))).StringVar(by)
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

// show prints all that is known of one incident.
func (i *incidentFlags) show(ctx context.Context, f flags, stdout io.Writer) error {
	var a console.Account
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		a, err = c.Incident(ctx, i.id)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("incident show: %w", err)
	case i.format == "json":
		return console.JSON(stdout, a)
	}
	return console.WriteAccount(stdout, a, time.Local)
}

// do does a deed to an incident.
func (i *incidentFlags) do(ctx context.Context, f flags, deed notifier.Deed, stdout io.Writer) error {
	wish := i.wish
	wish.Status, wish.For = notifier.IncidentStatus(i.status), console.Span(i.quiet)
	var err error
	if wish.ETA, err = readAhead("eta", i.eta); err != nil {
		return fmt.Errorf("incident: %w", err)
	}
	var r console.Running
	err = f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		r, err = c.Do(ctx, deed, i.id, wish)
		return err
	})
	if err != nil {
		return fmt.Errorf("incident: %w", err)
	}
	return console.WriteDeed(stdout, deed, r, wish.By, time.Local)
}

// askNotifier asks the notifier that runs with the same data directory: at the
// private address that is named, else at that of `up`, else at that of `notifier`.
func (f flags) askNotifier(ctx context.Context, ask func(context.Context, console.Client) error) error {
	door, err := f.door()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, incidentsWithin)
	defer cancel()
	var away []error // of where `shopwatch` answers, and where `shopwatch notifier` does
	for _, address := range []string{"127.0.0.1:9816", "127.0.0.1:9817"} {
		err = ask(ctx, console.Client{URL: door.url(f.privateOr(address)), Token: door.token, HTTP: door.client})
		if f.private != "" || !errors.Is(err, console.ErrNoNotifier) {
			return err
		}
		away = append(away, err)
	}
	return errors.Join(away...)
}
