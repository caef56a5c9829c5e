package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// TLS makes a full TLS handshake with host:port, verifies the chain, and asks
// that it stays valid for as long as the module says. It sends nothing.
func TLS(ctx context.Context, l *probe.Look) error { return looked(ctx, l, "TLS", lookTLS) }

func lookTLS(ctx context.Context, t *talk) error {
	wanted := t.look.Module().TLS
	secure, err := t.secure(&wanted.Config)
	if err != nil {
		return err
	}
	if err := t.connect(ctx, secure, maxTalk); err != nil {
		return err
	}
	session := t.wire.Conn.(*tls.Conn)
	left := validUntil(session.ConnectionState()).Sub(t.look.Now())
	session.Close()
	if left < wanted.TimeLeft {
		return probe.Problem(rules.ReasonCertificate,
			fmt.Sprintf("the certificates are valid for %s more, wanted %s", days(left), days(wanted.TimeLeft)))
	}
	return nil
}

// validUntil is the end of the chain that lasts longest among those that
// verify; where verification is off, of what was presented.
func validUntil(state tls.ConnectionState) time.Time {
	var longest time.Time
	chains := state.VerifiedChains
	if len(chains) == 0 {
		chains = append(chains, state.PeerCertificates)
	}
	for _, chain := range chains {
		var end time.Time
		for _, certificate := range chain {
			if end.IsZero() || certificate.NotAfter.Before(end) {
				end = certificate.NotAfter
			}
		}
		if end.After(longest) {
			longest = end
		}
	}
	return longest
}

// days says a long duration in days, and a short one as it is.
func days(d time.Duration) string {
	if d.Abs() < 48*time.Hour {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// errNoTLS is a server that has no TLS where the module wants it.
var errNoTLS = probe.Problem(rules.ReasonTLS, "the server offers no TLS")
