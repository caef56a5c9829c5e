package acgfaka_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/acgfaka"
	"shopwatch/exporter/ledger/ledgertest"
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
			{"an order that is called delivered without its cards ran short of stock until it gets them", falseSuccess},
			{"only cards that the shop itself should have linked are missed", otherGoodsNeedNoCards},
			{"a shortage that somebody makes good was delivered then, and an order that was paid and delivered at once at once", deliveredWhen},
			{"an order's product and channel are read when it first names them, and with the stock", readWhenNamed},
			{"a payment is named by plugin and code and is never free text", paymentsAreNamed},
			{"gifts and what the balance paid are no payments", balanceIsNoPayment},
			{"values that the shop doesn't know of are unknown", unknownValues},
			{"rows with NULLs, zero dates and broken text hide no others", oddRows},
			{"without the right to the numbers the books are still read", numbersAreOptional},
			{"a self-check names every fault", checkNamesFaults},
			{"tables may have a prefix", prefixWorks},
			{"the zone of the ledger is the clock of the shop", zoneIsTheLedgers},
			{"the stock is cards, or the shop's own number", stockIsCounted},
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
	const alipay = "Epay-alipay"
	return ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop { return newShop(t, server, now) },
		Away: exporter.Ledger{DSN: "u:p@tcp(127.0.0.1:1)/shop"},
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeOver30m: 1}, // the false success
			rules.Manual:    {rules.AgeUnder5m: 1, rules.AgeOver30m: 1},
		},
		ShortOfStock: 1,
		States: map[exporter.OrderState]int{
			exporter.Delivered: 4, exporter.FailedShortOfStock: 1, exporter.ManualWaiting: 2, exporter.Unpaid: 1,
		},
		Orders: map[exporter.OrderCount]uint64{
			count(alipay, rules.OrderCreated): 7, count(alipay, rules.OrderPaid): 6, count(alipay, rules.OrderDelivered): 3,
			count(alipay, rules.OrderUnpaidAtDeadline): 1,
			count("", rules.OrderCreated):              1, count("", rules.OrderPaid): 1, count("", rules.OrderDelivered): 1, // the gift
		},
		Stock: []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Cards: 40}},
		Secret: func(testing.TB, ledgertest.Shop) []string {
			return []string{"SELECT secret FROM acg_card", "SELECT secret FROM acg_order", "SELECT contact FROM acg_order",
				"SELECT password FROM acg_order", "SELECT create_ip FROM acg_order", "SELECT * FROM acg_order", "SELECT name FROM acg_commodity",
				"UPDATE acg_order SET status=1", "DELETE FROM acg_order", "SELECT COUNT(*) FROM mysql.user"}
		},
	}
}

func driver(t *testing.T, l exporter.Ledger) *acgfaka.Driver {
	t.Helper()
	d, err := acgfaka.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// checked is a driver that knows what it may read.
func checked(t *testing.T, l exporter.Ledger) *acgfaka.Driver {
	t.Helper()
	d := driver(t, l)
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func one(t *testing.T, d *acgfaka.Driver, id int64) exporter.Order {
	t.Helper()
	orders, err := d.ByID(t.Context(), []int64{id})
	if err != nil || len(orders) != 1 {
		t.Fatalf("ByID(%d) = %v, %v", id, orders, err)
	}
	return orders[0]
}

func falseSuccess(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	id := s.Create(t, ledgertest.Now.Add(-time.Minute))
	s.run(t, fmt.Sprintf("UPDATE acg_order SET card_num=2 WHERE id=%d", id))
	s.Pay(t, id, ledgertest.Now)
	for linked, want := range []exporter.OrderState{exporter.FailedShortOfStock, exporter.FailedShortOfStock, exporter.Delivered} {
		if linked > 0 {
			s.Deliver(t, id, ledgertest.Now)
		}
		o := one(t, d, id)
		if o.State != want || o.Delivered.IsZero() == (want == exporter.Delivered) || !o.Automatic {
			t.Errorf("with %d of 2 cards: %+v, want %s", linked, o, want)
		}
		if found, err := d.Find(t.Context(), numberOf(t, d, id)); err != nil || !reflect.DeepEqual(found, o) {
			t.Errorf("with %d of 2 cards, Find = %+v, %v", linked, found, err)
		}
	}
}

func numberOf(t *testing.T, d *acgfaka.Driver, id int64) string {
	t.Helper()
	numbers, err := d.Numbers(t.Context(), []int64{id})
	if err != nil || numbers[id] == "" {
		t.Fatalf("Numbers(%d) = %v, %v", id, numbers, err)
	}
	return numbers[id]
}

func otherGoodsNeedNoCards(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	s.run(t, "INSERT INTO acg_commodity (id,category_id,name,status,code,create_time,delivery_way,shared_id) VALUES"+
		" (4,1,'manual upstream',1,'c4','2026-11-01 00:00:00',1,7), (5,1,'shared_id 0',1,'c5','2026-11-01 00:00:00',0,0)")
	for _, c := range []struct {
		name      string
		set       string
		state     exporter.OrderState
		automatic bool
	}{
		{"automatic", "commodity_id=1", exporter.FailedShortOfStock, true},
		{"automatic, shared_id 0", "commodity_id=5", exporter.FailedShortOfStock, true},
		{"automatic, of no card", "commodity_id=1, card_num=0", exporter.Delivered, true},
		{"manual", "commodity_id=2", exporter.Delivered, false},
		{"upstream", "commodity_id=3", exporter.Delivered, true},
		{"manual upstream", "commodity_id=4", exporter.Delivered, false},
		{"a product that is gone", "commodity_id=99", exporter.Delivered, false},
		{"undelivered, automatic", "commodity_id=1, delivery_status=0", exporter.PaidAutoWaiting, true},
		{"undelivered, upstream", "commodity_id=3, delivery_status=0", exporter.PaidAutoWaiting, true},
		{"undelivered, manual", "commodity_id=2, delivery_status=0", exporter.ManualWaiting, false},
		{"undelivered, a product that is gone", "commodity_id=99, delivery_status=0", exporter.ManualWaiting, false},
		{"unpaid", "commodity_id=1, delivery_status=0, status=0, pay_time=NULL", exporter.Unpaid, true},
	} {
		id := s.Create(t, ledgertest.Now.Add(-time.Minute))
		s.Pay(t, id, ledgertest.Now)
		s.run(t, fmt.Sprintf("UPDATE acg_order SET %s WHERE id=%d", c.set, id))
		if o := one(t, d, id); o.State != c.state || o.Automatic != c.automatic {
			t.Errorf("%s: state %s, automatic %v, want %s, %v", c.name, o.State, o.Automatic, c.state, c.automatic)
		}
	}
}

func deliveredWhen(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	paid := ledgertest.Now.Add(-time.Hour)
	id := s.Create(t, paid.Add(-time.Minute))
	s.Pay(t, id, paid)
	s.Deliver(t, id, paid)
	for _, c := range []struct {
		name, linked string
		want         time.Time
	}{
		{"the shop delivers", wall(paid), paid},
		{"somebody makes it good", wall(paid.Add(50 * time.Minute)), paid.Add(50 * time.Minute)},
		{"the card was sold before", wall(paid.Add(-time.Second)), paid},
		{"the card has no moment", "NULL", time.Time{}},
		{"the card has a zero date", "'0000-00-00 00:00:00'", time.Time{}},
	} {
		s.run(t, "SET sql_mode=''; UPDATE acg_card SET purchase_time="+c.linked+fmt.Sprintf(" WHERE order_id=%d", id))
		if o := one(t, d, id); o.State != exporter.Delivered || !o.Delivered.Equal(c.want) || !o.Paid.Equal(paid) {
			t.Errorf("%s: %+v, want delivered at %v", c.name, o, c.want)
		}
	}
	for id, want := range map[int64]bool{6: false, 7: true} { // by a person, by an upstream shop
		if o := one(t, d, id); o.State != exporter.Delivered || o.Delivered.IsZero() == want || want && !o.Delivered.Equal(o.Paid) {
			t.Errorf("order %d: %+v, want the moment of delivery to be that of payment: %v", id, o, want)
		}
	}
}

func unknownValues(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "INSERT INTO acg_commodity (id,category_id,name,status,code,create_time,delivery_way) VALUES (4,1,'n',1,'c4','2026-11-01 00:00:00',2)")
	d := driver(t, s.Ledger())
	for _, set := range []string{"status=2", "status=9, delivery_status=1", "status=1, delivery_status=2", "status=1, delivery_status=0, commodity_id=4"} {
		s.run(t, "UPDATE acg_order SET "+set+" WHERE id=1")
		if got := one(t, d, 1).State; got != exporter.UnknownState {
			t.Errorf("%s: %s, want it unknown", set, got)
		}
	}
}

func oddRows(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	before, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, `SET sql_mode='';
		ALTER TABLE acg_order MODIFY trade_no VARBINARY(40) NULL, MODIFY amount DECIMAL(10,2) NULL, MODIFY commodity_id INT NULL, MODIFY card_num INT NULL,
			MODIFY pay_id INT NULL, MODIFY create_time DATETIME NULL, MODIFY status TINYINT NULL, MODIFY delivery_status TINYINT NULL;
		INSERT INTO acg_order (id,create_ip,create_device,status,delivery_status) VALUES (20,'',0,NULL,NULL);
		INSERT INTO acg_order (id,trade_no,create_ip,create_device,amount,commodity_id,card_num,pay_id,create_time,pay_time,status,delivery_status)
			VALUES (21,0xFFFE80,'',0,10,1,-3,2,'0000-00-00 00:00:00','0000-00-00 00:00:00',1,0)`)
	orders, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil || len(orders) != len(before)+2 || !reflect.DeepEqual(orders[:len(before)], before) {
		t.Fatalf("After = %v, %v", orders, err)
	}
	nothing, zero := orders[len(before)], orders[len(before)+1]
	if nothing.State != exporter.UnknownState || nothing.Items[0].Quantity != 1 || !nothing.Created.IsZero() || nothing.Payment != "" {
		t.Errorf("an order of NULLs: %+v", nothing)
	}
	if zero.State != exporter.PaidAutoWaiting || !zero.Created.IsZero() || !zero.Paid.IsZero() || !zero.Delivered.IsZero() || zero.Items[0].Quantity != 1 {
		t.Errorf("an order of zero dates: %+v", zero)
	}
	if place, err := d.At(t.Context(), 20); err != nil || place != (ledger.Place{ID: 20}) {
		t.Errorf("At = %v, %v", place, err)
	}
	if numbers, err := d.Numbers(t.Context(), []int64{20, 21}); err != nil || numbers[20] != "" || numbers[21] != "\xff\xfe\x80" {
		t.Errorf("Numbers = %v, %v", numbers, err)
	}
}

func numbersAreOptional(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "REVOKE SELECT (trade_no) ON acg_order FROM "+account)
	d := driver(t, s.Ledger())
	if doubts, err := d.Check(t.Context()); err != nil || len(doubts) != 1 || !strings.Contains(doubts[0], "trade_no") {
		t.Errorf("Check = %q, %v", doubts, err)
	}
	if orders, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil || len(orders) != 8 {
		t.Errorf("After = %v, %v", orders, err)
	}
	if numbers, err := d.Numbers(t.Context(), []int64{1}); err != nil || len(numbers) != 0 {
		t.Errorf("Numbers = %v, %v, want none", numbers, err)
	}
	const number = "101261122061000001"
	if _, err := d.Find(t.Context(), number); ledger.Reason(err) != rules.LedgerAccess || strings.Contains(err.Error(), number) {
		t.Errorf("Find = %v, want it refused, without the number", err)
	}
}

func checkNamesFaults(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "ALTER TABLE acg_commodity DROP COLUMN shared_id", "DROP TABLE acg_pay", "REVOKE SELECT (order_id) ON acg_card FROM "+account)
	_, err := driver(t, s.Ledger()).Check(t.Context())
	if !errors.Is(err, ledger.ErrUnfit) {
		t.Fatalf("Check = %v, want ErrUnfit", err)
	}
	for _, want := range []string{"shared_id", "is the shop acg-faka 3", "acg_pay", "check database and table prefix", "order_id", "grant SELECT"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check doesn't say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("Check quotes the password:\n%v", err)
	}
}

func prefixWorks(t *testing.T, server *ledgertest.Server) {
	s := newShopOf(t, server, ledgertest.Now, "faka2_")
	d := checked(t, s.Ledger())
	if orders, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil || len(orders) != 8 {
		t.Errorf("After = %v, %v", orders, err)
	}
	if stock, _, err := d.Stock(t.Context()); err != nil || !slices.Contains(stock, exporter.Stock{Product: "1", Cards: 2}) {
		t.Errorf("Stock = %v, %v", stock, err)
	}
	l := s.Ledger()
	l.Prefix = ""
	if _, err := driver(t, l).Check(t.Context()); !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), "acg_order") {
		t.Errorf("without the prefix, Check = %v, want it to miss acg_order", err)
	}
	if _, err := acgfaka.Open(exporter.Ledger{DSN: l.DSN, Prefix: "a`b"}); err == nil || !strings.Contains(err.Error(), "prefix") || strings.Contains(err.Error(), password) {
		t.Errorf("Open with a prefix that isn't one = %v", err)
	}
}

func zoneIsTheLedgers(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "UPDATE acg_order SET create_time='2026-11-01 01:30:00', pay_time='2026-07-01 12:00:00' WHERE id=7")
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		zone          *time.Location
		created, paid string
	}{
		{nil, "2026-10-31T17:30:00Z", "2026-07-01T04:00:00Z"}, // Asia/Shanghai
		{time.UTC, "2026-11-01T01:30:00Z", "2026-07-01T12:00:00Z"},
		{newYork, "2026-11-01T06:30:00Z", "2026-07-01T16:00:00Z"}, // that hour comes twice: the later one
	} {
		l := s.Ledger()
		l.Zone = c.zone
		o := one(t, driver(t, l), 7)
		if created, paid := o.Created.Format(time.RFC3339), o.Paid.Format(time.RFC3339); created != c.created || paid != c.paid {
			t.Errorf("in %v: created %s, paid %s, want %s, %s", c.zone, created, paid, c.created, c.paid)
		}
	}
}

func stockIsCounted(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "UPDATE acg_commodity SET stock=17 WHERE id=3", "UPDATE acg_commodity SET stock=5 WHERE id=1", // of automatic goods it means nothing
		`INSERT INTO acg_commodity (id,category_id,name,status,code,create_time,delivery_way,shared_id,stock) VALUES
		(4,1,'manual, no number',1,'c4','2026-11-01 00:00:00',1,NULL,NULL), (5,1,'manual, below zero',1,'c5','2026-11-01 00:00:00',1,NULL,-2),
		(6,1,'not on sale',0,'c6','2026-11-01 00:00:00',0,NULL,NULL), (7,1,'sold out',1,'c7','2026-11-01 00:00:00',0,0,NULL)`,
		"INSERT INTO acg_card (commodity_id,secret,create_time,status) VALUES (6,'S','2026-11-01 00:00:00',0)")
	stock, hidden, err := driver(t, s.Ledger()).Stock(t.Context())
	want := []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Cards: 40}, {Product: "3", Cards: 17}, {Product: "5"}, {Product: "7"}}
	if err != nil || hidden != 0 || !slices.Equal(stock, want) {
		t.Errorf("Stock = %v, %d, %v, want %v", stock, hidden, err, want)
	}
}
