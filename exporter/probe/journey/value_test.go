package journey_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// source is a server whose first page gives a value and whose other pages say
// what they were asked.
func source(t *testing.T, value string) (server *httptest.Server, asked chan *http.Request) {
	t.Helper()
	asked = make(chan *http.Request, 10)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_ = json.NewEncoder(w).Encode(map[string]string{"v": value})
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		asked <- r
	}))
	t.Cleanup(server.Close)
	return server, asked
}

func first() exporter.Step {
	return exporter.Step{Name: "first", Extract: []exporter.Extraction{{Name: "v", JSON: "v"}}}
}

func TestAValueStaysWhereItIsPut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		step        exporter.Step
		uri, body   string // as they must arrive
	}{
		{"one path segment", "a/../b?c#d", exporter.Step{URL: "/p/${v}/q"}, "/p/a%2F..%2Fb%3Fc%23d/q", ""},
		{"a segment that would climb", "..", exporter.Step{URL: "/p/${v}/q"}, "/p/%2E%2E/q", ""},
		{"one query value", "1&admin=1+2 %", exporter.Step{URL: "/p?id=${v}&x=${v}"}, "/p?id=1%26admin%3D1%2B2%20%25&x=1%26admin%3D1%2B2%20%25", ""},
		{"no URL of its own within another", "//evil.invalid", exporter.Step{URL: "/p/${v}"}, "/p/%2F%2Fevil.invalid", ""},
		{"other letters", "卡", exporter.Step{URL: "/p/${v}"}, "/p/%E5%8D%A1", ""},
		{"a line break in a URL", "a\r\nX-Evil: 1", exporter.Step{URL: "/p/${v}"}, "/p/a%0D%0AX-Evil%3A%201", ""},
		{"a whole URL relative to the page", "pay/1?sign=a%2Bb", exporter.Step{URL: "${v}"}, "/pay/1?sign=a%2Bb", ""},
		{"one field of a form", "1&admin=1", exporter.Step{Method: "POST", URL: "/p", Body: "id=${v}"}, "/p", "id=1%26admin%3D1"},
		{"one string of JSON", "1\",\"admin\":\"\n", exporter.Step{Method: "POST", URL: "/p", Body: `{"id":"${v}"}`}, "/p", `{"id":"1\",\"admin\":\"\n"}`},
		{"as it is in anything else", "<b>", exporter.Step{Method: "PUT", URL: "/p", Body: `id ${v}`, Headers: map[string]string{"Content-Type": "text/plain"}}, "/p", "id <b>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, asked := source(t, c.value)
			c.step.Name = "second"
			wantWell(t, walk(t, server.URL, first(), c.step))
			got := <-asked
			body, err := io.ReadAll(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got.RequestURI != c.uri || string(body) != c.body {
				t.Errorf("asked for %q with body %q, want %q with %q", got.RequestURI, body, c.uri, c.body)
			}
			if got.Header.Get("X-Evil") != "" {
				t.Error("a value made a header")
			}
		})
	}
}

func TestAValueThatDoesNotFitIsNotSentAndNotTold(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	for _, c := range []struct {
		name, value string
		step        exporter.Step
		reason      rules.Reason
		detail      string
	}{
		{"a line break in a header", secret + "\r\nX-Evil: 1", exporter.Step{URL: "/p", Headers: map[string]string{"X-Token": "t=${v}"}}, rules.ReasonBody, "step second: the value for header X-Token can't stand in a header"},
		{"a value as a host", secret + ".invalid", exporter.Step{URL: "http://${v}/p"}, rules.ReasonOther, "step second: its URL has a value in its scheme or host"},
		{"a value beside a host", "." + secret + ".invalid", exporter.Step{URL: "http://shop.invalid${v}/p"}, rules.ReasonOther, "step second: its URL has a value in its scheme or host"},
		{"a value as a user", secret, exporter.Step{URL: "http://${v}@127.0.0.1/p"}, rules.ReasonOther, "step second: its URL has a value in its scheme or host"},
		{"a value as a scheme", "http", exporter.Step{URL: "${v}://127.0.0.1/p"}, rules.ReasonOther, "step second: its URL has a value in its scheme or host"},
		{"a whole URL of another scheme", "javascript:alert('" + secret + "')", exporter.Step{URL: "${v}"}, rules.ReasonBody, "step second: its URL is not http or https"},
		{"a whole URL that is none", "http://" + secret + "\x7f/", exporter.Step{URL: "${v}"}, rules.ReasonBody, "step second: its URL is not http or https"},
		{"a whole URL without a host", "http:///" + secret, exporter.Step{URL: "${v}"}, rules.ReasonBody, "step second: its URL is not http or https"},
		{"a page that is not there", secret, exporter.Step{URL: "/p/${v}", ValidStatus: []int{404}}, rules.ReasonStatus, "step second: answered 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, asked := source(t, c.value)
			c.step.Name = "second"
			reading := walk(t, server.URL, first(), c.step)
			wantFailure(t, reading, c.reason, c.detail)
			if strings.Contains(fmt.Sprintf("%+v", reading), secret) {
				t.Errorf("the reading tells a value: %+v", reading)
			}
			if c.reason != rules.ReasonStatus && len(asked) > 0 {
				t.Error("something was sent all the same")
			}
		})
	}
}

func TestHeadersAndBodiesStayOnTheHostTheyWereWrittenFor(t *testing.T) {
	t.Parallel()
	other, elsewhere := source(t, "")
	asked := make(chan *http.Request, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/page", http.StatusFound) })
	mux.HandleFunc("/home", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/page", http.StatusFound) })
	mux.HandleFunc("/again", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/page", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/send", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/page", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/page", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		asked <- r
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	step := func(path, method, body string) exporter.Step {
		return exporter.Step{Name: "only", Method: method, URL: path, Body: body, FollowRedirects: true,
			Headers: map[string]string{"X-Api-Key": "k", "Authorization": "Bearer b", "User-Agent": "buyer", "Host": "shop.example.com"}}
	}

	wantWell(t, walk(t, server.URL, step("/home", "GET", "")))
	if got := <-asked; got.Header.Get("X-Api-Key") != "k" || got.Header.Get("User-Agent") != "buyer" || got.Host != "shop.example.com" {
		t.Errorf("on its own host the page was asked with %v, host %s", got.Header, got.Host)
	}
	wantWell(t, walk(t, server.URL, step("/away", "GET", "")))
	got := <-elsewhere
	if got.Header.Get("X-Api-Key") != "" || got.Header.Get("Authorization") != "" || got.Header.Get("User-Agent") != "shopwatch" {
		t.Errorf("elsewhere the page was asked with %v", got.Header)
	}
	if got.Host != strings.TrimPrefix(other.URL, "http://") {
		t.Errorf("elsewhere the page was asked as host %s", got.Host)
	}
	wantWell(t, walk(t, server.URL, step("/again", "POST", "password=p")))
	if got := form(t, <-asked); got.Get("password") != "p" {
		t.Errorf("a body that was to be sent again arrived as %v", got)
	}
	wantFailure(t, walk(t, server.URL, step("/send", "POST", "password=p")), rules.ReasonStatus, "step only: redirects a request with a body to another host")
	if len(elsewhere) > 0 {
		t.Error("a body went to another host")
	}
}

func TestANextStepBeginsWhereTheFormerEnded(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI })
	mux.HandleFunc("/old/page", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/new/shop/", http.StatusMovedPermanently)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	wantWell(t, walk(t, server.URL+"/old/page?a=1",
		exporter.Step{Name: "1", FollowRedirects: true}, exporter.Step{Name: "2", URL: "item?b=2"}, exporter.Step{Name: "3", URL: "?c=3"},
		exporter.Step{Name: "4"}, exporter.Step{Name: "5", URL: "../up"}))
	for _, want := range []string{"/new/shop/", "/new/shop/item?b=2", "/new/shop/item?c=3", "/new/shop/item?c=3", "/new/up"} {
		if got := <-asked; got != want {
			t.Errorf("asked for %q, want %q", got, want)
		}
	}
}

func TestJSONPathsLeadToWhatHasAText(t *testing.T) {
	t.Parallel()
	const document = `{"skip":{"data":[{"deep":[[]]}],"id":"no"},"data":{"items":[[1,{"x":2}],{"id":42,"name":"卡","price":1.50,"big":12345678901234567890,"on":false,"no":null,"empty":"","0":"zero"}]},"data.items":"dotted"}`
	for path, want := range map[string]string{
		"data.items.1.id": "42", "data.items.1.name": "卡", "data.items.1.price": "1.50", "data.items.1.big": "12345678901234567890",
		"data.items.1.on": "false", "data.items.0.1.x": "2", "skip.id": "no", "data.items.1.0": "zero",
		"data.items.1.no": "", "data.items.1.empty": "", "data.items": "", "data": "", "data.items.2": "", "data.items.-1.id": "",
		"data.items.x": "", "data.items.1.id.0": "", "nothing": "", "": "",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if v := r.FormValue("v"); v != "" {
					asked <- v
				}
				fmt.Fprint(w, document)
			}))
			t.Cleanup(server.Close)
			reading := walk(t, server.URL, exporter.Step{Name: "first", Extract: []exporter.Extraction{{Name: "v", JSON: path}}}, exporter.Step{Name: "second", URL: "?v=${v}"})
			if want == "" {
				wantFailure(t, reading, rules.ReasonBody, `step first: nothing found for "v"`)
				return
			}
			wantWell(t, reading)
			if got := <-asked; got != want {
				t.Errorf("path %s gave %q, want %q", path, got, want)
			}
		})
	}
}

func TestNoCompressionIsAskedForSoThatNoneCanSwell(t *testing.T) {
	t.Parallel()
	server, asked := source(t, "v")
	wantWell(t, walk(t, server.URL+"/page", exporter.Step{Name: "home"}))
	if got := (<-asked).Header.Get("Accept-Encoding"); got != "" && got != "identity" {
		t.Errorf("the page was asked for in %q", got)
	}
}

// nobody is a resolver that knows no names.
type nobody struct{}

func (nobody) LookupIPAddr(_ context.Context, host string) ([]net.IPAddr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestAPayPageWhoseNameIsGoneIsToldByItsHostAlone(t *testing.T) {
	t.Parallel()
	server, _ := source(t, "https://cashier.invalid/pay?sign=s3cret")
	reading := walkAs(t, probe.Config{Resolver: nobody{}}, time.Minute, server.URL, &exporter.Journey{Steps: []exporter.Step{first(), {Name: "pay", URL: "${v}"}}})
	wantFailure(t, reading, rules.ReasonDNS, "step pay: lookup cashier.invalid: no such host")
	if strings.Contains(fmt.Sprintf("%+v", reading), "s3cret") {
		t.Errorf("the reading tells a value: %+v", reading)
	}
}
