package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// headStart is how long one address may stay silent before the next is tried
// beside it (RFC 8305, "Connection Attempt Delay"). blackbox_exporter tries one
// address only, and calls a shop down whose IPv6 is broken while every browser
// reaches it over IPv4.
const headStart = 250 * time.Millisecond

// connect opens a fresh connection to host:port for a hop, over TLS if secure
// is not nil. Its errors are problems with reason dns, connect, tls,
// certificate, timeout or vantage.
func (l *Look) connect(ctx context.Context, h *hop, address string, secure *tls.Config) (net.Conn, error) {
	return l.connectBy(ctx, h, address, route{}, secure)
}

// connectBy is connect by a route that the module prescribes.
func (l *Look) connectBy(ctx context.Context, h *hop, address string, by route, secure *tls.Config) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, Problem(rules.ReasonOther, "target has no host and port")
	}
	dial, err := by.dial(l.prober.dial)
	if err != nil {
		return nil, err
	}
	if h.addresses == nil {
		if err := l.lookup(ctx, h, host, by); err != nil {
			return nil, err
		}
	}
	conn, winner, err := race(ctx, l.guarded(dial), h.addresses, port)
	if err != nil {
		return nil, l.Blame(ctx, err, rules.ReasonConnect, err.Error())
	}
	// A context that ends closes the connection; the deadline is the second belt.
	if !l.keep(ctx, conn) {
		return nil, l.Blame(ctx, net.ErrClosed, rules.ReasonConnect, "the look is over")
	}
	l.mu.Lock()
	h.address = winner
	l.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	l.mark(&h.connected, h, "waiting for the answer")
	if secure == nil {
		return conn, nil
	}
	session, err := l.handshake(ctx, h, conn, secure)
	if err != nil {
		return nil, err
	}
	return session, nil
}

// lookup resolves the host of a hop and notes its addresses, those that the
// route allows. Its errors are problems.
func (l *Look) lookup(ctx context.Context, h *hop, host string, by route) error {
	addresses, err := l.resolve(ctx, host)
	if err == nil {
		addresses, err = by.among(host, addresses)
	}
	if err != nil {
		l.mark(&h.resolved, h, h.phase) // how long it took to come to nothing
		return l.Blame(ctx, err, rules.ReasonDNS, err.Error())
	}
	l.mark(&h.resolved, h, "connecting")
	l.mu.Lock()
	defer l.mu.Unlock()
	h.addresses, h.address = addresses, addresses[0]
	return nil
}

// resolve gives the addresses of a host, at least one; a literal is its own address.
func (l *Look) resolve(ctx context.Context, host string) ([]net.IPAddr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []net.IPAddr{{IP: literal.WithZone("").AsSlice(), Zone: literal.Zone()}}, nil
	}
	addresses, err := l.prober.resolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return alternate(addresses), nil
}

// alternate mixes the two families, the first address's family first, so that
// a family that is broken as a whole costs one head start and not one an address.
func alternate(addresses []net.IPAddr) []net.IPAddr {
	var first, second []net.IPAddr
	for _, address := range addresses {
		if protocol(address) == protocol(addresses[0]) {
			first = append(first, address)
		} else {
			second = append(second, address)
		}
	}
	var mixed []net.IPAddr
	for i := 0; i < max(len(first), len(second)); i++ {
		if i < len(first) {
			mixed = append(mixed, first[i])
		}
		if i < len(second) {
			mixed = append(mixed, second[i])
		}
	}
	return mixed[:min(len(mixed), maxAddresses)]
}

func protocol(address net.IPAddr) int {
	if address.IP.To4() != nil {
		return 4
	}
	return 6
}

// race dials the addresses one head start after the other and gives the first
// connection; all others are closed. Its error is that of the first address
// that failed.
func race(ctx context.Context, dial dialer, addresses []net.IPAddr, port string) (net.Conn, net.IPAddr, error) {
	if len(addresses) == 1 {
		conn, err := dial(ctx, "tcp", net.JoinHostPort(addresses[0].String(), port))
		return conn, addresses[0], err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn    net.Conn
		address net.IPAddr
		err     error
	}
	outcomes := make(chan outcome)
	attempt := func(address net.IPAddr) {
		conn, err := dial(ctx, "tcp", net.JoinHostPort(address.String(), port))
		select {
		case outcomes <- outcome{conn, address, err}:
		case <-ctx.Done(): // lost the race, or nobody waits any more
			if conn != nil {
				conn.Close()
			}
		}
	}

	var firstErr error
	timer := time.NewTimer(headStart)
	defer timer.Stop()
	for next, running := 0, 0; ; {
		if next < len(addresses) {
			go attempt(addresses[next])
			next, running = next+1, running+1
			timer.Reset(headStart)
		}
	waiting:
		for {
			select {
			case o := <-outcomes:
				if o.err == nil {
					return o.conn, o.address, nil
				}
				running--
				if firstErr == nil {
					firstErr = o.err
				}
				if next < len(addresses) {
					break waiting
				}
				if running == 0 {
					return nil, net.IPAddr{}, firstErr
				}
			case <-timer.C:
				if next < len(addresses) {
					break waiting
				}
			case <-ctx.Done():
				return nil, net.IPAddr{}, ctx.Err()
			}
		}
	}
}

// Connect opens a fresh connection to host:port, over TLS if secure is not nil;
// it is closed with the look. Its errors are problems with reason dns, connect,
// tls, certificate, timeout or vantage.
func (l *Look) Connect(ctx context.Context, address string, secure *tls.Config) (net.Conn, error) {
	return l.connect(ctx, l.begin(), address, secure)
}

// TLSConfig makes the configuration of one connection to the host of what its
// module says. Its error names the file that can't be read.
func (l *Look) TLSConfig(host string, options config.TLSConfig, protocols ...string) (*tls.Config, error) {
	secure, err := l.prober.trust.tlsConfig(options)
	if err != nil {
		return nil, Problem(rules.ReasonOther, err.Error())
	}
	if secure.ServerName == "" {
		secure.ServerName = host
	}
	if secure.RootCAs == nil {
		secure.RootCAs = l.prober.roots
	}
	secure.NextProtos = protocols
	return secure, nil
}

// certificateSamples tells of the certificates of a TLS connection. The chain
// that we verified is absent where verification was off or failed.
func certificateSamples(state *tls.ConnectionState) []exporter.Sample {
	var samples []exporter.Sample
	if len(state.PeerCertificates) > 0 {
		samples = append(samples,
			exporter.Sample{Metric: &rules.ProbeSSLExpiry, Value: float64(earliestEnd(state.PeerCertificates).Unix())},
			leafSample(state.PeerCertificates[0]),
		)
	}
	if end := lastChainEnd(state); !end.IsZero() {
		samples = append(samples, exporter.Sample{Metric: &rules.ProbeSSLChain, Value: float64(end.Unix())})
	}
	if state.Version != 0 {
		samples = append(samples, exporter.Sample{
			Metric: &rules.ProbeTLSVersion, Labels: []string{tls.VersionName(state.Version)}, Value: 1,
		})
	}
	return samples
}

// earliestEnd is when the first of the certificates expires, zero where there are none.
func earliestEnd(certificates []*x509.Certificate) time.Time {
	var earliest time.Time
	for _, certificate := range certificates {
		if earliest.IsZero() || certificate.NotAfter.Before(earliest) {
			earliest = certificate.NotAfter
		}
	}
	return earliest
}

// lastChainEnd is when the longest-lived of the chains that we verified
// expires, zero where verification was off or failed.
func lastChainEnd(state *tls.ConnectionState) time.Time {
	var longest time.Time
	for _, chain := range state.VerifiedChains {
		if end := earliestEnd(chain); end.After(longest) {
			longest = end
		}
	}
	return longest
}
