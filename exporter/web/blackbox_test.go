package web_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/blackbox_exporter/prober"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/web"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// guarded is a prober that asks a guard before it dials.
func guarded(g *web.Guard, resolver probe.Resolver) *probe.Prober {
	return probe.New(probe.Config{Resolver: resolver, Guard: g.Check})
}

// shop is a server with a page, a failure and a redirect.
func shop(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "welcome to "+r.Host) })
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Fatal error", http.StatusBadGateway) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("where"), http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestRequestsAreAnsweredAsByBlackboxExporter(t *testing.T) {
	t.Parallel()
	server, nobody := shop(t), servertest.FreeAddress(t)
	theirs := &blackbox.Config{Modules: map[string]blackbox.Module{}}
	add := func(name string, module blackbox.Module) { theirs.Modules[name] = module }
	add("http_2xx", blackbox.DefaultModule)
	add("http_502", blackbox.DefaultModule)
	add("http_host", blackbox.DefaultModule)
	add("http_stay", blackbox.DefaultModule)
	add("tcp_connect", blackbox.DefaultModule)
	add("strange", blackbox.DefaultModule)
	for name, change := range map[string]func(*blackbox.Module){
		"http_2xx":    func(m *blackbox.Module) { m.Prober = "http" },
		"http_502":    func(m *blackbox.Module) { m.Prober, m.HTTP.ValidStatusCodes = "http", []int{502} },
		"http_host":   func(m *blackbox.Module) { m.Prober, m.HTTP.Headers = "http", map[string]string{"host": "shop.example"} },
		"http_stay":   func(m *blackbox.Module) { m.Prober, m.HTTP.HTTPClientConfig.FollowRedirects = "http", false },
		"tcp_connect": func(m *blackbox.Module) { m.Prober = "tcp" },
		"strange":     func(m *blackbox.Module) { m.Prober = "stranger" },
	} {
		module := theirs.Modules[name]
		change(&module)
		theirs.Modules[name] = module
	}
	g := guard(t, "127.0.0.1")
	ours := made(t, web.Config{Guard: g, Token: token, Look: guarded(g, nil).Look, Module: func(name string) (exporter.Module, bool) {
		module, ok := theirs.Modules[name]
		return exporter.Module{Name: name, Kind: exporter.Kind(module.Prober), Blackbox: &module}, ok
	}})
	history := &prober.ResultHistory{MaxResults: 1}
	original := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prober.Handler(w, r, theirs, slog.New(slog.DiscardHandler), history, .5, nil, nil, &promslog.Config{Writer: io.Discard, Level: promslog.NewLevel(), Format: promslog.NewFormat()})
	})

	page, host := server.URL, strings.TrimPrefix(server.URL, "http://")
	for _, c := range []struct{ about, query, timeout string }{
		{"a page", "target=" + page, ""},
		{"a page without scheme", "target=" + host, ""},
		{"a named module", "module=http_2xx&target=" + page, "10"},
		{"a page that is down", "target=" + page + "/down", ""},
		{"a page that ought to be down", "module=http_502&target=" + page + "/down", ""},
		{"a redirect", "target=" + page + "/away", ""},
		{"a redirect that is not followed", "module=http_stay&target=" + page + "/away", ""},
		{"nobody", "target=http://" + nobody, "5"},
		{"a connection", "module=tcp_connect&target=" + host, ""},
		{"no connection", "module=tcp_connect&target=" + nobody, ""},
		{"another host name", "hostname=other.example&target=" + page, ""},
		{"two host names", "module=http_host&hostname=other.example&target=" + page, ""},
		{"one host name twice", "module=http_host&hostname=shop.example&target=" + page, ""},
		{"no target", "module=http_2xx", ""},
		{"an empty target", "target=", ""},
		{"an unknown module", "module=nothing&target=" + page, ""},
		{"an unknown prober", "module=strange&target=" + page, ""},
	} {
		want := get(original, "/probe?"+c.query, "X-Prometheus-Scrape-Timeout-Seconds", c.timeout)
		got := get(ours, "/probe?"+c.query, "X-Prometheus-Scrape-Timeout-Seconds", c.timeout)
		if got.Code != want.Code {
			t.Errorf("%s: got %d, blackbox_exporter gives %d", c.about, got.Code, want.Code)
			continue
		}
		if got.Code != http.StatusOK {
			if got.Body.String() != want.Body.String() {
				t.Errorf("%s: got %q, blackbox_exporter says %q", c.about, got.Body, want.Body)
			}
			continue
		}
		if a, b := got.Header().Get("Content-Type"), want.Header().Get("Content-Type"); a != b {
			t.Errorf("%s: got %s, blackbox_exporter %s", c.about, a, b)
		}
		a, b := seriesOf(t, got.Body), seriesOf(t, want.Body)
		if x, y := slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)); !slices.Equal(x, y) {
			t.Errorf("%s: got\n%s\nblackbox_exporter gives\n%s", c.about, strings.Join(x, "\n"), strings.Join(y, "\n"))
		}
		for _, name := range []string{"probe_success", "probe_http_status_code", "probe_http_redirects"} {
			if a[name] != b[name] {
				t.Errorf("%s: %s is %v, blackbox_exporter's %v", c.about, name, a[name], b[name])
			}
		}
	}
}

// seriesOf are the values of an exposition by name and labels.
func seriesOf(t *testing.T, body io.Reader) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for name, family := range families {
		for _, one := range family.GetMetric() {
			key := name
			for _, label := range one.GetLabel() {
				key += " " + label.GetName() + "=" + label.GetValue()
			}
			series[key] = one.GetGauge().GetValue()
		}
	}
	return series
}

// liar resolves every name to what it says.
type liar string

func (l liar) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) {
	return []net.IPAddr{{IP: net.ParseIP(string(l))}}, nil
}

func TestTheTokenIsNoWayIntoTheNetwork(t *testing.T) {
	t.Parallel()
	server, hidden := shop(t), shop(t)
	open := strings.TrimPrefix(server.URL, "http://")
	secret := strings.TrimPrefix(hidden.URL, "http://")
	_, secretPort, _ := net.SplitHostPort(secret)
	g := guard(t, open, "shop.example", "localhost") // the address of the first server, with its port
	handler := made(t, web.Config{Guard: g, Token: token, Look: guarded(g, liar("127.0.0.1")).Look})
	for _, c := range []struct{ about, target, want string }{
		{"the server that is listed", server.URL, "probe_success 1"},
		{"one on the same address", hidden.URL, "probe_success 0"},
		{"a redirect to the listed one", server.URL + "/to?where=" + url.QueryEscape("http://"+open+"/"), "probe_success 1"},
		{"a redirect to the other", server.URL + "/to?where=" + url.QueryEscape(hidden.URL+"/"), "probe_success 0"},
		{"a redirect to metadata", server.URL + "/to?where=" + url.QueryEscape("http://169.254.169.254/latest"), "probe_success 0"},
		{"a redirect to a name that resolves to it", server.URL + "/to?where=" + url.QueryEscape("http://evil.test:"+secretPort+"/"), "probe_success 0"},
		{"a name that resolves to it", "http://evil.test:" + secretPort + "/", "probe_success 0"},
		{"a listed name that resolves to it", "http://shop.example:" + secretPort + "/", "probe_success 0"},
		{"the listed name localhost", "http://localhost:" + secretPort + "/", "probe_success 0"},
	} {
		answer := get(handler, "/probe?target="+url.QueryEscape(c.target), "Authorization", "Bearer "+token, "X-Prometheus-Scrape-Timeout-Seconds", "3")
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "\n"+c.want+"\n") {
			t.Errorf("%s: got %d, want %s:\n%s", c.about, answer.Code, c.want, answer.Body)
		}
	}
}

func TestALookThatTheGuardRefusedSaysWhy(t *testing.T) {
	t.Parallel()
	g := guard(t)
	reading := guarded(g, nil).Look(t.Context(), exporter.Service{Module: exporter.TCPModule(nil), Timeout: 5 * time.Second}, "169.254.169.254:80")
	if reading.Success || reading.Reason == rules.ReasonTimeout || !strings.Contains(reading.Detail, "exporter.probe.targets") {
		t.Errorf("got %s: %s", reading.Reason, reading.Detail)
	}
}
