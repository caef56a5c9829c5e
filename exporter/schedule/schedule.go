// Package schedule looks at every service on its own clock, judges what the
// looks mean (hysteresis, dependency), and remembers across restarts when each
// service last worked.
//
// Looks are handed out in groups once a second, from one loop: a service that
// isn't looked at costs no goroutine and no timer. A group is begun a few looks
// at a time, so that none measures the others. A slot that can't be kept is
// skipped, never caught up with.
//
// The room opens no connection and exports no metric: the look is given to it,
// as is the way to reach an anchor, and its States are for others to show. What
// it promises is what the rules build on (RULES: "service tiers"): a successful
// look sets last look and last success to the same instant; a look that says
// nothing moves neither; last success is seeded at the first look ever and
// outlives the process; last look is zero until this process has looked.
package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// tail is how long a service counts as affected after its cause healed, at pace 1.
const tail = time.Minute

// Config is what a Schedule works with.
type Config struct {
	Services []exporter.Service
	// Look is one look at one target of a service. Its context ends with the
	// service's Timeout (10 s if it names none), and it must end soon after.
	Look func(ctx context.Context, service exporter.Service, target string) exporter.Reading
	// Now is the clock of what is told; default time.Now, whose monotonic part
	// keeps ages true when the wall clock is set. Intervals are timed by the
	// runtime's monotonic clock alone.
	Now func() time.Time
	// Path is the state file; "" remembers nothing across restarts.
	Path string
	// Concurrency is how many looks run at once; default 4096.
	Concurrency int
	// Pace scales the 60 s for which a service stays affected; default 1.
	Pace float64
	// Anchors are what must be reachable if our own connection is, such as
	// public resolvers: while none is, failed looks at services that are Outward
	// are inconclusive. None switches that off.
	Anchors []string
	// Reach tries to reach one anchor. It must obey its context. Required with Anchors.
	Reach func(ctx context.Context, anchor string) error
	// Observe hears of each look at a target how much later than its slot it
	// began. It is called from many goroutines at once. Slots that were skipped
	// aren't told. Default none.
	Observe func(late time.Duration)
	// Logger hears of status changes, of our own connection, and of trouble with
	// the state file; default none.
	Logger *slog.Logger
}

// Schedule looks at services until it is stopped.
type Schedule struct {
	look    func(context.Context, exporter.Service, string) exporter.Reading
	now     func() time.Time
	path    string
	tail    time.Duration
	observe func(time.Duration)
	log     *slog.Logger
	places  *places
	guard   *guard
	running sync.WaitGroup // everything that Run waits for
	changed chan struct{}  // wakes the loop after a reload

	mu       sync.Mutex // never held during a look or a write
	started  bool
	start    time.Time  // of Run, on the monotonic clock; zero before
	watched  []*watched // by shop, position, id
	byName   map[Name]*watched
	slots    slots
	placed   map[time.Duration]uint64 // how many services ever had slots, by interval
	inFlight []*look                  // handed out and not returned
	leaving  map[Name]*occupancy      // of services that a reload took away amid a look
	shapes   *shapes
	dirty    bool // something to remember has changed since the last save
}

// watched is one service and what its looks gave. Schedule.mu guards it, but
// for the service itself, which never changes: a reload puts another in its place.
type watched struct {
	service *exporter.Service
	causes  []*watched
	busy    *occupancy
	gone    bool // a reload took it away, or changed what is looked at

	offset time.Duration // of its slots in its interval
	due    time.Duration // the next slot, since the start
	begun  bool          // its first slot has come
	missed bool          // its last slot was skipped for being too late
	slow   bool          // its last look was

	verdict     Verdict
	ended       time.Time // of the last outage
	lastLook    time.Time
	lastSuccess time.Time
	failures    [maxReasons]uint64 // in the order of rules.Reasons
	readings    []exporter.Reading // by target
	history     history
}

// maxReasons is room for rules.Reasons.
const maxReasons = 16

// New makes a Schedule and reads its state file. It refuses services without
// target, interval or thresholds, twins, and dependencies that don't exist or go
// in a circle; its error names all of them.
func New(config Config) (*Schedule, error) {
	if config.Look == nil {
		return nil, errors.New("schedule needs a look")
	}
	if config.Pace < 0 {
		return nil, fmt.Errorf("schedule: pace is %v, want more than 0", config.Pace)
	}
	if config.Concurrency < 0 {
		return nil, fmt.Errorf("schedule: concurrency is %d, want at least 1", config.Concurrency)
	}
	if len(config.Anchors) > 0 && config.Reach == nil {
		return nil, errors.New("schedule needs a way to reach its anchors")
	}
	s := &Schedule{
		look: config.Look, now: config.Now, path: config.Path, observe: config.Observe, log: config.Logger,
		tail:    time.Duration(float64(tail) * cmp.Or(config.Pace, 1)),
		places:  newPlaces(cmp.Or(config.Concurrency, defaultConcurrency)),
		changed: make(chan struct{}, 1),
		byName:  map[Name]*watched{}, placed: map[time.Duration]uint64{}, leaving: map[Name]*occupancy{}, shapes: newShapes(),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.observe == nil {
		s.observe = func(time.Duration) {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	causes, err := check(config.Services)
	if err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	var m memory
	if s.path != "" {
		if m, err = recall(s.path, s.log); err != nil {
			return nil, err
		}
	}
	s.guard = &guard{
		anchors: slices.Clone(config.Anchors), reach: config.Reach, log: s.log, spawn: s.running.Go, learned: s.remember,
		known: len(config.Anchors) > 0 && slices.Equal(m.Anchors, config.Anchors),
	}
	s.watch(config.Services, causes)
	for _, r := range m.Services {
		if w, ok := s.byName[Name{r.Shop, r.Service}]; ok {
			w.lastSuccess, w.verdict.Down = r.LastSuccess, r.Outage
		}
	}
	return s, nil
}

// check gives the causes of services, or an error that names all mistakes.
func check(services []exporter.Service) (map[Name][]Name, error) {
	causes, err := Causes(services)
	problems := []error{err}
	seen := map[Name]bool{}
	for _, service := range services {
		name := Name{service.Shop, service.ID}
		if seen[name] {
			problems = append(problems, fmt.Errorf("service %q is there twice", name))
		}
		seen[name] = true
		if len(service.Targets) == 0 {
			problems = append(problems, fmt.Errorf("service %q has no target", name))
		}
		if service.Answers < 0 || service.Answers > len(service.Targets) {
			problems = append(problems, fmt.Errorf("service %q: answers is %d, want 0–%d, the number of its targets",
				name, service.Answers, len(service.Targets)))
		}
		if service.Interval <= 0 {
			problems = append(problems, fmt.Errorf("service %q: interval is %s, want more than 0", name, service.Interval))
		}
		if service.FailureThreshold < 1 || service.SuccessThreshold < 1 {
			problems = append(problems, fmt.Errorf("service %q: thresholds are %d and %d, want at least 1",
				name, service.FailureThreshold, service.SuccessThreshold))
		}
	}
	return causes, errors.Join(problems...)
}

// Run looks at every service until ctx ends, waits for the looks that run, and
// saves the state file. A look that the end of ctx cut short counts nothing.
// Its error is that of the last save, or of a second Run.
func (s *Schedule) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.started {
		s.mu.Unlock()
		return errors.New("schedule has run already")
	}
	s.started, s.start = true, time.Now()
	s.mu.Unlock()
	s.guard.start = s.start
	s.places.run = func(l *look) { s.running.Go(func() { s.follow(ctx, l) }) }
	s.running.Go(func() { s.guard.watch(ctx, s.outward) })
	s.running.Go(func() { s.handOutUntil(ctx) })
	s.saveUntil(ctx)
	s.running.Wait()
	return s.save()
}

// handOutUntil hands out the looks whose slots come. It sleeps from group to
// group, however many services there are.
func (s *Schedule) handOutUntil(ctx context.Context) {
	timer := time.NewTimer(s.untilNext())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-timer.C:
		}
		if group := s.takeDue(s.sinceStart()); len(group) > 0 {
			s.places.handOut(ctx, group, step(group[0].round.service.Interval))
		}
		s.expire(ctx)
		timer.Reset(s.untilNext())
	}
}

// elapsed is the time since the start. Schedule.mu is held.
func (s *Schedule) elapsed() time.Duration {
	if s.start.IsZero() {
		return 0
	}
	return time.Since(s.start)
}

func (s *Schedule) sinceStart() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.elapsed()
}

// States gives all services as they are judged now, by shop, position and id.
// It never waits for a look. The caller owns what it gets, except for the
// samples and phases of the readings and the fields of the services, which are
// shared and must not be changed.
func (s *Schedule) States() []exporter.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	targets := 0
	for _, w := range s.watched {
		targets += len(w.readings)
	}
	readings := make([]exporter.Reading, 0, targets)
	states := make([]exporter.State, len(s.watched))
	for i, w := range s.watched {
		state := &states[i]
		*state = exporter.State{
			Service: *w.service, Status: w.verdict.Status, LastLook: w.lastLook, LastSuccess: w.lastSuccess,
			Failures: w.failed(),
		}
		for _, cause := range w.causes {
			if w.service.Public && !cause.service.Public {
				continue // buyers are not told of a private cause: what they feel of it is told as itself
			}
			state.Affected = state.Affected || Affected(now, s.tail, Outage{cause.verdict.Down, cause.ended})
		}
		if first := len(readings); len(w.readings) > 0 {
			readings = append(readings, w.readings...)
			state.Readings = readings[first:len(readings):len(readings)]
		}
	}
	return states
}

// failed is how often looks failed, by reason; nil where none did.
func (w *watched) failed() map[rules.Reason]uint64 {
	var failures map[rules.Reason]uint64
	for i, reason := range rules.Reasons {
		if w.failures[i] == 0 {
			continue
		}
		if failures == nil {
			failures = map[rules.Reason]uint64{}
		}
		failures[reason] = w.failures[i]
	}
	return failures
}
