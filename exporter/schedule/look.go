package schedule

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	// defaultTimeout is that of a service that names none, as of probe.
	defaultTimeout = 10 * time.Second
	// grace is how long after its timeout a look may still end by itself.
	grace = time.Second
)

// occupancy counts what keeps a service from being looked at again: looks that
// haven't returned, and a verdict that waits for the anchors. It outlives a
// reload, which may replace the service but can't make its look return.
type occupancy struct{ looks int }

// round is one look at all targets of a service. Schedule.mu guards it until
// nothing is missing; from then on it belongs to whoever concludes it.
type round struct {
	watched  *watched
	service  *exporter.Service
	slot     time.Duration
	began    time.Time // of the first look
	readings []exporter.Reading
	missing  int
}

// look is one look at one target.
type look struct {
	round   *round
	target  int // index in the service's
	slow    bool
	timeout time.Duration

	generation uint64 // guarded by places.mu

	// Guarded by Schedule.mu.
	index int           // in Schedule.inFlight
	began time.Duration // since the start; 0 while it waits for its place
	over  bool          // counted as failed, though it hasn't returned
}

// latest is until when, since the start, the look must have returned.
func (l *look) latest(now time.Duration) time.Duration {
	return cmp.Or(l.began, now) + l.timeout + grace
}

// newRound makes the looks of a service's slot. Schedule.mu is held.
func (s *Schedule) newRound(w *watched, slot time.Duration) []*look {
	targets := w.service.Targets
	r := &round{
		watched: w, service: w.service, slot: slot,
		readings: make([]exporter.Reading, len(targets)), missing: len(targets),
	}
	w.busy.looks += len(targets) + 1 // one for the verdict
	looks := make([]*look, len(targets))
	for i := range targets {
		looks[i] = &look{
			round: r, target: i, slow: w.slow, timeout: cmp.Or(w.service.Timeout, defaultTimeout), index: len(s.inFlight),
		}
		s.inFlight = append(s.inFlight, looks[i])
	}
	return looks
}

// follow looks at a target, and then at those that wait for the place. What
// the end of ctx cut short counts nothing.
func (s *Schedule) follow(ctx context.Context, l *look) {
	for ; l != nil; l = s.places.next(l) {
		if ctx.Err() != nil {
			continue
		}
		began := s.begin(l)
		reading := s.lookAt(ctx, l)
		if ctx.Err() == nil {
			s.end(ctx, l, reading, began)
		}
	}
}

// begin notes that a look begins now, and how much later than its slot.
func (s *Schedule) begin(l *look) time.Time {
	now := time.Now()
	s.mu.Lock()
	l.began = max(1, now.Sub(s.start))
	if l.round.began.IsZero() {
		l.round.began = now
	}
	late := l.began - l.round.slot
	s.mu.Unlock()
	s.observe(max(0, late))
	return now
}

// lookAt looks. A look that panics is a defect of ours, which says nothing
// about the service and must not end the watch over all others.
func (s *Schedule) lookAt(ctx context.Context, l *look) (reading exporter.Reading) {
	service, target := l.round.service, l.round.service.Targets[l.target]
	start := s.now()
	defer func() {
		if defect := recover(); defect != nil {
			s.log.Error("look ended in a panic", "shop", service.Shop, "service", service.ID,
				"panic", fmt.Sprint(defect), "stack", string(debug.Stack()))
			reading = exporter.Reading{
				Shop: service.Shop, Service: service.ID, Start: start, Reason: rules.ReasonVantage,
				Detail: "the look ended in a defect of this program; its log says more",
			}
		}
		if reading.End.IsZero() {
			reading.End = s.now()
		}
		if !reading.Success && reading.Reason == "" {
			reading.Reason = rules.ReasonOther
		}
	}()
	bounded, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	return s.look(bounded, *service, target)
}

// end takes what a look gave. The last of a round's looks concludes it.
func (s *Schedule) end(ctx context.Context, l *look, reading exporter.Reading, began time.Time) {
	r := l.round
	s.mu.Lock()
	s.forget(l)
	r.watched.busy.looks--
	if l.over {
		s.mu.Unlock()
		return
	}
	last := r.fill(l.target, reading)
	s.mu.Unlock()
	if reading.Success && r.service.Outward {
		s.guard.succeeded(ctx, span{began, time.Now()})
	}
	if last {
		s.close(ctx, r)
	}
}

// forget takes a look that returned from those in flight. Schedule.mu is held.
func (s *Schedule) forget(l *look) {
	last := len(s.inFlight) - 1
	s.inFlight[l.index] = s.inFlight[last]
	s.inFlight[l.index].index = l.index
	s.inFlight[last] = nil
	s.inFlight = s.inFlight[:last]
}

// fill takes the reading of one target, and reports whether it was the last.
func (r *round) fill(target int, reading exporter.Reading) bool {
	r.readings[target] = reading
	r.missing--
	return r.missing == 0
}

// expire counts looks that didn't return soon after their timeout as failed.
// What they will return is discarded; until then they are not looked at again.
func (s *Schedule) expire(ctx context.Context) {
	var expired []*look
	var closed []*round
	s.mu.Lock()
	now := s.elapsed()
	for _, l := range s.inFlight {
		if l.over || l.began == 0 || l.latest(now) > now {
			continue
		}
		l.over = true
		expired = append(expired, l)
		if l.round.fill(l.target, l.expired(s.now(), now-l.began)) {
			closed = append(closed, l.round)
		}
	}
	s.mu.Unlock()
	for _, l := range expired {
		s.log.Error("look doesn't return; its service isn't looked at until it does",
			"shop", l.round.service.Shop, "service", l.round.service.ID, "timeout", l.timeout)
	}
	for _, r := range closed {
		s.close(ctx, r)
	}
}

// expired is the reading of a look that didn't return for so long.
func (l *look) expired(end time.Time, took time.Duration) exporter.Reading {
	return exporter.Reading{
		Shop: l.round.service.Shop, Service: l.round.service.ID, Start: end.Add(-took), End: end,
		Reason: rules.ReasonTimeout, Detail: fmt.Sprintf("the look didn't return within its timeout of %s", l.timeout),
		Samples: []exporter.Sample{{Metric: &rules.ProbeSuccess}, {Metric: &rules.ProbeDuration, Value: took.Seconds()}},
	}
}

// close judges a round that is complete. A failure of a service that is
// reached through our own connection waits until that is known to stand.
func (s *Schedule) close(ctx context.Context, r *round) {
	reading := Combine(*r.service, r.readings)
	if reading.Success || !reading.Conclusive() || !r.service.Outward {
		s.conclude(r, reading)
		return
	}
	s.guard.judge(ctx, span{r.began, time.Now()}, func(blind bool) {
		if blind {
			for i := range r.readings {
				if !r.readings[i].Success && r.readings[i].Conclusive() {
					blinded(&r.readings[i])
				}
			}
			blinded(&reading)
		}
		s.conclude(r, reading)
	})
}

// blinded makes a failed reading inconclusive.
func blinded(r *exporter.Reading) {
	r.Detail = fmt.Sprintf("no anchor answers either, so our own connection is gone (%s: %s)", r.Reason, r.Detail)
	r.Reason = rules.ReasonVantage
}

// conclude keeps what a round gave, unless a reload took its service away.
func (s *Schedule) conclude(r *round, reading exporter.Reading) {
	w := r.watched
	s.mu.Lock()
	w.busy.looks--
	if w.gone {
		s.mu.Unlock()
		return
	}
	before := w.verdict
	s.judge(w, reading)
	after := w.verdict
	w.slow = slices.ContainsFunc(r.readings, func(r exporter.Reading) bool { return r.End.Sub(r.Start) > patience })
	w.keep(r.readings)
	for i := range r.readings {
		w.history.add(s.shapes, i, len(r.readings), &r.readings[i])
	}
	s.mu.Unlock()
	if before.Status != after.Status {
		s.log.Info("service changed its status", "shop", r.service.Shop, "service", r.service.ID,
			"status", after.Status, "was", before.Status, "reason", reading.Reason, "detail", reading.Detail)
	}
}

// judge changes what is held of a service. Schedule.mu is held.
func (s *Schedule) judge(w *watched, reading exporter.Reading) {
	before := w.verdict
	w.verdict = Judge(before, *w.service, reading)
	if !reading.Success {
		w.failures[reasonIndex(reading.Reason)]++
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
}

// keep makes the readings the last ones. They are held in as little memory as
// they need: strings that are always the same only once, slices without the
// room that they grew by.
func (w *watched) keep(readings []exporter.Reading) {
	for i, r := range readings {
		r.Shop, r.Service = w.service.Shop, w.service.ID
		if i < len(w.readings) && (r.Target == "" || r.Target == w.readings[i].Target) {
			r.Target = w.readings[i].Target
		}
		if cap(r.Samples) > len(r.Samples)+len(r.Samples)/8 {
			r.Samples = slices.Clone(r.Samples)
		}
		if cap(r.Phases) > len(r.Phases) {
			r.Phases = slices.Clone(r.Phases)
		}
		readings[i] = r
	}
	w.readings = readings
}

// reasonIndex is the place of a reason in rules.Reasons; one that isn't there
// counts as other.
func reasonIndex(reason rules.Reason) int {
	if i := slices.Index(rules.Reasons, reason); i >= 0 {
		return i
	}
	return slices.Index(rules.Reasons, rules.ReasonOther)
}
