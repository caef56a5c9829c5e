package ledger

import (
	"cmp"

	"shopwatch/exporter"
	"shopwatch/rules"
)

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
	c := transition{now: r.now, before: t, first: true, order: o}
	if paid := cmp.Or(at(o.Paid), at(o.Updated)); r.ended(o.State, paid) {
		c.order.State, c.untimed = exporter.Delivered, true // as the shop says
	}
	r.take(c, quiet)
}

// dig takes in an order that is older than what is counted, if somebody waits.
func (r *round) dig(o exporter.Order) {
	if _, waits := o.State.Waiting(); waits {
		r.meet(o, true)
	}
}

// again takes in one more look at an order that is open.
func (r *round) again(t *tracked, o exporter.Order) {
	c := transition{now: r.now, before: t, order: o, sharp: r.sharp(t), awaited: t.awaited()}
	if r.another(t, o) {
		c.order = exporter.Order{ID: o.ID, State: exporter.Removed}
		defer r.meet(o, false)
	}
	if c.order.Payment == "" {
		c.order.Payment = r.state.payments.value(t.payment)
	}
	r.take(c, false)
}

// sharp reports whether an order was looked at so shortly before that what
// changed, changed now: for one that is late, that may be a fifth of that time.
func (r *round) sharp(t *tracked) bool {
	_, waited := t.state().Waiting()
	return r.just(t.looked.time(), r.now) ||
		waited && t.looked.ago(r.now) <= r.turns()+r.ledger.Interval && t.since.ago(r.now) >= r.ledger.Late
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
	if r.traits.Moments.Delivered == rules.BasisNone || c.before.marks&(markReady|markVague) != 0 {
		c.untimed = true
	}
	if c.before.marks&markAhead == 0 && r.ahead(c.order) {
		c.before.marks |= markAhead
		if !quiet {
			r.state.negative++
		}
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
				r.samples = append(r.samples, sample{took: took, paid: true, payment: s.payments.intern(o.Payment)})
			}
		case markDelivered:
			took, at, known := c.deliveryTook()
			if !known || !o.Automatic {
				continue
			}
			r.samples = append(r.samples, sample{took: took})
			r.deliveries.add(at, took)
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
	guess := at(r.now)
	if c.first && !r.timely && t.created != 0 {
		guess = min(guess, t.created) // nobody looked for long: too old is told too soon, too young is not told at all
	}
	t.wait(o, r.now, c.sharp && c.awaited, guess)
	t.code, t.automatic, t.payment = codeOf(o.State), o.Automatic, s.payments.intern(o.Payment)
	t.looked, t.turn = at(r.now), r.turn
	before.looked, before.turn = t.looked, t.turn // not worth a save
	if c.first || before != *t {
		s.changed = true
	}
	s.open[o.ID] = t
}
