package config

import (
	"cmp"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"
	blackbox "github.com/prometheus/blackbox_exporter/config"
	promconfig "github.com/prometheus/common/config"
	"golang.org/x/net/http/httpguts"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// weight is what a doubt about a module means.
type weight int

const (
	// never: no look with the module can succeed, as blackbox_exporter finds when it looks.
	never weight = iota
	// odd: it works, but not as it is written.
	odd
	// absent: a file isn't there now.
	absent
)

// doubt is something that blackbox_exporter takes when it starts, and its owner
// should hear of before a look fails.
type doubt struct {
	weight weight
	path   string
	got    any
	want   string
}

// kinds are the probers of blackbox_exporter.
var kinds = []exporter.Kind{
	exporter.KindHTTP, exporter.KindTCP, exporter.KindICMP, exporter.KindDNS, exporter.KindGRPC, exporter.KindUnix,
}

// unborn is a prober that never was: it stands in blackbox_exporter's own
// example of a good file.
const unborn = "grpc_probe"

// doubter collects doubts about the module at a path.
type doubter struct {
	path  string
	found []doubt
}

func (d *doubter) add(weight weight, field string, got any, want string) {
	d.found = append(d.found, doubt{weight, d.path + "." + field, got, want})
}

// doubts gives what is doubtful about a module; its paths begin with path.
func doubts(path string, module *blackbox.Module) []doubt {
	d := &doubter{path: path}
	if module.Timeout < 0 {
		d.add(odd, "timeout", module.Timeout, "a duration of more than 0, or none; this one counts as none")
	}
	switch kind := exporter.Kind(module.Prober); {
	case module.Prober == unborn:
		d.add(odd, "prober", module.Prober, "grpc; nothing can be looked at with "+unborn)
	case !slices.Contains(kinds, kind):
		d.add(never, "prober", module.Prober, "one of "+joined(kinds))
		return d.found
	default:
		d.block(kind, module)
	}
	eachFile(path+"."+module.Prober, blockOf(module), func(at string, file *string) {
		if why := trouble(*file); why != "" {
			d.found = append(d.found, doubt{absent, at, configfile.Phrase(*file + " (" + why + ")"), "a readable file"})
		}
	})
	return d.found
}

// blockOf is the options of the module's prober.
func blockOf(module *blackbox.Module) reflect.Value {
	switch exporter.Kind(module.Prober) {
	case exporter.KindHTTP:
		return reflect.ValueOf(&module.HTTP)
	case exporter.KindTCP:
		return reflect.ValueOf(&module.TCP)
	case exporter.KindICMP:
		return reflect.ValueOf(&module.ICMP)
	case exporter.KindDNS:
		return reflect.ValueOf(&module.DNS)
	case exporter.KindUnix:
		return reflect.ValueOf(&module.Unix)
	}
	return reflect.ValueOf(&module.GRPC)
}

func (d *doubter) block(kind exporter.Kind, module *blackbox.Module) {
	switch kind {
	case exporter.KindHTTP:
		d.http(&module.HTTP)
	case exporter.KindTCP:
		d.protocol("tcp", module.TCP.IPProtocol)
		d.source("tcp", module.TCP.SourceIPAddress)
		d.tls("tcp.tls_config", &module.TCP.TLSConfig)
	case exporter.KindUnix:
		d.tls("unix.tls_config", &module.Unix.TLSConfig)
	case exporter.KindGRPC:
		d.protocol("grpc", module.GRPC.PreferredIPProtocol)
		d.tls("grpc.tls_config", &module.GRPC.TLSConfig)
	case exporter.KindICMP:
		d.protocol("icmp", module.ICMP.IPProtocol)
		d.source("icmp", module.ICMP.SourceIPAddress)
		if size := module.ICMP.PayloadSize; size < 0 || size > mostPayload {
			d.add(never, "icmp.payload_size", size, "0–65507")
		}
	case exporter.KindDNS:
		d.dns(&module.DNS)
	}
}

// mostPayload is what an IPv4 packet carries besides its header and ICMP's.
const mostPayload = 65535 - 20 - 8

func (d *doubter) protocol(block, protocol string) {
	if protocol != "" && protocol != "ip4" && protocol != "ip6" {
		d.add(odd, block+".preferred_ip_protocol", protocol, "ip4 or ip6; anything else counts as ip4")
	}
}

func (d *doubter) source(block, address string) {
	if address != "" && net.ParseIP(address) == nil {
		d.add(never, block+".source_ip_address", address, "an IP address of this machine")
	}
}

func (d *doubter) tls(field string, options *promconfig.TLSConfig) {
	if options.MinVersion != 0 && options.MaxVersion != 0 && options.MaxVersion < options.MinVersion {
		d.add(never, field+".max_version", configfile.Phrase("less than min_version"), "at least min_version")
	}
	for _, by := range []struct{ field, name string }{{"ca_ref", options.CARef}, {"cert_ref", options.CertRef}, {"key_ref", options.KeyRef}} {
		if by.name != "" {
			d.add(never, field+"."+by.field, by.name, "a file or the text itself: there is no secret manager")
		}
	}
}

// compressions are those that blackbox_exporter undoes.
var compressions = []string{"", "br", "deflate", "gzip", "identity"}

func (d *doubter) http(probe *blackbox.HTTPProbe) {
	d.protocol("http", probe.IPProtocol)
	d.tls("http.tls_config", &probe.HTTPClientConfig.TLSConfig)
	if probe.Method != "" && !httpguts.ValidHeaderFieldName(probe.Method) { // both are tokens
		d.add(never, "http.method", probe.Method, "a method such as GET")
	}
	for name, value := range probe.Headers {
		at := configfile.Field("http.headers", name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			d.add(never, at, configfile.Phrase("a name that no header has"), "a name such as Accept-Language")
		case !httpguts.ValidHeaderFieldValue(value):
			d.add(never, at, configfile.Phrase("a value with control characters"), "one line of text")
		}
	}
	if !slices.Contains(compressions, strings.ToLower(probe.Compression)) {
		d.add(never, "http.compression", probe.Compression, "one of "+strings.Join(compressions[1:], ", "))
	}
	if probe.FailIfSSL && probe.FailIfNotSSL {
		d.add(never, "http.fail_if_not_ssl", configfile.Phrase("fail_if_ssl and fail_if_not_ssl both"), "one of the two")
	}
	if proxy := probe.HTTPClientConfig.ProxyURL.URL; proxy != nil {
		if schemes := []string{"http", "https", "socks5", "socks5h"}; !slices.Contains(schemes, proxy.Scheme) || proxy.Host == "" {
			d.add(never, "http.proxy_url", configfile.Phrase("a URL of scheme "+cmp.Or(proxy.Scheme, "nothing")), "one of "+strings.Join(schemes, ", ")+" with a host")
		}
	}
}

func (d *doubter) dns(probe *blackbox.DNSProbe) {
	d.protocol("dns", probe.IPProtocol)
	d.source("dns", probe.SourceIPAddress)
	d.tls("dns.tls_config", &probe.TLSConfig)
	switch transport := probe.TransportProtocol; {
	case transport != "" && transport != "udp" && transport != "tcp":
		d.add(never, "dns.transport_protocol", transport, "udp or tcp")
	case probe.DNSOverTLS && transport != "tcp":
		d.add(never, "dns.dns_over_tls", true, "transport_protocol: tcp with it")
	}
	if probe.QueryName == "" {
		d.add(odd, "dns.query_name", probe.QueryName, "the name to ask for; without one the root is asked for")
	}
	for i, code := range probe.ValidRcodes {
		if _, ok := dns.StringToRcode[code]; !ok {
			d.add(never, configfile.Item("dns.valid_rcodes", i), code, "a code such as NOERROR or NXDOMAIN")
		}
	}
	for _, validator := range []struct {
		name string
		of   blackbox.DNSRRValidator
	}{
		{"validate_answer_rrs", probe.ValidateAnswer},
		{"validate_authority_rrs", probe.ValidateAuthority},
		{"validate_additional_rrs", probe.ValidateAdditional},
	} {
		at := "dns." + validator.name
		d.patterns(at+".fail_if_matches_regexp", validator.of.FailIfMatchesRegexp)
		d.patterns(at+".fail_if_all_match_regexp", validator.of.FailIfAllMatchRegexp)
		d.patterns(at+".fail_if_not_matches_regexp", validator.of.FailIfNotMatchesRegexp)
		d.patterns(at+".fail_if_none_matches_regexp", validator.of.FailIfNoneMatchesRegexp)
	}
}

func (d *doubter) patterns(field string, patterns []string) {
	for i, pattern := range patterns {
		if _, err := regexp.Compile(pattern); err != nil {
			d.add(never, configfile.Item(field, i), pattern, wantPattern(pattern))
		}
	}
}
