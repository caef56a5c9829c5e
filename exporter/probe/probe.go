// Package probe is one look at one target from outside: a fresh connection,
// one Reading. There is one file per kind that blackbox_exporter has too; the
// kinds of our own are child rooms, which look through a [Look].
//
// The room judges nothing (hysteresis is exporter/schedule's) and repeats
// nothing. Between looks it remembers work alone, never an outcome: what
// authorities a file holds, and which chains of what a server shows lead to
// them. Connection, handshake and the proof of the key are each look's own.
//
// Its samples carry blackbox_exporter's names, labels and meanings, and are
// there exactly when blackbox_exporter gives them, so that boards made for it
// work. Kinds http and tcp are code of our own because blackbox_exporter has no
// dial hook, and without one neither redirects nor re-bound names can be kept
// from private addresses; and because a client that serves a single request
// costs a fraction of one that could serve thousands. Tests look at the same
// targets with both.
//
// An http look departs from blackbox_exporter on purpose in this:
//   - Where preferred_ip_protocol is not set, all addresses of a name take part
//     in a race (RFC 8305), which tells what a browser would meet. Where it is
//     set, or ip_protocol_fallback is off, only that family's are dialled.
//   - A body is held to be matched up to 4 MiB where body_size_limit sets no
//     other bound, and never beyond 64 MiB; a longer one is reason body.
//   - Patterns and CEL expressions of one module judge the same body;
//     blackbox_exporter has nothing left for the second.
//   - What a module's headers, basic_auth, authorization, oauth2 and
//     http_headers say is sent to the target's own host alone, and to nobody
//     any more once a redirect led away from it.
//   - The target's name stays in the URL (blackbox_exporter puts the address
//     there), so that cookies and Authorization outlast a redirect to the full
//     name, and no_proxy can name it. no_proxy is asked about the name.
//   - A target that answers 101 is not waited for: what follows is not HTTP.
//   - A certificate that was refused still gives its expiry and its subject,
//     since they matter most just then.
//   - HTTP/3 sends credentials too, and checks a redirect's certificate for the
//     redirect's host.
//   - The process's proxy variables count only with proxy_from_environment.
//
// Whatever a target does (hang, trickle, answer without end, answer with a
// compressed bomb, redirect in a circle), a look costs at most its Timeout and
// a bounded amount of memory, and ends with a reason.
package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	// defaultTimeout bounds a look whose service names no timeout.
	defaultTimeout = 10 * time.Second
	// defaultMaxBody bounds what is held of a body to be matched where no limit is named.
	defaultMaxBody = 4 << 20
	// maxHeader bounds what is read of a response's header, 1xx answers included.
	maxHeader = 256 << 10
	// maxMatched bounds what is held of a body to be matched, whatever limit its module names.
	maxMatched = 64 << 20
	// maxPooled is the largest buffer of a body that is kept for the next look.
	maxPooled = 64 << 10
	// bufferSize is that of a connection's reader and writer.
	bufferSize = 4 << 10
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
	// Guard is asked before every address that a look would dial, a redirect's
	// and a re-bound name's too; its error is told as it is. Default: all may be dialled.
	Guard func(netip.AddrPort) error
	// Resolver looks names up; default net.DefaultResolver. It must obey its context.
	Resolver Resolver
	// Now is the clock of all durations; default time.Now.
	Now func() time.Time
	// UserAgent is sent where a service sets none; default "shopwatch".
	UserAgent string
	// RootCAs are trusted for TLS; default the system's. The pool must not be
	// changed any more: verdicts of it are remembered.
	RootCAs *x509.CertPool
	// Handshakes bounds how many TLS handshakes are computed at once; default
	// half of GOMAXPROCS, at least one. Looks that start together take turns, and what they wait for
	// theirs is in no phase and not in probe_duration_seconds.
	Handshakes int
	// Kinds are the kinds of our own, which live in child rooms.
	Kinds map[exporter.Kind]Kind
}

// Kind is one way to look at a target. Its error says why the look failed, by
// [Problem] or by [Look.Blame]; any other error is reason "other", and its text
// is not shown. It ends soon after its context does.
type Kind func(context.Context, *Look) error

// Prober looks at services. It may be used by many goroutines at once.
type Prober struct {
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	guard     func(netip.AddrPort) error // nil: none
	resolver  Resolver
	now       func() time.Time
	userAgent string
	roots     *x509.CertPool
	trust     *trust
	gate      *gate
	kinds     map[exporter.Kind]Kind
}

// New makes a Prober. It never reads a proxy from the environment: a look
// tells how buyers reach the shop, not how this machine reaches the internet.
func New(config Config) *Prober {
	p := &Prober{
		dial: config.Dial, guard: config.Guard, resolver: config.Resolver, now: config.Now,
		userAgent: config.UserAgent, roots: config.RootCAs, trust: newTrust(),
		kinds: map[exporter.Kind]Kind{
			exporter.KindHTTP: lookHTTP, exporter.KindTCP: lookTCP, exporter.KindUnix: lookUnix,
			exporter.KindDNS: lookDNS, exporter.KindICMP: lookICMP, exporter.KindGRPC: lookGRPC,
		},
	}
	maps.Copy(p.kinds, config.Kinds)
	if p.dial == nil {
		p.dial = (&net.Dialer{KeepAlive: -1, FallbackDelay: -1}).DialContext // no look is long enough for keep-alive probes
	}
	if p.resolver == nil {
		p.resolver = net.DefaultResolver
	}
	if p.now == nil {
		p.now = time.Now
	}
	turns := config.Handshakes
	if turns <= 0 {
		turns = max(1, runtime.GOMAXPROCS(0)/2)
	}
	p.gate = newGate(turns)
	if p.userAgent == "" {
		p.userAgent = "shopwatch"
	}
	return p
}

// Look looks at one target of the service once and never longer than
// service.Timeout (10 s if it names none). Reading.Target is the target without
// user info, query and fragment, since it becomes a label. A look that ctx's
// cancellation cut short is inconclusive: its reason is vantage. A deadline of
// ctx's own counts like the timeout.
func (p *Prober) Look(ctx context.Context, service exporter.Service, target string) exporter.Reading {
	timeout := service.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	l := &Look{prober: p, module: service.Module, target: target, timeout: timeout}
	reading := exporter.Reading{
		Shop: service.Shop, Service: service.ID, Target: publicTarget(target), Start: p.now(),
	}
	err := Problem(rules.ReasonOther, "the service's kind is not known: "+string(service.Module.Kind))
	if kind, ok := p.kinds[service.Module.Kind]; ok {
		err = kind(bounded, l)
	}
	l.close()
	reading.End = p.now()

	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		err = Problem(rules.ReasonVantage, "the look was called off")
	}
	reading.Success = err == nil
	if err != nil {
		reading.Reason, reading.Detail = explain(err)
	}
	l.Sample(&rules.ProbeSuccess, truth(reading.Success))
	l.Sample(&rules.ProbeDuration, (reading.End.Sub(reading.Start) - l.waited).Seconds())
	reading.Samples, reading.Phases = l.samples, l.phases
	return reading
}

// Look is one look under way, as its kind sees it: what to look at, and how to
// reach it. Its connections are closed when it ends.
type Look struct {
	prober  *Prober
	module  exporter.Module
	target  string
	timeout time.Duration
	samples []exporter.Sample

	mu     sync.Mutex // the dialling goroutine of net/http may outlive the request
	phases []exporter.Phase
	hops   []*hop
	open   []io.Closer
	stops  []func() bool // of what closes connections when their context ends
	lent   []*bufio.Reader
	waited time.Duration // for a turn to compute a TLS handshake
	closed bool
}

// Module is what the look was asked to be.
func (l *Look) Module() exporter.Module { return l.module }

// Target is what to look at, as it was configured. It may hold secrets.
func (l *Look) Target() string { return l.target }

// Now is the look's clock.
func (l *Look) Now() time.Time { return l.prober.now() }

// hop is one request of a look: the first, or one that a redirect asked for.
// A moment is zero until it came.
type hop struct {
	phase      string // what the hop is doing, for people
	started    time.Time
	resolved   time.Time
	connected  time.Time
	securing   time.Time    // the TLS handshake begins, never without TLS
	handshaken time.Time    // likewise
	ready      time.Time    // the request may be written
	answered   time.Time    // first byte of the response
	ended      time.Time    // last byte of the body
	addresses  []net.IPAddr // to be tried; nil while none is known
	address    net.IPAddr   // that won, or the first to be tried; empty while none is known
	tls        *tls.ConnectionState
}

// begin starts a hop.
func (l *Look) begin() *hop {
	h := &hop{phase: "resolving the name", started: l.prober.now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hops = append(l.hops, h)
	return h
}

// mark notes the present moment in a hop and what the hop does next.
func (l *Look) mark(moment *time.Time, h *hop, next string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*moment = l.prober.now()
	h.phase = next
}

// phase says what the look's last hop is doing.
func (l *Look) phase() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.hops) == 0 {
		return "starting"
	}
	return l.hops[len(l.hops)-1].phase
}

// session is the TLS session of the look's last hop, nil without TLS.
func (l *Look) session() *tls.ConnectionState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.hops) == 0 {
		return nil
	}
	return l.hops[len(l.hops)-1].tls
}

// answered reports whether the look's last hop got a byte of an answer.
func (l *Look) answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.hops) > 0 && !l.hops[len(l.hops)-1].answered.IsZero()
}

// keep remembers a connection so that it is closed with the look or when ctx
// ends; a connection that comes after the end is closed at once.
func (l *Look) keep(ctx context.Context, conn io.Closer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return false
	}
	l.open = append(l.open, conn)
	l.stops = append(l.stops, context.AfterFunc(ctx, func() { interrupt(ctx, conn) }))
	return true
}

// interrupt ends what waits on a connection whose context ended: with a
// timeout's error where it was one, as the connection's own deadline gives.
func interrupt(ctx context.Context, conn io.Closer) {
	if timed, ok := conn.(net.Conn); ok && timedOut(ctx, nil) {
		if timed.SetDeadline(time.Unix(1, 0)) == nil {
			return
		}
	}
	conn.Close()
}

// lend remembers a buffer that is free again when the look has ended.
func (l *Look) lend(reader *bufio.Reader) { l.lent = append(l.lent, reader) }

// idle notes how long the look waited for this machine alone.
func (l *Look) idle(waited time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waited += waited
}

// lastHop is the look's last hop, nil if there is none.
func (l *Look) lastHop() *hop {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.hops) == 0 {
		return nil
	}
	return l.hops[len(l.hops)-1]
}

func (l *Look) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, stop := range l.stops {
		stop()
	}
	for _, conn := range l.open {
		conn.Close()
	}
	for _, reader := range l.lent {
		reader.Reset(nil)
		readers.Put(reader)
	}
	l.lent = nil
}

// Sample adds one series to the reading. Labels are those of the metric after
// shop, service and target.
func (l *Look) Sample(metric *rules.Metric, value float64, labels ...string) {
	l.samples = append(l.samples, exporter.Sample{Metric: metric, Labels: labels, Value: value})
}

// sampleAddress gives the samples of the first hop's name and address.
func (l *Look) sampleAddress() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lookup time.Duration
	var family int
	var hash float64
	if len(l.hops) > 0 {
		first := l.hops[0]
		lookup = between(first.started, first.resolved)
		if first.address.IP != nil {
			family, hash = protocol(first.address), addressHash(first.address)
		}
	}
	l.Sample(&rules.ProbeDNSLookup, lookup.Seconds())
	l.Sample(&rules.ProbeIPProtocol, float64(family))
	l.Sample(&rules.ProbeIPHash, hash)
}

// bodies are buffers for bodies that are matched.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

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
