// Package ledgertest is the suite that every driver of a shop's order book
// passes: the real definition of ledger.Driver. Beside it live what tests of
// books need: a fake book in memory, and private MariaDB and PostgreSQL servers.
//
// Each driver brings a fixture, rows of its own shop software with the numbers
// that its author expects, and says how the shop creates, takes payment for,
// delivers and deletes an order. The suite must not know any shop's tables.
package ledgertest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// Shop is a shop that a test runs: a book, and what happens in it.
type Shop interface {
	// Ledger is how the book is followed. Its intervals and ages are the suite's.
	Ledger() exporter.Ledger
	// Open makes a driver of its own for a ledger.
	Open(exporter.Ledger) (ledger.Driver, error)

	// Create books one unpaid automatic order at a moment, in whole seconds.
	Create(t testing.TB, at time.Time) (id int64)
	// Pay books the payment, and the order waits for the machine.
	Pay(t testing.TB, id int64, at time.Time)
	// Deliver books the delivery.
	Deliver(t testing.TB, id int64, at time.Time)
	// Delete deletes the row for good.
	Delete(t testing.TB, id int64)
}

// Fixture is a shop's rows and what they amount to.
type Fixture struct {
	// Open loads the rows into a new shop, all times moved so that the rows are as
	// old at now as their author wrote them.
	Open func(t testing.TB, now time.Time) Shop
	// Away is a ledger whose database can't be reached.
	Away exporter.Ledger

	Waiting      map[rules.Kind]map[rules.Age]int // zero counts may be left out
	ShortOfStock int
	States       map[exporter.OrderState]int // of all rows
	Orders       map[exporter.OrderCount]uint64
	Unknown      uint64
	Stock        []exporter.Stock

	// Secret gives statements that the server must deny to the account of the
	// shop's ledger, such as reading a card key or changing an order. Nil where the
	// database knows no accounts.
	Secret func(t testing.TB, shop Shop) []string
}

// Now is the suite's now: any moment will do, and this is not today.
var Now = time.Date(2027, 3, 14, 23, 30, 0, 0, time.UTC)

// Run holds a driver to the suite.
func Run(t *testing.T, f Fixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"a book that fits passes the self-check", passesCheck},
		{"a database that is away is neither an error of opening nor unfit", toleratesAbsence},
		{"the fixture gives the expected books", givesExpectedBooks},
		{"small pages give the same orders as large ones", pagesAlike},
		{"orders by key are the orders of the pages, and deleted ones are left out", readsByID},
		{"At and Last agree with the pages", placesAgree},
		{"pages and batches are bounded", refusesLargeBatches},
		{"no order holds what was not asked for", ordersAreWhole},
		{"moments come back as they were booked", momentsAgree},
		{"a buyer's number has a form, and nothing else has it", numbersAgree},
		{"an order is found by its number alone", findsByNumber},
		{"the stock is bounded", stockIsBounded},
		{"a canceled context ends a question", honoursContext},
		{"a cold start reads nothing older than the lookback", coldStartIsBounded},
		{"an order counts once per event however often it is seen", countsOnce},
		{"a stuck order outlives a restart", outlivesRestart},
		{"an order deleted for good is removed, and not delivered", countsRemoved},
		{"random histories are counted right", countsHistories},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, f)
		})
	}
	if f.Secret != nil {
		t.Run("the account can't read what is secret", func(t *testing.T) {
			t.Parallel()
			accountIsNarrow(t, f)
		})
	}
}

// Ledger completes a ledger with the suite's intervals and ages.
func Ledger(l exporter.Ledger) exporter.Ledger {
	l.Interval, l.Lookback = 15*time.Second, 7*24*time.Hour
	l.Slow, l.Late, l.Stuck = 2*time.Minute, 5*time.Minute, 30*time.Minute
	return l
}

func open(t *testing.T, f Fixture) (Shop, ledger.Driver) {
	t.Helper()
	shop := f.Open(t, Now)
	return shop, driver(t, shop)
}

func driver(t *testing.T, shop Shop) ledger.Driver {
	t.Helper()
	d, err := shop.Open(shop.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func all(t *testing.T, d ledger.Driver) []exporter.Order {
	t.Helper()
	orders, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil {
		t.Fatal(err)
	}
	if len(orders) == 0 || len(orders) == ledger.MaxBatch {
		t.Fatalf("the fixture has %d orders, want some and less than %d", len(orders), ledger.MaxBatch)
	}
	return orders
}

func passesCheck(t *testing.T, f Fixture) {
	_, d := open(t, f)
	if doubts, err := d.Check(t.Context()); err != nil || len(doubts) > 0 {
		t.Errorf("Check = %q, %v", doubts, err)
	}
}

func toleratesAbsence(t *testing.T, f Fixture) {
	shop := f.Open(t, Now)
	d, err := shop.Open(f.Away)
	if err != nil {
		t.Fatalf("Open of a ledger that is away: %v", err)
	}
	defer d.Close()
	if _, err := d.Check(t.Context()); err == nil || errors.Is(err, ledger.ErrUnfit) {
		t.Errorf("Check = %v, want an error that is not ErrUnfit", err)
	}
	if _, err := d.After(t.Context(), 0, 1); err == nil || errors.Is(err, ledger.ErrUnfit) {
		t.Errorf("After = %v, want an error that is not ErrUnfit", err)
	}
}

func givesExpectedBooks(t *testing.T, f Fixture) {
	shop, d := open(t, f)
	states := map[exporter.OrderState]int{}
	for _, o := range all(t, d) {
		states[o.State]++
	}
	if !maps.Equal(states, f.States) {
		t.Errorf("states = %v, want %v", states, f.States)
	}
	w := watch(t, shop)
	w.poll(Now)
	b := w.Books()
	for _, kind := range []rules.Kind{rules.Automatic, rules.Manual} {
		for _, age := range rules.Ages {
			if got, want := b.Waiting[kind][age], f.Waiting[kind][age]; got != want {
				t.Errorf("waiting %s %s = %d, want %d", kind, age, got, want)
			}
		}
	}
	if b.ShortOfStock != f.ShortOfStock {
		t.Errorf("short of stock = %d, want %d", b.ShortOfStock, f.ShortOfStock)
	}
	if b.UnknownStatuses != f.Unknown {
		t.Errorf("unknown statuses = %d, want %d", b.UnknownStatuses, f.Unknown)
	}
	maps.DeleteFunc(b.Orders, func(_ exporter.OrderCount, n uint64) bool { return n == 0 })
	if !maps.Equal(b.Orders, f.Orders) {
		t.Errorf("orders = %v, want %v", b.Orders, f.Orders)
	}
	if !slices.Equal(b.Stock, f.Stock) {
		t.Errorf("stock = %v, want %v", b.Stock, f.Stock)
	}
}

func pagesAlike(t *testing.T, f Fixture) {
	_, d := open(t, f)
	want := all(t, d)
	for _, limit := range []int{1, 3} {
		var got []exporter.Order
		for from := int64(0); ; {
			page, err := d.After(t.Context(), from, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > limit {
				t.Fatalf("a page of at most %d holds %d", limit, len(page))
			}
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			from = page[len(page)-1].ID
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("pages of %d give\n%v, want\n%v", limit, got, want)
		}
	}
}

func readsByID(t *testing.T, f Fixture) {
	shop, d := open(t, f)
	want := all(t, d)
	ids := []int64{want[len(want)-1].ID + 1000}
	for _, o := range want {
		ids = append(ids, o.ID)
	}
	gone := want[1].ID
	shop.Delete(t, gone)
	want = slices.Delete(want, 1, 2)
	got, err := d.ByID(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b exporter.Order) int { return cmp.Compare(a.ID, b.ID) })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ByID gives\n%v, want\n%v", got, want)
	}
	if none, err := d.ByID(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("ByID of nothing = %v, %v", none, err)
	}
}

func placesAgree(t *testing.T, f Fixture) {
	_, d := open(t, f)
	orders := all(t, d)
	newest := orders[len(orders)-1]
	place := func(o exporter.Order) ledger.Place { return ledger.Place{ID: o.ID, Created: o.Created} }
	if last, err := d.Last(t.Context()); err != nil || last != place(newest) {
		t.Errorf("Last = %v, %v, want %v", last, err, place(newest))
	}
	for id, i := int64(0), 0; id <= newest.ID+1; id++ {
		for i < len(orders) && orders[i].ID < id {
			i++
		}
		var want ledger.Place
		if i < len(orders) {
			want = place(orders[i])
		}
		if got, err := d.At(t.Context(), id); err != nil || got != want {
			t.Errorf("At(%d) = %v, %v, want %v", id, got, err, want)
		}
	}
}

func refusesLargeBatches(t *testing.T, f Fixture) {
	_, d := open(t, f)
	if _, err := d.ByID(t.Context(), make([]int64, ledger.MaxBatch+1)); err == nil {
		t.Errorf("ByID of %d keys is taken", ledger.MaxBatch+1)
	}
	for _, limit := range []int{-1, 0, ledger.MaxBatch + 1} {
		if _, err := d.After(t.Context(), 0, limit); err == nil {
			t.Errorf("a page of %d is taken", limit)
		}
	}
}

var plain = regexp.MustCompile(`^[\w.-]{0,64}$`)

func ordersAreWhole(t *testing.T, f Fixture) {
	_, d := open(t, f)
	for _, o := range all(t, d) {
		if o.ID <= 0 || o.State == "" || o.Created.IsZero() {
			t.Errorf("order %+v lacks a key, a state or a creation time", o)
		}
		if o.State != exporter.Removed && len(o.Items) == 0 {
			t.Errorf("order %+v lacks a product", o)
		}
		for _, item := range o.Items {
			if item.Product == "" || item.Quantity < 1 || !plain.MatchString(item.Product) {
				t.Errorf("order %+v lacks a product or a quantity, or it is free text", o)
			}
		}
		if !plain.MatchString(o.Payment) || !plain.MatchString(o.Currency) {
			t.Errorf("order %+v holds free text", o)
		}
	}
}

// momentsAgree looks whether the moments that the driver calls stored come back
// as the shop booked them, and no others.
func momentsAgree(t *testing.T, f Fixture) {
	shop, d := open(t, f)
	moments := d.Traits().Moments
	for _, o := range all(t, d) {
		if !o.Paid.IsZero() && moments.Paid != rules.BasisStored || !o.Delivered.IsZero() && moments.Delivered != rules.BasisStored {
			t.Errorf("order %+v has a moment that isn't stored", o)
		}
	}
	created := Now.Add(-90 * time.Second)
	paid, delivered := created.Add(20*time.Second), created.Add(50*time.Second)
	id := shop.Create(t, created)
	one := func() exporter.Order {
		orders, err := d.ByID(t.Context(), []int64{id})
		if err != nil || len(orders) != 1 {
			t.Fatalf("ByID(%d) = %v, %v", id, orders, err)
		}
		return orders[0]
	}
	as := func(basis rules.Basis, at time.Time) time.Time {
		if basis == rules.BasisStored {
			return at
		}
		return time.Time{}
	}
	if o := one(); o.State != exporter.Unpaid || !o.Automatic || !o.Created.Equal(created) || !o.Paid.IsZero() || !o.Delivered.IsZero() {
		t.Errorf("created at %v: %+v", created, o)
	}
	shop.Pay(t, id, paid)
	o := one()
	if kind, waits := o.State.Waiting(); !waits || kind != rules.Automatic {
		t.Errorf("paid: %+v waits for %q", o, kind)
	}
	if !o.Paid.Equal(as(moments.Paid, paid)) || !o.Delivered.IsZero() || moments.Paid == rules.BasisUpdated && !o.Updated.Equal(paid) {
		t.Errorf("paid at %v: %+v", paid, o)
	}
	shop.Deliver(t, id, delivered)
	o = one()
	if o.State != exporter.Delivered || !o.Paid.Equal(as(moments.Paid, paid)) || !o.Delivered.Equal(as(moments.Delivered, delivered)) {
		t.Errorf("delivered at %v: %+v", delivered, o)
	}
}

func honoursContext(t *testing.T, f Fixture) {
	_, d := open(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.After(ctx, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("After = %v, want context.Canceled", err)
	}
}
