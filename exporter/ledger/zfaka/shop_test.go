package zfaka_test

import (
	"database/sql"
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/exporter/ledger/zfaka"
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
	unix     = regexp.MustCompile(`\b17\d{8}\b`)
	inNumber = regexp.MustCompile(`zlkb2026\d{10}`)
	shops    atomic.Int64
)

// shop is a zfaka shop whose clock shows Asia/Shanghai.
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
	return newShopOf(t, server, now, zfaka.Prefix)
}

func newShopOf(t testing.TB, server *ledgertest.Server, now time.Time, prefix string) *shop {
	t.Helper()
	s := &shop{database: fmt.Sprintf("zfaka_%d", shops.Add(1)), prefix: prefix, server: server}
	run(t, server.Root(t, ""), "CREATE DATABASE "+s.database)
	s.db = server.Root(t, s.database)
	rename := func(text string) string {
		for _, table := range []string{"order", "products", "products_card", "payment"} {
			text = strings.ReplaceAll(text, " t_"+table+" ", " "+prefix+table+" ")
		}
		return text
	}
	s.run(t, rename(schema))
	moved := unix.ReplaceAllStringFunc(rename(fixture), func(text string) string {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(now.Unix()+seconds-written.Unix(), 10)
	})
	s.run(t, inNumber.ReplaceAllStringFunc(moved, func(text string) string {
		at, err := time.ParseInLocation("zlkb20060102150405", text, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return now.Add(at.Sub(written)).In(shanghai).Format("zlkb20060102150405")
	}))
	s.run(t, fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED BY '%s'", account, password))
	for _, grant := range zfaka.Book.Grants(database.MySQL, s.database, prefix, account) {
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

func (s *shop) Ledger() exporter.Ledger {
	l := exporter.Ledger{Software: "zfaka", DSN: s.server.DSN(user, password, s.database), Zone: shanghai}
	if s.prefix != zfaka.Prefix {
		l.Prefix = s.prefix
	}
	return l
}

func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return zfaka.Open(l) }

// numbered is a number of the shop's for an order of a moment.
func numbered(at time.Time, chance int64) string {
	return fmt.Sprintf("zlkb%s%05d", at.Format("20060102150405"), 10000+chance%90000)
}

// Create books an unpaid order of one automatic product for 10 yuan. No channel
// is written down before the payment.
func (s *shop) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	return s.book(t, numbered(at.In(shanghai), s.orders.Add(1)), at)
}

// book books an order with a number of the test's choice.
func (s *shop) book(t testing.TB, number string, at time.Time) int64 {
	t.Helper()
	return s.bookBy(t, s.db, number, at)
}

// CreateSlowly books an order as Create does, whose insertion lasts until commit.
func (s *shop) CreateSlowly(t testing.TB, at time.Time) (id int64, commit func()) {
	t.Helper()
	transaction := begin(t, s.db)
	return s.bookBy(t, transaction, numbered(at.In(shanghai), s.orders.Add(1)), at), func() {
		if err := transaction.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

// Gap leaves a gap of n keys, as insertions do that fail.
func (s *shop) Gap(t testing.TB, n int) {
	t.Helper()
	transaction := begin(t, s.db)
	defer transaction.Rollback()
	first := s.bookBy(t, transaction, "", ledgertest.Now)
	if n > 1 {
		run(t, transaction, fmt.Sprintf("INSERT INTO %sorder (id) VALUES (%d)", s.prefix, first+int64(n)-1))
	}
}

func (s *shop) bookBy(t testing.TB, db executor, number string, at time.Time) int64 {
	t.Helper()
	result := run(t, db, fmt.Sprintf("INSERT INTO %sorder (orderid,pid,number,money,addtime,email,chapwd) VALUES ('%s',1,1,10,%d,'e@x.example','p')",
		s.prefix, number, at.Unix()))
	id, err := result.LastInsertId()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Remove deletes an order softly, as the administrator does.
func (s *shop) Remove(t testing.TB, id int64, _ time.Time) {
	t.Helper()
	s.run(t, fmt.Sprintf("UPDATE %sorder SET isdelete=1 WHERE id=%d", s.prefix, id))
}

// Pay takes down the payment, after which the shop breaks.
func (s *shop) Pay(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.run(t, fmt.Sprintf("UPDATE %sorder SET status=1, paytime=%d, paymethod='zfbf2f', tradeid='w', paymoney=10 WHERE id=%d AND status=0", s.prefix, at.Unix(), id))
}

// Deliver completes the order, as the administrator does; nobody writes down when.
func (s *shop) Deliver(t testing.TB, id int64, _ time.Time) {
	t.Helper()
	s.run(t, fmt.Sprintf("UPDATE %sorder SET status=2, kami='S' WHERE id=%d AND status IN (1,3)", s.prefix, id))
}

// Delete deletes the row for good, which only a person at the database does.
func (s *shop) Delete(t testing.TB, id int64) {
	t.Helper()
	s.run(t, fmt.Sprintf("DELETE FROM %sorder WHERE id=%d", s.prefix, id))
}

// Offer puts n more automatic products without cards on sale.
func (s *shop) Offer(t testing.TB, n int) {
	t.Helper()
	s.run(t, fmt.Sprintf("INSERT INTO %sproducts (name,active,stockcontrol,auto) SELECT 'more',1,1,1 FROM seq_1_to_%d", s.prefix, n))
}

// fill books n orders a second for some seconds, from key first on, under numbers
// that nobody looks for.
func (s *shop) fill(t testing.TB, first int64, from time.Time, seconds, n int) {
	t.Helper()
	s.run(t, fmt.Sprintf(`INSERT INTO %sorder (id,orderid,pid,number,money,addtime)
		SELECT %d+seq, CONCAT('fill',seq), 1, 1, 10, %d+FLOOR(seq/%d) FROM seq_0_to_%d`, s.prefix, first, from.Unix(), n, seconds*n-1))
}
