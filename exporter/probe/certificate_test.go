package probe_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

func TestCertificateOfAnySizeGivesLabelsOfBoundedSize(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		Subject: pkix.Name{CommonName: strings.Repeat("A", 60_000), Organization: []string{"a\nb"}},
	}
	for i := range 2000 {
		template.DNSNames = append(template.DNSNames, fmt.Sprintf("%050d.example", i))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)

	service := webService(server.URL)
	wanting(func(h *blackbox.HTTPProbe) { h.HTTPClientConfig.TLSConfig.InsecureSkipVerify = true })(&service)
	reading := probe.New(probe.Config{}).Look(t.Context(), service, server.URL)
	if !reading.Success {
		t.Fatalf("the look failed: %s %s", reading.Reason, reading.Detail)
	}
	for _, sample := range reading.Samples {
		if sample.Metric.Name != rules.ProbeSSLInfo.Name {
			continue
		}
		for i, label := range sample.Labels {
			if len(label) > 4100 {
				t.Errorf("label %s has %d bytes", rules.ProbeSSLInfo.Labels[3+i], len(label))
			}
		}
		if names := sample.Labels[3]; !strings.HasPrefix(names, template.DNSNames[0]+","+template.DNSNames[1]+",") || !strings.HasSuffix(names, "…") {
			t.Errorf("the names begin %.80q", names)
		}
		return
	}
	t.Error("nothing tells of the certificate")
}
