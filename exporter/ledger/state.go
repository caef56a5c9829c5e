package ledger

import (
	"slices"
	"time"
)

const (
	maxOpen      = 100_000 // orders that are followed at once, at most 200 bytes each
	maxOpenSlack = 10_000  // above that while a poll is on its way: letting go costs a sort
)

// state is all that the follower knows and a restart must not forget.
type state struct {
	success time.Time // when the last poll succeeded
	started bool      // mark and tail are set
	changed bool      // since it was stored

	// Every order up to mark that is young enough was read, but for those in gaps.
	mark   int64
	marked moment // when mark was first read, or its order created
	gaps   gaps
	// The delta begins behind tail, with the newest order that is there. Its
	// creation time is newest, 0 where nobody knows.
	tail   int64
	newest moment
	// Keys up to older are of before the lookback; those up to swept were read since.
	older, swept int64
	// quiet is the key up to which a first sight is not counted: see startAgain.
	quiet int64

	open map[int64]*tracked
	tally
}

func newState() *state {
	return &state{open: map[int64]*tracked{}, tally: newTally()}
}

// start makes the next delta begin with key first, in a book whose last order is
// at last.
func (s *state) start(first int64, last Place, now time.Time) {
	first = max(1, first) // keys below are never read, nor stored
	s.started, s.changed = true, true
	s.mark, s.marked, s.gaps = first-1, at(now), gaps{}
	s.older, s.swept = first-1, 0
	s.tail, s.newest = first-1, 0
	if last.ID != 0 && last.ID < first {
		s.tail, s.newest = max(0, last.ID-1), at(last.Created)
	}
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
