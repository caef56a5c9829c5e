package heartbeat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/heartbeat"
)

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func well() heartbeat.Signs {
	return heartbeat.Signs{Evaluated: now.Add(-time.Minute), Fresh: 150 * time.Second, OnCall: 1, Patience: 5 * time.Minute}
}

func TestHeartbeatIsDueOnlyWhileTheAlarmsWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*heartbeat.Signs)
		want   string // in the reason; empty: it is sent
	}{
		{"all is well", func(*heartbeat.Signs) {}, ""},
		{"no Watchdog ever came", func(s *heartbeat.Signs) { s.Evaluated = time.Time{} }, "no Watchdog has come yet"},
		{"the Watchdog is just fresh", func(s *heartbeat.Signs) { s.Evaluated = now.Add(time.Second - s.Fresh) }, ""},
		{"the Watchdog is silent", func(s *heartbeat.Signs) { s.Evaluated = now.Add(-s.Fresh) }, "no longer comes"},
		{"nobody would be told", func(s *heartbeat.Signs) { s.OnCall = 0 }, "audiences.ops"},
		{"a notice is on its way", func(s *heartbeat.Signs) { s.Untold = now.Add(-5 * time.Minute) }, ""},
		{"a notice has reached nobody for too long", func(s *heartbeat.Signs) { s.Untold = now.Add(-5*time.Minute - time.Second) }, "reached nobody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			signs := well()
			c.change(&signs)
			err := heartbeat.Well(now, signs)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// bench is a heart whose signs and address the test sets.
type bench struct {
	heart *heartbeat.Heart
	signs heartbeat.Signs
	err   error // of the signs
	url   string
	clock time.Time
	sent  int
	log   bytes.Buffer
}

func newBench(t *testing.T, method string) *bench {
	t.Helper()
	b := &bench{signs: well(), clock: now}
	var err error
	b.heart, err = heartbeat.New(heartbeat.Config{
		URL: func() (string, error) { return b.url, nil }, Method: method, Interval: time.Minute, Timeout: 200 * time.Millisecond,
		Client: &http.Client{}, Signs: func(context.Context) (heartbeat.Signs, error) { return b.signs, b.err },
		Sent: func(time.Time) { b.sent++ }, Now: func() time.Time { return b.clock }, Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHeartbeatGoesToItsAddressByItsMethod(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		var asked []string
		far := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.RequestURI())
		}))
		b := newBench(t, method)
		b.url = far.URL + "/api/push/s3cret?status=up"
		b.heart.Beat(t.Context())
		far.Close()
		if want := method + " /api/push/s3cret?status=up"; len(asked) != 1 || asked[0] != want || b.sent != 1 || b.log.Len() > 0 {
			t.Errorf("asked %q, want %q; %d sent; log %s", asked, want, b.sent, &b.log)
		}
	}
}

func TestHeartbeatIsWithheldAndThatIsLoggedOnceAChange(t *testing.T) {
	t.Parallel()
	asked := 0
	far := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(far.Close)
	b := newBench(t, http.MethodGet)
	b.url = far.URL + "/s3cret"
	b.signs.Evaluated = time.Time{}
	b.heart.Beat(t.Context())
	if b.log.Len() > 0 {
		t.Errorf("right after the start, when nobody can have judged yet, the log says %s", &b.log)
	}
	b.clock = now.Add(b.signs.Fresh)
	for range 3 {
		b.heart.Beat(t.Context())
	}
	b.signs.Evaluated, b.err = b.clock, errors.New("the store can't be asked")
	b.heart.Beat(t.Context())
	if asked != 0 {
		t.Fatalf("%d heartbeats were sent while the alarms don't work", asked)
	}
	b.err = nil
	b.heart.Beat(t.Context())
	b.heart.Beat(t.Context())
	if asked != 2 || b.sent != 2 {
		t.Errorf("%d asked, %d counted, want 2", asked, b.sent)
	}
	for line, want := range map[string]int{"no Watchdog has come yet": 1, "the store can't be asked": 1, "sent again": 1, "level=": 3} {
		if n := strings.Count(b.log.String(), line); n != want {
			t.Errorf("the log says %q %d times, want %d: %s", line, n, want, &b.log)
		}
	}
}

func TestAddressIsShownNowhereWhateverGoesWrong(t *testing.T) {
	t.Parallel()
	const path = "/s3cret-path?token=s3cret-query"
	answer := func(handler http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string {
			far := httptest.NewServer(handler)
			t.Cleanup(far.Close)
			return far.URL + path
		}
	}
	raw := func(speak string) func(*testing.T) string {
		return func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Read(make([]byte, 4096)) // the request
					io.WriteString(c, speak)
					c.Close()
				}
			}()
			return "http://" + l.Addr().String() + path
		}
	}
	for name, c := range map[string]struct {
		url  func(*testing.T) string
		want string
	}{
		"nobody there":                 {func(*testing.T) string { return "http://127.0.0.1:1" + path }, "127.0.0.1:1 can't be reached"},
		"no such host":                 {func(*testing.T) string { return "http://no-such-host.invalid" + path }, "no-such-host.invalid can't be reached"},
		"the far side breaks off":      {raw(""), "can't be reached"},
		"the far side repeats it":      {raw("GET " + path + " is nonsense\r\n\r\n"), "can't be reached"},
		"the far side hangs":           {answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "no answer within 200ms"},
		"the address is no longer one": {answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), "answered 404"},
		"the far side sends elsewhere": {answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://evil.invalid"+path, http.StatusFound)
		}), "(302)"},
		"no address at all": {func(*testing.T) string { return "::s3cret-path" }, "no web address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, http.MethodGet)
			b.url = c.url(t)
			b.heart.Beat(t.Context())
			b.heart.Beat(t.Context())
			if text := b.log.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, c.want) || strings.Count(text, "level=WARN") != 1 {
				t.Errorf("the log says %s, want once %q and no part of the address", text, c.want)
			}
			if b.sent != 0 {
				t.Error("it counts as sent")
			}
		})
	}
}

func TestHeartbeatsLogShowsNoPartOfTheAddressNorTheProxysPassword(t *testing.T) {
	t.Parallel()
	log := func(get func(*http.Request) (*http.Response, error)) string {
		b := newBench(t, http.MethodGet)
		heart, err := heartbeat.New(heartbeat.Config{
			URL: func() (string, error) { return "https://hc.example/ping/s3cret-part?token=s3cret-query", nil }, Method: http.MethodGet,
			Interval: time.Minute, Timeout: time.Second, Client: &http.Client{Transport: transport(get)},
			Signs: func(context.Context) (heartbeat.Signs, error) { return well(), nil },
			Sent:  func(time.Time) {}, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		heart.Beat(t.Context())
		return b.log.String()
	}
	for said, want := range map[string]string{
		"malformed HTTP response \"s3cret-part, s3cret-query\"":                                                 "malformed HTTP response",
		"invalid proxy address \"http://me:s3cret%zz@proxy\": parse \"http://me:s3cret%zz@proxy\": invalid URL": "HTTPS_PROXY",
	} {
		text := log(func(*http.Request) (*http.Response, error) { return nil, errors.New(said) })
		if strings.Contains(text, "s3cret") || !strings.Contains(text, want) {
			t.Errorf("the log says %s", text)
		}
	}
}

// transport is a way to the far side.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestStopSendsNothingAndIsNoFailure(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	far := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(far.Close)
	b := newBench(t, http.MethodGet)
	b.url = far.URL
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.heart.Run(ctx) }()
	<-asked
	stop()
	<-ended
	if len(asked) != 0 || b.sent != 0 || b.log.Len() != 0 {
		t.Errorf("%d more asked, %d sent, log %s", len(asked), b.sent, &b.log)
	}
}

func TestHeartIsNotBuiltOfHalf(t *testing.T) {
	t.Parallel()
	if _, err := heartbeat.New(heartbeat.Config{}); err == nil {
		t.Error("a heart of nothing was built")
	}
	if _, err := heartbeat.New(heartbeat.Config{
		URL: func() (string, error) { return "", nil }, Client: &http.Client{}, Signs: func(context.Context) (heartbeat.Signs, error) { return well(), nil },
		Sent: func(time.Time) {}, Now: time.Now, Logger: slog.Default(),
	}); err == nil {
		t.Error("a heart without method, interval and timeout was built")
	}
}
