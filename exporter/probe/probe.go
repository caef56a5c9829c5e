// Package probe is one look at one service from outside: a fresh connection,
// one request, one Reading. There is one file per kind of service: http.go and
// tcp.go.
//
// The room judges nothing (hysteresis is exporter/schedule's), repeats nothing
// and remembers nothing between looks. Its samples carry blackbox_exporter's
// names and meanings, so that boards made for blackbox_exporter work; the code
// is our own because blackbox_exporter has no dial hook, and without one
// neither redirects nor re-bound names can be kept from private addresses.
//
// Whatever a target does (hang, trickle, answer without end, answer with a
// compressed bomb, redirect in a circle), a look costs at most its Timeout and
// a bounded amount of memory, and ends with a reason.
package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	// defaultTimeout bounds a look whose service names no timeout.
	defaultTimeout = 10 * time.Second
	// defaultMaxBody bounds the body of a look that names no limit.
	defaultMaxBody = 4 << 20
	// maxHeader bounds what is read of a response's header, 1xx answers included.
	maxHeader = 256 << 10
	// maxRedirects is where a chain counts as a circle; blackbox_exporter's number.
	maxRedirects = 10
	// maxQuote is how much of a wanted text a detail repeats.
	maxQuote = 60
	// maxAddresses bounds how many addresses of one name are tried.
	maxAddresses = 8
)

// Resolver finds the addresses of a name, in the order in which they are to be
// tried. *net.Resolver is one.
type Resolver interface {
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
}

// Config is what a Prober works with. The zero value is ready for use.
type Config struct {
	// Dial opens a connection; default a net.Dialer. The address is always an
	// IP and a port, never a name, so that a guard that is put here sees where
	// a redirect or a re-bound name leads in truth. It must obey its context.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolver looks names up; default net.DefaultResolver. It must obey its context.
	Resolver Resolver
	// Now is the clock of all durations; default time.Now.
	Now func() time.Time
	// UserAgent is sent where a service sets none; default "shopwatch".
	UserAgent string
	// RootCAs are trusted for TLS; default the system's.
	RootCAs *x509.CertPool
}

// Prober looks at services. It may be used by many goroutines at once.
type Prober struct {
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	resolver  Resolver
	now       func() time.Time
	userAgent string
	roots     *x509.CertPool
}

// New makes a Prober. It never reads a proxy from the environment: a look
// tells how buyers reach the shop, not how this machine reaches the internet.
func New(config Config) *Prober {
	p := &Prober{
		dial: config.Dial, resolver: config.Resolver, now: config.Now,
		userAgent: config.UserAgent, roots: config.RootCAs,
	}
	if p.dial == nil {
		p.dial = new(net.Dialer).DialContext
	}
	if p.resolver == nil {
		p.resolver = net.DefaultResolver
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.userAgent == "" {
		p.userAgent = "shopwatch"
	}
	return p
}

// Look looks at the service once and never longer than service.Timeout (10 s
// if it names none). Reading.Target is service.Target without user info, query
// and fragment, since it becomes a label. A look that ctx's cancellation cut
// short is inconclusive: its reason is vantage. A deadline of ctx's own counts
// like the timeout.
func (p *Prober) Look(ctx context.Context, service exporter.Service) exporter.Reading {
	timeout := service.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	l := &look{prober: p, service: service, timeout: timeout}
	reading := exporter.Reading{
		Shop: service.Shop, Service: service.ID, Target: publicTarget(service), Start: p.now(),
	}
	var err error
	switch {
	case service.HTTP != nil:
		err = l.lookHTTP(bounded)
	case service.TCP != nil:
		err = l.lookTCP(bounded)
	default:
		err = &problem{rules.ReasonOther, "service is neither http nor tcp"}
	}
	l.close()
	reading.End = p.now()

	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		err = &problem{rules.ReasonVantage, "the look was called off"}
	}
	reading.Success = err == nil
	if err != nil {
		reading.Reason, reading.Detail = explain(err)
	}
	l.sample(rules.ProbeSuccess, truth(reading.Success))
	l.sample(rules.ProbeDuration, reading.End.Sub(reading.Start).Seconds())
	reading.Samples = l.samples
	return reading
}

// look is the state of one look. Its connections are closed when it ends,
// whatever net/http still thinks of them.
type look struct {
	prober  *Prober
	service exporter.Service
	timeout time.Duration
	samples []exporter.Sample

	mu     sync.Mutex // the dialling goroutine of net/http may outlive the request
	hops   []*hop
	open   []net.Conn
	closed bool
}

// hop is one request of a look: the first, or one that a redirect asked for.
// A moment is zero until it came.
type hop struct {
	phase      string // what the hop is doing, for people
	started    time.Time
	resolved   time.Time
	connected  time.Time
	handshaken time.Time // never without TLS
	ready      time.Time // the request may be written
	answered   time.Time // first byte of the response
	ended      time.Time // last byte of the body
	protocol   int       // 4 or 6; 0 while no address is known
	tls        *tls.ConnectionState
}

// begin starts a hop.
func (l *look) begin() *hop {
	h := &hop{phase: "resolving the name", started: l.prober.now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hops = append(l.hops, h)
	return h
}

// mark notes the present moment in a hop and what the hop does next.
func (l *look) mark(moment *time.Time, h *hop, next string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*moment = l.prober.now()
	h.phase = next
}

// phase says what the look's last hop is doing.
func (l *look) phase() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.hops) == 0 {
		return "starting"
	}
	return l.hops[len(l.hops)-1].phase
}

// session is the TLS session of the look's last hop, nil without TLS.
func (l *look) session() *tls.ConnectionState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.hops) == 0 {
		return nil
	}
	return l.hops[len(l.hops)-1].tls
}

// answered reports whether the look's last hop got a byte of an answer.
func (l *look) answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.hops) > 0 && !l.hops[len(l.hops)-1].answered.IsZero()
}

// keep remembers a connection so that it is closed with the look; a
// connection that comes after the end is closed at once.
func (l *look) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return false
	}
	l.open = append(l.open, conn)
	return true
}

func (l *look) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, conn := range l.open {
		conn.Close()
	}
}

func (l *look) sample(metric rules.Metric, value float64, labels ...string) {
	l.samples = append(l.samples, exporter.Sample{Metric: metric, Labels: labels, Value: value})
}

// sampleAddress gives the samples of the first hop's name and address.
func (l *look) sampleAddress() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lookup time.Duration
	var protocol int
	if len(l.hops) > 0 {
		first := l.hops[0]
		lookup, protocol = between(first.started, first.resolved), first.protocol
	}
	l.sample(rules.ProbeDNSLookup, lookup.Seconds())
	l.sample(rules.ProbeIPProtocol, float64(protocol))
}

// between is the time from one moment to another, 0 unless both came.
func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(0, to.Sub(from))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
