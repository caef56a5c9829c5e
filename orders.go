package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"shopwatch/exporter/orders"
)

// ordersWithin is how long a running exporter may take to answer about orders.
const ordersWithin = 30 * time.Second

// ordersFlags are the options of the commands about single orders.
type ordersFlags struct {
	selection orders.Selection
	format    string
	question  orders.Question
}

func (o *ordersFlags) commands(ctx context.Context, f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout, stderr io.Writer) {
	all := app.Command("orders", "Orders of the shop, asked of the exporter that runs.")
	list := func(name, help, state, age, empty string) {
		cmd := command(all.Command(name, help), func() error {
			o.selection.State = state
			return o.list(ctx, *f, empty, stdout, stderr)
		})
		lengthFlag(cmd.Flag("older-than", "Least age, as in 90s, 30m or 2h.").Default(age), &o.selection.OlderThan)
		cmd.Flag("format", "table, csv (for spreadsheets) or json.").Default("table").EnumVar(&o.format, orders.Formats...)
		cmd.Flag("shop", "Id of the shop (default all).").StringVar(&o.selection.Shop)
	}
	list("delayed", "Paid orders that wait, the longest first, for hand work.", orders.StateWaiting, "30m", "no paid order waits that long")
	list("open", "Orders that aren't final, paid or not, the oldest first.", orders.StateOpen, "0s", "no order is open that long")
	cmd := command(all.Command("lookup", "What a buyer is told of an order."), func() error { return o.lookup(ctx, *f, stdout, stderr) })
	cmd.Arg("number", "The buyer's order number.").Required().StringVar(&o.question.Number)
	cmd.Flag("amount", "What was paid, as in 12.50; checked if given.").StringVar(&o.question.Amount)
	cmd.Flag("shop", "Id of the shop; needed where there are several.").StringVar(&o.question.Shop)
}

// list prints orders; what they leave out is said on stderr. A list that knows
// nothing of a shop is an error, so that no script takes it for good news.
func (o *ordersFlags) list(ctx context.Context, f flags, empty string, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, ordersWithin)
	defer cancel()
	client, err := f.orders()
	if err != nil {
		return err
	}
	list, err := client.List(ctx, o.selection)
	if err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	unread := list.Unread()
	if len(list.Orders) == 0 && len(unread) == 0 {
		fmt.Fprintln(stderr, empty)
	}
	for _, remark := range list.Remarks() {
		fmt.Fprintln(stderr, remark)
	}
	if err := list.Write(stdout, o.format); err != nil || len(unread) == 0 {
		return err
	}
	return fmt.Errorf("orders: the list knows nothing of %s", strings.Join(unread, ", "))
}

// lookup prints what a buyer is told of an order, and its key.
func (o *ordersFlags) lookup(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, ordersWithin)
	defer cancel()
	client, err := f.orders()
	if err != nil {
		return err
	}
	progress, err := client.Lookup(ctx, o.question)
	if err != nil {
		return fmt.Errorf("orders lookup: %w", err)
	}
	if !progress.Found {
		fmt.Fprintln(stderr, "no order has this number and amount; compare them with the buyer's receipt")
		return nil
	}
	return progress.Write(stdout)
}

// orders reaches the exporter that runs with the same data directory.
func (f flags) orders() (orders.Client, error) {
	door, err := f.door()
	if err != nil {
		return orders.Client{}, err
	}
	return orders.Client{URL: door.url(f.privateOr("127.0.0.1:9816")), Token: door.token, HTTP: door.client}, nil
}
