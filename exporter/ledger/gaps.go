package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	overlapTime = 2 * time.Minute // how late a key may become visible, behind a slow transaction
	fillAtOnce  = 5000            // missing keys that a poll asks for; a quarter of all where there are more
	wide        = 50              // a gap of more keys is asked for by its first row
	maxGaps     = 100_000
)

// gap is a run of keys that were not there when a greater one was: rolled back,
// of a step in the shop's numbering, or of a transaction that isn't committed yet.
type gap struct {
	from, to int64  // the first and the last
	noticed  moment // when
	turn     uint32 // of the poll that noticed it, or asked for it last
}

// cost is how many keys asking for the gap is worth.
func (g gap) cost() int { return int(min(g.to-g.from+1, wide)) }

// gaps are those keys below the mark that may still become visible, so that a
// key that comes late is found without reading its neighbours again. What asking
// for them costs is bounded by how fast keys are given, and ends overlapTime
// after the last one.
type gaps struct {
	list []gap // ascending
	next int64 // the greatest key that was asked for, where not all could be
}

// add notices a gap above all others.
func (g *gaps) add(n gap) {
	g.list = append(g.list, n)
	if len(g.list) > maxGaps {
		g.list = slices.Delete(g.list, 0, maxGaps/10) // the oldest
	}
}

// take closes the gap at a key that became visible, and reports whether there was one.
func (g *gaps) take(id int64) bool {
	place, _ := slices.BinarySearchFunc(g.list, id, func(n gap, id int64) int {
		if n.to < id {
			return -1
		}
		return 1
	})
	if place == len(g.list) || g.list[place].from > id {
		return false
	}
	below, above := g.list[place], g.list[place]
	below.to, above.from = id-1, id+1
	var left []gap
	for _, n := range []gap{below, above} {
		if n.from <= n.to {
			left = append(left, n)
		}
	}
	g.list = slices.Replace(g.list, place, place+1, left...)
	return true
}

// due gives the gaps that the poll of this turn asks for: all, or in turns those
// that it can afford, so that none waits for more than four polls.
func (g *gaps) due(turn uint32, now time.Time) []gap {
	all := 0
	for _, n := range g.list {
		all += n.cost()
	}
	budget := max(fillAtOnce, all/4)
	start, _ := slices.BinarySearchFunc(g.list, g.next, func(n gap, key int64) int {
		if n.to <= key {
			return -1
		}
		return 1
	})
	var due []gap
	for i := range g.list {
		n := &g.list[(start+i)%len(g.list)]
		if n.turn == turn {
			continue // noticed just now
		}
		n.turn, g.next = turn, n.to
		n.noticed = min(n.noticed, at(now)) // a clock may have been set back
		due = append(due, *n)
		if budget -= n.cost(); budget <= 0 {
			break
		}
	}
	return due
}

// forget gives up the gaps that were asked for in this turn after their time,
// and reports whether there were any.
func (g *gaps) forget(turn uint32, now time.Time) bool {
	before := len(g.list)
	g.list = slices.DeleteFunc(g.list, func(n gap) bool { return n.turn == turn && n.noticed.ago(now) >= overlapTime })
	if len(g.list) == 0 {
		g.list = nil
	}
	return len(g.list) < before
}

// fill looks whether keys that were missing are there now.
func (r *round) fill(ctx context.Context) error {
	var batch []int64
	ask := func() error {
		orders, err := r.driver.ByID(ctx, batch)
		if err != nil {
			return fmt.Errorf("look for %d keys that were missing: %w", len(batch), err)
		}
		r.settle(orders)
		r.keep(func() {
			for _, o := range orders {
				r.find(o)
			}
		})
		batch = batch[:0]
		return nil
	}
	for _, n := range r.state.gaps.due(r.turn, r.now) {
		if n.to-n.from >= wide {
			if err := r.search(ctx, n); err != nil {
				return err
			}
			continue
		}
		for id := n.from; id <= n.to; id++ {
			if batch = append(batch, id); len(batch) == MaxBatch {
				if err := ask(); err != nil {
					return err
				}
			}
		}
	}
	if len(batch) > 0 {
		if err := ask(); err != nil {
			return err
		}
	}
	if r.state.gaps.forget(r.turn, r.now) {
		r.state.changed = true
	}
	return nil
}

// search looks for orders in a wide gap, by one row where there are none.
func (r *round) search(ctx context.Context, n gap) error {
	limit := 1
	for from := n.from - 1; ; limit = MaxBatch {
		orders, err := r.driver.After(ctx, from, limit)
		if err != nil {
			return fmt.Errorf("look for keys that were missing after %d: %w", from, err)
		}
		r.settle(orders)
		for _, o := range orders {
			if o.ID > n.to {
				return nil
			}
			r.keep(func() { r.find(o) })
			from = o.ID
		}
		if len(orders) < limit {
			return nil
		}
	}
}
