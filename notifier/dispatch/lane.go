package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"shopwatch/notifier"
)

// lane is one lane of a line, with senders of its own.
type lane struct {
	dispatcher *Dispatcher
	line       *line
	lane       notifier.Lane
	senders    int
	horizon    time.Duration
	shared     []notifier.Scope
	wake       chan struct{}

	mu   sync.Mutex
	held map[int64]time.Time // deliveries that are ours, and until when
}

// run claims ahead by no more than the horizon, and hands each delivery to a free
// sender at its moment.
func (l *lane) run(ctx context.Context) {
	work := make(chan notifier.Delivery, l.senders)
	var senders sync.WaitGroup
	for range l.senders {
		senders.Go(func() {
			for delivery := range work {
				l.deliver(ctx, delivery)
				signal(l.wake) // what waited for this one may be due now
			}
		})
	}
	defer l.giveBackAll(ctx)
	defer senders.Wait()
	defer close(work)
	var pending []notifier.Delivery
	for ctx.Err() == nil {
		now := l.dispatcher.now()
		var next time.Time
		if l.low(pending, now) {
			claimed, err := l.claim(ctx, now)
			if err != nil {
				pause(ctx, nil, idle)
				continue
			}
			pending, next = append(pending, claimed.Deliveries...), claimed.Next
		}
		if len(pending) == 0 {
			if wait := l.until(next, now); wait > 0 {
				pause(ctx, l.wake, wait)
			}
			continue
		}
		if wait := pending[0].At.Sub(now); wait > 0 {
			pause(ctx, nil, wait)
			continue
		}
		select {
		case work <- pending[0]:
			pending = pending[1:]
		case <-ctx.Done():
		}
	}
}

// batch is how many deliveries are claimed at once.
func (l *lane) batch() int { return min(max(4*l.senders, 16), 512) }

// low reports whether it is time to claim more.
func (l *lane) low(pending []notifier.Delivery, now time.Time) bool {
	return len(pending) == 0 || len(pending) <= l.batch()/4 && pending[len(pending)-1].At.Sub(now) < l.horizon/2
}

// until is how long the lane may sleep.
func (l *lane) until(next, now time.Time) time.Duration {
	if next.IsZero() {
		return idle
	}
	return min(next.Sub(now), idle)
}

func (l *lane) claim(ctx context.Context, now time.Time) (notifier.Claimed, error) {
	claimed, err := l.dispatcher.cfg.Outbox.Claim(ctx, notifier.Claim{
		Channel: l.line.name, Lane: l.lane, Now: now, Horizon: l.horizon, Lease: lease, Lapsed: l.dispatcher.outage.lapsed(now), Limit: l.batch(),
		Whole: l.line.whole, Shared: l.shared, Own: func(address string) []notifier.Scope { return l.line.own(l.lane, address) },
	})
	if ctx.Err() == nil {
		l.dispatcher.outage.note(now, err)
	}
	if err != nil {
		if ctx.Err() == nil {
			l.dispatcher.cfg.Logger.Error("deliveries not claimed", "channel", l.line.name, "err", err)
		}
		return claimed, err
	}
	l.dispatcher.ended(claimed.Ended)
	l.warn(claimed.Spent, now)
	claimed.Deliveries = l.hold(claimed.Deliveries, now.Add(lease))
	return claimed, nil
}

// hold keeps what was claimed, and gives what of it is new. The rest was ours all
// the time and has yet to be recorded: the store was away, or full, until the
// lease ended, and to say it again would double it.
func (l *lane) hold(claimed []notifier.Delivery, until time.Time) []notifier.Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := claimed[:0]
	for _, delivery := range claimed {
		ours := false
		for _, id := range all(delivery) {
			if _, still := l.held[id]; still {
				l.held[id], ours = until, true
			}
		}
		if ours {
			continue
		}
		for _, id := range all(delivery) {
			l.held[id] = until
		}
		fresh = append(fresh, delivery)
	}
	return fresh
}

// all gives the IDs of the deliveries that one message ends.
func all(d notifier.Delivery) []int64 { return append([]int64{d.ID}, d.Together...) }

// warn says once a day that a day's limit holds messages back.
func (l *lane) warn(spent []string, now time.Time) {
	l.line.mu.Lock()
	defer l.line.mu.Unlock()
	today := now.Format(time.DateOnly)
	for _, scope := range spent {
		if l.line.spent[scope] != today {
			l.line.spent[scope] = today
			l.dispatcher.cfg.Logger.Warn("the limit of today is used up: messages wait until midnight", "channel", l.line.name, "scope", scope)
		}
	}
}

// holding gives what is ours now.
func (l *lane) holding() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]int64, 0, len(l.held))
	for id := range l.held {
		ids = append(ids, id)
	}
	return ids
}

// renewed keeps until when it is ours, of what still is.
func (l *lane) renewed(ids []int64, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		if _, still := l.held[id]; still {
			l.held[id] = until
		}
	}
}

func (l *lane) forget(d notifier.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range all(d) {
		delete(l.held, id)
	}
}

// ours reports whether a delivery stays ours for as long as sending may take.
func (l *lane) ours(d notifier.Delivery, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[d.ID].After(now.Add(sendTimeout))
}

// giveBack leaves deliveries to whoever claims next.
func (l *lane) giveBack(ctx context.Context, ids []int64) {
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := l.dispatcher.cfg.Outbox.Hold(recording, ids, time.Time{}); err != nil {
		l.dispatcher.cfg.Logger.Warn("deliveries not given back: they wait until their lease ends", "channel", l.line.name, "count", len(ids), "err", err)
	}
}

func (l *lane) giveBackAll(ctx context.Context) { l.giveBack(ctx, l.holding()) }

// deliver says one message, once it may, and records what became of it before
// the sender takes the next.
func (l *lane) deliver(ctx context.Context, d notifier.Delivery) {
	message, err := l.dispatcher.cfg.Compose(d)
	if err != nil { // our mistake, not the recipient's
		l.dispatcher.cfg.Logger.Error("notice not worded", "notice", d.Identity(), "err", err)
		l.finish(ctx, d, notifier.Outcome{State: notifier.Dead, At: l.dispatcher.now(), Problem: err.Error(), Unspent: l.daily(d.Recipient.Address)}, GivenUp)
		return
	}
	message.Unclear = d.Unclear
	for ctx.Err() == nil {
		now := l.dispatcher.now()
		if !l.ours(d, now) {
			l.forget(d) // we slept; somebody else may have it
			return
		}
		if l.line.stopped(now, d.Recipient.Address) {
			l.forget(d)
			l.giveBack(ctx, all(d))
			return
		}
		wait := l.line.gate.pass(now)
		if wait == 0 {
			break
		}
		pause(ctx, nil, wait)
	}
	if ctx.Err() != nil {
		return // given back as the lane ends
	}
	l.dispatcher.sending.Add(1)
	defer l.dispatcher.sending.Add(-1)
	outcome, result, cut := l.try(d, message)
	if result == Retried && cut && outcome.Unclear == d.Unclear {
		return // by our own stop: not the far side's fault
	}
	l.finish(ctx, d, outcome, result)
}

func (l *lane) try(d notifier.Delivery, m notifier.Message) (_ notifier.Outcome, _ Result, cut bool) {
	sending, cancel := context.WithTimeout(l.dispatcher.onItsWay, sendTimeout)
	defer cancel()
	err := l.line.Channel.Send(sending, d.Recipient.Address, m)
	outcome, result := l.judge(d, l.dispatcher.now(), err)
	if err != nil {
		l.dispatcher.cfg.Logger.Warn("notice not delivered", "notice", d.Identity(), "channel", l.line.name,
			"attempt", d.Attempts+1, "state", outcome.State, "next", outcome.Next, "err", err)
	}
	return outcome, result, errors.Is(sending.Err(), context.Canceled)
}

// finish records one outcome for all that the message was to end.
func (l *lane) finish(ctx context.Context, d notifier.Delivery, outcome notifier.Outcome, result Result) {
	var outcomes []notifier.Outcome
	for _, id := range all(d) {
		outcome.Delivery = id
		outcomes = append(outcomes, outcome)
		outcome.Unspent = nil // once
	}
	noticed := func() {
		began := d.Notice.Facts.AlertStart
		if began.IsZero() {
			began = d.Notice.At
		}
		l.dispatcher.cfg.Recorder.Noticed(l.line.name, d.Notice.Audience, result, outcome.At.Sub(began))
	}
	kept := make(chan bool, 1)
	l.dispatcher.finished <- recording{outcomes: outcomes, noticed: noticed, kept: kept}
	recorded := <-kept
	l.forget(d) // where we stop without having recorded it, too: given back, it would be said again at once
	if recorded {
		noticed()
	}
}
