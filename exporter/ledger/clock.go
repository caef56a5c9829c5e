package ledger

import (
	"time"

	"shopwatch/exporter"
)

// skew is how much the moments of two clocks that agree may differ: shops store
// whole seconds, and some round up.
const skew = time.Second

// folds are by how much clocks are set back somewhere at the end of summer time.
var folds = []time.Duration{time.Hour, 30 * time.Minute, 2 * time.Hour}

// settle decides what an ambiguous wall time means. Drivers read it as the later
// of the two moments; that can't be if it lies beyond bound. Whatever was decided
// before, stays.
func settle(zone *time.Location, t, bound, before time.Time) time.Time {
	if zone == nil || t.IsZero() || at(t) == at(before) {
		return t
	}
	wall := t.In(zone).Format(time.DateTime)
	for _, fold := range folds {
		earlier := t.Add(-fold)
		if earlier.In(zone).Format(time.DateTime) != wall {
			continue
		}
		if at(earlier) == at(before) || t.After(bound.Add(aheadLimit)) {
			return earlier
		}
	}
	return t
}

// settle decides for all moments of orders that were read just now.
func (r *round) settle(orders []exporter.Order) {
	r.seen = r.Follower.now()
	for i := range orders {
		r.settleOne(&orders[i], r.seen)
	}
}

// settleOne decides for an order's moments, by what is remembered of it. The
// caller holds polling or memory.
func (f *Follower) settleOne(o *exporter.Order, now time.Time) {
	zone, s := f.ledger.Zone, f.state
	if zone == nil {
		return
	}
	created, bound, since := time.Time{}, now, time.Time{}
	if o.ID == s.tail+1 {
		created = s.newest.time()
	}
	if o.ID <= s.mark {
		bound = s.marked.time()
	}
	if t, open := s.open[o.ID]; open {
		created, bound, since = t.created.time(), t.first.time(), t.since.time()
	}
	o.Created = settle(zone, o.Created, bound, created)
	o.Paid = settle(zone, o.Paid, now, since)
	o.Delivered = settle(zone, o.Delivered, now, time.Time{})
	o.Updated = settle(zone, o.Updated, now, since)
}

// fold is by how much the zone's clocks are set back around t.
func fold(zone *time.Location, t time.Time) time.Duration {
	if zone == nil {
		return 0
	}
	_, before := t.Add(-3 * time.Hour).In(zone).Zone()
	_, after := t.Add(3 * time.Hour).In(zone).Zone()
	return max(0, time.Duration(before-after)*time.Second)
}

// ahead reports whether an order claims to be of a time to come.
func (r *round) ahead(o exporter.Order) bool {
	limit := r.seen.Add(skew)
	return o.Created.After(limit) || o.Paid.After(limit)
}
