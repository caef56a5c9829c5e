package ledgertest

import (
	"fmt"
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// purchase is an order as it truly is, and what the follower knows of it: one of
// several, where nobody can tell how far a poll came that failed.
type purchase struct {
	id                       int64
	state                    exporter.OrderState
	created, paid, delivered time.Time
	commit                   func() // nil: everybody sees it
	gone                     bool   // deleted for good

	known []sight
}

// sight is what a follower may know of an order.
type sight struct {
	state  exporter.OrderState // as it was seen last; "" for never
	at     time.Time           // when
	since  time.Time           // when the buyer began to wait, as far as the driver's moments tell
	events eventSet            // that were counted
}

// eventSet holds the events at their place in happenings.
type eventSet uint16

// late is, beside the treaty's events, that the machine took too long.
const late rules.OrderEvent = "late"

var happenings = append([]rules.OrderEvent{late}, rules.OrderEvents...)

func (e eventSet) has(event rules.OrderEvent) bool {
	return e&(1<<slices.Index(happenings, event)) != 0
}

func (e *eventSet) add(event rules.OrderEvent, happened bool) {
	if happened {
		*e |= 1 << slices.Index(happenings, event)
	}
}

// census is the truth that a follower must agree with. It knows what the test
// did to the shop, and never asks the driver.
type census struct {
	moments   exporter.Moments
	ledger    exporter.Ledger
	deadline  time.Duration
	purchases []*purchase
}

// What the follower promises of orders that nobody pays any more.
const (
	fresh    = 2 * time.Hour    // younger unpaid ones are seen by every poll
	slowLane = 10 * time.Minute // others at least that often
)

// poll is what a poll that succeeded has seen. Of the orders that it need not
// have seen, it was shown some.
func (c *census) poll(now time.Time, some map[int64]bool) {
	for _, p := range c.purchases {
		var known []sight
		for _, s := range p.known {
			must := c.must(p, s, now)
			if must || some[p.id] {
				known = append(known, c.look(p, s, now)...)
			}
			if !must {
				known = append(known, s)
			}
		}
		for i := range known {
			known[i] = c.judge(p, known[i], now)
		}
		p.learn(known)
	}
}

// halfPoll is what a poll that failed after it was shown some orders may have seen.
func (c *census) halfPoll(now time.Time, some map[int64]bool) {
	for _, p := range c.purchases {
		known := slices.Clone(p.known)
		if some[p.id] {
			for _, s := range p.known {
				known = append(known, c.look(p, s, now)...)
			}
		}
		for _, s := range slices.Clone(known) {
			known = append(known, c.judge(p, s, now))
		}
		p.learn(known)
	}
}

func (p *purchase) learn(known []sight) {
	p.known = nil
	for _, s := range known {
		if !slices.Contains(p.known, s) {
			p.known = append(p.known, s)
		}
	}
}

// must reports whether a poll must see the order.
func (c *census) must(p *purchase, s sight, now time.Time) bool {
	_, waits := s.state.Waiting()
	switch {
	case waits, s.state == "", !s.events.has(rules.OrderPaid) && !s.events.has(rules.OrderUnpaidAtDeadline):
		return true
	case s.state == exporter.Unpaid && now.Sub(p.created) < fresh:
		return true
	}
	return now.Sub(s.at) >= slowLane
}

// look gives what may be known after a look at the order.
func (c *census) look(p *purchase, s sight, now time.Time) []sight {
	if p.commit != nil || p.gone && s.state == "" || s.state.Final() {
		return []sight{s}
	}
	s.state, s.at = p.state, now
	if p.gone {
		s.state = exporter.Removed
	}
	storedPaid := c.moments.Paid == rules.BasisStored && !p.paid.IsZero() && !p.gone
	storedDelivered := c.moments.Delivered == rules.BasisStored && !p.delivered.IsZero() && !p.gone
	_, waits := s.state.Waiting()
	delivered := s.state == exporter.Delivered || s.state.Final() && storedDelivered
	s.events.add(rules.OrderCreated, true)
	s.events.add(rules.OrderPaid, waits || delivered || storedPaid || s.state == exporter.Refunded)
	s.events.add(rules.OrderDelivered, delivered)
	s.events.add(rules.OrderExpired, s.state == exporter.Expired)
	s.events.add(rules.OrderRefunded, s.state == exporter.Refunded)
	s.events.add(rules.OrderRemoved, s.state == exporter.Removed)
	switch {
	case !waits:
		s.since = time.Time{}
	case s.since.IsZero() && c.moments.Paid == rules.BasisObserved:
		s.since = now
		guess := s // where nobody looked for long
		guess.since = p.created
		return []sight{s, guess}
	case s.since.IsZero():
		s.since = p.paid
	}
	if !delivered {
		return []sight{s}
	}
	tardy := s
	tardy.events.add(late, true)
	switch took := p.delivered.Sub(p.paid); {
	case took >= c.ledger.Late && storedPaid && storedDelivered:
		return []sight{tardy}
	case took >= c.ledger.Late-c.blur(): // it depends on how well it was observed
		return []sight{s, tardy}
	}
	return []sight{s}
}

// blur is by how much a duration may be wrong whose ends were observed.
func (c *census) blur() time.Duration { return 3 * c.ledger.Interval }

// judge adds what time alone brings to an order that is open.
func (c *census) judge(p *purchase, s sight, now time.Time) sight {
	awaited := (s.state == exporter.Unpaid || s.state == exporter.Expired) && !s.events.has(rules.OrderPaid)
	s.events.add(rules.OrderUnpaidAtDeadline, awaited && now.Sub(p.created) >= c.deadline)
	_, waits := s.state.Waiting()
	s.events.add(late, waits && now.Sub(s.since) >= c.ledger.Late)
	return s
}

// bounds is how many orders there are at least and at most of which something is known.
func (c *census) bounds(is func(sight) bool) (least, most int) {
	for _, p := range c.purchases {
		if !slices.ContainsFunc(p.known, func(s sight) bool { return !is(s) }) {
			least++
		}
		if slices.ContainsFunc(p.known, is) {
			most++
		}
	}
	return least, most
}

// agree says whether a number that is told is a possible one.
func (c *census) agree(what string, told int, is func(sight) bool) error {
	if least, most := c.bounds(is); told < least || told > most {
		return fmt.Errorf("%s: %d are told, and there are %d to %d", what, told, least, most)
	}
	return nil
}

// counted says where the counters differ from the truth.
func (c *census) counted(b exporter.Books) error {
	told := map[rules.OrderEvent]int{late: int(b.Late)}
	for key, n := range b.Orders {
		told[key.Event] += int(n)
	}
	for _, event := range happenings {
		if err := c.agree(string(event), told[event], func(s sight) bool { return s.events.has(event) }); err != nil {
			return err
		}
	}
	sold := 0
	for _, n := range b.Items {
		sold += int(n)
	}
	if sold != told[rules.OrderPaid] || b.UnknownStatuses != 0 {
		return fmt.Errorf("%d sold and %d unknown, want %d and none", sold, b.UnknownStatuses, told[rules.OrderPaid])
	}
	return nil
}

// waiting says where the open orders that a good poll tells of differ from the truth.
func (c *census) waiting(b exporter.Books, now time.Time) error {
	tier := func(s sight) rules.Age {
		switch wait := now.Sub(s.since); {
		case s.since.IsZero():
			return ""
		case wait < c.ledger.Late:
			return rules.AgeUnder5m
		case wait < c.ledger.Stuck:
			return rules.Age5to30m
		}
		return rules.AgeOver30m
	}
	for _, age := range rules.Ages {
		if err := c.agree(fmt.Sprint("waiting ", age), b.Waiting[rules.Automatic][age], func(s sight) bool { return tier(s) == age }); err != nil {
			return err
		}
	}
	oldest, some := b.Oldest[rules.Automatic]
	if least, most := c.bounds(func(s sight) bool { return some && !s.since.IsZero() && !s.since.After(oldest) }); some && most == 0 || !some && least > 0 {
		return fmt.Errorf("nobody waits since %v", oldest)
	}
	if least, _ := c.bounds(func(s sight) bool { return some && !s.since.IsZero() && s.since.Before(oldest) }); least > 0 {
		return fmt.Errorf("somebody waits since before %v", oldest)
	}
	return c.agree("open", b.Open, func(s sight) bool { return s.state != "" && !s.state.Final() })
}
