package sql_test

import (
	stdsql "database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/exporter/ledger/sql"
)

// A shop that nobody ever wrote: trades with lines, cards by article. Each
// engine keeps its moments in other types.

const password = "only-columns"

var (
	zone  = time.FixedZone("Asia/Shanghai", 8*60*60)
	shops atomic.Int64
)

// dialect is an engine as the invented shop uses it.
type dialect struct {
	engine database.Engine
	schema string
	// How the shop writes each moment.
	made, paid, sent, touched func(time.Time) string
	yes, no                   string
}

func wall(at time.Time) string    { return at.In(zone).Format("'2006-01-02 15:04:05'") }
func instant(at time.Time) string { return at.In(zone).Format("'2006-01-02 15:04:05-07:00'") }
func seconds(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
func millis(at time.Time) string  { return strconv.FormatInt(at.UnixMilli(), 10) }

var dialects = map[database.Engine]dialect{
	database.MySQL: {
		engine: database.MySQL, made: wall, paid: seconds, sent: millis, touched: wall, yes: "1", no: "0",
		schema: `CREATE TABLE trade (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, no VARCHAR(20) NOT NULL UNIQUE, status VARCHAR(10) NOT NULL, kind VARCHAR(10),
				pay_way VARCHAR(40), total DECIMAL(10,2), cur CHAR(3), made_at DATETIME, paid_at INT, sent_at BIGINT, touched TIMESTAMP NULL,
				deleted TINYINT(1) NOT NULL DEFAULT 0, serial INT, mail VARCHAR(100));
			CREATE TABLE line (id INT AUTO_INCREMENT PRIMARY KEY, trade_id INT UNSIGNED NOT NULL, sku VARCHAR(20), n INT, card TEXT, KEY (trade_id));
			CREATE TABLE article (sku VARCHAR(20) PRIMARY KEY, endless TINYINT(1), open TINYINT(1));
			CREATE TABLE card (id INT AUTO_INCREMENT PRIMARY KEY, sku VARCHAR(20), secret TEXT, sold TINYINT(1), KEY (sku))`,
	},
	database.PostgreSQL: {
		engine: database.PostgreSQL, made: instant, paid: wall, sent: millis, touched: instant, yes: "true", no: "false",
		schema: `CREATE TABLE trade (id SERIAL PRIMARY KEY, no VARCHAR(20) NOT NULL UNIQUE, status VARCHAR(10) NOT NULL, kind VARCHAR(10),
				pay_way VARCHAR(40), total NUMERIC(10,2), cur CHAR(3), made_at TIMESTAMPTZ, paid_at TIMESTAMP, sent_at BIGINT, touched TIMESTAMPTZ,
				deleted BOOLEAN NOT NULL DEFAULT false, serial INT, mail VARCHAR(100));
			CREATE TABLE line (id SERIAL PRIMARY KEY, trade_id INT NOT NULL, sku VARCHAR(20), n INT, card TEXT);
			CREATE INDEX line_trade ON line (trade_id);
			CREATE TABLE article (sku VARCHAR(20) PRIMARY KEY, endless BOOLEAN, open BOOLEAN);
			CREATE TABLE card (id SERIAL PRIMARY KEY, sku VARCHAR(20), secret TEXT, sold BOOLEAN);
			CREATE INDEX card_sku ON card (sku)`,
	},
	database.SQLite: {
		engine: database.SQLite, made: instant, paid: seconds, sent: millis, touched: wall, yes: "1", no: "0",
		schema: `CREATE TABLE trade (id INTEGER PRIMARY KEY AUTOINCREMENT, no TEXT NOT NULL UNIQUE, status TEXT NOT NULL, kind TEXT,
				pay_way TEXT, total DECIMAL(10,2), cur TEXT, made_at DATETIME, paid_at DATETIME, sent_at REAL, touched TEXT,
				deleted BOOLEAN NOT NULL DEFAULT 0, serial INT, mail TEXT);
			CREATE TABLE line (id INTEGER PRIMARY KEY, trade_id INTEGER NOT NULL, sku TEXT, n INTEGER, card TEXT);
			CREATE INDEX line_trade ON line (trade_id);
			CREATE TABLE article (sku TEXT PRIMARY KEY, endless BOOLEAN, open BOOLEAN);
			CREATE TABLE card (id INTEGER PRIMARY KEY, sku TEXT, secret TEXT, sold BOOLEAN);
			CREATE INDEX card_sku ON card (sku)`,
	},
}

// grants is what an account needs for queries.
const grants = "id, serial, no, status, kind, pay_way, total, cur, made_at, paid_at, sent_at, touched, deleted"

// queries is how the owner of the invented shop tells of it.
func queries() exporter.Queries {
	return exporter.Queries{
		Orders: `SELECT t.id AS id, CASE WHEN t.deleted THEN 'deleted' ELSE t.status END AS state, t.made_at AS created,
			t.kind AS automatic, t.pay_way AS payment, l.sku AS product, l.n AS quantity, t.total AS amount, t.cur AS currency,
			t.paid_at AS paid, t.sent_at AS delivered, t.touched updated
			FROM trade t LEFT JOIN line AS l ON l.trade_id = t.id`,
		Key: "t.id", Where: "t.status <> 'draft' OR t.total > 1000", Number: "t.no", Form: "[A-Z]{2}[0-9]{10}",
		States: map[string]exporter.OrderState{
			"new": exporter.Unpaid, "closed": exporter.Expired, "paid": exporter.PaidAutoWaiting, "short": exporter.FailedShortOfStock,
			"sent": exporter.Delivered, "broken": exporter.Failed, "back": exporter.Refunded, "deleted": exporter.Removed,
		},
		Stock: `SELECT a.sku AS product, CASE WHEN a.endless THEN NULL ELSE (SELECT COUNT(*) FROM card c WHERE c.sku = a.sku AND NOT c.sold) END AS cards
			FROM article a WHERE a.open`,
	}
}

// servers are the private servers of a test.
type servers struct {
	maria    *ledgertest.Server
	postgres *ledgertest.PostgresServer
}

// shop is one invented shop. It is a ledgertest.Shop.
type shop struct {
	dialect
	db  *stdsql.DB
	dsn string
}

// empty makes a shop without rows in a database of its own.
func (s servers) empty(t testing.TB, engine database.Engine) *shop {
	t.Helper()
	made := &shop{dialect: dialects[engine]}
	name := fmt.Sprintf("owner_%d", shops.Add(1))
	switch engine {
	case database.MySQL:
		run(t, s.maria.Root(t, ""), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
		made.db, made.dsn = s.maria.Root(t, name), s.maria.DSN("shopwatch", password, name)
		run(t, made.db, made.schema)
		const account = "'shopwatch'@'127.0.0.1'"
		run(t, made.db, "CREATE USER IF NOT EXISTS "+account+" IDENTIFIED BY '"+password+"'")
		run(t, made.db, "GRANT SELECT ("+grants+") ON trade TO "+account+"; GRANT SELECT (trade_id, sku, n) ON line TO "+account+
			"; GRANT SELECT ON article TO "+account+"; GRANT SELECT (sku, sold) ON card TO "+account)
	case database.PostgreSQL:
		made.db, made.dsn = s.postgres.NewDatabase(t, name), s.postgres.DSN(name, password, name)
		run(t, made.db, made.schema)
		s.postgres.NewRole(t, name, password)
		run(t, made.db, "GRANT SELECT ("+grants+") ON trade TO "+name+"; GRANT SELECT (trade_id, sku, n) ON line TO "+name+
			"; GRANT SELECT ON article TO "+name+"; GRANT SELECT (sku, sold) ON card TO "+name)
	default:
		made.dsn = filepath.Join(t.TempDir(), "shop.db")
		var err error
		if made.db, err = stdsql.Open("sqlite", made.dsn+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { made.db.Close() })
		run(t, made.db, made.schema)
	}
	return made
}

func run(t testing.TB, db *stdsql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
}

// trade is a row of the fixture; ages are minutes, negative where there is none.
type trade struct {
	status, kind, pay, total, currency string
	made, paid, sent                   float64
	deleted                            bool
	lines                              []string // "sku n"
}

var trades = []trade{
	{"sent", "auto", "alipay", "10.50", "CNY", 50, 49, 48.5, false, []string{"A-1 2"}},
	{"sent", "auto", "wx pay", "30", "USD", 40, 39, 38, false, []string{"A-1 1", "B 2", "B 3"}},
	{"paid", "auto", "alipay", "10", "CNY", 3, 2, -1, false, []string{"A-1 1"}},
	{"paid", "auto", "alipay", "10", "CNY", 12, 10, -1, false, []string{"A-1 1", "B 1"}},
	{"short", "auto", "alipay", "10", "CNY", 50, 45, -1, false, []string{"A-1 1"}},
	{"paid", "manual", "alipay", "10", "CNY", 300, 290, -1, false, []string{"B 1"}},
	{"new", "auto", "alipay", "10", "CNY", 30, -1, -1, false, []string{"A-1 1"}},
	{"closed", "auto", "wx pay", "10", "CNY", 60, -1, -1, false, []string{"A-1 1"}},
	{"broken", "auto", "alipay", "10", "CNY", 70, 69, -1, false, []string{"A-1 1"}},
	{"back", "auto", "alipay", "10", "CNY", 80, 79, 78, false, []string{"A-1 1"}},
	{"draft", "auto", "alipay", "10", "CNY", 80, -1, -1, false, []string{"A-1 1"}},
	{"limbo", "auto", "alipay", "10", "CNY", 5, -1, -1, false, []string{"A-1 1"}},
	{"sent", "manual", "", "0", "CNY", 90, 89, 80, false, []string{"B 1"}},
	{"new", "auto", "alipay", "10", "CNY", 33, -1, -1, true, []string{"A-1 1"}},
}

func (s servers) stocked(t testing.TB, engine database.Engine, now time.Time) *shop {
	t.Helper()
	made := s.empty(t, engine)
	ago := func(minutes float64) time.Time { return now.Add(-time.Duration(minutes * float64(time.Minute))) }
	for i, row := range trades {
		moment := func(minutes float64, write func(time.Time) string) string {
			if minutes < 0 {
				return "NULL"
			}
			return write(ago(minutes))
		}
		deleted := made.no
		if row.deleted {
			deleted = made.yes
		}
		run(t, made.db, fmt.Sprintf("INSERT INTO trade (no,status,kind,pay_way,total,cur,made_at,paid_at,sent_at,touched,deleted,mail)"+
			" VALUES ('%s','%s','%s','%s',%s,'%s',%s,%s,%s,%s,%s,'e@x.example')", number(i+1), row.status, row.kind, row.pay, row.total, row.currency,
			made.made(ago(row.made)), moment(row.paid, made.paid), moment(row.sent, made.sent), made.touched(ago(row.made)), deleted))
		for _, line := range row.lines {
			sku, n, _ := strings.Cut(line, " ")
			run(t, made.db, fmt.Sprintf("INSERT INTO line (trade_id,sku,n,card) VALUES (%d,'%s',%s,'SECRET')", i+1, sku, n))
		}
	}
	run(t, made.db, fmt.Sprintf("INSERT INTO article (sku,endless,open) VALUES ('A-1',%[1]s,%[2]s),('B',%[2]s,%[2]s),('C',%[1]s,%[1]s),('D',%[1]s,%[2]s)", made.no, made.yes))
	run(t, made.db, fmt.Sprintf("INSERT INTO card (sku,secret,sold) VALUES ('A-1','S',%[1]s),('A-1','S',%[1]s),('A-1','S',%[2]s),('C','S',%[1]s)", made.no, made.yes))
	run(t, made.db, "UPDATE trade SET serial = id")
	return made
}

func number(id int) string { return fmt.Sprintf("TR%010d", id*7919) }

// Ledger is the shop's book by the account that can't read cards or addresses.
func (s *shop) Ledger() exporter.Ledger {
	q := queries()
	return exporter.Ledger{Software: "sql", DSN: s.dsn, Zone: zone, Queries: &q}
}

// Open makes a driver; a ledger without queries gets the shop's.
func (s *shop) Open(l exporter.Ledger) (ledger.Driver, error) { return sql.Open(l) }

// Create books an unpaid trade.
func (s *shop) Create(t testing.TB, at time.Time) int64 {
	t.Helper()
	var last stdsql.NullInt64
	if err := s.db.QueryRow("SELECT MAX(id) FROM trade").Scan(&last); err != nil {
		t.Fatal(err)
	}
	run(t, s.db, fmt.Sprintf("INSERT INTO trade (no,status,kind,pay_way,total,cur,made_at,touched) VALUES ('%s','new','auto','alipay',10,'CNY',%s,%s)",
		number(int(last.Int64)+1), s.made(at), s.touched(at)))
	var id int64
	if err := s.db.QueryRow("SELECT MAX(id) FROM trade").Scan(&id); err != nil {
		t.Fatal(err)
	}
	run(t, s.db, fmt.Sprintf("INSERT INTO line (trade_id,sku,n) VALUES (%d,'A-1',1)", id))
	return id
}

// Pay books the payment.
func (s *shop) Pay(t testing.TB, id int64, at time.Time) {
	t.Helper()
	run(t, s.db, fmt.Sprintf("UPDATE trade SET status='paid', paid_at=%s, touched=%s WHERE id=%d", s.paid(at), s.touched(at), id))
}

// Deliver books the delivery.
func (s *shop) Deliver(t testing.TB, id int64, at time.Time) {
	t.Helper()
	run(t, s.db, fmt.Sprintf("UPDATE trade SET status='sent', sent_at=%s, touched=%s WHERE id=%d", s.sent(at), s.touched(at), id))
}

// Delete deletes the rows for good.
func (s *shop) Delete(t testing.TB, id int64) {
	t.Helper()
	run(t, s.db, fmt.Sprintf("DELETE FROM line WHERE trade_id=%d", id))
	run(t, s.db, fmt.Sprintf("DELETE FROM trade WHERE id=%d", id))
}

// Offer puts n more articles on sale.
func (s *shop) Offer(t testing.TB, n int) {
	t.Helper()
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("('X%04d',%s,%s)", i, s.no, s.yes)
	}
	run(t, s.db, "INSERT INTO article (sku,endless,open) VALUES "+strings.Join(rows, ","))
}
