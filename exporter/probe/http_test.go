package probe_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/units"
	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

var quiet = log.New(io.Discard, "", 0)

func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// asked is what a module asks for beside the defaults.
type asked []func(*blackbox.HTTPProbe)

func statuses(valid ...int) func(*blackbox.HTTPProbe) {
	return func(h *blackbox.HTTPProbe) { h.ValidStatusCodes = valid }
}

func contains(text string) func(*blackbox.HTTPProbe) {
	return func(h *blackbox.HTTPProbe) {
		h.FailIfBodyNotMatchesRegexp = append(h.FailIfBodyNotMatchesRegexp, exporter.Literal(text))
	}
}

func lacks(text string) func(*blackbox.HTTPProbe) {
	return func(h *blackbox.HTTPProbe) {
		h.FailIfBodyMatchesRegexp = append(h.FailIfBodyMatchesRegexp, exporter.Literal(text))
	}
}

func method(name string) func(*blackbox.HTTPProbe) {
	return func(h *blackbox.HTTPProbe) { h.Method = name }
}

func headers(set map[string]string) func(*blackbox.HTTPProbe) {
	return func(h *blackbox.HTTPProbe) { h.Headers = set }
}

func limit(bytes int64) func(*blackbox.HTTPProbe) {
	return func(h *blackbox.HTTPProbe) { h.BodySizeLimit = units.Base2Bytes(bytes) }
}

func TestAnAnswerIsJudgedByStatusAndBody(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/teapot":
			w.WriteHeader(http.StatusTeapot)
		case "/method":
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("X-Key"), r.Host, r.UserAgent())
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", 2<<20), "needle")
		default:
			fmt.Fprint(w, "立即购买 <b>stock</b>")
		}
	})
	for name, c := range map[string]struct {
		path   string
		look   asked
		reason rules.Reason
		detail string
	}{
		"any 2xx is good":                             {"/", nil, "", ""},
		"another status is bad":                       {"/teapot", nil, rules.ReasonStatus, "answered 418"},
		"a listed status is good":                     {"/teapot", asked{statuses(200, 418)}, "", ""},
		"a 2xx that isn't listed is bad":              {"/", asked{statuses(204)}, rules.ReasonStatus, "answered 200"},
		"a text that is there is good":                {"/", asked{contains("立即购买")}, "", ""},
		"a text that is missing is bad":               {"/", asked{contains("sold")}, rules.ReasonBody, `body doesn't match "sold"`},
		"a forbidden text is bad":                     {"/", asked{lacks("<b>")}, rules.ReasonBody, `body matches "<b>"`},
		"a forbidden text that is missing is good":    {"/", asked{lacks("error")}, "", ""},
		"a wrong status outweighs the body":           {"/teapot", asked{contains("x")}, rules.ReasonStatus, "answered 418"},
		"method, host, key and agent arrive":          {"/method", asked{method("POST"), headers(map[string]string{"x-key": "k1", "host": "shop.example", "user-agent": "me"}), contains("POST k1 shop.example me")}, "", ""},
		"our agent is sent by default":                {"/method", asked{contains("shopwatch")}, "", ""},
		"a body within the limit is searched in full": {"/long", asked{limit(3 << 20), contains("xneedle")}, "", ""},
		"a body past the limit is bad":                {"/long", asked{limit(1 << 20)}, rules.ReasonBody, "body is longer than 1048576 bytes"},
		"a method that can't be is our mistake":       {"/", asked{method("GE T")}, rules.ReasonOther, "request can't be made of the service's method and headers"},
		"a HEAD has no body":                          {"/", asked{method("HEAD")}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := webService(server.URL + c.path)
			for _, change := range c.look {
				wanting(change)(&service)
			}
			reading := look(service)
			if c.reason == "" {
				mustSucceed(t, reading)
				return
			}
			mustFail(t, reading, c.reason)
			if reading.Detail != c.detail {
				t.Fatalf("detail is %q, want %q", reading.Detail, c.detail)
			}
			mismatch := 0.0
			if strings.Contains(c.detail, "match") {
				mismatch = 1
			}
			if c.reason != rules.ReasonOther {
				if got := value(t, reading, rules.ProbeFailedRegex); got != mismatch {
					t.Fatalf("probe_failed_due_to_regex is %v, want %v", got, mismatch)
				}
			}
		})
	}
}

func TestAReadingTellsWhatTheLookSaw(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/shop", http.StatusFound)
			return
		}
		fmt.Fprint(w, "hello")
	})
	reading := look(webService(server.URL + "/?token=s3cret#top"))
	mustSucceed(t, reading)
	if reading.Shop != "card" || reading.Service != "web" || reading.Target != server.URL+"/" {
		t.Fatalf("reading is of %q %q %q", reading.Shop, reading.Service, reading.Target)
	}
	if reading.Start.IsZero() || !reading.End.After(reading.Start) {
		t.Fatalf("look ran from %v to %v", reading.Start, reading.End)
	}
	for metric, want := range map[*rules.Metric]float64{
		&rules.ProbeHTTPStatus: 200, &rules.ProbeHTTPRedirects: 1, &rules.ProbeHTTPSSL: 0, &rules.ProbeHTTPVersion: 1.1,
		&rules.ProbeHTTPLength: 5, &rules.ProbeHTTPBody: 5, &rules.ProbeIPProtocol: 4, &rules.ProbeFailedRegex: 0,
	} {
		if got := value(t, reading, *metric); got != want {
			t.Errorf("%s is %v, want %v", metric.Name, got, want)
		}
	}
	if has(reading, rules.ProbeSSLExpiry) || has(reading, rules.ProbeTLSVersion) {
		t.Error("a look without TLS tells of certificates")
	}
	var sum float64
	for _, phase := range []string{"resolve", "connect", "tls", "processing", "transfer"} {
		sum += value(t, reading, rules.ProbeHTTPDuration, phase)
	}
	if total := value(t, reading, rules.ProbeDuration); sum <= 0 || sum > total {
		t.Errorf("phases sum to %v, the look took %v", sum, total)
	}
	if value(t, reading, rules.ProbeHTTPDuration, "tls") != 0 {
		t.Error("a look without TLS spent time in a handshake")
	}
}

func TestPhasesAreSummedOverRedirects(t *testing.T) {
	t.Parallel()
	const pause = 60 * time.Millisecond
	wait := func(r *http.Request) {
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
		}
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		wait(r) // processing, twice
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/shop", http.StatusFound)
			return
		}
		fmt.Fprint(w, "first")
		w.(http.Flusher).Flush()
		wait(r) // transfer, once
		fmt.Fprint(w, "last")
	})
	reading := look(webService(server.URL))
	mustSucceed(t, reading)
	if got := value(t, reading, rules.ProbeHTTPDuration, "processing"); got < 2*pause.Seconds() {
		t.Errorf("processing is %v, want at least two pauses", got)
	}
	if got := value(t, reading, rules.ProbeHTTPDuration, "transfer"); got < pause.Seconds()/2 {
		t.Errorf("transfer is %v, want most of one pause", got)
	}
}

func TestRedirectsAreFollowedOnlyAsAsked(t *testing.T) {
	t.Parallel()
	var server *httptest.Server
	server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/circle":
			http.Redirect(w, r, "/circle?key=s3cret", http.StatusFound)
		case "/script":
			w.Header().Set("Location", "javascript:alert(1)")
			w.WriteHeader(http.StatusFound)
		case "/broken":
			w.Header().Set("Location", "http://s3cret:%zz/")
			w.WriteHeader(http.StatusFound)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
		case "/cookie":
			if _, err := r.Cookie("pass"); err != nil {
				http.SetCookie(w, &http.Cookie{Name: "pass", Value: "1"})
				http.Redirect(w, r, "/cookie", http.StatusFound)
			}
		default:
			http.Redirect(w, r, "/cookie", http.StatusMovedPermanently)
		}
	})
	for name, c := range map[string]struct {
		path      string
		follow    bool
		valid     []int
		reason    rules.Reason
		status    float64
		redirects float64
	}{
		"a circle ends after ten":                    {"/circle", true, nil, rules.ReasonStatus, 302, 11},
		"a script is not followed":                   {"/script", true, nil, rules.ReasonStatus, 0, 1},
		"a broken location is a wrong answer":        {"/broken", true, nil, rules.ReasonStatus, 0, 0},
		"a missing location is a wrong answer":       {"/nowhere", true, nil, rules.ReasonStatus, 302, 0},
		"a cookie wall lets us through":              {"/", true, nil, "", 200, 2},
		"unfollowed, a redirect is a wrong answer":   {"/", false, nil, rules.ReasonStatus, 301, 1},
		"unfollowed, a redirect may be what's right": {"/", false, []int{301}, "", 301, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := webService(server.URL + c.path)
			wanting(statuses(c.valid...))(&service)
			service.Module.Blackbox.HTTP.HTTPClientConfig.FollowRedirects = c.follow
			reading := look(service)
			if c.reason == "" {
				mustSucceed(t, reading)
			} else {
				mustFail(t, reading, c.reason)
			}
			if strings.Contains(reading.Detail, "s3cret") {
				t.Errorf("detail %q tells a secret", reading.Detail)
			}
			if got := value(t, reading, rules.ProbeHTTPStatus); got != c.status {
				t.Errorf("status is %v, want %v", got, c.status)
			}
			if got := value(t, reading, rules.ProbeHTTPRedirects); got != c.redirects {
				t.Errorf("redirects are %v, want %v", got, c.redirects)
			}
		})
	}
}

func TestWhatTheOwnerSetStaysWithTheTargetsHost(t *testing.T) {
	t.Parallel()
	var elsewhere http.Header
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { elsewhere = r.Header.Clone() })
	otherURL, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	var here []http.Header
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		here = append(here, r.Header.Clone())
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/second", http.StatusFound)
			return
		}
		// The same machine by another name is another host.
		http.Redirect(w, r, "http://localhost:"+otherURL.Port()+"/", http.StatusFound)
	})
	service := webService(strings.Replace(server.URL, "http://", "http://owner:pa55@", 1) + "/?key=s3cret")
	service.Module.Blackbox.HTTP.Headers = map[string]string{"x-api-key": "s3cret", "Authorization": "Bearer s3cret", "User-Agent": "s3cret"}
	prober := probe.New(probe.Config{Resolver: fakeResolver{names: map[string][]string{"localhost": {"127.0.0.1"}}}, UserAgent: "plain"})
	mustSucceed(t, lookWith(prober, service))

	if len(here) != 2 || here[0].Get("X-Api-Key") != "s3cret" || here[1].Get("X-Api-Key") != "s3cret" {
		t.Fatalf("the target's host got %v, want the key twice", here)
	}
	for name, values := range elsewhere {
		if strings.Contains(strings.Join(values, " "), "s3cret") || strings.Contains(strings.Join(values, " "), "pa55") {
			t.Errorf("another host was told %s: %v", name, values)
		}
	}
	if elsewhere.Get("User-Agent") != "plain" || elsewhere.Get("Authorization") != "" || elsewhere.Get("Referer") != "" {
		t.Errorf("another host got %v", elsewhere)
	}
}
