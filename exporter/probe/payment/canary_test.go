package payment_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/payment"
	"shopwatch/rules"
)

// TestNothingThatAGatewayEchoesIsShown has gateways that repeat the request,
// secrets included, wherever their protocol has room for words. look itself
// searches each reading for secrets.
func TestNothingThatAGatewayEchoesIsShown(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for _, word := range []string{"", s.credentials.Key, s.credentials.APIKey, s.credentials.Serial} {
			for _, status := range []int{200, 400, 401, 404, 500} {
				target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					echo := word
					if echo == "" {
						echo = r.URL.String() + r.Header.Get("Authorization") + string(body)
					}
					w.Header().Set("X-Echo", echo)
					w.WriteHeader(status)
					json.NewEncoder(w).Encode(map[string]any{
						"code": echo, "msg": echo, "message": echo, "status_code": 77, "error": echo, "status": -2,
						"error_response": map[string]string{"code": echo, "sub_code": echo},
					})
				})) + s.path
				if reading := look(t, target, s.options(true)); reading.Success || reading.Detail == "" {
					t.Errorf("%s took an echo for its gateway: %+v", s.name, reading)
				}
			}
		}
	}
}

func TestTheKeyInATargetIsNotShown(t *testing.T) {
	t.Parallel()
	target := start(t, serveEpay(t)) + "/api.php?act=query&key=" + sharedKey
	options := exporter.Payment{Gateway: payment.Epay, Merchant: pid, Key: sharedKey}
	want(t, look(t, target, options), "", "")
	want(t, look(t, "http://user:"+sharedKey+"@127.0.0.1:1/?key="+sharedKey, options), rules.ReasonConnect, "")
}

// secured serves over TLS with a certificate that ends at the time, and gives a
// pool that trusts it.
func secured(t *testing.T, handler http.Handler, end time.Time) (string, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
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
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, pool
}

func TestTheCertificateIsSampledGoodOrBad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    time.Time
		reason rules.Reason
	}{
		"good for a day":    {time.Now().Add(24 * time.Hour), ""},
		"expired yesterday": {time.Now().Add(-24 * time.Hour), rules.ReasonCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, pool := secured(t, serveAlipay(t), c.end)
			options := subjects()[0].options(true)
			reading := look(t, target, options, func(config *probe.Config, _ *exporter.Service) { config.RootCAs = pool })
			want(t, reading, c.reason, "")
			if expiry, ok := sampled(reading, &rules.ProbeSSLExpiry); !ok || int64(expiry) != c.end.Unix() {
				t.Errorf("expiry %v, %t; want %d", expiry, ok, c.end.Unix())
			}
		})
	}
}
