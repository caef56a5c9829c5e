// Package dujiaoka reads the order book of a dujiaoka 2.0 shop on MySQL or MariaDB.
//
// dujiaoka pays and delivers in one database transaction and stores neither
// moment, so what can wait for the machine is what ran short of cards when it
// was paid. Its timestamps are wall time of the shop that the server's zone has
// mangled: they are read as text and the configured zone is attached here. The
// connection's own time_zone is never set, and nothing is compared with NOW().
//
// The account needs SELECT on the columns of Book alone, which keeps card keys
// and addresses out of reach even of a mistake. Every statement goes by primary
// key and carries a limit that the server enforces.
package dujiaoka

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"sync"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// Book is what the driver reads.
var Book = database.Book{
	Software: "dujiaoka 2.0", Engines: []database.Engine{database.MySQL}, Prefixed: true,
	Tables: []database.Table{
		{Name: "orders", Columns: []string{"id", "goods_id", "type", "actual_price", "pay_id", "status", "created_at", "updated_at", "deleted_at"},
			Optional: []string{"buy_amount", "order_sn"}},
		{Name: "pays", Columns: []string{"id", "pay_check"}},
		{Name: "goods", Columns: []string{"id", "type", "in_stock", "is_open", "deleted_at"}},
		{Name: "carmis", Columns: []string{"goods_id", "status", "is_loop", "deleted_at"}},
		{Name: "failed_jobs", Columns: []string{"id"}, Missable: true},
	},
}

// Driver reads one book.
type Driver struct {
	*database.DB
	queue *queue // nil: not watched

	mu       sync.Mutex
	payments map[int64]string // pay_check by pays.id; unknown ids too, as "unknown"
}

var (
	_ ledger.Driver  = (*Driver)(nil)
	_ ledger.Worker  = (*Driver)(nil)
	_ ledger.Claimer = (*Driver)(nil)
	_ ledger.Replica = (*Driver)(nil)
)

// Open prepares a driver without connecting. l.DSN is go-sql-driver's
// user:password@tcp(host:3306)/database; a zone of nil is Asia/Shanghai, where
// dujiaoka writes its clock whatever the server's place. l.Queue is the URL of
// the Redis that holds its jobs, as queueForm says; no error quotes it.
func Open(l exporter.Ledger) (*Driver, error) {
	var jobs *queue
	if l.Queue != "" {
		var err error
		if jobs, err = parseQueue(l.Queue); err != nil {
			return nil, fmt.Errorf("dujiaoka: %w", err)
		}
	}
	db, err := database.Open(Book, l)
	if err != nil {
		return nil, fmt.Errorf("dujiaoka: %w", err)
	}
	return &Driver{DB: db, queue: jobs, payments: map[int64]string{}}, nil
}

var number = regexp.MustCompile(`^[A-Z0-9]{16}$`)

// Traits says that payment and delivery are one transaction without a moment.
func (*Driver) Traits() ledger.Traits {
	return ledger.Traits{Moments: exporter.Moments{Paid: rules.BasisUpdated, Delivered: rules.BasisObserved}, Number: number}
}

// Last gives the newest order.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, created_at FROM "+d.Table("orders")+" ORDER BY id DESC LIMIT 1")
}

// At gives the first order whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, created_at FROM "+d.Table("orders")+" WHERE id >= ? ORDER BY id LIMIT 1", id)
}

func (d *Driver) place(ctx context.Context, query string, arguments ...any) (ledger.Place, error) {
	var place ledger.Place
	err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var created sql.NullString
		err := rows.Scan(&place.ID, &created)
		place.Created = d.Moment(created)
		return err
	})
	return place, err
}
