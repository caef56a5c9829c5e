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
	if err := r.coldStart(ctx); err != nil {
		return err
	}
	if err := r.delta(ctx); err != nil {
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

func (r *round) coldStart(ctx context.Context) error {
	if r.state.started {
		return nil
	}
	first, err := firstSince(ctx, r.driver, r.now.Add(-r.ledger.Lookback))
	if err != nil {
		return err
	}
	r.logger.Info("cold start", "first_order", first, "lookback", r.ledger.Lookback)
	r.state.start(first)
	return nil
}

// delta reads what is above base page by page, resting after each page as long
// as it took.
func (r *round) delta(ctx context.Context) error {
	s := r.state
	for from := s.base; ; {
		began := time.Now() // a duration of rest, not a moment: no business of the given clock
		orders, err := r.driver.After(ctx, from, MaxBatch)
		if err != nil {
			return fmt.Errorf("read orders after %d: %w", from, err)
		}
		if len(orders) == 0 && from == s.base {
			return r.shorter(ctx)
		}
		for _, o := range orders {
			r.observe(o)
			from = max(from, o.ID)
			r.newest = o
		}
		if from > s.mark {
			s.mark, s.changed = from, true
		}
		s.advance(r.now)
		r.trim(r.most + maxOpenSlack)
		if len(orders) < MaxBatch {
			return r.reused(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read orders after %d, more to come: %w", from, ctx.Err())
		case <-time.After(time.Since(began)):
		}
	}
}

// shorter looks whether a book in which nothing was found ends before the last
// order that was read.
func (r *round) shorter(ctx context.Context) error {
	if r.state.base == 0 {
		return nil
	}
	last, err := r.driver.Last(ctx)
	if err != nil {
		return fmt.Errorf("find the newest order: %w", err)
	}
	if last.ID >= r.state.base {
		return nil
	}
	return r.startAgain(ctx, last.ID)
}

// reused looks whether the newest order has a key that another order had: it
// was created after the follower first saw its key.
func (r *round) reused(ctx context.Context) error {
	seen, known := r.state.seen[r.newest.ID]
	created := r.newest.Created
	if !known || r.newest.ID > r.state.mark || created.After(r.now.Add(aheadLimit)) || !created.After(seen.Add(aheadLimit)) {
		return nil
	}
	return r.startAgain(ctx, r.newest.ID)
}

// startAgain follows a book whose keys went back: a restored backup, a new
// installation, or newest orders deleted and their keys given again. Nobody can
// tell which, so the orders up to last are followed anew and not counted, since
// they may have been.
func (r *round) startAgain(ctx context.Context, last int64) error {
	s := r.state
	first, err := firstSince(ctx, r.driver, r.now.Add(-r.ledger.Lookback))
	if err != nil {
		return err
	}
	r.logger.Warn("the keys of the orders went back: following anew, without counting what is there",
		"newest", last, "read", s.mark, "first_order", first)
	first = min(first, last+1)
	s.quiet = last
	s.start(first)
	if first > last {
		return nil // nothing that is young enough is left
	}
	return r.delta(ctx)
}

// recheck looks at the open orders that the delta didn't show.
func (r *round) recheck(ctx context.Context) error {
	slow := r.slowLooked.IsZero() || r.now.Sub(r.slowLooked) >= slowLane || r.now.Before(r.slowLooked)
	var ids []int64
	for id, t := range r.state.open {
		if t.turn != r.turn && (slow || t.fast(r.now)) {
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
			r.observe(o)
		}
		for _, id := range batch {
			if !there[id] {
				r.observe(exporter.Order{ID: id, State: exporter.Removed})
			}
		}
	}
	if slow {
		r.slowLooked = r.now
	}
	return nil
}

// observe takes in one look at one order.
func (r *round) observe(o exporter.Order) {
	s := r.state
	t, open := s.open[o.ID]
	_, known := s.seen[o.ID]
	if open && o.ID <= s.quiet && o.State != exporter.Removed && at(o.Created) != t.created {
		r.observe(exporter.Order{ID: o.ID, State: exporter.Removed}) // its key was given to another
		open, known = false, false
	}
	if !open && known {
		return // final, or given up: it has told all that it had to
	}
	c := transition{now: r.now, before: t, first: !open, order: o}
	quiet := c.first && o.ID <= s.quiet
	if c.first {
		t = &tracked{first: at(r.now), created: at(o.Created), payment: s.payments.intern(o.Payment)}
		c.before = t
		s.seen[o.ID] = r.now
		if quiet {
			t.marks = markDeadline | markLate
		} else {
			s.count(o.Payment, rules.OrderCreated)
		}
		if r.timely && o.ID > s.mark {
			r.arrivals.add(o, r.now)
		}
	} else {
		c.sharp, c.awaited = r.just(t.looked.time(), r.now), t.awaited()
	}
	if o.Payment == "" {
		c.order.Payment = s.payments.value(t.payment)
	}
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
