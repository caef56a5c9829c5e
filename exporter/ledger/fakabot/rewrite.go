package fakabot

import (
	"database/sql"
	"fmt"
	"regexp"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// Book is what the driver reads of the rewrite.
var Book = database.Book{
	Software: "fakabot (the rewrite)", Engines: []database.Engine{database.PostgreSQL}, Keyed: true,
	Tables: []database.Table{
		{Name: "orders", Columns: []string{"id", "source_type", "self_product_id", "amount", "currency", "payment_provider", "status",
			"paid_at", "delivered_at", "created_at", "updated_at"}, Optional: []string{"out_trade_no"}},
		{Name: "payments", Columns: []string{"id", "order_id", "provider", "status"}},
		{Name: "products", Columns: []string{"id", "tenant_id", "delivery_type", "status"}, Optional: []string{"external_source", "external_id"}},
		{Name: "inventory_items", Columns: []string{"tenant_id", "product_id", "status"}},
	},
}

// rewrite is the generation on PostgreSQL. All that it sells the machine
// delivers, and a card is put aside when its order is made.
type rewrite struct{}

// rewriteNumber is the number of an order, and of a tenant's own subscription.
var rewriteNumber = regexp.MustCompile(`^(ORD|SUB)[A-Za-z0-9_-]{1,24}$`)

func (rewrite) traits() ledger.Traits {
	return ledger.Traits{Moments: exporter.Moments{Paid: rules.BasisStored, Delivered: rules.BasisStored}, Number: rewriteNumber}
}

func (rewrite) created(d *database.DB) string { return d.Instant("o.created_at") }

func (rewrite) place(d *database.DB, rows *sql.Rows) (ledger.Place, error) {
	var place ledger.Place
	var created sql.NullString
	err := rows.Scan(&place.ID, &created)
	place.Created = d.Moment(created)
	return place, err
}

// statement takes the way of payment from the order, and for one that names none
// from its payments: the one that was paid, else the last that was begun.
func (rewrite) statement(d *database.DB, which string) string {
	return `SELECT o.id, o.status, o.source_type, o.self_product_id, o.amount, o.currency,
	COALESCE(o.payment_provider, (SELECT y.provider FROM ` + d.Table("payments") + ` y WHERE y.order_id = o.id
		ORDER BY y.status = 'paid' DESC, y.id DESC LIMIT 1)),
	` + d.Instant("o.paid_at") + ", " + d.Instant("o.delivered_at") + ", " + d.Instant("o.created_at") + ", " + d.Instant("o.updated_at") + `
FROM ` + d.Table("orders") + " o WHERE " + which
}

func (r rewrite) scan(d *database.DB, rows *sql.Rows) (exporter.Order, error) {
	o := exporter.Order{Automatic: true}
	var status, source string
	var product sql.NullInt64
	var amount sql.NullFloat64
	var payment, paid, delivered, created, updated sql.NullString
	err := rows.Scan(&o.ID, &status, &source, &product, &amount, &o.Currency, &payment, &paid, &delivered, &created, &updated)
	o.State, o.Amount, o.Payment = r.state(status), amount.Float64, payment.String
	o.Paid, o.Delivered, o.Created, o.Updated = d.Moment(paid), d.Moment(delivered), d.Moment(created), d.Moment(updated)
	what := source // "subscription": what a tenant pays for the bot itself
	if product.Valid {
		what = strconv.FormatInt(product.Int64, 10)
	}
	o.Items = []exporter.Item{{Product: what, Quantity: 1}}
	return o, err
}

// state is the one state model's word for orders.status.
func (rewrite) state(status string) exporter.OrderState {
	switch status {
	case "pending":
		return exporter.Unpaid
	case "paid":
		return exporter.PaidAutoWaiting
	case "delivered", "completed": // completed: a subscription
		return exporter.Delivered
	case "expired", "cancelled":
		return exporter.Expired
	case "refunded", "partially_refunded":
		return exporter.Refunded
	}
	return exporter.UnknownState
}

// shelf leaves out what a supplier delivers, whose stock isn't in this database.
func (rewrite) shelf(d *database.DB, most int) string {
	own := ""
	if d.Has("products", "external_source") && d.Has("products", "external_id") {
		own = " AND (COALESCE(p.external_source, '') = '' OR COALESCE(p.external_id, '') = '' OR p.delivery_type NOT IN ('card_pool', 'card_fixed'))"
	}
	// In this generation each buyer of card_fixed gets a card of the inventory too.
	return fmt.Sprintf(`SELECT p.id, CASE p.delivery_type WHEN 'card_fixed' THEN '%s' ELSE p.delivery_type END,
	CASE WHEN p.delivery_type IN ('card_pool', 'card_fixed') THEN (SELECT COUNT(*) FROM %s i
		WHERE i.tenant_id = p.tenant_id AND i.product_id = p.id AND i.status = 'available') ELSE 0 END
FROM %s p WHERE p.status = 'on'%s ORDER BY p.id LIMIT %d`, cards, d.Table("inventory_items"), d.Table("products"), own, most)
}
