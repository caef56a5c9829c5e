// Package acgfaka reads the order book of an acg-faka 3 shop on MySQL or MariaDB.
//
// acg-faka pays and delivers in one database transaction, and calls an order
// delivered even where there were no cards to deliver: the buyer then finds an
// apology in their place. So the driver believes the cards and not the status:
// an order of the shop's own automatic goods that fewer cards are linked to than
// were bought ran short of stock. Whether goods are automatic stands with the
// product alone, as it is now.
//
// Its times are wall time of the shop, read as text; the configured zone is
// attached here. The account needs SELECT on the columns of Book alone, which
// keeps card keys, contacts and passwords out of reach even of a mistake. Every
// statement on orders goes by primary key or by the unique order number.
package acgfaka

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// Prefix is that of the tables' names where the owner chose no other.
const Prefix = "acg_"

// Book is what the driver reads.
var Book = database.Book{
	Software: "acg-faka 3", Engines: []database.Engine{database.MySQL}, Prefixed: true,
	Tables: []database.Table{
		{Name: "order", Columns: []string{"id", "amount", "commodity_id", "card_num", "pay_id", "create_time", "pay_time", "status", "delivery_status"},
			Optional: []string{"trade_no"}},
		{Name: "commodity", Columns: []string{"id", "status", "delivery_way", "shared_id", "stock"}},
		{Name: "card", Columns: []string{"commodity_id", "order_id", "status", "purchase_time"}},
		{Name: "pay", Columns: []string{"id", "code", "handle"}},
	},
}

// Driver reads one book.
type Driver struct {
	*database.DB
	products named[product]
	channels named[string] // payments by pay.id
}

var _ ledger.Driver = (*Driver)(nil)

// Open prepares a driver without connecting. l.DSN is go-sql-driver's
// user:password@tcp(host:3306)/database; an empty l.Prefix is the shop's own
// default, [Prefix]; a zone of nil is Asia/Shanghai, which the shop sets its
// clock to whatever the server's place.
func Open(l exporter.Ledger) (*Driver, error) {
	if l.Prefix == "" {
		l.Prefix = Prefix
	}
	db, err := database.Open(Book, l)
	if err != nil {
		return nil, fmt.Errorf("acgfaka: %w", err)
	}
	d := &Driver{DB: db}
	d.products.read, d.channels.read = d.readProducts, d.readChannels
	return d, nil
}

// number is three digits of chance, the second of creation and three more of
// chance: a million numbers a second.
var number = regexp.MustCompile(`^\d{18}$`)

// Traits says that the shop stores the moment of payment, which for automatic
// goods is that of delivery too; when a person delivers, nobody writes down.
// The shop never makes a shortage good by itself, and where its owner does it by
// hand, no cards are linked: hence an end to it.
func (*Driver) Traits() ledger.Traits {
	return ledger.Traits{
		Moments: exporter.Moments{Paid: rules.BasisStored, Delivered: rules.BasisStored},
		Number:  number, Guessable: true, ShortageEnds: 24 * time.Hour,
	}
}

// Last gives the newest order.
func (d *Driver) Last(ctx context.Context) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, create_time FROM "+d.Table("order")+" ORDER BY id DESC LIMIT 1")
}

// At gives the first order whose key is id or greater.
func (d *Driver) At(ctx context.Context, id int64) (ledger.Place, error) {
	return d.place(ctx, "SELECT id, create_time FROM "+d.Table("order")+" WHERE id >= ? ORDER BY id LIMIT 1", id)
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
