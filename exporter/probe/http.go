package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// lookHTTP makes the request, follows redirects if asked, reads the body and
// checks status and body. All samples are given on every look, with zeros for
// what never came, as blackbox_exporter does; only those of certificates need a certificate.
func lookHTTP(ctx context.Context, l *Look) error {
	target, err := url.Parse(l.target)
	if err != nil || target.Host == "" || !followable(target) {
		return Problem(rules.ReasonOther, "target is not an http or https URL")
	}
	exchange := &exchange{look: l, target: target}
	err = exchange.run(ctx)
	l.sampleAddress()
	exchange.sample()
	if refused, ok := errors.AsType[*certificateProblem](err); ok {
		l.samples = append(l.samples, certificateSamples(&refused.state)...)
	}
	return err
}

// exchange is one request with all its redirects.
type exchange struct {
	look   *Look
	target *url.URL

	transport http.RoundTripper
	redirects int
	stray     error          // why a redirect was not followed, nil if none was refused
	last      *http.Response // of the last hop, nil if that gave none
	response  *http.Response // the one that is judged
	body      int64
	mismatch  bool // a text of the body decided against success
}

// run makes the exchange and gives the first problem that it met.
func (e *exchange) run(ctx context.Context) error {
	request, err := e.request(ctx)
	if err != nil {
		return Problem(rules.ReasonOther, "request can't be made of the service's method and headers")
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return e.open(ctx, address, nil)
		},
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			secure, err := e.tlsConfig(hostOf(address))
			if err != nil {
				return nil, err
			}
			return e.open(ctx, address, secure)
		},
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
	defer transport.CloseIdleConnections()
	e.transport = transport
	jar, err := cookiejar.New(nil) // many shops set a cookie and redirect to themselves
	if err != nil {
		return Problem(rules.ReasonOther, "no cookie jar")
	}
	client := &http.Client{Transport: e, Jar: jar, CheckRedirect: e.checkRedirect}

	response, err := client.Do(request)
	if err != nil {
		return e.blame(ctx, err)
	}
	defer response.Body.Close()
	e.response = response
	return e.check(ctx)
}

// request is the first request of the exchange.
func (e *exchange) request(ctx context.Context) (*http.Request, error) {
	wanted := e.look.module.Blackbox.HTTP
	request, err := http.NewRequestWithContext(ctx, cmp.Or(wanted.Method, http.MethodGet), e.target.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", e.look.prober.userAgent)
	for name, value := range wanted.Headers {
		if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
			request.Host = value
			continue
		}
		request.Header.Set(name, value)
	}
	return request, nil
}

type hopKey struct{}

func hopOf(ctx context.Context) *hop { return ctx.Value(hopKey{}).(*hop) }

// open connects a hop. A session that negotiated HTTP/2 goes to net/http as it
// is, which knows it by its type.
func (e *exchange) open(ctx context.Context, address string, secure *tls.Config) (net.Conn, error) {
	conn, err := e.look.connect(ctx, hopOf(ctx), address, secure)
	if err != nil {
		return nil, err
	}
	if session, ok := conn.(*tls.Conn); ok && session.ConnectionState().NegotiatedProtocol == "h2" {
		return conn, nil
	}
	patient := newPatientConn(conn)
	if !e.look.keep(patient) {
		return nil, Problem(rules.ReasonConnect, "the look is over")
	}
	return patient, nil
}

// RoundTrip makes one hop and times it.
func (e *exchange) RoundTrip(request *http.Request) (*http.Response, error) {
	h := e.look.begin()
	ctx := context.WithValue(request.Context(), hopKey{}, h)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { e.look.mark(&h.ready, h, "waiting for the answer") },
		GotFirstResponseByte: func() {
			e.look.mark(&h.answered, h, "reading the answer")
		},
	})
	e.last = nil
	response, err := e.transport.RoundTrip(request.WithContext(ctx))
	if err == nil {
		e.last = response
	}
	return response, err
}

// checkRedirect decides on one redirect. One that isn't followed leaves its
// response as the last one.
func (e *exchange) checkRedirect(request *http.Request, via []*http.Request) error {
	if !e.look.module.Blackbox.HTTP.HTTPClientConfig.FollowRedirects {
		return http.ErrUseLastResponse
	}
	if !followable(request.URL) {
		e.stray = Problem(rules.ReasonStatus, "redirects to something that is not http or https")
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		e.stray = Problem(rules.ReasonStatus, fmt.Sprintf("more than %d redirects, the next to %s", maxRedirects, publicURL(request.URL)))
		return http.ErrUseLastResponse
	}
	e.redirects = len(via)
	if e.leaves(request.URL) {
		// What the owner set for this service is not for others: keys hide in
		// headers of any name, and in the query that Referer would repeat.
		for name := range e.look.module.Blackbox.HTTP.Headers {
			request.Header.Del(name)
		}
		request.Header.Del("Authorization")
		request.Header.Del("Referer")
		request.Header.Set("User-Agent", e.look.prober.userAgent)
	}
	return nil
}

// leaves reports whether a URL is another host than the target's, or the same
// host without TLS where the target has it.
func (e *exchange) leaves(next *url.URL) bool {
	return next.Hostname() != e.target.Hostname() || (e.target.Scheme == "https" && next.Scheme != "https")
}

// tlsConfig is for one hop. On the target's own host a Host header that the
// service sets is the name that the certificate must have, so that a target
// may be an address.
func (e *exchange) tlsConfig(host string) (*tls.Config, error) {
	if host == e.target.Hostname() {
		for name, value := range e.look.module.Blackbox.HTTP.Headers {
			if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
				host = hostOf(value)
			}
		}
	}
	return e.look.TLSConfig(host, e.look.module.Blackbox.HTTP.HTTPClientConfig.TLSConfig, "h2", "http/1.1")
}

// blame makes a problem of an exchange that gave no usable response.
func (e *exchange) blame(ctx context.Context, err error) error {
	if certificate, ok := errors.AsType[*certificateProblem](err); ok {
		return certificate
	}
	if known, ok := errors.AsType[*problem](err); ok {
		return known
	}
	if e.last != nil { // the round trip was fine: the Location wasn't
		e.response = e.last
		return Problem(rules.ReasonStatus, fmt.Sprintf("answered %d with a Location that can't be followed", e.last.StatusCode))
	}
	// net/http has no word of its own for a server that hangs up before it
	// answers; one that answered something else than HTTP is another matter.
	var network *net.OpError
	switch {
	case !e.look.answered():
		return e.look.Blame(ctx, err, rules.ReasonConnect, "the far side broke off before an answer")
	case closed(err) || errors.As(err, &network):
		return e.look.Blame(ctx, err, rules.ReasonConnect, SafeText(err))
	}
	return e.look.Blame(ctx, err, rules.ReasonOther, SafeText(err))
}

// check judges the response: its status, then its body, which is read in full
// either way so that the transfer is timed.
func (e *exchange) check(ctx context.Context) error {
	wanted := e.look.module.Blackbox.HTTP
	failure := e.stray
	if failure == nil && !validStatus(wanted.ValidStatusCodes, e.response.StatusCode) {
		failure = Problem(rules.ReasonStatus, fmt.Sprintf("answered %d", e.response.StatusCode))
	}
	limit := int64(wanted.BodySizeLimit)
	if limit <= 0 {
		limit = defaultMaxBody
	}
	body, err := io.ReadAll(io.LimitReader(e.response.Body, limit+1))
	e.body = int64(len(body))
	last := e.look.hops[len(e.look.hops)-1]
	e.look.mark(&last.ended, last, "reading the answer")

	switch {
	case failure != nil:
		return failure
	case e.body > limit:
		return Problem(rules.ReasonBody, fmt.Sprintf("body is longer than %d bytes", limit))
	case err != nil:
		return e.look.Blame(ctx, err, rules.ReasonBody, SafeText(err))
	}
	for _, pattern := range wanted.FailIfBodyMatchesRegexp {
		if pattern.Match(body) {
			e.mismatch = true
			return Problem(rules.ReasonBody, fmt.Sprintf("body matches %q", clip(pattern.String(), maxQuote)))
		}
	}
	for _, pattern := range wanted.FailIfBodyNotMatchesRegexp {
		if !pattern.Match(body) {
			e.mismatch = true
			return Problem(rules.ReasonBody, fmt.Sprintf("body doesn't match %q", clip(pattern.String(), maxQuote)))
		}
	}
	return nil
}

// sample gives the samples of the exchange.
func (e *exchange) sample() {
	response := e.response
	if response == nil {
		response = &http.Response{}
	}
	l := e.look
	session := l.session()
	if e.response == nil {
		session = nil
	}
	l.Sample(&rules.ProbeHTTPStatus, float64(response.StatusCode))
	l.Sample(&rules.ProbeHTTPSSL, truth(session != nil))
	l.Sample(&rules.ProbeHTTPRedirects, float64(e.redirects))
	l.Sample(&rules.ProbeHTTPLength, float64(response.ContentLength))
	l.Sample(&rules.ProbeHTTPBody, float64(e.body))
	l.Sample(&rules.ProbeHTTPVersion, float64(response.ProtoMajor)+float64(response.ProtoMinor)/10)
	l.Sample(&rules.ProbeFailedRegex, truth(e.mismatch))
	l.samplePhases()
	if session != nil {
		l.samples = append(l.samples, certificateSamples(session)...)
	}
}

// samplePhases sums each phase over all hops; a phase that was not finished
// counts nothing, and only the last hop has a body that was read.
func (l *Look) samplePhases() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var resolve, connect, handshake, processing, transfer time.Duration
	for _, h := range l.hops {
		resolve += between(h.started, h.resolved)
		connect += between(h.resolved, h.connected)
		handshake += between(h.connected, h.handshaken)
		processing += between(h.ready, h.answered)
		transfer += between(h.answered, h.ended)
	}
	l.samples = append(l.samples,
		exporter.Sample{Metric: &rules.ProbeHTTPDuration, Labels: []string{"resolve"}, Value: resolve.Seconds()},
		exporter.Sample{Metric: &rules.ProbeHTTPDuration, Labels: []string{"connect"}, Value: connect.Seconds()},
		exporter.Sample{Metric: &rules.ProbeHTTPDuration, Labels: []string{"tls"}, Value: handshake.Seconds()},
		exporter.Sample{Metric: &rules.ProbeHTTPDuration, Labels: []string{"processing"}, Value: processing.Seconds()},
		exporter.Sample{Metric: &rules.ProbeHTTPDuration, Labels: []string{"transfer"}, Value: transfer.Seconds()},
	)
}

func validStatus(valid []int, status int) bool {
	if len(valid) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(valid, status)
}

func followable(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// hostOf is the host of host or host:port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}
