package probe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// secured makes an http service's TLS what the options say.
func secured(options config.TLSConfig) func(*exporter.Service) {
	return func(s *exporter.Service) { s.Module.Blackbox.HTTP.HTTPClientConfig.TLSConfig = options }
}

// changing is an https server whose certificate can be exchanged.
func changing(t *testing.T, first tls.Certificate) (*httptest.Server, *atomic.Pointer[tls.Certificate]) {
	t.Helper()
	var shown atomic.Pointer[tls.Certificate]
	shown.Store(&first)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*shown.Load()}}, nil
	}}
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, &shown
}

func TestACertificateThatWasGoodIsStillChecked(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	ca, stranger := newAuthority(t, time.Now().Add(2*time.Hour)), newAuthority(t, time.Now().Add(2*time.Hour))
	leaf := ca.issue(t, soon, "127.0.0.1", "shop.example")
	file := filepath.Join(t.TempDir(), "ca.pem")
	trusting := func(authority authority) {
		if err := os.WriteFile(file, authority.pem(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trusting(ca)
	server, shown := changing(t, leaf)
	prober := probe.New(probe.Config{})
	byFile := webService(server.URL, secured(config.TLSConfig{CAFile: file}))
	good := func() {
		t.Helper()
		reading := lookWith(prober, byFile)
		mustSucceed(t, reading)
		for _, metric := range []rules.Metric{rules.ProbeSSLExpiry, rules.ProbeSSLChain} {
			if got := value(t, reading, metric); got != float64(soon.Unix()) {
				t.Fatalf("%s is %v, want %v", metric.Name, got, soon.Unix())
			}
		}
	}
	refused := func(service exporter.Service, text string) {
		t.Helper()
		for range 2 {
			reading := lookWith(prober, service)
			mustFail(t, reading, rules.ReasonCertificate)
			if !strings.Contains(reading.Detail, text) {
				t.Fatalf("detail is %q, want one with %q", reading.Detail, text)
			}
			if value(t, reading, rules.ProbeSSLExpiry) == 0 || has(reading, rules.ProbeSSLChain) {
				t.Fatal("a refused certificate has an end, and no chain")
			}
		}
	}
	good()
	good()

	named := webService(server.URL, secured(config.TLSConfig{CAFile: file, ServerName: "other.example"}))
	refused(named, "not other.example")
	refused(webService(server.URL, secured(config.TLSConfig{CA: string(stranger.pem())})), "unknown authority")
	refused(webService(server.URL, secured(config.TLSConfig{})), "unknown authority")
	good()

	nameless := webService(server.URL, secured(config.TLSConfig{CAFile: file}))
	nameless.Module.Blackbox.HTTP.Headers = map[string]string{"Host": ":443"}
	mustFail(t, lookWith(prober, nameless), rules.ReasonTLS)

	insecure := lookWith(prober, webService(server.URL, secured(config.TLSConfig{CAFile: file, InsecureSkipVerify: true})))
	mustSucceed(t, insecure)
	if got := value(t, insecure, rules.ProbeSSLChain); got != float64(time.Time{}.Unix()) {
		t.Errorf("a chain that nobody verified ends at %v", got)
	}

	other := stranger.issue(t, soon, "127.0.0.1")
	shown.Store(&other)
	refused(byFile, "unknown authority")
	expired := ca.issue(t, time.Now().Add(-time.Hour), "127.0.0.1")
	shown.Store(&expired)
	refused(byFile, "expired")
	impostor := tls.Certificate{Certificate: leaf.Certificate, PrivateKey: other.PrivateKey}
	shown.Store(&impostor)
	mustFail(t, lookWith(prober, byFile), rules.ReasonTLS)
	shown.Store(&leaf)
	good()

	trusting(stranger)
	refused(byFile, "unknown authority")
	trusting(ca)
	good()
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	mustFail(t, lookWith(prober, byFile), rules.ReasonOther)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	reading := lookWith(prober, byFile)
	mustFail(t, reading, rules.ReasonOther)
	if !strings.Contains(reading.Detail, "unable to read CA cert") {
		t.Errorf("detail is %q", reading.Detail)
	}
}

func TestARedirectsHostNeedsItsOwnName(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, time.Now().Add(2*time.Hour))
	prober := probe.New(probe.Config{RootCAs: ca.pool, Resolver: fakeResolver{names: map[string][]string{
		"shop.example": {"127.0.0.1"}, "pay.example": {"127.0.0.1"},
	}}})
	for _, http2 := range []bool{false, true} {
		var port string
		server := serveTLS(t, ca.issue(t, time.Now().Add(time.Hour), "shop.example"), http2, http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/away" {
					http.Redirect(w, r, "https://pay.example"+port+"/", http.StatusFound)
				}
			}))
		port = server.URL[strings.LastIndexByte(server.URL, ':'):]
		for range 2 {
			mustSucceed(t, lookWith(prober, webService("https://shop.example"+port+"/")))
			reading := lookWith(prober, webService("https://shop.example"+port+"/away"))
			mustFail(t, reading, rules.ReasonCertificate)
			if !strings.Contains(reading.Detail, "not pay.example") {
				t.Errorf("detail is %q", reading.Detail)
			}
		}
	}
}

func TestVersionsOfTLSAreHeldToTheModule(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, time.Now().Add(2*time.Hour))
	prober := probe.New(probe.Config{RootCAs: ca.pool})
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1")}}
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	for range 2 {
		reading := lookWith(prober, webService(server.URL))
		mustFail(t, reading, rules.ReasonStatus)
		if value(t, reading, rules.ProbeTLSVersion, "TLS 1.2") != 1 || value(t, reading, rules.ProbeSSLChain) <= 0 {
			t.Error("the session of TLS 1.2 isn't told")
		}
		mustFail(t, lookWith(prober, webService(server.URL, secured(config.TLSConfig{MinVersion: tls.VersionTLS13}))), rules.ReasonTLS)
	}
}

// issuer is an authority that signs authorities too.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// certify signs a key; a parent of nil signs itself.
func certify(t *testing.T, parent *issuer, name string, key *ecdsa.PrivateKey, from, until time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
	}
	if strings.HasSuffix(name, ".example") {
		template.DNSNames = []string{name}
	} else {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	signer := issuer{template, key}
	if parent != nil {
		signer = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.certificate, &key.PublicKey, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A chain by two authorities, whose intermediate certificates are good at
// different times, is asked for at many times, forwards and back: what is
// remembered must be what x509 says at each.
func TestRememberedChainsAreThoseOfTheMoment(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	keyA, keyB, middle := newKey(t), newKey(t), newKey(t)
	a := issuer{certify(t, nil, "authority A", keyA, at(-999), at(999)), keyA}
	b := issuer{certify(t, nil, "authority B", keyB, at(-999), at(999)), keyB}
	throughA := certify(t, &a, "middle", middle, at(-90), at(40))
	throughB := certify(t, &b, "middle", middle, at(5), at(90))
	leaf := certify(t, &issuer{throughA, middle}, "shop.example", newKey(t), at(-80), at(70))
	served := []*x509.Certificate{leaf, throughA, throughB}
	both, onlyA := x509.NewCertPool(), x509.NewCertPool()
	both.AddCert(a.certificate)
	both.AddCert(b.certificate)
	onlyA.AddCert(a.certificate)

	trust := probe.NewTrust()
	minutes := []int{-81, -80, 0, 1, 4, 5, 6, 39, 40, 41, 69, 70, 71, 6, 0, -81, 39, 40, 5, 4, 70, 71, 0}
	for _, minute := range minutes {
		for _, second := range []time.Duration{0, 0, time.Second} { // the second is from memory
			now := at(minute).Add(second)
			for name, roots := range map[string]*x509.CertPool{"both": both, "A": onlyA} {
				for _, host := range []string{"shop.example", "other.example"} {
					for _, certificates := range [][]*x509.Certificate{served, served[:2], served[:1]} {
						sentence := fmt.Sprintf("%s, %s, by %s, %d shown", now.Format(time.TimeOnly), host, name, len(certificates))
						secure := &tls.Config{ServerName: host, RootCAs: roots, Time: func() time.Time { return now }}
						sameVerdict(t, sentence, trust, secure, certificates)
					}
				}
			}
		}
	}
}

func sameVerdict(t *testing.T, sentence string, trust probe.Trust, secure *tls.Config, certificates []*x509.Certificate) {
	t.Helper()
	options := x509.VerifyOptions{
		Roots: secure.RootCAs, CurrentTime: secure.Time(), DNSName: secure.ServerName, Intermediates: x509.NewCertPool(),
	}
	for _, certificate := range certificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	want, wrong := certificates[0].Verify(options)
	got, err := trust.Verify(secure, certificates)
	if wrong != nil {
		refused, ok := err.(*tls.CertificateVerificationError)
		if !ok || refused.Err.Error() != wrong.Error() || !slices.Equal(refused.UnverifiedCertificates, certificates) {
			t.Errorf("%s: got %v, want %v", sentence, err, wrong)
		}
		return
	}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%s: got %d chains, %v; want %d", sentence, len(got), err, len(want))
	}
	for i := range want {
		if !slices.EqualFunc(got[i], want[i], (*x509.Certificate).Equal) {
			t.Errorf("%s: chain %d is another", sentence, i)
		}
	}
}

func TestFailuresAreNotRemembered(t *testing.T) {
	t.Parallel()
	now := time.Now()
	key := newKey(t)
	ca := issuer{certify(t, nil, "authority", key, now.Add(-time.Hour), now.Add(time.Hour)), key}
	leaf := certify(t, &ca, "shop.example", newKey(t), now.Add(-time.Hour), now.Add(time.Hour))
	trust := probe.NewTrust()
	if _, err := trust.Verify(&tls.Config{ServerName: "shop.example", RootCAs: x509.NewCertPool()}, []*x509.Certificate{leaf}); err == nil {
		t.Fatal("a certificate of nobody's was taken")
	}
	if held := trust.Held(); held != 0 {
		t.Errorf("%d verdicts are held, want none", held)
	}
}

func TestNoMoreVerdictsAreHeldThanTheBound(t *testing.T) {
	t.Parallel()
	trust, now := probe.NewTrust(), time.Now()
	for i := range probe.MaxChains + 100 {
		trust.Remember(fmt.Sprintf("s%d.example", i), now)
	}
	if held := trust.Held(); held != probe.MaxChains {
		t.Errorf("%d verdicts are held, want %d", held, probe.MaxChains)
	}
	trust.Remember("late.example", now.Add(probe.TrustFor))
	if held := trust.Held(); held != 1 {
		t.Errorf("%d verdicts are held after all but one are too old", held)
	}
}
