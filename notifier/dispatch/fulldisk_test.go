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
	// Where there is nothing to claim, a full disk refuses nothing.
	nothing time.Duration
	began   atomic.Pointer[time.Time]
}

func (u *unwritable) fill() {
	now := time.Now()
	if u.began.CompareAndSwap(nil, &now) {
		u.full.Store(true)
	}
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
		if time.Since(*u.began.Load()) < u.nothing {
			return notifier.Claimed{}, nil
		}
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
	const lease, few, many = 2 * time.Minute, 3, 100 // fewer than the senders, who go on looking for more
	for _, c := range []struct {
		replicas, people int
		length, nothing  time.Duration
	}{
		{1, few, time.Minute, 0}, {1, few, 10 * time.Minute, 0}, {1, few, 10 * time.Minute, lease}, {1, many, 10 * time.Minute, 0},
		{2, few, 10 * time.Minute, 0}, {2, few, 10 * time.Minute, lease}, {2, many, 10 * time.Minute, 0}, {2, many, 6 * time.Hour, lease},
	} {
		t.Run(fmt.Sprint(c.replicas, " replicas, ", c.people, " people, ", c.length, ", unnoticed for ", c.nothing), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.subscribers(c.people, notifier.Active, notifier.Wants{})
				w.line.Senders = 16
				disk := &unwritable{Outbox: w.store, nothing: c.nothing}
				w.outboxOf = disk
				w.far.answer = func(context.Context, string, int) error {
					if len(w.far.all()) >= c.people/2 {
						disk.fill()
					}
					return nil
				}
				for range c.replicas {
					w.start()
				}
				w.notify("i1", public(notifier.EventDown))
				time.Sleep(c.length)
				if n := len(w.far.all()); n < c.people/2 {
					t.Fatalf("%d of %d were told before the disk was full", n, c.people)
				}
				disk.full.Store(false)
				time.Sleep(5 * time.Minute)
				told := each(w.far.all())
				for reader, n := range told {
					if n != 1 {
						t.Errorf("%s was told %d times", reader, n)
					}
				}
				if len(told) != c.people {
					t.Errorf("%d of %d were told", len(told), c.people)
				}
			})
		})
	}
}

func TestWhatCouldNotBeRecordedIsNotSaidAgainByTheDispatcherThatFollows(t *testing.T) {
	for _, length := range []time.Duration{10 * time.Second, 10 * time.Minute} {
		t.Run(length.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				const people = 9
				w.subscribers(people, notifier.Active, notifier.Wants{})
				w.line.Senders = 16
				disk := &unwritable{Outbox: w.store}
				w.outboxOf = disk
				w.far.answer = func(context.Context, string, int) error {
					if len(w.far.all()) >= people/2 {
						disk.fill()
					}
					return nil
				}
				w.start()
				w.notify("i1", public(notifier.EventDown))
				time.Sleep(5 * time.Second)
				former := w.running
				w.stop()
				next, err := dispatch.New(w.config(w.line))
				if err != nil {
					t.Fatal(err)
				}
				if err := next.Follow(t.Context(), former); !errors.Is(err, errFull) {
					t.Errorf("while the disk is full, following gave %v", err)
				}
				time.Sleep(length)
				disk.full.Store(false)
				if err := errors.Join(next.Follow(t.Context(), former), w.store.ReleaseLeases(t.Context())); err != nil {
					t.Fatal(err)
				}
				w.run(next)
				time.Sleep(5 * time.Minute)
				told := each(w.far.all())
				for reader, n := range told {
					if n != 1 {
						t.Errorf("%s was told %d times", reader, n)
					}
				}
				if counted := w.recorder.of(dispatch.Accepted); len(told) != people || counted != people {
					t.Errorf("%d of %d were told, and %d counted", len(told), people, counted)
				}
			})
		})
	}
}
