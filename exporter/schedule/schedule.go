// Package schedule looks at every service on its own clock, judges what the
// looks mean (hysteresis, dependency), and remembers across restarts when each
// service last worked.
//
// The room opens no connection and exports no metric: the look is given to it,
// and its States are for others to show. What it promises is what the rules
// build on (RULES: "service tiers"): a successful look sets last look and last
// success to the same instant; a look that says nothing moves neither; last
// success is seeded at the first look ever and outlives the process; last look
// is zero until this process has looked.
package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	// tail is how long a service counts as affected after its cause healed, at pace 1.
	tail = time.Minute
	// saveEvery is the least time between two writes of the state file.
	saveEvery = 5 * time.Second
	// promptly bounds the time over which the first looks are spread.
	promptly = time.Second

	defaultConcurrency = 16
)

// Config is what a Schedule works with.
type Config struct {
	Services []exporter.Service
	// Look is one look at one service. It must end soon after the service's
	// Timeout, and at once when its context does.
	Look func(ctx context.Context, service exporter.Service, target string) exporter.Reading
	// Now is the clock of what is told; default time.Now, whose monotonic part
	// keeps ages true when the wall clock is set. Intervals are timed by the
	// runtime's monotonic clock alone.
	Now func() time.Time
	// Path is the state file; "" remembers nothing across restarts.
	Path string
	// Concurrency is how many looks run at once; default 16.
	Concurrency int
	// Pace scales the 60 s for which a service stays affected; default 1.
	Pace float64
	// Logger hears of status changes and of trouble with the state file; default none.
	Logger *slog.Logger
}

// Schedule looks at services until it is stopped.
type Schedule struct {
	look    func(context.Context, exporter.Service, string) exporter.Reading
	now     func() time.Time
	path    string
	tail    time.Duration
	log     *slog.Logger
	places  chan struct{}
	started atomic.Bool

	mu      sync.Mutex // never held during a look or a write
	watched []*watched // by shop, position, id
	dirty   bool       // something to remember has changed since the last save
}

// watched is one service and what its looks gave. All but service and causes
// is guarded by Schedule.mu.
type watched struct {
	service     exporter.Service
	causes      []*watched
	verdict     Verdict
	ended       time.Time // of the last outage
	lastLook    time.Time
	lastSuccess time.Time
	failures    map[rules.Reason]uint64
	reading     *exporter.Reading
}

// New makes a Schedule and reads its state file. It refuses services without
// interval or thresholds, twins, and dependencies that don't exist or go in a
// circle; its error names all of them.
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
	s := &Schedule{
		look: config.Look, now: config.Now, path: config.Path, log: config.Logger,
		tail:   time.Duration(float64(tail) * cmp.Or(config.Pace, 1)),
		places: make(chan struct{}, cmp.Or(config.Concurrency, defaultConcurrency)),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	causes, err := Causes(config.Services)
	if err := errors.Join(err, valid(config.Services)); err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	known := map[Name]remembered{}
	if s.path != "" {
		if known, err = recall(s.path, s.log); err != nil {
			return nil, err
		}
	}
	s.watch(config.Services, causes, known)
	return s, nil
}

func valid(services []exporter.Service) error {
	var problems []error
	seen := map[Name]bool{}
	for _, service := range services {
		name := Name{service.Shop, service.ID}
		if seen[name] {
			problems = append(problems, fmt.Errorf("service %q is there twice", name))
		}
		seen[name] = true
		if service.Interval <= 0 {
			problems = append(problems, fmt.Errorf("service %q: interval is %s, want more than 0", name, service.Interval))
		}
		if service.FailureThreshold < 1 || service.SuccessThreshold < 1 {
			problems = append(problems, fmt.Errorf("service %q: thresholds are %d and %d, want at least 1",
				name, service.FailureThreshold, service.SuccessThreshold))
		}
	}
	return errors.Join(problems...)
}

func (s *Schedule) watch(services []exporter.Service, causes map[Name][]Name, known map[Name]remembered) {
	byName := make(map[Name]*watched, len(services))
	for _, service := range services {
		name := Name{service.Shop, service.ID}
		w := &watched{service: service, verdict: Verdict{Status: rules.Unknown}, failures: map[rules.Reason]uint64{}}
		if r, ok := known[name]; ok {
			w.lastSuccess, w.verdict.Down = r.LastSuccess, r.Outage
		}
		byName[name] = w
		s.watched = append(s.watched, w)
	}
	for name, w := range byName {
		for _, cause := range causes[name] {
			w.causes = append(w.causes, byName[cause])
		}
	}
	slices.SortStableFunc(s.watched, func(a, b *watched) int {
		return cmp.Or(cmp.Compare(a.service.Shop, b.service.Shop),
			cmp.Compare(a.service.Position, b.service.Position), cmp.Compare(a.service.ID, b.service.ID))
	})
}

// Run looks at every service until ctx ends, waits for the looks that run, and
// saves the state file. A look that the end of ctx cut short counts nothing.
// Its error is that of the last save, or of a second Run.
func (s *Schedule) Run(ctx context.Context) error {
	if !s.started.CompareAndSwap(false, true) {
		return errors.New("schedule has run already")
	}
	begin := time.Now()
	var looking sync.WaitGroup
	for i, w := range s.watched {
		looking.Go(func() { s.follow(ctx, w, begin, i, len(s.watched)) })
	}
	s.saveUntil(ctx)
	looking.Wait()
	return s.save()
}

// follow looks at one service, the i-th of n, at its slots. A slot that comes
// while the former look runs, or waits for its place, is skipped.
func (s *Schedule) follow(ctx context.Context, w *watched, begin time.Time, i, n int) {
	interval := w.service.Interval
	slot := firstSlot(interval, i, n)
	earliest := slot + interval/2
	for {
		timer := time.NewTimer(slot - time.Since(begin))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case s.places <- struct{}{}:
		}
		reading := s.look(ctx, w.service, w.service.Targets[0])
		<-s.places
		if ctx.Err() != nil {
			return
		}
		s.record(w, reading)
		slot = nextSlot(interval, i, n, max(earliest, time.Since(begin)))
	}
}

// firstSlot is when the i-th of n services is first looked at after the start:
// soon, since until then nothing can be told of it, and not all in one instant.
func firstSlot(interval time.Duration, i, n int) time.Duration {
	return min(interval/4, promptly) * time.Duration(i) / time.Duration(n)
}

// nextSlot is the first of the i-th of n services' slots after a time since
// the start. Slots are an interval apart, and spread over it across services.
func nextSlot(interval time.Duration, i, n int, after time.Duration) time.Duration {
	offset := time.Duration(float64(interval) * float64(i) / float64(n))
	if after < offset {
		return offset
	}
	return offset + ((after-offset)/interval+1)*interval
}

// record takes the reading of one look.
func (s *Schedule) record(w *watched, reading exporter.Reading) {
	if reading.End.IsZero() {
		reading.End = s.now()
	}
	if !reading.Success && reading.Reason == "" {
		reading.Reason = rules.ReasonOther
	}
	before, after := s.judge(w, reading)
	if before.Status != after.Status {
		s.log.Info("service changed its status", "shop", w.service.Shop, "service", w.service.ID,
			"status", after.Status, "was", before.Status, "reason", reading.Reason, "detail", reading.Detail)
	}
}

// judge changes what is held of a service, and gives its verdicts before and after.
func (s *Schedule) judge(w *watched, reading exporter.Reading) (before, after Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = w.verdict
	w.verdict = Judge(before, w.service, reading)
	w.reading = &reading
	if !reading.Success {
		w.failures[reading.Reason]++
	}
	if before.Down && !w.verdict.Down {
		w.ended = s.now()
	}
	if reading.Conclusive() {
		w.lastLook = reading.End
		age := reading.End.Sub(w.lastSuccess) // by the monotonic clock where both have it
		success := LastSuccess(w.lastSuccess, age, reading)
		s.dirty = s.dirty || !success.Equal(w.lastSuccess) || before.Down != w.verdict.Down
		w.lastSuccess = success
	}
	return before, w.verdict
}

// States gives all services as they are judged now, by shop, position and id.
// It never waits for a look. The caller owns what it gets, except for the
// samples of the readings and the fields of the services, which are shared and
// must not be changed.
func (s *Schedule) States() []exporter.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	states := make([]exporter.State, len(s.watched))
	for i, w := range s.watched {
		state := exporter.State{
			Service: w.service, Status: w.verdict.Status, LastLook: w.lastLook, LastSuccess: w.lastSuccess,
			Failures: maps.Clone(w.failures),
		}
		for _, cause := range w.causes {
			state.Affected = state.Affected || Affected(now, s.tail, Outage{cause.verdict.Down, cause.ended})
		}
		if w.reading != nil {
			state.Readings = []exporter.Reading{*w.reading}
		}
		states[i] = state
	}
	return states
}

// saveUntil saves the state file now and then, whenever there is something new.
func (s *Schedule) saveUntil(ctx context.Context) {
	ticker := time.NewTicker(saveEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.save()
		if err != nil && !failing {
			s.log.Error("state of services can't be saved; last successes would be lost in a restart", "err", err)
		}
		failing = err != nil
	}
}

// save writes the state file, if there is one and anything in it has changed.
func (s *Schedule) save() error {
	s.mu.Lock()
	if s.path == "" || !s.dirty {
		s.mu.Unlock()
		return nil
	}
	var m memory
	for _, w := range s.watched {
		if !w.lastSuccess.IsZero() {
			m.Services = append(m.Services, remembered{w.service.Shop, w.service.ID, w.lastSuccess.UTC(), w.verdict.Down})
		}
	}
	s.dirty = false
	s.mu.Unlock()

	err := m.save(s.path)
	if err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
	}
	return err
}
