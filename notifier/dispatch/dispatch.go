// Package dispatch empties the durable outbox: it makes deliveries of notices,
// claims the due ones with the moment at which each may go, sends, retries,
// records, and gives up on those that nothing mends.
//
// The policy stands in one place (judge.go); the channels only say one message
// to one address. A delivery is recorded before its sender takes the next, so a
// process that dies in the middle doubles at most one message a sender, and that
// one carries the same identity. Paces are rows of the outbox, so that replicas
// share them. The room knows no SQL and words nothing.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Channel says one message to one address. It never retries and never paces.
// Send returns nil once the far side accepted; an error that wraps
// notifier.ErrPermanent where no retry helps, notifier.ErrUnsendable where no
// retry of this message does; a *notifier.RetryAfterError where the far side
// named when to come again, a *notifier.MovedError where it named another
// address. Errors hold no secret and no address.
type Channel interface {
	Name() string
	Send(ctx context.Context, address string, m notifier.Message) error
}

// Outbox is the durable side; see notifier/store for what each promises.
type Outbox interface {
	Expand(ctx context.Context, e notifier.Expansion) (notifier.Expanded, error)
	Claim(ctx context.Context, c notifier.Claim) (notifier.Claimed, error)
	Hold(ctx context.Context, deliveries []int64, until time.Time) error
	Finish(ctx context.Context, outcomes []notifier.Outcome) ([]notifier.Ended, error)
	ForgetPaces(ctx context.Context, before time.Time, limit int) (more bool, err error)
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
	leastChunk, mostChunk = 250, 750             // recipients looked at in one transaction
	chunkWithin           = 6 * time.Millisecond // what such a transaction should take: an incident's change waits for it
	sendTimeout           = 30 * time.Second
	sendGrace             = 5 * time.Second // for a message that is on its way as we stop
	lease                 = 2 * time.Minute // renewed while a slow far side needs longer
	firstRetry            = time.Second
	lastRetry             = 5 * time.Minute
	recordWithin          = 10 * time.Second // of one attempt to record outcomes
	stopWithin            = time.Second      // the same while we stop
	idle                  = time.Second      // between looks at an empty outbox that nobody woke
	paceAge               = 48 * time.Hour   // of paces that hold nobody back any more
)

// Config is what a Dispatcher is built of. All fields are required but Jitter.
type Config struct {
	Outbox   Outbox
	Lines    []Line
	Compose  func(notifier.Delivery) (notifier.Message, error)
	Recorder Recorder
	Zone     *time.Location // of quiet hours, and in which days of daily limits begin
	Now      func() time.Time
	Jitter   func() float64 // in [0, 1); default random
	Logger   *slog.Logger
}

// Dispatcher is the running outbox.
type Dispatcher struct {
	cfg      Config
	lines    []*line
	wake     chan struct{}
	finished chan recording
	outage   outage
	sending  atomic.Int64    // senders who say a message or wait until it is recorded
	onItsWay context.Context // of every message that is sent, while Run runs

	unrecorded []recording // when Run has returned: what was said, and could not be recorded
}

// New gives a Dispatcher.
func New(cfg Config) (*Dispatcher, error) {
	if cfg.Outbox == nil || cfg.Compose == nil || cfg.Recorder == nil || cfg.Zone == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("dispatch: outbox, compose, recorder, zone, clock and logger are required")
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	d := &Dispatcher{cfg: cfg, wake: make(chan struct{}, 1), finished: make(chan recording)}
	for _, l := range cfg.Lines {
		if err := l.check(); err != nil {
			return nil, err
		}
		d.lines = append(d.lines, newLine(d, l))
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

// Run empties the outbox until ctx ends. What was being sent then is waited for
// no longer than the channel needs to notice.
func (d *Dispatcher) Run(ctx context.Context) {
	onItsWay, cut := outliving(ctx, sendGrace)
	defer cut()
	d.onItsWay = onItsWay
	var lanes, rest sync.WaitGroup
	rest.Go(func() { d.record(ctx) })
	rest.Go(func() { d.expand(ctx) })
	rest.Go(func() { d.renew(ctx) })
	for _, line := range d.lines {
		for _, l := range line.lanes {
			lanes.Go(func() { l.run(ctx) })
		}
	}
	lanes.Wait()
	close(d.finished)
	rest.Wait()
}

// outliving gives a context that ends a while after another. A stop leaves messages
// that are on their way a while to end: one that is cut off after the far side took
// it would be said again.
func outliving(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		select {
		case <-time.After(while):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, cancel
}

// now is the given clock's, in the zone.
func (d *Dispatcher) now() time.Time { return d.cfg.Now().In(d.cfg.Zone) }

// expand turns notices into deliveries whenever somebody wakes it.
func (d *Dispatcher) expand(ctx context.Context) {
	chunk, forgotten := leastChunk, d.now()
	for ctx.Err() == nil {
		began := time.Now() // how long the database needs, whatever the given clock says
		done, err := d.cfg.Outbox.Expand(ctx, notifier.Expansion{Now: d.now(), Limit: chunk, Channels: d.telling})
		if err != nil && ctx.Err() == nil {
			d.cfg.Logger.Error("outbox not expanded", "err", err)
		}
		d.ended(done.Ended)
		d.wakeLanes()
		switch took := time.Since(began); {
		case !done.More:
		case took > chunkWithin:
			chunk = max(chunk/2, leastChunk)
		case took < chunkWithin/2:
			chunk = min(chunk*3/2, mostChunk)
		}
		if done.More && err == nil {
			continue
		}
		if d.now().Sub(forgotten) > time.Hour {
			more, err := d.cfg.Outbox.ForgetPaces(ctx, d.now().Add(-paceAge), mostChunk)
			if err == nil && !more {
				forgotten = d.now()
			}
		}
		pause(ctx, d.wake, idle)
	}
}

// telling gives the channels that tell an event.
func (d *Dispatcher) telling(event notifier.Event) []string {
	var names []string
	for _, l := range d.lines {
		if l.Tells == nil || l.Tells(event) {
			names = append(names, l.name)
		}
	}
	return names
}

func (d *Dispatcher) wakeLanes() {
	for _, line := range d.lines {
		for _, l := range line.lanes {
			signal(l.wake)
		}
	}
}

// ended records what will never be sent.
func (d *Dispatcher) ended(list []notifier.Ended) {
	for _, e := range list {
		result := Dropped
		if e.State == notifier.Replaced {
			result = Replaced
		}
		for range e.N {
			d.cfg.Recorder.Noticed(e.Channel, e.Audience, result, 0)
		}
		d.cfg.Logger.Info("notices ended unsent", "channel", e.Channel, "audience", e.Audience, "state", e.State, "count", e.N)
	}
}

// renew keeps what we have claimed from others while a far side is slow.
func (d *Dispatcher) renew(ctx context.Context) {
	for pause(ctx, nil, lease/4); ctx.Err() == nil; pause(ctx, nil, lease/4) {
		for _, line := range d.lines {
			for _, l := range line.lanes {
				ids, until := l.holding(), d.now().Add(lease)
				if err := d.cfg.Outbox.Hold(ctx, ids, until); err != nil {
					if ctx.Err() == nil {
						d.cfg.Logger.Warn("leases not renewed", "channel", line.name, "err", err)
					}
					continue
				}
				l.renewed(ids, until)
			}
		}
	}
}

// pause waits for a wake, the limit or the end of ctx.
func pause(ctx context.Context, wake <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}
