package sms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/sms"
)

// pair is two providers' far sides and a clock.
type pair struct {
	*sms.Channel
	mu    sync.Mutex
	now   time.Time
	taken [2]atomic.Int64

	providers []sms.Provider
	unclear   notifier.Unclear // as the outbox keeps it
}

func (p *pair) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *pair) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// open makes a channel whose first provider does as first says, and whose
// second takes everything unless second says otherwise.
func open(t *testing.T, first, second http.HandlerFunc) *pair {
	t.Helper()
	p := &pair{now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
	for i, serve := range []http.HandlerFunc{first, second} {
		hostport := channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
			p.taken[i].Add(1)
			serve(w, r)
		})
		provider, err := sms.NewGateway(sms.GatewayConfig{
			Label: fmt.Sprintf("gateway %d", i+1), URL: "http://" + hostport, Form: map[string]string{"to": "${number}", "text": "${text}"},
			Result: sms.Result{
				JSON: "code", Accepted: []string{"ok"}, Permanent: []string{"dead"}, Unsendable: []string{"words"}, Limited: []string{"enough"}, Refused: []string{"broke"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		p.providers = append(p.providers, provider)
	}
	p.restart(t)
	return p
}

// restart has another process send.
func (p *pair) restart(t *testing.T) {
	t.Helper()
	var err error
	if p.Channel, err = sms.New(sms.Config{Providers: p.providers, Now: p.clock}); err != nil {
		t.Fatal(err)
	}
}

func says(code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"code":%q}`, code) }
}

func (p *pair) expect(t *testing.T, want channeltest.Outcome, after time.Duration, first, second int64) {
	t.Helper()
	again := message
	again.Unclear = p.unclear
	err := p.Send(t.Context(), number, again)
	if unclear, ok := errors.AsType[*notifier.UnclearError](err); ok {
		p.unclear = unclear.Unclear
	}
	got, wait := channeltest.Understand(err)
	if got != want || wait != after {
		t.Errorf("understood as %q after %s, want %q after %s (%v)", got, wait, want, after, err)
	}
	if a, b := p.taken[0].Load(), p.taken[1].Load(); a != first || b != second {
		t.Errorf("the first was asked %d times and the second %d times, want %d and %d", a, b, first, second)
	}
	if leaked := channeltest.Leaked(err, number, "13800138000"); leaked != "" {
		t.Errorf("error holds %q: %v", leaked, err)
	}
}

func TestTheNextProviderTakesWhatTheFirstRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, first, second string
		want                channeltest.Outcome
		after               time.Duration
		asked               int64 // of the second
	}{
		{"the first takes it", "ok", "ok", channeltest.Accepted, 0, 0},
		{"the first has no money", "broke", "ok", channeltest.Accepted, 0, 1},
		{"the first has a fault", "fault", "ok", channeltest.Accepted, 0, 1},
		{"the first can't say it", "words", "ok", channeltest.Accepted, 0, 1},
		{"the number is dead, which the second can't mend", "dead", "ok", channeltest.Permanent, 0, 0},
		{"the number has had enough, and is left alone", "enough", "ok", channeltest.WaitRecipient, time.Hour, 0},
		{"the number is dead for the second", "broke", "dead", channeltest.Permanent, 0, 1},
		{"neither can say it", "words", "words", channeltest.Unsendable, 0, 1},
		{"neither has money", "broke", "broke", channeltest.WaitChannel, 5 * time.Minute, 1},
		{"one can't say it, the other has no money", "words", "broke", channeltest.WaitRecipient, 5 * time.Minute, 1},
		{"one has no money, the other a fault", "broke", "fault", channeltest.Temporary, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			open(t, says(c.first), says(c.second)).expect(t, c.want, c.after, 1, c.asked)
		})
	}
}

func TestAProviderThatRefusedUsIsNotAskedUntilItsRestIsOver(t *testing.T) {
	t.Parallel()
	p := open(t, says("broke"), says("ok"))
	p.expect(t, channeltest.Accepted, 0, 1, 1)
	p.expect(t, channeltest.Accepted, 0, 1, 2)
	p.pass(5*time.Minute - time.Second)
	p.expect(t, channeltest.Accepted, 0, 1, 3)
	p.pass(time.Second)
	p.expect(t, channeltest.Accepted, 0, 2, 4)

	p = open(t, says("broke"), says("broke"))
	p.expect(t, channeltest.WaitChannel, 5*time.Minute, 1, 1)
	p.pass(time.Minute)
	p.expect(t, channeltest.WaitChannel, 4*time.Minute, 1, 1) // nobody is asked
}

func TestAMessageWhoseAnswerWasLostGoesToNoOtherProvider(t *testing.T) {
	t.Parallel()
	lost := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	p := open(t, lost, says("ok"))
	p.expect(t, channeltest.Temporary, 0, 1, 0)
	p.restart(t) // what is known of the message comes with it
	p.expect(t, channeltest.Temporary, 0, 2, 0)
	// Another message has not been said, and meets the one that answers first.
	other := message
	other.ID = "n99-r1"
	if err := p.Send(t.Context(), number, other); err != nil || p.taken[0].Load() != 2 || p.taken[1].Load() != 1 {
		t.Errorf("another message: %v, asked %d and %d times", err, p.taken[0].Load(), p.taken[1].Load())
	}
	p.pass(10*time.Minute - time.Second)
	p.expect(t, channeltest.Temporary, 0, 3, 1)
	p.pass(time.Second) // better twice than not at all
	p.expect(t, channeltest.Accepted, 0, 3, 2)
}

func TestAProviderThatKeepsLosingAMessageIsAskedLastForIt(t *testing.T) {
	t.Parallel()
	lost := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	p := open(t, lost, says("fault"))
	p.expect(t, channeltest.Temporary, 0, 1, 0)
	p.pass(15 * time.Minute) // no longer in doubt for others
	p.expect(t, channeltest.Temporary, 0, 2, 1)
	p.pass(5 * time.Minute) // the wait begins no second time
	p.expect(t, channeltest.Temporary, 0, 3, 2)
}

func TestAProviderThatNobodyReachesHasTakenNothing(t *testing.T) {
	t.Parallel()
	first, err := sms.NewTwilio(twilioConfig(servertest.FreeAddress(t)))
	if err != nil {
		t.Fatal(err)
	}
	var far recording
	second, err := sms.NewAliyun(config(far.start(t)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := sms.New(sms.Config{Providers: []sms.Provider{first, second}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), number, message); err != nil || len(far.queries) != 1 {
		t.Errorf("Send: %v, and the second was asked %d times", err, len(far.queries))
	}
}

func TestTheCallersDeadlineIsNoReasonToAskAnother(t *testing.T) {
	t.Parallel()
	p := open(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server doesn't see the client go
		<-r.Context().Done()
	}, says("ok"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := p.Send(ctx, number, message); !errors.Is(err, context.DeadlineExceeded) || p.taken[1].Load() != 0 {
		t.Errorf("Send: %v, and the second was asked %d times", err, p.taken[1].Load())
	}
}

func TestAnEventIsToldWhereSomeProviderHasWordsForIt(t *testing.T) {
	t.Parallel()
	aliyun, err := sms.NewAliyun(config("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	tencent, err := sms.NewTencent(tencentConfig("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	twilio, err := sms.NewTwilio(twilioConfig("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		providers []sms.Provider
		want      string
	}{
		{[]sms.Provider{aliyun}, "down worsened prolonged recovered reopened"},
		{[]sms.Provider{aliyun, tencent}, "down worsened prolonged recovered reopened confirm code"},
		{[]sms.Provider{twilio}, "down worsened prolonged recovered reopened maintenance_in_progress confirm code"},
	} {
		channel, err := sms.New(sms.Config{Providers: c.providers, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, event := range []notifier.Event{
			notifier.EventDown, notifier.EventWorsened, notifier.EventJoined, notifier.EventProlonged, notifier.EventRecovered, notifier.EventReopened, notifier.EventEased,
			notifier.EventUpdated, notifier.EventScheduled, notifier.EventBegan, notifier.EventCompleted, notifier.EventConfirm, notifier.EventWelcome, notifier.EventDigest, notifier.EventCode,
		} {
			if channel.Tells(event) {
				got = append(got, string(event))
			}
		}
		if told := strings.Join(got, " "); told != c.want {
			t.Errorf("tells %s, want %s", told, c.want)
		}
	}
}
