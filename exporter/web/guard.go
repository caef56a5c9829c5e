package web

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Guard says what /probe may look at. It holds the entries of
// exporter.probe.targets, each of them a host, a host:port, *.domain (and not
// the domain itself), an address or a network such as 10.0.0.0/8 or
// 10.0.0.0/8:3306 (of IPv6: [fd00::/8]:3306).
//
// An entry does two things. A target that it names may be looked at without
// the token. And an address that it holds may be dialled though it is private.
// Only entries with addresses do the latter: what a name resolves to is decided
// by whoever runs its DNS, so a name never opens a private address. To look at
// db.internal, list the name and its address.
type Guard struct {
	names    []nameEntry
	networks []networkEntry
}

type nameEntry struct {
	name  string // lower case; of a domain with its leading dot
	below bool   // *.domain
	port  string // "": any
}

type networkEntry struct {
	prefix netip.Prefix
	port   uint16 // 0: any
}

// NewGuard reads entries; its error names the one that is wrong.
func NewGuard(entries []string) (*Guard, error) {
	g := &Guard{}
	for _, entry := range entries {
		if !g.add(entry) {
			return nil, fmt.Errorf("probe target %q: want host, *.domain, address or network, with or without a port", entry)
		}
	}
	return g, nil
}

func (g *Guard) add(entry string) bool {
	host, port := entry, ""
	if strings.HasPrefix(entry, "[") || strings.Count(entry, ":") == 1 {
		var err error
		if host, port, err = net.SplitHostPort(entry); err != nil {
			return false
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return false
		}
	}
	if prefix, ok := parseNetwork(host); ok {
		number, _ := strconv.ParseUint(port, 10, 16) // checked above, or ""
		g.networks = append(g.networks, networkEntry{prefix, uint16(number)})
		return true
	}
	name, below := strings.CutPrefix(host, "*")
	if below != strings.HasPrefix(name, ".") || !isName(strings.TrimPrefix(name, ".")) {
		return false
	}
	g.names = append(g.names, nameEntry{canonical(name), below, port})
	return true
}

// parseNetwork reads an address or a network; an address is a network of one.
func parseNetwork(text string) (netip.Prefix, bool) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return prefix.Masked(), true
}

// isName reports whether a text is a host's name and no mistyped address.
func isName(text string) bool {
	text = strings.TrimSuffix(text, ".")
	if text == "" || len(text) > 253 {
		return false
	}
	labels := strings.Split(text, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsAny(label, " \t\r\n/:@*?#%[]\\\"") {
			return false
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != "" // 10.0.0 and 10.0.0.256 are no names
}

// canonical is how names are compared: as they stand on the wire. Lower case
// alone would take the Kelvin sign for a k, and its name is another one.
func canonical(name string) string {
	if wired, err := httpguts.PunycodeHostPort(name); err == nil {
		name = wired
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// lists reports whether an entry names the host and port of a target. A port of
// "" is unknown: then only entries without one do.
func (g *Guard) lists(host, port string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap().WithZone("")
		number, _ := strconv.ParseUint(port, 10, 16)
		return slices.ContainsFunc(g.networks, func(e networkEntry) bool { return e.holds(address, uint16(number)) })
	}
	host = canonical(host)
	return slices.ContainsFunc(g.names, func(e nameEntry) bool {
		if e.port != "" && e.port != port {
			return false
		}
		if e.below {
			return strings.HasSuffix(host, e.name) && len(host) > len(e.name)
		}
		return host == e.name
	})
}

func (e networkEntry) holds(address netip.Addr, port uint16) bool {
	return e.prefix.Contains(address) && (e.port == 0 || e.port == port)
}

// Check says whether a look of /probe may dial an address; its error is fit
// for the look's detail. A prober must ask it of each address after the name
// was resolved, on every redirect.
func (g *Guard) Check(where netip.AddrPort) error {
	address := where.Addr().Unmap().WithZone("") // a network holds no address with a zone
	if slices.ContainsFunc(g.networks, func(e networkEntry) bool { return e.holds(address, where.Port()) }) {
		return nil
	}
	if why := private(address); why != "" {
		return fmt.Errorf("%s is %s, which is not probed unless exporter.probe.targets lists the address", address, why)
	}
	return nil
}
