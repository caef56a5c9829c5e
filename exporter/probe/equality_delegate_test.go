package probe_test

import (
	"context"
	"crypto/tls"
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	targets "shopwatch/exporter/probe/farm"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// nameServer serves the zone shop.example. over UDP, TCP or TLS, and gives its address.
func nameServer(t testing.TB, network string, config *tls.Config) string {
	t.Helper()
	server := &dns.Server{Handler: dns.HandlerFunc(func(w dns.ResponseWriter, asked *dns.Msg) {
		answer := new(dns.Msg).SetReply(asked)
		question := asked.Question[0]
		record := func(text string) dns.RR {
			made, err := dns.NewRR(text)
			if err != nil {
				t.Error(err)
			}
			return made
		}
		switch {
		case question.Name == "gone.example.":
			answer.Rcode = dns.RcodeNameError
		case question.Name == "silent.example.":
			return
		case question.Qtype == dns.TypeSOA:
			answer.Answer = append(answer.Answer, record("shop.example. 60 IN SOA ns.example. me.example. 2026112201 1 2 3 4"))
		case question.Qtype == dns.TypeA:
			answer.Answer = append(answer.Answer, record("shop.example. 60 IN A 192.0.2.1"), record("shop.example. 60 IN A 192.0.2.2"))
			answer.Ns = append(answer.Ns, record("shop.example. 60 IN NS ns.example."))
			answer.Extra = append(answer.Extra, record("ns.example. 60 IN A 192.0.2.9"))
		}
		_ = w.WriteMsg(answer)
	})}
	var address string
	if network == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server.PacketConn, address = conn, conn.LocalAddr().String()
	} else {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = listener.Addr().String()
		if config != nil {
			listener = tls.NewListener(listener, config)
		}
		server.Listener = listener
	}
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() { _ = server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = server.Shutdown() })
	return address
}

func TestDNSLooksAreBlackboxExporters(t *testing.T) {
	t.Parallel()
	g := newGrounds(t)
	udp, tcp := nameServer(t, "udp", nil), nameServer(t, "tcp", nil)
	secure := nameServer(t, "tcp", &tls.Config{Certificates: g.ServerTLS().Certificates})
	const short = 300 * time.Millisecond

	for name, c := range map[string]twin{
		"udp":               {module: `{prober: dns, dns: {query_name: shop.example, query_type: A}}`, target: udp},
		"tcp":               {module: `{prober: dns, dns: {query_name: shop.example, query_type: A, transport_protocol: tcp}}`, target: tcp},
		"TLS":               {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp, dns_over_tls: true, tls_config: {ca_file: CA}}}`, target: secure},
		"TLS by a name":     {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp, dns_over_tls: true, preferred_ip_protocol: ip4, tls_config: {ca_file: CA}}}`, target: strings.Replace(secure, "127.0.0.1", "localhost", 1)},
		"TLS of a stranger": {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp, dns_over_tls: true}}`, target: secure, reason: rules.ReasonCertificate},
		"TLS that is none":  {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp, dns_over_tls: true, tls_config: {ca_file: CA}}}`, target: g.at(t, targets.PlainTLS), reason: rules.ReasonTLS},
		"serial":            {module: `{prober: dns, dns: {query_name: shop.example, query_type: SOA}}`, target: udp},
		"no such domain":    {module: `{prober: dns, dns: {query_name: gone.example, query_type: A}}`, target: udp, reason: rules.ReasonStatus},
		"none is good":      {module: `{prober: dns, dns: {query_name: gone.example, query_type: A, valid_rcodes: [NXDOMAIN]}}`, target: udp},
		"records match":     {module: `{prober: dns, dns: {query_name: shop.example, query_type: A, validate_answer_rrs: {fail_if_not_matches_regexp: ["192[.]0[.]2"]}, validate_authority_rrs: {fail_if_none_matches_regexp: ["ns"]}}}`, target: udp},
		"a record is bad":   {module: `{prober: dns, dns: {query_name: shop.example, query_type: A, validate_answer_rrs: {fail_if_matches_regexp: ["192[.]0[.]2[.]2"]}}}`, target: udp, reason: rules.ReasonBody},
		"a record misfits":  {module: `{prober: dns, dns: {query_name: shop.example, query_type: A, validate_additional_rrs: {fail_if_not_matches_regexp: ["10[.]0"]}}}`, target: udp, reason: rules.ReasonBody},
		"all records match": {module: `{prober: dns, dns: {query_name: shop.example, query_type: A, validate_answer_rrs: {fail_if_all_match_regexp: ["[.]2[.]1"]}}}`, target: udp, reason: rules.ReasonBody},
		"no record matches": {module: `{prober: dns, dns: {query_name: shop.example, query_type: A, validate_answer_rrs: {fail_if_none_matches_regexp: ["10[.]0"]}}}`, target: udp, reason: rules.ReasonBody},
		"no record":         {module: `{prober: dns, dns: {query_name: shop.example, query_type: TXT, validate_answer_rrs: {fail_if_none_matches_regexp: ["x"]}}}`, target: udp, reason: rules.ReasonBody},
		"silent":            {module: `{prober: dns, dns: {query_name: silent.example}}`, target: udp, within: short, reason: rules.ReasonTimeout},
		"nobody there":      {module: `{prober: dns, dns: {query_name: shop.example}}`, target: servertest.FreeAddress(t), reason: rules.ReasonConnect},
		"refused":           {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp}}`, target: g.at(t, targets.Refuse), reason: rules.ReasonConnect},
		"hangs":             {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp}}`, target: g.at(t, targets.Silent), within: short, reason: rules.ReasonTimeout},
		"floods":            {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp}}`, target: g.at(t, targets.Flood), reason: rules.ReasonQuery},
		"drips":             {module: `{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp}}`, target: g.at(t, targets.Drip), within: short, reason: rules.ReasonTimeout},
		"no such name":      {module: `{prober: dns, dns: {query_name: shop.example}}`, target: "no..such", reason: rules.ReasonDNS},
		"no such family":    {module: `{prober: dns, dns: {query_name: shop.example, preferred_ip_protocol: ip6, ip_protocol_fallback: false}}`, target: udp, reason: rules.ReasonDNS},
		"the family":        {module: `{prober: dns, dns: {query_name: shop.example, preferred_ip_protocol: ip4}}`, target: udp},
		"source":            {module: `{prober: dns, dns: {query_name: shop.example, source_ip_address: 127.0.0.1}}`, target: udp},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.module = strings.ReplaceAll(c.module, "ca_file: CA", "ca_file: "+g.ca)
			sameAsBlackbox(t, c)
		})
	}
}

// healthServer answers for the service "shop", and "closed" which is down; it
// wants the metadata key=secret where asked about "guarded".
func healthServer(t testing.TB, config *tls.Config, withHealth bool) string {
	t.Helper()
	options := []grpc.ServerOption{grpc.UnaryInterceptor(func(ctx context.Context, asked any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		request, ok := asked.(*grpc_health_v1.HealthCheckRequest)
		sent, _ := metadata.FromIncomingContext(ctx)
		switch {
		case ok && request.Service == "guarded" && !slices.Equal(sent.Get("key"), []string{"secret"}):
			return nil, status.Error(codes.Unauthenticated, "the far side's own words")
		case ok && request.Service == "hanging":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return next(ctx, asked)
	})}
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server := grpc.NewServer(options...)
	if withHealth {
		states := health.NewServer()
		states.SetServingStatus("shop", grpc_health_v1.HealthCheckResponse_SERVING)
		states.SetServingStatus("guarded", grpc_health_v1.HealthCheckResponse_SERVING)
		states.SetServingStatus("closed", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		grpc_health_v1.RegisterHealthServer(server, states)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() { server.Stop(); <-done })
	return listener.Addr().String()
}

func TestGRPCLooksAreBlackboxExporters(t *testing.T) {
	t.Parallel()
	g := newGrounds(t)
	plain, bare := healthServer(t, nil, true), healthServer(t, nil, false)
	secure := healthServer(t, &tls.Config{Certificates: g.ServerTLS().Certificates}, true)
	ends := []string{"probe_ssl_earliest_cert_expiry", "probe_ssl_last_chain_info"} // of a certificate that we refused
	for name, c := range map[string]twin{
		"serving":            {module: `{prober: grpc, grpc: {service: shop}}`, target: plain},
		"as a URL":           {module: `{prober: grpc, grpc: {service: shop}}`, target: "http://" + plain + "/x"},
		"the server":         {module: `{prober: grpc, grpc: {service: ""}}`, target: plain},
		"not serving":        {module: `{prober: grpc, grpc: {service: closed}}`, target: plain, reason: rules.ReasonStatus},
		"unknown service":    {module: `{prober: grpc, grpc: {service: nothing}}`, target: plain, reason: rules.ReasonStatus},
		"no health":          {module: `{prober: grpc, grpc: {service: ""}}`, target: bare, reason: rules.ReasonStatus},
		"metadata":           {module: `{prober: grpc, grpc: {service: guarded, metadata: {key: [secret]}}}`, target: plain},
		"wrong metadata":     {module: `{prober: grpc, grpc: {service: guarded, metadata: {key: [guess]}}}`, target: plain, reason: rules.ReasonAuth},
		"TLS":                {module: `{prober: grpc, grpc: {service: shop, tls: true, tls_config: {ca_file: CA}}}`, target: secure},
		"TLS not serving":    {module: `{prober: grpc, grpc: {service: closed, tls: true, tls_config: {ca_file: CA}}}`, target: secure, reason: rules.ReasonStatus},
		"TLS unknown":        {module: `{prober: grpc, grpc: {service: nothing, tls: true, tls_config: {ca_file: CA}}}`, target: secure, reason: rules.ReasonStatus},
		"TLS unverified":     {module: `{prober: grpc, grpc: {service: shop, tls: true, tls_config: {insecure_skip_verify: true}}}`, target: secure},
		"TLS of a stranger":  {module: `{prober: grpc, grpc: {tls: true}}`, target: secure, reason: rules.ReasonCertificate, extra: ends},
		"TLS without HTTP/2": {module: `{prober: grpc, grpc: {tls: true, tls_config: {ca_file: CA}}}`, target: g.secure(), reason: rules.ReasonTLS},
		"TLS that is none":   {module: `{prober: grpc, grpc: {tls: true, tls_config: {ca_file: CA}}}`, target: plain, reason: rules.ReasonTLS},
		"refused":            {module: `{prober: grpc, grpc: {service: ""}}`, target: g.at(t, targets.Refuse), reason: rules.ReasonConnect},
		"closes at once":     {module: `{prober: grpc, grpc: {service: ""}}`, target: g.at(t, targets.CloseFirst), reason: rules.ReasonConnect},
		"garbage":            {module: `{prober: grpc, grpc: {service: ""}}`, target: g.at(t, targets.Flood), reason: rules.ReasonConnect},
		"no such name":       {module: `{prober: grpc, grpc: {service: ""}}`, target: "no..such:1", reason: rules.ReasonDNS},
		"no such family":     {module: `{prober: grpc, grpc: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}}`, target: plain, reason: rules.ReasonDNS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.module = strings.ReplaceAll(c.module, "ca_file: CA", "ca_file: "+g.ca)
			if reading := sameAsBlackbox(t, c); strings.Contains(reading.Detail, "secret") || strings.Contains(reading.Detail, "own words") {
				t.Errorf("detail tells %q", reading.Detail)
			}
		})
	}
}

func TestICMPLooksAreBlackboxExporters(t *testing.T) {
	t.Parallel()
	if mine, err := net.ListenPacket("ip4:icmp", "127.0.0.1"); err == nil {
		mine.Close()
	} else if errors.Is(err, os.ErrPermission) {
		unavailable(t, "this user may not ping: "+err.Error())
	}
	for name, c := range map[string]twin{
		"loopback":     {module: `{prober: icmp, icmp: {preferred_ip_protocol: ip4}}`, target: "127.0.0.1"},
		"options":      {module: `{prober: icmp, icmp: {preferred_ip_protocol: ip4, source_ip_address: 127.0.0.1, payload_size: 100, ttl: 5}}`, target: "127.0.0.1"},
		"unfragmented": {module: `{prober: icmp, icmp: {preferred_ip_protocol: ip4, dont_fragment: true}}`, target: "127.0.0.1"},
		"no such name": {module: `{prober: icmp}`, target: "no..such", reason: rules.ReasonDNS},
		"bad source":   {module: `{prober: icmp, icmp: {source_ip_address: nonsense}}`, target: "127.0.0.1", reason: rules.ReasonOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameAsBlackbox(t, c)
		})
	}
}

// unavailable skips a test, which must not happen where everything was installed.
func unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func TestTheTreatyHasEveryMetricOfBlackboxExportersProbers(t *testing.T) {
	t.Parallel()
	found, err := build.Import("github.com/prometheus/blackbox_exporter/prober", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for _, metric := range rules.ProbeMetrics() {
		known[metric.Name] = metric.Labels[len(rules.ProbeSuccess.Labels):]
	}
	seen := 0
	for _, file := range []string{"tcp", "unix", "query_response", "dns", "icmp", "grpc", "http", "prober", "utils", "tls", "handler"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(found.Dir, file+".go"), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			pair, ok := node.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, ok := pair.Key.(*ast.Ident)
			value, text := pair.Value.(*ast.BasicLit)
			if !ok || !text || key.Name != "Name" {
				return true
			}
			name, err := strconv.Unquote(value.Value)
			if err != nil || !strings.HasPrefix(name, "probe_") {
				return true
			}
			seen++
			if _, ok := known[name]; !ok {
				t.Errorf("%s.go gives %s, which the treaty doesn't know", file, name)
			}
			return true
		})
	}
	if seen < 35 {
		t.Errorf("found %d metrics in the probers' source, want more", seen)
	}
}
