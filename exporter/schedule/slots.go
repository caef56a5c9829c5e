package schedule

import (
	"container/heap"
	"math"
	"math/bits"
	"time"
)

const (
	// together is how far apart the groups are in which looks are handed out.
	// A machine that is woken for each single look of a thousand spends most of
	// its time on waking: even pacing was measured at four times the CPU a look.
	together = time.Second
	// rush is how many first looks one group may hold, so that a handful of
	// services are known at once and a thousand don't begin in one instant.
	rush = 64
	// tooLate is when a slot counts as missed: after a stall the slots in it are
	// skipped rather than caught up with in one burst.
	tooLate = 2 * time.Second
)

// step is how far apart the groups of services with this interval are.
func step(interval time.Duration) time.Duration {
	return max(1, min(together, interval/4))
}

// offset is where in its interval the k-th service with that interval has its
// slots: a whole number of steps. The bits of k, read backwards as a fraction,
// fall evenly over the interval for any row of numbers, so that services that
// a reload adds find the gaps without moving those that are there (the sequence
// of van der Corput).
func offset(k uint64, interval time.Duration) time.Duration {
	fraction := float64(bits.Reverse64(k)) / math.MaxUint64
	every := step(interval)
	return min(time.Duration(float64(interval)*fraction), interval-1) / every * every
}

// firstSlot is how long after the start, or after the reload that brought it,
// the i-th of n new services is first looked at: soon, since until then nothing
// can be told of it, but at most rush of them in a group. Where that would take
// longer than its interval, its own slot is as soon, and spreads better.
func firstSlot(i, n int, interval, own time.Duration) time.Duration {
	if time.Duration(n/rush)*together >= interval {
		return own
	}
	return time.Duration(i/rush) * together
}

// nextSlot is the first slot after a time since the start. Slots are an
// interval apart.
func nextSlot(offset, interval, after time.Duration) time.Duration {
	if after < offset {
		return offset
	}
	return offset + ((after-offset)/interval+1)*interval
}

// slots is a heap of services by their next slot.
type slots []*watched

func (s slots) Len() int           { return len(s) }
func (s slots) Less(i, j int) bool { return s[i].due < s[j].due }
func (s slots) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push and Pop are heap.Interface's; services come and go with a whole reload only.
func (s *slots) Push(x any) { *s = append(*s, x.(*watched)) }

// Pop is heap.Interface's.
func (s *slots) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

// place gives a service that is new its slots. i and n are its rank among
// those that are new with it. Schedule.mu is held.
func (s *Schedule) place(w *watched, i, n int, now time.Duration) {
	interval := w.service.Interval
	w.offset = offset(s.placed[interval], interval)
	s.placed[interval]++
	own := w.offset
	if now > 0 {
		own = nextSlot(w.offset, interval, now) - now
	}
	w.due = now + firstSlot(i, n, interval, own)
}

// takeDue gives the looks whose slot has come. A slot is skipped while its
// service is still looked at, waits for its place or for the anchors; and when
// it was missed by far, but never twice in a row, or a machine that is always
// late would never look.
func (s *Schedule) takeDue(now time.Duration) []*look {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*look
	for len(s.slots) > 0 && s.slots[0].due <= now {
		w := s.slots[0]
		slot, interval := w.due, w.service.Interval
		after := now
		if !w.begun { // the first slot is not one of its own: leave some time until the second
			after = max(now, slot+interval/2)
		}
		w.due = nextSlot(w.offset, interval, after)
		heap.Fix(&s.slots, 0)
		missed := w.begun && !w.missed && now-slot > min(tooLate, interval/2)
		w.missed = missed
		if missed || w.busy.looks > 0 {
			continue
		}
		w.begun = true
		due = append(due, s.newRound(w, slot)...)
	}
	return due
}

// untilNext is how long nothing will have to be done: no slot comes, and no
// look that runs will have outlived its timeout.
func (s *Schedule) untilNext() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.elapsed()
	next := now + time.Hour
	if len(s.slots) > 0 {
		next = min(next, s.slots[0].due)
	}
	for _, l := range s.inFlight {
		if !l.over {
			next = min(next, l.latest(now))
		}
	}
	return max(0, next-now)
}
