package acgfaka_test

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
	"shopwatch/exporter/ledger/acgfaka"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
)

//go:embed testdata/schema.sql
var schema string

//go:embed testdata/fixture.sql
var fixture string

const (
	user     = "shopwatch"
	password = "only-columns"
	account  = "'" + user + "'@'127.0.0.1'"
)

var (
	shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)
	written  = time.Date(2026, 11, 22, 7, 0, 0, 0, shanghai) // the fixture's now
	moment   = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d'`)
	shops    atomic.Int64
)

// shop is an acg-faka shop whose clock shows Asia/Shanghai, on a server in UTC.
type shop struct {
	database, prefix string
	server           *ledgertest.Server
	db               *sql.DB
	orders           atomic.Int64 // that were booked: no two numbers are alike
}

// newShop makes a shop with the default prefix, its rows as old at now as their
// author wrote them.
func newShop(t testing.TB, server *ledgertest.Server, now time.Time) *shop {
	t.Helper()
	return newShopOf(t, server, now, acgfaka.Prefix)
}

func newShopOf(t testing.TB, server *ledgertest.Server, now time.Time, prefix string) *shop {
	t.Helper()
	s := &shop{database: fmt.Sprintf("acgfaka_%d", shops.Add(1)), prefix: prefix, server: server}
	run(t, server.Root(t, ""), "CREATE DATABASE "+s.database)
	s.db = server.Root(t, s.database)
	rename := func(text string) string {
		for _, table := range []string{"order", "commodity", "card", "pay"} {
			text = strings.ReplaceAll(text, " acg_"+table+" ", " "+prefix+table+" ")
		}
		return text
	}
	s.run(t, rename(schema))
	s.run(t, moment.ReplaceAllStringFunc(rename(fixture), func(text string) string {
		at, err := time.ParseInLocation("'2006-01-02 15:04:05'", text, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return wall(now.Add(at.Sub(written)))
	}))
	s.run(t, fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED BY '%s'", account, password))
	for _, grant := range acgfaka.Book.Grants(database.MySQL, s.database, prefix, account) {
		s.run(t, grant)
	}
	return s
}

type executor interface {
	Exec(query string, arguments ...any) (sql.Result, error)
}

func run(t testing.TB, db executor, statement string) sql.Result {
	t.Helper()
	result, err := db.Exec(statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return result
}

func begin(t testing.TB, db *sql.DB) *sql.Tx {
	t.Helper()
	transaction, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return transaction
}

func (s *shop) run(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		run(t, s.db, statement)
	}
}

// wall is a moment as the shop writes it.
func wall(at time.Time) string { return at.In(shanghai).Format("'2006-01-02 15:04:05'") }

func (s *shop) Ledger() exporter.Ledger {
	l := exporter.Ledger{Software: "acgfaka", DSN: s.server.DSN(user, password, s.database), Zone: shanghai}
	if s.prefix != acgfaka.Prefix {
		l.Prefix = s.prefix
	}
	return l
}

func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return acgfaka.Open(l) }

// Create books an unpaid order of one automatic product for 10 yuan by Alipay.
func (s *shop) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	return s.create(t, s.db, at)
}

// CreateSlowly books an order as Create does, in a transaction that ends with
// commit: orders that the balance pays for wait for an upstream shop in theirs.
func (s *shop) CreateSlowly(t testing.TB, at time.Time) (id int64, commit func()) {
	t.Helper()
	transaction := begin(t, s.db)
	return s.create(t, transaction, at), func() {
		if err := transaction.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

// Gap leaves a gap of n keys, as transactions do that are rolled back.
func (s *shop) Gap(t testing.TB, n int) {
	t.Helper()
	transaction := begin(t, s.db)
	defer transaction.Rollback()
	first := s.create(t, transaction, ledgertest.Now)
	if n > 1 {
		run(t, transaction, fmt.Sprintf("INSERT INTO %sorder (id,trade_no,amount,commodity_id,pay_id,create_time,create_ip,create_device)"+
			" VALUES (%d,'gap',0,1,1,%s,'',0)", s.prefix, first+int64(n)-1, wall(ledgertest.Now)))
	}
}

func (s *shop) create(t testing.TB, db executor, at time.Time) int64 {
	t.Helper()
	number := fmt.Sprintf("555%s%03d", at.In(shanghai).Format("060102150405"), s.orders.Add(1)%1000)
	result := run(t, db, "INSERT INTO "+s.prefix+"order (trade_no,amount,commodity_id,card_num,pay_id,create_time,create_ip,create_device,contact,password)"+
		" VALUES ('"+number+"',10,1,1,2,"+wall(at)+",'192.0.2.1',0,'q','p')")
	id, err := result.LastInsertId()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Pay books the payment of an order for which somebody else took the last card.
func (s *shop) Pay(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.run(t, fmt.Sprintf("UPDATE %sorder SET status=1, delivery_status=1, secret='(apology text)', pay_time=%s WHERE id=%d", s.prefix, wall(at), id))
}

// Deliver gives the order the cards that it lacks.
func (s *shop) Deliver(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.run(t, fmt.Sprintf("INSERT INTO %scard (commodity_id,secret,create_time,purchase_time,order_id,status)"+
		" SELECT commodity_id,'S',create_time,%s,id,1 FROM %sorder WHERE id=%d", s.prefix, wall(at), s.prefix, id))
}

// Delete deletes the row, as the export with deletion does.
func (s *shop) Delete(t testing.TB, id int64) {
	t.Helper()
	s.run(t, fmt.Sprintf("DELETE FROM %sorder WHERE id=%d", s.prefix, id))
}

// Offer puts n more automatic products without cards on sale.
func (s *shop) Offer(t testing.TB, n int) {
	t.Helper()
	s.run(t, fmt.Sprintf("INSERT INTO %scommodity (category_id,name,status,code,create_time)"+
		" SELECT 1,'more',1,CONCAT('more',seq),'2026-11-01 00:00:00' FROM seq_1_to_%d", s.prefix, n))
}
