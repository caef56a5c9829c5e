package uptimerobot_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/uptimerobot"
	"shopwatch/rules"
)

var protocols = []string{"v2", "v3"}

// ask looks once through the reader.
func ask(t *testing.T, reader *uptimerobot.Reader, module exporter.UptimeRobot) exporter.Reading {
	t.Helper()
	return askFor(t, reader, module, time.Minute)
}

func askFor(t *testing.T, reader *uptimerobot.Reader, module exporter.UptimeRobot, timeout time.Duration) exporter.Reading {
	t.Helper()
	prober := probe.New(probe.Config{Kinds: map[exporter.Kind]probe.Kind{exporter.KindUptimeRobot: reader.Look}})
	service := exporter.Service{
		Shop: "card", ID: "world", Timeout: timeout,
		Module: exporter.Module{Kind: exporter.KindUptimeRobot, UptimeRobot: &module},
	}
	return prober.Look(t.Context(), service, "")
}

// clock is a clock that only the test moves.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1_800_000_000, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// seen are the samples of monitors, as id=value.
func seen(reading exporter.Reading) []string {
	var lines []string
	for _, s := range reading.Samples {
		if s.Metric == &rules.UptimeRobotMonitor {
			lines = append(lines, fmt.Sprintf("%s=%v", s.Labels[0], s.Value))
		}
	}
	return lines
}

func wantOutcome(t *testing.T, reading exporter.Reading, reason rules.Reason, detail string) {
	t.Helper()
	if reading.Success != (reason == "") || reading.Reason != reason || !strings.Contains(reading.Detail, detail) {
		t.Errorf("got success %t, reason %q, detail %q; want reason %q with %q", reading.Success, reading.Reason, reading.Detail, reason, detail)
	}
	if strings.Contains(fmt.Sprintf("%+v", reading), apiKey) {
		t.Errorf("the reading holds the key: %+v", reading)
	}
}

func TestMonitorsAreJudged(t *testing.T) {
	t.Parallel()
	account := []line{{1, 2}, {2, 2}, {3, 9}, {4, 8}, {5, 0}, {6, 1}, {7, 77}}
	for _, c := range []struct {
		name    string
		account []line
		wanted  []string
		reason  rules.Reason
		detail  string
		samples []string
	}{
		{"all that are named are up", account, []string{"2", "1"}, "", "", []string{"1=1", "2=1"}},
		{"one that is named twice counts once", account, []string{"1", "1"}, "", "", []string{"1=1"}},
		{"one is down", account, []string{"1", "2", "3"}, rules.ReasonStatus, "1 of 3 monitors are down: 3", []string{"1=1", "2=1", "3=0"}},
		{"one seems down", account, []string{"4"}, rules.ReasonStatus, "1 of 1 monitors are down: 4", []string{"4=0"}},
		{"a paused one says nothing", account, []string{"1", "5"}, rules.ReasonVantage, "a monitor says nothing: 5 is paused", []string{"1=1"}},
		{"a new one says nothing yet", account, []string{"6"}, rules.ReasonVantage, "6 is not checked yet", nil},
		{"a word of the future says nothing", account, []string{"7"}, rules.ReasonVantage, "7 is in a state that we don't know", nil},
		{"down counts more than paused", account, []string{"5", "3"}, rules.ReasonStatus, "1 of 2 monitors are down: 3", []string{"3=0"}},
		{"one that the account doesn't have", account, []string{"1", "99"}, rules.ReasonQuery, "the account has no monitor 99", []string{"1=1"}},
		{"the whole account with some down", account, nil, rules.ReasonStatus, "2 of 7 monitors are down: 3, 4", []string{"1=1", "2=1", "3=0", "4=0"}},
		{"the whole account leaves out what is paused", []line{{1, 2}, {5, 0}, {6, 1}}, nil, "", "", []string{"1=1"}},
		{"a whole account that is paused", []line{{5, 0}}, nil, rules.ReasonVantage, "no monitor that says anything", nil},
		{"an empty account", nil, nil, rules.ReasonVantage, "no monitor that says anything", nil},
	} {
		for _, protocol := range protocols {
			t.Run(protocol+" "+c.name, func(t *testing.T) {
				t.Parallel()
				server := newAPI(t, c.account...)
				reading := ask(t, uptimerobot.New(uptimerobot.Config{}), exporter.UptimeRobot{API: protocol, URL: server.URL, Key: apiKey, Monitors: c.wanted})
				wantOutcome(t, reading, c.reason, c.detail)
				if got := seen(reading); !slices.Equal(got, c.samples) {
					t.Errorf("samples are %v, want %v", got, c.samples)
				}
			})
		}
	}
}

func TestAnAccountOfManyPagesIsReadWhole(t *testing.T) {
	t.Parallel()
	var account []line
	for i := range int64(230) {
		account = append(account, line{i + 1, 2})
	}
	account[225].status = 9
	for protocol, pages := range map[string]int32{"v2": 5, "v3": 3} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			server := newAPI(t, account...)
			reader := uptimerobot.New(uptimerobot.Config{})
			reading := ask(t, reader, exporter.UptimeRobot{API: protocol, URL: server.URL, Key: apiKey})
			wantOutcome(t, reading, rules.ReasonStatus, "1 of 230 monitors are down: 226")
			if got := len(seen(reading)); got != 50 {
				t.Errorf("%d samples, want the bound of 50", got)
			}
			if got := server.asked.Load(); got != pages {
				t.Errorf("the API was asked %d times, want once a page: %d", got, pages)
			}
			wantOutcome(t, ask(t, reader, exporter.UptimeRobot{API: protocol, URL: server.URL, Key: apiKey, Monitors: []string{"230"}}), "", "")
		})
	}
}

func TestWhatTellsNothingOfTheShopIsInconclusive(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	say := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	for _, c := range []struct {
		name    string
		api     string // "" for both
		before  func(http.ResponseWriter, *http.Request) bool
		key, at string
		reason  rules.Reason
		detail  string
	}{
		{name: "a key that is refused", key: "u1-wrong", reason: rules.ReasonAuth, detail: "UptimeRobot refuses the key"},
		{name: "a key that may not read", before: say(403, `{"message":"Forbidden"}`), reason: rules.ReasonAuth, detail: "UptimeRobot refuses the key"},
		{name: "a key that can't be one", key: "a\nb", reason: rules.ReasonAuth, detail: "the key holds what no key can"},
		{name: "too many questions", before: say(429, "Rate limit exceeded, retry in 6 seconds"), reason: rules.ReasonVantage, detail: "UptimeRobot limits our rate"},
		{name: "too many questions in v2's words", api: "v2", before: say(200, `{"stat":"fail","error":{"type":"rate_limit_exceeded","message":"Rate limit exceeded"}}`), reason: rules.ReasonVantage, detail: "UptimeRobot limits our rate"},
		{name: "a question that is refused", api: "v2", before: say(200, `{"stat":"fail","error":{"type":"invalid_parameter","parameter_name":"limit","message":"no"}}`), reason: rules.ReasonVantage, detail: "UptimeRobot refuses the question"},
		{name: "a server in trouble", before: say(502, "<html>bad gateway</html>"), reason: rules.ReasonVantage, detail: "UptimeRobot answered 502"},
		{name: "a redirect", before: say(302, ""), reason: rules.ReasonVantage, detail: "UptimeRobot answered 302"},
		{name: "a page instead of an answer", before: say(200, "<html>hello</html>"), reason: rules.ReasonVantage, detail: "UptimeRobot answered something else than JSON"},
		{name: "JSON of something else", before: say(200, "{}"), reason: rules.ReasonVantage, detail: "something else than its API's answer"},
		{name: "an answer without end", before: func(w http.ResponseWriter, _ *http.Request) bool {
			for line := make([]byte, 1<<16); ; {
				if _, err := w.Write(line); err != nil {
					return true
				}
			}
		}, reason: rules.ReasonVantage, detail: "UptimeRobot's answer is longer than"},
		{name: "an answer that breaks off", before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
			return true
		}, reason: rules.ReasonVantage, detail: "UptimeRobot's answer broke off"},
		{name: "a next page elsewhere without a cursor", api: "v3", before: say(200, `{"nextLink":"https://evil.invalid/","data":[{"id":1,"status":"UP"}]}`), reason: rules.ReasonVantage, detail: "names a next page that is none"},
		{name: "pages in a circle", api: "v3", before: say(200, `{"nextLink":"https://api.uptimerobot.com/v3/monitors?cursor=1","data":[{"id":1,"status":"UP"}]}`), reason: rules.ReasonVantage, detail: "names a next page that is none"},
		{name: "a server that is gone", at: gone.URL, reason: rules.ReasonVantage, detail: "UptimeRobot can't be asked: dial tcp"},
		{name: "a URL that is none", at: "ftp://x", reason: rules.ReasonOther, detail: "the API's URL is not http or https"},
		{name: "a protocol that we don't speak", api: "v4", reason: rules.ReasonOther, detail: "neither v2 nor v3"},
	} {
		for _, protocol := range protocols {
			if c.api != "" {
				if protocol == "v2" {
					continue // one that is its own protocol runs once
				}
				protocol = c.api
			}
			t.Run(protocol+" "+c.name, func(t *testing.T) {
				t.Parallel()
				server := newAPI(t, line{1, 2})
				server.before = c.before
				module := exporter.UptimeRobot{API: protocol, URL: server.URL, Key: apiKey}
				if c.key != "" {
					module.Key = c.key
				}
				if c.at != "" {
					module.URL = c.at
				}
				reading := ask(t, uptimerobot.New(uptimerobot.Config{}), module)
				wantOutcome(t, reading, c.reason, c.detail)
				if strings.Contains(fmt.Sprintf("%+v", reading), module.Key) {
					t.Error("the reading holds the key")
				}
			})
		}
	}
}

func TestServicesOfOneAccountShareAnAnswer(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			const services = 8
			var started sync.WaitGroup
			started.Add(services)
			server := newAPI(t, line{1, 2}, line{2, 9})
			server.before = func(http.ResponseWriter, *http.Request) bool {
				started.Wait()
				return false
			}
			clock := &clock{}
			reader := uptimerobot.New(uptimerobot.Config{Now: clock.Now})
			module := exporter.UptimeRobot{API: protocol, URL: server.URL, Key: apiKey, Monitors: []string{"1"}}
			var ended sync.WaitGroup
			for range services {
				ended.Go(func() {
					started.Done()
					wantOutcome(t, ask(t, reader, module), "", "")
				})
			}
			ended.Wait()
			if got := server.asked.Load(); got != 1 {
				t.Errorf("%d services asked %d times, want once", services, got)
			}

			clock.advance(30*time.Second - 1)
			other := module
			other.Monitors = []string{"2"}
			wantOutcome(t, ask(t, reader, other), rules.ReasonStatus, "1 of 1 monitors are down")
			if got := server.asked.Load(); got != 1 {
				t.Errorf("within half a minute the API was asked %d times, want once", got)
			}
			clock.advance(1)
			wantOutcome(t, ask(t, reader, module), "", "")
			if got := server.asked.Load(); got != 2 {
				t.Errorf("after half a minute the API was asked %d times, want twice", got)
			}
			other.Key = "another"
			wantOutcome(t, ask(t, reader, other), rules.ReasonAuth, "refuses the key")
			wantOutcome(t, ask(t, reader, module), "", "")
		})
	}
}

func TestAnAccountThatLimitsUsIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, after string
		rest        time.Duration
	}{
		{"for half a minute where it doesn't say", "", 30 * time.Second},
		{"for half a minute at least", "6", 30 * time.Second},
		{"as long as it says", "90", 90 * time.Second},
		{"not longer than five minutes", "36000", 5 * time.Minute},
		{"for half a minute where it says nonsense", "soon", 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := newAPI(t, line{1, 2})
			server.before = func(w http.ResponseWriter, _ *http.Request) bool {
				if server.asked.Load() > 1 {
					return false
				}
				w.Header().Set("Retry-After", c.after)
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			}
			clock := &clock{}
			reader := uptimerobot.New(uptimerobot.Config{Now: clock.Now})
			module := exporter.UptimeRobot{API: "v3", URL: server.URL, Key: apiKey}
			wantOutcome(t, ask(t, reader, module), rules.ReasonVantage, "limits our rate")
			clock.advance(c.rest - 1)
			wantOutcome(t, ask(t, reader, module), rules.ReasonVantage, "limits our rate")
			clock.advance(1)
			wantOutcome(t, ask(t, reader, module), "", "")
		})
	}
}

func TestALookWaitsNoLongerThanItsTimeout(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 10), make(chan struct{})
	server := newAPI(t, line{1, 2})
	server.before = func(http.ResponseWriter, *http.Request) bool {
		asked <- struct{}{}
		<-release
		return false
	}
	reader := uptimerobot.New(uptimerobot.Config{})
	module := exporter.UptimeRobot{API: "v2", URL: server.URL, Key: apiKey}
	patient := make(chan exporter.Reading)
	go func() { patient <- ask(t, reader, module) }()
	<-asked
	wantOutcome(t, askFor(t, reader, module, 50*time.Millisecond), rules.ReasonVantage, "UptimeRobot didn't answer in time")
	close(release)
	wantOutcome(t, <-patient, "", "")
}

func TestALookThatRunsOutOfTimeLeavesTheQuestionToTheNext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	server := newAPI(t, line{1, 2})
	server.before = func(_ http.ResponseWriter, r *http.Request) bool {
		first := server.asked.Load() == 1
		asked <- struct{}{}
		if first {
			_ = r.ParseForm() // or the server can't see that the far side left
			<-r.Context().Done()
		}
		return first
	}
	reader := uptimerobot.New(uptimerobot.Config{})
	module := exporter.UptimeRobot{API: "v3", URL: server.URL, Key: apiKey}
	hasty := make(chan exporter.Reading)
	go func() { hasty <- askFor(t, reader, module, 300*time.Millisecond) }()
	<-asked
	wantOutcome(t, ask(t, reader, module), "", "")
	wantOutcome(t, <-hasty, rules.ReasonVantage, "UptimeRobot can't be asked: not done within 300ms")
}

func TestManyAccountsAreNotRememberedForEver(t *testing.T) {
	t.Parallel()
	server := newAPI(t, line{1, 2})
	clock := &clock{}
	reader := uptimerobot.New(uptimerobot.Config{Now: clock.Now})
	first := exporter.UptimeRobot{API: "v2", URL: server.URL, Key: apiKey}
	wantOutcome(t, ask(t, reader, first), "", "")
	for i := range 70 { // accounts of a hundred reloads
		clock.advance(time.Millisecond)
		wantOutcome(t, ask(t, reader, exporter.UptimeRobot{API: "v2", URL: server.URL, Key: fmt.Sprint("gone", i)}), rules.ReasonAuth, "")
	}
	before := server.asked.Load()
	wantOutcome(t, ask(t, reader, first), "", "")
	if got := server.asked.Load(); got != before+1 {
		t.Error("the oldest of many accounts is still remembered")
	}
}

func TestALookThatIsCalledOffIsNotKept(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := newAPI(t, line{1, 2})
	server.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if server.asked.Load() > 1 {
			return false
		}
		cancel()
		<-r.Context().Done()
		return true
	}
	reader := uptimerobot.New(uptimerobot.Config{})
	module := exporter.UptimeRobot{API: "v3", URL: server.URL, Key: apiKey}
	prober := probe.New(probe.Config{Kinds: map[exporter.Kind]probe.Kind{exporter.KindUptimeRobot: reader.Look}})
	service := exporter.Service{Timeout: time.Minute, Module: exporter.Module{Kind: exporter.KindUptimeRobot, UptimeRobot: &module}}
	if reading := prober.Look(ctx, service, ""); reading.Reason != rules.ReasonVantage {
		t.Errorf("a look that was called off has reason %q", reading.Reason)
	}
	wantOutcome(t, ask(t, reader, module), "", "")
}
