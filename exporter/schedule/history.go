package schedule

import (
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	// remember is how many looks at each target are kept, whatever they gave.
	remember = 50
	// rememberFailed is how many failed looks are kept that are older than those:
	// a service that recovered an hour ago can still say why it was red.
	rememberFailed = 10
	// maxDetail clips the detail of a failed look, in bytes.
	maxDetail = 200
	// maxShapes bounds the lists of phase names. They come from the
	// configuration, so that a few dozen are many.
	maxShapes = 4096
	// maxPhases bounds the phases of one look.
	maxPhases = 64
)

// past is an exporter.Past in 16 bytes; its phases lie beside it.
type past struct {
	start  int64 // Unix microseconds
	took   short
	target uint16
	shape  uint16 // which phases it has, in shapes
	cause  uint16 // why it failed, in history.causes from 1; 0 is a success
}

// cause is why a look failed. Looks that fail in the same way share it.
type cause struct {
	reason rules.Reason
	detail string
}

// history is what is kept of the looks at one service.
type history struct {
	newest, failed ring
	causes         []cause
}

// add keeps one look at one of so many targets.
func (h *history) add(names *shapes, target, targets int, r *exporter.Reading) {
	p := past{
		start: r.Start.UnixMicro(), took: shorten(r.End.Sub(r.Start)), target: uint16(min(target, math.MaxUint16)),
		shape: names.of(r.Phases),
	}
	if !r.Success {
		p.cause = h.cause(cause{r.Reason, clip(r.Detail)})
	}
	phases := make([]short, 0, 16)
	for _, phase := range r.Phases[:min(len(r.Phases), len(names.lists[p.shape]))] {
		phases = append(phases, shorten(phase.Took))
	}
	if old, oldPhases, dropped := h.newest.push(remember*targets, p, phases); dropped && old.cause != 0 {
		h.failed.push(rememberFailed, old, oldPhases)
	}
}

// cause gives the number of a cause. A place that no look needs any more is
// taken anew.
func (h *history) cause(c cause) uint16 {
	if i := slices.Index(h.causes, c); i >= 0 {
		return uint16(i + 1)
	}
	used := make([]bool, len(h.causes)+1)
	for _, p := range h.newest.looks {
		used[p.cause] = true
	}
	for _, p := range h.failed.looks {
		used[p.cause] = true
	}
	c.detail = strings.Clone(c.detail)
	for i := range h.causes {
		if !used[i+1] {
			h.causes[i] = c
			return uint16(i + 1)
		}
	}
	if len(h.causes) == math.MaxUint16 {
		return math.MaxUint16 // of thousands of targets, each with causes of its own
	}
	h.causes = append(h.causes, c)
	return uint16(len(h.causes))
}

// list gives the looks that are kept, newest first. targets are how they are shown.
func (h *history) list(names *shapes, targets []exporter.Reading) []exporter.Past {
	all := make([]exporter.Past, 0, len(h.newest.looks)+len(h.failed.looks))
	for _, kept := range []*ring{&h.newest, &h.failed} {
		for i := range kept.looks {
			p, phases := kept.last(i)
			shown := exporter.Past{Start: time.UnixMicro(p.start), Took: p.took.duration(), Success: p.cause == 0}
			if int(p.target) < len(targets) {
				shown.Target = targets[p.target].Target
			}
			if p.cause != 0 {
				shown.Reason, shown.Detail = h.causes[p.cause-1].reason, h.causes[p.cause-1].detail
			}
			for i, name := range names.lists[p.shape] {
				shown.Phases = append(shown.Phases, exporter.Phase{Name: name, Took: phases[i].duration()})
			}
			all = append(all, shown)
		}
	}
	return all
}

// ring holds the newest looks. The phases of all have the same room, that of
// the most that one of them has.
type ring struct {
	looks  []past
	phases []short
	stride int
	oldest int // once it is full
}

// push adds a look to at most so many, and gives the one that had to go. Its
// phases are valid until the next push.
func (r *ring) push(most int, p past, phases []short) (old past, oldPhases []short, dropped bool) {
	if len(phases) > r.stride {
		r.widen(len(phases))
	}
	at := len(r.looks)
	if at < most {
		if at == cap(r.looks) {
			room := min(most, max(4, 2*at))
			r.looks = append(make([]past, 0, room), r.looks...)
			r.phases = append(make([]short, 0, room*r.stride), r.phases...)
		}
		r.looks = append(r.looks, p)
		r.phases = r.phases[:len(r.looks)*r.stride]
	} else {
		at = r.oldest
		r.oldest = (at + 1) % len(r.looks)
		old, dropped = r.looks[at], true
		oldPhases = slices.Clone(r.of(at))
		r.looks[at] = p
	}
	clear(r.of(at)[copy(r.of(at), phases):])
	return old, oldPhases, dropped
}

// of are the phases of the look at a place.
func (r *ring) of(at int) []short { return r.phases[at*r.stride : (at+1)*r.stride] }

// widen makes room for looks of more phases.
func (r *ring) widen(stride int) {
	wide := make([]short, len(r.looks)*stride, cap(r.looks)*stride)
	for at := range r.looks {
		copy(wide[at*stride:], r.of(at))
	}
	r.phases, r.stride = wide, stride
}

// last is the i-th look counted from the newest, which is 0.
func (r *ring) last(i int) (past, []short) {
	at := (r.oldest + 2*len(r.looks) - 1 - i) % len(r.looks)
	return r.looks[at], r.of(at)
}

// short is a duration in 16 bits: 11 of them a number, 5 how often it is to be
// doubled. It is exact to the microsecond below 2 ms and to 0.05 % above.
type short uint16

func shorten(d time.Duration) short {
	micros := uint64(max(0, d.Microseconds()))
	double := max(0, bits.Len64(micros)-11)
	if double > 0 && micros>>(double-1)&1 == 1 { // round
		micros += 1 << (double - 1)
		double = max(0, bits.Len64(micros)-11)
	}
	if double > 31 {
		return math.MaxUint16
	}
	return short(double<<11) | short(micros>>double)
}

func (s short) duration() time.Duration {
	return time.Duration(uint64(s&0x7ff)<<(s>>11)) * time.Microsecond
}

// shapes are the lists of phase names that looks have had. The first is empty.
type shapes struct {
	lists [][]string
	index map[string]uint16
}

func newShapes() *shapes {
	return &shapes{lists: [][]string{nil}, index: map[string]uint16{"": 0}}
}

// of is the number of a look's list; where there are too many, that of the empty one.
func (s *shapes) of(phases []exporter.Phase) uint16 {
	phases = phases[:min(len(phases), maxPhases)]
	key := make([]byte, 0, 128)
	for _, phase := range phases {
		key = append(append(key, phase.Name...), 0)
	}
	if i, ok := s.index[string(key)]; ok {
		return i
	}
	if len(s.lists) >= maxShapes {
		return 0
	}
	var names []string
	for _, phase := range phases {
		names = append(names, strings.Clone(phase.Name))
	}
	i := uint16(len(s.lists))
	s.lists = append(s.lists, names)
	s.index[string(key)] = i
	return i
}

// clip cuts a detail at a whole character.
func clip(detail string) string {
	if len(detail) <= maxDetail {
		return detail
	}
	cut := maxDetail - len("…")
	for cut > 0 && !utf8.RuneStart(detail[cut]) {
		cut--
	}
	return detail[:cut] + "…"
}

// History gives what is kept of the looks at a service, newest first: the last
// 50 at each of its targets, then the last 10 that failed before those.
// Durations are rounded to 0.05 %. It is false if there is no such service. The
// caller owns what it gets.
func (s *Schedule) History(shop, service string) ([]exporter.Past, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.byName[Name{shop, service}]
	if !ok {
		return nil, false
	}
	return w.history.list(s.shapes, w.readings), true
}
