package ledger

import (
	"maps"
	"slices"
	"time"
)

const (
	overlap      = 200             // keys below the mark that every poll reads again
	overlapTime  = 2 * time.Minute // likewise: a slow transaction shows its key late
	overlapLimit = 5000            // however many came within overlapTime
	maxOpen      = 100_000         // orders that are followed at once, at most 200 bytes each
	maxOpenSlack = 10_000          // above that while a poll is on its way: letting go costs a sort
)

// state is all that the follower knows and a restart must not forget.
type state struct {
	success time.Time // when the last poll succeeded
	started bool      // base and mark are set
	changed bool      // since it was stored

	// Every order with a key above base that was ever read is in seen, with the
	// moment. mark is the greatest key read.
	base, mark int64
	seen       map[int64]time.Time
	// quiet is the key up to which a first sight is not counted: see goneBack.
	quiet int64

	open map[int64]*tracked
	tally
}

func newState() *state {
	return &state{seen: map[int64]time.Time{}, open: map[int64]*tracked{}, tally: newTally()}
}

// start makes the next delta begin with key first.
func (s *state) start(first int64) {
	s.started, s.changed = true, true
	s.base, s.mark = first-1, first-1
	clear(s.seen)
}

// advance forgets the keys that are far enough below the mark, in number and in
// time: a key that was given within overlapTime is above all that were seen before.
func (s *state) advance(now time.Time) {
	base := s.base
	for id, at := range s.seen {
		if now.Sub(at) >= overlapTime {
			base = max(base, id)
		}
	}
	base = max(min(base, s.mark-overlap), s.mark-overlapLimit)
	if base <= s.base {
		return
	}
	s.base, s.changed = base, true
	maps.DeleteFunc(s.seen, func(id int64, _ time.Time) bool { return id <= base })
}

// trim keeps the open set within most: the oldest orders that nobody waits for
// go first, then the youngest that somebody waits for, since the old ones tell
// how bad it is. It reports how many went.
func (s *state) trim(most int) int {
	excess := len(s.open) - most
	if excess <= 0 {
		return 0
	}
	for _, waiting := range []bool{false, true} {
		ids := make([]int64, 0, len(s.open))
		for id, t := range s.open {
			if _, waits := t.state().Waiting(); waits == waiting {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		gone := min(len(ids), len(s.open)-most)
		if waiting {
			ids = ids[len(ids)-gone:]
		}
		for _, id := range ids[:gone] {
			delete(s.open, id)
		}
		if len(s.open) == most {
			break
		}
	}
	s.dropped += uint64(excess)
	s.changed = true
	return excess
}
