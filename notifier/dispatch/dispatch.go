// Package dispatch empties the durable outbox: it makes deliveries of notices,
// claims the due ones, paces them, sends, retries, records, and gives up on
// those that nothing mends.
//
// The policy stands in one place (judge); the channels only say one message to
// one address. A delivery is recorded before its sender takes the next, so a
// process that dies in the middle doubles at most one message a sender, and that
// one carries the same identity. The room knows no SQL and words nothing.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Channel says one message to one address. It never retries and never paces.
// Send returns nil once the far side accepted; an error that wraps
// notifier.ErrPermanent where no retry helps; a *notifier.RetryAfterError where
// the far side named when to come again. Errors hold no secret and no address.
type Channel interface {
	Name() string
	Send(ctx context.Context, address string, m notifier.Message) error
}

// Outbox is the durable side; see notifier/store for what each promises.
type Outbox interface {
	Expand(ctx context.Context, now time.Time, limit int) (more bool, err error)
	Claim(ctx context.Context, channel string, now time.Time, lease time.Duration, limit int) ([]notifier.Delivery, error)
	Finish(ctx context.Context, outcomes []notifier.Outcome) error
	NextDue(ctx context.Context, channel string) (time.Time, error)
}

// Recorder hears what became of each try, for metrics.
type Recorder interface {
	Noticed(channel string, audience rules.Audience, result Result, delay time.Duration)
}

// Result is the value of label result.
type Result string

// The results of a try, and of deliveries that end without one.
const (
	Accepted Result = "accepted"
	Retried  Result = "retried"
	GivenUp  Result = "given_up"
	Dropped  Result = "dropped"  // too old to be of use, or whom it was for left
	Replaced Result = "replaced" // by the recovery that tells all of it
)

// Results lists every result.
var Results = []Result{Accepted, Retried, GivenUp, Dropped, Replaced}

// Limits of the outbox.
const (
	chunk        = 1000 // deliveries made in one transaction
	sendTimeout  = 30 * time.Second
	lease        = 2 * time.Minute // longer than pace and timeout let one message take
	maxAge       = 24 * time.Hour  // of a notice that is still worth sending
	firstRetry   = time.Second
	lastRetry    = 5 * time.Minute
	recordWithin = 10 * time.Second // of one attempt to record an outcome
	idle         = time.Second      // between looks at an empty outbox that nobody woke
)

// Config is what a Dispatcher is built of. All fields are required.
type Config struct {
	Outbox   Outbox
	Lines    []Line
	Compose  func(notifier.Delivery) (notifier.Message, error)
	Recorder Recorder
	Now      func() time.Time
	Jitter   func() float64 // in [0, 1)
	Logger   *slog.Logger
}

// Dispatcher is the running outbox.
type Dispatcher struct {
	cfg   Config
	lanes []*lane
	wake  chan struct{}
}

type lane struct {
	Line
	limiter *rate.Limiter
	wake    chan struct{}

	mu      sync.Mutex
	blocked time.Time // the far side stopped the whole channel until then
}

// New gives a Dispatcher.
func New(cfg Config) (*Dispatcher, error) {
	if cfg.Outbox == nil || cfg.Compose == nil || cfg.Recorder == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("dispatch: outbox, compose, recorder, clock and logger are required")
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	d := &Dispatcher{cfg: cfg, wake: make(chan struct{}, 1)}
	for _, l := range cfg.Lines {
		if err := l.check(); err != nil {
			return nil, err
		}
		pace := rate.Inf
		if l.Pace.Limited() {
			pace = rate.Every(l.Pace.Interval())
		}
		d.lanes = append(d.lanes, &lane{Line: l, limiter: rate.NewLimiter(pace, 1), wake: make(chan struct{}, 1)})
	}
	return d, nil
}

// Wake says that there is something new in the outbox.
func (d *Dispatcher) Wake() { signal(d.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run empties the outbox until ctx ends. What was being sent then is waited
// for no longer than the channel needs to notice.
func (d *Dispatcher) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, l := range d.lanes {
		running.Go(func() { d.runLane(ctx, l) })
	}
	d.expand(ctx)
	running.Wait()
}

// expand turns notices into deliveries whenever somebody wakes it.
func (d *Dispatcher) expand(ctx context.Context) {
	for ctx.Err() == nil {
		more, err := d.cfg.Outbox.Expand(ctx, d.cfg.Now(), chunk)
		if err != nil && ctx.Err() == nil {
			d.cfg.Logger.Error("outbox not expanded", "err", err)
		}
		for _, l := range d.lanes {
			signal(l.wake)
		}
		if !more {
			d.pause(ctx, d.wake, idle)
		}
	}
}

func (d *Dispatcher) pause(ctx context.Context, wake <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// runLane claims no more than there are free senders, so that a slow far side
// holds up its own messages and nobody else's.
func (d *Dispatcher) runLane(ctx context.Context, l *lane) {
	name := l.Channel.Name()
	free := make(chan struct{}, l.Senders)
	for range l.Senders {
		free <- struct{}{}
	}
	var senders sync.WaitGroup
	defer senders.Wait()
	for ctx.Err() == nil {
		now := d.cfg.Now()
		if wait := l.until().Sub(now); wait > 0 {
			d.pause(ctx, nil, wait)
			continue
		}
		select {
		case <-free:
		case <-ctx.Done():
			return
		}
		claimed, err := d.cfg.Outbox.Claim(ctx, name, now, lease, 1+len(free))
		if err != nil && ctx.Err() == nil {
			d.cfg.Logger.Error("deliveries not claimed", "channel", name, "err", err)
		}
		if len(claimed) == 0 {
			free <- struct{}{}
			d.pause(ctx, l.wake, d.untilDue(ctx, name, now))
			continue
		}
		for i, delivery := range claimed {
			if i > 0 {
				<-free // there were that many, and only this loop takes them
			}
			senders.Go(func() {
				d.deliver(ctx, l, delivery)
				free <- struct{}{}
				signal(l.wake) // what waited for this delivery may be due now
			})
		}
	}
}

// untilDue is how long the lane may sleep.
func (d *Dispatcher) untilDue(ctx context.Context, channel string, now time.Time) time.Duration {
	due, err := d.cfg.Outbox.NextDue(ctx, channel)
	if err != nil || due.IsZero() {
		return idle
	}
	return min(max(due.Sub(now), 10*time.Millisecond), idle)
}

func (d *Dispatcher) deliver(ctx context.Context, l *lane, delivery notifier.Delivery) {
	if err := l.limiter.Wait(ctx); err != nil {
		return // stopping: the lease is released at the next start
	}
	now := d.cfg.Now()
	if until := l.until(); until.After(now) {
		d.finish(ctx, l, delivery, notifier.Outcome{Delivery: delivery.ID, State: notifier.Queued, At: now, Next: until, Problem: "the channel is paused by the far side"}, Retried)
		return
	}
	outcome, result := d.try(ctx, l, delivery, now)
	if result == Retried && ctx.Err() != nil {
		return // cut off by our own stop: not the far side's fault, and due again at the next start
	}
	d.finish(ctx, l, delivery, outcome, result)
}

// finish records an outcome. What was sent and not recorded would be sent again
// when its lease ends, so a busy store is asked until it answers; while we stop,
// once more and no longer than a second.
func (d *Dispatcher) finish(ctx context.Context, l *lane, delivery notifier.Delivery, outcome notifier.Outcome, result Result) {
	for wait := firstRetry; ; wait = min(2*wait, recordWithin) {
		within := recordWithin
		if ctx.Err() != nil {
			within = time.Second
		}
		recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		err := d.cfg.Outbox.Finish(recording, []notifier.Outcome{outcome})
		cancel()
		if err == nil {
			break
		}
		d.cfg.Logger.Error("outcome not recorded", "notice", delivery.Identity(), "channel", l.Channel.Name(), "err", err)
		if ctx.Err() != nil {
			return
		}
		d.pause(ctx, nil, wait)
	}
	d.cfg.Recorder.Noticed(l.Channel.Name(), delivery.Notice.Audience, result, outcome.At.Sub(delivery.Notice.Facts.AlertStart))
}

func (d *Dispatcher) try(ctx context.Context, l *lane, delivery notifier.Delivery, now time.Time) (notifier.Outcome, Result) {
	if now.Sub(delivery.Notice.At) > maxAge {
		return notifier.Outcome{Delivery: delivery.ID, State: notifier.Dead, At: now, Problem: "older than " + maxAge.String()}, GivenUp
	}
	message, err := d.cfg.Compose(delivery)
	if err != nil { // our mistake, not the recipient's
		d.cfg.Logger.Error("notice not worded", "notice", delivery.Identity(), "err", err)
		return notifier.Outcome{Delivery: delivery.ID, State: notifier.Dead, At: now, Problem: err.Error()}, GivenUp
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err = l.Channel.Send(ctx, delivery.Recipient.Address, message)
	outcome, result := d.judge(l, delivery, d.cfg.Now(), err)
	if err != nil {
		d.cfg.Logger.Warn("notice not delivered", "notice", delivery.Identity(), "channel", l.Channel.Name(),
			"attempt", delivery.Attempts+1, "state", outcome.State, "next", outcome.Next, "err", err)
	}
	return outcome, result
}

// judge is the whole policy: accepted is sent; permanent is dead and the
// address with it; "retry after" is obeyed exactly; all else is tried again
// after twice as long as before, at most 5 min, with up to a quarter of jitter.
func (d *Dispatcher) judge(l *lane, delivery notifier.Delivery, now time.Time, err error) (notifier.Outcome, Result) {
	outcome := notifier.Outcome{Delivery: delivery.ID, At: now}
	var after *notifier.RetryAfterError
	switch {
	case err == nil:
		outcome.State = notifier.Sent
		return outcome, Accepted
	case errors.Is(err, notifier.ErrPermanent):
		outcome.State, outcome.Problem, outcome.Deactivate = notifier.Dead, err.Error(), true
		return outcome, GivenUp
	case errors.As(err, &after):
		outcome.Next = now.Add(after.After)
		if after.Whole {
			l.block(outcome.Next)
		}
	default:
		wait := firstRetry << min(delivery.Attempts, 16)
		wait = min(wait, lastRetry)
		outcome.Next = now.Add(wait + time.Duration(d.cfg.Jitter()*float64(wait)/4))
	}
	outcome.State, outcome.Problem = notifier.Queued, err.Error()
	return outcome, Retried
}

func (l *lane) until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blocked
}

func (l *lane) block(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.blocked) {
		l.blocked = until
	}
}
