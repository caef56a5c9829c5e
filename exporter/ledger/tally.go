package ledger

import (
	"strings"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// A shop's tables are outside input: what becomes a label is bounded.
const (
	maxPayments   = 100
	maxProducts   = 1000
	maxCurrencies = 20
	maxLabel      = 64 // bytes of one value
	other         = "other"
)

// tally holds the counters.
type tally struct {
	orders  map[exporter.OrderCount]uint64
	late    uint64
	items   map[string]uint64
	revenue map[exporter.Money]float64
	unknown uint64

	payments, products, currencies map[string]bool // the values in use
}

func newTally() tally {
	return tally{
		orders: map[exporter.OrderCount]uint64{}, items: map[string]uint64{}, revenue: map[exporter.Money]float64{},
		payments: map[string]bool{}, products: map[string]bool{}, currencies: map[string]bool{},
	}
}

func (t *tally) count(payment string, event rules.OrderEvent) {
	t.orders[exporter.OrderCount{Payment: bounded(t.payments, payment, maxPayments), Event: event}]++
}

// sell counts what a paid order brought and took.
func (t *tally) sell(o exporter.Order) {
	for _, item := range o.Items {
		t.items[bounded(t.products, item.Product, maxProducts)] += uint64(max(1, item.Quantity))
	}
	if o.Amount > 0 {
		t.revenue[exporter.Money{
			Payment:  bounded(t.payments, o.Payment, maxPayments),
			Currency: bounded(t.currencies, o.Currency, maxCurrencies),
		}] += o.Amount
	}
}

// bounded admits a value to the set of those in use, or folds it into "other" when the set is full.
func bounded(used map[string]bool, value string, most int) string {
	value = label(value)
	if !used[value] {
		if len(used) >= most {
			return other
		}
		used[value] = true
	}
	return value
}

// label is a value as a label may hold it: valid UTF-8 of bounded length.
func label(value string) string {
	if len(value) > maxLabel {
		value = value[:maxLabel]
	}
	return strings.ToValidUTF8(value, "")
}
