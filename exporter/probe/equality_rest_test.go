package probe_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/blackbox_exporter/prober"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	targets "shopwatch/exporter/probe/farm"
	"shopwatch/rules"
)

// probers are blackbox_exporter's own, of the kinds of this file.
var probers = map[exporter.Kind]prober.ProbeFn{
	exporter.KindHTTP: prober.ProbeHTTP, exporter.KindTCP: prober.ProbeTCP, exporter.KindUnix: prober.ProbeUnix,
	exporter.KindDNS: prober.ProbeDNS, exporter.KindICMP: prober.ProbeICMP, exporter.KindGRPC: prober.ProbeGRPC,
}

// twin is one comparison of a look of ours with blackbox_exporter's.
type twin struct {
	module string // blackbox_exporter's YAML; CA stands for the farm's authority
	target string
	reason rules.Reason  // ours; "" is success, of both
	within time.Duration // default a minute
	extra  []string      // metrics that only we give
}

// sameAsBlackbox looks at the target twice and compares success, series and
// every value that is not a duration. It gives our reading.
func sameAsBlackbox(t *testing.T, c twin) exporter.Reading {
	t.Helper()
	module := blackboxModule(t, c.module)
	if c.within == 0 {
		c.within = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.within)
	defer cancel()
	registry := prometheus.NewRegistry()
	logged := new(strings.Builder)
	success := probers[module.Kind](ctx, c.target, *module.Blackbox, registry, slog.New(slog.NewTextHandler(logged, nil)))
	theirs := gathered(t, registry)

	reading := probe.New(probe.Config{}).Look(context.Background(),
		exporter.Service{Module: module, Timeout: c.within}, c.target)
	if reading.Success != success || reading.Reason != c.reason {
		t.Fatalf("ours gives success %v, reason %q (%s), want %q; theirs success %v:\n%s",
			reading.Success, reading.Reason, reading.Detail, c.reason, success, logged)
	}
	ours := sampled(t, reading, append(c.extra, rules.ProbeSuccess.Name, rules.ProbeDuration.Name))
	if got, want := slices.Sorted(maps.Keys(ours)), slices.Sorted(maps.Keys(theirs)); !slices.Equal(got, want) {
		t.Fatalf("ours gives\n  %s\ntheirs\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	for series, want := range theirs {
		duration := strings.HasPrefix(series, "probe_dns_lookup_time_seconds") || strings.Contains(series, "_duration_seconds")
		if duration && (ours[series] < 0 || ours[series] > c.within.Seconds()+1) || !duration && ours[series] != want {
			t.Errorf("%s is %v with ours, %v with theirs", series, ours[series], want)
		}
	}
	return reading
}

func blackboxModule(t testing.TB, text string) exporter.Module {
	t.Helper()
	var module blackbox.Module
	if err := yaml.Unmarshal([]byte(text), &module); err != nil {
		t.Fatal(err)
	}
	return exporter.Module{Kind: exporter.Kind(module.Prober), Blackbox: &module}
}

func gathered(t testing.TB, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, pair := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", pair.GetName(), pair.GetValue()))
			}
			series[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = metric.GetGauge().GetValue()
		}
	}
	return series
}

func sampled(t testing.TB, reading exporter.Reading, without []string) map[string]float64 {
	t.Helper()
	series := map[string]float64{}
	for _, sample := range reading.Samples {
		if slices.Contains(without, sample.Metric.Name) {
			continue
		}
		names := sample.Metric.Labels[len(rules.ProbeSuccess.Labels):]
		if len(names) != len(sample.Labels) {
			t.Fatalf("%s has labels %v and values %v", sample.Metric.Name, names, sample.Labels)
		}
		labels := make([]string, len(names))
		for i := range names {
			labels[i] = fmt.Sprintf("%s=%q", names[i], sample.Labels[i])
		}
		slices.Sort(labels)
		key := sample.Metric.Name + "{" + strings.Join(labels, ",") + "}"
		if _, twice := series[key]; twice {
			t.Fatalf("%s is given twice", key)
		}
		series[key] = sample.Value
	}
	return series
}

// grounds is a farm of this test's and its authority in a file.
type grounds struct {
	*targets.Farm
	ca string
}

func newGrounds(t testing.TB) grounds {
	t.Helper()
	f, err := targets.New(targets.Config{Pace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := f.WritePEM(ca); err != nil {
		t.Fatal(err)
	}
	return grounds{f, ca}
}

func (g grounds) at(t testing.TB, b targets.Behaviour) string {
	t.Helper()
	address, err := g.Address(b)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// secure is host:port of the farm's good TLS listener.
func (g grounds) secure() string {
	return strings.Split(strings.TrimPrefix(g.Targets(1, targets.Answer, true)[0], "https://"), "/")[0]
}

// speak serves every connection of a listener by a dialogue until the test ends.
func speak(t testing.TB, network, address string, dialogue func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			running.Go(func() {
				defer conn.Close()
				dialogue(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return listener.Addr().String()
}

// says is a server that says these words and then listens until its client leaves.
func says(words ...string) func(net.Conn) {
	return func(conn net.Conn) {
		for _, word := range words {
			_, _ = io.WriteString(conn, word)
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

// mail is a server that knows STARTTLS.
func mail(config *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 mail.example ESMTP Postfix (Debian)\r\n")
		heard := bufio.NewScanner(conn)
		for secure := false; heard.Scan(); {
			switch line := heard.Text(); {
			case strings.HasPrefix(line, "EHLO") && secure:
				_, _ = io.WriteString(conn, "250-mail.example\r\n250-AUTH PLAIN\r\n250 HELP\r\n")
			case strings.HasPrefix(line, "EHLO"):
				_, _ = io.WriteString(conn, "250-mail.example\r\n250-STARTTLS\r\n250 HELP\r\n")
			case strings.HasPrefix(line, "STARTTLS"):
				_, _ = io.WriteString(conn, "220 go ahead\r\n")
				session := tls.Server(conn, config)
				if session.Handshake() != nil {
					return
				}
				conn, heard, secure = session, bufio.NewScanner(session), true
			default:
				return
			}
		}
	}
}

// chat is an IRC server.
func chat(conn net.Conn) {
	heard := bufio.NewScanner(conn)
	for heard.Scan() {
		switch line := heard.Text(); {
		case strings.HasPrefix(line, "USER"):
			_, _ = io.WriteString(conn, ":irc.example NOTICE * :hello\r\nPING :token-42\r\n")
		case line == "PONG token-42":
			_, _ = io.WriteString(conn, ":irc.example 001 prober :welcome\r\n")
		}
	}
}

// The dialogues of blackbox_exporter's own example.yml.
const (
	sshBanner = `{prober: tcp, tcp: {query_response: [
		{expect: "^SSH-2.0-"}, {send: "SSH-2.0-blackbox-ssh-check"}]}}`
	sshBannerExtract = `{prober: tcp, tcp: {query_response: [
		{expect: "^SSH-2.0-([^ -]+)(?: (.*))?$", labels: [{name: ssh_version, value: "${1}"}, {name: ssh_comments, value: "${2}"}]}]}}`
	ircBanner = `{prober: tcp, tcp: {query_response: [
		{send: "NICK prober"}, {send: "USER prober prober prober :prober"},
		{expect: "PING :([^ ]+)", send: "PONG ${1}"}, {expect: "^:[^ ]+ 001"}]}}`
	smtpStartTLS = `{prober: tcp, tcp: {query_response: [
		{expect: "^220 ([^ ]+) ESMTP (.+)$"}, {send: "EHLO prober\r"}, {expect: "^250-STARTTLS"}, {send: "STARTTLS\r"},
		{expect: "^220"}, {starttls: true}, {send: "EHLO prober\r"}, {expect: "^250-AUTH"}, {send: "QUIT\r"}], tls_config: {ca_file: CA}}}`
	pop3sBanner = `{prober: tcp, tcp: {query_response: [{expect: "^[+]OK"}], tls: true, tls_config: {insecure_skip_verify: false, ca_file: CA}}}`
)

func TestTCPLooksAreBlackboxExporters(t *testing.T) {
	t.Parallel()
	g := newGrounds(t)
	elsewhere := newGrounds(t)
	ssh := speak(t, "tcp", "127.0.0.1:0", says("SSH-2.0-OpenSSH_9.6 Debian-4\r\n"))
	bytes := speak(t, "tcp", "127.0.0.1:0", says("\x05\x00ok"))
	ended := speak(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { _, _ = io.WriteString(conn, "one\r\ntwo") })
	mute := g.at(t, targets.Silent)
	pop := speak(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { says("+OK ready\r\n")(tls.Server(conn, g.ServerTLS())) })
	const short = 300 * time.Millisecond
	ends := []string{"probe_ssl_earliest_cert_expiry", "probe_ssl_last_chain_info"} // of a certificate that we refused

	for name, c := range map[string]twin{
		"connect":                      {module: `{prober: tcp}`, target: mute},
		"refused":                      {module: `{prober: tcp}`, target: g.at(t, targets.Refuse), reason: rules.ReasonConnect},
		"no such name":                 {module: `{prober: tcp}`, target: "no..such:1", reason: rules.ReasonDNS},
		"no such family":               {module: `{prober: tcp, tcp: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}}`, target: mute, reason: rules.ReasonDNS},
		"no family, no fallback":       {module: `{prober: tcp, tcp: {ip_protocol_fallback: false}}`, target: mute, reason: rules.ReasonDNS},
		"the other family":             {module: `{prober: tcp, tcp: {preferred_ip_protocol: ip6}}`, target: mute},
		"the family":                   {module: `{prober: tcp, tcp: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}}`, target: mute},
		"no port":                      {module: `{prober: tcp}`, target: "127.0.0.1", reason: rules.ReasonOther},
		"source":                       {module: `{prober: tcp, tcp: {source_ip_address: 127.0.0.1}}`, target: mute},
		"source that is none":          {module: `{prober: tcp, tcp: {source_ip_address: 192.0.2.1}}`, target: mute, reason: rules.ReasonConnect},
		"ssh":                          {module: sshBanner, target: ssh},
		"ssh with labels":              {module: sshBannerExtract, target: ssh},
		"irc":                          {module: ircBanner, target: speak(t, "tcp", "127.0.0.1:0", chat)},
		"smtp with STARTTLS":           {module: smtpStartTLS, target: speak(t, "tcp", "127.0.0.1:0", mail(g.ServerTLS()))},
		"smtp with a stranger":         {module: smtpStartTLS, target: speak(t, "tcp", "127.0.0.1:0", mail(elsewhere.ServerTLS())), reason: rules.ReasonCertificate, extra: ends},
		"smtp that is ssh":             {module: smtpStartTLS, target: ssh, within: short, reason: rules.ReasonTimeout},
		"pop3s":                        {module: pop3sBanner, target: pop},
		"a line that ends by closing":  {module: `{prober: tcp, tcp: {query_response: [{expect: "^two$"}]}}`, target: ended},
		"no line matches":              {module: `{prober: tcp, tcp: {query_response: [{expect: "three"}]}}`, target: ended, reason: rules.ReasonBody},
		"no line comes":                {module: sshBanner, target: mute, within: short, reason: rules.ReasonTimeout},
		"a line without end":           {module: sshBanner, target: g.at(t, targets.Flood), reason: rules.ReasonBody},
		"a line that drips":            {module: sshBanner, target: g.at(t, targets.Drip), within: short, reason: rules.ReasonTimeout},
		"bytes":                        {module: `{prober: tcp, tcp: {query_response: [{send: hello, expect_bytes: "\x05\x00"}]}}`, target: bytes},
		"other bytes":                  {module: `{prober: tcp, tcp: {query_response: [{expect_bytes: "\x05\x01"}]}}`, target: bytes, reason: rules.ReasonBody},
		"too few bytes, then silence":  {module: `{prober: tcp, tcp: {query_response: [{expect_bytes: "\x05\x00ok?"}]}}`, target: bytes, within: short, reason: rules.ReasonTimeout},
		"too few bytes, then the end":  {module: `{prober: tcp, tcp: {query_response: [{expect_bytes: "one\r\ntwo\r\nthree"}]}}`, target: ended, reason: rules.ReasonBody},
		"no bytes":                     {module: `{prober: tcp, tcp: {query_response: [{expect_bytes: "x"}]}}`, target: mute, within: short, reason: rules.ReasonTimeout},
		"closes at once":               {module: sshBanner, target: g.at(t, targets.CloseFirst), reason: rules.ReasonBody},
		"TLS":                          {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: g.secure()},
		"TLS by another name":          {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA, server_name: localhost}}}`, target: g.secure()},
		"TLS unverified":               {module: `{prober: tcp, tcp: {tls: true, tls_config: {insecure_skip_verify: true}}}`, target: g.at(t, targets.SelfSigned)},
		"TLS expired":                  {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: g.at(t, targets.Expired), reason: rules.ReasonCertificate, extra: ends},
		"TLS of another name":          {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: g.at(t, targets.WrongName), reason: rules.ReasonCertificate, extra: ends},
		"TLS self-signed":              {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: g.at(t, targets.SelfSigned), reason: rules.ReasonCertificate, extra: ends},
		"TLS broken":                   {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: g.at(t, targets.BrokenTLS), reason: rules.ReasonTLS},
		"TLS that is plain text":       {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: g.at(t, targets.PlainTLS), reason: rules.ReasonTLS},
		"TLS that is silent":           {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: g.at(t, targets.SilentTLS), within: short, reason: rules.ReasonTimeout},
		"an authority that is missing": {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: /nowhere}}}`, target: g.secure(), reason: rules.ReasonOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.module = strings.ReplaceAll(c.module, "ca_file: CA", "ca_file: "+g.ca)
			sameAsBlackbox(t, c)
		})
	}
}

func TestUnixLooksAreBlackboxExporters(t *testing.T) {
	t.Parallel()
	g := newGrounds(t)
	dir, err := os.MkdirTemp("", "socket") // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	plain := speak(t, "unix", filepath.Join(dir, "plain"), says("+PONG 7\r\n"))
	secure := speak(t, "unix", filepath.Join(dir, "secure"), func(conn net.Conn) { says("+PONG 7\r\n")(tls.Server(conn, g.ServerTLS())) })
	for name, c := range map[string]twin{
		"connect":       {module: `{prober: unix}`, target: plain},
		"dialogue":      {module: `{prober: unix, unix: {query_response: [{send: PING}, {expect: "PONG (.)", labels: [{name: n, value: "$1"}]}]}}`, target: plain},
		"no match":      {module: `{prober: unix, unix: {query_response: [{expect: "PANG"}]}}`, target: plain, within: 300 * time.Millisecond, reason: rules.ReasonTimeout},
		"TLS":           {module: `{prober: unix, unix: {tls: true, tls_config: {ca_file: CA, server_name: localhost}}}`, target: secure},
		"TLS no name":   {module: `{prober: unix, unix: {tls: true, tls_config: {ca_file: CA}}}`, target: secure, reason: rules.ReasonTLS},
		"nobody there":  {module: `{prober: unix}`, target: filepath.Join(dir, "nobody"), reason: rules.ReasonConnect},
		"TLS unwilling": {module: `{prober: unix, unix: {tls: true, tls_config: {ca_file: CA, server_name: localhost}}}`, target: plain, reason: rules.ReasonTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.module = strings.ReplaceAll(c.module, "ca_file: CA", "ca_file: "+g.ca)
			sameAsBlackbox(t, c)
		})
	}
}
