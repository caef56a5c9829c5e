package schedule

import (
	"context"
	"sync"
	"time"
)

const (
	// defaultConcurrency is the bound of looks that run at once. 1,000 targets
	// that all hang for 10 s of every 15 s are 667 at once, 10,000 of which every
	// second hangs 3,333; and what a look holds (a connection, a few small stacks)
	// keeps the bound below 100 MiB.
	defaultConcurrency = 4096
	// fresh is how many looks of a group are begun beside each other. More would
	// wait for each other's CPU, and what is measured would be ourselves.
	fresh = 8
	// breath is when a look that still runs counts no longer as fresh: it waits
	// for the far side, and needs no CPU of ours.
	breath = 3 * time.Millisecond
	// patience is how long a look lasts at most that doesn't count as slow.
	patience = time.Second
)

// places hands out the places for looks that run at once. Slow services may
// hold three of four, so that however many of them hang, those that answer find
// a place on time.
type places struct {
	run func(*look) // starts a goroutine for a look that has its place

	mu          sync.Mutex
	free        int
	freeForSlow int
	quick, slow []*look // that wait, oldest first

	// The looks that were begun just now; see admit.
	young      int
	generation uint64
	ended      chan struct{}
}

func newPlaces(concurrency int) *places {
	return &places{
		free: concurrency, freeForSlow: max(1, concurrency-concurrency/4), ended: make(chan struct{}, 1),
	}
}

// handOut begins the looks of a group, or queues those without a place. A few
// are begun at once; the next follows when one has ended, or when those before
// had time to become mere waiting. A group is handed out within half its step,
// however large it is. It returns early when ctx ends.
func (p *places) handOut(ctx context.Context, group []*look, step time.Duration) {
	most := max(fresh, int(time.Duration(len(group))*breath/(max(step, 2*breath)/2)))
	p.rejuvenate()
	timer := time.NewTimer(breath)
	defer timer.Stop()
	for _, l := range group {
		if !p.admit(ctx, most, timer) {
			return
		}
		if p.take(l) {
			p.run(l)
		}
	}
}

// admit waits until fewer than most looks are fresh. False says that ctx ended.
func (p *places) admit(ctx context.Context, most int, timer *time.Timer) bool {
	for {
		p.mu.Lock()
		full := p.young >= most
		p.mu.Unlock()
		if !full {
			return ctx.Err() == nil
		}
		timer.Reset(breath)
		select {
		case <-ctx.Done():
			return false
		case <-p.ended:
		case <-timer.C:
			p.rejuvenate()
		}
	}
}

// rejuvenate makes all looks that run old.
func (p *places) rejuvenate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.young = 0
	p.generation++
}

// take reports whether the look may run now; if not, it waits for its turn.
func (p *places) take(l *look) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.generation = p.generation
	p.young++
	switch {
	case l.slow && p.free > 0 && p.freeForSlow > 0:
		p.free--
		p.freeForSlow--
		return true
	case !l.slow && p.free > 0:
		p.free--
		return true
	case l.slow:
		p.slow = append(p.slow, l)
	default:
		p.quick = append(p.quick, l)
	}
	return false
}

// next frees the place of a look that ended, and gives the look that has it
// now: of those that may, the one whose slot was first. It is nil if none waits.
func (p *places) next(done *look) *look {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done.generation == p.generation {
		p.young--
		select {
		case p.ended <- struct{}{}:
		default:
		}
	}
	if done.slow {
		p.freeForSlow++
	}
	maySlow := len(p.slow) > 0 && p.freeForSlow > 0
	if maySlow && (len(p.quick) == 0 || p.slow[0].round.slot <= p.quick[0].round.slot) {
		p.freeForSlow--
		return pop(&p.slow)
	}
	if len(p.quick) > 0 {
		return pop(&p.quick)
	}
	p.free++
	return nil
}

func pop(queue *[]*look) *look {
	first := (*queue)[0]
	(*queue)[0] = nil
	*queue = (*queue)[1:]
	return first
}
