package dispatch

import (
	"context"

	"shopwatch/notifier"
)

// recording is what a sender wants to have recorded, and waits for.
type recording struct {
	outcomes []notifier.Outcome
	kept     chan<- bool
}

// mostRecordings is how many senders one transaction serves.
const mostRecordings = 512

// record keeps outcomes, those of many senders in one transaction: while one is
// being written, the next gather. It ends when no sender is left.
func (d *Dispatcher) record(ctx context.Context) {
	for first := range d.finished {
		group := []recording{first}
		outcomes := first.outcomes
	gather:
		for len(group) < mostRecordings {
			select {
			case another, more := <-d.finished:
				if !more {
					break gather
				}
				group, outcomes = append(group, another), append(outcomes, another.outcomes...)
			default:
				break gather
			}
		}
		kept := d.keep(ctx, outcomes)
		for _, r := range group {
			r.kept <- kept
		}
	}
}

// keep records outcomes. What was sent and not recorded would be sent again when
// its lease ends, so a busy store is asked until it answers; while we stop, once
// more and no longer than a second.
func (d *Dispatcher) keep(ctx context.Context, outcomes []notifier.Outcome) bool {
	for wait := firstRetry / 4; ; wait = min(2*wait, recordWithin) {
		within := recordWithin
		if ctx.Err() != nil {
			within = stopWithin
		}
		recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		ended, err := d.cfg.Outbox.Finish(recording, outcomes)
		cancel()
		if err == nil {
			d.ended(ended)
			return true
		}
		d.cfg.Logger.Error("outcomes not recorded", "count", len(outcomes), "err", err)
		if ctx.Err() != nil {
			return false
		}
		pause(ctx, nil, wait)
	}
}
