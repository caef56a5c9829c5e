package ledger

import (
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	unpaidFresh = 2 * time.Hour    // unpaid orders younger than this are looked at in every poll
	slowLane    = 10 * time.Minute // between looks at older ones
	giveUp      = 24 * time.Hour   // age at which an order that nobody paid is no longer looked at
	// With more fresh unpaid orders than this, each is looked at when its age has
	// grown by a quarter: most buyers pay in the first minutes, if at all. At 500
	// new orders a second, of which a third is never paid, that makes 35,000 looks a
	// poll of 15 s, instead of all hundred thousand.
	crowd = 5000
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

// moment is a time to the millisecond, in Unix milliseconds; 0 is none. It takes
// a third of the space of a time.Time.
type moment int64

func at(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return moment(t.UnixMilli())
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// ago is how long before now it was, below 0 if it is to come.
func (m moment) ago(now time.Time) time.Duration { return now.Sub(m.time()) }

// states are the states by their code. The order may change: what is stored
// says which it used.
var states = []exporter.OrderState{
	exporter.Unpaid, exporter.Expired, exporter.PaidAutoWaiting, exporter.ManualWaiting, exporter.ManualWorking, exporter.Ready,
	exporter.Delivered, exporter.FailedShortOfStock, exporter.Failed, exporter.Refunded, exporter.UnknownState, exporter.Removed,
}

func codeOf(state exporter.OrderState) uint8 {
	return uint8(max(slices.Index(states, state), 0))
}

// tracked is an order that is not final, as far as the follower must remember
// it. There may be a hundred thousand, so it is small.
type tracked struct {
	first   moment // when the follower first saw it
	created moment // as the shop says
	since   moment // 0 unless the buyer waits
	looked  moment // the last look; after a restart the last save
	turn    uint32 // of the poll that looked last
	payment uint16 // of tally.payments
	marks   marks
	code    uint8 // of its state

	automatic bool
}

func (t *tracked) state() exporter.OrderState { return states[t.code] }

func (t *tracked) age(now time.Time) time.Duration {
	if t.created == 0 {
		return max(0, t.first.ago(now))
	}
	return max(0, t.created.ago(now))
}

// awaited reports whether the order is of those that a payment may still reach.
func (t *tracked) awaited() bool {
	state := t.state()
	return (state == exporter.Unpaid || state == exporter.Expired) && t.marks&markPaid == 0
}

// fast reports whether the order is looked at in every poll: paid ones while
// they are open, unpaid ones until their deadline is judged and while they are fresh.
func (t *tracked) fast(now time.Time) bool {
	if _, waits := t.state().Waiting(); waits {
		return true
	}
	if t.awaited() && t.marks&markDeadline == 0 {
		return true
	}
	return t.state() == exporter.Unpaid && t.age(now) < unpaidFresh
}

// due reports whether the order is to be looked at now.
func (t *tracked) due(now time.Time, deadline time.Duration, crowded bool) bool {
	since := t.looked.ago(now)
	if since < 0 {
		return true // a clock was set back
	}
	_, waits := t.state().Waiting()
	switch {
	case waits:
		return true
	case !t.fast(now):
		return since >= slowLane
	case t.awaited() && t.marks&markDeadline == 0 && t.age(now) >= deadline:
		return true // it is judged now
	}
	return !crowded || since >= min(slowLane, t.age(now)/4)
}

// hopeless reports whether the order need not be looked at any more.
func (t *tracked) hopeless(now time.Time) bool {
	_, waits := t.state().Waiting()
	return !waits && t.age(now) >= giveUp
}

// wait sets since when the buyer waits. The shop's payment moment is best; a
// book that doesn't store it says at most when the row was last touched, which
// is right only until somebody edits it, so the first answer is kept.
func (t *tracked) wait(o exporter.Order, now time.Time) {
	if _, waits := o.State.Waiting(); !waits {
		t.since = 0
		return
	}
	switch {
	case !o.Paid.IsZero():
		t.since = at(o.Paid)
	case t.since == 0 && !o.Updated.IsZero():
		t.since = at(o.Updated)
	case t.since == 0:
		t.since = at(now)
	}
	t.since = min(t.since, at(now))
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

// deliveryTook is the time from payment to delivery, and whether it is known:
// each of the two moments is stored, or was seen to come.
func (c transition) deliveryTook() (time.Duration, bool) {
	o := c.order
	paid := o.Paid
	switch {
	case !paid.IsZero():
	case c.before.since != 0:
		paid = c.before.since.time()
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
