// Package exporter holds the nouns of measuring: Service, Reading, State,
// Order, Books. Its children measure; they meet in exporter/app.
//
// The room knows no HTTP, no SQL, no clock and no Prometheus. Nothing here
// imports the telling half: what both halves share is package rules.
package exporter

import (
	"time"

	"shopwatch/rules"
)

// Shop is one card shop: services that are looked at from outside, and
// optionally the books that its software keeps.
type Shop struct {
	ID       string
	Name     rules.Text
	Services []Service
	Ledger   *Ledger // nil: only services are watched
}

// Service is something that buyers or the shop live on, looked at from outside.
type Service struct {
	Shop, ID string
	Name     rules.Text
	Group    rules.Text
	Role     rules.Role
	Position int // order on the page, from 1
	Critical bool
	Public   bool // shown on the public page

	Module  Module
	Targets []string // URL, host:port or whatever the kind looks at; at least one, or "" for a kind without
	Answers int      // how many of the targets must answer well; 0: all
	// Outward services are beyond our own connection to the world: when that is
	// lost, nothing can be said of them.
	Outward bool

	Interval time.Duration // between starts of looks
	Timeout  time.Duration // a look never lasts longer
	Slow     time.Duration // a success that took longer is degraded

	FailureThreshold int      // failed looks in a row until outage, at least 1
	SuccessThreshold int      // good looks in a row until operational again, at least 1
	DependsOn        []string // ids of services of the same shop
}

// Reading is what one look at one service gave.
type Reading struct {
	Shop, Service, Target string
	Start, End            time.Time
	Success               bool
	Reason                rules.Reason // empty on success
	Detail                string       // for the owner's eyes: may hold hosts, never secrets; one line
	Samples               []Sample     // of the look, without shop, service and target
	Phases                []Phase      // in the order in which they came
}

// Phase is a part of a look, such as resolve, connect, tls.
type Phase struct {
	Name string // from a bounded set
	Took time.Duration
}

// Past is what is kept of a look, to answer why a service is red.
type Past struct {
	Target  string
	Start   time.Time
	Took    time.Duration
	Success bool
	Reason  rules.Reason // empty on success
	Detail  string
	Phases  []Phase
}

// Conclusive reports whether the reading says anything about the service:
// a look that our own connectivity spoiled does not.
func (r Reading) Conclusive() bool { return r.Reason != rules.ReasonVantage }

// Sample is one series of a Reading. Values are those of Metric.Labels after
// shop, service and target.
type Sample struct {
	Metric *rules.Metric
	Labels []string
	Value  float64
}

// State is a service as it is judged now.
type State struct {
	Service     Service
	Status      rules.Status
	Affected    bool
	LastLook    time.Time // zero before this process's first conclusive look
	LastSuccess time.Time // zero before the first look ever; seeded at it
	Failures    map[rules.Reason]uint64
	// Readings are the last look at each target, in their order; empty before the first.
	Readings []Reading
}

// MaxProducts is of how many products of a shop the stock is shown.
const MaxProducts = 500

// Ledger says where a shop's books are and how they are read.
type Ledger struct {
	Software string // a driver's name: dujiaoka, dujiaonext, …
	// DSN is the driver's data source name. It holds a password: never print it.
	DSN      string
	Prefix   string         // of the shop's table names
	Zone     *time.Location // of the shop's wall-clock columns
	Interval time.Duration  // between polls
	Late     time.Duration  // the first tier of age: 5 min
	Stuck    time.Duration  // the second: 30 min
	Slow     time.Duration  // an automatic order that waits longer makes delivery degraded
	Lookback time.Duration  // how old the oldest order is that a cold start reads
	Sweep    bool           // orders older than Lookback are read once, slowly, in search of stuck ones
	// Queue is the URL of the Redis that holds the shop's jobs, "" where it isn't
	// watched. It may hold a password: never print it.
	Queue   string
	Queries *Queries // of software sql, nil otherwise
}

// Queries are how an owner tells of books that no driver knows. Each is a part of
// one SELECT: the driver adds the key's range, the order and the limit.
type Queries struct {
	// Orders is "SELECT … FROM …", without WHERE, whose columns have these names:
	// id, state and created; and, where the shop has them, automatic, payment,
	// product, quantity, amount, currency, paid, delivered, updated.
	Orders string
	Key    string // the expression of the integer primary key that Orders gives as id
	Where  string // a condition on all rows; "" for none
	Number string // the expression of a buyer's order number, on which there is an index; "" for none
	Form   string // regular expression that a whole order number matches
	// States says what the shop's values in column state mean, as text.
	States map[string]OrderState
	Stock  string // "SELECT …" whose columns are product and cards; "" for none
}

// OrderState is the one state model for all shop software.
type OrderState string

// The states of an order.
const (
	Unpaid          OrderState = "unpaid"
	Expired         OrderState = "expired"
	PaidAutoWaiting OrderState = "paid_auto_waiting"
	ManualWaiting   OrderState = "manual_waiting"
	ManualWorking   OrderState = "manual_working"
	// Ready is paid, and cards are there: they are bound when the buyer opens the
	// page. Nobody waits, and nothing is handed out yet.
	Ready              OrderState = "ready"
	Delivered          OrderState = "delivered"
	FailedShortOfStock OrderState = "failed_short_of_stock"
	Failed             OrderState = "failed"
	Refunded           OrderState = "refunded"
	UnknownState       OrderState = "unknown"
	// Removed marks a row that the shop deleted, softly or for good.
	Removed OrderState = "removed"
)

// Waiting reports whether a paid buyer waits in this state, and for whom.
// Orders that ran short of cards wait for the machine until somebody refills.
func (s OrderState) Waiting() (rules.Kind, bool) {
	switch s {
	case PaidAutoWaiting, FailedShortOfStock:
		return rules.Automatic, true
	case ManualWaiting, ManualWorking:
		return rules.Manual, true
	}
	return "", false
}

// Final reports whether nothing more is expected of the order.
func (s OrderState) Final() bool {
	switch s {
	case Delivered, Failed, Refunded, Removed:
		return true
	}
	return false
}

// Order is one row of a shop's books, as far as we may read it: never a card
// key, an address or a name.
type Order struct {
	ID        int64 // the table's auto-increment key
	State     OrderState
	Automatic bool
	Payment   string // bounded code of the payment method, "" when none
	Items     []Item // in the shop's order
	Amount    float64
	Currency  string
	Created   time.Time
	Paid      time.Time // zero: not stored, or not yet
	Delivered time.Time // zero: not stored, or not yet
	Updated   time.Time // zero: not stored
}

// Item is a product of an order.
type Item struct {
	Product  string // the product's id
	Quantity int    // at least 1
}

// OpenOrder is an order that isn't final, as the follower remembers it.
type OpenOrder struct {
	ID        int64
	State     OrderState
	Automatic bool
	Payment   string
	Created   time.Time
	Since     time.Time // since when the buyer waits; zero where nobody does
}

// Found is an order that was looked up, with what its number alone doesn't say.
type Found struct {
	Order Order     // the zero Order: there is none
	Since time.Time // since when the buyer waits; zero where nobody does
	Ahead int       // orders of its kind that wait longer
}

// Stock is the unsold cards of one product on sale.
type Stock struct {
	Product string
	Cards   int
	Looped  bool // sold again and again: never runs out
}

// Queue is what lies in a shop's queue of jobs, such as mails to be sent.
type Queue struct {
	Name                     string
	Ready, Delayed, Reserved int
}

// Moments says how the books know when an order was paid and delivered.
type Moments struct{ Paid, Delivered rules.Basis }

// Typical is how long the machine took for the orders that it delivered in the
// last hour: half of them at most P50, nine of ten at most P90.
type Typical struct {
	P50, P90 time.Duration
	Orders   int // that these are of; 0: not known
}

// Books is what the follower knows of a shop's orders now.
type Books struct {
	Shop     string
	Software string
	Moments  Moments
	Up       bool
	Problem  string // why not up, one line without secrets
	// LastSuccess is the moment of which the last good poll tells: when it began,
	// less the lag of a replica. Zero before the first poll; seeded at it where
	// none ever succeeded.
	LastSuccess  time.Time
	Unread       bool // no poll ever succeeded: nothing is known, and LastSuccess is a seed
	PollDuration time.Duration
	Failures     map[rules.LedgerReason]uint64 // polls that failed
	Lag          *time.Duration                // of the replica that is read; nil where it is none, or won't say

	Open         int    // orders that are followed
	Dropped      uint64 // open orders that were let go because there were too many
	Unswept      int64  // keys older than the lookback that were never read
	NegativeAges uint64 // orders paid or created later than they were seen: clocks disagree
	Typical      Typical

	Waiting      map[rules.Kind]map[rules.Age]int
	Oldest       map[rules.Kind]time.Time // only kinds that wait
	ShortOfStock int

	Orders          map[OrderCount]uint64
	Late            uint64
	Items           map[string]uint64 // by product
	Revenue         map[Money]float64
	UnknownStatuses uint64
	Stock           []Stock   // at most MaxProducts, the oldest products
	StockHidden     int       // products on sale beyond those
	StockCounted    time.Time // zero: never
	Queues          []Queue
	FailedJobs      int // -1 where the shop keeps none, or doesn't let us count them

	// Delivery is the service that buyers know as delivery, judged from the
	// waiting automatic orders.
	Delivery rules.Status
}

// OrderCount is the key of shopwatch_orders_total.
type OrderCount struct {
	Payment string
	Event   rules.OrderEvent
}

// Money is the key of shopwatch_order_revenue_total.
type Money struct{ Payment, Currency string }
