package dujiaonext_test

import (
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/ledger/ledgertest"
)

var (
	//go:embed testdata/sqlite.sql
	schemaSQLite string
	//go:embed testdata/postgresql.sql
	schemaPostgreSQL string
	//go:embed testdata/mysql.sql
	schemaMySQL string
	//go:embed testdata/fixture.sql
	fixture string
)

var (
	shanghai = time.FixedZone("CST", 8*60*60)
	written  = time.Date(2026, 11, 22, 7, 0, 0, 0, shanghai) // the fixture's now
	moment   = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^']*'`)
	numbered = regexp.MustCompile(`DJ\d{14}`)
	shops    atomic.Int64
)

const (
	layout  = "2006-01-02 15:04:05.999999999-07:00"
	second  = "20060102150405"
	secret  = "only-columns"
	account = "'watcher'@'127.0.0.1'"
)

// shop is a dujiao-next shop. It writes automatic columns in UTC and its own
// moments in its own zone, as the software does; on MySQL both become wall time.
type shop struct {
	engine  database.Engine
	dsn     string
	db      *sql.DB // may do everything
	account string  // of the DSN, as grants name it
	booked  atomic.Int64
}

// opener makes a shop with the fixture's rows, as old at now as they were written.
type opener func(t testing.TB, now time.Time) *shop

func onSQLite(t testing.TB, now time.Time) *shop {
	t.Helper()
	// What a URL would misread is a legal name.
	path := filepath.Join(t.TempDir(), "shop #1 50%.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	s := &shop{engine: database.SQLite, dsn: path, db: db}
	s.run(t, schemaSQLite)
	s.load(t, now)
	return s
}

func onMariaDB(server *ledgertest.Server) opener {
	return func(t testing.TB, now time.Time) *shop {
		t.Helper()
		name := fmt.Sprintf("dujiaonext_%d", shops.Add(1))
		root := &shop{db: server.Root(t, "")}
		root.run(t, "CREATE DATABASE "+name)
		root.run(t, "SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED") // a slow transaction must not hold up the next
		s := &shop{engine: database.MySQL, dsn: server.DSN("watcher", secret, name), db: server.Root(t, name), account: account}
		s.run(t, schemaMySQL)
		s.load(t, now)
		s.run(t, "CREATE USER IF NOT EXISTS "+account+" IDENTIFIED BY '"+secret+"'")
		for _, grant := range dujiaonext.Book.Grants(database.MySQL, name, "", account) {
			s.run(t, grant)
		}
		return s
	}
}

func onPostgreSQL(server *ledgertest.PostgresServer) opener {
	return func(t testing.TB, now time.Time) *shop {
		t.Helper()
		name := fmt.Sprintf("dujiaonext_%d", shops.Add(1))
		s := &shop{engine: database.PostgreSQL, dsn: server.DSN(name, secret, name), db: server.NewDatabase(t, name), account: name}
		s.run(t, schemaPostgreSQL)
		s.load(t, now)
		for _, table := range []string{"products", "payment_channels", "orders"} { // the rows brought keys of their own
			s.run(t, fmt.Sprintf("SELECT setval('%s_id_seq', (SELECT max(id) FROM %[1]s))", table))
		}
		server.NewRole(t, name, secret)
		for _, grant := range dujiaonext.Book.Grants(database.PostgreSQL, name, "", name) {
			s.run(t, grant)
		}
		return s
	}
}

// load writes the fixture's rows with all times moved.
func (s *shop) load(t testing.TB, now time.Time) {
	t.Helper()
	rows := moment.ReplaceAllStringFunc(fixture, func(text string) string {
		at, err := time.Parse(layout, strings.Trim(text, "'"))
		if err != nil {
			t.Fatal(err)
		}
		at = now.Add(at.Sub(written))
		if strings.Contains(text, "+08:00") {
			return s.own(at)
		}
		return s.automatic(at)
	})
	s.run(t, numbered.ReplaceAllStringFunc(rows, func(text string) string {
		at, err := time.ParseInLocation(second, text[2:], shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return "DJ" + now.Add(at.Sub(written)).In(shanghai).Format(second)
	}))
}

// automatic is a moment as the ORM writes it, own as the shop itself does.
func (s *shop) automatic(at time.Time) string { return s.text(at.UTC()) }
func (s *shop) own(at time.Time) string       { return s.text(at.In(shanghai)) }

func (s *shop) text(at time.Time) string {
	if s.engine == database.MySQL {
		return at.In(shanghai).Format("'2006-01-02 15:04:05.999999'")
	}
	return at.Format("'" + layout + "'")
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

// Ledger is the shop's book by an account that may read the driver's columns alone.
func (s *shop) Ledger() exporter.Ledger {
	return exporter.Ledger{Software: "dujiaonext", DSN: s.dsn, Zone: shanghai}
}

func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return dujiaonext.Open(l) }

type rower interface {
	QueryRow(query string, arguments ...any) *sql.Row
	Exec(query string, arguments ...any) (sql.Result, error)
}

func (s *shop) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	return s.create(t, s.db, at)
}

func (s *shop) create(t testing.TB, in rower, at time.Time) int64 {
	t.Helper()
	no := fmt.Sprintf("DJ%s%06d", at.In(shanghai).Format(second), s.booked.Add(1)+900)
	order := func(no, parent string) (id int64) {
		t.Helper()
		err := in.QueryRow(fmt.Sprintf(`INSERT INTO orders (order_no,parent_id,user_id,status,currency,total_amount,created_at,updated_at)
			VALUES ('%s',%s,0,'pending_payment','CNY',10,%s,%[3]s) RETURNING id`, no, parent, s.automatic(at))).Scan(&id)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	parent := order(no, "NULL")
	child := order(no+"-01", fmt.Sprint(parent))
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO order_items (order_id,product_id,title_json,quantity,fulfillment_type) VALUES (%d,1,'{}',1,'auto')`, child),
		fmt.Sprintf(`INSERT INTO payments (order_id,channel_id,provider_type,channel_type,amount,status) VALUES (%d,1,'official','alipay',10,'pending')`, parent),
	} {
		if _, err := in.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return parent
}

func (s *shop) Pay(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.both(t, id, `UPDATE orders SET status='paid', paid_at=%s, updated_at=%s`, s.own(at), s.automatic(at))
	s.run(t, `UPDATE payments SET status='success' WHERE order_id=%d`, id)
}

func (s *shop) Deliver(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.set(t, id, "completed", at)
	s.run(t, `INSERT INTO fulfillments (order_id,type,status,payload,delivered_at) SELECT id,'auto','delivered','K',%s FROM orders WHERE parent_id=%d`, s.own(at), id)
}

func (s *shop) Expire(t testing.TB, id int64, at time.Time) { t.Helper(); s.set(t, id, "canceled", at) }
func (s *shop) Refund(t testing.TB, id int64, at time.Time) { t.Helper(); s.set(t, id, "refunded", at) }

func (s *shop) set(t testing.TB, id int64, status string, at time.Time) {
	t.Helper()
	s.both(t, id, `UPDATE orders SET status='%s', updated_at=%s`, status, s.automatic(at))
}

// both changes a purchase's parent and children, each by its index.
func (s *shop) both(t testing.TB, id int64, format string, arguments ...any) {
	t.Helper()
	for _, key := range []string{"id", "parent_id"} {
		s.run(t, format+" WHERE %s=%d", append(slices.Clone(arguments), key, id)...)
	}
}

func (s *shop) Remove(t testing.TB, id int64, at time.Time) {
	t.Helper()
	s.both(t, id, `UPDATE orders SET deleted_at=%s`, s.automatic(at))
}

func (s *shop) Delete(t testing.TB, id int64) {
	t.Helper()
	s.both(t, id, `DELETE FROM orders`)
}

func (s *shop) Offer(t testing.TB, n int) {
	t.Helper()
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("('more-%d','{}','auto',TRUE)", i)
	}
	s.run(t, "INSERT INTO products (slug,title_json,fulfillment_type,is_active) VALUES "+strings.Join(rows, ","))
}

// server is a shop whose database lets several write at once.
type server struct{ *shop }

func (s server) CreateSlowly(t testing.TB, at time.Time) (int64, func()) {
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
