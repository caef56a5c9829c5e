package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/notifier/subscription"
)

// subscriberFlags are the options of the commands about subscribers.
type subscriberFlags struct {
	format   string
	id       int64
	by       string
	state    string
	want     subscription.Selection
	addition subscription.Addition
	language string
	major    bool
}

func (s *subscriberFlags) commands(ctx context.Context, f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout, stderr io.Writer) {
	all := app.Command("subscriber", "Who has signed up for notices, asked of the notifier that runs. Addresses are shown masked.")
	do := func(verb, help string, ask func(context.Context, subscription.Client) error) *kingpin.CmdClause {
		return command(all.Command(verb, help), func() error { return s.ask(ctx, *f, verb, ask) })
	}
	list := do("list", "All of them, in the order in which they came.", func(ctx context.Context, c subscription.Client) error { return s.list(ctx, c, stdout, stderr) })
	list.Flag("channel", "Of one channel alone: telegram, email or sms.").StringVar(&s.want.Channel)
	list.Flag("state", "In one state alone.").EnumVar(&s.state, string(notifier.Pending), string(notifier.Active), string(notifier.Refused), string(notifier.Departed))
	list.Flag("after", "Those after this id.").Int64Var(&s.want.After)
	list.Flag("limit", "At most so many, 1–1000.").Default("100").IntVar(&s.want.Limit)
	find := do("find", "The one who signed up with an address.", func(ctx context.Context, c subscription.Client) error {
		found, err := c.Find(ctx, s.addition.Address)
		return s.show(stdout, found, err)
	})
	s.address(find)
	for _, cmd := range []*kingpin.CmdClause{list, find} {
		cmd.Flag("format", "table or json.").Default("table").EnumVar(&s.format, subscription.Formats...)
	}
	s.which(do("export", "All that is held of one, as JSON, for them to have.", func(ctx context.Context, c subscription.Client) error {
		record, err := c.Export(ctx, s.id, s.by)
		if err != nil {
			return err
		}
		return subscription.JSON(stdout, record)
	}))
	s.which(do("erase", "Forget one: the address, the choices, and what was sent.", func(ctx context.Context, c subscription.Client) error {
		if err := c.Erase(ctx, s.id, s.by); err != nil {
			return err
		}
		_, err := fmt.Fprintf(stdout, "subscriber %d is erased\n", s.id)
		return err
	}))
	s.which(do("deactivate", "Have one be told no more, as if they had left.", func(ctx context.Context, c subscription.Client) error {
		left, err := c.Deactivate(ctx, s.id, s.by)
		return s.show(stdout, left, err)
	}))
	s.adding(do("add", "Sign somebody up: they are sent a confirmation first.", func(ctx context.Context, c subscription.Client) error { return s.add(ctx, c, stdout) }))
}

func (s *subscriberFlags) address(cmd *kingpin.CmdClause) {
	cmd.Arg("address", "A mail address, a phone number, or a chat as telegram:NUMBER.").Required().StringVar(&s.addition.Address)
}

func (s *subscriberFlags) which(cmd *kingpin.CmdClause) {
	cmd.Arg("id", "The subscriber's id, as in the list.").Required().Int64Var(&s.id)
	byFlag(cmd, &s.by)
}

func (s *subscriberFlags) adding(cmd *kingpin.CmdClause) {
	s.address(cmd)
	cmd.Flag("language", "Of the notices: zh or en.").Default("zh").EnumVar(&s.language, "zh", "en")
	cmd.Flag("service", "Only this service, as shop/service; repeatable.").StringsVar(&s.addition.Wants.Services)
	cmd.Flag("major", "Only major incidents.").BoolVar(&s.major)
	cmd.Flag("consented", "They agreed elsewhere: tell them at once instead of asking.").BoolVar(&s.addition.Consented)
	byFlag(cmd, &s.addition.By)
}

func (s *subscriberFlags) list(ctx context.Context, c subscription.Client, stdout, stderr io.Writer) error {
	s.want.State = notifier.RecipientState(s.state)
	found, err := c.List(ctx, s.want)
	if err != nil {
		return err
	}
	if len(found.Subscribers) == 0 {
		fmt.Fprintln(stderr, "nobody has signed up")
	}
	if found.Next != 0 {
		fmt.Fprintf(stderr, "for more: --after=%d\n", found.Next)
	}
	return subscription.Write(stdout, s.format, found, time.Local)
}

func (s *subscriberFlags) add(ctx context.Context, c subscription.Client, stdout io.Writer) error {
	s.addition.Language = notifier.Language(s.language)
	if s.major {
		s.addition.Wants.Least = notifier.ImpactMajor
	}
	added, err := c.Add(ctx, s.addition)
	return s.show(stdout, added, err)
}

// show writes one subscriber.
func (s *subscriberFlags) show(stdout io.Writer, one subscription.Listed, err error) error {
	if err != nil {
		return err
	}
	if s.format == "json" {
		return subscription.JSON(stdout, one)
	}
	return subscription.Write(stdout, "table", subscription.Page{Subscribers: []subscription.Listed{one}}, time.Local)
}

// ask asks the notifier that runs.
func (s *subscriberFlags) ask(ctx context.Context, f flags, verb string, ask func(context.Context, subscription.Client) error) error {
	err := f.askNotifier(ctx, func(ctx context.Context, c console.Client) error { return ask(ctx, subscription.Client(c)) })
	if err != nil {
		return fmt.Errorf("subscriber %s: %w", verb, err)
	}
	return nil
}
