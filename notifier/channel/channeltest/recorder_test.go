package channeltest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
)

func TestARecorderKeepsItsScriptAndRemembersEverything(t *testing.T) {
	t.Parallel()
	r := channeltest.NewRecorder("sms")
	gone := fmt.Errorf("gone: %w", notifier.ErrPermanent)
	later := &notifier.RetryAfterError{After: time.Second, Err: errors.New("later")}
	r.Script(gone, nil)
	r.Decide(func(address string, _ notifier.Message) error {
		if address == "b" {
			return later
		}
		return nil
	})
	want := []error{gone, nil, later, nil}
	for i, address := range []string{"a", "a", "b", "c"} {
		if err := r.Send(t.Context(), address, notifier.Message{ID: fmt.Sprint(i)}); !errors.Is(err, want[i]) {
			t.Errorf("call %d returned %v, want %v", i, err, want[i])
		}
	}
	if r.Name() != "sms" || len(r.Calls()) != 4 || len(r.Accepted()) != 2 {
		t.Errorf("%s remembers %d calls and %d accepted, want 4 and 2", r.Name(), len(r.Calls()), len(r.Accepted()))
	}
	if last := r.Accepted()[1]; last.Address != "c" || last.Message.ID != "3" {
		t.Errorf("last accepted call %+v", last)
	}
}

func TestAHeldRecorderAcceptsOnlyAfterRelease(t *testing.T) {
	t.Parallel()
	r := channeltest.NewRecorder("email")
	release := r.Hold()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Send(ctx, "a", notifier.Message{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call returned %v", err)
	}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { _ = r.Send(t.Context(), "b", notifier.Message{}) })
	}
	if n := len(r.Accepted()); n != 0 {
		t.Errorf("%d calls were accepted while held", n)
	}
	release()
	release()
	if err := r.Wait(t.Context(), channeltest.AtLeast(3)); err != nil {
		t.Error(err)
	}
	group.Wait()
	if err := r.Send(t.Context(), "c", notifier.Message{}); err != nil {
		t.Errorf("a call after the release returned %v", err)
	}
}

func TestWaitingForTooMuchEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := channeltest.NewRecorder("sms").Wait(ctx, channeltest.AtLeast(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait returned %v", err)
	}
}

func TestLeakedLooksIntoEveryWrappedError(t *testing.T) {
	t.Parallel()
	inner := errors.New("POST /botSECRET/sendMessage")
	for name, err := range map[string]error{
		"plain":   inner,
		"wrapped": hiding{inner},
		"joined":  errors.Join(errors.New("a"), hiding{inner}),
	} {
		if channeltest.Leaked(err, "nothing", "secret") != "secret" {
			t.Errorf("%s: the secret was not found", name)
		}
	}
	if leaked := channeltest.Leaked(errors.New("all is well"), "secret"); leaked != "" {
		t.Errorf("found %q where nothing is", leaked)
	}
}

// hiding is an error whose own text is clean.
type hiding struct{ inner error }

func (hiding) Error() string   { return "clean" }
func (h hiding) Unwrap() error { return h.inner }
