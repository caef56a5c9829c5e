package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"shopwatch/exporter"
)

// maxNumber bounds the order numbers that are compared with the driver's form.
const maxNumber = 128

// Shop is the shop's id.
func (f *Follower) Shop() string { return f.shop }

// Traits says what is true of every book of this software.
func (f *Follower) Traits() Traits { return f.driver.Traits() }

// Find looks an order up by the number that its buyer has, while polls go on. A
// number that hasn't the driver's form is answered without touching the
// database, like one that isn't there: by the zero Found.
func (f *Follower) Find(ctx context.Context, number string) (exporter.Found, error) {
	form := f.Traits().Number
	if form == nil || len(number) > maxNumber || !form.MatchString(number) {
		return exporter.Found{}, nil
	}
	var o exporter.Order
	err := f.use(func(d Driver) (err error) {
		o, err = d.Find(ctx, number)
		return err
	})
	if err != nil {
		return exporter.Found{}, fmt.Errorf("find an order by its number: %w", err)
	}
	if o.ID == 0 || o.State == exporter.Removed {
		return exporter.Found{}, nil
	}
	now := f.now()
	f.memory.RLock()
	defer f.memory.RUnlock()
	f.settleOne(&o, now)
	found := exporter.Found{Order: o}
	kind, waits := o.State.Waiting()
	if !waits {
		return found, nil
	}
	since := f.waitsSince(o, now)
	found.Since = since.time()
	for id, t := range f.state.open {
		if k, waits := t.state().Waiting(); waits && k == kind && t.since < since && id != o.ID {
			found.Ahead++
		}
	}
	return found, nil
}

// waitsSince says since when the buyer of an order waits that was looked up just
// now: as the polls know, or else as the order itself says.
func (f *Follower) waitsSince(o exporter.Order, now time.Time) moment {
	since := cmp.Or(at(o.Paid), at(o.Updated), at(o.Created), at(now))
	if t, followed := f.state.open[o.ID]; followed {
		if _, waited := t.state().Waiting(); waited {
			since = t.since
		} else if t.marks&markReady != 0 {
			since = at(now)
		}
	}
	return min(since, at(now))
}

// Open lists the orders that are followed, by ascending key, as the last look at
// each saw it.
func (f *Follower) Open() []exporter.OpenOrder {
	now := at(f.now())
	f.memory.RLock()
	list := make([]exporter.OpenOrder, 0, len(f.state.open))
	for id, t := range f.state.open {
		o := exporter.OpenOrder{ID: id, State: t.state(), Automatic: t.automatic, Payment: f.state.payments.value(t.payment), Created: t.created.time()}
		if _, waits := o.State.Waiting(); waits {
			o.Since = min(t.since, now).time()
		}
		list = append(list, o)
	}
	f.memory.RUnlock()
	slices.SortFunc(list, func(a, b exporter.OpenOrder) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Read gives the orders with these keys, however many, by ascending key. Those
// that aren't there are left out.
func (f *Follower) Read(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	var all []exporter.Order
	for batch := range slices.Chunk(ids, MaxBatch) {
		err := f.use(func(d Driver) error {
			orders, err := d.ByID(ctx, batch)
			all = append(all, orders...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %d orders: %w", len(ids), err)
		}
	}
	now := f.now()
	f.memory.RLock()
	for i := range all {
		f.settleOne(&all[i], now)
	}
	f.memory.RUnlock()
	slices.SortFunc(all, func(a, b exporter.Order) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Numbers gives the buyers' numbers of orders by key, however many. In many
// shops a number opens the cards: it is for the owner's eyes only.
func (f *Follower) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	all := make(map[int64]string, len(ids))
	for batch := range slices.Chunk(ids, MaxBatch) {
		err := f.use(func(d Driver) error {
			numbers, err := d.Numbers(ctx, batch)
			maps.Copy(all, numbers)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read the numbers of %d orders: %w", len(ids), err)
		}
	}
	return all, nil
}
