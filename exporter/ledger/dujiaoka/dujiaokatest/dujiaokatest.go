// Package dujiaokatest is a dujiaoka shop for tests: its tables on a private
// MariaDB server, with a fixture of rows, and an account that may read what the
// driver needs and nothing else. It books orders as the shop does.
package dujiaokatest

import (
	"database/sql"
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/dujiaoka"
	"shopwatch/exporter/ledger/ledgertest"
)

//go:embed schema.sql
var schema string

//go:embed fixture.sql
var fixture string

// The account that the shop's ledger uses.
const (
	User     = "shopwatch"
	Password = "only-columns"
)

var (
	zone = time.FixedZone("Asia/Shanghai", 8*60*60)
	// written is the fixture's now, as a comment in it says.
	written = time.Date(2026, 11, 22, 7, 0, 0, 0, zone)
	moment  = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d'`)
	shops   atomic.Int64
)

// Shop is one shop. It is a ledgertest.Shop.
type Shop struct {
	database string
	server   *ledgertest.Server
	db       *sql.DB
}

// New makes a shop in a database of its own, its rows as old at now as their
// author wrote them. Its clock shows Asia/Shanghai, the server's UTC.
func New(t testing.TB, server *ledgertest.Server, now time.Time) *Shop {
	t.Helper()
	s := &Shop{database: fmt.Sprintf("dujiaoka_%d", shops.Add(1)), server: server}
	run(t, server.Root(t, ""), "CREATE DATABASE "+s.database)
	s.db = server.Root(t, s.database)
	run(t, s.db, schema)
	run(t, s.db, moment.ReplaceAllStringFunc(fixture, func(text string) string {
		at, err := time.ParseInLocation("'2006-01-02 15:04:05'", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return Wall(now.Add(at.Sub(written)))
	}))
	account := fmt.Sprintf("'%s'@'127.0.0.1'", User)
	run(t, s.db, fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED BY '%s'", account, Password))
	for _, grant := range dujiaoka.Book.Grants(database.MySQL, s.database, "", account) {
		run(t, s.db, grant)
	}
	return s
}

func run(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// Wall is a moment as the shop writes it, in quotes.
func Wall(at time.Time) string { return at.In(zone).Format("'2006-01-02 15:04:05'") }

// DB is a connection that may do everything.
func (s *Shop) DB() *sql.DB { return s.db }

// DSN is the read-only account's data source name.
func (s *Shop) DSN() string { return s.server.DSN(User, Password, s.database) }

// Ledger is the shop's book by the read-only account.
func (s *Shop) Ledger() exporter.Ledger {
	return exporter.Ledger{Software: "dujiaoka", DSN: s.DSN(), Zone: zone}
}

// Open makes a driver.
func (s *Shop) Open(l exporter.Ledger) (ledger.Driver, error) { return dujiaoka.Open(l) }

// Create books an unpaid order of one automatic product for 10 yuan by Alipay.
func (s *Shop) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	return create(t, s.db, at)
}

// CreateSlowly books an order as Create does, in a transaction that ends with commit.
func (s *Shop) CreateSlowly(t testing.TB, at time.Time) (id int64, commit func()) {
	t.Helper()
	transaction, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return create(t, transaction, at), func() {
		if err := transaction.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

func create(t testing.TB, db interface {
	Exec(query string, arguments ...any) (sql.Result, error)
}, at time.Time) int64 {
	t.Helper()
	result, err := db.Exec("INSERT INTO orders (order_sn,goods_id,title,type,actual_price,email,pay_id,buy_ip,status,created_at,updated_at)" +
		" VALUES (UPPER(LEFT(MD5(UUID()),16)),1,'t',1,10.00,'e@x.example',1,'192.0.2.1',1," + Wall(at) + "," + Wall(at) + ")")
	if err != nil {
		t.Fatal(err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Gap leaves a gap of n keys, as transactions do that are rolled back.
func (s *Shop) Gap(t testing.TB, n int) {
	t.Helper()
	transaction, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer transaction.Rollback()
	first := create(t, transaction, ledgertest.Now)
	if n == 1 {
		return
	}
	if _, err := transaction.Exec("INSERT INTO orders (id,order_sn,goods_id,title,email,buy_ip) VALUES (?,'gap',1,'t','','')", first+int64(n)-1); err != nil {
		t.Fatal(err)
	}
}

// Expire closes an order that nobody paid: status -1.
func (s *Shop) Expire(t testing.TB, id int64, at time.Time) { s.set(t, id, -1, at) }

// Remove deletes an order softly.
func (s *Shop) Remove(t testing.TB, id int64, at time.Time) {
	t.Helper()
	run(t, s.db, fmt.Sprintf("UPDATE orders SET deleted_at=%s, updated_at=%[1]s WHERE id=%d", Wall(at), id))
}

// Pay books the payment of an order for which the cards ran out: status 6.
func (s *Shop) Pay(t testing.TB, id int64, at time.Time) { s.set(t, id, 6, at) }

// Deliver completes an order: status 4.
func (s *Shop) Deliver(t testing.TB, id int64, at time.Time) { s.set(t, id, 4, at) }

func (s *Shop) set(t testing.TB, id int64, status int, at time.Time) {
	t.Helper()
	run(t, s.db, fmt.Sprintf("UPDATE orders SET status=%d, updated_at=%s WHERE id=%d", status, Wall(at), id))
}

// Offer puts n more automatic products without cards on sale.
func (s *Shop) Offer(t testing.TB, n int) {
	t.Helper()
	run(t, s.db, "INSERT INTO goods (gd_name,type) VALUES "+strings.TrimSuffix(strings.Repeat("('more',1),", n), ","))
}

// Delete deletes an order's row for good.
func (s *Shop) Delete(t testing.TB, id int64) {
	t.Helper()
	run(t, s.db, fmt.Sprintf("DELETE FROM orders WHERE id=%d", id))
}
