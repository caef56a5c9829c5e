package push_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/push"
	"shopwatch/rules"
)

const (
	token  = "t0ken-of-the-worker-0123456789"
	second = "t0ken-of-the-other-0123456789"
)

// clock is a clock that only the test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1_800_000_000, c.offset.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// service is a service that calls every ten minutes.
func service(id, token string) exporter.Service {
	return exporter.Service{Shop: "card", ID: id, Timeout: time.Minute, Module: exporter.Module{
		Kind: exporter.KindPush, Push: &exporter.Push{Token: token, Within: 10 * time.Minute},
	}}
}

func receiver(t testing.TB, config push.Config, services ...exporter.Service) *push.Receiver {
	t.Helper()
	r, err := push.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r.Configure(services)
	return r
}

func look(t testing.TB, r *push.Receiver, service exporter.Service) exporter.Reading {
	t.Helper()
	prober := probe.New(probe.Config{Kinds: map[exporter.Kind]probe.Kind{exporter.KindPush: r.Look}})
	return prober.Look(t.Context(), service, "")
}

func wantOutcome(t testing.TB, reading exporter.Reading, reason rules.Reason, detail string) {
	t.Helper()
	if reading.Success != (reason == "") || reading.Reason != reason || reading.Detail != detail {
		t.Errorf("got success %t, reason %q, detail %q; want reason %q with %q", reading.Success, reading.Reason, reading.Detail, reason, detail)
	}
	if strings.Contains(fmt.Sprintf("%+v", reading), token) {
		t.Error("the reading holds the token")
	}
}

// lastCall is the sample of the last call, 0 where it is absent.
func lastCall(reading exporter.Reading) float64 {
	for _, s := range reading.Samples {
		if s.Metric == &rules.PushLast {
			return s.Value
		}
	}
	return 0
}

func do(r *push.Receiver, method, target, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	r.ServeHTTP(recorder, httptest.NewRequest(method, target, strings.NewReader(body)))
	return recorder
}

func TestCallsAreHeard(t *testing.T) {
	t.Parallel()
	path := "/push/" + token
	for _, c := range []struct {
		name, method, target, body string
		status                     int
		reason                     rules.Reason
		detail                     string
	}{
		{"a GET", "GET", path, "", 200, "", ""},
		{"a HEAD", "HEAD", path, "", 200, "", ""},
		{"a POST", "POST", path, "done", 200, "", ""},
		{"with a slash at its end", "GET", path + "/", "", 200, "", ""},
		{"Uptime Kuma's up", "GET", path + "?status=up&msg=OK&ping=", "", 200, "", ""},
		{"Uptime Kuma's down", "GET", path + "?status=down&msg=no%20cards", "", 200, rules.ReasonStatus, "reported a failure 0s ago: no cards"},
		{"healthchecks' fail", "GET", path + "/fail", "", 200, rules.ReasonStatus, "reported a failure 0s ago"},
		{"healthchecks' fail with its log", "POST", path + "/fail", "line 1\nline 2\n", 200, rules.ReasonStatus, "reported a failure 0s ago: line 1 line 2"},
		{"a fail that claims to be up", "GET", path + "/fail?status=up", "", 200, rules.ReasonStatus, "reported a failure 0s ago"},
		{"exit status 0", "GET", path + "/0", "", 200, "", ""},
		{"exit status 1", "GET", path + "/1", "", 200, rules.ReasonStatus, "reported a failure 0s ago"},
		{"exit status 255", "GET", path + "/255", "", 200, rules.ReasonStatus, "reported a failure 0s ago"},
		{"a start says nothing yet", "GET", path + "/start", "", 200, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"no exit status", "GET", path + "/256", "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"another word", "GET", path + "/up", "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"a longer path", "GET", path + "/fail/now", "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"no token", "GET", "/push/", "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"another token", "GET", "/push/nobody", "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"a token that begins well", "GET", path + "0", "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"another path", "GET", "/pull/" + token, "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"a path without end", "GET", path + "/" + strings.Repeat("0", 500), "", 404, rules.ReasonVantage, "no call yet, expected every 10m"},
		{"another method", "DELETE", path, "", 405, rules.ReasonVantage, "no call yet, expected every 10m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := &clock{}
			r := receiver(t, push.Config{Now: clock.Now}, service("worker", token), service("other", second))
			answer := do(r, c.method, c.target, c.body)
			if answer.Code != c.status || answer.Body.Len() > 30 || strings.Contains(answer.Body.String(), token) {
				t.Errorf("answered %d %q, want %d", answer.Code, answer.Body, c.status)
			}
			wantOutcome(t, look(t, r, service("worker", token)), c.reason, c.detail)
			wantOutcome(t, look(t, r, service("other", second)), rules.ReasonVantage, "no call yet, expected every 10m")
		})
	}
}

func TestSilenceIsFailure(t *testing.T) {
	t.Parallel()
	clock := &clock{}
	r := receiver(t, push.Config{Now: clock.Now}, service("worker", token))
	want := func(reason rules.Reason, detail string) {
		t.Helper()
		wantOutcome(t, look(t, r, service("worker", token)), reason, detail)
	}
	clock.advance(10 * time.Minute)
	want(rules.ReasonVantage, "no call yet, expected every 10m")
	clock.advance(1)
	want(rules.ReasonTimeout, "no call yet in 10m, expected every 10m")
	if got := lastCall(look(t, r, service("worker", token))); got != 0 {
		t.Errorf("without a call the last call is at %v", got)
	}

	do(r, "GET", "/push/"+token, "")
	called := float64(clock.Now().UnixMilli()) / 1000
	want("", "")
	clock.advance(10 * time.Minute)
	want("", "")
	clock.advance(2*time.Minute + 29*time.Second)
	want(rules.ReasonTimeout, "no call for 12m29s, expected every 10m")
	if got := lastCall(look(t, r, service("worker", token))); got != called {
		t.Errorf("the last call is at %v, want %v", got, called)
	}
	clock.advance(47*time.Minute + 31*time.Second)
	want(rules.ReasonTimeout, "no call for 1h, expected every 10m")

	do(r, "GET", "/push/"+token+"?status=down&msg=disk", "")
	want(rules.ReasonStatus, "reported a failure 0s ago: disk")
	clock.advance(90 * time.Second)
	want(rules.ReasonStatus, "reported a failure 1m30s ago: disk")
	do(r, "GET", "/push/"+token+"/start", "")
	want(rules.ReasonStatus, "reported a failure 1m30s ago: disk")
	do(r, "GET", "/push/"+token, "")
	want("", "")
}

func TestMessagesBecomeOneShortLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sent, kept string }{
		{"a line", "no cards", "no cards"},
		{"several lines", " a\r\n\tb  c\n\n", "a b c"},
		{"what can't be printed", "a\x1b[31mred\x00\u202eevil\ufeff\xff", "a [31mred evil"},
		{"another script", "卡密 用完", "卡密 用完"},
		{"200 characters", strings.Repeat("卡", 170), strings.Repeat("卡", 170)},
		{"too much", strings.Repeat("x", 1<<20), strings.Repeat("x", 199) + "…"},
		{"nothing but spaces", " \n ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := &clock{}
			r := receiver(t, push.Config{Now: clock.Now}, service("worker", token))
			do(r, "POST", "/push/"+token+"/fail", c.sent)
			detail := "reported a failure 0s ago"
			if c.kept != "" {
				detail += ": " + c.kept
			}
			if runes := []rune(detail); len(runes) > 200 {
				detail = string(runes[:199]) + "…" // a reading's own limit
			}
			wantOutcome(t, look(t, r, service("worker", token)), rules.ReasonStatus, detail)
		})
	}
}

func TestABodyWithoutEndIsCut(t *testing.T) {
	t.Parallel()
	clock := &clock{}
	r := receiver(t, push.Config{Now: clock.Now}, service("worker", token))
	endless := &counter{}
	request := httptest.NewRequest("POST", "/push/"+token+"/fail", endless)
	r.ServeHTTP(httptest.NewRecorder(), request)
	if endless.read > 20_000 {
		t.Errorf("%d bytes of a body were read", endless.read)
	}
	endless.read = 0
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/push/nobody", endless))
	if endless.read > 0 {
		t.Errorf("%d bytes were read of a call with an unknown token", endless.read)
	}
}

// counter is a body without end.
type counter struct{ read int }

func (c *counter) Read(p []byte) (int, error) {
	c.read += len(p)
	return len(p), nil
}

func TestAFloodIsPassedOver(t *testing.T) {
	t.Parallel()
	clock := &clock{}
	r := receiver(t, push.Config{Now: clock.Now}, service("worker", token))
	for i := range 5 {
		do(r, "GET", fmt.Sprintf("/push/%s/fail?msg=%d", token, i), "")
	}
	wantOutcome(t, look(t, r, service("worker", token)), rules.ReasonStatus, "reported a failure 0s ago: 0")
	clock.advance(time.Second)
	do(r, "GET", "/push/"+token+"/fail?msg=later", "")
	wantOutcome(t, look(t, r, service("worker", token)), rules.ReasonStatus, "reported a failure 0s ago: later")
	do(r, "GET", "/push/"+token, "")
	wantOutcome(t, look(t, r, service("worker", token)), "", "")
	do(r, "GET", "/push/"+token+"/fail?msg=at+once", "") // a change is never passed over
	wantOutcome(t, look(t, r, service("worker", token)), rules.ReasonStatus, "reported a failure 0s ago: at once")
}

func TestAReloadKeepsTheHeartbeatsOfUnchangedTokens(t *testing.T) {
	t.Parallel()
	clock := &clock{}
	r := receiver(t, push.Config{Now: clock.Now}, service("worker", token), service("other", second))
	do(r, "GET", "/push/"+token, "")
	do(r, "GET", "/push/"+second, "")
	clock.advance(time.Hour)

	const fresh = "fresh-token-0123456789"
	changed := service("other", fresh)
	web := exporter.Service{Shop: "card", ID: "web", Module: exporter.HTTPModule(nil)}
	r.Configure([]exporter.Service{web, service("worker", token), changed})
	wantOutcome(t, look(t, r, service("worker", token)), rules.ReasonTimeout, "no call for 1h, expected every 10m")
	wantOutcome(t, look(t, r, changed), rules.ReasonVantage, "no call yet, expected every 10m")
	if got := do(r, "GET", "/push/"+second, "").Code; got != 404 {
		t.Errorf("a token that was replaced is answered %d", got)
	}
	wantOutcome(t, look(t, r, service("other", second)), rules.ReasonOther, "the service isn't configured to call us")

	r.Configure([]exporter.Service{service("heir", token)})
	wantOutcome(t, look(t, r, service("heir", token)), rules.ReasonVantage, "no call yet, expected every 10m")
	r.Configure(nil)
	if got := do(r, "GET", "/push/"+token, "").Code; got != 404 {
		t.Errorf("after its service left, a token is answered %d", got)
	}
	r.Configure([]exporter.Service{service("heir", "")})
	if got := do(r, "GET", "/push/", "").Code; got != 404 {
		t.Errorf("an empty token is answered %d", got)
	}
}

func TestAModuleWithoutAPeriodIsRefused(t *testing.T) {
	t.Parallel()
	s := service("worker", token)
	s.Module.Push.Within = 0
	wantOutcome(t, look(t, receiver(t, push.Config{}, s), s), rules.ReasonOther, "the module doesn't say how often calls are expected")
	s.Module.Push = nil
	wantOutcome(t, look(t, receiver(t, push.Config{}, s), s), rules.ReasonOther, "the module doesn't say how often calls are expected")
}

func TestOverARealServerAllMethodsAreAnswered(t *testing.T) {
	t.Parallel()
	r := receiver(t, push.Config{}, service("worker", token))
	mux := http.NewServeMux()
	mux.Handle(push.Prefix, r)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/push/"+token, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if want := map[string]string{"GET": "ok\n", "HEAD": "", "POST": "ok\n"}[method]; response.StatusCode != 200 || string(body) != want {
			t.Errorf("%s is answered %d %q", method, response.StatusCode, body)
		}
	}
	wantOutcome(t, look(t, r, service("worker", token)), "", "")
}

func TestManyAtOnceDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	var once sync.Mutex
	r := receiver(t, push.Config{
		Path: t.TempDir() + "/push.json", Logger: slog.New(slog.NewTextHandler(&locked{w: &lines, mu: &once}, nil)),
	}, service("worker", token), service("other", second))
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- r.Run(ctx) }()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				switch (i + n) % 4 {
				case 0:
					do(r, "POST", "/push/"+token, "done")
				case 1:
					do(r, "GET", "/push/"+token+"/fail?msg=x", "")
				case 2:
					look(t, r, service("worker", token))
				case 3:
					r.Configure([]exporter.Service{service("other", second), service("worker", token)})
				}
			}
		})
	}
	all.Wait()
	do(r, "GET", "/push/"+token+"/fail", "")
	do(r, "GET", "/push/"+token, "")
	wantOutcome(t, look(t, r, service("worker", token)), "", "")
	cancel()
	if err := <-running; err != nil {
		t.Error(err)
	}
	if strings.Contains(lines.String(), token) {
		t.Errorf("the log holds a token: %s", lines.String())
	}
}

// locked lets several goroutines write.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
