package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"shopwatch/exporter"
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
	// With more orders that wait than this, those that are late already are looked
	// at in turns, each once in a fifth of the time that makes an order late: five
	// hundred that nobody hands out would else be most of what following costs.
	patience = 300
)

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

// hopeless reports whether the order need not be looked at any more: nobody paid
// it in a day, or nobody fetched the goods in all the time that we look back.
func (t *tracked) hopeless(now time.Time, lookback time.Duration) bool {
	if t.state() == exporter.Ready {
		return t.since.ago(now) >= lookback
	}
	_, waits := t.state().Waiting()
	return !waits && t.age(now) >= giveUp
}

// turns is the time between looks at an order that is late where many are.
func (f *Follower) turns() time.Duration { return f.ledger.Late / 5 }

// itsTurn reports whether this is the poll in which an order is looked at that
// is late among many. All others are always.
func (r *round) itsTurn(id int64, t *tracked) bool {
	polls := uint64(r.turns() / r.ledger.Interval)
	if _, waits := t.state().Waiting(); !waits || polls < 2 || t.since.ago(r.now) < r.ledger.Late || t.looked.ago(r.now) >= r.turns() {
		return true
	}
	// Keys may go up in steps: their neighbourhood must not decide.
	return (uint64(r.turn)+uint64(id)*0x9E3779B97F4A7C15>>40)%polls == 0
}

// recheck looks at the open orders that the delta didn't show and that are due.
func (r *round) recheck(ctx context.Context) error {
	fresh, waiting := 0, 0
	for _, t := range r.state.open {
		switch _, waits := t.state().Waiting(); {
		case waits:
			waiting++
		case t.fast(r.now):
			fresh++
		}
	}
	var ids []int64
	for id, t := range r.state.open {
		if t.turn != r.turn && t.due(r.now, r.deadline, fresh > crowd) && (waiting <= patience || r.itsTurn(id, t)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for batch := range slices.Chunk(ids, MaxBatch) {
		orders, err := r.driver.ByID(ctx, batch)
		if err != nil {
			return fmt.Errorf("read %d open orders again: %w", len(batch), err)
		}
		r.settle(orders)
		r.keep(func() { r.compare(batch, orders) })
	}
	return nil
}

// compare takes in the orders that a batch of open ones gave. Those that aren't
// there any more were deleted.
func (r *round) compare(batch []int64, orders []exporter.Order) {
	there := make(map[int64]bool, len(orders))
	for _, o := range orders {
		there[o.ID] = true
		if t, open := r.state.open[o.ID]; open {
			r.again(t, o)
		}
	}
	for _, id := range batch {
		if !there[id] {
			r.again(r.state.open[id], exporter.Order{ID: id, State: exporter.Removed})
		}
	}
}
