package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"shopwatch/rules"
)

// lookTCP opens a connection to host:port, and a TLS session on it if the
// service asks for one, and sends nothing.
func lookTCP(ctx context.Context, l *Look) error {
	host, _, err := net.SplitHostPort(l.target)
	if err != nil {
		return Problem(rules.ReasonOther, "target is not host:port")
	}
	var secure *tls.Config
	if l.module.Blackbox.TCP.TLS {
		if secure, err = l.TLSConfig(host, l.module.Blackbox.TCP.TLSConfig); err != nil {
			return err
		}
	}
	_, err = l.connect(ctx, l.begin(), l.target, secure)
	l.sampleAddress()
	if err != nil {
		if refused, ok := errors.AsType[*certificateProblem](err); ok {
			l.samples = append(l.samples, certificateSamples(&refused.state)...)
		}
		return err
	}
	if state := l.session(); state != nil {
		l.samples = append(l.samples, certificateSamples(state)...)
	}
	return nil
}
