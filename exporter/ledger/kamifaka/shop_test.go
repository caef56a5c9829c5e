package kamifaka_test

import (
	"database/sql"
	"embed"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/kamifaka"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

//go:embed testdata
var testdata embed.FS

const password = "only-columns"

var (
	zone = time.FixedZone("Asia/Shanghai", 8*60*60)
	// written is the fixture's now, as a comment in it says.
	written  = time.Date(2026, 11, 22, 7, 0, 0, 0, zone)
	moment   = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}'`)
	embedded = regexp.MustCompile(`Order_\d{13}`)

	shops   atomic.Int64
	numbers atomic.Int64
)

// shop is a kamiFaka shop in a database of its own, where there are accounts with
// one of its own that may read what the driver needs.
type shop struct {
	t      testing.TB
	engine database.Engine
	name   string // of database and account
	dsn    string
	db     *sql.DB
}

// queryer is a database or a transaction.
type queryer interface {
	Exec(query string, arguments ...any) (sql.Result, error)
	QueryRow(query string, arguments ...any) *sql.Row
}

// serverShop is a shop on a server, where transactions overlap.
type serverShop struct{ *shop }

func (s serverShop) CreateSlowly(_ testing.TB, at time.Time) (id int64, commit func()) {
	s.t.Helper()
	tx, err := s.db.Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.create(tx, at), func() {
		if err := tx.Commit(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// maker makes shops on one kind of database.
type maker func(t testing.TB, now time.Time) *shop

func onSQLite(t testing.TB, now time.Time) *shop {
	t.Helper()
	s := &shop{t: t, engine: database.SQLite, dsn: filepath.Join(t.TempDir(), "kamifaka.db")}
	var err error
	if s.db, err = sql.Open("sqlite", "file:"+s.dsn+"?_pragma=busy_timeout(10000)&_pragma=synchronous(off)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	s.load("sqlite", now)
	return s
}

func onMariaDB(server *ledgertest.Server) maker {
	return func(t testing.TB, now time.Time) *shop {
		t.Helper()
		name := fmt.Sprintf("kamifaka_%d", shops.Add(1))
		account := "'" + name + "'@'127.0.0.1'"
		s := &shop{t: t, engine: database.MySQL, name: name, dsn: server.DSN(name, password, name), db: server.Root(t, "")}
		s.run("CREATE DATABASE " + name)
		s.run("CREATE USER " + account + " IDENTIFIED BY '" + password + "'")
		s.db = server.Root(t, name)
		s.load("mysql", now)
		s.grant(account)
		return s
	}
}

func onPostgreSQL(server *ledgertest.PostgresServer) maker {
	return func(t testing.TB, now time.Time) *shop {
		t.Helper()
		name := fmt.Sprintf("kamifaka_%d", shops.Add(1))
		s := &shop{t: t, engine: database.PostgreSQL, name: name, dsn: server.DSN(name, password, name), db: server.NewDatabase(t, name)}
		server.NewRole(t, name, password)
		s.load("postgresql", now)
		s.grant(name)
		return s
	}
}

// load makes the tables, and the rows as old at now as their author wrote them.
func (s *shop) load(schema string, now time.Time) {
	s.t.Helper()
	moved := now.Sub(written)
	for _, name := range []string{schema, "fixture"} {
		text, err := testdata.ReadFile("testdata/" + name + ".sql")
		if err != nil {
			s.t.Fatal(err)
		}
		rows := moment.ReplaceAllStringFunc(string(text), func(text string) string {
			at, err := time.ParseInLocation("'2006-01-02 15:04:05.000000'", text, zone)
			if err != nil {
				s.t.Fatal(err)
			}
			return wall(at.Add(moved))
		})
		s.run(embedded.ReplaceAllStringFunc(rows, func(text string) string {
			milliseconds, err := strconv.ParseInt(text[len("Order_"):], 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return fmt.Sprintf("Order_%d", milliseconds+moved.Milliseconds())
		}))
	}
}

func (s *shop) grant(account string) {
	s.t.Helper()
	for _, grant := range kamifaka.Book.Grants(s.engine, s.name, "", account) {
		s.run(grant)
	}
}

// wall is a moment as the shop writes it.
func wall(at time.Time) string { return at.In(zone).Format("'2006-01-02 15:04:05.000000'") }

// own writes a statement's quotes as the engine has them.
func (s *shop) own(statement string) string {
	if s.engine == database.MySQL {
		return strings.ReplaceAll(statement, `"order"`, "`order`")
	}
	return statement
}

func (s *shop) run(statements string) {
	s.t.Helper()
	if _, err := s.db.Exec(s.own(statements)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) Ledger() exporter.Ledger {
	return exporter.Ledger{Software: "kamifaka", DSN: s.dsn, Zone: zone}
}

func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return kamifaka.Open(l) }

func (s *shop) Create(_ testing.TB, at time.Time) int64 { return s.create(s.db, at) }

func (s *shop) create(db queryer, at time.Time) int64 {
	s.t.Helper()
	number := fmt.Sprintf("Order_%d%08d", at.UnixMilli(), numbers.Add(1))
	var id int64
	err := db.QueryRow("INSERT INTO temporder (out_order_id,name,payment,contact,price,num,total_price,status,auto,updatetime)" +
		" VALUES ('" + number + "','普通商品演示','支付宝当面付','c',10,1,10,false,true," + wall(at) + ") RETURNING id").Scan(&id)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// Pay books the payment. The second step doesn't happen.
func (s *shop) Pay(_ testing.TB, id int64, _ time.Time) {
	s.t.Helper()
	s.run(fmt.Sprintf("UPDATE temporder SET status=true WHERE id=%d", id))
}

// Deliver makes up for the second step.
func (s *shop) Deliver(_ testing.TB, id int64, at time.Time) { s.hand(s.db, id, "true", at) }

// RunShort does the second step without a card.
func (s *shop) RunShort(id int64, at time.Time) { s.hand(s.db, id, "false", at) }

func (s *shop) hand(db queryer, id int64, status string, at time.Time) {
	s.t.Helper()
	_, err := db.Exec(s.own(fmt.Sprintf(`INSERT INTO "order" (out_order_id,name,payment,contact,price,num,total_price,card,status,updatetime)
		SELECT out_order_id,name,payment,contact,price,num,total_price,'S',%s,%s FROM temporder WHERE id=%d`, status, wall(at), id)))
	if err != nil {
		s.t.Fatal(err)
	}
}

// fill hands out to n buyers who came by other ways.
func (s *shop) fill(n int) {
	s.t.Helper()
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("('TG_%d','n','p',1,1,1,true,%s)", i, wall(ledgertest.Now))
	}
	s.run(`INSERT INTO "order" (out_order_id,name,payment,price,num,total_price,status,updatetime) VALUES ` + strings.Join(values, ","))
}

func (s *shop) Delete(_ testing.TB, id int64) {
	s.t.Helper()
	s.run(fmt.Sprintf("DELETE FROM temporder WHERE id=%d", id))
}

func (s *shop) Offer(_ testing.TB, n int) {
	s.t.Helper()
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("('more %d',1,true,true)", i)
	}
	s.run("INSERT INTO prod_info (name,price,auto,isactive) VALUES " + strings.Join(values, ","))
}

// purge deletes attempts as the shop does at night.
func (s *shop) purge(now time.Time) {
	s.t.Helper()
	s.run("DELETE FROM temporder WHERE updatetime < " + wall(now.Add(-6*24*time.Hour)))
}

func fixture(open maker) ledgertest.Fixture {
	count := func(payment string, event rules.OrderEvent) exporter.OrderCount {
		return exporter.OrderCount{Payment: payment, Event: event}
	}
	const unheard = "other-c0227a7c" // 新支付
	return ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop {
			s := open(t, now)
			if s.engine == database.SQLite {
				return s
			}
			return serverShop{s}
		},
		// It stores no moment of payment: who was found paid has waited since the attempt, at most.
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 1, rules.AgeOver30m: 2},
			rules.Manual:    {rules.Age5to30m: 1},
		},
		ShortOfStock: 2,
		States: map[exporter.OrderState]int{
			exporter.Delivered: 6, exporter.Unpaid: 2, exporter.FailedShortOfStock: 2,
			exporter.PaidAutoWaiting: 1, exporter.ManualWaiting: 1, exporter.UnknownState: 2,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("alipay-f2f", rules.OrderCreated): 8, count("alipay-f2f", rules.OrderPaid): 6,
			count("alipay-f2f", rules.OrderDelivered): 4, count("alipay-f2f", rules.OrderUnpaidAtDeadline): 1,
			count("hupijiao-wechat", rules.OrderCreated): 2, count("hupijiao-wechat", rules.OrderPaid): 2, count("hupijiao-wechat", rules.OrderDelivered): 1,
			count("Mugglepay", rules.OrderCreated): 3, count("Mugglepay", rules.OrderPaid): 1,
			count(unheard, rules.OrderCreated): 1, count(unheard, rules.OrderPaid): 1, count(unheard, rules.OrderDelivered): 1,
		},
		Unknown: 2,
		Stock:   []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Looped: true}, {Product: "3", Looped: true}},
	}
}

// secrets are what the account must not do.
func secrets(_ testing.TB, s ledgertest.Shop) []string {
	statements := []string{
		`SELECT card FROM card`, `SELECT card FROM "order"`, `SELECT contact FROM "order"`, `SELECT contact FROM temporder`,
		`UPDATE "order" SET status=true`, `DELETE FROM card`,
	}
	for i := range statements {
		statements[i] = s.(serverShop).own(statements[i])
	}
	return statements
}
