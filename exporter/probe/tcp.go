package probe

import (
	"context"
	"crypto/tls"
	"net"

	"shopwatch/rules"
)

// lookTCP opens a connection to host:port, and a TLS session on it if the
// module asks for one, and holds the module's dialogue.
func lookTCP(ctx context.Context, l *Look) error {
	host, _, err := net.SplitHostPort(l.target)
	if err != nil {
		return Problem(rules.ReasonOther, "target is not host:port")
	}
	module := &l.module.Blackbox.TCP
	secure := func() (*tls.Config, error) { return l.TLSConfig(host, module.TLSConfig) }
	by := route{preferred: module.IPProtocol, strict: !module.IPProtocolFallback, source: module.SourceIPAddress}
	conn, err := l.connectBy(ctx, l.begin(), l.target, by, nil)
	if err == nil && module.TLS {
		conn, err = l.secureBy(ctx, conn, secure)
	}
	if err == nil {
		err = l.converse(ctx, conn, module.QueryResponse, secure)
	}
	l.sampleAddress()
	l.sampleSecurity(err, true)
	l.sumPhases()
	return err
}

// secureBy makes a TLS session of a connection, by a configuration that may be
// impossible to make.
func (l *Look) secureBy(ctx context.Context, conn net.Conn, secure func() (*tls.Config, error)) (net.Conn, error) {
	config, err := secure()
	if err != nil {
		return nil, err
	}
	session, err := l.Secure(ctx, conn, config)
	if err != nil {
		return nil, err
	}
	return session, nil
}

// sampleSecurity tells of the look's TLS session as blackbox_exporter's tcp,
// unix and grpc probers do, the latter without the chain; and, what they don't,
// of the certificates that err says we refused, since their expiry matters most
// just then. A chain that nobody verified ends at the zero time, as theirs does.
func (l *Look) sampleSecurity(err error, chain bool) {
	state := l.session()
	if state == nil {
		l.SampleCertificates(err)
		return
	}
	for _, sample := range certificateSamples(state) {
		if sample.Metric != &rules.ProbeSSLChain {
			l.samples = append(l.samples, sample)
		}
	}
	if chain {
		l.Sample(&rules.ProbeSSLChain, float64(lastChainEnd(state).Unix()))
	}
}
