package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// lookHTTP makes the request of a module of blackbox_exporter, follows
// redirects if asked, reads the body and judges the answer. Its samples are
// those of blackbox_exporter, present exactly when that gives them: with zeros
// for what never came, those of certificates only with a session.
func lookHTTP(ctx context.Context, l *Look) error {
	e := &exchange{look: l, module: &l.module.Blackbox.HTTP}
	err := e.run(ctx)
	e.sample()
	if refused, ok := errors.AsType[*certificateProblem](err); ok && e.response == nil {
		l.samples = append(l.samples, certificateSamples(&refused.state)...)
	}
	return err
}

// exchange is one request with all its redirects.
type exchange struct {
	look   *Look
	module *blackbox.HTTPProbe
	target *url.URL
	host   string      // that the certificate of the target's own host must have
	secure *tls.Config // of the target's own host
	by     route
	first  *hop // resolved before the request is made, until a round trip takes it

	next      http.RoundTripper // of requests that stay with the target's host
	away      http.RoundTripper // of requests that left it: it knows no secrets
	wire      wire
	left      bool // a redirect led to another host
	redirects int
	// unfollowable is the status of an answer whose Location net/http has not
	// yet made a request of, 0 if there is none.
	unfollowable int
	stray        error // why a redirect was not followed, nil if none was refused

	named    bool // the target's host was to be resolved here
	asked    bool // the request was made
	response *http.Response
	session  *tls.ConnectionState // of the response
	body     int64                // bytes read of it
	regex    bool                 // a pattern decided against success
	cel      bool                 // an expression decided against success
	modified time.Time            // Last-Modified, zero where there is none
}

// run makes the exchange and gives the first problem that it met.
func (e *exchange) run(ctx context.Context) error {
	if err := e.aim(); err != nil {
		return err
	}
	if err := e.lookup(ctx); err != nil {
		return err
	}
	if err := e.prepare(ctx); err != nil {
		return err
	}
	request, done, err := e.request(ctx)
	if err != nil {
		return err
	}
	defer done()
	e.asked = true
	client := &http.Client{Transport: e, Jar: new(lazyJar), CheckRedirect: e.checkRedirect}
	response, err := client.Do(request)
	if response == nil {
		return e.blame(ctx, err)
	}
	e.response, e.session = response, response.TLS
	defer response.Body.Close()
	if err != nil { // a redirect that is not followed: its body is closed
		response.Body = unread{}
	}
	return e.judge(ctx, err != nil)
}

// aim makes a URL of the target, which may do without a scheme.
func (e *exchange) aim() error {
	text := e.look.target
	if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
		if strings.Contains(text, "://") {
			return Problem(rules.ReasonOther, "target is not an http or https URL")
		}
		text = "http://" + text
	}
	if e.module.UseHTTP3 {
		text = strings.Replace(text, "http://", "https://", 1)
	}
	target, err := url.Parse(text)
	if err != nil {
		return Problem(rules.ReasonOther, "target is not an http or https URL")
	}
	e.target = target
	e.host = target.Hostname()
	e.by = route{preferred: e.module.IPProtocol, strict: !e.module.IPProtocolFallback}
	if by := e.by.preferred; by != "" && by != "ip6" {
		e.by.preferred = "ip4" // as blackbox_exporter understands any other word
	}
	return nil
}

// lookup resolves the target's host, unless a proxy is to do so.
func (e *exchange) lookup(ctx context.Context) error {
	if e.proxied() && e.module.SkipResolvePhaseWithProxy {
		return nil
	}
	e.named = true
	e.first = e.look.begin()
	if e.host == "" {
		return Problem(rules.ReasonOther, "target is not an http or https URL")
	}
	return e.look.lookup(ctx, e.first, ascii(e.host), e.by)
}

// prepare readies what makes the round trips.
func (e *exchange) prepare(ctx context.Context) error {
	config := &e.module.HTTPClientConfig
	name := e.host
	if host := headerOf(e.module.Headers, "Host"); host != "" {
		// A target may be an address, whose certificate has the name.
		name = hostOf(host)
	}
	secure, err := e.look.TLSConfig(ascii(name), config.TLSConfig, e.protocols()...)
	if err != nil {
		return err
	}
	e.secure = secure
	e.wire = wire{look: e.look, pooled: true, by: e.by, secure: e.tlsConfig, take: e.takeFirst}
	switch {
	case e.module.UseHTTP3:
		far := &quicWire{wire: &e.wire}
		e.next, e.away = authorised(config, far), far
	case e.indirect():
		e.next, e.away = &detour{exchange: e, secrets: true}, &detour{exchange: e}
	default:
		e.next, e.away = authorised(config, &e.wire), &e.wire
	}
	return nil
}

// protocols are those that a TLS session may choose from.
func (e *exchange) protocols() []string {
	if e.module.HTTPClientConfig.EnableHTTP2 {
		return bothProtocols
	}
	return oneProtocol
}

var (
	bothProtocols = []string{"h2", "http/1.1"}
	oneProtocol   = []string{"http/1.1"}
)

// tlsConfig is for a request to a URL. What the module says of the server's
// name holds for the target's own host alone.
func (e *exchange) tlsConfig(u *url.URL) (*tls.Config, error) {
	if u.Host == e.target.Host {
		return e.secure, nil
	}
	options := e.module.HTTPClientConfig.TLSConfig
	options.ServerName = ""
	return e.look.TLSConfig(ascii(u.Hostname()), options, e.protocols()...)
}

// takeFirst gives the hop that was begun before the request, once.
func (e *exchange) takeFirst() *hop {
	h := e.first
	e.first = nil
	return h
}

// RoundTrip makes one hop.
func (e *exchange) RoundTrip(request *http.Request) (*http.Response, error) {
	if e.stray != nil {
		return nil, e.stray
	}
	next := e.next
	if e.left {
		next = e.away
	}
	response, err := next.RoundTrip(request)
	if err == nil && response.Header.Get("Location") != "" {
		e.unfollowable = response.StatusCode
	}
	return response, err
}

// blame makes a problem of an exchange that gave no response to judge.
func (e *exchange) blame(ctx context.Context, err error) error {
	if file, ok := errors.AsType[*fs.PathError](err); ok { // of a secret
		return Problem(rules.ReasonOther, file.Error())
	}
	if e.unfollowable != 0 {
		return Problem(rules.ReasonStatus, "answered "+statusText(e.unfollowable)+" with a Location that can't be followed")
	}
	return e.look.BlameExchange(ctx, err)
}

// sample gives the samples of the exchange.
func (e *exchange) sample() {
	l := e.look
	response := e.response
	if response == nil {
		response = &http.Response{}
	}
	l.samples = make([]exporter.Sample, 0, 24)
	if e.named {
		l.sampleAddress()
	}
	l.Sample(&rules.ProbeHTTPStatus, float64(response.StatusCode))
	l.Sample(&rules.ProbeHTTPSSL, truth(e.session != nil))
	l.Sample(&rules.ProbeHTTPRedirects, float64(e.redirects))
	l.Sample(&rules.ProbeHTTPLength, float64(response.ContentLength))
	l.Sample(&rules.ProbeHTTPBody, float64(e.body))
	l.Sample(&rules.ProbeHTTPVersion, float64(response.ProtoMajor)+float64(response.ProtoMinor)/10)
	l.Sample(&rules.ProbeFailedRegex, truth(e.regex))
	if e.module.FailIfBodyJsonMatchesCEL != nil || e.module.FailIfBodyJsonNotMatchesCEL != nil {
		l.Sample(&rules.ProbeFailedCEL, truth(e.cel))
	}
	if !e.modified.IsZero() {
		l.Sample(&rules.ProbeHTTPModified, float64(e.modified.Unix()))
	}
	e.samplePhases()
	if e.session != nil {
		l.sampleTLS(e.session)
	}
}

// The labels of a phase, made once.
var phaseLabels = map[string][]string{
	"resolve": {"resolve"}, "connect": {"connect"}, "tls": {"tls"}, "processing": {"processing"}, "transfer": {"transfer"},
}

// samplePhases sums each phase over all hops; a phase that was not finished
// counts nothing, and only the last hop has a body that was read. The reading's
// own phases are those that came at all.
func (e *exchange) samplePhases() {
	l := e.look
	l.mu.Lock()
	defer l.mu.Unlock()
	// blackbox_exporter takes resolving of a redirect's host from elsewhere.
	resolves := e.named || len(l.hops) > 1
	phase := func(name string, given bool, ends func(*hop) (from, to time.Time)) {
		var sum time.Duration
		came := false
		for _, h := range l.hops {
			from, to := ends(h)
			came = came || !from.IsZero() && !to.IsZero()
			sum += between(from, to)
		}
		if given {
			l.samples = append(l.samples, exporter.Sample{Metric: &rules.ProbeHTTPDuration, Labels: phaseLabels[name], Value: sum.Seconds()})
		}
		if came {
			l.phases = append(l.phases, exporter.Phase{Name: name, Took: sum})
		}
	}
	phase("resolve", resolves, func(h *hop) (time.Time, time.Time) { return h.started, h.resolved })
	phase("connect", e.asked, func(h *hop) (time.Time, time.Time) { return h.resolved, h.connected })
	phase("tls", e.asked, func(h *hop) (time.Time, time.Time) { return h.securing, h.handshaken })
	phase("processing", e.asked, func(h *hop) (time.Time, time.Time) { return h.ready, h.answered })
	phase("transfer", e.asked, func(h *hop) (time.Time, time.Time) { return h.answered, h.ended })
}

// hostOf is the host of host or host:port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}
