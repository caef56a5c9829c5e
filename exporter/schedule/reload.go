package schedule

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"slices"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Reload replaces the services, also while Run runs.
//
// A service that is looked at as before (the same module, targets and number of
// answers) keeps everything that its looks gave, also under another name or with
// another threshold; with the same interval it keeps its slots. One that is
// looked at in another way keeps its last look, last success and failure
// counts, and is unknown until it is looked at: an outage that was there is there
// again at its first failed look, as after a restart. One that isn't there any
// more is forgotten; the result of a look at it that still runs is dropped. No
// service is ever looked at twice at once.
//
// Services that New would refuse change nothing; the error names all mistakes.
func (s *Schedule) Reload(services []exporter.Service) error {
	causes, err := check(services)
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	s.mu.Lock()
	s.watch(services, causes)
	s.dirty = true
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return nil
}

// watch makes the services those that are watched. Schedule.mu is held, or
// nobody else has the Schedule yet.
func (s *Schedule) watch(services []exporter.Service, causes map[Name][]Name) {
	maps.DeleteFunc(s.leaving, func(_ Name, o *occupancy) bool { return o.looks == 0 })
	before := s.byName
	s.byName = make(map[Name]*watched, len(services))
	s.watched = make([]*watched, 0, len(services))
	var fresh []*watched
	for _, service := range services {
		name := Name{service.Shop, service.ID}
		old := before[name]
		delete(before, name)
		w := s.successor(old, &service)
		if old == nil || old.service.Interval != service.Interval {
			fresh = append(fresh, w)
		}
		w.service = &service
		s.byName[name] = w
		s.watched = append(s.watched, w)
	}
	for name, w := range before {
		w.gone = true
		if w.busy.looks > 0 {
			s.leaving[name] = w.busy
		}
	}
	for name, w := range s.byName {
		w.causes = nil
		for _, cause := range causes[name] {
			w.causes = append(w.causes, s.byName[cause])
		}
	}
	byPlace := func(a, b *watched) int {
		return cmp.Or(cmp.Compare(a.service.Shop, b.service.Shop),
			cmp.Compare(a.service.Position, b.service.Position), cmp.Compare(a.service.ID, b.service.ID))
	}
	slices.SortStableFunc(s.watched, byPlace)
	slices.SortStableFunc(fresh, byPlace)
	now := s.elapsed()
	for i, w := range fresh {
		s.place(w, i, len(fresh), now)
	}
	s.slots = slices.Clone(s.watched)
	heap.Init(&s.slots)
}

// successor is what is watched for a service from now on, when old was before;
// old is nil if it is new. Its service is not set yet where it is old itself.
func (s *Schedule) successor(old *watched, service *exporter.Service) *watched {
	name := Name{service.Shop, service.ID}
	if old == nil {
		w := &watched{service: service, verdict: Verdict{Status: rules.Unknown}, busy: s.leaving[name]}
		delete(s.leaving, name)
		if w.busy == nil {
			w.busy = &occupancy{}
		}
		return w
	}
	if sameLook(old.service, service) {
		return old
	}
	old.gone = true
	return &watched{
		service: service, busy: old.busy, verdict: Verdict{Status: rules.Unknown, Down: old.verdict.Down},
		offset: old.offset, due: old.due, begun: old.begun, missed: old.missed,
		ended: old.ended, lastLook: old.lastLook, lastSuccess: old.lastSuccess, failures: old.failures,
	}
}

// sameLook reports whether two services are looked at in the same way.
func sameLook(a, b *exporter.Service) bool {
	return sameModule(a.Module, b.Module) && slices.Equal(a.Targets, b.Targets) && quorum(a) == quorum(b)
}

// sameModule compares by fingerprint where both modules have one: compiled
// patterns can't be compared, and files that a module names may have changed.
func sameModule(a, b exporter.Module) bool {
	if a.Fingerprint != "" && b.Fingerprint != "" {
		return a.Kind == b.Kind && a.Fingerprint == b.Fingerprint
	}
	return a == b
}

// quorum is how many of a service's targets must answer.
func quorum(s *exporter.Service) int {
	if s.Answers == 0 {
		return len(s.Targets)
	}
	return min(s.Answers, len(s.Targets))
}
