package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

// newestRows is of how many rows the self-check looks at the values.
const newestRows = 100

// Check tries every query without reading a row, looks whether the newest rows
// mean something, and asks the server how it would run what is asked often.
func (d *Driver) Check(ctx context.Context) (doubts []string, err error) {
	if err := d.try(ctx); err != nil {
		return nil, err
	}
	for _, name := range d.unknown {
		doubts = append(doubts, fmt.Sprintf("queries.orders: column %s is none that is read: leave it out", name))
	}
	if !d.has("automatic") && d.namesManual() {
		doubts = append(doubts, "queries.orders has no column automatic: manual orders count as the machine's once they are delivered")
	}
	if d.number != "" && !d.has("amount") {
		doubts = append(doubts, "queries.orders has no column amount: whoever guesses a number learns how far its order is")
	}
	for _, look := range []func(context.Context) ([]string, error){d.judgePlans, d.sample} {
		more, err := look(ctx)
		if err != nil {
			return nil, err
		}
		doubts = append(doubts, more...)
	}
	return doubts, nil
}

func (d *Driver) namesManual() bool {
	for _, state := range d.states {
		if _, manual := waitsForPerson(state); manual {
			return true
		}
	}
	return false
}

// try asks each query for no rows. All faults are joined.
func (d *Driver) try(ctx context.Context) error {
	nothing := func([]any, []*stdsql.ColumnType) error { return nil }
	keys, none := d.keysOf(beyond{end: true}, 0)
	var faults []error
	for _, q := range []struct {
		part    string
		asked   bool
		columns []string
		query   string
		values  []any
	}{
		{"orders, key and where", true, d.columns, d.orderRows(d.key + " IN (0) LIMIT 0"), nil},
		{"key", true, []string{"k"}, keys, none},
		{"number", d.number != "", []string{"id", "number"}, d.numbers(d.key + " IN (0) LIMIT 0"), nil},
		{"stock", d.stock != "", []string{"product", "cards"}, "SELECT s.product, s.cards FROM (" + d.stock + ") s LIMIT 0", nil},
	} {
		if !q.asked {
			continue
		}
		err := d.rows(ctx, q.columns, q.query, q.values, nothing)
		if database.Refused(err) {
			err = unfit("%w", err)
		}
		if err != nil && !errors.Is(err, ledger.ErrUnfit) {
			return err
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("queries.%s: %w", q.part, err))
		}
	}
	return errors.Join(faults...)
}

// sample reads the newest rows and judges what they hold.
func (d *Driver) sample(ctx context.Context) (doubts []string, err error) {
	keys, err := d.keys(ctx, beyond{end: true, down: true}, newestRows)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	if _, err := d.ByID(ctx, keys[:1]); err != nil { // whether the key is the id
		return nil, err
	}
	odd := map[string]int{}
	var strange []string
	query, arguments := d.byID(keys)
	orders, rows, err := d.orders(ctx, query, arguments, func(column string, value any) {
		odd[column]++
		if word := text(value); column == "state" && harmless.MatchString(word) && len(strange) < 5 && !slices.Contains(strange, word) {
			strange = append(strange, word)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(orders) == 0 {
		return []string{fmt.Sprintf("queries.where: none of the newest %d rows of table %s is an order", len(keys), d.keyTable)}, nil
	}
	timeless := 0
	for _, o := range orders {
		if o.Created.IsZero() {
			timeless++
		}
	}
	var faults []error
	for _, column := range d.columns {
		n := odd[column]
		if column == "created" && timeless == len(orders) {
			n = rows
		}
		if n == 0 {
			continue
		}
		want := wanted[column]
		if len(strange) > 0 && column == "state" {
			want += ", such as " + strings.Join(strange, ", ")
		}
		told := fmt.Sprintf("queries.orders: column %s of %d of the newest %d rows holds %s", column, n, rows, want)
		switch {
		case n == rows:
			faults = append(faults, unfit("%s", told))
		case n*10 >= rows: // fewer are counted, and no reason to look at the queries
			doubts = append(doubts, told)
		}
	}
	return doubts, errors.Join(faults...)
}

// harmless are values that can be told: statuses look like this, and order
// numbers, card keys and addresses don't.
var harmless = regexp.MustCompile(`^(-?[0-9]{1,3}|[a-z]+(_[a-z]+){0,3})$`)

const wantTime = "no time in a form that is read: want a time, Unix seconds, or a text such as 2026-11-22 07:00:00"

// wanted says by column what can't be read.
var wanted = map[string]string{
	"state":     "values that queries.states doesn't name",
	"automatic": "neither yes nor no: want 1 or 0, true or false",
	"quantity":  "no whole number",
	"amount":    "no number",
	"created":   wantTime, "paid": wantTime, "delivered": wantTime, "updated": wantTime,
}
