package zfaka_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/exporter/ledger/zfaka"
	"shopwatch/rules"
)

func TestDriverOnMariaDB(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t)
	// The subtests run in parallel among themselves; the group ends before the server.
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, expected(server)) })
	t.Run("own", func(t *testing.T) {
		for _, c := range []struct {
			name string
			test func(*testing.T, *ledgertest.Server)
		}{
			{"who delivers an order is what its product says now", productsDecide},
			{"a product is read when an order first names it, and with the stock", readWhenNamed},
			{"values that the shop doesn't know of are unknown", unknownValues},
			{"a payment is never free text, and the administrator is none", paymentsAreNamed},
			{"the amount is what was paid, if the account may know", amountIsPaid},
			{"rows with NULLs, zero times and broken text hide no others", oddRows},
			{"without the optional rights the books are still read", optionalRights},
			{"a self-check names every fault", checkNamesFaults},
			{"tables may have a prefix", prefixWorks},
			{"the stock is cards, or the shop's own number, or without end", stockIsCounted},
			{"a number is found in the midst of many, up to the last second", findsInCrowd},
			{"a number is found across gaps and rows without a time", findsAcrossGaps},
			{"a number that two orders carry is none's, and a deleted order's is nobody's", findsOneOrNone},
			{"more orders in a second than a shop can have are not searched", refusesCrowds},
			{"a number of the hour that comes twice is found in either", findsInTheDoubledHour},
			{"no statement reads more of the orders than it is asked for", plansAreBounded},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, server)
			})
		}
	})
}

func expected(server *ledgertest.Server) ledgertest.Fixture {
	count := func(payment string, event rules.OrderEvent) exporter.OrderCount {
		return exporter.OrderCount{Payment: payment, Event: event}
	}
	return ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop { return newShop(t, server, now) },
		Away: exporter.Ledger{DSN: "u:p@tcp(127.0.0.1:1)/shop"},
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 1, rules.Age5to30m: 2, rules.AgeOver30m: 2},
			rules.Manual:    {rules.AgeUnder5m: 1, rules.AgeOver30m: 1},
		},
		ShortOfStock: 1,
		States: map[exporter.OrderState]int{
			exporter.Delivered: 5, exporter.PaidAutoWaiting: 4, exporter.FailedShortOfStock: 1, exporter.ManualWaiting: 2,
			exporter.Unpaid: 3, exporter.Removed: 2, exporter.UnknownState: 2,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("zfbf2f", rules.OrderCreated): 7, count("zfbf2f", rules.OrderPaid): 7, count("zfbf2f", rules.OrderDelivered): 2,
			count("zfbf2f", rules.OrderRemoved): 1,
			count("wxf2f", rules.OrderCreated):  4, count("wxf2f", rules.OrderPaid): 4,
			count("codepay", rules.OrderCreated): 1, count("codepay", rules.OrderPaid): 1, count("codepay", rules.OrderDelivered): 1,
			// Unpaid orders have no channel yet, and two were paid through none.
			count("", rules.OrderCreated): 7, count("", rules.OrderPaid): 2, count("", rules.OrderDelivered): 2,
			count("", rules.OrderRemoved): 1, count("", rules.OrderUnpaidAtDeadline): 2,
		},
		Unknown: 2,
		Stock: []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Cards: 40}, {Product: "3", Looped: true},
			{Product: "5", Looped: true}, {Product: "6"}, {Product: "8"}},
		Secret: func(testing.TB, ledgertest.Shop) []string {
			return []string{"SELECT card FROM t_products_card", "SELECT kami FROM t_order", "SELECT email FROM t_order", "SELECT chapwd FROM t_order",
				"SELECT tradeid FROM t_order", "SELECT * FROM t_order", "SELECT name FROM t_products", "SELECT COUNT(*) FROM t_payment",
				"UPDATE t_order SET status=2", "DELETE FROM t_order", "SELECT COUNT(*) FROM mysql.user"}
		},
	}
}

func driver(t *testing.T, l exporter.Ledger) *zfaka.Driver {
	t.Helper()
	d, err := zfaka.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// checked is a driver that knows what it may read.
func checked(t *testing.T, l exporter.Ledger) *zfaka.Driver {
	t.Helper()
	d := driver(t, l)
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func one(t *testing.T, d *zfaka.Driver, id int64) exporter.Order {
	t.Helper()
	orders, err := d.ByID(t.Context(), []int64{id})
	if err != nil || len(orders) != 1 {
		t.Fatalf("ByID(%d) = %v, %v", id, orders, err)
	}
	return orders[0]
}

func productsDecide(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	for _, c := range []struct {
		name, set string
		state     exporter.OrderState
		automatic bool
	}{
		{"paid, automatic", "status=1, pid=1", exporter.PaidAutoWaiting, true},
		{"paid, automatic, product softly deleted", "status=1, pid=4", exporter.PaidAutoWaiting, true},
		{"paid, product gone", "status=1, pid=99", exporter.PaidAutoWaiting, true},
		{"paid, manual", "status=1, pid=2", exporter.ManualWaiting, false},
		{"short of cards", "status=3, pid=1", exporter.FailedShortOfStock, true},
		{"short of cards, product gone", "status=3, pid=99", exporter.FailedShortOfStock, true},
		{"completed", "status=2, pid=1", exporter.Delivered, true},
		{"completed by hand", "status=2, pid=2", exporter.Delivered, false},
		{"unpaid, product gone", "status=0, pid=99", exporter.Unpaid, true},
		{"completed and deleted", "status=2, pid=1, isdelete=1", exporter.Removed, true},
		{"paid and deleted", "status=1, pid=1, isdelete=1", exporter.Removed, true},
	} {
		s.run(t, "UPDATE t_order SET "+c.set+" WHERE id=8")
		if o := one(t, driver(t, s.Ledger()), 8); o.State != c.state || o.Automatic != c.automatic || !o.Delivered.IsZero() {
			t.Errorf("%s: %+v, want %s, automatic %v", c.name, o, c.state, c.automatic)
		}
	}
}

func readWhenNamed(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	for _, step := range []struct {
		name, change string
		stock        bool
		want         exporter.OrderState
	}{
		{"as the fixture has it", "", false, exporter.ManualWaiting},
		{"the owner makes it automatic", "UPDATE t_products SET auto=1 WHERE id=2", false, exporter.ManualWaiting},
		{"the stock is counted", "", true, exporter.PaidAutoWaiting},
		{"the product is deleted for good", "DELETE FROM t_products WHERE id=2", true, exporter.PaidAutoWaiting},
		{"the order names one that is new to the driver", "INSERT INTO t_products (id,auto) VALUES (50,0); UPDATE t_order SET pid=50 WHERE id=17", false, exporter.ManualWaiting},
		{"the order names one that isn't there", "UPDATE t_order SET pid=51 WHERE id=17", false, exporter.PaidAutoWaiting},
		{"it appears", "INSERT INTO t_products (id,auto) VALUES (51,0)", false, exporter.PaidAutoWaiting},
		{"the stock is counted again", "", true, exporter.ManualWaiting},
	} {
		if step.change != "" {
			s.run(t, step.change)
		}
		if step.stock {
			if _, _, err := d.Stock(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := one(t, d, 17).State; got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

func unknownValues(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "INSERT INTO t_products (id,auto) VALUES (50,2)")
	d := driver(t, s.Ledger())
	for _, set := range []string{"status=-1", "status=4", "status=99", "status=1, pid=50"} {
		s.run(t, "UPDATE t_order SET "+set+" WHERE id=8")
		if got := one(t, d, 8).State; got != exporter.UnknownState {
			t.Errorf("%s: %s, want it unknown", set, got)
		}
	}
}

func paymentsAreNamed(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "ALTER TABLE t_order MODIFY paymethod VARBINARY(255) NULL")
	d := driver(t, s.Ledger())
	for _, c := range []struct{ method, want string }{
		{"'zfbf2f'", "zfbf2f"}, {"'admin'", ""}, {"''", ""}, {"NULL", ""}, {"'支付 宝'", "____"}, {"0xFFFE41", "__A"},
		{"REPEAT('x',255)", strings.Repeat("x", 64)},
	} {
		s.run(t, "UPDATE t_order SET paymethod="+c.method+" WHERE id=8")
		if got := one(t, d, 8).Payment; got != c.want {
			t.Errorf("payment of %s = %q, want %q", c.method, got, c.want)
		}
	}
}

func amountIsPaid(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	for id, want := range map[int64]float64{9: 20.03, 14: 10, 5: 0} { // with cents added, unpaid, free
		if got := one(t, d, id).Amount; got != want {
			t.Errorf("amount of order %d = %v, want %v", id, got, want)
		}
	}
	s.run(t, "REVOKE SELECT (paymoney) ON t_order FROM "+account)
	if got := one(t, checked(t, s.Ledger()), 9).Amount; got != 20 {
		t.Errorf("without the right to what was paid, amount = %v, want what was due", got)
	}
}

func oddRows(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	before, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, `ALTER TABLE t_order MODIFY orderid VARBINARY(55) NULL, MODIFY pid INT NULL, MODIFY number INT NULL, MODIFY money DECIMAL(10,2) NULL,
			MODIFY paymoney DECIMAL(10,2) NULL, MODIFY status TINYINT NULL, MODIFY addtime INT NULL, MODIFY paytime INT NULL,
			MODIFY paymethod VARCHAR(255) NULL, MODIFY isdelete TINYINT NULL;
		INSERT INTO t_order (id,orderid,pid,number,money,paymoney,status,addtime,paytime,paymethod,isdelete) VALUES
			(30,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL), (31,0xFFFE80,1,-3,10,0,1,0,0,'zfbf2f',0), (32,'zlkb1',1,1,10,0,1,-5,-5,'zfbf2f',0)`)
	orders, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil || len(orders) != len(before)+3 || !reflect.DeepEqual(orders[:len(before)], before) {
		t.Fatalf("After = %v, %v", orders, err)
	}
	if o := orders[len(before)]; o.State != exporter.UnknownState || o.Items[0].Quantity != 1 || !o.Created.IsZero() || o.Payment != "" {
		t.Errorf("an order of NULLs: %+v", o)
	}
	for _, o := range orders[len(before)+1:] {
		if o.State != exporter.PaidAutoWaiting || !o.Created.IsZero() || !o.Paid.IsZero() || o.Items[0].Quantity != 1 {
			t.Errorf("an order without times: %+v", o)
		}
	}
	if place, err := d.At(t.Context(), 30); err != nil || place != (ledger.Place{ID: 30}) {
		t.Errorf("At = %v, %v", place, err)
	}
	if numbers, err := d.Numbers(t.Context(), []int64{30, 31}); err != nil || numbers[30] != "" || numbers[31] != "\xff\xfe\x80" {
		t.Errorf("Numbers = %v, %v", numbers, err)
	}
}

func optionalRights(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "REVOKE SELECT (orderid) ON t_order FROM "+account, "ALTER TABLE t_order DROP COLUMN paymoney")
	d := driver(t, s.Ledger())
	doubts, err := d.Check(t.Context())
	said := strings.Join(doubts, "\n")
	if err != nil || len(doubts) != 2 || !strings.Contains(said, "orderid") || !strings.Contains(said, "paymoney") {
		t.Errorf("Check = %q, %v", doubts, err)
	}
	if orders, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil || len(orders) != 19 {
		t.Errorf("After = %v, %v", orders, err)
	}
	if numbers, err := d.Numbers(t.Context(), []int64{1}); err != nil || len(numbers) != 0 {
		t.Errorf("Numbers = %v, %v, want none", numbers, err)
	}
	number := numbered(ledgertest.Now.In(shanghai), 1)
	if _, err := d.Find(t.Context(), number); ledger.Reason(err) != rules.LedgerAccess || strings.Contains(err.Error(), number) {
		t.Errorf("Find = %v, want it refused, without the number", err)
	}
}

func checkNamesFaults(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "ALTER TABLE t_products DROP COLUMN stockcontrol", "DROP TABLE t_products_card", "REVOKE SELECT (paytime) ON t_order FROM "+account)
	_, err := driver(t, s.Ledger()).Check(t.Context())
	if !errors.Is(err, ledger.ErrUnfit) {
		t.Fatalf("Check = %v, want ErrUnfit", err)
	}
	for _, want := range []string{"stockcontrol", "is the shop zfaka 1.4", "t_products_card", "check database and table prefix", "paytime", "grant SELECT"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check doesn't say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("Check quotes the password:\n%v", err)
	}
}

func prefixWorks(t *testing.T, server *ledgertest.Server) {
	s := newShopOf(t, server, ledgertest.Now, "zf2_")
	d := checked(t, s.Ledger())
	if orders, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil || len(orders) != 19 {
		t.Errorf("After = %v, %v", orders, err)
	}
	if stock, _, err := d.Stock(t.Context()); err != nil || !slices.Contains(stock, exporter.Stock{Product: "1", Cards: 2}) {
		t.Errorf("Stock = %v, %v", stock, err)
	}
	l := s.Ledger()
	l.Prefix = ""
	if _, err := driver(t, l).Check(t.Context()); !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), "t_order") {
		t.Errorf("without the prefix, Check = %v, want it to miss t_order", err)
	}
	if _, err := zfaka.Open(exporter.Ledger{DSN: l.DSN, Prefix: "a`b"}); err == nil || !strings.Contains(err.Error(), "prefix") || strings.Contains(err.Error(), password) {
		t.Errorf("Open with a prefix that isn't one = %v", err)
	}
}

func stockIsCounted(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "UPDATE t_products SET qty=-3 WHERE id=2", "INSERT INTO t_products_card (pid,card,active,isdelete) VALUES (6,'S',1,0), (8,'S',0,0)")
	stock, hidden, err := driver(t, s.Ledger()).Stock(t.Context())
	want := []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2"}, {Product: "3", Looped: true}, {Product: "5", Looped: true}, {Product: "6"}, {Product: "8", Cards: 1}}
	if err != nil || hidden != 0 || !slices.Equal(stock, want) {
		t.Errorf("Stock = %v, %d, %v, want %v", stock, hidden, err, want)
	}
}

func TestNumbersEndInNineteenDigits(t *testing.T) {
	t.Parallel()
	form := driver(t, (&shop{server: &ledgertest.Server{}, database: "x"}).Ledger()).Traits().Number
	for number, want := range map[string]bool{
		"zlkb2026112206591020019": true, "2026112206591020019": true, strings.Repeat("x", 20) + "2026112206591020019": true,
		strings.Repeat("x", 21) + "2026112206591020019": false, "zlkb202611220659102001": false, "zl-kb2026112206591020019": false,
		"zlkb2026112206591020019\n": false, "": false,
	} {
		if form.MatchString(number) != want {
			t.Errorf("%q matches %s: %v, want %v", number, form, !want, want)
		}
	}
	if traits := driver(t, (&shop{server: &ledgertest.Server{}, database: "x"}).Ledger()).Traits(); !traits.Guessable {
		t.Errorf("traits = %+v: ninety thousand numbers a second can be tried", traits)
	}
}
