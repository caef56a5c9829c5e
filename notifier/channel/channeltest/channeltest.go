// Package channeltest is the suite that every channel must pass, and the
// recording fake that other rooms test against.
//
// The suite is the real definition of a channel: nil only where the far side
// accepted, the caller's deadline always obeyed, and no secret and no address
// in any error. It knows no protocol: a channel under test brings servers that
// answer in its own one, the suite brings those that break every protocol.
package channeltest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
)

// Channel is what dispatch asks of a channel.
type Channel interface {
	Name() string
	Send(ctx context.Context, address string, m notifier.Message) error
}

// Outcome is how a caller must understand what Send returned.
type Outcome string

// The outcomes.
const (
	Accepted      Outcome = "accepted"       // nil
	Temporary     Outcome = "temporary"      // an error, and no word about when to come back
	Permanent     Outcome = "permanent"      // wraps notifier.ErrPermanent
	Unsendable    Outcome = "unsendable"     // wraps notifier.ErrUnsendable
	Moved         Outcome = "moved"          // *notifier.MovedError
	WaitRecipient Outcome = "wait recipient" // *notifier.RetryAfterError for this recipient
	WaitChannel   Outcome = "wait channel"   // *notifier.RetryAfterError for the whole channel
)

// Answer is one thing that a far side may say.
type Answer struct {
	Name string // a sentence
	// Serve starts a far side that gives the answer, and returns its host:port.
	Serve func(t *testing.T) string
	Want  Outcome
	After time.Duration // with WaitRecipient and WaitChannel: how long
	Says  string        // what the error's text must hold, for the operator
}

// Subject is a channel under test.
type Subject struct {
	Name string // what Name must say
	// Connect makes a channel whose far side is at the host:port. Its own
	// timeouts must be many seconds long, so that the caller's end first.
	Connect func(t *testing.T, hostport string) Channel
	Address string   // a good address
	Invalid []string // addresses that no far side could take
	// Private holds what no error may hold: every secret, and the address in
	// every spelling that goes over the wire.
	Private []string
	Message notifier.Message
	// Accepting starts a far side that accepts everything, and returns its
	// host:port and how many messages it has taken.
	Accepting func(t *testing.T) (hostport string, taken func() int)
	Answers   []Answer
	// Status says what an answer of this HTTP status must mean whose body is no
	// word of the protocol. Nil where the channel speaks no HTTP.
	Status func(status int) Outcome
}

// patience is how long a Send that should have ended may go on before the
// suite calls it stuck.
const patience = 10 * time.Second

// Run holds the subject to everything that is asked of a channel.
func Run(t *testing.T, s Subject) {
	t.Helper()
	t.Run("says its name", func(t *testing.T) {
		t.Parallel()
		hostport, _ := s.Accepting(t)
		if got := s.Connect(t, hostport).Name(); got != s.Name {
			t.Errorf("Name() = %q, want %q", got, s.Name)
		}
	})
	t.Run("returns nil once the far side accepted", func(t *testing.T) {
		t.Parallel()
		hostport, taken := s.Accepting(t)
		s.expect(t, s.send(t, t.Context(), s.Connect(t, hostport), s.Address), Answer{Want: Accepted})
		if taken() != 1 {
			t.Errorf("the far side took %d messages, want 1", taken())
		}
	})
	t.Run("is safe for many senders at once", func(t *testing.T) {
		t.Parallel()
		s.runMany(t)
	})
	t.Run("keeps silent when the context has already ended", func(t *testing.T) {
		t.Parallel()
		hostport, taken := s.Accepting(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.send(t, ctx, s.Connect(t, hostport), s.Address)
		s.expect(t, err, Answer{Want: Temporary})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v doesn't wrap context.Canceled", err)
		}
		if taken() != 0 {
			t.Errorf("the far side took %d messages, want 0", taken())
		}
	})
	for _, address := range s.Invalid {
		t.Run(fmt.Sprintf("refuses the address %q for ever", address), func(t *testing.T) {
			t.Parallel()
			hostport, taken := s.Accepting(t)
			err := s.send(t, t.Context(), s.Connect(t, hostport), address)
			s.expect(t, err, Answer{Want: Permanent})
			if len(address) > 3 && err != nil && strings.Contains(err.Error(), address) {
				t.Errorf("the error holds the address: %v", err)
			}
			if taken() != 0 {
				t.Errorf("the far side took %d messages, want 0", taken())
			}
		})
	}
	s.runBroken(t)
	if s.Status != nil {
		s.runHTTP(t)
	}
	for _, answer := range s.Answers {
		t.Run(answer.Name, func(t *testing.T) {
			t.Parallel()
			s.expect(t, s.send(t, t.Context(), s.Connect(t, answer.Serve(t)), s.Address), answer)
		})
	}
}

func (s Subject) runMany(t *testing.T) {
	const senders, each = 8, 3
	hostport, taken := s.Accepting(t)
	channel := s.Connect(t, hostport)
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for n := range each {
				m := s.Message
				m.ID = fmt.Sprintf("n%d-r%d", sender+1, n+1)
				if err := channel.Send(t.Context(), s.Address, m); err != nil {
					t.Errorf("sender %d: %v", sender, err)
				}
			}
		})
	}
	group.Wait()
	if taken() != senders*each {
		t.Errorf("the far side took %d messages, want %d", taken(), senders*each)
	}
}

// runBroken meets the channel with far sides that speak no protocol at all.
func (s Subject) runBroken(t *testing.T) {
	t.Run("gives up at the deadline when the far side says nothing", func(t *testing.T) {
		t.Parallel()
		hostport, _ := silent(t)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := s.send(t, ctx, s.Connect(t, hostport), s.Address)
		s.expect(t, err, Answer{Want: Temporary})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v doesn't wrap context.DeadlineExceeded", err)
		}
	})
	t.Run("gives up at once when the caller cancels", func(t *testing.T) {
		t.Parallel()
		hostport, reached := silent(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-reached
			cancel()
		}()
		err := s.send(t, ctx, s.Connect(t, hostport), s.Address)
		s.expect(t, err, Answer{Want: Temporary})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v doesn't wrap context.Canceled", err)
		}
	})
	t.Run("gives up at the deadline when the far side never stops talking", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		s.expect(t, s.send(t, ctx, s.Connect(t, flooding(t)), s.Address), Answer{Want: Temporary})
	})
	t.Run("tries again later when nobody listens", func(t *testing.T) {
		t.Parallel()
		s.expect(t, s.send(t, t.Context(), s.Connect(t, closed(t)), s.Address), Answer{Want: Temporary})
	})
	t.Run("tries again later when the far side hangs up", func(t *testing.T) {
		t.Parallel()
		s.expect(t, s.send(t, t.Context(), s.Connect(t, saying(t, "")), s.Address), Answer{Want: Temporary})
	})
	t.Run("tries again later when the far side speaks nonsense", func(t *testing.T) {
		t.Parallel()
		s.expect(t, s.send(t, t.Context(), s.Connect(t, saying(t, "\x15\x03nonsense\r\n\r\n")), s.Address), Answer{Want: Temporary})
	})
}

// send sends the subject's message, and fails the test if that never ends.
func (s Subject) send(t *testing.T, ctx context.Context, c Channel, address string) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Send(ctx, address, s.Message) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		t.Fatalf("Send did not end within %s", patience)
		return nil
	}
}

// expect checks what Send returned against what the answer must mean.
func (s Subject) expect(t *testing.T, err error, want Answer) {
	t.Helper()
	got, after := Understand(err)
	if got != want.Want {
		t.Fatalf("understood as %q, want %q (error: %v)", got, want.Want, err)
	}
	if after != want.After {
		t.Errorf("asked to wait %s, want %s", after, want.After)
	}
	if want.Says != "" && !strings.Contains(err.Error(), want.Says) {
		t.Errorf("error %q, want one that says %q", err, want.Says)
	}
	if leaked := Leaked(err, s.Private...); leaked != "" {
		t.Errorf("error holds %q: %v", leaked, err)
	}
}

// Understand reads an error of Send as dispatch does. The duration is what a
// RetryAfterError asks for.
func Understand(err error) (Outcome, time.Duration) {
	var later *notifier.RetryAfterError
	var moved *notifier.MovedError
	switch {
	case err == nil:
		return Accepted, 0
	case errors.Is(err, notifier.ErrPermanent):
		return Permanent, 0
	case errors.Is(err, notifier.ErrUnsendable):
		return Unsendable, 0
	case errors.As(err, &moved):
		return Moved, 0
	case errors.As(err, &later) && later.Whole:
		return WaitChannel, later.After
	case errors.As(err, &later):
		return WaitRecipient, later.After
	}
	return Temporary, 0
}

// Leaked returns the first of the private strings that err, or any error that
// it wraps, would print; the letters' case does not matter. Empty where none would.
func Leaked(err error, private ...string) string {
	if err == nil {
		return ""
	}
	printed := strings.ToLower(fmt.Sprintf("%v\n%+v\n%#v", err, err, err))
	for _, secret := range private {
		if strings.Contains(printed, strings.ToLower(secret)) {
			return secret
		}
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return Leaked(wrapper.Unwrap(), private...)
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			if leaked := Leaked(inner, private...); leaked != "" {
				return leaked
			}
		}
	}
	return ""
}
