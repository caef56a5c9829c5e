package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"shopwatch/notifier/console"
)

// outboxFlags are the options of the commands about what waits to be sent, and
// of the one about what people did.
type outboxFlags struct {
	format  string
	before  int64
	subject string
	which   console.Resending
}

func (o *outboxFlags) commands(ctx context.Context, f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout, stderr io.Writer) {
	formatted := func(cmd *kingpin.CmdClause) *kingpin.CmdClause {
		cmd.Flag("format", "table or json.").Default("table").EnumVar(&o.format, console.Formats...)
		return cmd
	}
	paged := func(cmd *kingpin.CmdClause, what string) *kingpin.CmdClause {
		cmd.Flag("before", "Go on before this "+what+", the last one of the page before.").Int64Var(&o.before)
		return formatted(cmd)
	}
	all := app.Command("outbox", "Notices that wait or were given up, asked of the notifier that runs.")
	formatted(command(all.Command("list", "How many wait, and how many were given up, by channel and audience."), func() error { return o.list(ctx, *f, stdout) }))
	paged(command(all.Command("dead", "What was given up, and why, the newest first."), func() error { return o.dead(ctx, *f, stdout, stderr) }), "delivery")
	again := command(all.Command("resend", "Send again what was given up."), func() error { return o.resend(ctx, *f, stdout) })
	again.Arg("delivery", "Numbers as `outbox dead` gives them.").Int64ListVar(&o.which.Deliveries)
	again.Flag("all", "All that was given up.").BoolVar(&o.which.All)
	byFlag(again, &o.which.By)
	audit := paged(command(app.Command("audit", "What people did, the newest first, asked of the notifier that runs."), func() error { return o.audit(ctx, *f, stdout, stderr) }), "entry")
	audit.Flag("subject", `What it was done to, as in "incident k3…" or "recipient 17" (default all).`).StringVar(&o.subject)
}

func (o *outboxFlags) list(ctx context.Context, f flags, stdout io.Writer) error {
	var outbox console.Outbox
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		outbox, err = c.Outbox(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("outbox list: %w", err)
	}
	return console.WriteOutbox(stdout, o.format, outbox, time.Local)
}

func (o *outboxFlags) dead(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	var letters console.Letters
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		letters, err = c.DeadLetters(ctx, o.before)
		return err
	})
	if err != nil {
		return fmt.Errorf("outbox dead: %w", err)
	}
	switch {
	case len(letters.Dead) == 0:
		fmt.Fprintln(stderr, "nothing was given up")
	case letters.Next != 0:
		fmt.Fprintf(stderr, "there are more: go on with --before=%d\n", letters.Next)
	}
	return console.WriteLetters(stdout, o.format, letters, time.Local)
}

func (o *outboxFlags) resend(ctx context.Context, f flags, stdout io.Writer) error {
	if o.which.All == (len(o.which.Deliveries) > 0) {
		return errors.New("outbox resend: name deliveries, as `shopwatch outbox dead` gives them, or --all")
	}
	var n int
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		n, err = c.Resend(ctx, o.which)
		return err
	})
	if err != nil {
		return fmt.Errorf("outbox resend: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%d deliveries are sent again\n", n)
	return err
}

func (o *outboxFlags) audit(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	var record console.Record
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		record, err = c.Audit(ctx, o.subject, o.before)
		return err
	})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	switch {
	case len(record.Entries) == 0:
		fmt.Fprintln(stderr, "nobody did anything yet")
	case record.Next != 0:
		fmt.Fprintf(stderr, "there are more: go on with --before=%d\n", record.Next)
	}
	return console.WriteRecord(stdout, o.format, record, time.Local)
}
