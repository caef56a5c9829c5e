package probe

import (
	"crypto/tls"
	"net/http"
	"net/url"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
)

// Client is an HTTP client for this look: every request over a fresh
// connection, its phases timed, its redirects given back as answers. Reading a
// body is bounded by the request's context; how much is read is the caller's,
// who closes the body and reads nothing of it after the look. Errors of it are
// for [Look.BlameExchange].
func (l *Look) Client(options config.TLSConfig) *http.Client {
	secure := func(u *url.URL) (*tls.Config, error) {
		return l.TLSConfig(ascii(u.Hostname()), options, bothProtocols...)
	}
	return &http.Client{
		Transport:     &wire{look: l, secure: secure},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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
