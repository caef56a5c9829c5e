package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"

	"github.com/prometheus/common/config"
	"golang.org/x/oauth2"

	"shopwatch/rules"
)

// detour makes the requests of an exchange that goes by a proxy or wants an
// OAuth 2 token. They are rare, and prometheus/common knows how; only the
// dialling is ours, so that a guard sees where it leads.
type detour struct {
	*exchange
	secrets bool // the request may carry what the module knows
}

// proxied reports whether the module names a proxy.
func (e *exchange) proxied() bool {
	options := &e.module.HTTPClientConfig
	return options.ProxyURL.URL != nil || options.ProxyFromEnvironment
}

// indirect reports whether the exchange needs more than a connection to its target.
func (e *exchange) indirect() bool {
	return e.proxied() || e.module.HTTPClientConfig.OAuth2 != nil
}

// RoundTrip implements http.RoundTripper.
func (d *detour) RoundTrip(request *http.Request) (*http.Response, error) {
	l, h := d.look, d.wire.begin()
	ctx := request.Context()
	options := d.module.HTTPClientConfig
	if !d.secrets {
		options.BasicAuth, options.Authorization, options.OAuth2, options.HTTPHeaders = nil, nil, nil, nil
		options.BearerToken, options.BearerTokenFile = "", ""
	}
	via, err := proxyOf(&options, request)
	if err != nil {
		return nil, Problem(rules.ReasonOther, "the proxy's URL can't be used")
	}
	secure, err := d.tlsConfig(request.URL)
	if err != nil {
		return nil, err
	}
	options.TLSConfig.ServerName = secure.ServerName
	sent := request
	if via != nil {
		if sent, err = d.addressed(ctx, h, request); err != nil {
			return nil, err
		}
	}

	tripper, err := config.NewRoundTripperFromConfig(options, "http_probe", config.WithKeepAlivesDisabled(),
		config.WithDialContextFunc(d.dialer(ctx, h, via != nil)), config.WithNewTLSConfigFunc(l.newTLSConfig))
	if err != nil {
		return nil, Problem(rules.ReasonOther, err.Error())
	}
	response, err := tripper.RoundTrip(sent.WithContext(httptrace.WithClientTrace(ctx, l.trace(h))))
	if err != nil {
		return nil, d.blame(ctx, h, via != nil, err)
	}
	h.tls = response.TLS
	response.Request = request
	return response, nil
}

// proxyOf is the proxy of a request, nil if it needs none.
func proxyOf(options *config.HTTPClientConfig, request *http.Request) (*url.URL, error) {
	choose := options.Proxy()
	if choose == nil {
		return nil, nil
	}
	return choose(request)
}

// addressed gives the request that a proxy gets: for the address that the
// target's name resolved to here, as blackbox_exporter does. With a guard this
// goes for every request, since the proxy would resolve the name out of its sight.
func (d *detour) addressed(ctx context.Context, h *hop, request *http.Request) (*http.Request, error) {
	guarded := d.look.prober.guard != nil
	if h.addresses == nil {
		switch {
		case !guarded:
			return request, nil
		case !d.named:
			return nil, Problem(rules.ReasonConnect, "a proxy would resolve the name, where no guard sees its address")
		}
		if err := d.look.lookup(ctx, h, ascii(request.URL.Hostname()), d.by); err != nil {
			return nil, err
		}
	}
	target, err := authority(request.URL)
	if err != nil {
		return nil, err
	}
	_, text, _ := net.SplitHostPort(target)
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, Problem(rules.ReasonOther, "the port is none")
	}
	if err := d.look.allow(h.address, uint16(port)); err != nil {
		return nil, err
	}
	sent := request.Clone(ctx)
	if sent.Host == "" {
		sent.Host = request.URL.Host
	}
	sent.URL.Host = net.JoinHostPort(h.address.String(), text)
	return sent, nil
}

// dialer dials what net/http asks for: the target, a proxy, or who gives
// tokens. The last connection is the one that the request goes over.
func (d *detour) dialer(look context.Context, h *hop, proxied bool) config.DialContextFunc {
	return func(_ context.Context, _, address string) (net.Conn, error) {
		// Asking for a token knows no deadline of its own: the look's counts.
		aside := &hop{started: d.look.Now()}
		by := d.by
		if proxied {
			by = route{}
		}
		conn, err := d.look.connectBy(look, aside, address, by, nil)
		if err != nil {
			return nil, err
		}
		d.look.mu.Lock()
		defer d.look.mu.Unlock()
		if !proxied {
			h.address = aside.address
		}
		if h.resolved.IsZero() {
			h.resolved = aside.resolved
		}
		h.connected = aside.connected
		return newPatientConn(conn), nil
	}
}

// trace notes the moments of a hop that net/http makes.
func (l *Look) trace(h *hop) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		TLSHandshakeStart: func() { l.mark(&h.securing, h, "in the TLS handshake") },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				l.mark(&h.handshaken, h, "waiting for the answer")
			}
		},
		GotConn:              func(httptrace.GotConnInfo) { l.mark(&h.ready, h, "waiting for the answer") },
		GotFirstResponseByte: func() { l.mark(&h.answered, h, "reading the answer") },
	}
}

// newTLSConfig is prometheus/common's, with our roots where the module names none.
func (l *Look) newTLSConfig(ctx context.Context, options *config.TLSConfig, extra ...config.TLSConfigOption) (*tls.Config, error) {
	secure, err := config.NewTLSConfigWithContext(ctx, options, extra...)
	if err == nil && secure.RootCAs == nil {
		secure.RootCAs = l.prober.roots
	}
	return secure, err
}

// blame makes a problem of a round trip that net/http made.
func (d *detour) blame(ctx context.Context, h *hop, proxied bool, err error) error {
	if known, ok := errors.AsType[*problem](err); ok {
		return known
	}
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil {
		return Problem(rules.ReasonAuth, "asked for an OAuth 2 token, got "+statusText(refused.Response.StatusCode))
	}
	d.look.mu.Lock()
	handshaking := !h.securing.IsZero() && h.handshaken.IsZero()
	silent := proxied && h.ready.IsZero() && !handshaking
	d.look.mu.Unlock()
	switch {
	case handshaking:
		return d.look.blameHandshake(ctx, err)
	case silent:
		return d.look.Blame(ctx, err, rules.ReasonConnect, "the proxy gave no way to the target")
	}
	return err
}
