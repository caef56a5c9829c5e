package dujiaonext_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func TestDriverOnSQLite(t *testing.T) {
	t.Parallel()
	f := expected(exporter.Ledger{DSN: filepath.Join(t.TempDir(), "not-yet.db")})
	f.Open = func(t testing.TB, now time.Time) ledgertest.Shop { return onSQLite(t, now) }
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, f) })
	t.Run("own", func(t *testing.T) { own(t, onSQLite) })
}

func TestDriverOnPostgreSQL(t *testing.T) {
	t.Parallel()
	onServer(t, onPostgreSQL(ledgertest.PostgreSQL(t)), "postgres://u:p@127.0.0.1:1/shop")
}

func TestDriverOnMariaDB(t *testing.T) {
	t.Parallel()
	onServer(t, onMariaDB(ledgertest.MariaDB(t)), "u:p@tcp(127.0.0.1:1)/shop")
}

// onServer runs what is true of every server. The subtests run in parallel among
// themselves; each group ends before the server does.
func onServer(t *testing.T, open opener, away string) {
	t.Helper()
	f := expected(exporter.Ledger{DSN: away})
	f.Open = func(t testing.TB, now time.Time) ledgertest.Shop { return server{open(t, now)} }
	f.Secret = func(testing.TB, ledgertest.Shop) []string {
		return []string{"SELECT secret FROM card_secrets", "SELECT payload FROM fulfillments", "SELECT guest_email FROM orders",
			"SELECT guest_password FROM orders", "SELECT * FROM orders", "UPDATE orders SET status='completed'", "DELETE FROM card_secrets"}
	}
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, f) })
	t.Run("own", func(t *testing.T) {
		own(t, open)
		t.Run("what isn't granted is named", func(t *testing.T) { t.Parallel(); namesWhatIsNotGranted(t, open) })
		t.Run("without the right to numbers all else works", func(t *testing.T) { t.Parallel(); numbersAreOptional(t, open) })
	})
}

// expected is what the fixture's rows amount to.
func expected(away exporter.Ledger) ledgertest.Fixture {
	count := func(payment string, event rules.OrderEvent) exporter.OrderCount {
		return exporter.OrderCount{Payment: payment, Event: event}
	}
	return ledgertest.Fixture{
		Away: away,
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 1, rules.Age5to30m: 1, rules.AgeOver30m: 1},
			rules.Manual:    {rules.Age5to30m: 1, rules.AgeOver30m: 1},
		},
		States: map[exporter.OrderState]int{
			exporter.Delivered: 4, exporter.Expired: 1, exporter.PaidAutoWaiting: 3, exporter.Removed: 1,
			exporter.ManualWaiting: 2, exporter.Refunded: 2, exporter.UnknownState: 1, exporter.Unpaid: 1,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("alipay", rules.OrderCreated): 9, count("alipay", rules.OrderPaid): 8, count("alipay", rules.OrderDelivered): 4,
			count("alipay", rules.OrderRefunded): 2, count("alipay", rules.OrderRemoved): 1,
			count("wechat", rules.OrderCreated): 4, count("wechat", rules.OrderPaid): 3, count("wechat", rules.OrderDelivered): 1,
			count("wechat", rules.OrderExpired): 1, count("wechat", rules.OrderUnpaidAtDeadline): 1,
			count("balance", rules.OrderCreated): 1, count("balance", rules.OrderPaid): 1, count("balance", rules.OrderDelivered): 1,
			count("", rules.OrderCreated): 1,
		},
		Unknown: 1,
		Stock:   []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Cards: 40}, {Product: "3", Looped: true}, {Product: "7"}},
	}
}

// own is what this driver promises beside the suite, on every database.
func own(t *testing.T, open opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, opener)
	}{
		{"a purchase is one order", purchaseIsOneOrder},
		{"every status has its state", everyStatusHasItsState},
		{"a product's number finds the whole purchase", productNumberFinds},
		{"a self-check names every fault", checkNamesFaults},
		{"an empty shop is fine", emptyShopIsFine},
		{"questions go by key whatever the statistics say", questionsGoByKey},
		{"an order without a moment or a channel hides no other", gapsHideNothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open)
		})
	}
}

func driver(t *testing.T, s *shop) *dujiaonext.Driver {
	t.Helper()
	d, err := dujiaonext.Open(s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func one(t *testing.T, d *dujiaonext.Driver, id int64) exporter.Order {
	t.Helper()
	orders, err := d.ByID(t.Context(), []int64{id})
	if err != nil || len(orders) != 1 {
		t.Fatalf("ByID(%d) = %v, %v", id, orders, err)
	}
	return orders[0]
}

func purchaseIsOneOrder(t *testing.T, open opener) {
	d := driver(t, open(t, ledgertest.Now))
	ago := func(minutes, seconds int) time.Time {
		return ledgertest.Now.Add(-time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second)
	}
	item := func(product string, quantity int) exporter.Item {
		return exporter.Item{Product: product, Quantity: quantity}
	}
	for _, want := range []exporter.Order{
		{ID: 10, State: exporter.Delivered, Automatic: true, Payment: "alipay", Items: []exporter.Item{item("1", 2)}, Amount: 10, Currency: "CNY",
			Created: ago(50, 0), Paid: ago(50, 20), Delivered: ago(50, 50), Updated: ago(50, 50)},
		{ID: 5, State: exporter.Refunded, Automatic: true, Payment: "alipay", Items: []exporter.Item{item("1", 1)}, Amount: 10, Currency: "CNY",
			Created: ago(61, 0), Paid: ago(60, 0), Delivered: ago(50, 0), Updated: ago(30, 0)},
		// The last of two deliveries is the order's.
		{ID: 18, State: exporter.Delivered, Automatic: true, Payment: "alipay", Items: []exporter.Item{item("1", 1), item("1", 2)}, Amount: 30, Currency: "USD",
			Created: ago(31, 0), Paid: ago(30, 0), Delivered: ago(29, 0), Updated: ago(29, 0)},
		{ID: 21, State: exporter.ManualWaiting, Payment: "alipay", Items: []exporter.Item{item("1", 1), item("2", 1)}, Amount: 30, Currency: "CNY",
			Created: ago(21, 0), Paid: ago(20, 0), Updated: ago(20, 0)},
		{ID: 8, State: exporter.Delivered, Automatic: true, Payment: "balance", Items: []exporter.Item{item("1", 5)}, Amount: 50.5, Currency: "CNY",
			Created: ago(60, 0), Paid: ago(60, 0), Delivered: ago(60, 20), Updated: ago(60, 20)},
		// What a person typed is passed on as it stands.
		{ID: 3, State: exporter.Refunded, Payment: "alipay", Items: []exporter.Item{item("2", 1)}, Amount: 20, Currency: "CNY",
			Created: ago(181, 0), Paid: ago(180, 0), Delivered: ago(210, 0), Updated: ago(120, 0)},
		{ID: 7, State: exporter.Delivered, Automatic: true, Payment: "wechat", Items: []exporter.Item{item("1", 1)}, Amount: 10, Currency: "CNY",
			Created: ago(61, 0), Paid: ago(60, 0), Delivered: ago(60, 10), Updated: ago(60, 0)},
	} {
		if got := one(t, d, want.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("order %d is\n%+v, want\n%+v", want.ID, got, want)
		}
	}
	// A child's key is no order's.
	if children, err := d.ByID(t.Context(), []int64{2, 19, 20}); err != nil || len(children) != 0 {
		t.Errorf("ByID of children = %v, %v", children, err)
	}
}

func everyStatusHasItsState(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	d := driver(t, s)
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
		id := s.Create(t, ledgertest.Now)
		s.set(t, id, c.status, ledgertest.Now)
		s.run(t, `UPDATE order_items SET fulfillment_type='%s' WHERE order_id=%d`, c.how, id+1)
		if o := one(t, d, id); o.State != c.want || o.Automatic != (c.how == "auto") {
			t.Errorf("%q %s: state %q, automatic %v, want %q", c.status, c.how, o.State, o.Automatic, c.want)
		}
	}
}

func productNumberFinds(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	d := driver(t, s)
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	find := func(number string) exporter.Order {
		t.Helper()
		if !d.Traits().Number.MatchString(number) {
			t.Fatalf("%q isn't of the form of a number", number)
		}
		o, err := d.Find(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	numbers, err := d.Numbers(t.Context(), []int64{18, 19, 30})
	if err != nil || len(numbers) != 2 {
		t.Fatalf("Numbers of two purchases and a child = %v, %v", numbers, err)
	}
	for _, c := range []struct {
		number string
		want   int64
	}{{numbers[18], 18}, {numbers[18] + "-01", 18}, {numbers[18] + "-02", 18}, {numbers[18] + "-03", 0}, {numbers[30] + "-01", 30}} {
		if got := find(c.number); got.ID != c.want {
			t.Errorf("Find(%s) = order %d, want %d", c.number, got.ID, c.want)
		}
	}
	id := s.Create(t, ledgertest.Now)
	newest, err := d.Numbers(t.Context(), []int64{id})
	if err != nil {
		t.Fatal(err)
	}
	if got := find(newest[id] + "-01"); got.ID != id {
		t.Errorf("the newest purchase by its product's number = %d, want %d", got.ID, id)
	}
	s.Remove(t, id, ledgertest.Now)
	if got := find(newest[id] + "-01"); got.ID != 0 {
		t.Errorf("a deleted purchase is found: %+v", got)
	}
}

func checkNamesFaults(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	s.run(t, "ALTER TABLE order_items DROP COLUMN quantity")
	s.run(t, "DROP TABLE fulfillments")
	_, err := driver(t, s).Check(t.Context())
	if !errors.Is(err, ledger.ErrUnfit) {
		t.Fatalf("Check = %v, want ErrUnfit", err)
	}
	for _, want := range []string{"quantity", "fulfillments", "dujiao-next"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check doesn't say %q:\n%v", want, err)
		}
	}
}

func emptyShopIsFine(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	s.run(t, "DELETE FROM orders")
	d := driver(t, s)
	if _, err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if last, err := d.Last(t.Context()); err != nil || last != (ledger.Place{}) {
		t.Errorf("Last = %v, %v", last, err)
	}
	if o, err := d.Find(t.Context(), "DJ20270315071000000001"); err != nil || o.ID != 0 {
		t.Errorf("Find = %v, %v", o, err)
	}
}

func gapsHideNothing(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	d := driver(t, s)
	id := s.Create(t, ledgertest.Now)
	s.run(t, "UPDATE orders SET created_at=NULL, updated_at=NULL, status='paid' WHERE id=%d OR parent_id=%[1]d", id)
	s.run(t, "DELETE FROM payments WHERE order_id=%d", id)
	s.run(t, "DELETE FROM order_items WHERE order_id=%d", id+1)
	o := one(t, d, id)
	if want := (exporter.Order{ID: id, State: exporter.ManualWaiting, Amount: 10, Currency: "CNY"}); !reflect.DeepEqual(o, want) {
		t.Errorf("an order of which all is missing is\n%+v, want\n%+v", o, want)
	}
	if orders, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil || len(orders) != 16 {
		t.Errorf("with it %d orders are read, %v, want 16", len(orders), err)
	}
}

func namesWhatIsNotGranted(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	s.run(t, "REVOKE SELECT (delivered_at) ON fulfillments FROM %s", s.account)
	_, err := driver(t, s).Check(t.Context())
	trouble, told := errors.AsType[*ledger.Error](err)
	if !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), "fulfillments") || !strings.Contains(err.Error(), "grant SELECT") {
		t.Errorf("Check = %v", err)
	}
	if told && trouble.Reason != rules.LedgerAccess {
		t.Errorf("the reason is %q", trouble.Reason)
	}
}

func numbersAreOptional(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	s.run(t, "REVOKE SELECT (order_no) ON orders FROM %s", s.account)
	d := driver(t, s)
	doubts, err := d.Check(t.Context())
	if err != nil || len(doubts) != 1 {
		t.Errorf("Check = %q, %v, want one doubt", doubts, err)
	}
	if numbers, err := d.Numbers(t.Context(), []int64{1}); err != nil || len(numbers) != 0 {
		t.Errorf("Numbers = %v, %v", numbers, err)
	}
	if orders, err := d.After(t.Context(), 0, 3); err != nil || len(orders) != 3 {
		t.Errorf("After = %v, %v", orders, err)
	}
	if _, err := d.Find(t.Context(), "DJ20270315071000000001"); err == nil {
		t.Error("Find says that there is no such order, though it can't know")
	}
}

func TestOpenRefusesWhatItCannotUseAndNeverQuotesIt(t *testing.T) {
	t.Parallel()
	const password = "p4ssw0rd"
	for _, l := range []exporter.Ledger{
		{}, {DSN: "file:x.db"}, {DSN: "x.db?mode=rw"}, {DSN: "x.db", Prefix: "djk_"},
		{DSN: "mysql://u:" + password + "@h/db"}, {DSN: "u:" + password + "@tcp(h:1)/"},
		{DSN: "u:" + password + "@tcp(h:1)/db?time_zone=%27%2B08%3A00%27"}, {DSN: "postgres://u:" + password + "@:x/db"},
	} {
		d, err := dujiaonext.Open(l)
		if err == nil {
			d.Close()
			t.Errorf("Open(%+v) is taken", l)
		} else if strings.Contains(fmt.Sprint(err), password) {
			t.Errorf("Open quotes the password: %v", err)
		}
	}
}
