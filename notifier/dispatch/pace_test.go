package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
	"shopwatch/rules"
)

// strict is a far side that takes 30 messages in any second and punishes what
// comes early: it says so, and takes nothing for 5 s.
type strict struct {
	mu     sync.Mutex
	last   []time.Time
	closed time.Time
	early  int
}

func (s *strict) answer(context.Context, string, int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for len(s.last) > 0 && now.Sub(s.last[0]) >= time.Second {
		s.last = s.last[1:]
	}
	if now.Before(s.closed) || len(s.last) >= 30 {
		s.early++
		s.closed = now.Add(5 * time.Second)
		return &notifier.RetryAfterError{After: 5 * time.Second, Whole: true, Err: errors.New("429")}
	}
	s.last = append(s.last, now)
	return nil
}

// rate is how many messages a second came, from the first to the last.
func rate(list []taken) float64 {
	return float64(len(list)-1) / list[len(list)-1].at.Sub(list[0].at).Seconds()
}

func TestServerThatPunishesEarlyTriesSeesNoneAndIsUsedToItsLimit(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.subscribers(200, notifier.Active, notifier.Wants{})
		server := &strict{}
		w.far.answer = server.answer
		w.line.Pace = notifier.PerSecond(30)
		w.start()
		w.notify("i1", public(notifier.EventDown))
		time.Sleep(10 * time.Second)
		got := w.far.all()
		if len(each(got)) != 200 || server.early != 0 {
			t.Fatalf("%d of 200 reached, %d early tries", len(each(got)), server.early)
		}
		if r := rate(got); r < 29 || r > 30 {
			t.Errorf("%.2f messages a second, want 29–30", r)
		}
	})
}

func TestReplicasShareOnePace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.subscribers(200, notifier.Active, notifier.Wants{})
		server := &strict{}
		w.far.answer = server.answer
		w.line.Pace = notifier.PerSecond(30)
		w.start()
		w.start()
		w.notify("i1", public(notifier.EventDown))
		time.Sleep(10 * time.Second)
		got := w.far.all()
		if len(got) != 200 || len(each(got)) != 200 || server.early != 0 {
			t.Fatalf("%d messages reached %d of 200, %d early tries", len(got), len(each(got)), server.early)
		}
		if r := rate(got); r < 29 || r > 30 {
			t.Errorf("%.2f messages a second, want 29–30", r)
		}
	})
}

func TestPeopleOnCallOvertakeThePublicWithinASecond(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(3)
		w.subscribers(300, notifier.Active, notifier.Wants{})
		server := &strict{}
		w.far.answer = server.answer
		w.line.Pace = notifier.PerSecond(30)
		w.start()
		w.notify("i1", public(notifier.EventDown))
		time.Sleep(3 * time.Second)
		asked := time.Now()
		w.notify("i2", ops(notifier.EventDown))
		time.Sleep(15 * time.Second)
		for _, m := range w.far.all() {
			if strings.HasPrefix(m.address, "a") && m.at.Sub(asked) > time.Second {
				t.Errorf("%s on call was told after %s", m.address, m.at.Sub(asked))
			}
		}
		if got := len(each(w.far.all())); got != 303 || server.early != 0 {
			t.Errorf("%d of 303 reached, %d early tries", got, server.early)
		}
	})
}

func TestFloodOfSignUpsAmidAnOutageTakesATenthAndNothingOfThoseOnCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(5)
		flood := w.subscribers(200, notifier.Pending, notifier.Wants{})
		w.line.Pace = notifier.PerSecond(10)
		w.line.Daily = map[notifier.Lane]int{notifier.LaneOnCall: 20, notifier.LanePublic: 300} // confirmations: 30
		w.start()
		var asks []notifier.Notice
		for _, s := range flood {
			asks = append(asks, notifier.Notice{Audience: rules.Subscribers, To: s.ID, Event: notifier.EventConfirm})
		}
		began := time.Now()
		w.notify("", asks...)
		time.Sleep(5 * time.Second)
		for n := range 2 {
			w.notify(fmt.Sprint("i", n), ops(notifier.EventDown))
		}
		time.Sleep(time.Minute)
		calls, confirmations := 0, 0
		for _, m := range w.far.all() {
			if strings.HasPrefix(m.address, "a") {
				calls++
				if after := m.at.Sub(began); after > 7*time.Second {
					t.Errorf("%s on call was told after %s", m.address, after)
				}
				continue
			}
			confirmations++
		}
		if calls != 10 || confirmations != 30 {
			t.Errorf("%d messages to people on call and %d confirmations, want 10 and the day's 30", calls, confirmations)
		}
	})
}

func TestGroupAndMailDomainHaveTheirOwnPaces(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(4)
		w.line.Recipient = func(address string) (string, []notifier.Pace) {
			if address == "a0" {
				return address, []notifier.Pace{notifier.PerSecond(1), {Messages: 20, Per: time.Minute, Burst: 5}}
			}
			return address, nil
		}
		w.line.Domain = func(address string) (string, notifier.Pace) {
			if address == "a0" {
				return "", notifier.Pace{}
			}
			return "Example.org", notifier.Pace{Messages: 2, Per: time.Second}
		}
		w.start()
		for n := range 30 {
			w.notify(fmt.Sprint("i", n), ops(notifier.EventDown))
		}
		time.Sleep(3 * time.Minute)
		within := func(per time.Duration, most int, belongs func(string) bool) {
			t.Helper()
			var list []time.Time
			for _, m := range w.far.all() {
				if belongs(m.address) {
					list = append(list, m.at)
				}
			}
			for i := most; i < len(list); i++ {
				if gap := list[i].Sub(list[i-most]); gap < per {
					t.Errorf("%d messages in %s, want at most %d in %s", most+1, gap, most, per)
				}
			}
		}
		group := func(a string) bool { return a == "a0" }
		within(time.Second, 1, group)
		within(time.Minute, 20, group)
		within(time.Second, 2, func(a string) bool { return !group(a) })
		if counts := each(w.far.all()); counts["a0"] != 30 || counts["a1"] != 30 || counts["a3"] != 30 {
			t.Errorf("reached %v, want each 30 times", counts)
		}
	})
}

// topics has a0 and a1 be two topics of one group.
func topics(address string) (string, []notifier.Pace) {
	if address == "a0" || address == "a1" {
		return "group", []notifier.Pace{notifier.PerSecond(1), {Messages: 20, Per: time.Minute, Burst: 5}}
	}
	return address, nil
}

func TestTopicsOfOneGroupShareItsPace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(3)
		w.line.Recipient = topics
		w.start()
		w.start()
		for n := range 30 {
			w.notify(fmt.Sprint("i", n), ops(notifier.EventDown))
		}
		time.Sleep(5 * time.Minute)
		var list []time.Time
		for _, m := range w.far.all() {
			if m.address != "a2" {
				list = append(list, m.at)
			}
		}
		for i := range list {
			if i >= 1 && list[i].Sub(list[i-1]) < time.Second || i >= 20 && list[i].Sub(list[i-20]) < time.Minute {
				t.Errorf("message %d came %s after the one before, want one a second and twenty a minute", i, list[i].Sub(list[i-1]))
			}
		}
		if counts := each(w.far.all()); counts["a0"] != 30 || counts["a1"] != 30 || counts["a2"] != 30 {
			t.Errorf("reached %v, want each 30 times", counts)
		}
	})
}

func TestTheRestThatAGroupAsksForHoldsForEveryTopic(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(3)
		w.line.Recipient = topics
		var asked time.Time
		var mu sync.Mutex
		w.far.answer = func(_ context.Context, address string, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case address == "a2":
			case asked.IsZero():
				asked = time.Now()
				return &notifier.RetryAfterError{After: 40 * time.Second, Err: errors.New("429")}
			case time.Since(asked) < 40*time.Second:
				t.Errorf("%s was spoken to %s after the group asked for 40 s of rest", address, time.Since(asked))
			}
			return nil
		}
		w.start()
		w.start() // which learns of it from the store
		for n := range 5 {
			w.notify(fmt.Sprint("i", n), ops(notifier.EventDown))
		}
		time.Sleep(20 * time.Second)
		if counts := each(w.far.all()); counts["a2"] != 5 {
			t.Errorf("reached %v amid the rest, want the other chat 5 times", counts)
		}
		time.Sleep(2 * time.Minute)
		if counts := each(w.far.all()); counts["a0"] != 5 || counts["a1"] != 5 {
			t.Errorf("reached %v, want each 5 times", counts)
		}
	})
}

func TestDayLimitOfOneNumberKeepsNobodyElseAndEndsAtMidnight(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.onCall(2)
		w.line.RecipientDaily = 2
		w.far.answer = func(_ context.Context, address string, try int) error {
			if address == "a1" && try == 0 {
				return errors.New("500") // and counts for nothing
			}
			return nil
		}
		time.Sleep(24*time.Hour - 2*time.Minute) // the bubble's clock begins at midnight
		w.start()
		for n := range 3 {
			w.notify(fmt.Sprint("i", n), ops(notifier.EventDown))
		}
		time.Sleep(time.Minute)
		if counts := each(w.far.all()); counts["a0"] != 2 || counts["a1"] != 2 {
			t.Errorf("before midnight: %v, want 2 each", counts)
		}
		time.Sleep(2 * time.Minute)
		if counts := each(w.far.all()); counts["a0"] != 3 || counts["a1"] != 3 {
			t.Errorf("after midnight: %v, want 3 each", counts)
		}
	})
}

func TestSlowFarSideKeepsItsMessagesFromOtherReplicas(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.subscribers(60, notifier.Active, notifier.Wants{})
		w.far.answer = func(ctx context.Context, _ string, _ int) error {
			select {
			case <-time.After(25 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		w.line.Senders = 3 // one of them for the public
		w.start()
		w.start()
		w.notify("i1", public(notifier.EventDown))
		time.Sleep(15 * time.Minute)
		got := w.far.all()
		if len(got) != 60 || len(each(got)) != 60 {
			t.Errorf("%d messages reached %d of 60", len(got), len(each(got)))
		}
	})
}

func TestLineThatCannotServeItsLanesIsRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for want, line := range map[string]dispatch.Line{
			"lacks its channel":              {Senders: 3},
			"got 2 senders, want at least 3": {Channel: w.far, Senders: 2},
			"a pace or limit is below zero":  {Channel: w.far, Senders: 3, Pace: notifier.Pace{Messages: -1}},
		} {
			_, err := dispatch.New(w.config(line))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}
