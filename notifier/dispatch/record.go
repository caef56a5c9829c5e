package dispatch

import (
	"context"
	"time"

	"shopwatch/notifier"
)

// recording is what a sender wants to have recorded, and waits for.
type recording struct {
	outcomes []notifier.Outcome
	noticed  func() // tells the recorder, once it is kept
	kept     chan<- bool
}

// mostRecordings is how many senders one transaction serves.
const mostRecordings = 512

// worthWaiting is how many must be sending for a commit to wait for them.
const worthWaiting = 16

// gatherWithin is how long the first of a group waits for others who are about
// to be done: a commit costs more than what it records.
const gatherWithin = 2 * time.Millisecond

// record keeps outcomes, those of many senders in one transaction: while one is
// being written, the next gather. It ends when no sender is left.
func (d *Dispatcher) record(ctx context.Context) {
	for first := range d.finished {
		group := d.gather(first)
		var outcomes []notifier.Outcome
		for _, r := range group {
			outcomes = append(outcomes, r.outcomes...)
		}
		kept := d.keep(ctx, outcomes)
		if !kept {
			d.unrecorded = append(d.unrecorded, group...)
		}
		for _, r := range group {
			r.kept <- kept
		}
	}
}

// Follow has a dispatcher go on in the same process where another has stopped, for
// as long as the store refuses as often as it is asked: it records what that one
// said and could not record, which would be said again else, and knows whether the
// store was away. Call it before Run, once the other's Run has returned.
func (d *Dispatcher) Follow(ctx context.Context, former *Dispatcher) error {
	var outcomes []notifier.Outcome
	for _, r := range former.unrecorded {
		outcomes = append(outcomes, r.outcomes...)
	}
	ended, err := d.cfg.Outbox.Finish(ctx, outcomes) // also of nothing, to hear how the store is
	if ctx.Err() == nil {
		former.outage.note(d.now(), err)
	}
	if err != nil {
		return err
	}
	former.ended(ended)
	for _, r := range former.unrecorded {
		r.noticed()
	}
	former.unrecorded = nil
	d.outage.follow(&former.outage)
	return nil
}

// gather joins what others have to record to the first. It waits for nobody
// where hardly anybody else is sending.
func (d *Dispatcher) gather(first recording) []recording {
	group := []recording{first}
	if d.sending.Load() < worthWaiting {
		return d.gatherReady(group)
	}
	limit := time.NewTimer(gatherWithin)
	defer limit.Stop()
	for len(group) < min(mostRecordings, int(d.sending.Load())) {
		select {
		case another, more := <-d.finished:
			if !more {
				return group
			}
			group = append(group, another)
		case <-limit.C:
			return group
		}
	}
	return group
}

// gatherReady joins those who are done already.
func (d *Dispatcher) gatherReady(group []recording) []recording {
	for len(group) < mostRecordings {
		select {
		case another, more := <-d.finished:
			if !more {
				return group
			}
			group = append(group, another)
		default:
			return group
		}
	}
	return group
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
		d.outage.note(d.now(), err)
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
