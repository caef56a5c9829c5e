package sql_test

import (
	"strings"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/sql"
	"shopwatch/rules"
)

func TestOpenRefusesQueriesAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	orders := func(text string) func(*exporter.Queries) { return func(q *exporter.Queries) { q.Orders = text } }
	where := func(text string) func(*exporter.Queries) { return func(q *exporter.Queries) { q.Where = text } }
	const list = "SELECT o.id, o.state, o.created"
	for _, c := range []struct {
		name   string
		change func(*exporter.Queries)
		want   string
	}{
		{"no orders", orders(" "), `queries.orders: missing: want "SELECT … FROM …"`},
		{"another statement", orders("DELETE FROM o"), "queries.orders: begins with another word than SELECT"},
		{"WITH", orders("WITH x AS (SELECT 1) " + list + " FROM o"), "queries.orders: begins with another word than SELECT"},
		{"no FROM", orders(list), "queries.orders: has no FROM"},
		{"a star", orders("SELECT o.*, o.id FROM o"), "queries.orders: holds *: name the columns"},
		{"DISTINCT", orders("SELECT DISTINCT o.id, o.state, o.created FROM o"), "queries.orders: holds DISTINCT: leave it out"},
		{"WHERE", orders(list + " FROM o where o.id > 5"), "queries.orders: holds WHERE: put the condition into where"},
		{"ORDER", orders(list + " FROM o ORDER BY 1"), "queries.orders: holds ORDER: leave it out"},
		{"GROUP", orders(list + " FROM o GROUP BY o.id"), "queries.orders: holds GROUP: leave it out"},
		{"LIMIT", orders(list + " FROM o LIMIT 5"), "queries.orders: holds LIMIT: leave it out"},
		{"UNION", orders(list + " FROM o UNION SELECT 1, 2, 3 FROM p"), "queries.orders: holds UNION: want one table"},
		{"a second statement", orders(list + " FROM o; DROP TABLE o"), `queries.orders: holds ";": want one statement`},
		{"a comment", orders(list + " FROM o -- all of them"), `queries.orders: holds "--": want no comment`},
		{"a comment that runs", orders(list + " FROM o /*! FOR UPDATE */"), `queries.orders: holds "/*": want no comment`},
		{"MySQL's comment", orders(list + " FROM o # all"), `queries.orders: holds "#"`},
		{"a placeholder", orders("SELECT o.id, o.state, o.created, '?' AS payment FROM o"), `queries.orders: holds "?"`},
		{"a numbered placeholder", orders("SELECT $1 AS id, o.state, o.created FROM o"), `queries.orders: holds "$"`},
		{"a backslash", orders(`SELECT o.id, o.state, o.created, '\' AS payment FROM o`), `queries.orders: holds "\\"`},
		{"a file", orders(list + " INTO OUTFILE '/tmp/x' FROM o"), "queries.orders: holds INTO"},
		{"a lock", orders(list + " FROM o FOR UPDATE"), "queries.orders: locks what it reads"},
		{"MySQL's lock", orders(list + " FROM o LOCK IN SHARE MODE"), "queries.orders: locks what it reads"},
		{"a lock behind a number", orders(list + ", 1.FOR UPDATE AS payment FROM o"), "queries.orders: locks what it reads"},
		{"a lock within", orders(list + " FROM (SELECT * FROM o FOR NO KEY UPDATE) o"), "queries.orders: locks what it reads"},
		{"an open quote", orders(list + ", 'x AS payment FROM o"), "queries.orders: holds a ' that isn't closed"},
		{"an open parenthesis", orders("SELECT (o.id, o.state FROM o"), "queries.orders: opens a parenthesis"},
		{"what isn't text", orders(list + "\x00 FROM o"), "queries.orders: holds characters that aren't text"},
		{"a missing column", orders("SELECT o.id, o.created FROM o"), "queries.orders: has no column named state: write … AS state"},
		{"a column twice", orders(list + ", o.x AS state FROM o"), "has two columns named state"},
		{"a column without a name", orders(list + ", COUNT(*) FROM o"), "its column 4 has no name: write AS and one of id, state"},
		{"a sum without a name", orders(list + ", o.price * quantity FROM o"), "its column 4 has no name"},
		{"a name in the wrong case", orders(`SELECT o.id, o.created, o.x AS "State" FROM o`), "has no column named state"},
		{"a condition that goes on", where("1=1 ORDER BY id"), "queries.where: holds ORDER"},
		{"a condition that ends early", where("1=1) OR (1=1"), "queries.where: closes a parenthesis that it didn't open"},
		{"a condition that is a query", where("SELECT 1"), "queries.where: is no single expression"},
		{"no key", func(q *exporter.Queries) { q.Key = "" }, "queries.key: missing: want the integer primary key"},
		{"a key that is more", func(q *exporter.Queries) { q.Key = "t.id + 0" }, "queries.key: is more than a column"},
		{"a key of a strange table", func(q *exporter.Queries) { q.Key = "x.id" }, "queries.key: is of no table that the orders' FROM names"},
		{"a key of nobody knows which", func(q *exporter.Queries) { q.Key = "id" }, "queries.key: is of no table"},
		{"a key of a sub-select", func(q *exporter.Queries) { q.Orders = list + " FROM (SELECT * FROM p) o"; q.Key = "o.id" }, "queries.key: is of no table"},
		{"two numbers", func(q *exporter.Queries) { q.Number = "t.no, t.mail" }, "queries.number: is no single expression"},
		{"a number of any form", func(q *exporter.Queries) { q.Form = "" }, "queries.form: takes an empty text"},
		{"a form without a number", func(q *exporter.Queries) { q.Number = "" }, "queries.form: there is no number"},
		{"a form that isn't one", func(q *exporter.Queries) { q.Form = "(" }, "queries.form: not a regular expression"},
		{"no states", func(q *exporter.Queries) { q.States = nil }, "queries.states: missing"},
		{"a stock that isn't read", func(q *exporter.Queries) { q.Stock = "SHOW TABLES" }, "queries.stock: begins with another word than SELECT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := queries()
			c.change(&q)
			_, err := sql.Open(exporter.Ledger{DSN: "shop.db", Queries: &q})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open = %v, want %q", err, c.want)
			}
		})
	}
}

func TestOpenTellsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	q := exporter.Queries{Orders: "SELECT o.id, COUNT(*) FROM o", Where: ";", Stock: "x", Form: "x"}
	_, err := sql.Open(exporter.Ledger{DSN: "shop.db", Queries: &q})
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"column 2 has no name", "named state", "named created", "queries.key", "queries.where", "queries.form", "queries.states", "queries.stock"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Open doesn't say %q:\n%v", want, err)
		}
	}
}

func TestOpenRefusesLedgersAndNeverQuotesThem(t *testing.T) {
	t.Parallel()
	const secret = "p4ssw0rd"
	q := queries()
	for _, c := range []struct {
		name   string
		ledger exporter.Ledger
		want   string
	}{
		{"no queries", exporter.Ledger{DSN: "u:" + secret + "@tcp(h:1)/db"}, "queries: missing"},
		{"no dsn", exporter.Ledger{Queries: &q}, "dsn: want "},
		{"another URL", exporter.Ledger{DSN: "mysql://u:" + secret + "@h/db", Queries: &q}, "dsn: want "},
		{"a prefix", exporter.Ledger{DSN: "u:" + secret + "@tcp(h:1)/db", Queries: &q, Prefix: "x_"}, "prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := sql.Open(c.ledger)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("Open = %v, want it to say %q and not the password", err, c.want)
			}
		})
	}
}

func TestQueriesAreTakenAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, orders, key string }{
		{"plain", "select id, state, created from orders", "id"},
		{"quoted", "SELECT `o`.`id`, `o`.`order` AS `state`, o.`limit` created FROM `shop`.`orders` AS `o`", "`o`.`id`"},
		{"double-quoted", `SELECT "o"."id", o."group" AS state, o.created FROM public."orders" o`, `"o"."id"`},
		{"keywords as columns behind a dot", "SELECT o.id, o.order AS state, o.limit AS created FROM orders o", "o.id"},
		{"keywords in parentheses", "SELECT o.id, (SELECT s.x FROM s WHERE s.o = o.id ORDER BY s.id LIMIT 1) AS state, o.created FROM orders o", "o.id"},
		{"texts with signs", "SELECT o.id, 'it''s WHERE ( it is' AS state, o.created FROM orders o", "o.id"},
		{"joined", "SELECT o.id, o.state, o.created FROM pays p, orders o LEFT JOIN items i ON i.o = o.id", "o.id"},
		{"by the table's name", "SELECT orders.id, orders.state, orders.created FROM orders FORCE INDEX (PRIMARY) INNER JOIN items ON items.o = orders.id", "orders.id"},
		{"over lines", "SELECT\n\to.id,\n\to.state,\r\n\to.created\nFROM orders o\n", "o.id"},
		{"CASE without AS", "SELECT o.id, CASE WHEN o.x IS NULL THEN 'a' ELSE 'b' END state, o.created FROM orders o", "o.id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := queries()
			q.Orders, q.Key, q.Where = c.orders, c.key, ""
			d, err := sql.Open(exporter.Ledger{DSN: "shop.db", Queries: &q})
			if err != nil {
				t.Fatal(err)
			}
			d.Close()
		})
	}
}

func TestTraitsFollowFromTheColumns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		columns         string
		paid, delivered rules.Basis
		guessable       bool
	}{
		{"", rules.BasisObserved, rules.BasisObserved, false},
		{", o.updated", rules.BasisUpdated, rules.BasisObserved, false},
		{", o.updated, o.paid, o.amount", rules.BasisStored, rules.BasisObserved, true},
		{", o.x AS delivered", rules.BasisObserved, rules.BasisStored, false},
	} {
		q := exporter.Queries{Orders: "SELECT o.id, o.state, o.created" + c.columns + " FROM orders o", Key: "o.id", Number: "o.no", Form: "[0-9]{4}|x",
			States: map[string]exporter.OrderState{"1": exporter.Delivered}}
		traits := driver(t, exporter.Ledger{DSN: "shop.db", Queries: &q}).Traits()
		if traits.Moments.Paid != c.paid || traits.Moments.Delivered != c.delivered || traits.Guessable != c.guessable {
			t.Errorf("with %q, traits = %+v", c.columns, traits)
		}
		for number, want := range map[string]bool{"1234": true, "x": true, "12345": false, "x1234": false, "1234\n": false, "": false} {
			if traits.Number.MatchString(number) != want {
				t.Errorf("%q is of the form: %v, want %v", number, !want, want)
			}
		}
		q.Number, q.Form = "", ""
		if traits := driver(t, exporter.Ledger{DSN: "shop.db", Queries: &q}).Traits(); traits.Number != nil {
			t.Errorf("without a number it has the form %v", traits.Number)
		}
	}
}

// FuzzOpen feeds arbitrary queries: nothing panics, and whatever is taken stays
// one SELECT behind what the driver adds.
func FuzzOpen(f *testing.F) {
	q := queries()
	f.Add(q.Orders, q.Key, q.Where, q.Number, q.Stock)
	f.Add("SELECT '' x, \"\"\"\" AS y FROM a.b.c d, (e) JOIN", "`a`.", "((", "''''", "SELECT")
	f.Add("SELECT id, state, created FROM", "id", "a) OR (b", "x.y.z", "select 1 from (select 2) a order by 1")
	f.Fuzz(func(t *testing.T, orders, key, where, number, stock string) {
		q := exporter.Queries{Orders: orders, Key: key, Where: where, Number: number, Form: "[0-9]{4}", Stock: stock,
			States: map[string]exporter.OrderState{"1": exporter.Delivered}}
		d, err := sql.Open(exporter.Ledger{DSN: "shop.db", Queries: &q})
		if err != nil {
			return
		}
		defer d.Close()
		for _, text := range []string{orders, key, where, number, stock} {
			for _, sign := range []string{";", "?", "--", "/*", `\`} {
				if strings.Contains(text, sign) {
					t.Errorf("%q is taken", text)
				}
			}
		}
	})
}
