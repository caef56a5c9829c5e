package journey_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/demo"
	"shopwatch/exporter/probe"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// buying is the whole way of a buyer through the shop.
func buying() []exporter.Step {
	return []exporter.Step{
		{Name: "home", Contains: []string{"welcome"}, NotContains: []string{"busy"}, FollowRedirects: true},
		{Name: "list", URL: "/api/products", Extract: []exporter.Extraction{
			{Name: "slug", JSON: "data.items.1.slug"}, {Name: "version", Header: "x-shop-version"},
		}},
		{Name: "product", URL: "/shop/product/${slug}", Headers: map[string]string{"X-Version": "v${version}"},
			Extract: []exporter.Extraction{{Name: "token", Regexp: `name="_token" value="([^"]+)"`}}},
		// Relative to /shop/product/…: what a browser does with action="../order".
		{Name: "order", Method: "POST", URL: "../order", Body: "product=${slug}&_token=${token}", FollowRedirects: true,
			Headers: map[string]string{"X-Key": "secret", "Cookie": "own=1"}},
	}
}

func TestABuyersWholeWayIsWalked(t *testing.T) {
	t.Parallel()
	shop := newCard(t)
	reading := walk(t, shop.web.URL+"/", buying()...) // the slash makes home's redirect one to itself
	wantWell(t, reading)

	if got := shop.asked(t, "/shop/product/a b/c?d&e").Header.Get("X-Version"); got != "v1.4" {
		t.Errorf("a header's value went out as %q", got)
	}
	placed := shop.asked(t, "/shop/order")
	if got := form(t, placed); got.Get("_token") != csrf || got.Get("product") != "a b/c?d&e" || len(got) != 2 {
		t.Errorf("the form arrived as %q", got)
	}
	if got := placed.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
		t.Errorf("a form went out as %q", got)
	}
	paid := shop.asked(t, "/pay")
	if paid.Method != "GET" || paid.URL.RawQuery != "order=77&sign=s%2B1" {
		t.Errorf("the cashier was asked by %s with %q", paid.Method, paid.URL.RawQuery)
	}
	for _, name := range []string{"X-Key", "Referer"} {
		if got := paid.Header.Get(name); got != "" {
			t.Errorf("header %s went to another host: %q", name, got)
		}
	}
	if got := paid.Header.Get("User-Agent"); got != "shopwatch" {
		t.Errorf("the other host was asked by %q", got)
	}
	if got := sample(reading, &rules.ProbeHTTPStatus); got != 200 {
		t.Errorf("status of the last response is %v", got)
	}
	for _, step := range []string{"home", "list", "product", "order"} {
		if sample(reading, &rules.StepSuccess, step) != 1 || sample(reading, &rules.StepDuration, step) <= 0 {
			t.Errorf("step %s gave no sample of its success and time", step)
		}
		if !slices.ContainsFunc(reading.Phases, func(p exporter.Phase) bool { return p.Name == step }) {
			t.Errorf("step %s is no phase", step)
		}
	}
}

func TestAWholeURLIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	shop := newCard(t)
	reading := walk(t, shop.web.URL,
		exporter.Step{Name: "order", Method: "POST", URL: "/api/order", Body: `{"id": 42}`,
			Extract: []exporter.Extraction{{Name: "pay_url", JSON: "pay_url"}}},
		exporter.Step{Name: "pay", URL: "${pay_url}", Contains: []string{"order 78"}},
	)
	wantWell(t, reading)
	if got := shop.asked(t, "/pay").URL.RawQuery; got != "order=78&sign=s%2B1" {
		t.Errorf("the cashier was asked with %q", got)
	}
	if got := shop.asked(t, "/api/order").Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("a JSON body went out as %q", got)
	}
}

func TestAFailingStepIsNamedAndEndsTheJourney(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "系统繁忙 busy") })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) })
	mux.HandleFunc("/there", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/here", http.StatusFound) })
	mux.HandleFunc("/long/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) })
	mux.HandleFunc("/mail", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "mailto:a@b")
		w.WriteHeader(302)
	})
	mux.HandleFunc("/odd", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://[::1")
		w.WriteHeader(302)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for line := strings.Repeat("x", 1<<16); ; {
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "v=", strings.Repeat("x", 1025)) })
	mux.HandleFunc("/broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	for _, c := range []struct {
		name   string
		step   exporter.Step
		reason rules.Reason
		detail string
		status float64
	}{
		{"a status that is not wanted", exporter.Step{URL: "/bad"}, rules.ReasonStatus, "step second: answered 502", 502},
		{"a status that is not in the list", exporter.Step{ValidStatus: []int{201, 204}}, rules.ReasonStatus, "step second: answered 200", 200},
		{"a redirect that is not followed", exporter.Step{URL: "/here"}, rules.ReasonStatus, "step second: answered 302", 302},
		{"a circle", exporter.Step{URL: "/here", FollowRedirects: true}, rules.ReasonStatus, "step second: redirects in a circle", 302},
		{"a chain without end", exporter.Step{URL: "/long/", FollowRedirects: true}, rules.ReasonStatus, "step second: more than 10 redirects", 302},
		{"a redirect to mail", exporter.Step{URL: "/mail", FollowRedirects: true}, rules.ReasonStatus, "step second: redirects to something that is not http", 302},
		{"a redirect to nowhere", exporter.Step{URL: "/odd", FollowRedirects: true}, rules.ReasonStatus, "step second: answered 302 with a Location", 302},
		{"a text that is missing", exporter.Step{Contains: []string{"busy", "welcome"}}, rules.ReasonBody, `step second: body doesn't contain "welcome"`, 200},
		{"a text that must not be there", exporter.Step{NotContains: []string{"系统繁忙"}}, rules.ReasonBody, `step second: body contains "系统繁忙"`, 200},
		{"a body without end", exporter.Step{URL: "/endless"}, rules.ReasonBody, "step second: body is longer than 4194304 bytes", 200},
		{"a server that hangs up", exporter.Step{URL: "/broken"}, rules.ReasonConnect, "step second: the far side broke off", 200},
		{"nothing at the JSON path", exporter.Step{Extract: []exporter.Extraction{{Name: "id", JSON: "data.id"}}}, rules.ReasonBody, `step second: nothing found for "id"`, 200},
		{"nothing that matches", exporter.Step{Extract: []exporter.Extraction{{Name: "id", Regexp: `id=(\d+)`}}}, rules.ReasonBody, `step second: nothing found for "id"`, 200},
		{"no such header", exporter.Step{Extract: []exporter.Extraction{{Name: "id", Header: "X-Id"}}}, rules.ReasonBody, `step second: nothing found for "id"`, 200},
		{"a value without measure", exporter.Step{URL: "/huge", Extract: []exporter.Extraction{{Name: "v", Regexp: `v=(x+)`}}}, rules.ReasonBody, `what is found for "v" is longer than 1024 bytes`, 200},
		{"a pattern that is none", exporter.Step{Extract: []exporter.Extraction{{Name: "id", Regexp: `id=(`}}}, rules.ReasonOther, `the pattern for "id"`, 200},
		{"a pattern without a group", exporter.Step{Extract: []exporter.Extraction{{Name: "id", Regexp: `busy`}}}, rules.ReasonOther, `the pattern for "id"`, 200},
		{"a name that nobody extracts", exporter.Step{URL: "/${nobody}"}, rules.ReasonOther, `step second: no former step extracts "nobody"`, 200},
		{"a URL of another scheme", exporter.Step{URL: "file:///etc/passwd"}, rules.ReasonBody, "step second: its URL is not http or https", 200},
		{"a method that is none", exporter.Step{Method: "GE T"}, rules.ReasonOther, "step second: no request can be made", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.step.Name = "second"
			reading := walk(t, server.URL, exporter.Step{Name: "first"}, c.step, exporter.Step{Name: "third"})
			wantFailure(t, reading, c.reason, c.detail)
			for step, want := range map[string]float64{"first": 1, "second": 0, "third": -1} {
				if got := sample(reading, &rules.StepSuccess, step); got != want {
					t.Errorf("success of step %s is %v, want %v", step, got, want)
				}
			}
			if got := sample(reading, &rules.ProbeHTTPStatus); got != c.status {
				t.Errorf("last status is %v, want %v", got, c.status)
			}
			if sample(reading, &rules.StepDuration, "third") != -1 || sample(reading, &rules.StepDuration, "second") < 0 {
				t.Error("a step that was reached has a time, one that was not has none")
			}
		})
	}
}

func TestWhereAStepCannotBeReachedItsReasonSaysWhy(t *testing.T) {
	t.Parallel()
	shop := newCard(t)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	for _, c := range []struct {
		name, url string
		reason    rules.Reason
		detail    string
	}{
		{"a port where nobody listens", "http://" + servertest.FreeAddress(t), rules.ReasonConnect, "step pay: dial tcp"},
		{"a certificate of nobody we trust", untrusted.URL, rules.ReasonCertificate, "step pay: x509"},
		{"no TLS where it should be", "https" + strings.TrimPrefix(shop.web.URL, "http"), rules.ReasonTLS, "step pay: not TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantFailure(t, walk(t, shop.web.URL+"/api/products", exporter.Step{Name: "list"}, exporter.Step{Name: "pay", URL: c.url}), c.reason, c.detail)
		})
	}
}

// clock is a clock that only servers move.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }
func (c *clock) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	took, _ := time.ParseDuration(r.URL.Query().Get("took"))
	c.advance(took)
}

func TestAJourneyThatTakesTooLongSaysHowLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		budget, second time.Duration
		detail         string // "" for a good journey
		walked         []float64
	}{
		{"no budgets", 0, 0, "", []float64{1, 1, 1}},
		{"just within both", 9200 * time.Millisecond, 3200 * time.Millisecond, "", []float64{1, 1, 1}},
		{"a step over its own", 0, 2 * time.Second, "step second: took 3.2s, budget 2s", []float64{1, 0, -1}},
		{"a step over its own by a hair", 0, 3199 * time.Millisecond, "step second: took 3.2s, budget 3.199s", []float64{1, 0, -1}},
		{"all together, at the step in which it runs out", 4 * time.Second, 0, "step second: the journey took 6.2s, budget 4s", []float64{1, 0, -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := &clock{}
			server := httptest.NewServer(clock)
			t.Cleanup(server.Close)
			reading := walkAs(t, probe.Config{Now: clock.Now}, time.Minute, server.URL, &exporter.Journey{Budget: c.budget, Steps: []exporter.Step{
				{Name: "first", URL: "?took=3s"}, {Name: "second", URL: "?took=3.2s", Budget: c.second}, {Name: "third", URL: "?took=3s"},
			}})
			if c.detail == "" {
				wantWell(t, reading)
			} else {
				wantFailure(t, reading, rules.ReasonTimeout, c.detail)
			}
			for i, step := range []string{"first", "second", "third"} {
				if got := sample(reading, &rules.StepSuccess, step); got != c.walked[i] {
					t.Errorf("success of step %s is %v, want %v", step, got, c.walked[i])
				}
			}
			if got := sample(reading, &rules.StepDuration, "second"); got != 3.2 {
				t.Errorf("the second step took %v s, want 3.2", got)
			}
		})
	}
}

func TestALookThatEndsCutsTheStepItIsIn(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pay" {
			<-r.Context().Done()
			close(left)
		}
	}))
	t.Cleanup(server.Close)
	reading := walkAs(t, probe.Config{}, 300*time.Millisecond, server.URL, &exporter.Journey{Steps: []exporter.Step{
		{Name: "home"}, {Name: "pay", URL: "/pay", Budget: time.Minute},
	}})
	wantFailure(t, reading, rules.ReasonTimeout, "step pay: not done within 300ms")
	<-left // the connection was closed with the look
}

func TestTheTargetsCertificateIsMeasured(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	want := float64(server.Certificate().NotAfter.Unix())
	steps := []exporter.Step{{Name: "home"}, {Name: "list", URL: "/list"}}

	reading := walkAs(t, probe.Config{RootCAs: roots}, time.Minute, server.URL, &exporter.Journey{Steps: steps})
	wantWell(t, reading)
	if got := sample(reading, &rules.ProbeSSLExpiry); got != want {
		t.Errorf("expiry is %v, want %v", got, want)
	}
	reading = walk(t, server.URL, steps...)
	wantFailure(t, reading, rules.ReasonCertificate, "step home: ")
	if got := sample(reading, &rules.ProbeSSLExpiry); got != want {
		t.Errorf("expiry of a refused certificate is %v, want %v", got, want)
	}
}

func TestAJourneyThatCannotBeMeasuredIsRefused(t *testing.T) {
	t.Parallel()
	many := make([]exporter.Step, 51)
	for i := range many {
		many[i].Name = fmt.Sprint(i)
	}
	for _, c := range []struct {
		name, target string
		steps        []exporter.Step
		detail       string
	}{
		{"no steps", "http://127.0.0.1", nil, "no steps"},
		{"two steps of one name", "http://127.0.0.1", []exporter.Step{{Name: "pay"}, {Name: "pay"}}, "step 2 of the journey has no name of its own"},
		{"a step without a name", "http://127.0.0.1", []exporter.Step{{}}, "step 1 of the journey has no name of its own"},
		{"too many steps", "http://127.0.0.1", many, "more than 50 steps"},
		{"a target that is no URL", "127.0.0.1:80", []exporter.Step{{Name: "pay"}}, "target is not an http or https URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantFailure(t, walk(t, c.target, c.steps...), rules.ReasonOther, c.detail)
		})
	}
}

func TestTheDemoShopIsWalkedToItsCashier(t *testing.T) {
	t.Parallel()
	shop, err := demo.New(demo.Config{Dir: t.TempDir(), Rand: rand.New(rand.NewPCG(1, 2)), Pace: 1})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- shop.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := shop.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	steps := []exporter.Step{
		{Name: "home", Extract: []exporter.Extraction{{Name: "product", Regexp: `<h2><a href="([^"]+)"`}}},
		{Name: "product", URL: "${product}", Extract: []exporter.Extraction{{Name: "order", Regexp: `class="button" href="([^"]+)"`}}},
		{Name: "order", URL: "${order}", Contains: []string{`name="mail"`}, Extract: []exporter.Extraction{{Name: "slug", Regexp: `name="product" value="([^"]+)"`}}},
		{Name: "pay", Method: "POST", URL: "/order", Body: "product=${slug}&mail=buyer@example.com&payment=alipay", FollowRedirects: true, Contains: []string{"cashier"}},
	}
	reading := walk(t, shop.URL(), steps...)
	wantWell(t, reading)

	if err := shop.Break("order"); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, walk(t, shop.URL(), steps...), rules.ReasonBody, `step order: body doesn't contain`)
}
