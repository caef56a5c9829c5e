// Package kamifaka reads the order book of a kamiFaka 1.x shop on SQLite, MySQL,
// MariaDB or PostgreSQL.
//
// kamiFaka keeps two tables without an index beside their keys: temporder, every
// attempt to buy, and order, what was handed out, written in a second step after
// the payment. The two share a number that the web page chose. The driver makes
// one exporter.Order of each attempt, under the attempt's key, and keeps in
// memory which numbers got something: see handouts. An attempt that is paid and
// got nothing is what the shop lost between the two steps, and waits.
//
// The shop deletes attempts that are older than five days; one that still waits
// then is removed. Orders of its Telegram bot are no attempts, and stay unseen.
// Manual products look delivered at once, because the shop has no mark for what
// a person did.
//
// An owner settles an order that ran out of stock by deleting its row of table
// order. Deleting those of delivered ones makes their attempts look lost to an
// exporter that starts without its state.
//
// The account needs SELECT on the columns of Book alone, which keeps card keys
// and contacts out of reach even of a mistake.
package kamifaka

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"sync"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// The tables of the two steps.
const (
	attempts = "temporder"
	handed   = "order"
)

// Book is what the driver reads.
var Book = database.Book{
	Software: "kamiFaka 1.x", Engines: []database.Engine{database.SQLite, database.MySQL, database.PostgreSQL},
	Tables: []database.Table{
		{Name: attempts, Columns: []string{"id", "out_order_id", "name", "payment", "num", "total_price", "status", "auto", "updatetime"}},
		{Name: handed, Columns: []string{"id", "out_order_id", "status", "updatetime"}},
		{Name: "prod_info", Columns: []string{"id", "name", "auto", "isactive"}},
		{Name: "card", Columns: []string{"prod_name", "reuse", "isused"}},
	},
}

// Driver reads one book.
type Driver struct {
	*database.DB
	handouts handouts

	mu       sync.Mutex
	products map[string]string // id by name; of names that aren't there too
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver without connecting. l.DSN is the path of the shop's
// SQLite file, or as database.Open wants it. A zone of nil is Asia/Shanghai: the
// shop adds eight hours to UTC, wherever it is.
func Open(l exporter.Ledger) (*Driver, error) {
	db, err := database.Open(Book, l)
	if err != nil {
		return nil, fmt.Errorf("kamifaka: %w", err)
	}
	return &Driver{DB: db, handouts: newHandouts(), products: map[string]string{}}, nil
}

// number is what the shop's page makes: the browser's clock in milliseconds and
// eight digits of a random number to base 36. The shop itself checks the length alone.
var number = regexp.MustCompile(`^Order_\d{13}[0-9a-z.]{8}$`)

// Traits says that the shop stores when it handed something out, and no payment.
func (*Driver) Traits() ledger.Traits {
	return ledger.Traits{Moments: exporter.Moments{Paid: rules.BasisObserved, Delivered: rules.BasisStored}, Number: number}
}

// Last gives the newest attempt.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) { return d.last(ctx, attempts) }

// At gives the first attempt whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.at(ctx, attempts, id)
}

func (d *Driver) last(ctx context.Context, table string) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, "+d.Wall("updatetime")+" FROM "+d.Table(table)+" ORDER BY id DESC LIMIT 1")
}

func (d *Driver) at(ctx context.Context, table string, id int64) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, "+d.Wall("updatetime")+" FROM "+d.Table(table)+" WHERE id >= ? ORDER BY id LIMIT 1", id)
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

// since gives the smallest key from which on the rows of a table are of since or
// later, by bisecting the key. It is above all keys where there are none.
func (d *Driver) since(ctx context.Context, table string, since time.Time) (int64, error) {
	last, err := d.last(ctx, table)
	if err != nil || last.ID == 0 || last.Created.Before(since) {
		return last.ID + 1, err
	}
	// Every row up to and with key older is too old, every row from key young on is not.
	older, young := int64(0), last.ID
	for older+1 < young {
		middle := older + (young-older)/2
		place, err := d.at(ctx, table, middle)
		if err != nil {
			return 0, err
		}
		if place.ID == 0 || place.ID >= young || !place.Created.Before(since) {
			young = middle
		} else {
			older = place.ID
		}
	}
	return young, nil
}

// flag reads a boolean column as 0, 1 or NULL from every engine.
func flag(column string) string {
	return "CASE WHEN " + column + " THEN 1 WHEN NOT " + column + " THEN 0 END"
}
