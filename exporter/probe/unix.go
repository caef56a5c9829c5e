package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"

	"github.com/prometheus/common/config"

	"shopwatch/rules"
)

// lookUnix connects to a Unix socket, and makes a TLS session on it if the
// module asks for one, and holds the module's dialogue. A path is no address
// that a guard could judge, so with a guard none is opened.
func lookUnix(ctx context.Context, l *Look) error {
	if l.prober.guard != nil {
		return Problem(rules.ReasonOther, "a Unix socket can't be looked at on others' behalf")
	}
	module := &l.module.Blackbox.Unix
	secure := func() (*tls.Config, error) { // a socket has no name that a certificate could have
		made, err := config.NewTLSConfig(&module.TLSConfig)
		if err != nil {
			return nil, Problem(rules.ReasonOther, err.Error())
		}
		if made.RootCAs == nil {
			made.RootCAs = l.prober.roots
		}
		return made, nil
	}
	conn, err := l.connectUnix(ctx)
	if err == nil {
		defer conn.Close()
	}
	if err == nil && module.TLS {
		conn, err = l.secureBy(ctx, conn, secure)
	}
	if err == nil {
		err = l.converse(ctx, conn, module.QueryResponse, secure)
	}
	l.sampleSecurity(err, true)
	l.sumPhases()
	return err
}

// connectUnix opens the target as a Unix socket; its errors are problems.
func (l *Look) connectUnix(ctx context.Context) (net.Conn, error) {
	h := l.begin()
	l.mark(&h.resolved, h, "connecting")
	conn, err := new(net.Dialer).DialContext(ctx, "unix", l.target)
	switch {
	case errors.Is(err, os.ErrPermission): // says nothing about who listens there
		return nil, Problem(rules.ReasonVantage, "we may not use the socket "+l.target)
	case err != nil:
		return nil, l.Blame(ctx, err, rules.ReasonConnect, err.Error())
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	l.mark(&h.connected, h, "waiting for the answer")
	return conn, nil
}
