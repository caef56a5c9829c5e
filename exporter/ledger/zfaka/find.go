package zfaka

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

const (
	// The shop makes the number first, and its clock of seconds may turn before
	// the row says when it was created. Keys are given in order of insertion, and
	// neighbours may swap.
	before = 2 * time.Second
	after  = 3 * time.Second

	fanout = 16     // rows that one statement tells the creation time of
	enough = 500    // keys among which the number itself is looked for
	most   = 10_000 // the same, where so many orders came within these seconds
)

// Find gives the order with a number. No index leads to it, but the number holds
// the second of its creation, and keys grow with time: sixteen rows at a time
// narrow the keys down to those of that second, and among these the number is
// looked for. For ten million orders that takes six statements, whether there is
// such an order or not; only a product that no order named before is read on top.
func (d *Driver) Find(ctx context.Context, number string) (exporter.Order, error) {
	var found []exporter.Order
	for _, created := range seconds(number, d.Zone()) {
		orders, err := d.near(ctx, created, number)
		if err != nil {
			return exporter.Order{}, err
		}
		for _, o := range orders {
			// The keys of an hour that comes twice may overlap.
			if !slices.ContainsFunc(found, func(f exporter.Order) bool { return f.ID == o.ID }) {
				found = append(found, o)
			}
		}
	}
	if len(found) != 1 { // the number is unique by chance alone
		return exporter.Order{}, nil
	}
	return found[0], nil
}

const (
	secondLayout = "20060102150405"
	chance       = 5 // digits behind the second
)

// seconds gives the moments at which the shop's clock showed what a number says:
// two in the hour that the end of summer time repeats, none if there is no such
// date.
func seconds(of string, zone *time.Location) []time.Time {
	if !number.MatchString(of) {
		return nil
	}
	end := len(of) - chance
	shown := of[end-len(secondLayout) : end]
	at, err := time.ParseInLocation(secondLayout, shown, zone)
	if err != nil {
		return nil
	}
	var moments []time.Time
	for _, shift := range []time.Duration{-2 * time.Hour, -time.Hour, -30 * time.Minute, 0, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if t := at.Add(shift); t.Format(secondLayout) == shown {
			moments = append(moments, t)
		}
	}
	return moments
}

// near gives at most two of the orders around a moment that carry a number.
func (d *Driver) near(ctx context.Context, created time.Time, number string) ([]exporter.Order, error) {
	s, err := d.around(ctx, created.Add(-before), created.Add(after))
	if err != nil {
		return nil, err
	}
	if s.left() > most {
		return nil, fmt.Errorf("%d keys of orders within %s: too many to look for a number among", s.left(), before+after)
	}
	return d.orders(ctx, "id > ? AND id < ? AND orderid = ? AND isdelete = 0 ORDER BY id LIMIT 2", s.start.low, s.end.high, number)
}

// stretch is what is known of the orders created from one moment to another.
type stretch struct {
	from, to   time.Time
	start, end edge
	first      int64 // of the orders from start.high on; below it there is none
}

// edge is where in the keys something begins: behind low, and at high at the latest.
type edge struct{ low, high int64 }

// keys divide what is not known of an edge into n+1 parts, or into single keys.
func (e edge) keys(n int64) []int64 {
	var keys []int64
	for i := int64(1); i <= n && i < e.high-e.low; i++ {
		keys = append(keys, e.low+max(i, i*((e.high-e.low)/(n+1))))
	}
	return keys
}

// left is how many keys such orders may have.
func (s *stretch) left() int64 {
	return max(0, s.start.high-s.start.low-1) + max(0, s.end.high-s.first)
}

// keys are those of which to ask next.
func (s *stretch) keys() []int64 {
	if s.start == s.end {
		return s.start.keys(fanout)
	}
	return slices.Concat(s.start.keys(fanout/2), s.end.keys(fanout/2))
}

// learn takes in which order is the first whose key is key or greater. One
// without a time says nothing.
func (s *stretch) learn(key int64, p ledger.Place) {
	switch {
	case p.Created.IsZero():
		return
	case p.Created.Before(s.from):
		s.start.low, s.end.low = max(s.start.low, p.ID), max(s.end.low, p.ID)
		return
	case p.Created.After(s.to):
		s.end.high = min(s.end.high, key)
	default:
		s.end.low = max(s.end.low, p.ID)
	}
	if key < s.start.high {
		s.start.high, s.first = key, p.ID
	}
}

// around narrows down the keys of the orders created between two moments, until
// few are left or it is known where they begin and end.
func (d *Driver) around(ctx context.Context, from, to time.Time) (*stretch, error) {
	last, err := d.Last(ctx)
	if err != nil {
		return nil, err
	}
	whole := edge{0, last.ID + 1}
	s := &stretch{from: from, to: to, start: whole, end: whole, first: whole.high}
	for s.left() > enough {
		keys := s.keys()
		places, err := d.firstFrom(ctx, keys)
		if err != nil {
			return nil, err
		}
		known := *s
		for _, key := range keys {
			if i := slices.IndexFunc(places, func(p ledger.Place) bool { return p.ID >= key }); i >= 0 {
				s.learn(key, places[i])
			}
		}
		if *s == known {
			break
		}
	}
	return s, nil
}

// firstFrom gives the places of the first orders from each of these keys on, by
// ascending key: At, for several at once.
func (d *Driver) firstFrom(ctx context.Context, keys []int64) ([]ledger.Place, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	one := "SELECT id, addtime FROM " + d.Table("order") + " WHERE id = (SELECT MIN(id) FROM " + d.Table("order") + " WHERE id >= ?)"
	arguments := make([]any, len(keys))
	for i, key := range keys {
		arguments[i] = key
	}
	var places []ledger.Place
	err := d.places(ctx, strings.Repeat(one+" UNION ALL ", len(keys)-1)+one, arguments, func(p ledger.Place) { places = append(places, p) })
	slices.SortFunc(places, func(a, b ledger.Place) int { return cmp.Compare(a.ID, b.ID) })
	return places, err
}
