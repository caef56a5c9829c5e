package probe

import (
	"context"
	"net"
	"net/http"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
)

// Client is an HTTP client for this look: every request over a fresh
// connection, its phases timed, its redirects given back as answers. Reading a
// body is bounded by the look's timeout; how much is read is the caller's.
// Errors of it are for [Look.Blame].
func (l *Look) Client(options config.TLSConfig) *http.Client {
	e := &exchange{look: l}
	e.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return e.open(ctx, address, nil)
		},
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			secure, err := l.TLSConfig(hostOf(address), options, "h2", "http/1.1")
			if err != nil {
				return nil, err
			}
			return e.open(ctx, address, secure)
		},
		DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader,
	}
	return &http.Client{Transport: e, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Phase times a part of the look that is the kind's own, such as auth or query:
// it begins now, and ends with the function that is returned.
func (l *Look) Phase(name string) (end func()) {
	begin := l.Now()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.phases = append(l.phases, exporter.Phase{Name: name, Took: l.prober.now().Sub(begin)})
	}
}
