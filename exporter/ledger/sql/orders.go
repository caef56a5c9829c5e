package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// mostNumbered is how many rows an order has at most that is found by its number.
const mostNumbered = 1000

// beyond picks keys: those greater than one, or less, by descending order. From
// the end, less than none are all.
type beyond struct {
	down, end bool
	key       int64
}

// keys gives keys of the table. It asks the table alone: with others joined to
// it, planners may go through those from their first row on.
func (d *Driver) keys(ctx context.Context, from beyond, most int) ([]int64, error) {
	var keys []int64
	query, arguments := d.keysOf(from, most)
	err := d.rows(ctx, []string{"k"}, query, arguments, func(values []any, _ []*stdsql.ColumnType) error {
		key, ok := whole(values[0])
		if !ok {
			return notWhole()
		}
		keys = append(keys, key)
		return nil
	})
	return keys, err
}

func (d *Driver) keysOf(from beyond, most int) (query string, arguments []any) {
	query = "SELECT " + d.keyColumn + " AS k FROM " + d.keyTable
	switch {
	case from.end:
		return query + " ORDER BY " + d.keyColumn + " DESC LIMIT ?", []any{most}
	case from.down:
		return query + " WHERE " + d.keyColumn + " < ? ORDER BY " + d.keyColumn + " DESC LIMIT ?", []any{from.key, most}
	}
	return query + " WHERE " + d.keyColumn + " > ? ORDER BY " + d.keyColumn + " LIMIT ?", []any{from.key, most}
}

// After gives the orders behind a key. Where the owner's condition leaves rows
// out, it takes more keys to fill a page.
func (d *Driver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if err := database.PageSize(limit); err != nil {
		return nil, err
	}
	var orders []exporter.Order
	for {
		keys, err := d.keys(ctx, beyond{key: id}, limit)
		if err != nil || len(keys) == 0 {
			return orders, err
		}
		page, err := d.ByID(ctx, keys)
		if err != nil {
			return nil, err
		}
		orders = append(orders, page...)
		if len(orders) >= limit || len(keys) < limit {
			return orders[:min(limit, len(orders))], nil
		}
		id = keys[len(keys)-1]
	}
}

// ByID gives the orders with these keys, by ascending key.
func (d *Driver) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 {
		return nil, err
	}
	query, arguments := d.byID(ids)
	orders, _, err := d.orders(ctx, query, arguments, nil)
	for _, o := range orders {
		if !slices.Contains(ids, o.ID) {
			return nil, unfit("queries.key isn't what queries.orders gives as id: make them the same column")
		}
	}
	return orders, err
}

func (d *Driver) byID(ids []int64) (query string, arguments []any) {
	list, arguments := database.Keys(ids)
	return d.orderRows(d.key + " IN (" + list + ")"), arguments
}

// unfit is trouble with the queries, or with what they are put to.
func unfit(form string, arguments ...any) error {
	return &ledger.Error{Reason: rules.LedgerSchema, Err: fmt.Errorf("%w: "+form, append([]any{ledger.ErrUnfit}, arguments...)...)}
}

func notWhole() error {
	return unfit("queries.key isn't a whole number: want the table's integer primary key")
}

// Find gives the order with a number, and none where two have it.
func (d *Driver) Find(ctx context.Context, number string) (exporter.Order, error) {
	if d.number == "" {
		return exporter.Order{}, nil
	}
	orders, _, err := d.orders(ctx, d.find(), []any{number, mostNumbered}, nil)
	if err != nil || len(orders) != 1 || orders[0].State == exporter.Removed {
		return exporter.Order{}, err
	}
	return orders[0], nil
}

func (d *Driver) find() string {
	return d.orderRows("(" + d.number + ") = ? LIMIT ?")
}

// Numbers gives the orders' numbers.
func (d *Driver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	numbers := map[int64]string{}
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 || d.number == "" {
		return numbers, err
	}
	list, arguments := database.Keys(ids)
	err := d.rows(ctx, []string{"id", "number"}, d.numbers(d.key+" IN ("+list+")"), arguments, func(values []any, _ []*stdsql.ColumnType) error {
		id, ok := whole(values[0])
		if !ok {
			return notWhole()
		}
		if number := text(values[1]); number != "" {
			numbers[id] = number
		}
		return nil
	})
	return numbers, err
}

func (d *Driver) numbers(which string) string {
	return "SELECT " + d.key + " AS id, " + d.number + " AS number " + d.from + " WHERE " + d.where + which
}

// At gives the first order whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, beyond{key: id - 1})
}

// Last gives the newest order.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, beyond{down: true, end: true})
}

// place gives the first order among keys.
func (d *Driver) place(ctx context.Context, from beyond) (ledger.Place, error) {
	for most := 10; ; most = ledger.MaxBatch { // few, for where the owner leaves out none
		keys, err := d.keys(ctx, from, most)
		if err != nil || len(keys) == 0 {
			return ledger.Place{}, err
		}
		places := map[int64]time.Time{}
		list, arguments := database.Keys(keys)
		err = d.rows(ctx, []string{"id", "created"}, d.orderRows(d.key+" IN ("+list+")"), arguments, func(values []any, types []*stdsql.ColumnType) error {
			id, ok := whole(values[0])
			if !ok {
				return notWhole()
			}
			places[id], _ = d.moment(values[1], types[1])
			return nil
		})
		if err != nil {
			return ledger.Place{}, err
		}
		for _, key := range keys {
			if created, there := places[key]; there {
				return ledger.Place{ID: key, Created: created}, nil
			}
		}
		if len(keys) < most {
			return ledger.Place{}, nil
		}
		from.key, from.end = keys[len(keys)-1], false
	}
}

// orders gives the orders of a query by ascending key, and of how many rows they
// are. odd hears of each value that can't be read; nil doesn't.
func (d *Driver) orders(ctx context.Context, query string, arguments []any, odd func(column string, value any)) (list []exporter.Order, rows int, err error) {
	if odd == nil {
		odd = func(string, any) {}
	}
	places := map[int64]int{}
	err = d.rows(ctx, d.columns, query, arguments, func(values []any, types []*stdsql.ColumnType) error {
		rows++
		o, err := d.order(values, types, odd)
		if err != nil {
			return err
		}
		if place, met := places[o.ID]; met {
			list[place].Items = append(list[place].Items, o.Items...)
			return nil
		}
		places[o.ID] = len(list)
		list = append(list, o)
		return nil
	})
	slices.SortFunc(list, func(a, b exporter.Order) int { return cmp.Compare(a.ID, b.ID) })
	return list, rows, err
}

// order reads one row.
func (d *Driver) order(values []any, types []*stdsql.ColumnType, odd func(column string, value any)) (exporter.Order, error) {
	o := exporter.Order{Currency: currency, Automatic: true, State: exporter.UnknownState}
	item := exporter.Item{Quantity: 1}
	for i, column := range d.columns {
		value := values[i]
		read := true
		switch column {
		case "id":
			if o.ID, read = whole(value); !read {
				return o, notWhole()
			}
		case "state":
			var state exporter.OrderState
			if state, read = d.states[strings.TrimSpace(text(value))]; read {
				o.State = state
			}
		case "automatic":
			var yes bool
			yes, read = truth(value)
			o.Automatic = yes || !read // to wake somebody in vain is better than to wait in silence
		case "payment":
			o.Payment = label(value)
		case "product":
			item.Product = label(value)
		case "quantity":
			var n int64
			n, read = whole(value)
			item.Quantity = int(min(max(1, n), 1e9))
			read = read || value == nil
		case "amount":
			o.Amount, read = decimal(text(value))
			read = read || value == nil
		case "currency":
			o.Currency = label(value)
		case "created":
			o.Created, read = d.moment(value, types[i])
		case "paid":
			o.Paid, read = d.moment(value, types[i])
		case "delivered":
			o.Delivered, read = d.moment(value, types[i])
		case "updated":
			o.Updated, read = d.moment(value, types[i])
		}
		if !read {
			odd(column, value)
		}
	}
	switch _, manual := waitsForPerson(o.State); {
	case d.has("automatic"):
		o.State = follow(o.State, o.Automatic)
	case manual:
		o.Automatic = false
	}
	if item.Product != "" {
		o.Items = []exporter.Item{item}
	}
	return o, nil
}

func waitsForPerson(state exporter.OrderState) (rules.Kind, bool) {
	kind, _ := state.Waiting()
	return kind, kind == rules.Manual
}

// Stock gives the products that the owner's query lists. Cards of NULL never run out.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	if d.stock == "" {
		return nil, 0, nil
	}
	places := map[string]int{}
	err = d.rows(ctx, []string{"product", "cards"}, d.products(), []any{10 * exporter.MaxProducts}, func(values []any, _ []*stdsql.ColumnType) error {
		product := label(values[0])
		cards, ok := whole(values[1])
		if values[1] != nil && !ok {
			return unfit("column cards of queries.stock isn't a whole number")
		}
		place, met := places[product]
		switch {
		case product == "":
			return nil
		case !met && len(stock) == exporter.MaxProducts:
			hidden++
			return nil
		case !met:
			place = len(stock)
			places[product] = place
			stock = append(stock, exporter.Stock{Product: product})
		}
		stock[place].Looped = stock[place].Looped || values[1] == nil
		stock[place].Cards += int(max(0, cards))
		return nil
	})
	return stock, hidden, err
}

func (d *Driver) products() string {
	return "SELECT s.product, s.cards FROM (" + d.stock + ") s ORDER BY s.product LIMIT ?"
}
