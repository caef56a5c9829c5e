package probe

import (
	"context"
	"hash/fnv"
	"net"
	"net/netip"
	"strconv"

	"shopwatch/rules"
)

// dialer opens a connection to an IP and a port.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// route is how a module of blackbox_exporter wants its target reached. Where it
// names no family all addresses take part in the race, which is a deliberate
// departure: blackbox_exporter tries one address only, of IPv6 if there is any,
// and calls a shop down whose IPv6 is broken while every browser reaches it.
// Where it names one, all addresses of that family take part.
type route struct {
	preferred string // ip4, ip6 or ""
	strict    bool   // no other family than the preferred one, which is IPv6 where none is named
	source    string // address of this machine to connect from; "" leaves it to the system
}

// among gives those of a host's addresses, at least one, that the route allows.
func (r route) among(host string, addresses []net.IPAddr) ([]net.IPAddr, error) {
	if r.preferred == "" && !r.strict {
		return addresses, nil
	}
	family := 6
	if r.preferred == "ip4" {
		family = 4
	}
	var fit []net.IPAddr
	for _, address := range addresses {
		if protocol(address) == family {
			fit = append(fit, address)
		}
	}
	switch {
	case len(fit) > 0:
		return fit, nil
	case r.strict:
		return nil, &net.DNSError{Err: "no address of IPv" + strconv.Itoa(family), Name: host, IsNotFound: true}
	}
	return addresses, nil
}

// dial gives the prober's own way to dial, or one from the route's source.
func (r route) dial(otherwise dialer) (dialer, error) {
	if r.source == "" {
		return otherwise, nil
	}
	source := net.ParseIP(r.source)
	if source == nil {
		return nil, Problem(rules.ReasonOther, "source_ip_address is not an address")
	}
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}).DialContext, nil
}

// guarded asks the guard before every address that is dialled.
func (l *Look) guarded(dial dialer) dialer {
	if l.prober.guard == nil {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		if err := l.prober.guard(netip.AddrPortFrom(target.Addr().Unmap(), target.Port())); err != nil {
			return nil, err
		}
		return dial(ctx, network, address)
	}
}

// allow asks the guard about an address that a library is going to dial.
func (l *Look) allow(address net.IPAddr, port uint16) error {
	if l.prober.guard == nil {
		return nil
	}
	ip, ok := netip.AddrFromSlice(address.IP)
	if !ok {
		return Problem(rules.ReasonOther, "the address is none")
	}
	if err := l.prober.guard(netip.AddrPortFrom(ip.Unmap().WithZone(address.Zone), port)); err != nil {
		return Problem(rules.ReasonConnect, err.Error())
	}
	return nil
}

// addressHash is blackbox_exporter's hash of an address: FNV-1a of its bytes.
func addressHash(address net.IPAddr) float64 {
	bytes := address.IP.To4()
	if bytes == nil {
		bytes = address.IP.To16()
	}
	hash := fnv.New32a()
	_, _ = hash.Write(bytes)
	return float64(hash.Sum32())
}
