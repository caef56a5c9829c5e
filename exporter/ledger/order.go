package ledger

import (
	"slices"
	"time"

	"shopwatch/exporter"
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
	markAhead
	markReady // its goods once waited for the buyer: a wait since isn't one since the payment
	markVague // nobody knows when it was paid: since is a guess, and no duration can be told from it
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
	since   moment // since when the buyer waits, or the goods wait for the buyer; else 0
	looked  moment // the last look; after a restart the last that was saved
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

// wait sets since when the buyer waits. The shop's payment moment is best; a
// book that doesn't store it says at most when the row was last touched, which
// is right only until somebody edits it, so the first answer is kept. A book that
// says nothing at all leaves the moment at which the payment was watched, or
// else the guess. Where goods were ready, and then no more, the wait begins when
// that was seen.
func (t *tracked) wait(o exporter.Order, now time.Time, watched bool, guess moment) {
	_, waited := t.state().Waiting()
	_, waits := o.State.Waiting()
	ready := o.State == exporter.Ready
	switch {
	case !waits && !ready:
		t.since = 0
	case waits && t.marks&markReady != 0:
		if !waited {
			t.since = at(now)
		}
	case !o.Paid.IsZero():
		t.since = at(o.Paid)
	case t.since == 0 && !o.Updated.IsZero():
		t.since = at(o.Updated)
	case t.since == 0 && watched:
		t.since = at(now)
	case t.since == 0:
		t.since = guess
		t.marks |= markVague
	}
	if ready {
		t.marks |= markReady
	}
}
