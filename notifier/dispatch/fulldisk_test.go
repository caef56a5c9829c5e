package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
)

// unwritable is an outbox whose disk can be full.
type unwritable struct {
	dispatch.Outbox

	full atomic.Bool
}

var errFull = errors.New("the disk is full")

func (u *unwritable) Expand(ctx context.Context, e notifier.Expansion) (notifier.Expanded, error) {
	if u.full.Load() {
		return notifier.Expanded{}, errFull
	}
	return u.Outbox.Expand(ctx, e)
}

func (u *unwritable) Claim(ctx context.Context, c notifier.Claim) (notifier.Claimed, error) {
	if u.full.Load() {
		return notifier.Claimed{}, errFull
	}
	return u.Outbox.Claim(ctx, c)
}

func (u *unwritable) Hold(ctx context.Context, deliveries []int64, until time.Time) error {
	if u.full.Load() {
		return errFull
	}
	return u.Outbox.Hold(ctx, deliveries, until)
}

func (u *unwritable) Finish(ctx context.Context, outcomes []notifier.Outcome) ([]notifier.Ended, error) {
	if u.full.Load() {
		return nil, errFull
	}
	return u.Outbox.Finish(ctx, outcomes)
}

func TestWhatWasSaidBeforeTheDiskWasFullIsNotSaidAgainHoweverLongItIsFull(t *testing.T) {
	const senders = 16
	for _, people := range []int{3, 100} { // fewer than senders, who go on looking for more, and many more
		for _, length := range []time.Duration{time.Minute, 10 * time.Minute, 6 * time.Hour} { // a lease is two minutes
			t.Run(fmt.Sprint(people, " people ", length), func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					w.subscribers(people, notifier.Active, notifier.Wants{})
					w.line.Senders = senders
					disk := &unwritable{Outbox: w.store}
					w.outboxOf = disk
					w.far.answer = func(context.Context, string, int) error {
						if len(w.far.all()) >= people/2 {
							disk.full.Store(true)
						}
						return nil
					}
					w.start()
					w.notify("i1", public(notifier.EventDown))
					time.Sleep(length)
					if n := len(w.far.all()); n < people/2 {
						t.Fatalf("%d of %d were told before the disk was full", n, people)
					}
					w.far.answer = nil
					disk.full.Store(false)
					time.Sleep(5 * time.Minute)
					told := each(w.far.all())
					for reader, n := range told {
						if n != 1 {
							t.Errorf("%s was told %d times", reader, n)
						}
					}
					if len(told) != people {
						t.Errorf("%d of %d were told", len(told), people)
					}
				})
			})
		}
	}
}
