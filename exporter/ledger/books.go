package ledger

import (
	"maps"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// view is what Books shows: the last good poll's knowledge, and how the last
// poll went.
type view struct {
	books exporter.Books
	// before is when a poll of an earlier process last succeeded. It is shown once
	// a poll of this one failed: until then nobody tried, and an old moment would
	// look like an outage of the book.
	before time.Time
}

// Books gives what is known now, without touching the database. The maps and
// slices are the caller's. LastSuccess is zero until this process has polled,
// well or badly.
func (f *Follower) Books() exporter.Books {
	f.reading.RLock()
	b := f.view.books
	f.beside.show(&b)
	f.reading.RUnlock()
	// What a view holds is never changed again, so it can be copied unguarded.
	b.Delivery = rules.Unknown
	if !b.Unread {
		b.Delivery = f.delivery(b)
	}
	waiting := make(map[rules.Kind]map[rules.Age]int, len(b.Waiting))
	for kind, ages := range b.Waiting {
		waiting[kind] = maps.Clone(ages)
	}
	b.Waiting = waiting
	b.Oldest = maps.Clone(b.Oldest)
	if b.Lag != nil {
		b.Lag = new(*b.Lag)
	}
	b.Failures = maps.Clone(b.Failures)
	b.Orders = maps.Clone(b.Orders)
	b.Items = maps.Clone(b.Items)
	b.Revenue = maps.Clone(b.Revenue)
	return b
}

// delivery judges the service that buyers know as delivery. What was seen
// longer ago than an order may take to be late says nothing about now.
func (f *Follower) delivery(b exporter.Books) rules.Status {
	if b.LastSuccess.IsZero() || f.now().Sub(b.LastSuccess) > f.ledger.Late {
		return rules.Unknown
	}
	oldest, waits := b.Oldest[rules.Automatic]
	wait := b.LastSuccess.Sub(oldest)
	switch {
	case waits && wait >= f.ledger.Late:
		return rules.Outage
	case waits && wait >= f.ledger.Slow:
		return rules.Degraded
	}
	return rules.Operational
}

// publish makes the poll visible that began then and tells of the moment now.
// After one that failed, the last good values stay.
func (f *Follower) publish(began, now time.Time, err error) {
	took := max(0, f.now().Sub(began))
	next := view{before: f.view.before}
	if err == nil {
		next = f.look(now, took, &now)
	} else {
		f.failures[Reason(err)]++
		next.books = f.view.books
		next.books.Problem, next.books.Up, next.books.PollDuration = problem(err, f.ledger.DSN), false, took
		if next.books.LastSuccess.IsZero() {
			next.books.LastSuccess = next.before
		}
		if next.books.LastSuccess.IsZero() {
			next.books.LastSuccess, next.books.Unread = began, true // so that a wrong password from day one ages into an alert
		}
	}
	next.books.Lag = f.lag
	next.books.Failures = maps.Clone(f.failures)
	switch was := f.view.books; {
	case err != nil && next.books.Problem != was.Problem:
		f.logger.Error("books not read", "reason", Reason(err), "err", next.books.Problem)
	case err == nil && !was.Up:
		f.logger.Info("books read", "open", len(f.state.open), "mark", f.state.mark)
	}
	f.reading.Lock()
	f.view = next
	f.reading.Unlock()
	if err == nil {
		f.once.Do(func() { close(f.good) })
	}
}

// look makes a view of the state. success is when it was read, nil before this
// process's first good poll.
func (f *Follower) look(now time.Time, took time.Duration, success *time.Time) view {
	s := f.state
	b := exporter.Books{
		Shop: f.shop, Software: f.ledger.Software, Moments: f.driver.Traits().Moments, Open: len(s.open), Dropped: s.dropped, NegativeAges: s.negative, Unswept: s.older - s.swept, Typical: f.deliveries.typical(now),
		Up: success != nil, PollDuration: took, Problem: "not read yet",
		Waiting: map[rules.Kind]map[rules.Age]int{}, Oldest: map[rules.Kind]time.Time{},
		Orders: maps.Clone(s.orders), Late: s.late, Items: maps.Clone(s.items), Revenue: maps.Clone(s.revenue),
		UnknownStatuses: s.unknown,
	}
	if success != nil {
		b.Problem, b.LastSuccess = "", *success
	} else if !s.success.IsZero() {
		now = s.success // as old as what is known
	}
	for _, kind := range []rules.Kind{rules.Automatic, rules.Manual} {
		b.Waiting[kind] = map[rules.Age]int{}
		for _, age := range rules.Ages {
			b.Waiting[kind][age] = 0
		}
	}
	oldest := map[rules.Kind]moment{}
	for _, t := range s.open {
		state := t.state()
		kind, waits := state.Waiting()
		if !waits {
			continue
		}
		since := min(t.since, at(now)) // clocks may disagree
		b.Waiting[kind][f.tier(since.ago(now))]++
		if first, some := oldest[kind]; !some || since < first {
			oldest[kind] = since
		}
		if state == exporter.FailedShortOfStock {
			b.ShortOfStock++
		}
	}
	for kind, since := range oldest {
		b.Oldest[kind] = since.time()
	}
	// A series that begins at 1 hides its first step from every rate.
	for _, payment := range s.payments.list {
		for _, event := range rules.OrderEvents {
			b.Orders[exporter.OrderCount{Payment: payment, Event: event}] += 0
		}
	}
	return view{books: b, before: s.success}
}

func (f *Follower) tier(wait time.Duration) rules.Age {
	switch {
	case wait < f.ledger.Late:
		return rules.AgeUnder5m
	case wait < f.ledger.Stuck:
		return rules.Age5to30m
	}
	return rules.AgeOver30m
}
