package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/common/config"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// sentry is a guard that allows one port of loopback and notes what it was asked.
type sentry struct {
	mu      sync.Mutex
	allowed []string
	asked   []string
}

func (s *sentry) guard(address netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, address.String())
	if slices.Contains(s.allowed, address.String()) {
		return nil
	}
	return fmt.Errorf("%s is not to be looked at", address.Addr())
}

// rebinding is a resolver that gives a name another address at each look-up.
type rebinding struct {
	mu        sync.Mutex
	addresses []string
}

func (r *rebinding) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.addresses) == 0 {
		return nil, errors.New("asked once too often")
	}
	next := r.addresses[0]
	r.addresses = r.addresses[1:]
	return []net.IPAddr{{IP: net.ParseIP(next)}}, nil
}

func TestNoAddressIsDialledThatTheGuardRefuses(t *testing.T) {
	t.Parallel()
	inside := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a guarded address was reached") })
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	outside := serve(t, func(w http.ResponseWriter, r *http.Request) {
		next := "http://169.254.169.254/latest/meta-data"
		if strings.HasPrefix(r.Host, "rebound.") {
			next = "http://" + r.Host + "/again"
		}
		http.Redirect(w, r, next, http.StatusFound)
	})
	allowed := outside.Listener.Addr().String()
	_, outsidePort, _ := net.SplitHostPort(allowed)

	for name, c := range map[string]struct {
		target  string
		names   []string // addresses of any name, one a look-up
		change  func(*blackbox.HTTPProbe)
		refused string // the address that the guard was asked last
	}{
		"loopback":               {"http://127.0.0.1:" + port, nil, nil, "127.0.0.1:" + port},
		"a redirect to metadata": {outside.URL, nil, nil, "169.254.169.254:80"},
		"IPv4 in IPv6":           {"http://[::ffff:127.0.0.1]:" + port, nil, nil, "127.0.0.1:" + port},
		"IPv4 in IPv6, in hex":   {"http://[::ffff:7f00:1]:" + port, nil, nil, "127.0.0.1:" + port},
		"loopback of IPv6":       {"http://[::1]:" + port, nil, nil, "[::1]:" + port},
		"a decimal number":       {"http://2130706433:" + port, []string{"127.0.0.1"}, nil, "127.0.0.1:" + port},
		"octal numbers":          {"http://0177.0.0.1:" + port, []string{"127.0.0.1"}, nil, "127.0.0.1:" + port},
		"two numbers":            {"http://127.1:" + port, []string{"127.0.0.1"}, nil, "127.0.0.1:" + port},
		"a name":                 {"http://inside.example:" + port, []string{"127.0.0.1"}, nil, "127.0.0.1:" + port},
		"a name, mapped":         {"http://inside.example:" + port, []string{"::ffff:127.0.0.1"}, nil, "127.0.0.1:" + port},
		"a name that is re-bound at the redirect": {"http://rebound.example:" + outsidePort, []string{"127.0.0.1", "127.0.0.2"}, nil, "127.0.0.2:" + outsidePort},
		"a proxy": {"http://127.0.0.1:" + outsidePort, nil, func(h *blackbox.HTTPProbe) {
			h.HTTPClientConfig.ProxyURL = config.URL{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}}
		}, "127.0.0.1:" + port},
		"behind a proxy": {"http://10.0.0.1:8080", nil, func(h *blackbox.HTTPProbe) {
			h.HTTPClientConfig.ProxyURL = config.URL{URL: &url.URL{Scheme: "http", Host: allowed}}
		}, "10.0.0.1:8080"},
		"a redirect behind a proxy": {"http://127.0.0.1:" + outsidePort, nil, func(h *blackbox.HTTPProbe) {
			h.HTTPClientConfig.ProxyURL = config.URL{URL: &url.URL{Scheme: "http", Host: allowed}}
		}, "169.254.169.254:80"},
		"a source of tokens": {outside.URL, nil, func(h *blackbox.HTTPProbe) {
			h.HTTPClientConfig.OAuth2 = &config.OAuth2{ClientID: "me", TokenURL: "http://127.0.0.1:" + port + "/token"}
		}, "127.0.0.1:" + port},
		"HTTP/3": {"https://127.0.0.1:" + port, nil, func(h *blackbox.HTTPProbe) { h.UseHTTP3 = true }, "127.0.0.1:" + port},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &sentry{allowed: []string{allowed}}
			service := webService(c.target)
			if c.change != nil {
				wanting(c.change)(&service)
			}
			reading := lookWith(probe.New(probe.Config{Guard: s.guard, Resolver: &rebinding{addresses: c.names}}), service)
			mustFail(t, reading, rules.ReasonConnect)
			host, _, _ := net.SplitHostPort(c.refused)
			if want := host + " is not to be looked at"; reading.Detail != want {
				t.Errorf("detail is %q, want %q", reading.Detail, want)
			}
			if len(s.asked) == 0 || s.asked[len(s.asked)-1] != c.refused {
				t.Errorf("the guard was asked %v, want %s last", s.asked, c.refused)
			}
		})
	}
}

func TestAProxyResolvesNothingBehindTheGuardsBack(t *testing.T) {
	t.Parallel()
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	s := &sentry{allowed: []string{proxy.Listener.Addr().String()}}
	service := webService("http://inside.example/", wanting(func(h *blackbox.HTTPProbe) {
		h.SkipResolvePhaseWithProxy = true
		h.HTTPClientConfig.ProxyURL = config.URL{URL: &url.URL{Scheme: "http", Host: proxy.Listener.Addr().String()}}
	}))
	reading := lookWith(probe.New(probe.Config{Guard: s.guard}), service)
	mustFail(t, reading, rules.ReasonConnect)
	if !strings.Contains(reading.Detail, "where no guard sees its address") {
		t.Errorf("detail is %q", reading.Detail)
	}
}

func TestOfSeveralAddressesTheAllowedOneIsDialled(t *testing.T) {
	t.Parallel()
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	s := &sentry{allowed: []string{"127.0.0.1:" + port}}
	prober := probe.New(probe.Config{Guard: s.guard, Resolver: fakeResolver{names: map[string][]string{
		"shop.example": {"::1", "127.0.0.1"}, "inside.example": {"::1", "127.0.0.2"},
	}}})
	mustSucceed(t, lookWith(prober, webService("http://shop.example:"+port)))
	mustFail(t, lookWith(prober, webService("http://inside.example:"+port, within(time.Minute))), rules.ReasonConnect)
}
