package probe

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/blackbox_exporter/prober"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"shopwatch/rules"
)

// lookGRPC asks a gRPC server's health service, by blackbox_exporter's own
// client of it but over a connection of ours: blackbox_exporter's whole prober
// asks without a deadline, so that a server which takes the question and never
// answers would hold a look for ever, and it resolves the name a second time,
// out of every guard's sight.
func lookGRPC(ctx context.Context, l *Look) error {
	module := &l.module.Blackbox.GRPC
	host, address, err := grpcTarget(l.target, module.TLS)
	if err != nil {
		return err
	}
	g := &health{
		TransportCredentials: insecure.NewCredentials(), ctx: ctx, look: l, hop: l.begin(),
		by: route{preferred: module.PreferredIPProtocol, strict: !module.IPProtocolFallback},
	}
	if module.TLS {
		if g.secure, err = l.TLSConfig(host, module.TLSConfig, "h2"); err != nil {
			return err
		}
		g.TransportCredentials = credentials.NewTLS(g.secure)
	}
	err = g.check(address)
	l.sampleAddress()
	g.sample(err)
	l.sumPhases()
	return err
}

// grpcTarget makes host:port of a target, which blackbox_exporter takes as a
// URL too, and the host of that.
func grpcTarget(target string, secure bool) (host, address string, err error) {
	if !strings.HasPrefix(target, "http://") && !strings.HasPrefix(target, "https://") {
		target = "http://" + target
	}
	parsed, err := url.Parse(target)
	if err != nil || parsed.Host == "" {
		return "", "", Problem(rules.ReasonOther, "target is not host:port")
	}
	port := parsed.Port()
	switch {
	case port == "" && secure:
		port = "443"
	case port == "":
		port = "80"
	}
	return parsed.Hostname(), net.JoinHostPort(parsed.Hostname(), port), nil
}

// health is one question to a health service, and the credentials of its connection.
type health struct {
	credentials.TransportCredentials
	ctx    context.Context // the look's: gRPC's own would give a connection 20 s
	look   *Look
	hop    *hop
	by     route
	secure *tls.Config // nil: without TLS

	status  codes.Code
	serving string // what the service answered, "" where it didn't

	mu      sync.Mutex // gRPC's goroutines may outlive the question
	problem error      // what the connection met
}

// check asks the health service; its error is a problem.
func (g *health) check(address string) error {
	// The address goes to our dialler as it is; nothing else resolves it.
	dial := func(context.Context, string) (net.Conn, error) {
		conn, err := g.look.connectBy(g.ctx, g.hop, address, g.by, nil)
		if err != nil {
			return nil, g.met(err)
		}
		// The question has a deadline. One of the connection's own would end
		// it in the same moment, and look like a server that broke off.
		return conn, conn.SetDeadline(time.Time{})
	}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(g), grpc.WithContextDialer(dial), grpc.WithNoProxy(),
		grpc.WithMaxHeaderListSize(maxHeader), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
		grpc.WithUserAgent(g.look.prober.userAgent))
	if err != nil {
		return Problem(rules.ReasonOther, "target can't be asked over gRPC")
	}
	defer conn.Close()
	module := &g.look.module.Blackbox.GRPC
	ok, status, _, serving, err := prober.NewGrpcHealthCheckClient(conn).Check(g.ctx, module.Service, module.Metadata)
	g.status, g.serving = status, serving
	switch {
	case ok:
		return nil
	case err == nil:
		return Problem(rules.ReasonStatus, "the health service answered "+serving)
	}
	return g.blame()
}

// blame finds the reason of a question without an answer. The status's message
// is the far side's and is not told.
func (g *health) blame() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.problem != nil {
		return g.problem
	}
	reason, text := rules.ReasonStatus, "answered with the gRPC status "+g.status.String()
	switch g.status {
	case codes.DeadlineExceeded: // the server knows our deadline, and may tell us first that it has come
		if deadline, ok := g.ctx.Deadline(); ok && time.Until(deadline) < grace {
			return g.look.Blame(g.ctx, context.DeadlineExceeded, rules.ReasonTimeout, "")
		}
	case codes.Unavailable:
		reason, text = rules.ReasonConnect, "the far side broke off, is no gRPC server, or says that it is unavailable"
	case codes.Unimplemented:
		text = "the server has no health service"
	case codes.NotFound:
		text = "the health service doesn't know the service that it is asked about"
	case codes.Unauthenticated, codes.PermissionDenied:
		reason = rules.ReasonAuth
	}
	return g.look.Blame(g.ctx, nil, reason, text)
}

// met remembers the first problem of the connection: what gRPC makes of it
// loses the reason.
func (g *health) met(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.problem == nil {
		g.problem = err
	}
	return err
}

// ClientHandshake implements credentials.TransportCredentials. The look's own
// handshake takes its turn among the others and keeps the reason.
func (g *health) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if g.secure == nil {
		return g.TransportCredentials.ClientHandshake(ctx, authority, raw)
	}
	session, err := g.look.handshake(g.ctx, g.hop, raw, g.secure)
	if err != nil {
		return nil, nil, g.met(err)
	}
	state := session.ConnectionState()
	if state.NegotiatedProtocol != "h2" {
		return nil, nil, g.met(Problem(rules.ReasonTLS, "the server doesn't offer HTTP/2"))
	}
	info := credentials.TLSInfo{State: state, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	return session, info, session.SetDeadline(time.Time{})
}

// Clone implements credentials.TransportCredentials: there is one connection.
func (g *health) Clone() credentials.TransportCredentials { return g }

// sample gives the samples of the question, with zeros for what never came.
// Certificates are told only of a connection that answered, or that we refused.
func (g *health) sample(err error) {
	l := g.look
	l.mu.Lock()
	resolved := g.hop.address.IP != nil
	lookup, asking := between(g.hop.started, g.hop.resolved), l.prober.now().Sub(g.hop.resolved)
	secure := g.hop.tls != nil && g.serving != ""
	l.mu.Unlock()

	l.Sample(&rules.ProbeGRPCSSL, truth(secure))
	if secure || l.session() == nil {
		l.sampleSecurity(err, false)
	}
	if !resolved { // no name, no question
		l.Sample(&rules.ProbeGRPCDuration, 0, "resolve")
		l.Sample(&rules.ProbeGRPCStatus, 0)
		return
	}
	l.Sample(&rules.ProbeGRPCDuration, lookup.Seconds(), "resolve")
	l.Sample(&rules.ProbeGRPCDuration, asking.Seconds(), "check")
	l.Sample(&rules.ProbeGRPCStatus, float64(g.status))
	for status := range grpc_health_v1.HealthCheckResponse_ServingStatus_value {
		l.Sample(&rules.ProbeGRPCHealth, truth(status == g.serving), status)
	}
}
