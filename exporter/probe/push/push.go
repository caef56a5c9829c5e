// Package push is the kind of look that listens: a cron job or a delivery
// worker calls a URL of ours, and its silence is failure.
//
// The room hears only calls with a token that it was configured with; to any
// other it says 404 and remembers nothing. It keeps tokens as hashes, and no
// token, whole or in part, comes into a log, a detail or the state file. A call
// is one line of memory whatever it carries, and however many come, the state
// file is written at most once a second.
//
// Time during which we didn't listen is not the caller's silence: after a
// restart every heartbeat has a whole period before it can fail, unless it was
// overdue already before we stopped.
package push

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// Config is what a Receiver works with.
type Config struct {
	// Path is the state file; "" keeps heartbeats in memory only.
	Path   string
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: silent
}

// Receiver hears heartbeats and says which are late. It may be used by many
// goroutines at once.
type Receiver struct {
	path  string
	now   func() time.Time
	log   *slog.Logger
	since time.Time // when we began to listen

	mu         sync.Mutex
	heartbeats map[digest]*heartbeat
	recalled   map[digest]heartbeat // of the state file, until the first Configure
	dirty      bool                 // something the state file doesn't know
	changed    chan struct{}        // holds one signal while dirty
}

// digest stands for a token. Looking one up by it takes as long for a wrong
// token that begins well as for any other.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

// heartbeat is what is known of one token.
type heartbeat struct {
	shop, service string
	since         time.Time // when it was first configured
	last          time.Time // last good call; zero: none ever
	failed        time.Time // last call that reported a failure, zero once a good one came
	message       string    // of the last call, for the owner
	overdue       bool      // it was too long silent while we listened
	heard         time.Time // last call that was looked at, for the limit of rate; not kept
}

// New makes a Receiver with what the state file remembers. A file that can't be
// understood is moved aside; one that can't be read at all is an error.
func New(config Config) (*Receiver, error) {
	r := &Receiver{
		path: config.Path, now: config.Now, log: config.Logger,
		heartbeats: map[digest]*heartbeat{}, changed: make(chan struct{}, 1),
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.since = r.now()
	if r.path == "" {
		return r, nil
	}
	var err error
	r.recalled, err = recall(r.path, r.since, r.log)
	return r, err
}

// Configure names the services that may call; those of other kinds are passed
// over. A service that keeps its token keeps its heartbeat; what is no longer
// named is forgotten.
func (r *Receiver) Configure(services []exporter.Service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	present := make(map[digest]*heartbeat, len(services))
	for i := range services {
		s := &services[i]
		if s.Module.Kind != exporter.KindPush || s.Module.Push == nil || s.Module.Push.Token == "" {
			continue
		}
		token := digestOf(s.Module.Push.Token)
		if present[token] != nil { // two services of one token hear the same calls
			continue
		}
		same := func(h *heartbeat) bool { return h != nil && h.shop == s.Shop && h.service == s.ID }
		old, remembered := r.recalled[token]
		switch {
		case same(r.heartbeats[token]):
			present[token] = r.heartbeats[token]
		case remembered && same(&old):
			present[token] = &old
		default:
			present[token] = &heartbeat{shop: s.Shop, service: s.ID, since: now}
		}
	}
	r.heartbeats, r.recalled = present, nil
	r.touch()
}

// touch notes that the state file is behind. The mutex is held.
func (r *Receiver) touch() {
	r.dirty = true
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// call is what a caller says.
type call int

const (
	good  call = iota
	bad        // it reports a failure
	begun      // it has begun, which says nothing yet
)

// rate is how often a token's calls are looked at; more often they are answered
// and otherwise passed over.
const rate = time.Second

// hear takes a call with a token. It reports false for one that isn't
// configured; message is only asked for if the call is looked at.
func (r *Receiver) hear(token string, what call, message func() string) bool {
	id := digestOf(token)
	r.mu.Lock()
	h := r.heartbeats[id]
	repeated := h != nil && what == h.state() && !h.heard.IsZero() && r.now().Sub(h.heard) < rate
	r.mu.Unlock()
	if h == nil {
		return false
	}
	if repeated || what == begun {
		return true
	}
	text := message() // reads the network: not with the mutex held

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heartbeats[id] != h { // a reload came between
		return r.heartbeats[id] != nil
	}
	now := r.now()
	h.heard, h.message = now, text
	if what == good {
		h.last, h.failed, h.overdue = now, time.Time{}, false
	} else {
		h.failed = now
	}
	r.touch()
	return true
}

// state is what the last call said.
func (h *heartbeat) state() call {
	if h.failed.IsZero() {
		return good
	}
	return bad
}

// Look is a [probe.Kind]. It succeeds while the last good call is no older than
// the module allows. A call that reported a failure fails it at once, with
// reason status, until the next good call; silence fails it with reason
// timeout. It is inconclusive (vantage) while no call can be expected yet: for
// one period after the service was first configured, and after we began to
// listen again.
func (r *Receiver) Look(_ context.Context, l *probe.Look) error {
	module := l.Module().Push
	if module == nil || module.Within <= 0 {
		return probe.Problem(rules.ReasonOther, "the module doesn't say how often calls are expected")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.heartbeats[digestOf(module.Token)]
	if h == nil {
		return probe.Problem(rules.ReasonOther, "the service isn't configured to call us")
	}
	now, expected := r.now(), "expected every "+span(module.Within)
	if !h.last.IsZero() {
		l.Sample(&rules.PushLast, float64(h.last.UnixMilli())/1000)
	}
	if !h.failed.IsZero() {
		detail := fmt.Sprintf("reported a failure %s ago", span(now.Sub(h.failed)))
		if h.message != "" {
			detail += ": " + h.message
		}
		return probe.Problem(rules.ReasonStatus, detail)
	}
	if !h.last.IsZero() && now.Sub(h.last) <= module.Within {
		return nil
	}
	from := h.since // since when a call could have come
	if !h.last.IsZero() {
		from = h.last
	}
	silence := now.Sub(from)
	if r.since.After(from) {
		from = r.since
	}
	late := h.overdue || now.Sub(from) > module.Within
	if late && !h.overdue {
		h.overdue = true
		r.touch()
	}
	switch {
	case late && h.last.IsZero():
		return probe.Problem(rules.ReasonTimeout, fmt.Sprintf("no call yet in %s, %s", span(silence), expected))
	case late:
		return probe.Problem(rules.ReasonTimeout, fmt.Sprintf("no call for %s, %s", span(silence), expected))
	case h.last.IsZero():
		return probe.Problem(rules.ReasonVantage, "no call yet, "+expected)
	}
	return probe.Problem(rules.ReasonVantage, "no call since we listen again, "+expected)
}

// span is a duration for people: 12m, 1h30m, 45s.
func span(d time.Duration) string {
	unit := time.Second
	if d < time.Second {
		unit = time.Millisecond
	}
	text := d.Round(unit).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
