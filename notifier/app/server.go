package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"

	"shopwatch/notifier/config"
)

// dialer opens a connection; nil is the network's.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// client gives an HTTP client that says who asks a Prometheus or an Alertmanager.
func client(server config.ServerConfig, dial dialer) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if dial != nil {
		transport.DialContext = dial
	}
	if server.CAFile != "" {
		pem, err := os.ReadFile(server.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %q: no certificate in PEM form", server.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: identified{server, transport}}, nil
}

// identified adds who asks to every request.
type identified struct {
	server config.ServerConfig
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t identified) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	switch {
	case t.server.BearerToken.IsSet():
		r.Header.Set("Authorization", "Bearer "+t.server.BearerToken.Reveal())
	case t.server.Username != "":
		r.SetBasicAuth(t.server.Username, t.server.Password.Reveal())
	}
	if t.server.Tenant != "" {
		r.Header.Set("X-Scope-OrgID", t.server.Tenant)
	}
	return t.next.RoundTrip(r)
}
