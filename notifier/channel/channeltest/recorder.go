package channeltest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"shopwatch/notifier"
)

// Sent is one call of Send that a Recorder saw.
type Sent struct {
	Address string
	Message notifier.Message
	Err     error // what the call returned; nil where it was accepted
}

// Recorder is a channel that sends nothing and remembers everything. It
// accepts every message unless told otherwise, and is safe for concurrent use.
type Recorder struct {
	name string

	mu      sync.Mutex
	script  []error
	decide  func(address string, m notifier.Message) error
	sent    []Sent
	held    chan struct{} // closed when calls may go on; nil where nothing is held
	changed chan struct{} // closed and replaced at every call
}

// NewRecorder makes a recorder with the name of the channel that it stands for.
func NewRecorder(name string) *Recorder {
	return &Recorder{name: name, changed: make(chan struct{})}
}

// Name is the name given to NewRecorder.
func (r *Recorder) Name() string { return r.name }

// Script makes the next calls of Send return the errors, one each and in this
// order; a nil accepts. It goes before Decide, and scripts add up.
func (r *Recorder) Script(errs ...error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = append(r.script, errs...)
}

// Decide makes every call that no script covers return what the function
// returns. A nil function accepts everything again. It must not call the recorder.
func (r *Recorder) Decide(decide func(address string, m notifier.Message) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decide = decide
}

// Hold makes every call of Send wait, until release or the end of its context.
// Releasing twice does nothing; a second Hold before that is a mistake and panics.
func (r *Recorder) Hold() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held != nil {
		panic("channeltest: Hold while already held")
	}
	held := make(chan struct{})
	r.held = held
	return sync.OnceFunc(func() {
		r.mu.Lock()
		r.held = nil
		r.mu.Unlock()
		close(held)
	})
}

// Send records the call and returns what the script says.
func (r *Recorder) Send(ctx context.Context, address string, m notifier.Message) error {
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%s: %w", r.name, ctx.Err())
	case len(r.script) > 0:
		err, r.script = r.script[0], r.script[1:]
	case r.decide != nil:
		err = r.decide(address, m)
	}
	m.Params = slices.Clone(m.Params)
	r.sent = append(r.sent, Sent{Address: address, Message: m, Err: err})
	close(r.changed)
	r.changed = make(chan struct{})
	return err
}

// Calls returns every call of Send so far, in the order in which they ended.
func (r *Recorder) Calls() []Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

// Accepted returns the calls that returned nil, in order.
func (r *Recorder) Accepted() []Sent {
	return slices.DeleteFunc(r.Calls(), func(s Sent) bool { return s.Err != nil })
}

// Wait waits until enough is satisfied by the calls so far; it looks anew after
// every call. It returns the context's error if that ends first.
func (r *Recorder) Wait(ctx context.Context, enough func([]Sent) bool) error {
	for {
		r.mu.Lock()
		calls, changed := slices.Clone(r.sent), r.changed
		r.mu.Unlock()
		if enough(calls) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("recorder %s after %d calls: %w", r.name, len(calls), ctx.Err())
		}
	}
}

// AtLeast is for Wait: it asks for n accepted messages.
func AtLeast(n int) func([]Sent) bool {
	return func(calls []Sent) bool {
		accepted := 0
		for _, call := range calls {
			if call.Err == nil {
				accepted++
			}
		}
		return accepted >= n
	}
}
