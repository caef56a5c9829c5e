package schedule

import "time"

// Due takes the looks that are due so long after the start, as if they ended at
// once, and gives the ids of their services.
func (s *Schedule) Due(now time.Duration) []string {
	var ids []string
	for _, l := range s.takeDue(now) {
		ids = append(ids, l.round.service.ID)
		s.mu.Lock()
		s.forget(l)
		l.round.watched.busy.looks = 0
		s.mu.Unlock()
	}
	return ids
}

// Shorten is what the history makes of a duration.
func Shorten(d time.Duration) time.Duration { return shorten(d).duration() }
