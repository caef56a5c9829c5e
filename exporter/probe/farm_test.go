package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// farm listens on loopback and gives every connection to behave, which may
// block: the connection is closed when the test ends.
func farm(t testing.TB, behave func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go func() {
				defer conn.Close()
				behave(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// readRequest reads until the far side has sent a whole header.
func readRequest(conn net.Conn) {
	buffer := make([]byte, 4096)
	_, _ = conn.Read(buffer)
}

// hang holds a connection until its far side leaves.
func hang(conn net.Conn) {
	buffer := make([]byte, 4096)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}

// endlessly writes the text again and again until nobody takes it.
func endlessly(conn net.Conn, text string) {
	for {
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
	}
}

// drip writes the text a byte at a time, each after a pause, again and again.
func drip(conn net.Conn, text string, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		for i := range len(text) {
			<-ticker.C
			if _, err := conn.Write([]byte{text[i]}); err != nil {
				return
			}
		}
	}
}

// webService is an http service with a generous timeout and a module that only
// its change knows.
func webService(target string, change ...func(*exporter.Service)) exporter.Service {
	service := exporter.Service{
		Shop: "card", ID: "web", Targets: []string{target}, Timeout: time.Minute,
		Module: exporter.HTTPModule(func(h *blackbox.HTTPProbe) { h.BodySizeLimit = 1 << 20 }),
	}
	for _, f := range change {
		f(&service)
	}
	return service
}

func tcpService(target string, overTLS bool) exporter.Service {
	return exporter.Service{
		Shop: "card", ID: "database", Targets: []string{target}, Timeout: time.Minute,
		Module: exporter.TCPModule(func(p *blackbox.TCPProbe) { p.TLS = overTLS }),
	}
}

// wanting changes what an http service asks for.
func wanting(change func(*blackbox.HTTPProbe)) func(*exporter.Service) {
	return func(s *exporter.Service) { change(&s.Module.Blackbox.HTTP) }
}

func within(timeout time.Duration) func(*exporter.Service) {
	return func(s *exporter.Service) { s.Timeout = timeout }
}

// look looks at the service's one target with a prober of no special making.
func look(service exporter.Service) exporter.Reading {
	return lookWith(probe.New(probe.Config{}), service)
}

// lookWith looks at the service's one target.
func lookWith(prober *probe.Prober, service exporter.Service) exporter.Reading {
	return prober.Look(context.Background(), service, service.Targets[0])
}

// value is the one sample of a metric with these labels.
func value(t testing.TB, reading exporter.Reading, metric rules.Metric, labels ...string) float64 {
	t.Helper()
	for _, sample := range reading.Samples {
		if sample.Metric.Name == metric.Name && slices.Equal(sample.Labels, labels) {
			return sample.Value
		}
	}
	t.Fatalf("reading has no %s%v; it has %v", metric.Name, labels, reading.Samples)
	return 0
}

func has(reading exporter.Reading, metric rules.Metric) bool {
	return slices.ContainsFunc(reading.Samples, func(s exporter.Sample) bool { return s.Metric.Name == metric.Name })
}

func mustSucceed(t testing.TB, reading exporter.Reading) {
	t.Helper()
	if !reading.Success || reading.Reason != "" || reading.Detail != "" {
		t.Fatalf("got success %v, reason %q, detail %q, want success", reading.Success, reading.Reason, reading.Detail)
	}
	if got := value(t, reading, rules.ProbeSuccess); got != 1 {
		t.Fatalf("probe_success is %v, want 1", got)
	}
}

func mustFail(t testing.TB, reading exporter.Reading, reason rules.Reason) {
	t.Helper()
	if reading.Success || reading.Reason != reason {
		t.Fatalf("got success %v, reason %q (%s), want reason %q", reading.Success, reading.Reason, reading.Detail, reason)
	}
	if reading.Detail == "" {
		t.Fatalf("reason %q has no detail", reason)
	}
	if got := value(t, reading, rules.ProbeSuccess); got != 0 {
		t.Fatalf("probe_success is %v, want 0", got)
	}
}

// authority is a certificate authority of the test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t testing.TB, until time.Time) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return authority{certificate, key, pool}
}

// pem is the authority's own certificate as a file has it.
func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// issue makes a certificate for names and addresses.
func (a authority) issue(t testing.TB, until time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test shop"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}
}

// serveTLS serves a handler with a certificate, over HTTP/2 if so asked.
func serveTLS(t testing.TB, certificate tls.Certificate, http2 bool, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// fakeResolver knows a few names and is slow or mute on demand.
type fakeResolver struct {
	names map[string][]string
	mute  bool
}

func (f fakeResolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	if f.mute {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var addresses []net.IPAddr
	for _, address := range f.names[host] {
		addresses = append(addresses, net.IPAddr{IP: net.ParseIP(address)})
	}
	if addresses == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addresses, nil
}
