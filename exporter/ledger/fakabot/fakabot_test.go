package fakabot_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/fakabot"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func count(payment string, event rules.OrderEvent) exporter.OrderCount {
	return exporter.OrderCount{Payment: payment, Event: event}
}

func TestTheRewriteOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := ledgertest.PostgreSQL(t)
	// The subtests run in parallel among themselves; the group ends before the server.
	t.Run("suite", func(t *testing.T) {
		ledgertest.Run(t, ledgertest.Fixture{
			Open: func(t testing.TB, now time.Time) ledgertest.Shop { return onPostgreSQL(t, server, now) },
			Away: exporter.Ledger{DSN: "postgres://u:p@127.0.0.1:1/shop"},
			Waiting: map[rules.Kind]map[rules.Age]int{
				rules.Automatic: {rules.AgeUnder5m: 1, rules.Age5to30m: 1, rules.AgeOver30m: 1},
			},
			States: map[exporter.OrderState]int{
				exporter.Delivered: 3, exporter.Expired: 2, exporter.PaidAutoWaiting: 3, exporter.Refunded: 2,
				exporter.UnknownState: 1, exporter.Unpaid: 1,
			},
			Orders: map[exporter.OrderCount]uint64{
				count("epay", rules.OrderCreated): 7, count("epay", rules.OrderPaid): 5, count("epay", rules.OrderDelivered): 3,
				count("epay", rules.OrderRefunded):  1,
				count("epusdt", rules.OrderCreated): 3, count("epusdt", rules.OrderPaid): 2, count("epusdt", rules.OrderDelivered): 1,
				count("epusdt", rules.OrderExpired): 1, count("epusdt", rules.OrderUnpaidAtDeadline): 1,
				count("usdt_trc20_direct", rules.OrderCreated): 1, count("usdt_trc20_direct", rules.OrderPaid): 1,
				count("usdt_trc20_direct", rules.OrderDelivered): 1, count("usdt_trc20_direct", rules.OrderRefunded): 1,
				count("", rules.OrderCreated): 1, count("", rules.OrderExpired): 1, count("", rules.OrderUnpaidAtDeadline): 1,
			},
			Unknown: 1,
			Stock:   []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Cards: 1}, {Product: "3", Looped: true}, {Product: "4", Looped: true}, {Product: "7"}},
			Secret: func(testing.TB, ledgertest.Shop) []string {
				return []string{"SELECT content_encrypted FROM inventory_items", "SELECT buyer_telegram_user_id FROM orders", "SELECT * FROM orders",
					"SELECT error_message FROM delivery_records", "UPDATE orders SET status='delivered'", "DELETE FROM inventory_items"}
			},
		})
	})
	t.Run("own", func(t *testing.T) {
		t.Run("an order is read whole", func(t *testing.T) {
			t.Parallel()
			readsWholeOrders(t, driver(t, onPostgreSQL(t, server, ledgertest.Now).shop))
		})
		t.Run("without the optional columns all else works", func(t *testing.T) {
			t.Parallel()
			s := onPostgreSQL(t, server, ledgertest.Now)
			s.run(t, "ALTER TABLE products DROP COLUMN external_id")
			d := driver(t, s.shop)
			if doubts, err := d.Check(t.Context()); err != nil || len(doubts) != 1 {
				t.Errorf("Check = %q, %v, want one doubt", doubts, err)
			}
			if stock, _, err := d.Stock(t.Context()); err != nil || len(stock) != 6 {
				t.Errorf("not knowing what a supplier delivers, Stock = %v, %v, want 6 products", stock, err)
			}
		})
		t.Run("a self-check names every fault", func(t *testing.T) {
			t.Parallel()
			s := onPostgreSQL(t, server, ledgertest.Now)
			s.run(t, "ALTER TABLE orders DROP COLUMN paid_at")
			s.run(t, "DROP TABLE inventory_items")
			_, err := driver(t, s.shop).Check(t.Context())
			if !errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), "paid_at") || !strings.Contains(err.Error(), "inventory_items") {
				t.Errorf("Check = %v, want both faults", err)
			}
		})
	})
}

func readsWholeOrders(t *testing.T, d *fakabot.Driver) {
	t.Helper()
	ago := func(minutes, seconds int) time.Time {
		return ledgertest.Now.Add(-time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second)
	}
	for _, want := range []exporter.Order{
		{ID: 4, State: exporter.PaidAutoWaiting, Automatic: true, Payment: "epusdt", Items: []exporter.Item{{Product: "3", Quantity: 1}},
			Amount: 12.34567891, Currency: "USDT", Created: ago(41, 0), Paid: ago(40, 0), Updated: ago(40, 0)},
		{ID: 7, State: exporter.Delivered, Automatic: true, Payment: "epay", Items: []exporter.Item{{Product: "subscription", Quantity: 1}},
			Amount: 30, Currency: "USDT", Created: ago(30, 0), Paid: ago(29, 0), Delivered: ago(29, 0), Updated: ago(29, 0)},
		{ID: 9, State: exporter.Delivered, Automatic: true, Payment: "epusdt", Items: []exporter.Item{{Product: "1", Quantity: 1}},
			Amount: 2.5, Currency: "USDT", Created: ago(15, 0), Paid: ago(14, 0), Delivered: ago(14, 30), Updated: ago(14, 30)},
		{ID: 10, State: exporter.PaidAutoWaiting, Automatic: true, Payment: "epay", Items: []exporter.Item{{Product: "1", Quantity: 1}},
			Amount: 1.5, Currency: "USDT", Created: ago(11, 0), Paid: ago(10, 0), Updated: ago(10, 0)},
	} {
		if got := one(t, d, want.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("order %d is\n%+v, want\n%+v", want.ID, got, want)
		}
	}
}

func TestTheBotOfOldOnSQLite(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop { return onSQLite(t, now) },
		Away: exporter.Ledger{DSN: filepath.Join(t.TempDir(), "not-yet.db")},
		// It stores no moment of payment: who was found paid has waited since the order, at most.
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 1, rules.AgeOver30m: 2}, rules.Manual: {rules.Age5to30m: 1},
		},
		ShortOfStock: 1,
		States: map[exporter.OrderState]int{
			exporter.Delivered: 3, exporter.Expired: 1, exporter.PaidAutoWaiting: 2, exporter.FailedShortOfStock: 1,
			exporter.Ready: 1, exporter.ManualWaiting: 1, exporter.UnknownState: 1, exporter.Unpaid: 1,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("alipay", rules.OrderCreated): 6, count("alipay", rules.OrderPaid): 5, count("alipay", rules.OrderDelivered): 3,
			count("wxpay", rules.OrderCreated): 4, count("wxpay", rules.OrderPaid): 2,
			count("wxpay", rules.OrderExpired): 1, count("wxpay", rules.OrderUnpaidAtDeadline): 1,
			count("usdt_lemon", rules.OrderCreated): 1, count("usdt_lemon", rules.OrderPaid): 1,
		},
		Unknown: 1,
		Stock:   []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Looped: true}, {Product: "3", Looped: true}, {Product: "5"}},
	})
}

func driver(t *testing.T, s *shop) *fakabot.Driver {
	t.Helper()
	d, err := fakabot.Open(s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func one(t *testing.T, d *fakabot.Driver, id int64) exporter.Order {
	t.Helper()
	orders, err := d.ByID(t.Context(), []int64{id})
	if err != nil || len(orders) != 1 {
		t.Fatalf("ByID(%d) = %v, %v", id, orders, err)
	}
	return orders[0]
}

func TestCardsOfTheBotOfOldWaitForTheMachineAndInvitationsForTheBuyer(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, ledgertest.Now)
	d := driver(t, s.shop)
	for id, want := range map[int64]exporter.OrderState{
		3: exporter.PaidAutoWaiting, 4: exporter.Ready, 6: exporter.FailedShortOfStock, 7: exporter.ManualWaiting, 11: exporter.PaidAutoWaiting,
	} {
		if got := one(t, d, id); got.State != want || got.Automatic != (want != exporter.Ready && want != exporter.ManualWaiting) {
			t.Errorf("order %d is %q, automatic %v, want %q", id, got.State, got.Automatic, want)
		}
	}
	// Somebody refilled; and a card was bound, but the bot died before it said so.
	s.run(t, "INSERT INTO card_keys (product_id,tier_id,key_text,create_time) VALUES (5,5,'K',1)")
	if got := one(t, d, 6).State; got != exporter.PaidAutoWaiting {
		t.Errorf("after a refill order 6 is %q", got)
	}
	s.run(t, "UPDATE card_keys SET used_by_order_id=6, used_time=%d WHERE product_id=5", ledgertest.Now.Unix())
	if got := one(t, d, 6); got.State != exporter.PaidAutoWaiting || !got.Delivered.Equal(ledgertest.Now) {
		t.Errorf("with the last card bound order 6 is %+v", got)
	}
}

func TestAnOrderOfTheBotOfOldIsReadWhole(t *testing.T) {
	t.Parallel()
	d := driver(t, onSQLite(t, ledgertest.Now).shop)
	want := exporter.Order{ID: 1, State: exporter.Delivered, Automatic: true, Payment: "alipay", Items: []exporter.Item{{Product: "1", Quantity: 1}},
		Amount: 10.5, Currency: "CNY", Created: ledgertest.Now.Add(-time.Hour), Delivered: ledgertest.Now.Add(-3590 * time.Second)}
	if got := one(t, d, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("order 1 is\n%+v, want\n%+v", got, want)
	}
}

func TestTiersSayHowTheBotOfOldDelivers(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, ledgertest.Now)
	for _, statement := range []string{
		"INSERT INTO product_tiers (id,product_id,name,price,deliver_type,create_time) VALUES (11,1,'n',1,'join_group',1),(12,3,'n',1,'card_pool',1),(13,1,'n',1,'card_pool',1)",
		"INSERT INTO card_keys (product_id,tier_id,key_text,create_time) VALUES (3,12,'K',1)",
		"UPDATE orders SET status='paid'",
		"UPDATE orders SET tier_id=11 WHERE id=2",
		"UPDATE orders SET tier_id=12 WHERE id=4",
		"UPDATE orders SET tier_id=13 WHERE id=8",
	} {
		s.run(t, statement)
	}
	d := driver(t, s.shop)
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int64]exporter.OrderState{
		3: exporter.PaidAutoWaiting, 2: exporter.Ready, 4: exporter.PaidAutoWaiting, 8: exporter.FailedShortOfStock, 5: exporter.Ready,
	} {
		if got := one(t, d, id); got.State != want {
			t.Errorf("order %d is %q, want %q", id, got.State, want)
		}
	}
	want := []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Looped: true}, {Product: "3", Cards: 1}, {Product: "5"}}
	if stock, _, err := d.Stock(t.Context()); err != nil || !reflect.DeepEqual(stock, want) {
		t.Errorf("Stock = %v, %v, want %v", stock, err, want)
	}
}

func TestTheBotOfOldIsReadFromBeforeItSoldTiers(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, ledgertest.Now)
	for _, statement := range []string{
		"DROP TABLE product_tiers", "DROP INDEX idx_orders_tier_id", "DROP INDEX idx_card_keys_tier_used",
		"ALTER TABLE orders DROP COLUMN tier_id", "ALTER TABLE card_keys DROP COLUMN tier_id",
	} {
		s.run(t, statement)
	}
	d := driver(t, s.shop)
	if doubts, err := d.Check(t.Context()); err != nil || len(doubts) != 3 {
		t.Fatalf("Check = %q, %v, want doubts about what isn't there", doubts, err)
	}
	for id, want := range map[int64]exporter.OrderState{
		3: exporter.PaidAutoWaiting, 4: exporter.Ready, 6: exporter.FailedShortOfStock, 11: exporter.PaidAutoWaiting,
	} {
		if got := one(t, d, id); got.State != want {
			t.Errorf("order %d is %q, want %q", id, got.State, want)
		}
	}
	want := []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Looped: true}, {Product: "3", Looped: true}, {Product: "5"}}
	if stock, _, err := d.Stock(t.Context()); err != nil || !reflect.DeepEqual(stock, want) {
		t.Errorf("Stock = %v, %v, want %v", stock, err, want)
	}
}

func TestQuestionsToTheBotOfOldGoByKey(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, ledgertest.Now)
	d := driver(t, s.shop)
	if _, err := d.Check(t.Context()); err != nil { // it finds the tiers
		t.Fatal(err)
	}
	for _, which := range []string{"o.id > 5 ORDER BY o.id LIMIT 500", "o.id IN (1,2,3)", "o.out_trade_no = 'X'"} {
		rows, err := s.db.Query("EXPLAIN QUERY PLAN " + d.Statement(which))
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for ; rows.Next(); steps++ {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(step, "SCAN") && step != "SCAN CONSTANT ROW" {
				t.Errorf("%s: %s", which, step)
			}
		}
		rows.Close()
		if steps == 0 {
			t.Error("no plan")
		}
	}
}

func TestOpenTellsTheGenerationByTheDSNAndNeverQuotesIt(t *testing.T) {
	t.Parallel()
	const password = "p4ssw0rd"
	for _, c := range []struct {
		ledger exporter.Ledger
		want   string
	}{
		{exporter.Ledger{}, "the path of the shop's SQLite file, or postgres://"},
		{exporter.Ledger{DSN: "u:" + password + "@tcp(h:1)/db"}, "the path of the shop's SQLite file, or postgres://"},
		{exporter.Ledger{DSN: "postgres://u:" + password + "@:x/db"}, "postgres://"},
		{exporter.Ledger{DSN: "x.db", Prefix: "f_"}, "prefix"},
	} {
		_, err := fakabot.Open(c.ledger)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), password) {
			t.Errorf("Open = %v, want it to say %q and not the password", err, c.want)
		}
	}
	for dsn, want := range map[string]string{"postgres://u:p@h/db": "ORD0", "x.db": "ABC123-00001"} {
		d, err := fakabot.Open(exporter.Ledger{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if !d.Traits().Number.MatchString(want) || d.Traits().Guessable {
			t.Errorf("the numbers of %s don't look like %s", dsn, want)
		}
	}
}
