// Package zfaka reads the order book of a zfaka 1.4 shop on MySQL or MariaDB.
//
// zfaka has no transactions: it first writes that an order is paid, then takes
// the cards, then writes that it is completed. What breaks in between leaves an
// order that is paid for ever, which is a queue like any other here. Whether the
// machine or a person has to deliver it stands with the product alone, as it is
// now.
//
// No table has an index besides its primary key, so an order number is looked
// for by the second that it holds: see Find. The account needs SELECT on the
// columns of Book alone, which keeps card keys, contacts and passwords out of
// reach even of a mistake. Every statement on orders goes by primary key.
package zfaka

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

// Prefix is that of the tables' names where the owner chose no other.
const Prefix = "t_"

// Book is what the driver reads.
var Book = database.Book{
	Software: "zfaka 1.4", Engines: []database.Engine{database.MySQL}, Prefixed: true,
	Tables: []database.Table{
		{Name: "order", Columns: []string{"id", "pid", "number", "money", "status", "addtime", "paytime", "paymethod", "isdelete"},
			Optional: []string{"orderid", "paymoney"}},
		{Name: "products", Columns: []string{"id", "auto", "active", "stockcontrol", "qty", "isdelete"}},
		{Name: "products_card", Columns: []string{"pid", "active", "isdelete"}},
	},
}

// Driver reads one book.
type Driver struct {
	*database.DB

	mu       sync.Mutex
	products map[int64]kind // by products.id, of those that an order named
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver without connecting. l.DSN is go-sql-driver's
// user:password@tcp(host:3306)/database; an empty l.Prefix is the shop's own
// default, [Prefix]; a zone of nil is Asia/Shanghai. The shop stores unix
// seconds: only its order numbers hold the clock of that zone.
func Open(l exporter.Ledger) (*Driver, error) {
	if l.Prefix == "" {
		l.Prefix = Prefix
	}
	db, err := database.Open(Book, l)
	if err != nil {
		return nil, fmt.Errorf("zfaka: %w", err)
	}
	return &Driver{DB: db, products: map[int64]kind{}}, nil
}

// number is the owner's prefix, the second of creation and five digits of
// chance that begin with 10000: ninety thousand numbers a second.
var number = regexp.MustCompile(`^[A-Za-z0-9]{0,20}\d{19}$`)

// Traits says that the shop stores the moment of payment, and of delivery none.
func (*Driver) Traits() ledger.Traits {
	return ledger.Traits{
		Moments: exporter.Moments{Paid: rules.BasisStored, Delivered: rules.BasisObserved},
		Number:  number, Guessable: true,
	}
}

// Last gives the newest order.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, addtime FROM "+d.Table("order")+" ORDER BY id DESC LIMIT 1")
}

// At gives the first order whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, addtime FROM "+d.Table("order")+" WHERE id >= ? ORDER BY id LIMIT 1", id)
}

func (d *Driver) place(ctx context.Context, query string, arguments ...any) (place ledger.Place, err error) {
	err = d.places(ctx, query, arguments, func(p ledger.Place) { place = p })
	return place, err
}

func (d *Driver) places(ctx context.Context, query string, arguments []any, add func(ledger.Place)) error {
	return d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
		var place ledger.Place
		var created sql.NullInt64
		if err := rows.Scan(&place.ID, &created); err != nil {
			return err
		}
		place.Created = database.Unix(created)
		add(place)
		return nil
	})
}
