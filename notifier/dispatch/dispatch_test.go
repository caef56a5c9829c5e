package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
	"shopwatch/rules"
)

func TestOneRefusedAddressHoldsUpNobodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(200)
		w.far.answer = script(map[string][]error{"a3": {fmt.Errorf("550: %w", notifier.ErrPermanent)}})
		w.start()
		w.notify("i1", ops(notifier.EventDown))
		time.Sleep(time.Second)
		if got := len(each(w.far.all())); got != 199 {
			t.Errorf("%d of 199 reached", got)
		}
		if o := w.outbox(); o.Dead != 1 || o.Queued != 0 {
			t.Errorf("outbox %+v", o)
		}
	})
}

func TestServerThatIsAwayForFortySecondsReachesAllAfterwards(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(200)
		back := time.Now().Add(40 * time.Second)
		w.far.answer = func(context.Context, string, int) error {
			if time.Now().Before(back) {
				return errors.New("connection refused")
			}
			return nil
		}
		w.start()
		w.notify("i1", ops(notifier.EventDown)) // 20 s long in the incumbents' test, and over while the server is away
		time.Sleep(90 * time.Second)
		counts := each(w.far.all())
		for i := range 200 {
			if counts[address(i)] != 1 {
				t.Errorf("%s got %d messages, want 1", address(i), counts[address(i)])
			}
		}
	})
}

func TestFarSideThatSaysTryLaterInAnyWordsGetsEveryMessageInTheEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(200)
		w.far.answer = func(_ context.Context, _ string, try int) error {
			words := []error{
				&notifier.RetryAfterError{After: 3 * time.Second, Err: errors.New("429")}, errors.New("451"), errors.New("500"),
			}
			if try < len(words) {
				return words[try]
			}
			return nil
		}
		w.start()
		w.notify("i1", ops(notifier.EventDown))
		time.Sleep(time.Minute)
		if got := len(w.far.all()); got != 200 {
			t.Errorf("%d of 200 reached", got)
		}
	})
}

func TestFarSideThatIsBusyIsTriedAgainWithTheSameIdentity(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(1)
		w.far.answer = script(map[string][]error{"a0": {errors.New("500"), errors.New("500")}})
		w.start()
		w.notify("i1", ops(notifier.EventDown))
		time.Sleep(10 * time.Second)
		if got := w.far.all(); len(got) != 1 || got[0].id != "n1-r1" {
			t.Fatalf("accepted %v", got)
		}
		for i, want := range []time.Duration{1125 * time.Millisecond, 2250 * time.Millisecond} { // 1 s and 2 s, and half of a quarter
			if gap := w.far.began[i+1].Sub(w.far.began[i]); gap < want || gap > want+5*time.Millisecond {
				t.Errorf("try %d came after %s, want %s", i+2, gap, want)
			}
		}
	})
}

func TestRetryAfterOfOneRecipientIsObeyedExactlyAndKeepsNobodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(2)
		w.far.answer = script(map[string][]error{"a0": {&notifier.RetryAfterError{After: 17 * time.Second, Err: errors.New("429")}}})
		w.start()
		began := time.Now()
		w.notify("i1", ops(notifier.EventDown))
		time.Sleep(time.Second)
		w.notify("i2", ops(notifier.EventDown)) // nothing else goes to a0 either
		time.Sleep(time.Minute)
		for _, m := range w.far.all() {
			after := m.at.Sub(began)
			if m.address == "a1" && after > 2*time.Second {
				t.Errorf("the other recipient waited %s", after)
			}
			if m.address == "a0" && (after < 17*time.Second || after > 18*time.Second) {
				t.Errorf("%s came after %s, want 17 s", m.id, after)
			}
		}
		if got := len(w.far.all()); got != 4 {
			t.Errorf("%d accepted, want 4", got)
		}
	})
}

func TestRetryAfterOfTheWholeChannelIsObeyedByAllAndAcrossARestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(50)
		began := time.Now()
		until := began.Add(3 * time.Minute)
		early := 0
		w.far.answer = func(_ context.Context, _ string, _ int) error {
			if time.Now().Before(until) {
				early++
				return &notifier.RetryAfterError{After: time.Until(until), Whole: true, Err: errors.New("429")}
			}
			return nil
		}
		w.line.Senders = 3 // one of them for people on call
		w.start()
		w.notify("i1", ops(notifier.EventDown))
		time.Sleep(time.Minute)
		w.stop()
		w.start()
		time.Sleep(3 * time.Minute)
		if early != 1 {
			t.Errorf("%d tries at a far side that stopped the whole channel, want the 1 that it answered so", early)
		}
		if got := w.far.all(); len(got) != 50 || got[0].at.Before(until) {
			t.Errorf("%d of 50 reached", len(got))
		}
	})
}

func TestWhatWasUnsentAtAStopIsSentAfterTheNextStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(1)
		w.far.answer = script(map[string][]error{"a0": {errors.New("away")}})
		w.start()
		w.notify("i1", ops(notifier.EventDown))
		time.Sleep(100 * time.Millisecond)
		w.stop()
		w.store.Close()
		w.store = w.place.Open(t)
		time.Sleep(time.Minute)
		w.start()
		time.Sleep(time.Second)
		if got := w.far.all(); len(got) != 1 || got[0].id != "n1-r1" {
			t.Errorf("accepted %v", got)
		}
	})
}

func TestMessageThatIsOnItsWayAtAStopIsFinishedAndNotSaidAgain(t *testing.T) {
	for name, c := range map[string]struct {
		takes, stops time.Duration // until the far side answers, and until we have stopped
		tries        int
	}{
		"a slow server":           {3 * time.Second, 3 * time.Second, 1},
		"a server that holds us":  {20 * time.Second, 6 * time.Second, 2},
		"a server that is silent": {time.Hour, 6 * time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.onCall(1)
				w.far.answer = func(ctx context.Context, _ string, try int) error {
					if try > 0 {
						return nil
					}
					select {
					case <-time.After(c.takes):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				w.start()
				w.notify("i1", ops(notifier.EventDown))
				time.Sleep(100 * time.Millisecond)
				began := time.Now()
				w.stop()
				if took := time.Since(began); took > c.stops {
					t.Errorf("the stop took %s, want at most %s", took, c.stops)
				}
				w.start()
				time.Sleep(time.Minute)
				if got := w.far.all(); len(got) != 1 || w.far.tries[address(0)] != c.tries {
					t.Errorf("accepted %v after %d tries, want one after %d", got, w.far.tries[address(0)], c.tries)
				}
			})
		})
	}
}

func TestUselessNoticesEndWithARecord(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(1)
		w.start()
		w.notify("i1", notifier.Notice{Audience: rules.Ops, Event: notifier.EventDown, Facts: notifier.Facts{Title: rules.Text{EN: "unwordable"}}})
		time.Sleep(time.Second)
		w.stop()
		w.notify("i2", ops(notifier.EventDown))
		time.Sleep(25 * time.Hour) // the machine was off for a day
		w.start()
		time.Sleep(time.Second)
		if got := w.far.all(); len(got) != 0 {
			t.Errorf("sent %v", got)
		}
		if o := w.outbox(); o.Dead != 1 || o.Queued != 0 || w.recorder.of(dispatch.GivenUp) != 1 || w.recorder.of(dispatch.Dropped) != 1 {
			t.Errorf("outbox %+v, recorded %v", o, w.recorder.results)
		}
	})
}

func TestMessageFollowsAnAddressThatMoves(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(2)
		w.far.answer = func(_ context.Context, address string, _ int) error {
			if address == "a0" {
				return &notifier.MovedError{To: "b0", Err: errors.New("migrated")}
			}
			return nil
		}
		w.start()
		w.notify("i1", ops(notifier.EventDown))
		w.notify("i2", ops(notifier.EventDown))
		time.Sleep(10 * time.Second)
		if counts := each(w.far.all()); counts["b0"] != 2 || counts["a1"] != 2 || counts["a0"] != 0 {
			t.Errorf("reached %v", counts)
		}
	})
}

func TestMessageThatNobodyTakesIsGivenUpAndTheAddressStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.subscribers(2, notifier.Active, notifier.Wants{})
		w.far.answer = script(map[string][]error{
			"s0": {fmt.Errorf("template: %w", notifier.ErrUnsendable)}, "s1": {fmt.Errorf("blocked: %w", notifier.ErrPermanent)},
		})
		w.start()
		w.notify("i1", public(notifier.EventDown))
		time.Sleep(time.Second)
		w.notify("i2", public(notifier.EventDown))
		time.Sleep(time.Second)
		if counts := each(w.far.all()); counts["s0"] != 1 || counts["s1"] != 0 {
			t.Errorf("reached %v, want the first alone", counts)
		}
		letters, err := w.store.DeadLetters(t.Context(), 0, 10)
		if err != nil || len(letters) != 2 {
			t.Fatalf("dead letters %+v, %v", letters, err)
		}
		n, err := w.store.Resend(t.Context(), time.Now(), []int64{letters[0].Delivery, letters[1].Delivery})
		if err != nil || n != 2 {
			t.Fatalf("sent again: %d, %v", n, err)
		}
		time.Sleep(2 * time.Second)
		if counts := each(w.far.all()); counts["s0"] != 2 || counts["s1"] != 1 {
			t.Errorf("after sending again: %v", counts)
		}
	})
}
