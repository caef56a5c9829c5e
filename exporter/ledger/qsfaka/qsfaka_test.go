package qsfaka_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/exporter/ledger/qsfaka"
)

func TestDriverOnMariaDB(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t, ledgertest.Logged, "--userstat")
	// The subtests run in parallel among themselves; the group ends before the server.
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, fixture(server)) })
	t.Run("own", func(t *testing.T) {
		for _, c := range []struct {
			name string
			test func(*testing.T, *ledgertest.Server)
		}{
			{"who paid and did not look is ready, and waits when others took the cards", shortageArises},
			{"a refill ends the waiting", shortageEnds},
			{"cards go to those who paid first, whichever orders are read together", lineIsRemembered},
			{"who got their cards no longer stands in the line", lineIsReadAgain},
			{"a deleted order no longer stands in the line", deletedLeavesLine},
			{"who has not looked for a day keeps nobody waiting", abandonedDontCount},
			{"a locked card is none until its time", lockedCards},
			{"an order is delivered when its cards are as many as were bought", partialHandOuts},
			{"an odd row is read as far as it goes", oddRows},
			{"a number that two orders share finds neither", sharedNumber},
			{"an account without the numbers gives none", numbersAreOptional},
			{"no statement scans a table", statementsGoByKey},
			{"many cards cost no more than few", countIsBounded},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, server)
			})
		}
	})
}

func driver(t *testing.T, s *shop) *qsfaka.Driver {
	t.Helper()
	d, err := qsfaka.Open(s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if doubts, err := d.Check(t.Context()); err != nil {
		t.Fatal(doubts, err)
	}
	return d
}

// states reads orders by key.
func states(t *testing.T, d *qsfaka.Driver, ids ...int64) []exporter.OrderState {
	t.Helper()
	orders, err := d.ByID(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	by := map[int64]exporter.OrderState{}
	for _, o := range orders {
		by[o.ID] = o.State
	}
	list := make([]exporter.OrderState, len(ids))
	for i, id := range ids {
		list[i] = by[id]
	}
	return list
}

func expect(t *testing.T, when string, got []exporter.OrderState, want ...exporter.OrderState) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", when, got, want)
	}
}

const (
	ready     = exporter.Ready
	waiting   = exporter.PaidAutoWaiting
	delivered = exporter.Delivered
)

// buy books paid orders of one card each.
func buy(t *testing.T, s *shop, product, orders int) []int64 {
	t.Helper()
	ids := make([]int64, orders)
	for i := range ids {
		at := ledgertest.Now.Add(time.Duration(i) * time.Second)
		ids[i] = s.order(s.db, product, 1, at)
		s.Pay(t, ids[i], at.Add(10*time.Second))
	}
	return ids
}

func shortageArises(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	s.refill(2, 2)
	s.run("DELETE FROM `order` WHERE goods_id=2")
	ids := buy(t, s, 2, 2)
	expect(t, "two cards for two", states(t, d, ids...), ready, ready)
	s.run("UPDATE goods_card SET delete_at=1 WHERE goods_id=2 AND status=1 LIMIT 1") // the merchant takes one away
	expect(t, "one card for two", states(t, d, ids...), ready, waiting)
	s.open(ids[1], ledgertest.Now) // the second looks first
	expect(t, "the first finds none", states(t, d, ids...), waiting, delivered)
}

func shortageEnds(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	expect(t, "sold out", states(t, d, 10), waiting)
	s.refill(2, 1)
	expect(t, "refilled", states(t, d, 10), ready)
	s.open(10, ledgertest.Now)
	expect(t, "opened", states(t, d, 10), delivered)
}

func lineIsRemembered(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	if _, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil {
		t.Fatal(err)
	}
	expect(t, "alone", states(t, d, 9), waiting)
	expect(t, "alone", states(t, d, 8), ready)
	expect(t, "in any order", states(t, d, 9, 7, 8), waiting, ready, ready)
}

func lineIsReadAgain(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	expect(t, "three cards for four", states(t, d, 7, 8, 9), ready, ready, waiting)
	s.refill(1, 1)
	s.open(7, ledgertest.Now)
	s.open(8, ledgertest.Now)
	expect(t, "the last card for the last in the line", states(t, d, 9), ready)
	if got := states(t, d, 7, 8); !slices.Equal(got, []exporter.OrderState{delivered, delivered}) {
		t.Errorf("opened: %v", got)
	}
}

func deletedLeavesLine(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	expect(t, "three cards for four", states(t, d, 7, 8, 9), ready, ready, waiting)
	s.Delete(t, 8)
	expect(t, "after 8 is gone", states(t, d, 9), ready)
}

func abandonedDontCount(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	s.run("UPDATE `order` SET success_at=success_at-86400 WHERE id=8")
	expect(t, "8 paid a day before 9", states(t, d, 7, 8, 9), ready, ready, ready)
}

func lockedCards(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	s.run("UPDATE goods_card SET unfreeze_at=UNIX_TIMESTAMP()+3600 WHERE goods_id=1 AND status=1")
	expect(t, "all locked", states(t, d, 7), waiting)
	if stock, _, err := d.Stock(t.Context()); err != nil || stock[0] != (exporter.Stock{Product: "1"}) {
		t.Errorf("Stock = %v, %v, want no card of product 1", stock, err)
	}
	s.run("UPDATE goods_card SET unfreeze_at=UNIX_TIMESTAMP()-1 WHERE goods_id=1 AND status=1 LIMIT 1")
	expect(t, "one unlocked", states(t, d, 7, 8), ready, waiting)
}

func partialHandOuts(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	expect(t, "one of three, two there", states(t, d, 11), waiting)
	s.refill(5, 1)
	expect(t, "one of three, three there", states(t, d, 11), ready)
	s.run("INSERT INTO order_card (order_id) VALUES (11),(11)") // the second batch
	s.run("UPDATE `order` SET sendout=2 WHERE id=11")
	expect(t, "all of three, of which sendout says two", states(t, d, 11), delivered)
}

func oddRows(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run("SET sql_mode=''; ALTER TABLE pay_channel MODIFY code varbinary(50) NOT NULL; INSERT INTO pay_channel (id,code) VALUES (20,X'FF41'),(21,'')")
	s.run("UPDATE `order` SET channel_id=20 WHERE id=1; UPDATE `order` SET channel_id=21 WHERE id=2; UPDATE `order` SET channel_id=77 WHERE id=3;" +
		"UPDATE `order` SET channel_id=0, quantity=0 WHERE id=4; UPDATE `order` SET create_at=0, success_at=0 WHERE id=10")
	d := driver(t, s)
	orders, err := d.After(t.Context(), 0, ledger.MaxBatch)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"channel-20", "channel-21", "unknown", ""} {
		if got := orders[i].Payment; got != want {
			t.Errorf("payment of order %d = %q, want %q", i+1, got, want)
		}
	}
	if got := orders[3].Items[0].Quantity; got != 1 {
		t.Errorf("quantity 0 is %d", got)
	}
	if o := orders[9]; !o.Created.IsZero() || !o.Paid.IsZero() || o.State != waiting {
		t.Errorf("without moments: %+v", o)
	}
}

func sharedNumber(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s)
	s.run("UPDATE `order` SET trade_no=(SELECT n FROM (SELECT trade_no n FROM `order` WHERE id=1) x) WHERE id=2; UPDATE `order` SET trade_no=NULL WHERE id=3")
	numbers, err := d.Numbers(t.Context(), []int64{1, 2, 3, 4})
	if err != nil || len(numbers) != 3 || numbers[1] != numbers[2] {
		t.Fatalf("Numbers = %v, %v", numbers, err)
	}
	if o, err := d.Find(t.Context(), numbers[1]); err != nil || !reflect.DeepEqual(o, exporter.Order{}) {
		t.Errorf("Find of a shared number = %+v, %v", o, err)
	}
	if o, err := d.Find(t.Context(), numbers[4]); err != nil || o.ID != 4 {
		t.Errorf("Find = %+v, %v, want order 4", o, err)
	}
}

func numbersAreOptional(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run("REVOKE SELECT (trade_no) ON `order` FROM '" + s.name + "'@'127.0.0.1'")
	d, err := qsfaka.Open(s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if doubts, err := d.Check(t.Context()); err != nil || len(doubts) != 1 || !strings.Contains(doubts[0], "trade_no") {
		t.Errorf("Check = %q, %v", doubts, err)
	}
	if numbers, err := d.Numbers(t.Context(), []int64{1}); err != nil || len(numbers) != 0 {
		t.Errorf("Numbers = %v, %v", numbers, err)
	}
	if orders, err := d.After(t.Context(), 0, 500); err != nil || len(orders) != 16 {
		t.Errorf("After gives %d orders, %v", len(orders), err)
	}
}

// grow makes tables of such a size that a scan shows.
func grow(s *shop) {
	s.run("INSERT INTO `order` (user_id,goods_id,trade_no,channel_id,quantity,sendout,total_price,status,create_at,success_at)" +
		" SELECT 9,seq%3+1,CONCAT('old',seq),1,1,1,10,1,1000000+seq,1000000+seq FROM seq_1_to_4000")
	s.run("INSERT INTO goods_card (user_id,goods_id,number,secret,status) SELECT 9,seq%3+1,'N','S',2 FROM seq_1_to_4000")
	s.run("INSERT INTO order_card (order_id,number,secret) SELECT id,'N','S' FROM `order` WHERE sendout=1")
	s.run("ANALYZE TABLE `order`, goods_card, order_card")
}

// use asks every question that is asked between counts of the stock.
func use(t *testing.T, d *qsfaka.Driver) {
	t.Helper()
	_, err1 := d.After(t.Context(), 0, 20)
	_, err2 := d.ByID(t.Context(), []int64{7, 8, 9, 10, 11})
	_, err3 := d.At(t.Context(), 7000)
	_, err4 := d.Last(t.Context())
	_, err5 := d.Find(t.Context(), "QS261122051500a0b1c2d1")
	_, err6 := d.Numbers(t.Context(), []int64{1, 2, 3})
	for _, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err != nil {
			t.Error(err)
		}
	}
}

func statementsGoByKey(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	grow(s)
	use(t, driver(t, s))
	for _, scan := range server.Scans(t, s.name, s.name, "pay_channel") {
		t.Error(scan)
	}
}

func countIsBounded(t *testing.T, server *ledgertest.Server) {
	read := func(cards int) int {
		s := newShop(t, server, ledgertest.Now)
		grow(s)
		s.refill(1, cards)
		s.run("ANALYZE TABLE goods_card")
		d := driver(t, s)
		use(t, d)
		use(t, d)
		d.Close() // what a connection read is summed up at its end
		var n int
		deadline := time.Now().Add(20 * time.Second)
		for {
			var connected int
			err := s.db.QueryRow("SELECT (SELECT rows_read FROM information_schema.user_statistics WHERE user=?),"+
				"(SELECT COUNT(*) FROM information_schema.processlist WHERE user=?)", s.name, s.name).Scan(&n, &connected)
			if err != nil {
				t.Fatal(err)
			}
			if connected == 0 {
				return n
			}
			if time.Now().After(deadline) {
				t.Fatal("the driver's connections don't end")
			}
		}
	}
	few, many := read(10), read(20_000)
	t.Logf("rows read with 10 and with 20,000 cards: %d and %d", few, many)
	if few == 0 || many > few+10 {
		t.Errorf("with 20,000 cards %d rows are read, with 10 only %d", many, few)
	}
}
