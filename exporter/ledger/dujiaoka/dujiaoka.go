// Package dujiaoka reads the order book of a dujiaoka 2.0 shop on MySQL or MariaDB.
//
// dujiaoka pays and delivers in one database transaction and stores neither
// moment, so what can wait for the machine is what ran short of cards when it
// was paid. Its timestamps are wall time of the shop that the server's zone has
// mangled: they are read as text and the configured zone is attached here. The
// connection's own time_zone is never set, and nothing is compared with NOW().
//
// The account needs SELECT on the columns of Grant alone, which keeps card keys
// and addresses out of reach even of a mistake. Every statement goes by primary
// key and carries a limit that the server enforces.
package dujiaoka

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

const (
	statementLimit = 2 * time.Second
	stockLimit     = 10 * time.Second // reads all unsold cards through an index
	networkLimit   = 5 * time.Second  // beyond the statement's own
)

// table names one table, less its prefix, and the columns that are read.
type table struct {
	name    string
	columns []string
}

var tables = []table{
	{"orders", []string{"id", "goods_id", "type", "actual_price", "pay_id", "status", "created_at", "updated_at", "deleted_at"}},
	{"pays", []string{"id", "pay_check"}},
	{"goods", []string{"id", "type", "in_stock", "is_open", "deleted_at"}},
	{"carmis", []string{"goods_id", "status", "is_loop", "deleted_at"}},
}

// Grant gives the statements that let an account read what the driver reads,
// for a database and a table prefix. Column buy_amount may be left out: then
// each order counts as one item.
func Grant(database, prefix, account string) []string {
	statements := make([]string, len(tables))
	for i, t := range tables {
		columns := t.columns
		if t.name == "orders" {
			columns = append(columns[:len(columns):len(columns)], "buy_amount")
		}
		statements[i] = fmt.Sprintf("GRANT SELECT (%s) ON `%s`.`%s` TO %s", strings.Join(columns, ", "), database, prefix+t.name, account)
	}
	return statements
}

// Driver reads one book.
type Driver struct {
	db       *sql.DB
	database string
	user     string
	prefix   string
	zone     *time.Location

	mu       sync.Mutex // guards what the server told
	server   *server
	payments map[int64]string // pay_check by pays.id; unknown ids too, as "unknown"
}

var _ ledger.Driver = (*Driver)(nil)

var plainPrefix = regexp.MustCompile(`^[A-Za-z0-9_]{0,32}$`)

// Open prepares a driver without connecting. l.DSN is go-sql-driver's
// user:password@tcp(host:3306)/database; a zone of nil is Asia/Shanghai, where
// dujiaoka writes its clock whatever the server's place.
func Open(l exporter.Ledger) (*Driver, error) {
	config, err := mysql.ParseDSN(l.DSN)
	if err != nil || config.DBName == "" || config.User == "" || config.Net != "tcp" && config.Net != "unix" {
		// The parser's error may quote a piece of the password, and so may a network's name.
		return nil, errors.New("dujiaoka: dsn: not of the form user:password@tcp(host:3306)/database")
	}
	if _, set := config.Params["time_zone"]; set {
		return nil, errors.New("dujiaoka: dsn: sets time_zone: remove it, the zone of the shop's clock is the ledger's own setting")
	}
	if !plainPrefix.MatchString(l.Prefix) {
		return nil, fmt.Errorf("dujiaoka: prefix: got %q, want at most 32 letters, digits and underscores", l.Prefix)
	}
	config.ParseTime = false
	config.InterpolateParams = true // one round trip a question; SET STATEMENT can't always be prepared
	config.MultiStatements = false
	config.AllowAllFiles = false
	config.Logger = &mysql.NopLogger{} // what it would say is in the errors
	if config.Timeout == 0 {
		config.Timeout = networkLimit
	}
	if config.ReadTimeout == 0 {
		config.ReadTimeout = stockLimit + networkLimit
	}
	if config.WriteTimeout == 0 {
		config.WriteTimeout = networkLimit
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, errors.New("dujiaoka: dsn: its settings contradict each other")
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(30 * time.Minute)
	zone := l.Zone
	if zone == nil {
		zone = time.FixedZone("Asia/Shanghai", 8*60*60)
	}
	return &Driver{db: db, database: config.DBName, user: config.User, prefix: l.Prefix, zone: zone, payments: map[int64]string{}}, nil
}

// Close closes the connections.
func (d *Driver) Close() error { return d.db.Close() }

// Check reads no row of each table, which the server answers with what is missing or forbidden.
func (d *Driver) Check(ctx context.Context) error {
	if _, err := d.known(ctx); err != nil {
		return err
	}
	var faults []error
	for _, t := range tables {
		err := d.each(ctx, statementLimit, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+d.table(t.name)+" LIMIT 0", nil, nothing)
		switch {
		case errors.Is(err, ledger.ErrUnfit):
			faults = append(faults, err)
		case err != nil:
			return err
		}
	}
	return errors.Join(faults...)
}

func nothing(*sql.Rows) error { return nil }

// Last gives the newest order.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, created_at FROM "+d.table("orders")+" ORDER BY id DESC LIMIT 1")
}

// At gives the first order whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, created_at FROM "+d.table("orders")+" WHERE id >= ? ORDER BY id LIMIT 1", id)
}

func (d *Driver) place(ctx context.Context, query string, arguments ...any) (ledger.Place, error) {
	var place ledger.Place
	err := d.each(ctx, statementLimit, query, arguments, func(rows *sql.Rows) error {
		var created sql.NullString
		if err := rows.Scan(&place.ID, &created); err != nil {
			return err
		}
		place.Created = d.moment(created)
		return nil
	})
	return place, err
}

// moment attaches the shop's zone to a wall time. NULL, the zero date and what
// isn't a time are the zero time.
func (d *Driver) moment(text sql.NullString) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999999", text.String, d.zone)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (d *Driver) table(name string) string { return "`" + d.prefix + name + "`" }
