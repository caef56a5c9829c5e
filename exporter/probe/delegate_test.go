package probe_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	targets "shopwatch/exporter/probe/farm"
	"shopwatch/rules"
)

const (
	pingModule  = `{prober: icmp, icmp: {preferred_ip_protocol: ip4}}`
	queryModule = `{prober: dns, dns: {query_name: shop.example, query_type: A}}`
)

// asks is a prober that tests put in blackbox_exporter's place.
type asks = func(context.Context, string, blackbox.Module, *prometheus.Registry, *slog.Logger) bool

// through looks at a target through a prober of the test's.
func through(t testing.TB, module, target string, within time.Duration, ask asks) exporter.Reading {
	t.Helper()
	prober := probe.New(probe.Config{
		Resolver: fakeResolver{names: map[string][]string{"shop.example": {"192.0.2.7"}}},
		Kinds: map[exporter.Kind]probe.Kind{
			exporter.KindDNS: probe.DNSThrough(ask), exporter.KindICMP: probe.ICMPThrough(ask),
		},
	})
	return prober.Look(context.Background(), exporter.Service{Module: blackboxModule(t, module), Timeout: within}, target)
}

func TestThatWeMayNotPingSaysNothingAboutTheTarget(t *testing.T) {
	t.Parallel()
	socket := func(code syscall.Errno) error {
		return &net.OpError{Op: "listen", Net: "ip4:icmp", Err: os.NewSyscallError("socket", code)}
	}
	for name, c := range map[string]struct {
		message string
		err     error
		reason  rules.Reason
		detail  string
	}{
		"no privilege":       {"Error listening to socket", socket(syscall.EPERM), rules.ReasonVantage, "cap_net_raw"},
		"no raw socket":      {"Error creating raw connection", socket(syscall.EACCES), rules.ReasonVantage, "ping_group_range"},
		"a strange source":   {"Error listening to socket", socket(syscall.EADDRNOTAVAIL), rules.ReasonOther, "source_ip_address"},
		"no such protocol":   {"Error listening to socket", socket(syscall.EAFNOSUPPORT), rules.ReasonVantage, "no socket to ping from"},
		"a packet filter":    {"Error writing to socket", socket(syscall.EPERM), rules.ReasonVantage, "does not let pings out"},
		"no way to there":    {"Error writing to socket", socket(syscall.EHOSTUNREACH), rules.ReasonConnect, "no route to host"},
		"no descriptor left": {"Error writing to socket", socket(syscall.ENOBUFS), rules.ReasonVantage, "no buffer space"},
		"no reply":           {"Timeout reading from socket", os.ErrDeadlineExceeded, rules.ReasonTimeout, "waiting for the answer"},
		"something else":     {"Something else", nil, rules.ReasonOther, "Something else"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reading := through(t, pingModule, "127.0.0.1", time.Minute,
				func(_ context.Context, _ string, _ blackbox.Module, _ *prometheus.Registry, logger *slog.Logger) bool {
					if strings.HasPrefix(c.message, "Error") { // as the prober says before it tries the other way
						logger.Error("Unable to do unprivileged listen on socket, will attempt privileged", "err", socket(syscall.EACCES))
					}
					logger.Error(c.message, "err", c.err, "secret", "s3cret")
					return false
				})
			mustFail(t, reading, c.reason)
			if !strings.Contains(reading.Detail, c.detail) || strings.Contains(reading.Detail, "s3cret") {
				t.Errorf("detail is %q, want it to hold %q", reading.Detail, c.detail)
			}
		})
	}
}

func TestAProberGetsNothingButAnAddress(t *testing.T) {
	t.Parallel()
	var asked []string
	remember := func(_ context.Context, target string, module blackbox.Module, _ *prometheus.Registry, _ *slog.Logger) bool {
		asked = append(asked, target+" "+module.DNS.TLSConfig.ServerName)
		return true
	}
	mustSucceed(t, through(t, queryModule, "shop.example", time.Minute, remember))
	mustSucceed(t, through(t, queryModule, "shop.example:5353", time.Minute, remember))
	mustSucceed(t, through(t, strings.Replace(queryModule, "dns: {", "dns: {transport_protocol: tcp, dns_over_tls: true, ", 1), "shop.example", time.Minute, remember))
	mustSucceed(t, through(t, pingModule, "shop.example", time.Minute, remember))
	mustFail(t, through(t, pingModule, "gone.example", time.Minute, remember), rules.ReasonDNS)
	mustFail(t, through(t, queryModule, "gone.example", time.Minute, remember), rules.ReasonDNS)
	mustFail(t, through(t, queryModule, "shop.example:domain", time.Minute, remember), rules.ReasonOther)
	want := "192.0.2.7:53 shop.example|192.0.2.7:5353 shop.example|192.0.2.7:853 shop.example|192.0.2.7 | |:53 gone.example"
	if got := strings.Join(asked, "|"); got != want {
		t.Errorf("probers were asked %q, want %q", got, want)
	}
}

func TestAProberThatBreaksOffOrNeverEndsCostsOneLook(t *testing.T) {
	t.Parallel()
	mustFail(t, through(t, queryModule, "127.0.0.1", time.Minute,
		func(context.Context, string, blackbox.Module, *prometheus.Registry, *slog.Logger) bool {
			panic("s3cret")
		}), rules.ReasonOther)

	release := make(chan struct{})
	defer close(release)
	reading := through(t, queryModule, "127.0.0.1", 50*time.Millisecond,
		func(_ context.Context, _ string, _ blackbox.Module, registry *prometheus.Registry, _ *slog.Logger) bool {
			gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: rules.ProbeDNSSucceeded.Name})
			registry.MustRegister(gauge)
			gauge.Set(1)
			<-release
			return true
		})
	mustFail(t, reading, rules.ReasonTimeout)
	if value(t, reading, rules.ProbeDNSSucceeded) != 1 {
		t.Error("what the prober had told is lost")
	}
}

func TestWhatTheTreatyDoesNotKnowIsLeftOut(t *testing.T) {
	t.Parallel()
	reading := through(t, pingModule, "127.0.0.1", time.Minute,
		func(_ context.Context, _ string, _ blackbox.Module, registry *prometheus.Registry, logger *slog.Logger) bool {
			strange := prometheus.NewGauge(prometheus.GaugeOpts{Name: "probe_weather"})
			durations := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: rules.ProbeICMPDuration.Name}, []string{"phase"})
			registry.MustRegister(strange, durations)
			durations.WithLabelValues("rtt").Set(0.25)
			durations.WithLabelValues("resolve").Set(77)
			durations.WithLabelValues("setup").Set(0.5)
			for range 1000 { // it may be as talkative as it likes
				logger.Error("Error reading from socket")
			}
			return true
		})
	mustSucceed(t, reading)
	if len(reading.Samples) != 5 {
		t.Errorf("samples are %v, want three durations, success and duration", reading.Samples)
	}
	var names []string
	for _, phase := range reading.Phases {
		names = append(names, phase.Name)
	}
	if got := strings.Join(names, " "); got != "resolve setup rtt" || reading.Phases[2].Took != 250*time.Millisecond {
		t.Errorf("phases are %v", reading.Phases)
	}
	if got := value(t, reading, rules.ProbeICMPDuration, "resolve"); got >= 77 {
		t.Errorf("resolving took %v s, want our own time", got)
	}
}

func TestTheGuardBindsEveryKind(t *testing.T) {
	t.Parallel()
	g := newGrounds(t)
	quiet := g.at(t, targets.Silent)
	_, port, _ := net.SplitHostPort(quiet)
	var saw atomic.Value
	prober := probe.New(probe.Config{
		Resolver: fakeResolver{names: map[string][]string{"shop.example": {"127.0.0.1"}}},
		Guard: func(address netip.AddrPort) error {
			saw.Store(address.String())
			return errors.New("this address is not for you")
		},
		Dial: func(context.Context, string, string) (net.Conn, error) {
			t.Error("a guarded address was dialled")
			return nil, errors.New("no")
		},
	})
	before := g.Accepted()
	for _, c := range []struct{ module, target, saw string }{
		{`{prober: tcp}`, "shop.example:" + port, "127.0.0.1:" + port},
		{`{prober: tcp}`, "[::ffff:127.0.0.1]:" + port, "127.0.0.1:" + port},
		{`{prober: tcp, tcp: {source_ip_address: 127.0.0.1}}`, "shop.example:" + port, "127.0.0.1:" + port},
		{`{prober: grpc, grpc: {service: shop}}`, "shop.example:" + port, "127.0.0.1:" + port},
		{`{prober: dns, dns: {query_name: x, transport_protocol: tcp}}`, "shop.example:" + port, "127.0.0.1:" + port},
		{`{prober: dns, dns: {query_name: x}}`, "127.0.0.1", "127.0.0.1:53"},
		{`{prober: icmp}`, "shop.example", "127.0.0.1:0"},
	} {
		reading := prober.Look(context.Background(), exporter.Service{Module: blackboxModule(t, c.module), Timeout: time.Minute}, c.target)
		mustFail(t, reading, rules.ReasonConnect)
		if reading.Detail != "this address is not for you" || saw.Swap("") != c.saw {
			t.Errorf("%s %s: detail is %q, and the guard saw %v", c.module, c.target, reading.Detail, saw.Load())
		}
	}
	if got := g.Accepted(); got != before {
		t.Errorf("%d connections were made", got-before)
	}
	reading := prober.Look(context.Background(), exporter.Service{Module: blackboxModule(t, `{prober: unix}`), Timeout: time.Minute}, "/run/any.sock")
	mustFail(t, reading, rules.ReasonOther)
}

func TestAGRPCServerThatNeverAnswersCostsTheTimeout(t *testing.T) {
	t.Parallel()
	// blackbox_exporter's own prober would wait for ever: it asks without a deadline.
	g := newGrounds(t)
	plain := healthServer(t, nil, true)
	for name, c := range map[string]struct{ module, target, doing string }{
		"takes the question": {`{prober: grpc, grpc: {service: hanging}}`, plain, "waiting for the answer"},
		"silent":             {`{prober: grpc, grpc: {service: shop}}`, g.at(t, targets.Silent), "waiting for the answer"},
		"silent before TLS":  {`{prober: grpc, grpc: {tls: true}}`, g.at(t, targets.SilentTLS), "in the TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reading := probe.New(probe.Config{}).Look(context.Background(),
				exporter.Service{Module: blackboxModule(t, c.module), Timeout: 300 * time.Millisecond}, c.target)
			mustFail(t, reading, rules.ReasonTimeout)
			if !strings.Contains(reading.Detail, c.doing) {
				t.Errorf("detail is %q, want %q", reading.Detail, c.doing)
			}
			if got := value(t, reading, rules.ProbeGRPCStatus); got != 4 && got != 14 {
				t.Errorf("status is %v, want deadline exceeded or unavailable", got)
			}
		})
	}
}

func TestACertificatesNameIsTheTargets(t *testing.T) {
	t.Parallel()
	f, err := targets.New(targets.Config{Names: []string{"shop.example"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	ca := t.TempDir() + "/ca.pem"
	if err := f.WritePEM(ca); err != nil {
		t.Fatal(err)
	}
	certificates := &tls.Config{Certificates: f.ServerTLS().Certificates}
	_, query, _ := net.SplitHostPort(nameServer(t, "tcp", certificates))
	_, health, _ := net.SplitHostPort(healthServer(t, certificates, true))
	prober := probe.New(probe.Config{Resolver: fakeResolver{names: map[string][]string{
		"shop.example": {"127.0.0.1"}, "other.example": {"127.0.0.1"},
	}}})
	for module, port := range map[string]string{
		`{prober: dns, dns: {query_name: shop.example, transport_protocol: tcp, dns_over_tls: true, tls_config: {ca_file: CA}}}`: query,
		`{prober: grpc, grpc: {service: shop, tls: true, tls_config: {ca_file: CA}}}`:                                            health,
	} {
		service := exporter.Service{Module: blackboxModule(t, strings.Replace(module, "CA", ca, 1)), Timeout: time.Minute}
		mustSucceed(t, prober.Look(context.Background(), service, "shop.example:"+port))
		mustFail(t, prober.Look(context.Background(), service, "other.example:"+port), rules.ReasonCertificate)
	}
}
