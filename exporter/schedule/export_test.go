package schedule

import (
	"context"
	"time"
)

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

// Causes is how many causes of failures the history of a service holds.
func (s *Schedule) Causes(shop, service string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byName[Name{shop, service}].history.causes)
}

// LookAtAll looks so often at every service, one after the other.
func (s *Schedule) LookAtAll(times int) {
	for i := range times {
		for _, l := range s.takeDue(time.Duration(i) * time.Hour) {
			if s.places.take(l) {
				s.follow(context.Background(), l)
			}
		}
	}
}
