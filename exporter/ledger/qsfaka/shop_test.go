package qsfaka_test

import (
	"database/sql"
	_ "embed"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/exporter/ledger/qsfaka"
	"shopwatch/rules"
)

var (
	//go:embed testdata/schema.sql
	schema string
	//go:embed testdata/fixture.sql
	rows string

	shops atomic.Int64
)

// shop is a qs-faka shop in a database of its own, with an account of its own
// that may read what the driver needs. Product 2 is sold out.
type shop struct {
	t      testing.TB
	name   string // of database and account
	server *ledgertest.Server
	db     *sql.DB
}

func newShop(t testing.TB, server *ledgertest.Server, now time.Time) *shop {
	t.Helper()
	s := &shop{t: t, name: fmt.Sprintf("qsfaka_%d", shops.Add(1)), server: server}
	s.db = server.Root(t, "")
	s.run("CREATE DATABASE " + s.name)
	s.db = server.Root(t, s.name)
	s.run(schema)
	s.run(fmt.Sprintf("SET @now = %d; ", now.Unix()) + rows)
	account := fmt.Sprintf("'%s'@'127.0.0.1'", s.name)
	s.run("CREATE USER " + account + " IDENTIFIED BY 'only-columns'")
	for _, grant := range qsfaka.Book.Grants(database.MySQL, s.name, "", account) {
		s.run(grant)
	}
	return s
}

func (s *shop) run(statements string) {
	s.t.Helper()
	if _, err := s.db.Exec(statements); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) Ledger() exporter.Ledger {
	return exporter.Ledger{Software: "qsfaka", DSN: s.server.DSN(s.name, "only-columns", s.name)}
}

func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return qsfaka.Open(l) }

func (s *shop) Create(_ testing.TB, at time.Time) int64 { return s.order(s.db, 2, 1, at) }

// CreateSlowly books an order that nobody sees until commit.
func (s *shop) CreateSlowly(_ testing.TB, at time.Time) (id int64, commit func()) {
	s.t.Helper()
	tx, err := s.db.Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.order(tx, 2, 1, at), func() {
		if err := tx.Commit(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// order books an unpaid order.
func (s *shop) order(db interface {
	Exec(string, ...any) (sql.Result, error)
}, product, quantity int, at time.Time) int64 {
	s.t.Helper()
	result, err := db.Exec("INSERT INTO `order` (user_id,goods_id,trade_no,channel_id,quantity,total_price,create_at)"+
		" VALUES (9,?,CONCAT('QS','270314233000',LEFT(MD5(UUID()),8)),1,?,10,?)", product, quantity, at.Unix())
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *shop) Pay(_ testing.TB, id int64, at time.Time) {
	s.t.Helper()
	s.run(fmt.Sprintf("UPDATE `order` SET status=1, success_at=%d WHERE id=%d", at.Unix(), id))
}

// Expire closes an unpaid order.
func (s *shop) Expire(_ testing.TB, id int64, _ time.Time) {
	s.t.Helper()
	s.run(fmt.Sprintf("UPDATE `order` SET status=2 WHERE id=%d", id))
}

// Refund gives the money back.
func (s *shop) Refund(_ testing.TB, id int64, _ time.Time) {
	s.t.Helper()
	s.run(fmt.Sprintf("UPDATE `order` SET status=3 WHERE id=%d", id))
}

// Deliver refills and opens the order's page.
func (s *shop) Deliver(_ testing.TB, id int64, at time.Time) {
	s.t.Helper()
	s.run(fmt.Sprintf("INSERT INTO goods_card (user_id,goods_id,number,secret) SELECT 9,o.goods_id,'N','S' FROM `order` o JOIN seq_1_to_100 s ON s.seq<=o.quantity WHERE o.id=%d", id))
	s.open(id, at)
}

// open is what happens when the buyer opens the page of an order that got
// nothing yet, and the cards suffice.
func (s *shop) open(id int64, at time.Time) {
	s.t.Helper()
	var product, quantity int
	if err := s.db.QueryRow("SELECT goods_id, quantity FROM `order` WHERE id=?", id).Scan(&product, &quantity); err != nil {
		s.t.Fatal(err)
	}
	result, err := s.db.Exec("UPDATE goods_card SET status=2, sell_time=? WHERE goods_id=? AND status=1 AND delete_at IS NULL"+
		" AND COALESCE(unfreeze_at,0) <= UNIX_TIMESTAMP() LIMIT ?", at.Unix(), product, quantity)
	if err != nil {
		s.t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || int(n) != quantity {
		s.t.Fatalf("order %d gets %d cards of %d, %v", id, n, quantity, err)
	}
	s.run(fmt.Sprintf("INSERT INTO order_card (order_id,number,secret) SELECT %d,'N','S' FROM seq_1_to_100 LIMIT %d", id, quantity))
	s.run(fmt.Sprintf("UPDATE `order` SET sendout=quantity WHERE id=%d", id))
}

func (s *shop) refill(product, cards int) {
	s.t.Helper()
	s.run(fmt.Sprintf("INSERT INTO goods_card (user_id,goods_id,number,secret) SELECT 9,%d,'N','S' FROM seq_1_to_%d", product, cards))
}

func (s *shop) Delete(_ testing.TB, id int64) {
	s.t.Helper()
	s.run(fmt.Sprintf("DELETE FROM `order` WHERE id=%d", id))
}

func (s *shop) Offer(_ testing.TB, n int) {
	s.t.Helper()
	s.run(fmt.Sprintf("INSERT INTO goods (user_id,name) SELECT 9,'more' FROM seq_1_to_%d", n))
}

func fixture(server *ledgertest.Server) ledgertest.Fixture {
	count := func(payment string, event rules.OrderEvent) exporter.OrderCount {
		return exporter.OrderCount{Payment: payment, Event: event}
	}
	return ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop { return newShop(t, server, now) },
		Away: exporter.Ledger{DSN: "u:p@tcp(127.0.0.1:1)/shop"},
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 2, rules.Age5to30m: 1, rules.AgeOver30m: 1},
		},
		States: map[exporter.OrderState]int{
			exporter.Delivered: 4, exporter.Unpaid: 2, exporter.Expired: 1, exporter.Refunded: 1,
			exporter.Ready: 3, exporter.PaidAutoWaiting: 4, exporter.UnknownState: 1,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("AlipayF2F", rules.OrderCreated): 11, count("AlipayF2F", rules.OrderPaid): 10,
			count("AlipayF2F", rules.OrderDelivered): 3, count("AlipayF2F", rules.OrderRefunded): 1,
			count("wxpay", rules.OrderCreated): 4, count("wxpay", rules.OrderPaid): 1,
			count("wxpay", rules.OrderExpired): 1, count("wxpay", rules.OrderUnpaidAtDeadline): 2,
			count("channel-12", rules.OrderCreated): 1, count("channel-12", rules.OrderPaid): 1, count("channel-12", rules.OrderDelivered): 1,
		},
		Unknown: 1,
		Stock:   []exporter.Stock{{Product: "1", Cards: 3}, {Product: "2"}, {Product: "5", Cards: 2}},
		Secret: func(testing.TB, ledgertest.Shop) []string {
			return []string{
				"SELECT number FROM goods_card", "SELECT secret FROM goods_card", "SELECT number FROM order_card", "SELECT secret FROM order_card",
				"SELECT contact FROM `order`", "SELECT email FROM `order`", "SELECT take_card_password FROM `order`",
				"UPDATE `order` SET status=1", "DELETE FROM goods_card",
			}
		},
	}
}
