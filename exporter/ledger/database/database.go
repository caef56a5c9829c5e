// Package database is the one door through which drivers read a shop's
// database: MySQL or MariaDB, PostgreSQL, or a SQLite file.
//
// It is a guest's door. Each statement is a single SELECT with a limit that the
// server itself enforces (for a SQLite file, this process), in at most two
// connections, and nothing of a PostgreSQL session is changed that a connection
// pool in between could hand on to the shop. Errors say in one word and one
// sentence what a person should do.
//
// The room knows no shop's tables, no order and no clock, and must never hold a
// row back or read one twice.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

// Engine is a kind of database.
type Engine string

// The engines. MySQL is MariaDB too.
const (
	MySQL      Engine = "MySQL"
	PostgreSQL Engine = "PostgreSQL"
	SQLite     Engine = "SQLite"
)

// Limits of a statement, which the server enforces.
const (
	Short = 2 * time.Second  // by key
	Long  = 10 * time.Second // counts of stock

	networkLimit = 5 * time.Second // beyond the statement's own
)

// Table names a table, less its prefix, and the columns that are read.
type Table struct {
	Name     string
	Columns  []string
	Optional []string // read where they are there and granted: see DB.Has
	Missable bool     // the table itself may be missing
}

// Book says what a driver reads.
type Book struct {
	Software string   // of the shop, as it names itself: for errors
	Engines  []Engine // on which it runs
	Tables   []Table
	// Part says which part of the database the book is, where others may be beside
	// it: each is claimed by itself. "": the tables of the prefix.
	Part     string
	Prefixed bool // its table names may have a prefix
	// Keyed says that each Short statement is one that indexes answer, so that
	// PostgreSQL must not read or hash whole tables for it: left alone it does
	// while its statistics are old or missing, as after a restored backup.
	Keyed bool
}

// DB is a shop's database. It may be used by several goroutines at once.
type DB struct {
	book   Book
	engine engine
	pool   *sql.DB
	prefix string
	zone   *time.Location

	claim claim

	mu  sync.Mutex
	has map[string]bool // "table" and "table.column" that can be read; nil before the first contact
}

var plainPrefix = regexp.MustCompile(`^[A-Za-z0-9_]{0,32}$`)

// Open prepares a database without connecting. The DSN's form tells the engine:
// postgres://user:password@host/database, user:password@tcp(host:3306)/database
// for MySQL, or the path of a SQLite file. No error quotes it. A zone of nil is
// Asia/Shanghai, where most shops of this trade set their clocks.
func Open(book Book, l exporter.Ledger) (*DB, error) {
	if book.Prefixed && !plainPrefix.MatchString(l.Prefix) {
		return nil, fmt.Errorf("prefix: got %q, want at most 32 letters, digits and underscores", l.Prefix)
	}
	if !book.Prefixed && l.Prefix != "" {
		return nil, fmt.Errorf("prefix: got %q, but the tables of %s have none", l.Prefix, book.Software)
	}
	kind, found := EngineOf(l.DSN)
	if !found || !slices.Contains(book.Engines, kind) {
		return nil, fmt.Errorf("dsn: want %s", forms(book.Engines))
	}
	d := &DB{book: book, prefix: l.Prefix, zone: l.Zone}
	if d.zone == nil {
		d.zone = time.FixedZone("Asia/Shanghai", 8*60*60)
	}
	var err error
	switch kind {
	case MySQL:
		d.pool, d.engine, err = openMySQL(l.DSN)
	case PostgreSQL:
		d.pool, d.engine, err = openPostgreSQL(l.DSN, book.Keyed)
	default:
		d.pool, d.engine, err = openSQLite(l.DSN)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// engine is what differs between databases.
type engine interface {
	kind() Engine
	account() string // "" where there are none
	quote(name string) string
	// query runs one SELECT on a connection, and has the server end it after limit.
	// claimed tells that the connection holds the claim. done must be called when
	// the rows have been read.
	query(ctx context.Context, c *sql.Conn, claimed bool, limit time.Duration, query string, arguments []any) (rows *sql.Rows, done func() error, err error)
	// explain gives an error its reason, and says what to do about it.
	explain(err error, software string) error
	// talks tells whether an error leaves its connection whole.
	talks(err error) bool
	lag(ctx context.Context, d *DB) (time.Duration, bool, error)
	claim(ctx context.Context, d *DB) error
	// reachable says why the database can't be there at all.
	reachable() error
}

// EngineOf tells the engine by the form of a DSN, and whether it has any.
func EngineOf(dsn string) (Engine, bool) {
	switch {
	case strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://"):
		return PostgreSQL, true
	case strings.Contains(dsn, "@tcp(") || strings.Contains(dsn, "@unix("):
		return MySQL, true
	case plainPath(dsn):
		return SQLite, true
	}
	return "", false
}

var (
	drive   = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
	setting = regexp.MustCompile(`(?i)\b(host|server|user|uid|password|passwd|pwd|dbname|database|sslmode)\s*=`)
)

// plainPath tells a path from what was meant as some other DSN, which holds a
// password: a path is quoted in errors.
func plainPath(dsn string) bool {
	rest := dsn
	if drive.MatchString(dsn) {
		rest = dsn[2:]
	}
	return dsn != "" && !strings.ContainsAny(rest, "@?:\x00") && !setting.MatchString(dsn)
}

func forms(engines []Engine) string {
	form := map[Engine]string{
		MySQL:      "user:password@tcp(host:3306)/database",
		PostgreSQL: "postgres://user:password@host:5432/database",
		SQLite:     "the path of the shop's SQLite file",
	}
	wanted := make([]string, len(engines))
	for i, e := range engines {
		wanted[i] = form[e]
	}
	return strings.Join(wanted, ", or ")
}

// Engine tells what kind of database it is.
func (d *DB) Engine() Engine { return d.engine.kind() }

// Zone is that of the shop's wall-clock columns.
func (d *DB) Zone() *time.Location { return d.zone }

// Table gives a table's name as it stands in a statement.
func (d *DB) Table(name string) string { return d.engine.quote(d.prefix + name) }

// Close closes the connections, and gives up the claim.
func (d *DB) Close() error {
	d.claim.busy.Lock()
	defer d.claim.busy.Unlock()
	if d.claim.conn != nil {
		d.claim.letGo()
	}
	return d.pool.Close()
}

var aSelect = regexp.MustCompile(`^(?i:SELECT)\s`)

// Each runs one SELECT, which begins with that word, and hands over its rows.
// Arguments stand for ? outside quotes on every engine. The server ends the
// statement after limit. A caller who cancels ctx gets context.Canceled.
func (d *DB) Each(ctx context.Context, limit time.Duration, query string, arguments []any, row func(*sql.Rows) error) error {
	if !aSelect.MatchString(query) {
		return errors.New("a statement must begin with SELECT")
	}
	return d.run(ctx, limit, query, arguments, row)
}

func (d *DB) run(ctx context.Context, limit time.Duration, query string, arguments []any, row func(*sql.Rows) error) error {
	if err := d.engine.reachable(); err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, limit+networkLimit)
	defer cancel()
	conn, claimed, giveBack, err := d.connection(ctx)
	if err == nil {
		err = d.read(ctx, conn, claimed, limit, query, arguments, row)
		giveBack(err)
	}
	return d.explain(caller, err)
}

func (d *DB) read(ctx context.Context, conn *sql.Conn, claimed bool, limit time.Duration, query string, arguments []any, row func(*sql.Rows) error) error {
	rows, done, err := d.engine.query(ctx, conn, claimed, limit, query, arguments)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			if broken := rows.Err(); broken != nil { // the row only met its end
				err = broken
			}
			return errors.Join(unread(err), rows.Close(), done())
		}
	}
	return errors.Join(rows.Err(), rows.Close(), done())
}

// Keys gives the placeholders and the arguments of a list of keys.
func Keys(ids []int64) (placeholders string, arguments []any) {
	arguments = make([]any, len(ids))
	for i, id := range ids {
		arguments[i] = id
	}
	return strings.TrimSuffix(strings.Repeat("?,", len(ids)), ","), arguments
}

// PageSize refuses pages that are too large.
func PageSize(limit int) error {
	if limit < 1 || limit > ledger.MaxBatch {
		return fmt.Errorf("page of %d orders: want 1–%d", limit, ledger.MaxBatch)
	}
	return nil
}

// BatchSize refuses batches that are too large.
func BatchSize(ids []int64) error {
	if len(ids) > ledger.MaxBatch {
		return fmt.Errorf("batch of %d orders: want at most %d", len(ids), ledger.MaxBatch)
	}
	return nil
}
