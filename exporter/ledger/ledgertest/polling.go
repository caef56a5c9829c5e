package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pgregory.net/rapid"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// What a follower does in a history, and what happens to it: it polls, stumbles,
// dies and begins anew, and counts all the same.

// poll is a poll that succeeds.
func (h *history) poll(rt *rapid.T) {
	h.driver.attend(nil, 0)
	if err := h.follower.Poll(context.Background()); err != nil {
		rt.Fatalf("poll: %v", err)
	}
	h.polled(rt)
}

func (h *history) polled(rt *rapid.T) {
	h.census.poll(h.now, h.driver.shown)
	b := h.follower.Books()
	if !b.Up || b.Problem != "" || !b.LastSuccess.Equal(h.now) {
		rt.Fatalf("after a good poll at %v: up %v, problem %q, last success %v", h.now, b.Up, b.Problem, b.LastSuccess)
	}
	h.compare(rt)
	if err := h.waiting(b, h.now); err != nil {
		rt.Fatal(err)
	}
}

var errLost = &ledger.Error{Reason: rules.LedgerAway, Err: errors.New("connection lost")}

// stumble is a poll in the middle of which a call fails, its answer is lost, or
// the process is told to stop.
func (h *history) stumble(rt *rapid.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	how := rapid.SampledFrom([]string{"question lost", "answer lost", "stopped"}).Draw(rt, "how")
	before := h.follower.Books()
	h.driver.attend(func(ask func() error) error {
		switch how {
		case "stopped":
			cancel()
			return ask()
		case "answer lost":
			_ = ask()
		}
		return errLost
	}, rapid.IntRange(1, 6).Draw(rt, "call"))
	err := h.follower.Poll(ctx)
	if err == nil {
		h.polled(rt)
		return
	}
	h.halfPoll(h.now, h.driver.shown)
	b := h.follower.Books()
	if how == "stopped" {
		if b.Up != before.Up || b.Problem != before.Problem || !b.LastSuccess.Equal(before.LastSuccess) {
			rt.Fatalf("being stopped says something about the book: %+v", b)
		}
		return
	}
	if b.Up || b.Problem == "" || !b.LastSuccess.Equal(before.LastSuccess) && !before.LastSuccess.IsZero() {
		rt.Fatalf("after a poll that failed: up %v, problem %q, last success %v", b.Up, b.Problem, b.LastSuccess)
	}
	if got, want := fmt.Sprint(b.Orders, b.Waiting, b.Late), fmt.Sprint(before.Orders, before.Waiting, before.Late); got != want {
		rt.Fatalf("after a poll that failed the last good values are %s, want %s", got, want)
	}
}

// die is a poll in the middle of which the process is killed: the next one finds
// the state as it was stored last.
func (h *history) die(rt *rapid.T) {
	const name = "ledger-shop.json"
	old, dir := h.config.Dir, h.newDir()
	leave := func() {
		state, err := os.ReadFile(filepath.Join(old, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), state, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			h.t.Fatal(err)
		}
	}
	died := false
	h.driver.attend(func(func() error) error {
		if !died {
			leave()
		}
		died = true
		return errLost
	}, rapid.IntRange(1, 6).Draw(rt, "call"))
	h.driver.forGood = true
	if err := h.follower.Poll(context.Background()); err == nil && !died {
		h.polled(rt)
	}
	if !died {
		leave()
	}
	if err := h.follower.Close(); err != nil {
		rt.Fatal(err)
	}
	h.begin(dir)
	h.compare(rt)
}

func (h *history) restart(rt *rapid.T) {
	if err := h.follower.Close(); err != nil {
		rt.Fatal(err)
	}
	h.begin(h.config.Dir)
	h.compare(rt)
}

// compare compares the counters with the truth and with what was told before:
// a counter never goes back.
func (h *history) compare(rt *rapid.T) {
	b := h.follower.Books()
	if err := errors.Join(h.counted(b), h.untrue); err != nil {
		rt.Fatal(err)
	}
	for key, n := range h.told {
		if b.Orders[key] < n {
			rt.Fatalf("%v went back from %d to %d", key, n, b.Orders[key])
		}
	}
	h.told = b.Orders
}

// Delivered and Paid look whether there is an order that took as long.
func (h *history) Delivered(_ string, took time.Duration) {
	h.check("payment to delivery", took, func(p *purchase) time.Duration { return p.delivered.Sub(p.paid) })
}

func (h *history) Paid(_, _ string, took time.Duration) {
	h.check("order to payment", took, func(p *purchase) time.Duration { return p.paid.Sub(p.created) })
}

func (h *history) check(what string, took time.Duration, truly func(*purchase) time.Duration) {
	if !slices.ContainsFunc(h.purchases, func(p *purchase) bool { return (truly(p) - took).Abs() <= h.blur() }) {
		h.untrue = fmt.Errorf("no order took %s from %s", took, what)
	}
}
