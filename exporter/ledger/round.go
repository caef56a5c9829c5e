package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// round is one poll on its way.
type round struct {
	*Follower
	now    time.Time
	newest exporter.Order // of those that the delta gave
	timely bool           // the poll before was just now, so an order that is new to us is new
}

// round reads the book in the order in which later steps rely on earlier ones.
func (f *Follower) round(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	f.turn++
	r := &round{Follower: f, now: now, timely: f.just(f.state.success, now)}
	if err := r.selfCheck(ctx); err != nil {
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
	r.judge()
	r.trim(r.most)
	r.overfull = len(r.state.open) >= r.most
	if err := r.arrivals.misdated(r.newest, now); err != nil {
		return err
	}
	r.countStock(ctx)
	return nil
}

// just reports whether a look at that moment was the one before this.
func (f *Follower) just(then, now time.Time) bool {
	return !then.IsZero() && now.Sub(then) <= 3*f.ledger.Interval
}

func (r *round) selfCheck(ctx context.Context) error {
	if r.checked {
		return nil
	}
	doubts, err := r.driver.Check(ctx)
	if err != nil {
		return fmt.Errorf("self-check: %w", err)
	}
	for _, doubt := range doubts {
		r.logger.Warn("self-check", "doubt", doubt)
	}
	r.checked = true
	return nil
}

// recheck looks at the open orders that the delta didn't show and that are due.
func (r *round) recheck(ctx context.Context) error {
	fresh := 0
	for _, t := range r.state.open {
		if _, waits := t.state().Waiting(); !waits && t.fast(r.now) {
			fresh++
		}
	}
	var ids []int64
	for id, t := range r.state.open {
		if t.turn != r.turn && t.due(r.now, r.deadline, fresh > crowd) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for batch := range slices.Chunk(ids, MaxBatch) {
		orders, err := r.driver.ByID(ctx, batch)
		if err != nil {
			return fmt.Errorf("read %d open orders again: %w", len(batch), err)
		}
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
	return nil
}

// meet takes in the first look at an order, which is counted unless quiet.
func (r *round) meet(o exporter.Order, quiet bool) {
	s := r.state
	quiet = quiet || o.ID <= s.quiet
	t := &tracked{first: at(r.now), created: at(o.Created), payment: s.payments.intern(o.Payment)}
	if quiet {
		t.marks = markDeadline | markLate
	} else {
		s.count(o.Payment, rules.OrderCreated)
	}
	r.take(transition{now: r.now, before: t, first: true, order: o}, quiet)
}

// again takes in one more look at an order that is open.
func (r *round) again(t *tracked, o exporter.Order) {
	c := transition{now: r.now, before: t, order: o, sharp: r.just(t.looked.time(), r.now), awaited: t.awaited()}
	if r.another(t, o) {
		c.order = exporter.Order{ID: o.ID, State: exporter.Removed}
		defer r.meet(o, false)
	}
	if c.order.Payment == "" {
		c.order.Payment = r.state.payments.value(t.payment)
	}
	r.take(c, false)
}

// another reports whether the key of an open order was given to another one.
func (r *round) another(t *tracked, o exporter.Order) bool {
	created := at(o.Created)
	if created == 0 || o.State == exporter.Removed {
		return false
	}
	return o.ID <= r.state.quiet && created != t.created || created > max(t.first, t.created)+moment(aheadLimit.Milliseconds())
}

func (r *round) take(c transition, quiet bool) {
	r.pass(c, quiet)
	r.remember(c)
}

// pass counts what the transition brought.
func (r *round) pass(c transition, quiet bool) {
	s, o, t := r.state, c.order, c.before
	for _, e := range c.passed() {
		t.marks |= e.mark
		s.changed = true
		if quiet {
			continue
		}
		s.count(o.Payment, e.name)
		switch e.mark {
		case markPaid:
			s.sell(o)
			if took, known := c.paidTook(); known {
				payment := label(o.Payment)
				r.samples = append(r.samples, func() { r.observer.Paid(r.shop, payment, took) })
			}
		case markDelivered:
			took, known := c.deliveryTook()
			if !known || !o.Automatic {
				continue
			}
			r.samples = append(r.samples, func() { r.observer.Delivered(r.shop, took) })
			if took >= r.ledger.Late && t.marks&markLate == 0 {
				t.marks |= markLate
				s.late++
			}
		}
	}
	if o.State == exporter.Removed && !quiet {
		s.count(o.Payment, rules.OrderRemoved)
	}
	if o.State == exporter.UnknownState && t.marks&markUnknown == 0 {
		t.marks |= markUnknown
		if !quiet {
			s.unknown++
		}
	}
}

// remember keeps what the next look needs to know, or lets a final order go.
func (r *round) remember(c transition) {
	s, o, t := r.state, c.order, c.before
	if o.State.Final() {
		delete(s.open, o.ID)
		s.changed = true
		return
	}
	before := *t
	t.code, t.automatic, t.payment = codeOf(o.State), o.Automatic, s.payments.intern(o.Payment)
	t.wait(o, r.now)
	t.looked, t.turn = at(r.now), r.turn
	before.looked, before.turn = t.looked, t.turn // not worth a save
	if c.first || before != *t {
		s.changed = true
	}
	s.open[o.ID] = t
}

// judge counts what time alone has brought to the open orders, and gives up on
// those that nobody paid in a day.
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
		if t.hopeless(r.now) {
			delete(s.open, id)
			s.changed = true
		}
	}
}

// trim lets go of open orders beyond a limit. That is told once as long as it lasts.
func (r *round) trim(most int) {
	gone := r.state.trim(most)
	if gone > 0 && !r.overfull {
		r.logger.Warn("too many open orders: some are no longer followed", "dropped", gone, "limit", r.most)
		r.overfull = true
	}
}

// countStock counts on its own, slower clock. A count that fails leaves the last
// one standing and is no reason to call the book unreadable.
func (r *round) countStock(ctx context.Context) {
	if !r.stockTried.IsZero() && r.now.Sub(r.stockTried) < r.stockInterval && !r.now.Before(r.stockTried) {
		return
	}
	r.stockTried = r.now
	ctx, cancel := context.WithTimeout(ctx, stockLimit)
	defer cancel()
	stock, hidden, err := r.driver.Stock(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.logger.Warn("stock not counted", "err", problem(err, r.ledger.DSN))
		}
		return
	}
	r.stock, r.stockHidden, r.stockCounted = stock, hidden, r.now
}
