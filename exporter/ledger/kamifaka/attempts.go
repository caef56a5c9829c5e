package kamifaka

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// currency of kamiFaka, which knows one only and doesn't store it.
const currency = "CNY"

// After gives the attempts behind a key.
func (d *Driver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if err := database.PageSize(limit); err != nil {
		return nil, err
	}
	return d.orders(ctx, "id > ? ORDER BY id LIMIT ?", id, limit)
}

// ByID gives the attempts with these keys.
func (d *Driver) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 {
		return nil, err
	}
	list, keys := database.Keys(ids)
	return d.orders(ctx, "id IN ("+list+")", keys...)
}

const (
	clocks    = time.Hour // by which a buyer's clock may be wrong
	mostFound = 20_000    // attempts that are searched for a number
)

// Find gives the attempt with a number. There is no index on it, but it says when
// it was made, so only the attempts of that hour are searched. Who shares a
// number with another isn't told of either.
func (d *Driver) Find(ctx context.Context, wanted string) (exporter.Order, error) {
	if !number.MatchString(wanted) {
		return exporter.Order{}, nil
	}
	milliseconds, err := strconv.ParseInt(wanted[len("Order_"):len("Order_")+13], 10, 64)
	if err != nil {
		return exporter.Order{}, err
	}
	made := time.UnixMilli(milliseconds)
	first, err := d.since(ctx, attempts, made.Add(-clocks))
	if err != nil {
		return exporter.Order{}, err
	}
	end, err := d.since(ctx, attempts, made.Add(clocks))
	if err != nil {
		return exporter.Order{}, err
	}
	list, err := d.read(ctx, "id >= ? AND id < ? AND out_order_id = ? LIMIT 2", first, min(end, first+mostFound), wanted)
	if err != nil || len(list) != 1 || list[0].number != wanted { // MySQL compares without regard to case
		return exporter.Order{}, err
	}
	if err := d.complete(ctx, list); err != nil {
		return exporter.Order{}, err
	}
	return list[0].order, nil
}

// Numbers gives the attempts' numbers.
func (d *Driver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	numbers := map[int64]string{}
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 {
		return numbers, err
	}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, out_order_id FROM "+d.Table(attempts)+" WHERE id IN ("+list+")", keys, func(rows *sql.Rows) error {
		var id int64
		var number string
		err := rows.Scan(&id, &number)
		numbers[id] = number
		return err
	})
	return numbers, err
}

func (d *Driver) orders(ctx context.Context, which string, arguments ...any) ([]exporter.Order, error) {
	list, err := d.read(ctx, which, arguments...)
	if err != nil {
		return nil, err
	}
	if err := d.complete(ctx, list); err != nil {
		return nil, err
	}
	orders := make([]exporter.Order, len(list))
	for i, a := range list {
		orders[i] = a.order
	}
	return orders, nil
}

// attempt is a row of temporder. A paid one's order has no state until complete.
type attempt struct {
	order    exporter.Order
	number   string
	product  string // its name
	quantity int
	paid     bool
}

func (d *Driver) read(ctx context.Context, which string, arguments ...any) ([]attempt, error) {
	var list []attempt
	query := "SELECT id, out_order_id, name, payment, num, total_price, " + flag("status") + ", " + flag("auto") + ", " + d.Wall("updatetime") +
		" FROM " + d.Table(attempts) + " WHERE " + which
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var a attempt
		var number, product, payment, created sql.NullString
		var paid, automatic sql.NullBool
		o := &a.order
		if err := rows.Scan(&o.ID, &number, &product, &payment, &a.quantity, &o.Amount, &paid, &automatic, &created); err != nil {
			return err
		}
		a.number, a.product, a.paid = number.String, product.String, paid.Bool
		o.Automatic, o.Payment, o.Currency, o.Created = automatic.Bool, code(payment.String), currency, d.Moment(created)
		switch {
		case !paid.Valid:
			o.State = exporter.UnknownState
		case !paid.Bool:
			o.State = exporter.Unpaid
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

// complete sets what other tables say of attempts: the state of paid ones, and
// the product.
func (d *Driver) complete(ctx context.Context, list []attempt) error {
	if err := d.match(ctx, list); err != nil {
		return err
	}
	return d.name(ctx, list)
}

// judge sets an attempt's order by what was handed out for it. known is the
// moment since when all handouts are known.
func (a *attempt) judge(h handout, is bool, known time.Time) {
	o := &a.order
	switch {
	case !is && o.Created.Before(known):
		o.State = exporter.UnknownState
	case !is && o.Automatic: // lost between payment and handing out
		o.State = exporter.PaidAutoWaiting
	case !is:
		o.State = exporter.ManualWaiting
	case h.state == full:
		o.State, o.Updated = exporter.Delivered, h.moment()
		if !h.edited {
			o.Delivered = o.Updated
		}
	case h.state == empty && o.Automatic: // the shop writes it in the moment of payment
		o.State, o.Updated = exporter.FailedShortOfStock, h.moment()
	case h.state == empty:
		o.State, o.Updated = exporter.ManualWaiting, h.moment()
	case h.state == gone:
		o.State = exporter.Removed
	default:
		o.State = exporter.UnknownState
	}
}

// unknownProduct is the product of an attempt whose name no product has any more.
const unknownProduct = "unknown"

// name sets the products' ids, which attempts name by name alone. The table of
// products is small and seldom changes: it is read when a name isn't known yet.
func (d *Driver) name(ctx context.Context, list []attempt) error {
	d.mu.Lock()
	unknown := slices.ContainsFunc(list, func(a attempt) bool { return d.products[a.product] == "" })
	d.mu.Unlock()
	if unknown {
		if err := d.readProducts(ctx); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range list {
		a := &list[i]
		if d.products[a.product] == "" { // until the next reading: don't ask for it with every attempt
			d.products[a.product] = unknownProduct
		}
		a.order.Items = []exporter.Item{{Product: d.products[a.product], Quantity: max(1, a.quantity)}}
	}
	return nil
}

func (d *Driver) readProducts(ctx context.Context) error {
	products := map[string]string{}
	err := d.Each(ctx, database.Short, "SELECT id, name FROM "+d.Table("prod_info")+" ORDER BY id DESC LIMIT 10000", nil, func(rows *sql.Rows) error {
		var id, name string
		err := rows.Scan(&id, &name)
		products[name] = id
		return err
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.products = products
	return nil
}
