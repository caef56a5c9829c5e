package ledger

import (
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	unpaidFresh = 2 * time.Hour    // unpaid orders younger than this are looked at in every poll
	slowLane    = 10 * time.Minute // between looks at older ones
	giveUp      = 24 * time.Hour   // age at which an order that nobody paid is no longer looked at
)

// marks remembers what has been counted of an order: administrators flip
// states to and fro, and each event counts once per order. The values are stored.
type marks uint16

const (
	markPaid marks = 1 << iota
	markDelivered
	markFailed
	markExpired
	markRefunded
	markDeadline
	markLate
	markUnknown
)

// tracked is an order that is not final, as far as the follower must remember it.
type tracked struct {
	State     exporter.OrderState `json:"state"`
	Automatic bool                `json:"automatic,omitzero"`
	Payment   string              `json:"payment,omitzero"`
	Marks     marks               `json:"marks,omitzero"`
	First     time.Time           `json:"first"`            // when the follower first saw it
	Created   time.Time           `json:"created,omitzero"` // as the shop says
	Since     time.Time           `json:"since,omitzero"`   // zero unless the buyer waits

	looked time.Time // the last look; after a restart the last save
	turn   uint64    // of the poll that looked last
}

func (t *tracked) age(now time.Time) time.Duration {
	if t.Created.IsZero() {
		return max(0, now.Sub(t.First))
	}
	return max(0, now.Sub(t.Created))
}

// awaited reports whether the order is of those that a payment may still reach.
func (t *tracked) awaited() bool {
	return (t.State == exporter.Unpaid || t.State == exporter.Expired) && t.Marks&markPaid == 0
}

// fast reports whether the order is looked at in every poll: paid ones while
// they are open, unpaid ones until their deadline is judged and while they are fresh.
func (t *tracked) fast(now time.Time) bool {
	if _, waits := t.State.Waiting(); waits {
		return true
	}
	if t.awaited() && t.Marks&markDeadline == 0 {
		return true
	}
	return t.State == exporter.Unpaid && t.age(now) < unpaidFresh
}

// hopeless reports whether the order need not be looked at any more.
func (t *tracked) hopeless(now time.Time) bool {
	_, waits := t.State.Waiting()
	return !waits && t.age(now) >= giveUp
}

// wait sets since when the buyer waits. The shop's payment moment is best; a
// book that doesn't store it says at most when the row was last touched, which
// is right only until somebody edits it, so the first answer is kept.
func (t *tracked) wait(o exporter.Order, now time.Time) {
	if _, waits := o.State.Waiting(); !waits {
		t.Since = time.Time{}
		return
	}
	switch {
	case !o.Paid.IsZero():
		t.Since = o.Paid.UTC()
	case t.Since.IsZero() && !o.Updated.IsZero():
		t.Since = o.Updated.UTC()
	case t.Since.IsZero():
		t.Since = now
	}
	if t.Since.After(now) {
		t.Since = now
	}
}

// transition is one look at one order: what was known, what is seen now, and
// what follows from the difference.
type transition struct {
	now     time.Time
	before  *tracked // never nil; fresh at first sight
	first   bool     // the first look at this order
	sharp   bool     // the look before was just now: what changed, changed between the two
	awaited bool     // at the look before, a payment was awaited
	order   exporter.Order
}

// passed lists the events that the order's state implies, in the order in which they happen.
func (c transition) passed() []event {
	o := c.order
	_, waits := o.State.Waiting()
	final := o.State.Final()
	done := o.State == exporter.Delivered || final && !o.Delivered.IsZero()
	paid := waits || done || !o.Paid.IsZero() || o.State == exporter.Failed || o.State == exporter.Refunded
	var events []event
	for _, e := range []event{
		{paid, markPaid, rules.OrderPaid},
		{done, markDelivered, rules.OrderDelivered},
		{o.State == exporter.Failed, markFailed, rules.OrderFailed},
		{o.State == exporter.Expired, markExpired, rules.OrderExpired},
		{o.State == exporter.Refunded, markRefunded, rules.OrderRefunded},
	} {
		if e.is && c.before.Marks&e.mark == 0 {
			events = append(events, e)
		}
	}
	return events
}

type event struct {
	is   bool
	mark marks
	name rules.OrderEvent
}

// paidTook is the time from order to payment, and whether it is known: the shop
// stores both moments, or the payment was seen to come.
func (c transition) paidTook() (time.Duration, bool) {
	o := c.order
	switch {
	case o.Payment == "" || o.Created.IsZero(): // nothing had to be paid, or nobody knows since when
		return 0, false
	case !o.Paid.IsZero():
		return max(0, o.Paid.Sub(o.Created)), true
	case c.sharp && c.awaited:
		return max(0, c.seen(o.Created).Sub(o.Created)), true
	}
	return 0, false
}

// deliveryTook is the time from payment to delivery, and whether it is known:
// each of the two moments is stored, or was seen to come.
func (c transition) deliveryTook() (time.Duration, bool) {
	o := c.order
	paid := o.Paid
	switch {
	case !paid.IsZero():
	case !c.before.Since.IsZero():
		paid = c.before.Since
	case c.sharp && c.awaited:
		paid = c.now
	default:
		return 0, false
	}
	delivered := o.Delivered
	switch {
	case !delivered.IsZero():
	case c.sharp:
		delivered = c.seen(paid)
	default:
		return 0, false
	}
	return max(0, delivered.Sub(paid)), true
}

// seen is when a change happened that was just seen: when the shop touched the
// row if that makes sense, else now.
func (c transition) seen(after time.Time) time.Time {
	if u := c.order.Updated; u.After(after) && !u.After(c.now) {
		return u
	}
	return c.now
}
