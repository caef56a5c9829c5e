package ledger

import (
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// transition is one look at one order: what was known, what is seen now, and
// what follows from the difference.
type transition struct {
	now     time.Time
	before  *tracked // never nil; fresh at first sight
	first   bool     // the first look at this order
	sharp   bool     // the look before was just now: what changed, changed between the two
	awaited bool     // at the look before, a payment was awaited
	untimed bool     // how long the delivery took says nothing about the machine
	order   exporter.Order
}

// passed lists the events that the order's state implies, in the order in which they happen.
func (c transition) passed() []event {
	o := c.order
	_, waits := o.State.Waiting()
	final := o.State.Final()
	done := o.State == exporter.Delivered || final && !o.Delivered.IsZero()
	paid := waits || done || o.State == exporter.Ready || !o.Paid.IsZero() || o.State == exporter.Failed || o.State == exporter.Refunded
	var events []event
	for _, e := range []event{
		{paid, markPaid, rules.OrderPaid},
		{done, markDelivered, rules.OrderDelivered},
		{o.State == exporter.Failed, markFailed, rules.OrderFailed},
		{o.State == exporter.Expired, markExpired, rules.OrderExpired},
		{o.State == exporter.Refunded, markRefunded, rules.OrderRefunded},
	} {
		if e.is && c.before.marks&e.mark == 0 {
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

// deliveryTook is the time from payment to delivery, when that was, and whether it is known:
// each of the two moments is stored, or was seen to come.
func (c transition) deliveryTook() (took time.Duration, delivered moment, known bool) {
	o := c.order
	paid := o.Paid
	switch {
	case c.untimed:
		return 0, 0, false
	case !paid.IsZero():
	case c.before.since != 0:
		paid = c.before.since.time()
	case c.sharp && c.awaited:
		paid = c.now
	default:
		return 0, 0, false
	}
	end := o.Delivered
	switch {
	case !end.IsZero():
	case c.sharp:
		end = c.seen(paid)
	default:
		return 0, 0, false
	}
	return max(0, end.Sub(paid)), at(end), true
}

// seen is when a change happened that was just seen: when the shop touched the
// row if that makes sense, else now.
func (c transition) seen(after time.Time) time.Time {
	if u := c.order.Updated; u.After(after) && !u.After(c.now) {
		return u
	}
	return c.now
}
