package ledger

import (
	"context"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// round is one poll on its way.
type round struct {
	*Follower
	traits Traits
	// now is the moment of which the book tells: ours when the poll began, less the
	// lag of a replica.
	now    time.Time
	seen   time.Time      // when the last answer came, by our clock
	since  time.Time      // of a cold start: older orders are not counted
	newest exporter.Order // of those that the delta gave
	timely bool           // the poll before was just now, so an order that is new to us is new
}

// round reads the book in the order in which later steps rely on earlier ones,
// and gives the moment of which it tells.
func (f *Follower) round(ctx context.Context, began time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	f.turn++
	r := &round{Follower: f, traits: f.driver.Traits(), now: began, seen: began, timely: f.just(f.state.success, began)}
	err := r.follow(ctx)
	return r.now, err
}

func (r *round) follow(ctx context.Context) error {
	if err := r.admit(ctx); err != nil {
		return err
	}
	if !r.state.started {
		if _, err := r.coldStart(ctx); err != nil {
			return err
		}
	}
	if err := r.delta(ctx); err != nil {
		return err
	}
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := r.recheck(ctx); err != nil {
		return err
	}
	r.keep(func() {
		r.judge()
		r.trim(r.most)
	})
	r.overfull = len(r.state.open) >= r.most
	return r.arrivals.misdated(r.newest, r.seen)
}

// just reports whether a look at that moment was the one before this.
func (f *Follower) just(then, now time.Time) bool {
	return !then.IsZero() && now.Sub(then).Abs() <= 3*f.ledger.Interval
}

// keep changes what is remembered, which look-ups read meanwhile.
func (f *Follower) keep(change func()) {
	f.memory.Lock()
	defer f.memory.Unlock()
	change()
}

// judge counts what time alone has brought to the open orders, and gives up on
// those of which nothing more is expected.
func (r *round) judge() {
	s := r.state
	for id, t := range s.open {
		if t.awaited() && t.marks&markDeadline == 0 && t.age(r.now) >= r.deadline {
			t.marks |= markDeadline
			s.changed = true
			s.count(s.payments.value(t.payment), rules.OrderUnpaidAtDeadline)
		}
		kind, waits := t.state().Waiting()
		if waits && kind == rules.Automatic && t.marks&markLate == 0 && t.since.ago(r.now) >= r.ledger.Late {
			t.marks |= markLate
			s.changed = true
			s.late++
		}
		ended := r.ended(t.state(), t.since)
		if ended {
			t.marks |= markFailed
			s.count(s.payments.value(t.payment), rules.OrderFailed)
		}
		if ended || t.hopeless(r.now, r.ledger.Lookback) {
			delete(s.open, id)
			s.changed = true
		}
	}
}

// ended reports whether an order ran short of cards so long ago that somebody
// must have made it good, in a shop that doesn't learn of that.
func (r *round) ended(state exporter.OrderState, since moment) bool {
	ends := r.traits.ShortageEnds
	return ends > 0 && state == exporter.FailedShortOfStock && since != 0 && since.ago(r.now) >= ends
}

// trim lets go of open orders beyond a limit. That is told once as long as it lasts.
func (r *round) trim(most int) {
	gone := r.state.trim(most)
	if gone > 0 && !r.overfull {
		r.logger.Warn("too many open orders: some are no longer followed", "dropped", gone, "limit", r.most)
		r.overfull = true
	}
}
