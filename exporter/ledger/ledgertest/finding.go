package ledgertest

import (
	"database/sql"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

// numbered gives a checked driver and the numbers of the rows of the fixture and
// of one more order. A driver whose orders have none must say so, and is exempt.
func numbered(t *testing.T, f Fixture) (shop Shop, d ledger.Driver, created int64, numbers map[int64]string) {
	t.Helper()
	shop, d = open(t, f)
	if _, err := d.Check(t.Context()); err != nil { // it finds out what may be read
		t.Fatal(err)
	}
	created = shop.Create(t, Now.Add(-10*time.Second))
	var ids []int64
	for _, o := range all(t, d) {
		ids = append(ids, o.ID)
	}
	numbers, err := d.Numbers(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if has := d.Traits().Number != nil; has != (numbers[created] != "") {
		t.Fatalf("orders have numbers: %v, and Numbers = %v", has, numbers)
	}
	return shop, d, created, numbers
}

func numbersAgree(t *testing.T, f Fixture) {
	_, d, _, numbers := numbered(t, f)
	form := d.Traits().Number
	if form == nil {
		return
	}
	for _, o := range all(t, d) {
		number, known := numbers[o.ID]
		if !known && o.State != exporter.Removed {
			t.Errorf("order %d has no number", o.ID)
		}
		if known && !form.MatchString(number) {
			t.Errorf("number %q isn't of the form %s", number, form)
		}
	}
	for _, number := range numbers {
		for _, odd := range []string{
			"", number + "\n", "\n" + number, number + " ", " " + number, number + "'", number + "\x00", number + "%",
			"x\n" + number, number + "\nx", strings.Repeat(number, 20),
		} {
			if form.MatchString(odd) {
				t.Errorf("%q is of the form %s, which must be anchored and of bounded length", odd, form)
			}
		}
	}
	unknown := slices.Max(slices.Collect(maps.Keys(numbers))) + 1000
	if none, err := d.Numbers(t.Context(), []int64{unknown}); err != nil || len(none) != 0 {
		t.Errorf("Numbers of a key that isn't there = %v, %v", none, err)
	}
	if none, err := d.Numbers(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("Numbers of nothing = %v, %v", none, err)
	}
	if _, err := d.Numbers(t.Context(), make([]int64, ledger.MaxBatch+1)); err == nil {
		t.Errorf("Numbers of %d keys are given", ledger.MaxBatch+1)
	}
}

func findsByNumber(t *testing.T, f Fixture) {
	shop, d, created, numbers := numbered(t, f)
	if d.Traits().Number == nil {
		if o, err := d.Find(t.Context(), "1"); err != nil || !reflect.DeepEqual(o, exporter.Order{}) {
			t.Errorf("Find among orders without numbers = %+v, %v", o, err)
		}
		return
	}
	find := func(number string) exporter.Order {
		t.Helper()
		o, err := d.Find(t.Context(), number)
		if err != nil {
			t.Errorf("Find(%q) = %v", number, err)
		}
		return o
	}
	bearers := map[string]int{}
	for _, number := range numbers {
		bearers[number]++
	}
	for id, number := range numbers {
		orders, err := d.ByID(t.Context(), []int64{id})
		if err != nil || len(orders) != 1 {
			t.Fatalf("ByID(%d) = %v, %v", id, orders, err)
		}
		want := orders[0]
		if want.State == exporter.Removed || bearers[number] > 1 {
			want = exporter.Order{}
		}
		if got := find(number); !reflect.DeepEqual(got, want) {
			t.Errorf("Find(%q) gives\n%+v, want\n%+v", number, got, want)
		}
	}
	for _, number := range strangers(d, numbers) {
		if got := find(number); !reflect.DeepEqual(got, exporter.Order{}) {
			t.Errorf("Find(%q), which no order has, gives %+v", number, got)
		}
	}
	shop.Delete(t, created)
	if got := find(numbers[created]); !reflect.DeepEqual(got, exporter.Order{}) {
		t.Errorf("Find of an order that was deleted for good gives %+v", got)
	}
}

// strangers are numbers of the right form that differ from an order's in one
// place: in one that holds a time, they may be of any year.
func strangers(d ledger.Driver, numbers map[int64]string) []string {
	var list []string
	known := slices.Collect(maps.Values(numbers))
	for _, number := range known {
		for i := range number {
			for _, c := range []string{"0", "1", "9", "A", "z"} {
				stranger := number[:i] + c + number[i+1:]
				if d.Traits().Number.MatchString(stranger) && !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, stranger) }) {
					list = append(list, stranger)
				}
			}
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	const most = 100
	var some []string
	for i := 0; i < len(list); i += len(list)/most + 1 {
		some = append(some, list[i])
	}
	return some
}

// Shelf is a Shop that can put products on sale.
type Shelf interface {
	// Offer puts n more automatic products without cards on sale.
	Offer(t testing.TB, n int)
}

func stockIsBounded(t *testing.T, f Fixture) {
	shop, d := open(t, f)
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	stock := func(want, wantHidden int) {
		t.Helper()
		stock, hidden, err := d.Stock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(stock) != want || hidden != wantHidden {
			t.Errorf("the stock of %d products and %d hidden ones, want %d and %d", len(stock), hidden, want, wantHidden)
		}
		products := map[string]bool{}
		for _, s := range stock {
			if products[s.Product] || s.Product == "" || s.Cards < 0 || !plain.MatchString(s.Product) {
				t.Errorf("stock %+v is told twice, or isn't one", s)
			}
			products[s.Product] = true
		}
	}
	stock(len(f.Stock), 0)
	if shelf, can := shop.(Shelf); can {
		shelf.Offer(t, exporter.MaxProducts)
		stock(exporter.MaxProducts, len(f.Stock))
	}
}

func accountIsNarrow(t *testing.T, f Fixture) {
	shop := f.Open(t, Now)
	account := connect(t, shop.Ledger().DSN)
	if _, err := account.ExecContext(t.Context(), "SELECT 1"); err != nil {
		t.Fatalf("the account can do nothing at all: %v", err)
	}
	statements := f.Secret(t, shop)
	if len(statements) == 0 {
		t.Fatal("nothing is secret")
	}
	for _, statement := range statements {
		if _, err := account.ExecContext(t.Context(), statement); !denied(err) {
			t.Errorf("the account's %s = %v, want it denied", statement, err)
		}
	}
}

// connect is a connection of the account in a DSN, with every right that it has.
func connect(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	kind, known := database.EngineOf(dsn)
	name := map[database.Engine]string{database.MySQL: "mysql", database.PostgreSQL: "pgx"}[kind]
	if !known || name == "" {
		t.Fatal("a database without accounts")
	}
	db, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// denied reports whether the server refused for want of a right, and not
// because the statement is wrong.
func denied(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return slices.Contains([]uint16{1044, 1142, 1143, 1227}, e.Number)
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "42501"
}
