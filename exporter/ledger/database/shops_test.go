package database_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

// book is a shop's whose columns are named after words of SQL.
var book = database.Book{
	Software: "shop 1.0", Engines: []database.Engine{database.MySQL, database.PostgreSQL, database.SQLite}, Prefixed: true,
	Tables: []database.Table{
		{Name: "order", Columns: []string{"id", "status", "desc", "created_at"}, Optional: []string{"key", "number"}},
		{Name: "cards", Columns: []string{"id", "group"}},
		{Name: "failed_jobs", Columns: []string{"id"}, Missable: true},
	},
}

const (
	password = "n4rrow-s3cret"
	secret   = "CARD-KEY"
)

// shop is a database with book's tables, and an account that may read book.
type shop struct {
	engine  database.Engine
	name    string
	account string // as the server writes it; "" where there are none
	owner   *sql.DB
	dsn     string
	quote   func(string) string
	// locked locks table "order" against readers until unlock.
	locked func(t *testing.T) (unlock func())
	// waiting counts statements of the account that the server works at.
	waiting string
	forever string // a SELECT of rows without end, or nearly
	slow    string // a SELECT that takes longer than any test, without rows
}

// schema is of book's tables, with a row each.
func (s *shop) schema() string {
	return strings.NewReplacer("[", s.quote("a")[:1], "]", s.quote("a")[:1]).Replace(`
CREATE TABLE [order] (id int PRIMARY KEY, status int, [desc] varchar(20), created_at timestamp NULL, [key] int, number varchar(20), secret varchar(20));
CREATE TABLE cards (id int PRIMARY KEY, [group] int, secret varchar(20));
CREATE TABLE failed_jobs (id int PRIMARY KEY);
INSERT INTO [order] VALUES (1, 4, 'it''s ?', '2026-11-22 07:00:00', 7, 'N1', '` + secret + `');
INSERT INTO cards VALUES (1, 2, '` + secret + `')`)
}

func (s *shop) run(t testing.TB, statement string, arguments ...any) {
	t.Helper()
	if _, err := s.owner.Exec(statement, arguments...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (s *shop) open(t testing.TB) *database.DB {
	t.Helper()
	d, err := database.Open(book, exporter.Ledger{DSN: s.dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

var shops atomic.Int64

func mariaShop(t testing.TB, server *ledgertest.Server) *shop {
	t.Helper()
	n := shops.Add(1)
	s := &shop{engine: database.MySQL, name: fmt.Sprintf("shop_%d", n), account: fmt.Sprintf("'watcher%d'@'127.0.0.1'", n),
		quote:   func(name string) string { return "`" + name + "`" },
		waiting: fmt.Sprintf("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'watcher%d' AND command <> 'Sleep'", n),
		forever: "SELECT 1 FROM " + strings.Repeat("(WITH RECURSIVE c AS (SELECT 1 AS x UNION ALL SELECT x+1 FROM c WHERE x < 1000) SELECT x FROM c) c%d, ", 3) + "cards",
		slow:    "SELECT id FROM cards WHERE SLEEP(30) = 5",
	}
	s.forever = fmt.Sprintf(s.forever, 1, 2, 3)
	s.owner = server.Root(t, "")
	s.run(t, "CREATE DATABASE "+s.name)
	s.owner = server.Root(t, s.name)
	s.run(t, s.schema())
	s.run(t, fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", s.account, password))
	s.dsn = server.DSN(fmt.Sprintf("watcher%d", n), password, s.name)
	s.locked = func(t *testing.T) func() {
		conn := s.connection(t)
		exec(t, conn, "LOCK TABLES `order` WRITE")
		return func() { exec(t, conn, "UNLOCK TABLES") }
	}
	return s
}

func postgresShop(t testing.TB, server *ledgertest.PostgresServer) *shop {
	t.Helper()
	n := shops.Add(1)
	role := fmt.Sprintf("watcher%d", n)
	s := &shop{engine: database.PostgreSQL, name: fmt.Sprintf("shop_%d", n), account: role,
		quote:   func(name string) string { return `"` + name + `"` },
		waiting: fmt.Sprintf("SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '%s' AND state = 'active'", role),
		forever: "SELECT a FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
		slow:    "SELECT pg_sleep(30)",
	}
	s.owner = server.NewDatabase(t, s.name)
	s.run(t, s.schema())
	server.NewRole(t, role, password)
	s.dsn = server.DSN(role, password, s.name)
	s.locked = func(t *testing.T) func() {
		conn := s.connection(t)
		exec(t, conn, `BEGIN; LOCK TABLE "order" IN ACCESS EXCLUSIVE MODE`)
		return func() { exec(t, conn, "ROLLBACK") }
	}
	return s
}

func sqliteShop(t testing.TB) *shop {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop #1 50%.db")
	owner, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { owner.Close() })
	s := &shop{engine: database.SQLite, name: path, owner: owner, dsn: path,
		quote:   func(name string) string { return "`" + name + "`" },
		forever: "SELECT x FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c)",
		slow:    "SELECT x FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c) WHERE x < 0",
	}
	s.run(t, s.schema())
	s.locked = func(t *testing.T) func() {
		conn := s.connection(t)
		exec(t, conn, "BEGIN EXCLUSIVE")
		return func() { exec(t, conn, "ROLLBACK") }
	}
	return s
}

// connection is one of the owner's.
func (s *shop) connection(t testing.TB) *sql.Conn {
	t.Helper()
	conn, err := s.owner.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func exec(t testing.TB, conn *sql.Conn, statement string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// granted lets the account read book.
func (s *shop) granted(t testing.TB) *shop {
	t.Helper()
	for _, grant := range book.Grants(s.engine, s.name, "", s.account) {
		s.run(t, grant)
	}
	return s
}

func ignore(*sql.Rows) error { return nil }

// one is the one value that a statement gives.
func one[V any](t testing.TB, d *database.DB, query string, arguments ...any) V {
	t.Helper()
	var value V
	if err := d.Each(t.Context(), database.Short, query, arguments, func(rows *sql.Rows) error { return rows.Scan(&value) }); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// reason is the word for an error.
func reason(t testing.TB, err error, want rules.LedgerReason, words ...string) {
	t.Helper()
	if err == nil || ledger.Reason(err) != want {
		t.Fatalf("got %q (%v), want %q", ledger.Reason(err), err, want)
	}
	for _, word := range append(words, "") {
		if text := err.Error(); !strings.Contains(text, word) || strings.Contains(text, password) {
			t.Fatalf("error %q, want it to say %q and no password", text, word)
		}
	}
}
