package dujiaonext_test

import (
	"database/sql"
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

//go:embed testdata/schema.sql
var schema string

//go:embed testdata/fixture.sql
var fixture string

var (
	shanghai = time.FixedZone("CST", 8*60*60)
	written  = time.Date(2026, 11, 22, 7, 0, 0, 0, shanghai) // the fixture's now
	moment   = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^']*'`)
)

const layout = "2006-01-02 15:04:05.999999999-07:00"

// shop is a dujiao-next shop. It writes automatic columns in UTC and its own
// moments in its own zone, as the software does.
type shop struct {
	path string
	db   *sql.DB
}

func newShop(t testing.TB, now time.Time) *shop {
	t.Helper()
	// What a URL would misread is a legal name.
	path := filepath.Join(t.TempDir(), "shop #1 50%.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	s := &shop{path: path, db: db}
	s.run(t, schema)
	s.run(t, moment.ReplaceAllStringFunc(fixture, func(text string) string {
		at, err := time.Parse(layout, strings.Trim(text, "'"))
		if err != nil {
			t.Fatal(err)
		}
		moved := now.Add(at.Sub(written))
		if strings.Contains(text, "+08:00") {
			return "'" + own(moved) + "'"
		}
		return "'" + automatic(moved) + "'"
	}))
	return s
}

func automatic(at time.Time) string { return at.UTC().Format(layout) }
func own(at time.Time) string       { return at.In(shanghai).Format(layout) }

func (s *shop) run(t testing.TB, statement string, arguments ...any) int64 {
	t.Helper()
	result, err := s.db.Exec(statement, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *shop) Ledger() exporter.Ledger {
	return exporter.Ledger{Software: "dujiaonext", DSN: s.path}
}

func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return dujiaonext.Open(l) }

func (s *shop) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	const order = `INSERT INTO orders (order_no,parent_id,user_id,status,currency,total_amount,created_at,updated_at)
		VALUES (hex(randomblob(8)),?,0,'pending_payment','CNY',10,?,?)`
	parent := s.run(t, order, nil, automatic(at), automatic(at))
	child := s.run(t, order, parent, automatic(at), automatic(at))
	s.run(t, `INSERT INTO order_items (order_id,product_id,title_json,quantity,fulfillment_type) VALUES (?,1,'{}',1,'auto')`, child)
	s.run(t, `INSERT INTO payments (order_id,channel_id,provider_type,channel_type,amount,status) VALUES (?,1,'official','alipay',10,'pending')`, parent)
	return parent
}

func (s *shop) Pay(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.run(t, `UPDATE orders SET status='paid', paid_at=?, updated_at=? WHERE id=? OR parent_id=?`, own(at), automatic(at), id, id)
	s.run(t, `UPDATE payments SET status='success' WHERE order_id=?`, id)
}

func (s *shop) Deliver(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.run(t, `UPDATE orders SET status='completed', updated_at=? WHERE id=? OR parent_id=?`, automatic(at), id, id)
	s.run(t, `INSERT INTO fulfillments (order_id,type,status,payload,delivered_at) SELECT id,'auto','delivered','K',? FROM orders WHERE parent_id=?`, own(at), id)
}

func (s *shop) Delete(t testing.TB, id int64) {
	t.Helper()
	s.run(t, `DELETE FROM orders WHERE id=? OR parent_id=?`, id, id)
}

func TestDriverOnSQLite(t *testing.T) {
	t.Parallel()
	count := func(payment string, event rules.OrderEvent) exporter.OrderCount {
		return exporter.OrderCount{Payment: payment, Event: event}
	}
	ledgertest.Run(t, ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop { return newShop(t, now) },
		Away: exporter.Ledger{DSN: filepath.Join(t.TempDir(), "not-yet.db")},
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 1, rules.Age5to30m: 1, rules.AgeOver30m: 1},
			rules.Manual:    {rules.Age5to30m: 1, rules.AgeOver30m: 1},
		},
		States: map[exporter.OrderState]int{
			exporter.Delivered: 2, exporter.Expired: 1, exporter.PaidAutoWaiting: 3, exporter.Removed: 1,
			exporter.ManualWaiting: 2, exporter.Refunded: 1, exporter.UnknownState: 1, exporter.Unpaid: 1,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("alipay", rules.OrderCreated): 8, count("alipay", rules.OrderPaid): 7, count("alipay", rules.OrderDelivered): 3,
			count("alipay", rules.OrderRefunded): 1, count("alipay", rules.OrderRemoved): 1,
			count("wechat", rules.OrderCreated): 3, count("wechat", rules.OrderPaid): 2,
			count("wechat", rules.OrderExpired): 1, count("wechat", rules.OrderUnpaidAtDeadline): 1,
			count("", rules.OrderCreated): 1,
		},
		Unknown:      1,
		Stock:        []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Cards: 40}, {Product: "3", Looped: true}, {Product: "7"}},
		StoresMoment: true,
	})
}

func driver(t *testing.T, path string) *dujiaonext.Driver {
	t.Helper()
	d, err := dujiaonext.Open(exporter.Ledger{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestAPurchaseIsOneOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, ledgertest.Now)
	d := driver(t, s.path)
	ago := func(minutes, seconds int) time.Time {
		return ledgertest.Now.Add(-time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second)
	}
	orders, err := d.ByID(t.Context(), []int64{1, 15, 17, 20})
	if err != nil {
		t.Fatal(err)
	}
	want := []exporter.Order{
		{ID: 1, State: exporter.Delivered, Automatic: true, Payment: "alipay", Items: []exporter.Item{{Product: "1", Quantity: 2}}, Amount: 10, Currency: "CNY",
			Created: ago(50, 0), Paid: ago(50, 20), Delivered: ago(50, 50), Updated: ago(50, 50)},
		{ID: 15, State: exporter.Refunded, Automatic: true, Payment: "alipay", Items: []exporter.Item{{Product: "1", Quantity: 1}}, Amount: 10, Currency: "CNY",
			Created: ago(61, 0), Paid: ago(60, 0), Delivered: ago(50, 0), Updated: ago(30, 0)},
		// The last of two deliveries is the order's.
		{ID: 17, State: exporter.Delivered, Automatic: true, Payment: "alipay", Items: []exporter.Item{{Product: "1", Quantity: 1}, {Product: "1", Quantity: 2}}, Amount: 30, Currency: "USD",
			Created: ago(31, 0), Paid: ago(30, 0), Delivered: ago(29, 0), Updated: ago(29, 0)},
		{ID: 20, State: exporter.ManualWaiting, Payment: "alipay", Items: []exporter.Item{{Product: "1", Quantity: 1}, {Product: "2", Quantity: 1}}, Amount: 30, Currency: "CNY",
			Created: ago(21, 0), Paid: ago(20, 0), Updated: ago(20, 0)},
	}
	if len(orders) != len(want) {
		t.Fatalf("%d orders, want %d", len(orders), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(orders[i], want[i]) {
			t.Errorf("order %d is\n%+v, want\n%+v", want[i].ID, orders[i], want[i])
		}
	}
	// A child's key is no order's.
	if children, err := d.ByID(t.Context(), []int64{2, 18, 19}); err != nil || len(children) != 0 {
		t.Errorf("ByID of children = %v, %v", children, err)
	}
}

func TestEveryStatusHasItsState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, how string
		want        exporter.OrderState
	}{
		{"pending_payment", "auto", exporter.Unpaid},
		{"canceled", "auto", exporter.Expired},
		{"paid", "auto", exporter.PaidAutoWaiting},
		{"paid", "manual", exporter.ManualWaiting},
		{"paid", "upstream", exporter.ManualWaiting},
		{"fulfilling", "manual", exporter.ManualWaiting},
		{"delivered", "manual", exporter.Delivered},
		{"completed", "auto", exporter.Delivered},
		{"refunded", "auto", exporter.Refunded},
		{"partially_refunded", "auto", exporter.Refunded},
		{"", "auto", exporter.UnknownState},
		{"Paid!", "auto", exporter.UnknownState},
	} {
		t.Run(c.status+" "+c.how, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, ledgertest.Now)
			id := s.Create(t, ledgertest.Now)
			s.run(t, `UPDATE orders SET status=? WHERE id=? OR parent_id=?`, c.status, id, id)
			s.run(t, `UPDATE order_items SET fulfillment_type=? WHERE order_id=?`, c.how, id+1)
			orders, err := driver(t, s.path).ByID(t.Context(), []int64{id})
			if err != nil || len(orders) != 1 {
				t.Fatalf("ByID = %v, %v", orders, err)
			}
			if orders[0].State != c.want || orders[0].Automatic != (c.how == "auto") {
				t.Errorf("state %q, automatic %v, want %q", orders[0].State, orders[0].Automatic, c.want)
			}
		})
	}
}

func TestTimesAreReadInEveryFormThatGoWrites(t *testing.T) {
	t.Parallel()
	s := newShop(t, ledgertest.Now)
	d := driver(t, s.path)
	id := s.Create(t, ledgertest.Now)
	for text, want := range map[string]time.Time{
		"2026-11-22 07:00:00.123456789+08:00":                    time.Date(2026, 11, 21, 23, 0, 0, 123456789, time.UTC),
		"2026-11-21 23:00:00+00:00":                              time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC),
		"2026-11-22T07:00:00.5+08:00":                            time.Date(2026, 11, 21, 23, 0, 0, 500000000, time.UTC),
		"2026-11-21T23:00:00Z":                                   time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC),
		"2026-11-22 07:00:00.12 +0800 CST":                       time.Date(2026, 11, 21, 23, 0, 0, 120000000, time.UTC),
		"2026-11-22 07:00:00.123456789 +0800 CST m=+0.000000001": time.Date(2026, 11, 21, 23, 0, 0, 123456789, time.UTC),
		"2026-11-21 23:00:00":                                    time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC),
		"yesterday":                                              {},
	} {
		s.run(t, `UPDATE orders SET created_at=? WHERE id=?`, text, id)
		orders, err := d.ByID(t.Context(), []int64{id})
		if err != nil || len(orders) != 1 || !orders[0].Created.Equal(want) {
			t.Errorf("%q is read as %v, %v, want %v", text, orders, err, want)
		}
	}
}

func TestCheckNamesEveryFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, statement, want string }{
		{"a table is missing", "DROP TABLE fulfillments", "has no table fulfillments"},
		{"a column is missing", "ALTER TABLE order_items DROP COLUMN quantity", "table order_items has no column quantity"},
		{"times are of another kind", "UPDATE orders SET created_at='last Tuesday'", "no creation time in a form"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, ledgertest.Now)
			s.run(t, c.statement)
			if _, err := driver(t, s.path).Check(t.Context()); !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check = %v, want ErrUnfit and %q", err, c.want)
			}
		})
	}
	t.Run("the file is no database", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := driver(t, path).Check(t.Context()); !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), "is no SQLite file") {
			t.Errorf("Check = %v", err)
		}
	})
	t.Run("an empty shop is fine", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, ledgertest.Now)
		s.run(t, "DELETE FROM orders")
		if _, err := driver(t, s.path).Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	for _, l := range []exporter.Ledger{
		{}, {DSN: "file:x.db"}, {DSN: "x.db?mode=rw"}, {DSN: "x.db", Prefix: "djk_"},
	} {
		if d, err := dujiaonext.Open(l); err == nil {
			d.Close()
			t.Errorf("Open(%+v) is taken", l)
		}
	}
}

func TestReadingNeverHoldsTheShopUp(t *testing.T) {
	t.Parallel()
	s := newShop(t, ledgertest.Now)
	d := driver(t, s.path)
	// The shop is in the middle of a write; the driver reads what was before.
	tx, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`DELETE FROM orders WHERE id<=20`); err != nil {
		t.Fatal(err)
	}
	orders, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil || len(orders) != 12 {
		t.Errorf("amid a write %d orders are read, %v, want 12", len(orders), err)
	}
	if err := tx.Commit(); err != nil {
		t.Errorf("the shop's write: %v", err)
	}
	if orders, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil || len(orders) != 2 {
		t.Errorf("after the write %d orders are read, %v, want 2", len(orders), err)
	}
}

func TestQuestionsGoByKey(t *testing.T) {
	t.Parallel()
	s := newShop(t, ledgertest.Now)
	for _, which := range []string{"id > 5 ORDER BY id LIMIT 500", "id IN (1,2,3)"} {
		rows, err := s.db.Query("EXPLAIN QUERY PLAN " + dujiaonext.Purchases(which))
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		rows.Close()
		for _, step := range plan {
			for _, table := range []string{"orders", "c", "i", "f", "y"} {
				if strings.HasPrefix(step+" ", "SCAN "+table+" ") {
					t.Errorf("%s scans:\n%s", which, strings.Join(plan, "\n"))
				}
			}
		}
		if len(plan) == 0 {
			t.Error("no plan")
		}
	}
}
