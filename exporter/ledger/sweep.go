package ledger

import (
	"context"
	"fmt"
	"time"

	"shopwatch/exporter"
)

// sweepShare is how many times as long as a page took the sweep then rests.
const sweepShare = 10

// Sweep reads one page of the orders that are older than what the cold start
// read, where the ledger wants that, and reports whether there are more. Orders
// in which somebody waits are followed from now on; nothing that happened to
// them before is counted. The next poll stores how far it came.
func (f *Follower) Sweep(ctx context.Context) (more bool, err error) {
	f.polling.Lock()
	from, to := f.state.swept, f.state.older
	f.polling.Unlock()
	if !f.ledger.Sweep || from >= to {
		return false, nil
	}
	err = f.use(func(d Driver) error {
		orders, err := d.After(ctx, from, MaxBatch)
		if err != nil {
			return fmt.Errorf("read old orders after %d: %w", from, err)
		}
		f.polling.Lock()
		defer f.polling.Unlock()
		s := f.state
		if s.swept != from || s.older != to {
			return nil // the book was begun again meanwhile
		}
		r := &round{Follower: f, traits: d.Traits(), now: f.now()}
		r.settle(orders)
		r.keep(func() { r.sweep(orders) })
		more = s.swept < to
		if !more {
			r.logger.Info("all old orders are read", "up_to", to)
		}
		return nil
	})
	return more, err
}

// sweep takes in a page of old orders.
func (r *round) sweep(orders []exporter.Order) {
	s := r.state
	s.swept, s.changed = s.older, true
	for i, o := range orders {
		if o.ID > s.older {
			break
		}
		if s.open[o.ID] == nil {
			r.dig(o)
		}
		if i == MaxBatch-1 {
			s.swept = o.ID
		}
	}
	r.trim(r.most + maxOpenSlack)
}

// sweepOften sweeps a page and says when the next one is due.
func (f *Follower) sweepOften(ctx context.Context) time.Duration {
	began := time.Now() // how long it takes, not when: no business of the given clock
	more, err := f.Sweep(ctx)
	f.told("old orders not read", err)
	if !more {
		return f.ledger.Interval
	}
	return sweepShare * time.Since(began)
}
