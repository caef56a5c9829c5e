package journey_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/journey"
	"shopwatch/rules"
)

// csrf is the token of the shop's order form, as its page means it: what the
// page's source says is another matter.
const csrf = `a&b+c/d="e" 100%`

// card is a shop of one process, with a cashier elsewhere (another port), that
// remembers what it was asked.
type card struct {
	web, cashier *httptest.Server

	mu   sync.Mutex
	seen []*http.Request // of both servers, their forms parsed
}

func newCard(t *testing.T) *card {
	t.Helper()
	c := &card{}
	pay := http.NewServeMux()
	pay.HandleFunc("/pay", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "cashier of order %s", r.FormValue("order"))
	})
	c.cashier = httptest.NewServer(c.remember(pay))
	t.Cleanup(c.cashier.Close)

	web := http.NewServeMux()
	web.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("buyer"); err != nil { // many shops set a cookie and redirect to themselves
			http.SetCookie(w, &http.Cookie{Name: "buyer", Value: "b1", Path: "/"})
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		fmt.Fprint(w, "welcome")
	})
	web.HandleFunc("GET /api/products", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Shop-Version", "1.4")
		fmt.Fprint(w, `{"msg":["a",{"items":1}],"data":{"total":2,"items":[{"id":41},{"id":42,"slug":"a b/c?d&e","sold":true,"none":null}]}}`)
	})
	web.HandleFunc("GET /shop/product/{slug}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("slug") != "a b/c?d&e" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<form action="order"><input type="hidden" name="_token" value="a&amp;b+c/d=&#34;e&#34; 100%"></form>`)
	})
	web.HandleFunc("POST /shop/order", func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("buyer"); err != nil || cookie.Value != "b1" || r.PostFormValue("_token") != csrf {
			http.Error(w, "page expired", 419)
			return
		}
		http.Redirect(w, r, c.cashier.URL+"/pay?order=77&sign=s%2B1", http.StatusSeeOther)
	})
	web.HandleFunc("POST /api/order", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"pay_url":"%s/pay?order=78&sign=s%%2B1"}`, c.cashier.URL)
	})
	c.web = httptest.NewServer(c.remember(web))
	t.Cleanup(c.web.Close)
	return c
}

func (c *card) remember(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		next.ServeHTTP(w, r)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seen = append(c.seen, r)
	})
}

// asked is the last request for a path.
func (c *card) asked(t *testing.T, path string) *http.Request {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.seen) - 1; i >= 0; i-- {
		if c.seen[i].URL.Path == path {
			return c.seen[i]
		}
	}
	t.Fatalf("nobody asked for %s", path)
	return nil
}

// walk looks once at target by the steps.
func walk(t *testing.T, target string, steps ...exporter.Step) exporter.Reading {
	t.Helper()
	return walkAs(t, probe.Config{}, time.Minute, target, &exporter.Journey{Steps: steps})
}

func walkAs(t *testing.T, config probe.Config, timeout time.Duration, target string, plan *exporter.Journey) exporter.Reading {
	t.Helper()
	config.Kinds = map[exporter.Kind]probe.Kind{exporter.KindJourney: journey.Look}
	service := exporter.Service{
		Shop: "card", ID: "buying", Timeout: timeout,
		Module: exporter.Module{Kind: exporter.KindJourney, Journey: plan},
	}
	return probe.New(config).Look(t.Context(), service, target)
}

// wantWell fails the test unless the journey came to its end.
func wantWell(t *testing.T, reading exporter.Reading) {
	t.Helper()
	if !reading.Success {
		t.Fatalf("the journey failed: %s %q", reading.Reason, reading.Detail)
	}
}

func wantFailure(t *testing.T, reading exporter.Reading, reason rules.Reason, detail string) {
	t.Helper()
	if reading.Success || reading.Reason != reason || !strings.Contains(reading.Detail, detail) {
		t.Errorf("got success %t, reason %q, detail %q; want %s with %q", reading.Success, reading.Reason, reading.Detail, reason, detail)
	}
}

// sample is the value of a sample, -1 where it is absent.
func sample(reading exporter.Reading, metric *rules.Metric, labels ...string) float64 {
	for _, s := range reading.Samples {
		if s.Metric == metric && strings.Join(s.Labels, "|") == strings.Join(labels, "|") {
			return s.Value
		}
	}
	return -1
}

// form is a request's body read as a form.
func form(t *testing.T, r *http.Request) url.Values {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return values
}
