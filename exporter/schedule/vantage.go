package schedule

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// askTimeout is how long anchors may take to answer.
	askTimeout = 2 * time.Second
	// askEvery is how often anchors are asked while nothing fails: by it we know
	// that they would answer, and notice when somebody walls them off.
	askEvery = time.Minute
	// askGap is the least time between asking for failed looks. Looks that fail
	// within it share one answer, which comes after the last of them ended.
	askGap = 2 * time.Second
	// benefit is how long anchors that have never answered are believed; see guard.
	benefit = 5 * time.Minute
)

// guard knows whether a failed look outward says anything: when no anchor
// answers either, our own connection is gone, and nobody may be told that
// everything is down.
//
// A failed look is decided by the first asking that begins after it ended. If
// an anchor answers, the service failed, unless our connection is known to have
// been gone at some time during the look. If none does, it is dark, the look is
// inconclusive, and it stays dark until an anchor answers.
//
// Anchors may be walled off while the shop is not; then they must not blind us.
// A successful look outward in the dark makes us ask again at once: if still
// none answers, they are blocked, and failures count without them until one
// does. It takes a success between two askings, since one beside the first may
// just have been luckier at the edge of the outage.
//
// Anchors that have never answered, also not for the process before this one,
// and no look outward that succeeds: that is a machine that started without
// network, or one behind a wall whose only services are down. For the first
// minutes we take it for the first, since a network often comes up later than
// the programs; after 5 minutes for the second, since a watcher that stays blind
// for ever is worse than one that is wrong about a machine that was never online.
// Anchors that ever answered are believed without limit of time: a machine may
// be offline for days.
//
// What it can't see: an outage of ours that ended just before a look that it
// spoiled, and in which nobody asked. That costs a service one failed look, which
// the failure threshold forgives.
type guard struct {
	anchors []string
	reach   func(ctx context.Context, anchor string) error
	log     *slog.Logger
	spawn   func(func()) // Run waits for it
	learned func()       // what to remember across restarts has changed; called without mu

	mu      sync.Mutex
	start   time.Time // of Run
	known   bool      // an anchor has answered once, perhaps in a former process
	blocked bool
	asking  bool
	asked   time.Time // when the last asking began
	waiting []waiter  // for the next asking
	dark    span      // to is zero while it lasts; all zero before the first
	// light is the end of the first look that succeeded since it is dark, or
	// since the asking in flight began.
	light time.Time
}

// span is a time on the monotonic clock.
type span struct{ from, to time.Time }

// waiter is a failed look that waits for its decision.
type waiter struct {
	look   span
	decide func(blind bool)
}

// lasting reports whether it is dark now.
func (g *guard) lasting() bool { return !g.dark.from.IsZero() && g.dark.to.IsZero() }

// tainted reports whether it was dark at some time during the look.
func (g *guard) tainted(look span) bool {
	return !g.dark.from.IsZero() && g.dark.from.Before(look.to) && (g.dark.to.IsZero() || g.dark.to.After(look.from))
}

// judge decides, now or later and on any goroutine, whether a look that failed
// is inconclusive. When ctx ends it may never decide.
func (g *guard) judge(ctx context.Context, look span, decide func(blind bool)) {
	if len(g.anchors) == 0 {
		decide(false)
		return
	}
	g.mu.Lock()
	if g.blocked {
		g.mu.Unlock()
		decide(false)
		return
	}
	g.waiting = append(g.waiting, waiter{look, decide})
	g.ask(ctx, askGap)
	g.mu.Unlock()
}

// succeeded hears of a look outward that succeeded.
func (g *guard) succeeded(ctx context.Context, look span) {
	if len(g.anchors) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	inDark := g.lasting() && !look.from.Before(g.dark.from)
	duringAsking := g.asking && !look.from.Before(g.asked)
	if (inDark || duringAsking) && g.light.IsZero() {
		g.light = look.to
	}
	if inDark {
		g.ask(ctx, 0)
	}
}

// watch asks now, and then every minute while there are services outward.
func (g *guard) watch(ctx context.Context, outward func() bool) {
	if len(g.anchors) == 0 {
		return
	}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		if outward() {
			g.mu.Lock()
			g.ask(ctx, 0)
			g.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ask begins to ask all anchors, unless that is under way: then those who wait
// are heard when it is over. It begins no sooner than gap after the last time.
// g.mu is held.
func (g *guard) ask(ctx context.Context, gap time.Duration) {
	if g.asking || ctx.Err() != nil {
		return
	}
	g.asking = true
	wait := gap - time.Since(g.asked)
	g.spawn(func() {
		if !sleep(ctx, wait) {
			return
		}
		g.mu.Lock()
		g.asked = time.Now()
		if !g.lasting() {
			g.light = time.Time{}
		}
		heard := g.waiting
		g.waiting = nil
		g.mu.Unlock()
		answered := g.anyAnswers(ctx)
		if ctx.Err() == nil {
			g.answer(ctx, answered, heard)
		}
	})
}

// anyAnswers asks all anchors and gives true as soon as one answers.
func (g *guard) anyAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answers := make(chan error, len(g.anchors))
	for _, anchor := range g.anchors {
		g.spawn(func() { answers <- g.reach(ctx, anchor) })
	}
	for range g.anchors {
		select {
		case err := <-answers:
			if err == nil {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// answer draws the conclusions of an asking, and decides the looks that it was
// asked for.
func (g *guard) answer(ctx context.Context, answered bool, heard []waiter) {
	g.mu.Lock()
	g.asking = false
	learned := answered && !g.known
	again := false
	switch {
	case answered:
		g.lightens()
	case g.blocked: // and still is
	case g.lasting() && !g.light.IsZero() && !g.light.After(g.asked):
		g.block("looks outward succeed while no anchor answers: anchors are blocked and don't count until one answers")
	case !g.light.IsZero(): // a look succeeded meanwhile: who is right?
		g.darkens()
		again = true
	case !g.known && time.Since(g.start) >= benefit:
		g.block("no anchor has ever answered: anchors count as blocked until one answers")
	default:
		g.darkens()
	}
	if again {
		g.waiting = append(heard, g.waiting...)
		heard = nil
	}
	blind := make([]bool, len(heard))
	for i, w := range heard {
		blind[i] = !g.blocked && (!answered || g.tainted(w.look))
	}
	switch {
	case again:
		g.ask(ctx, 0)
	case len(g.waiting) > 0:
		g.ask(ctx, askGap)
	}
	g.mu.Unlock()

	if learned {
		g.learned()
	}
	for i, w := range heard {
		w.decide(blind[i])
	}
}

// lightens notes that an anchor answered. g.mu is held.
func (g *guard) lightens() {
	if g.lasting() {
		g.dark.to = time.Now()
		g.log.Info("own connection is back", "gone_for", g.dark.to.Sub(g.dark.from).Round(time.Second))
	}
	if g.blocked {
		g.log.Info("an anchor answers: looks that fail while none does are inconclusive again")
	}
	g.known, g.blocked, g.light = true, false, time.Time{}
}

// darkens notes that no anchor answered. g.mu is held.
func (g *guard) darkens() {
	if g.lasting() {
		return
	}
	g.dark = span{from: g.asked}
	g.log.Warn("no anchor answers: looks outward that fail are inconclusive", "anchors", g.anchors)
}

// block takes the anchors for walled off; then it was never dark. g.mu is held.
func (g *guard) block(why string) {
	g.blocked, g.dark, g.light = true, span{}, time.Time{}
	g.log.Warn(why, "anchors", g.anchors)
}

// credible reports whether an anchor has ever answered.
func (g *guard) credible() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known
}

// sleep waits; false says that ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// outward reports whether any service is beyond our own connection.
func (s *Schedule) outward() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.watched, func(w *watched) bool { return w.service.Outward })
}
