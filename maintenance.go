package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
)

// maintenanceFlags are the options of the commands about planned work.
type maintenanceFlags struct {
	format      string
	id          string
	work        console.Work
	from, until string
	lasts       time.Duration
	status      string
}

func (m *maintenanceFlags) commands(ctx context.Context, f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout, stderr io.Writer) {
	all := app.Command("maintenance", "Planned work: announced before, begun and ended by itself, paging nobody meanwhile.")
	list := command(all.Command("list", "What is planned or goes on, and what ended within 30 days."), func() error { return m.list(ctx, *f, stdout, stderr) })
	list.Flag("format", "table or json.").Default("table").EnumVar(&m.format, console.Formats...)
	schedule := command(all.Command("schedule", "Announce work: on the page, and to ops and the subscribers of its services."), func() error { return m.schedule(ctx, *f, stdout) })
	schedule.Flag("title-zh", "What it is, in Chinese: 搬迁数据库. One language is enough.").StringVar(&m.work.Title.ZH)
	schedule.Flag("title-en", "What it is, in English: Moving the database.").StringVar(&m.work.Title.EN)
	schedule.Flag("service", "What is worked on: main/alipay, or main for the whole shop; repeatable.").Required().StringsVar(&m.work.Services)
	m.window(schedule)
	m.words(schedule)
	deed := func(verb, help string, deed notifier.Deed) *kingpin.CmdClause {
		cmd := command(all.Command(verb, help), func() error { return m.do(ctx, *f, deed, stdout) })
		cmd.Arg("id", "The maintenance's id, as in the list.").Required().StringVar(&m.id)
		return cmd
	}
	update := deed("update", "Tell how it stands, or plan it for another time.", notifier.DeedUpdate)
	update.Flag("status", "in_progress or verifying, while it goes on.").EnumVar(&m.status, string(notifier.InProgress), string(notifier.Verifying))
	m.window(update)
	m.words(update)
	byFlag(deed("begin", "Begin it before its time.", notifier.DeedBegin), &m.work.By)
	for _, ending := range []*kingpin.CmdClause{
		deed("complete", "Call it done; at its time it ends by itself, once its services work.", notifier.DeedComplete),
		deed("cancel", "Take the plan back; whoever was told of it hears so.", notifier.DeedCancel),
	} {
		m.text(ending)
		byFlag(ending, &m.work.By)
	}
}

func (m *maintenanceFlags) window(cmd *kingpin.CmdClause) {
	cmd.Flag("from", `When it begins, as "2026-11-23 02:00" in this machine's zone, or in RFC 3339 (default: now, or as before).`).StringVar(&m.from)
	cmd.Flag("until", "By when it is to be done, written likewise.").StringVar(&m.until)
	lengthFlag(cmd.Flag("for", "In place of --until: how long it takes, as in 90m."), &m.lasts)
}

func (m *maintenanceFlags) text(cmd *kingpin.CmdClause) {
	cmd.Flag("zh", "What to tell, in Chinese: what doesn't work meanwhile. One language is enough.").StringVar(&m.work.Text.ZH)
	cmd.Flag("en", "What to tell, in English.").StringVar(&m.work.Text.EN)
}

func (m *maintenanceFlags) words(cmd *kingpin.CmdClause) {
	m.text(cmd)
	cmd.Flag("silent", "On the page alone: send nothing now.").BoolVar(&m.work.Silent)
	byFlag(cmd, &m.work.By)
}

// times reads the window that the flags ask for.
func (m *maintenanceFlags) times() (from, until time.Time, err error) {
	if from, err = readMoment("from", m.from); err != nil {
		return from, until, err
	}
	if until, err = readMoment("until", m.until); err != nil {
		return from, until, err
	}
	switch {
	case m.lasts > 0 && !until.IsZero():
		return from, until, fmt.Errorf("--until and --for say the same: give one of them")
	case m.lasts > 0 && from.IsZero():
		until = clock().Add(m.lasts)
	case m.lasts > 0:
		until = from.Add(m.lasts)
	}
	return from, until, nil
}

func (m *maintenanceFlags) list(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	var works []notifier.Maintenance
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		works, err = c.Maintenances(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("maintenance list: %w", err)
	}
	if len(works) == 0 {
		fmt.Fprintln(stderr, "nothing is planned")
	}
	return console.WriteWorks(stdout, m.format, works, time.Local)
}

func (m *maintenanceFlags) schedule(ctx context.Context, f flags, stdout io.Writer) error {
	return m.ask(ctx, f, stdout, func(ctx context.Context, c console.Client, w console.Work) (notifier.Maintenance, error) {
		return c.Schedule(ctx, w)
	})
}

func (m *maintenanceFlags) do(ctx context.Context, f flags, deed notifier.Deed, stdout io.Writer) error {
	return m.ask(ctx, f, stdout, func(ctx context.Context, c console.Client, w console.Work) (notifier.Maintenance, error) {
		return c.Work(ctx, deed, m.id, w)
	})
}

func (m *maintenanceFlags) ask(ctx context.Context, f flags, stdout io.Writer, do func(context.Context, console.Client, console.Work) (notifier.Maintenance, error)) error {
	work := m.work
	var err error
	if work.From, work.Until, err = m.times(); err != nil {
		return fmt.Errorf("maintenance: %w", err)
	}
	work.Status = notifier.MaintenanceStatus(m.status)
	var stands notifier.Maintenance
	err = f.askNotifier(ctx, func(ctx context.Context, c console.Client) (err error) {
		stands, err = do(ctx, c, work)
		return err
	})
	if err != nil {
		return fmt.Errorf("maintenance: %w", err)
	}
	return console.WriteWork(stdout, stands, time.Local)
}
