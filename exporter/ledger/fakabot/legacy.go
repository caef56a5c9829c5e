package fakabot

import (
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// LegacyBook is what the driver reads of the bot of old. Later versions of it
// sell a product in tiers, each of which may be delivered in another way.
var LegacyBook = database.Book{
	Software: "fakabot (the bot of old)", Engines: []database.Engine{database.SQLite},
	Tables: []database.Table{
		{Name: "orders", Columns: []string{"id", "product_id", "amount", "payment_method", "status", "create_time"}, Optional: []string{"out_trade_no", "tier_id"}},
		{Name: "products", Columns: []string{"id", "deliver_type", "status"}},
		{Name: "card_keys", Columns: []string{"product_id", "used_by_order_id", "used_time"}, Optional: []string{"tier_id"}},
		{Name: "product_tiers", Columns: []string{"id", "product_id", "deliver_type", "status"}, Missable: true},
	},
}

// legacy is the generation on SQLite. It stores when a card was handed out, and
// not when anything was paid.
type legacy struct{}

var legacyNumber = regexp.MustCompile(`^[0-9A-Z]{6}-\d{5}$`)

func (legacy) traits() ledger.Traits {
	return ledger.Traits{Moments: exporter.Moments{Paid: rules.BasisObserved, Delivered: rules.BasisStored}, Number: legacyNumber}
}

func (legacy) created(*database.DB) string { return "o.create_time" }

func (legacy) place(_ *database.DB, rows *sql.Rows) (ledger.Place, error) {
	var place ledger.Place
	var created sql.NullInt64
	err := rows.Scan(&place.ID, &created)
	place.Created = database.Unix(created)
	return place, err
}

// tiered reports whether the bot sells tiers: then it delivers as an order's
// tier says, and hands out that tier's cards alone.
func (legacy) tiered(d *database.DB) bool {
	return d.Has("product_tiers", "") && d.Has("orders", "tier_id") && d.Has("card_keys", "tier_id")
}

// statement looks for the cards of an order by its product, since there is no
// index on the order alone.
func (l legacy) statement(d *database.DB, which string) string {
	kind, tier, ofTier := "p.deliver_type", "", ""
	if l.tiered(d) {
		kind, ofTier = "COALESCE(t.deliver_type, p.deliver_type)", " AND k.tier_id = o.tier_id"
		tier = " LEFT JOIN " + d.Table("product_tiers") + " t ON t.id = o.tier_id"
	}
	return `SELECT o.id, o.status, o.product_id, o.amount, o.payment_method, o.create_time, p.id IS NOT NULL, ` + kind + `,
	(SELECT MAX(k.used_time) FROM ` + d.Table("card_keys") + ` k WHERE k.product_id = o.product_id AND k.used_by_order_id = o.id),
	EXISTS (SELECT 1 FROM ` + d.Table("card_keys") + ` k WHERE k.product_id = o.product_id AND k.used_by_order_id IS NULL` + ofTier + `)
FROM ` + d.Table("orders") + " o LEFT JOIN " + d.Table("products") + " p ON p.id = o.product_id" + tier + " WHERE " + which
}

func (l legacy) scan(_ *database.DB, rows *sql.Rows) (exporter.Order, error) {
	// Prices are in yuan, and what is paid in USDT is converted by the gateway.
	o := exporter.Order{Currency: "CNY"}
	var product int64
	var there, left bool
	var amount sql.NullFloat64
	var created, used sql.NullInt64
	var status, kind, payment sql.NullString
	err := rows.Scan(&o.ID, &status, &product, &amount, &payment, &created, &there, &kind, &used, &left)
	o.Amount, o.Payment = amount.Float64, payment.String
	o.Created, o.Delivered = database.Unix(created), database.Unix(used)
	o.Items = []exporter.Item{{Product: strconv.FormatInt(product, 10), Quantity: 1}}
	how := strings.ToLower(strings.TrimSpace(kind.String))
	o.Automatic = how == cards || how == "card_fixed"
	o.State = l.state(status.String)
	if o.State == exporter.PaidAutoWaiting {
		switch {
		case !there: // the bot tells its owner, who is to see to it
			o.State = exporter.ManualWaiting
		case !o.Automatic: // the buyer was invited, and hasn't come in yet
			o.State = exporter.Ready
		case how == cards && !left && !used.Valid:
			o.State = exporter.FailedShortOfStock
		}
	}
	return o, err
}

// state is the one state model's word for orders.status of card goods.
func (legacy) state(status string) exporter.OrderState {
	switch status {
	case "pending":
		return exporter.Unpaid
	case "paid":
		return exporter.PaidAutoWaiting
	case "completed":
		return exporter.Delivered
	case "cancelled":
		return exporter.Expired
	}
	return exporter.UnknownState
}

// shelf calls a product one of cards if any way to buy it is.
func (l legacy) shelf(d *database.DB, most int) string {
	kind := "LOWER(TRIM(p.deliver_type))"
	if l.tiered(d) {
		kind = fmt.Sprintf("CASE WHEN EXISTS (SELECT 1 FROM %s t WHERE t.product_id = p.id AND t.status = 'on' AND LOWER(TRIM(t.deliver_type)) = '%s') THEN '%[2]s' ELSE %s END",
			d.Table("product_tiers"), cards, kind)
	}
	return fmt.Sprintf(`SELECT id, kind, CASE kind WHEN '%s' THEN unsold ELSE 0 END FROM (
	SELECT p.id, %s AS kind, (SELECT COUNT(*) FROM %s k WHERE k.product_id = p.id AND k.used_by_order_id IS NULL) AS unsold
	FROM %s p WHERE p.status = 'on' ORDER BY p.id LIMIT %d) ORDER BY id`, cards, kind, d.Table("card_keys"), d.Table("products"), most)
}
