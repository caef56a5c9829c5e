package web

import (
	"encoding/binary"
	"net/netip"
)

// special are networks that no public service is in, and what they are. The
// list follows IANA's special-purpose address registries (RFC 6890), with the
// metadata addresses of clouds that lie elsewhere.
var special = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("169.254.169.254/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("100.100.100.200/32"), "a cloud's metadata address"}, // Alibaba Cloud
	{netip.MustParsePrefix("168.63.129.16/32"), "a cloud's metadata address"},   // Azure, though public by number
	{netip.MustParsePrefix("192.0.0.192/32"), "a cloud's metadata address"},     // Oracle
	{netip.MustParsePrefix("fd00:ec2::254/128"), "a cloud's metadata address"},  // AWS
	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified address"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "an address inside a carrier's network"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"},
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "a reserved address"},
	{netip.MustParsePrefix("192.0.2.0/24"), "a documentation address"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a relay's address"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "a benchmark address"},
	{netip.MustParsePrefix("198.51.100.0/24"), "a documentation address"},
	{netip.MustParsePrefix("203.0.113.0/24"), "a documentation address"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"}, // broadcast too
	{netip.MustParsePrefix("::/128"), "an unspecified address"},
	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("fc00::/7"), "a private address"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
	{netip.MustParsePrefix("2001:db8::/32"), "a documentation address"},
	{netip.MustParsePrefix("3fff::/20"), "a documentation address"},
	{netip.MustParsePrefix("2001::/32"), "a tunnel's address"},   // Teredo: holds two of IPv4, one of them masked
	{netip.MustParsePrefix("2001::/23"), "a reserved address"},   // benchmarks, ORCHID
	{netip.MustParsePrefix("2002::/16"), "a tunnel's address"},   // 6to4: holds one of IPv4; gone since RFC 7526
	{netip.MustParsePrefix("5f00::/16"), "a reserved address"},   // segment routing
	{netip.MustParsePrefix("64:ff9b:1::/48"), "a local address"}, // NAT64 inside a network (RFC 8215)
}

var (
	// global is where IPv6 has public addresses.
	global = netip.MustParsePrefix("2000::/3")
	// translated is NAT64 (RFC 6052): the last 32 bits are an address of IPv4.
	translated = netip.MustParsePrefix("64:ff9b::/96")
)

// private says what an address is that isn't public, "" of one that is.
func private(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if !address.IsValid() {
		return "no address"
	}
	for _, network := range special {
		if network.prefix.Contains(address) {
			return network.what
		}
	}
	if address.Is4() {
		return ""
	}
	bytes := address.As16()
	if translated.Contains(address) {
		return private(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	if !global.Contains(address) { // IPv4-compatible and translated forms, site-local, discard, not yet given out
		return "a reserved address"
	}
	// ISATAP (RFC 5214): the interface is ::[02]00:5efe: and an address of IPv4.
	if id := binary.BigEndian.Uint32(bytes[8:12]); id&^0x02000000 == 0x00005efe {
		return "a tunnel's address"
	}
	return ""
}
