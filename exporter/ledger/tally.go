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

	// What no order is of is a slip of the shop's: a sum must stay finite, and a count go up.
	maxAmount   = 1e12
	maxQuantity = 1e9
	maxRevenue  = 1e300 // that a state file may hold
	maxCount    = 1 << 62
)

// tally holds the counters.
type tally struct {
	orders   map[exporter.OrderCount]uint64
	late     uint64
	items    map[string]uint64
	revenue  map[exporter.Money]float64
	unknown  uint64
	negative uint64 // orders of a time to come
	dropped  uint64 // open orders let go because there were too many

	payments, products, currencies *labels
}

func newTally() tally {
	return tally{
		orders: map[exporter.OrderCount]uint64{}, items: map[string]uint64{}, revenue: map[exporter.Money]float64{},
		payments: newLabels(maxPayments), products: newLabels(maxProducts), currencies: newLabels(maxCurrencies),
	}
}

func (t *tally) count(payment string, event rules.OrderEvent) {
	t.orders[exporter.OrderCount{Payment: t.payments.admit(payment), Event: event}]++
}

// sell counts what a paid order brought and took.
func (t *tally) sell(o exporter.Order) {
	for _, item := range o.Items {
		t.items[t.products.admit(item.Product)] += uint64(min(max(1, item.Quantity), maxQuantity))
	}
	if o.Amount > 0 && o.Amount <= maxAmount {
		t.revenue[exporter.Money{Payment: t.payments.admit(o.Payment), Currency: t.currencies.admit(o.Currency)}] += o.Amount
	}
}

// labels are the values of one label that are in use: so many at most, and the
// rest is "other".
type labels struct {
	list []string
	code map[string]uint16 // from 1, the place in list; 0 is other
	most int
}

func newLabels(most int) *labels { return &labels{code: map[string]uint16{}, most: most} }

// admit gives the value as it may be shown.
func (l *labels) admit(value string) string { return l.value(l.intern(value)) }

// intern gives a short stand-in for a value.
func (l *labels) intern(value string) uint16 {
	value = label(value)
	code, used := l.code[value]
	if !used && len(l.list) < l.most {
		l.list = append(l.list, value)
		code = uint16(len(l.list))
		l.code[value] = code
	}
	return code
}

// value gives what a stand-in stands for.
func (l *labels) value(code uint16) string {
	if code == 0 || int(code) > len(l.list) {
		return other
	}
	return l.list[code-1]
}

// label is a value as a label may hold it: valid UTF-8 of bounded length.
func label(value string) string {
	if len(value) > maxLabel {
		value = value[:maxLabel]
	}
	return strings.ToValidUTF8(value, "")
}
