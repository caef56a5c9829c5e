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
func (l *look) lookTCP(ctx context.Context) error {
	host, _, err := net.SplitHostPort(l.service.Target)
	if err != nil {
		return &problem{rules.ReasonOther, "target is not host:port"}
	}
	var secure *tls.Config
	if l.service.TCP.TLS {
		secure = l.tlsConfig(host)
	}
	_, err = l.connect(ctx, l.begin(), l.service.Target, secure)
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
