package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Secure makes a TLS session of a connection on which the far side has agreed
// to one, as STARTTLS and the SSLRequest of databases do. The connection may be
// a wrapper around what [Look.Connect] gave. Its errors are problems with
// reason tls, certificate, timeout or vantage.
func (l *Look) Secure(ctx context.Context, conn net.Conn, secure *tls.Config) (*tls.Conn, error) {
	l.mu.Lock()
	if len(l.hops) == 0 {
		l.hops = append(l.hops, &hop{started: l.prober.now()})
	}
	h := l.hops[len(l.hops)-1]
	h.phase = "in the TLS handshake"
	l.mu.Unlock()
	return l.handshake(ctx, h, conn, secure)
}

// handshake makes a hop's TLS session.
func (l *Look) handshake(ctx context.Context, h *hop, conn net.Conn, secure *tls.Config) (*tls.Conn, error) {
	waiting := l.prober.now()
	if err := l.prober.gate.enter(ctx, false); err != nil {
		// Nothing was asked of the far side: this machine is too busy.
		return nil, Problem(rules.ReasonVantage, "this machine was too busy to begin a TLS handshake")
	}
	l.mark(&h.securing, h, "in the TLS handshake")
	l.idle(h.securing.Sub(waiting))
	gated := &gatedConn{Conn: conn, gate: l.prober.gate, ctx: ctx, near: near(conn)}
	session := tls.Client(gated, secure)
	err := session.HandshakeContext(ctx)
	gated.end()
	if err != nil {
		return nil, l.blameHandshake(ctx, err)
	}
	l.secured(h, session.ConnectionState())
	return session, nil
}

// secured notes a hop's TLS session.
func (l *Look) secured(h *hop, state tls.ConnectionState) {
	l.mark(&h.handshaken, h, "waiting for the answer")
	l.mu.Lock()
	defer l.mu.Unlock()
	h.tls = &state
}

// blameHandshake makes a problem of a TLS handshake that failed.
func (l *Look) blameHandshake(ctx context.Context, err error) error {
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &certificateProblem{
			problem: problem{rules.ReasonCertificate, unverified.Err.Error()},
			state:   tls.ConnectionState{PeerCertificates: unverified.UnverifiedCertificates},
		}
	}
	return l.Blame(ctx, err, rules.ReasonTLS, SafeText(err))
}

// Step says what the look is doing from now on, for the detail of a timeout:
// "not done within 5s, still " and this. It never holds anything secret.
func (l *Look) Step(doing string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.hops) > 0 {
		l.hops[len(l.hops)-1].phase = doing
	}
}

// SampleSession gives the samples of a look over a connection that is not
// HTTP's: name and address, certificates (those that made err too), and the
// duration of each phase, those of [Look.Phase] after the connection's own. A
// kind calls it once, after everything else.
func (l *Look) SampleSession(err error) {
	l.sampleAddress()
	l.SampleCertificates(err)
	l.sumPhases()
	for _, phase := range l.phases {
		l.Sample(&rules.LookPhase, phase.Took.Seconds(), phase.Name)
	}
}

// sumPhases makes the look's phases of those of its connections and, after
// them, those of [Look.Phase]; each once, since a series may be given only once.
func (l *Look) sumPhases() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var phases []exporter.Phase
	took := func(name string, spent time.Duration) {
		for i := range phases {
			if phases[i].Name == name {
				phases[i].Took += spent
				return
			}
		}
		phases = append(phases, exporter.Phase{Name: name, Took: spent})
	}
	part := func(name string, from, to time.Time) {
		if !from.IsZero() && !to.IsZero() {
			took(name, between(from, to))
		}
	}
	for _, h := range l.hops {
		part("resolve", h.started, h.resolved)
		part("connect", h.resolved, h.connected)
		part("tls", h.securing, h.handshaken)
	}
	for _, phase := range l.phases {
		took(phase.Name, phase.Took)
	}
	l.phases = phases
}
