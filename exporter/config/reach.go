package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"shopwatch/internal/configfile"
)

// defaultAnchors are public name servers of four operators, two of them reached
// well from China: if none answers, it is our own connection that is lost.
var defaultAnchors = []string{"223.5.5.5:53", "119.29.29.29:53", "1.1.1.1:53", "8.8.8.8:53"}

const (
	mostAnchors      = 20
	mostProbeTargets = 10_000
)

// anchors checks what tells whether our own connection is there.
func (b builder) anchors(anchors []string) []string {
	path := configfile.Field(Section, "anchors")
	if len(anchors) > mostAnchors {
		b.problems.Add(path, configfile.Phrase(fmt.Sprintf("%d anchors", len(anchors))), fmt.Sprintf("at most %d", mostAnchors))
	}
	for i, anchor := range anchors {
		at := configfile.Item(path, i)
		switch first := slices.Index(anchors, anchor); {
		case !isAddress(anchor):
			b.problems.Add(at, anchor, "host:port such as 223.5.5.5:53")
		case isNear(hostOf(anchor)):
			b.problems.Add(at, anchor, "a host beyond our own network: it tells whether the world is reached")
		case first < i:
			b.problems.Add(at, configfile.Phrase("an anchor a second time"), "each once")
		}
	}
	return anchors
}

// Probe says who may have /probe look at what. Nobody may where it is empty.
type Probe struct {
	// Targets are those that whoever reaches /probe may ask for, on any port
	// unless a port follows:
	//
	//	shop.example.com      the host            shop.example.com:443
	//	*.example.com         every host below    *.example.com:443
	//	203.0.113.7           the address         203.0.113.7:443, [2001:db8::1]:443
	//	203.0.113.0/24        the network         203.0.113.0/24:443, [2001:db8::/32]:443
	Targets []string
	// Token lets who has it ask for every target. It is secret.
	Token string
}

func (b builder) probe(fields probeFields) Probe {
	path := configfile.Field(Section, "probe")
	at := configfile.Field(path, "targets")
	if len(fields.Targets) > mostProbeTargets {
		b.problems.Add(at, configfile.Phrase(fmt.Sprintf("%d targets", len(fields.Targets))), fmt.Sprintf("at most %d", mostProbeTargets))
		return Probe{}
	}
	seen := make(map[string]bool, len(fields.Targets))
	for i, target := range fields.Targets {
		where := configfile.Item(at, i)
		switch {
		case userinfo.MatchString(target):
			b.problems.Add(where, configfile.Phrase("a URL with a user name or password"), "one without: they belong into a module")
		case !isAllowed(target):
			b.problems.Add(where, target, "a host, *.domain, address or network such as 203.0.113.0/24, with or without :port")
		case seen[target]:
			b.problems.Add(where, configfile.Phrase("a target a second time"), "each once")
		}
		seen[target] = true
	}
	if token := fields.Token.Reveal(); token != "" && len(token) < leastToken {
		b.add(path, "token", fields.Token, fmt.Sprintf("at least %d characters", leastToken))
	}
	return Probe{Targets: fields.Targets, Token: fields.Token.Reveal()}
}

// isAllowed reports whether an entry of the allow-list has one of its forms.
func isAllowed(entry string) bool {
	host := entry
	if strings.HasPrefix(entry, "[") || strings.Count(entry, ":") == 1 {
		var port string
		var err error
		if host, port, err = net.SplitHostPort(entry); err != nil || !portForm(port) || port[0] == '0' {
			return false
		}
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == ""
	}
	if strings.Contains(host, "/") {
		prefix, err := netip.ParsePrefix(host)
		return err == nil && prefix == prefix.Masked() && !prefix.Addr().Is4In6()
	}
	name := strings.TrimSuffix(strings.TrimPrefix(host, "*."), ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	return isHost(name) && !strings.Contains(name, "..") && strings.Trim(last, "0123456789") != "" // 10.0.0.256 is no name
}

// defaultCollectors are those whose metrics the rules and boards use.
var defaultCollectors = []string{"cpu", "meminfo", "filesystem", "loadavg", "diskstats", "netdev"}

// collectors are those of node_exporter that read /proc and /sys alone: no
// D-Bus, no sockets, no commands, no root.
var collectors = []string{
	"conntrack", "cpu", "cpufreq", "diskstats", "edac", "entropy", "filefd", "filesystem", "hwmon", "loadavg", "mdadm", "meminfo",
	"netclass", "netdev", "netstat", "nvme", "os", "pressure", "processes", "schedstat", "sockstat", "softnet", "stat",
	"thermal_zone", "time", "timex", "udp_queues", "uname", "vmstat",
}

// Host says how this machine itself is measured.
type Host struct {
	Root       string   // where its file system is mounted, for a shopwatch in a container; "" is /
	Collectors []string // node_exporter's; empty: it is not measured
}

func (b builder) host(fields hostFields) Host {
	host := configfile.Field(Section, "host")
	if fields.Root != "" && !filepath.IsAbs(fields.Root) {
		b.add(host, "root", fields.Root, "an absolute path such as /host")
	}
	path := configfile.Field(host, "collectors")
	for i, collector := range fields.Collectors {
		switch first := slices.Index(fields.Collectors, collector); {
		case !slices.Contains(collectors, collector):
			b.problems.Add(configfile.Item(path, i), collector, configfile.OneOf(collector, collectors))
		case first < i:
			b.problems.Add(configfile.Item(path, i), configfile.Phrase("a collector a second time"), "each once")
		}
	}
	return Host(fields)
}
