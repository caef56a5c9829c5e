package sql_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
)

// checkIsHonest holds the self-check of each engine to naming what is wrong.
func checkIsHonest(t *testing.T, s servers, engine database.Engine) {
	book := s.stocked(t, engine, ledgertest.Now)
	replace := func(old, with string) func(*exporter.Queries) {
		return func(q *exporter.Queries) { q.Orders = strings.Replace(q.Orders, old, with, 1) }
	}
	for _, c := range []struct {
		name   string
		change func(*exporter.Queries)
		fault  bool
		want   []string
	}{
		{"a table that isn't there", replace("FROM trade", "FROM traid"), true, []string{"queries.orders, key and where", "traid"}},
		{"a column that isn't there", replace("t.total", "t.totl"), true, []string{"queries.orders, key and where", "totl"}},
		{"a condition on nothing", func(q *exporter.Queries) { q.Where = "t.nowhere = 1" }, true, []string{"queries.orders, key and where", "nowhere"}},
		{"a condition that is none", func(q *exporter.Queries) { q.Where = "t.total >> > 1" }, true, []string{"queries.orders, key and where", "yntax"}},
		{"a number that isn't there", func(q *exporter.Queries) { q.Number = "t.nummer" }, true, []string{"queries.number", "nummer"}},
		{"a stock without cards", func(q *exporter.Queries) { q.Stock = "SELECT a.sku AS product FROM article a" }, true, []string{"queries.stock", "cards"}},
		{"every fault at once", func(q *exporter.Queries) { q.Number, q.Where = "t.nummer", "t.nowhere = 1" }, true, []string{"nummer", "nowhere"}},
		{"a column of no meaning", replace("t.total AS amount", "t.total AS amount, t.cur AS colour"), false, []string{"queries.orders: column colour is none that is read"}},
		{"no column automatic", func(q *exporter.Queries) {
			replace("t.kind AS automatic,", "")(q)
			q.States["paid"] = exporter.ManualWaiting
		}, false, []string{"no column automatic"}},
		{"no column amount", replace("t.total AS amount,", ""), false, []string{"no column amount: whoever guesses a number"}},
		{"the key isn't the id", func(q *exporter.Queries) { replace("t.id AS id", "t.id + 100 AS id")(q) }, true, []string{"queries.key isn't what queries.orders gives as id"}},
		{"an id that is no number", replace("t.id AS id", "t.no AS id"), true, []string{"isn't a whole number"}},
		{"states of another shop", func(q *exporter.Queries) { q.States = map[string]exporter.OrderState{"9": exporter.Delivered} }, true,
			[]string{"column state of 16 of the newest 16 rows holds values that queries.states doesn't name, such as "}},
		{"some states unknown", func(q *exporter.Queries) { delete(q.States, "sent") }, false,
			[]string{"column state of 6 of the newest 16 rows holds values that queries.states doesn't name", "sent"}},
		{"a time that is none", replace("t.made_at AS created", "t.status AS created"), true, []string{"column created of 16 of the newest 16 rows holds no time"}},
		{"a time that is always NULL", replace("t.made_at AS created", "NULL AS created"), true, []string{"column created of 16 of the newest 16 rows holds no time"}},
		{"an amount that is none", replace("t.total AS amount", "t.status AS amount"), true, []string{"column amount of 16 of the newest 16 rows holds no number"}},
		{"a kind that is none", replace("t.kind AS automatic", "t.status AS automatic"), true, []string{"column automatic", "neither yes nor no"}},
		{"a condition that nothing meets", func(q *exporter.Queries) { q.Where = "t.total < 0" }, false, []string{"queries.where: none of the newest 14 rows of table trade is an order"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := book.Ledger()
			c.change(l.Queries)
			doubts, err := driver(t, l).Check(t.Context())
			if c.fault != errors.Is(err, ledger.ErrUnfit) || !c.fault && err != nil {
				t.Fatalf("Check = %q, %v", doubts, err)
			}
			said := strings.Join(doubts, "\n")
			if err != nil {
				said = err.Error()
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("Check doesn't say %q:\n%s", want, said)
				}
			}
			for _, secret := range []string{"TR00", "e@x.example", password, "SECRET"} {
				if strings.Contains(said, secret) {
					t.Errorf("Check tells %q:\n%s", secret, said)
				}
			}
		})
	}
	if engine != database.SQLite { // it knows no accounts
		t.Run("what the account may not read", func(t *testing.T) {
			t.Parallel()
			l := book.Ledger()
			l.Queries.Orders = strings.Replace(l.Queries.Orders, "t.pay_way", "t.mail", 1)
			_, err := driver(t, l).Check(t.Context())
			if !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), "grant SELECT") {
				t.Errorf("Check = %v", err)
			}
		})
	}
	t.Run("an empty shop is fine", func(t *testing.T) {
		t.Parallel()
		if doubts, err := driver(t, s.empty(t, engine).Ledger()).Check(t.Context()); err != nil || len(doubts) > 0 {
			t.Errorf("Check = %q, %v", doubts, err)
		}
	})
}

// rowsAreOrders holds the driver to what becomes of rows.
func rowsAreOrders(t *testing.T, s servers, engine database.Engine) {
	t.Run("rows of one id are the items of one order, however many", func(t *testing.T) {
		t.Parallel()
		book := s.stocked(t, engine, ledgertest.Now)
		rows := make([]string, 700)
		for i := range rows {
			rows[i] = fmt.Sprintf("(3,'P%d',%d)", i, i%3)
		}
		run(t, book.db, "INSERT INTO line (trade_id,sku,n) VALUES "+strings.Join(rows, ","))
		d := driver(t, book.Ledger())
		for _, limit := range []int{1, 2, ledger.MaxBatch} {
			var got []exporter.Order
			for from := int64(0); ; {
				page, err := d.After(t.Context(), from, limit)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page...)
				if len(page) < limit {
					break
				}
				from = page[len(page)-1].ID
			}
			if len(got) != len(trades)-1 || got[2].ID != 3 || len(got[2].Items) != 701 || len(got[1].Items) != 3 || len(got[3].Items) != 2 {
				t.Errorf("in pages of %d, %d orders, of which the third has %d items", limit, len(got), len(got[2].Items))
			}
		}
		o, err := d.Find(t.Context(), number(3))
		if err != nil || o.ID != 3 {
			t.Errorf("Find = %d, %v", o.ID, err)
		}
	})
	t.Run("a page is filled though the condition leaves most rows out", func(t *testing.T) {
		t.Parallel()
		l := s.stocked(t, engine, ledgertest.Now).Ledger()
		l.Queries.Where = "t.id IN (2, 11, 14)"
		d := driver(t, l)
		page, err := d.After(t.Context(), 0, 2)
		if err != nil || len(page) != 2 || page[0].ID != 2 || page[1].ID != 11 {
			t.Errorf("After = %v, %v", page, err)
		}
		if place, err := d.At(t.Context(), 3); err != nil || place.ID != 11 {
			t.Errorf("At = %v, %v", place, err)
		}
		l.Queries.Where = "t.id IN (2, 3)"
		if place, err := driver(t, l).Last(t.Context()); err != nil || place.ID != 3 {
			t.Errorf("Last = %v, %v", place, err)
		}
		if place, err := driver(t, l).At(t.Context(), 4); err != nil || place != (ledger.Place{}) {
			t.Errorf("At behind the last = %v, %v", place, err)
		}
	})
	t.Run("a number that two orders have finds neither", func(t *testing.T) {
		t.Parallel()
		l := s.stocked(t, engine, ledgertest.Now).Ledger()
		l.Queries.Number, l.Queries.Form = "t.pay_way", "[a-z]+"
		if o, err := driver(t, l).Find(t.Context(), "alipay"); err != nil || !reflect.DeepEqual(o, exporter.Order{}) {
			t.Errorf("Find = %+v, %v", o, err)
		}
	})
	t.Run("a number may be kept as one", func(t *testing.T) {
		t.Parallel()
		l := s.stocked(t, engine, ledgertest.Now).Ledger()
		l.Queries.Number, l.Queries.Form = "t.serial", "[0-9]{1,9}"
		d := driver(t, l)
		if _, err := d.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if o, err := d.Find(t.Context(), "4"); err != nil || o.ID != 4 {
			t.Errorf("Find = %+v, %v", o, err)
		}
		if numbers, err := d.Numbers(t.Context(), []int64{4, 99}); err != nil || !reflect.DeepEqual(numbers, map[int64]string{4: "4"}) {
			t.Errorf("Numbers = %v, %v", numbers, err)
		}
	})
	t.Run("every kind of value is read", func(t *testing.T) {
		t.Parallel()
		valuesAreRead(t, s.stocked(t, engine, ledgertest.Now))
	})
}

// valuesAreRead puts literals of an engine into the place of a column.
func valuesAreRead(t *testing.T, book *shop) {
	at := time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC) // 07:00 in Shanghai
	created := func(o exporter.Order) any { return o.Created }
	automatic := func(o exporter.Order) any { return o.Automatic }
	amount := func(o exporter.Order) any { return o.Amount }
	quantity := func(o exporter.Order) any { return o.Items[0].Quantity }
	payment := func(o exporter.Order) any { return o.Payment }
	currency := func(o exporter.Order) any { return o.Currency }
	all := []struct {
		column, literal string
		got             func(exporter.Order) any
		want            any
	}{
		{"created", "1795302000", created, at},
		{"created", "1795302000000", created, at},
		{"created", "1795302000000000", created, at},
		{"created", "1795302000.5", created, at.Add(500 * time.Millisecond)},
		{"created", "'1795302000'", created, at},
		{"created", "'2026-11-22 07:00:00'", created, at},
		{"created", "'2026-11-22T07:00:00.25'", created, at.Add(250 * time.Millisecond)},
		{"created", "'2026-11-21T23:00:00Z'", created, at},
		{"created", "'2026-11-22 08:00:00+09:00'", created, at},
		{"created", "0", created, time.Time{}}, {"created", "-5", created, time.Time{}}, {"created", "NULL", created, time.Time{}},
		{"created", "'0000-00-00 00:00:00'", created, time.Time{}}, {"created", "'soon'", created, time.Time{}},
		{"automatic", "1", automatic, true}, {"automatic", "0", automatic, false}, {"automatic", "'Auto'", automatic, true},
		{"automatic", "'no'", automatic, false}, {"automatic", "t.id < 0", automatic, false}, {"automatic", "t.id > 0", automatic, true},
		{"automatic", "NULL", automatic, true}, {"automatic", "'perhaps'", automatic, true},
		{"amount", "12.34", amount, 12.34}, {"amount", "'12.34'", amount, 12.34}, {"amount", "7", amount, 7.0}, {"amount", "NULL", amount, 0.0},
		{"amount", "'a lot'", amount, 0.0},
		{"quantity", "3", quantity, 3}, {"quantity", "3.0", quantity, 3}, {"quantity", "-1", quantity, 1}, {"quantity", "NULL", quantity, 1},
		{"payment", "'支付宝'", payment, "支付宝"}, {"payment", "'a@b/c d'", payment, "a_b_c_d"}, {"payment", "NULL", payment, ""}, {"payment", "17", payment, "17"},
		{"payment", "'" + strings.Repeat("支", 30) + "'", payment, strings.Repeat("支", 21)},
		{"currency", "' USD '", currency, "USD"},
	}
	switch book.engine {
	case database.PostgreSQL:
		all = append(all, []struct {
			column, literal string
			got             func(exporter.Order) any
			want            any
		}{
			{"created", "TIMESTAMPTZ '2026-11-21 23:00:00+00'", created, at}, {"created", "TIMESTAMP '2026-11-22 07:00:00'", created, at},
			{"created", "DATE '2026-11-22'", created, at.Add(-7 * time.Hour)}, {"created", "TIMESTAMP 'infinity'", created, time.Time{}},
			{"amount", "12.34::float4::numeric", amount, 12.34}, {"automatic", "true", automatic, true},
		}...)
	case database.MySQL:
		all = append(all, []struct {
			column, literal string
			got             func(exporter.Order) any
			want            any
		}{
			{"created", "TIMESTAMP '2026-11-22 07:00:00.5'", created, at.Add(500 * time.Millisecond)}, {"automatic", "CAST(1 AS UNSIGNED)", automatic, true},
			{"amount", "1.5e1", amount, 15.0},
		}...)
	}
	was := map[string]string{
		"created": "t.made_at AS created", "automatic": "t.kind AS automatic", "amount": "t.total AS amount",
		"quantity": "l.n AS quantity", "payment": "t.pay_way AS payment", "currency": "t.cur AS currency",
	}
	for _, c := range all {
		l := book.Ledger()
		l.Queries.Orders = strings.Replace(l.Queries.Orders, was[c.column], c.literal+" AS "+c.column, 1)
		d := driver(t, l)
		orders, err := d.ByID(t.Context(), []int64{1})
		d.Close() // servers take few connections
		if err != nil || len(orders) != 1 {
			t.Errorf("%s of %s: %v, %v", c.column, c.literal, orders, err)
			continue
		}
		if got := c.got(orders[0]); got != c.want {
			t.Errorf("%s of %s is read as %v, want %v", c.column, c.literal, got, c.want)
		}
	}
}

func TestWaitingWordsFollowTheColumnAutomatic(t *testing.T) {
	t.Parallel()
	book := servers{}.stocked(t, database.SQLite, ledgertest.Now)
	for _, c := range []struct {
		word      exporter.OrderState
		automatic string // "" for no column
		want      exporter.OrderState
		machine   bool
	}{
		{exporter.PaidAutoWaiting, "1", exporter.PaidAutoWaiting, true},
		{exporter.PaidAutoWaiting, "0", exporter.ManualWaiting, false},
		{exporter.ManualWaiting, "1", exporter.PaidAutoWaiting, true},
		{exporter.ManualWorking, "0", exporter.ManualWorking, false},
		{exporter.FailedShortOfStock, "0", exporter.ManualWaiting, false},
		{exporter.FailedShortOfStock, "1", exporter.FailedShortOfStock, true},
		{exporter.Ready, "1", exporter.Ready, true},
		{exporter.Delivered, "0", exporter.Delivered, false},
		{exporter.ManualWaiting, "", exporter.ManualWaiting, false},
		{exporter.PaidAutoWaiting, "", exporter.PaidAutoWaiting, true},
		{exporter.Delivered, "", exporter.Delivered, true},
	} {
		l := book.Ledger()
		column := c.automatic + " AS automatic,"
		if c.automatic == "" {
			column = ""
		}
		l.Queries.Orders = strings.Replace(l.Queries.Orders, "t.kind AS automatic,", column, 1)
		l.Queries.States["paid"] = c.word
		orders, err := driver(t, l).ByID(t.Context(), []int64{3})
		if err != nil || len(orders) != 1 {
			t.Fatal(orders, err)
		}
		if o := orders[0]; o.State != c.want || o.Automatic != c.machine {
			t.Errorf("%s with automatic %q is %s, %v; want %s, %v", c.word, c.automatic, o.State, o.Automatic, c.want, c.machine)
		}
	}
}
