// Package sql reads the order book of a shop that no other driver knows, by its
// owner's own queries, on MySQL or MariaDB, PostgreSQL, or a SQLite file.
//
// The owner writes what a row means, as the parts of one SELECT whose columns
// have agreed names; the driver adds the key's range, the order and the limit.
// So a query that would read a whole table can hardly be written, and the
// self-check asks the server for its plan and refuses one that does.
//
// What is written is read before it is sent: one SELECT, and nothing that ends
// it, comments it out, or locks or writes a row. That guards against mistakes,
// not against the owner: on PostgreSQL each statement runs in a read-only
// transaction and a SQLite file is opened for reading, but on MySQL it is the
// account that must have no more rights than SELECT.
package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// Book says where the driver reads; the tables are the owner's.
var Book = database.Book{
	Software: "what the queries are written for",
	Engines:  []database.Engine{database.MySQL, database.PostgreSQL, database.SQLite},
}

// The names of the columns that queries may give.
var (
	required = []string{"id", "state", "created"}
	optional = []string{"automatic", "payment", "product", "quantity", "amount", "currency", "paid", "delivered", "updated"}
)

// Driver reads one book.
type Driver struct {
	*database.DB
	states  map[string]exporter.OrderState
	list    string   // of the orders' SELECT
	from    string   // of the orders' SELECT, with the word
	aliases aliases  // of the tables in from
	inner   aliases  // of those in parentheses too
	columns []string // of the orders' SELECT that the driver reads, in their order
	unknown []string // those that it doesn't
	where   string   // "" or "(…) AND "
	key     string
	// keyColumn and keyTable are the key as it is asked for alone.
	keyColumn, keyTable string

	number string
	form   *regexp.Regexp // nil without number
	stock  string
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver without connecting. The DSN's form tells the engine, a
// zone of nil is Asia/Shanghai. All mistakes in l.Queries are joined.
func Open(l exporter.Ledger) (*Driver, error) {
	d := &Driver{}
	problems := []error{errors.New("queries: missing: they say how the shop's books are read")}
	if l.Queries != nil {
		problems = d.read(*l.Queries)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("sql: %w", err)
	}
	book := Book
	book.Part = l.Queries.Key + " " + l.Queries.Where + " " + l.Queries.Orders
	db, err := database.Open(book, l)
	if err != nil {
		return nil, fmt.Errorf("sql: %w", err)
	}
	d.DB = db
	return d, nil
}

// read takes the queries apart and gives what is wrong with them.
func (d *Driver) read(q exporter.Queries) (problems []error) {
	refuse := func(part string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("queries.%s: %w", part, err))
		}
	}
	refuse("orders", d.readOrders(q.Orders))
	refuse("key", d.readKey(q.Key))
	where, err := expression(q.Where)
	refuse("where", err)
	if where != "" {
		d.where = "(" + where + ") AND "
	}
	d.number, err = expression(q.Number)
	refuse("number", err)
	switch {
	case q.Number == "" && q.Form != "":
		refuse("form", errors.New("there is no number that could be of it: add number, or leave form out"))
	case q.Number != "":
		d.form, err = regexp.Compile("^(?:" + q.Form + ")$")
		switch {
		case err != nil:
			refuse("form", errors.New("not a regular expression of Go's kind"))
		case d.form.MatchString(""):
			refuse("form", errors.New("takes an empty text: want the form of a whole order number, such as [0-9]{16}"))
		}
	}
	d.stock, err = query(q.Stock)
	refuse("stock", err)
	if len(q.States) == 0 {
		refuse("states", errors.New("missing: want what each value of column state means"))
	}
	d.states = q.States
	return problems
}

func (d *Driver) readOrders(text string) error {
	s, err := readSelect(text)
	if err != nil {
		return err
	}
	d.list, d.from, d.aliases, d.inner = s.list, s.from, s.aliases, s.inner
	var problems []error
	for i, name := range s.columns {
		switch {
		case name == "":
			problems = append(problems, fmt.Errorf("its column %d has no name: write AS and one of %s", i+1, strings.Join(slices.Concat(required, optional), ", ")))
		case slices.Contains(s.columns[:i], name):
			problems = append(problems, fmt.Errorf("has two columns named %s: want one", name))
		case slices.Contains(required, name) || slices.Contains(optional, name):
			d.columns = append(d.columns, name)
		default:
			d.unknown = append(d.unknown, name)
		}
	}
	for _, name := range required {
		if !slices.Contains(d.columns, name) {
			problems = append(problems, fmt.Errorf("has no column named %s: write … AS %[1]s", name))
		}
	}
	return errors.Join(problems...)
}

// readKey reads the key, which must be a column of a table in the orders' FROM.
func (d *Driver) readKey(text string) error {
	const want = "want the integer primary key as the orders' FROM calls it, such as o.id"
	text = strings.TrimSpace(text)
	tokens, err := scan(text)
	switch {
	case err != nil:
		return err
	case text == "":
		return errors.New("missing: " + want)
	case nameOf(tokens) == "" || len(tokens) != 1 && len(tokens) != 3:
		return errors.New("is more than a column: " + want)
	}
	d.key, d.keyColumn = text, quoteOf(tokens[len(tokens)-1])
	if len(tokens) == 3 {
		d.keyTable = d.aliases[strings.ToLower(tokens[0].name())]
	}
	if len(tokens) == 1 && len(d.aliases) == 1 {
		for _, table := range d.aliases {
			d.keyTable = table
		}
	}
	if d.keyTable == "" && d.list != "" {
		return errors.New("is of no table that the orders' FROM names outside parentheses: " + want)
	}
	return nil
}

// has reports whether the orders have a column.
func (d *Driver) has(column string) bool { return slices.Contains(d.columns, column) }

// Traits follow from the columns that the queries give. Nobody knows how an
// owner's numbers are made, so a look-up names the amount wherever there is one.
func (d *Driver) Traits() ledger.Traits {
	moments := exporter.Moments{Paid: rules.BasisObserved, Delivered: rules.BasisObserved}
	if d.has("updated") {
		moments.Paid = rules.BasisUpdated
	}
	if d.has("paid") {
		moments.Paid = rules.BasisStored
	}
	if d.has("delivered") {
		moments.Delivered = rules.BasisStored
	}
	return ledger.Traits{Moments: moments, Number: d.form, Guessable: d.has("amount")}
}

// rows asks for columns of the rows that which picks: a condition, and what
// comes behind it. The columns are named by the query within.
func (d *Driver) rows(ctx context.Context, columns []string, within string, arguments []any, row func([]any, []*stdsql.ColumnType) error) error {
	outer := make([]string, len(columns))
	for i, column := range columns {
		outer[i] = "q." + column
		if d.Engine() == database.SQLite {
			// Its driver would make a time of a number that stands in a column declared
			// as one; all others say what they hold.
			outer[i] = "CAST(q." + column + " AS TEXT)"
		}
	}
	limit := database.Short
	if columns[0] == "product" { // a count of the stock
		limit = database.Long
	}
	var types []*stdsql.ColumnType
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	return d.Each(ctx, limit, "SELECT "+strings.Join(outer, ", ")+" FROM ("+within+") q", arguments, func(rows *stdsql.Rows) error {
		if types == nil {
			var err error
			if types, err = rows.ColumnTypes(); err != nil {
				return err
			}
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		return row(values, types)
	})
}

// orderRows is the owner's SELECT of the rows that a condition picks.
func (d *Driver) orderRows(which string) string {
	return "SELECT " + d.list + " " + d.from + " WHERE " + d.where + which
}
