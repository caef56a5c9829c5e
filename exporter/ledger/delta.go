package ledger

import (
	"context"
	"fmt"
	"time"

	"shopwatch/exporter"
)

// delta reads what is new page by page, resting after each page as long as it
// took. It begins with the newest order that is known, whose row tells whether
// the book is still the same.
func (r *round) delta(ctx context.Context) error {
	s := r.state
	known := s.tail + 1
	for from := s.tail; ; {
		began := time.Now() // a duration of rest, not a moment: no business of the given clock
		orders, err := r.driver.After(ctx, from, MaxBatch)
		took := time.Since(began)
		if err != nil {
			return fmt.Errorf("read orders after %d: %w", from, err)
		}
		r.settle(orders)
		if back, err := r.turnedBack(ctx, orders); err != nil || back {
			if err != nil {
				return err
			}
			return r.startAgain(ctx)
		}
		r.keep(func() {
			for _, o := range orders {
				r.arrive(o, known)
				from = o.ID
				r.newest = o
			}
			r.trim(r.most + maxOpenSlack)
		})
		if len(orders) < MaxBatch {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read orders after %d, more to come: %w", from, ctx.Err())
		case <-time.After(took):
		}
	}
}

// arrive takes in an order that the delta gave. Those up to known were there
// when the delta began.
func (r *round) arrive(o exporter.Order, known int64) {
	s := r.state
	t, open := s.open[o.ID]
	switch {
	case open:
		r.again(t, o)
	case o.ID > s.mark:
		if r.timely {
			r.arrivals.add(o, r.now)
		}
		if o.Created.IsZero() || !o.Created.Before(r.since) {
			r.meet(o, false)
		} else {
			r.dig(o)
		}
	case o.ID > known:
		// It was gone and is there again, as after a change of servers: it was counted,
		// unless it came late.
		r.meet(o, !s.gaps.take(o.ID))
	}
	if o.ID > s.mark {
		// Below an order that is old when it appears, nothing can still be under way.
		if created := at(o.Created); o.ID > s.mark+1 && (created == 0 || created.ago(r.now) < behindLimit) {
			s.gaps.add(gap{from: s.mark + 1, to: o.ID - 1, noticed: at(r.now), turn: r.turn})
		}
		s.mark, s.marked, s.changed = o.ID, max(at(r.now), at(o.Created)), true
	}
	if s.tail != o.ID-1 {
		s.tail, s.newest, s.changed = o.ID-1, at(o.Created), true
	}
}

// find takes in an order that was missing.
func (r *round) find(o exporter.Order) {
	if r.state.gaps.take(o.ID) {
		r.state.changed = true
		r.meet(o, false)
	}
}

// turnedBack looks whether the keys of the book went back: a key that was read
// is another order's now. That the newest orders are gone is no sign of it:
// shops delete.
func (r *round) turnedBack(ctx context.Context, orders []exporter.Order) (bool, error) {
	s := r.state
	for _, o := range orders {
		created := at(o.Created)
		switch {
		case o.ID > s.mark:
			return false, nil
		case created == 0:
		case created > s.marked+moment(aheadLimit.Milliseconds()):
			return true, nil
		case o.ID == s.tail+1 && s.newest != 0 && max(created-s.newest, s.newest-created) > moment(aheadLimit.Milliseconds()):
			return true, nil
		}
	}
	if len(orders) > 0 || s.mark == 0 {
		return false, nil
	}
	last, err := r.driver.Last(ctx)
	if err != nil {
		return false, fmt.Errorf("find the newest order: %w", err)
	}
	if last.ID > s.tail {
		return false, nil // it came just now
	}
	last.Created = settle(r.ledger.Zone, last.Created, s.marked.time(), time.Time{})
	if at(last.Created) > s.marked+moment(aheadLimit.Milliseconds()) {
		return true, nil
	}
	if tail := max(0, last.ID-1); tail != s.tail {
		r.keep(func() { s.tail, s.newest, s.changed = tail, at(last.Created), true })
	}
	return false, nil
}

// startAgain follows a book whose keys went back: a restored backup, a new
// installation, or newest orders deleted and their keys given again. Nobody can
// tell which, so the orders that are there are followed anew and not counted,
// since they may have been.
func (r *round) startAgain(ctx context.Context) error {
	s := r.state
	read := s.mark
	last, err := r.coldStart(ctx)
	if err != nil {
		return err
	}
	s.quiet = last.ID
	r.logger.Warn("the keys of the orders went back: following anew, without counting what is there", "newest", last.ID, "read", read)
	return r.delta(ctx)
}
