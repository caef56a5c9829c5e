package fakabot_test

import (
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/fakabot"
	"shopwatch/exporter/ledger/ledgertest"
)

var (
	//go:embed testdata/rewrite.sql
	rewriteSchema string
	//go:embed testdata/rewrite.fixture.sql
	rewriteRows string
	//go:embed testdata/legacy.sql
	legacySchema string
	//go:embed testdata/legacy.fixture.sql
	legacyRows string
)

const (
	layout = "2006-01-02 15:04:05-07"
	secret = "only-columns"
)

var (
	written = time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC) // the rewrite's fixture's now
	moment  = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00'`)
	offset  = regexp.MustCompile(`\{-\d+\}`)
	shops   atomic.Int64
)

// shop is what both generations have in common.
type shop struct {
	dsn    string
	db     *sql.DB // may do everything
	booked atomic.Int64
}

func (s *shop) run(t testing.TB, format string, arguments ...any) {
	t.Helper()
	if len(arguments) > 0 {
		format = fmt.Sprintf(format, arguments...)
	}
	if _, err := s.db.Exec(format); err != nil {
		t.Fatalf("%v: %.200s", err, format)
	}
}

func (s *shop) Ledger() exporter.Ledger {
	return exporter.Ledger{Software: "fakabot", DSN: s.dsn}
}

func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return fakabot.Open(l) }

type rower interface {
	QueryRow(query string, arguments ...any) *sql.Row
}

func insert(t testing.TB, in rower, format string, arguments ...any) (id int64) {
	t.Helper()
	if err := in.QueryRow(fmt.Sprintf(format, arguments...) + " RETURNING id").Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// rewrite is a shop of many tenants.
type rewrite struct{ *shop }

func onPostgreSQL(t testing.TB, server *ledgertest.PostgresServer, now time.Time) rewrite {
	t.Helper()
	name := fmt.Sprintf("fakabot_%d", shops.Add(1))
	s := rewrite{&shop{dsn: server.DSN(name, secret, name), db: server.NewDatabase(t, name)}}
	s.run(t, rewriteSchema)
	s.run(t, moment.ReplaceAllStringFunc(rewriteRows, func(text string) string {
		at, err := time.Parse(layout, strings.Trim(text, "'"))
		if err != nil {
			t.Fatal(err)
		}
		return s.text(now.Add(at.Sub(written)))
	}))
	for _, table := range []string{"orders", "products"} { // the rows brought keys of their own
		s.run(t, "SELECT setval('%s_id_seq', (SELECT max(id) FROM %[1]s))", table)
	}
	server.NewRole(t, name, secret)
	for _, grant := range fakabot.Book.Grants(database.PostgreSQL, name, "", name) {
		s.run(t, grant)
	}
	return s
}

func (rewrite) text(at time.Time) string { return at.UTC().Format("'" + layout + "'") }

func (s rewrite) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	return s.create(t, s.db, at)
}

func (s rewrite) create(t testing.TB, in rower, at time.Time) int64 {
	t.Helper()
	return insert(t, in, `INSERT INTO orders (tenant_id,buyer_telegram_user_id,source_type,self_product_id,amount,currency,payment_mode,payment_provider,status,out_trade_no,expires_at,created_at,updated_at)
		VALUES (1,200,'self',1,1.5,'USDT','p','epay','pending','ORDbbbbbbbbbbbbbbbbbb%06d',%s,%[2]s,%[2]s)`, s.booked.Add(1), s.text(at))
}

func (s rewrite) CreateSlowly(t testing.TB, at time.Time) (int64, func()) {
	t.Helper()
	tx, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return s.create(t, tx, at), func() {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
}

func (s rewrite) set(t testing.TB, id int64, status, moment string, at time.Time) {
	t.Helper()
	s.run(t, "UPDATE orders SET status='%s', %s=%s, updated_at=%[3]s WHERE id=%d", status, moment, s.text(at), id)
}

func (s rewrite) Pay(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.set(t, id, "paid", "paid_at", at)
}

func (s rewrite) Deliver(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.set(t, id, "delivered", "delivered_at", at)
}

func (s rewrite) Expire(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.set(t, id, "expired", "expires_at", at)
}

func (s rewrite) Refund(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.run(t, "UPDATE orders SET status='refunded', updated_at=%s WHERE id=%d", s.text(at), id)
}

func (s rewrite) Delete(t testing.TB, id int64) {
	t.Helper()
	s.run(t, "DELETE FROM payments WHERE order_id=%d; DELETE FROM delivery_records WHERE order_id=%[1]d; DELETE FROM orders WHERE id=%[1]d", id)
}

func (s rewrite) Offer(t testing.TB, n int) {
	t.Helper()
	s.run(t, "INSERT INTO products (tenant_id,name,delivery_type,status) SELECT 3,'n','card_pool','on' FROM generate_series(1,%d)", n)
}

// legacy is a bot of old.
type legacy struct{ *shop }

func onSQLite(t testing.TB, now time.Time) legacy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fakabot.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	s := legacy{&shop{dsn: path, db: db}}
	s.run(t, legacySchema)
	s.run(t, offset.ReplaceAllStringFunc(legacyRows, func(text string) string {
		seconds, err := strconv.ParseInt(strings.Trim(text, "{}"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(now.Unix()+seconds, 10)
	}))
	return s
}

func (s legacy) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	return insert(t, s.db, `INSERT INTO orders (user_id,product_id,tier_id,amount,payment_method,out_trade_no,create_time) VALUES (200,1,1,10,'alipay','BBBBBB-%05d',%d)`,
		s.booked.Add(1), at.Unix())
}

func (s legacy) set(t testing.TB, id int64, status string) {
	t.Helper()
	s.run(t, "UPDATE orders SET status='%s' WHERE id=%d", status, id)
}

func (s legacy) Pay(t testing.TB, id int64, _ time.Time)    { t.Helper(); s.set(t, id, "paid") }
func (s legacy) Expire(t testing.TB, id int64, _ time.Time) { t.Helper(); s.set(t, id, "cancelled") }

func (s legacy) Deliver(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.run(t, "INSERT INTO card_keys (product_id,tier_id,key_text,used_by_order_id,used_time,create_time) VALUES (1,1,'K',%d,%d,%[2]d)", id, at.Unix())
	s.set(t, id, "completed")
}

func (s legacy) Delete(t testing.TB, id int64) {
	t.Helper()
	s.run(t, "DELETE FROM orders WHERE id=%d", id)
}

func (s legacy) Offer(t testing.TB, n int) {
	t.Helper()
	rows := strings.TrimSuffix(strings.Repeat("('n',1,'card_pool'),", n), ",")
	s.run(t, "INSERT INTO products (name,price,deliver_type) VALUES "+rows)
}
