package probe_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// nginx starts Debian's nginx in a folder of its own, with two ports of
// loopback: one plain, one over TLS with HTTP/2. CA is the file that verifies it.
func nginx(t *testing.T) (plain, secure, ca string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil { // Debian's own path may not be a user's
		program, err = exec.LookPath("/usr/sbin/nginx")
	}
	switch {
	case err != nil && os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1":
		t.Fatal("no nginx is installed")
	case err != nil:
		t.Skip("no nginx is installed")
	}
	dir := t.TempDir()
	ca = filepath.Join(dir, "ca.pem")
	authority := newAuthority(t, time.Now().Add(time.Hour))
	if err := os.WriteFile(ca, authority.pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	writeIdentity(t, authority.issue(t, time.Now().Add(time.Hour), "127.0.0.1"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	plain, secure = servertest.FreeAddress(t), servertest.FreeAddress(t)
	page := strings.Repeat("<p>立即购买</p>\n", 2000)
	if err := os.WriteFile(filepath.Join(dir, "page.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/pid; error_log stderr error;
events {}
http {
  access_log off; server_tokens off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  gzip on; gzip_types *; gzip_min_length 1;
  server {
    listen %[2]s; listen %[3]s ssl http2;
    ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem;
    root %[1]s; index page.html;
    location = /api { default_type application/json; return 200 '{"stock": 3}'; }
    location = /teapot { return 418; }
    location = /moved { return 301 /page.html; }
    location = /secure { return 302 https://%[3]s/page.html; }
    location = /round { return 302 /round; }
    location = /shut { return 444; }
    location = /away { proxy_pass http://127.0.0.1:1; }
    location = /small { client_max_body_size 1; proxy_pass http://127.0.0.1:1; }
  }
}`, dir, plain, secure)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	command := exec.Command(program, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))
	command.Stderr = &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() { _ = command.Process.Kill(); <-ended })
	await(t, plain, ended, &said)
	return plain, secure, ca
}

// writeIdentity writes a certificate and its key as nginx reads them.
func writeIdentity(t *testing.T, identity tls.Certificate, certificate, key string) {
	t.Helper()
	var chain bytes.Buffer
	for _, der := range identity.Certificate {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(identity.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{
		certificate: chain.Bytes(), key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// await tries an address until a server takes a connection, or ended.
func await(t *testing.T, address string, ended <-chan struct{}, said fmt.Stringer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("the server ended: %s", said)
		case <-ctx.Done():
			t.Fatalf("the server at %s does not answer", address)
		case <-again.C:
		}
	}
}

func TestLooksAtNginxAreThoseOfBlackboxExporter(t *testing.T) {
	t.Parallel()
	plain, secure, ca := nginx(t)
	for name, c := range map[string]twin{
		"a page":                          {module: `{prober: http}`, target: "http://" + plain + "/"},
		"a page that must hold a text":    {module: `{prober: http, http: {fail_if_body_not_matches_regexp: [立即购买]}}`, target: "http://" + plain + "/"},
		"a page that lacks a text":        {module: `{prober: http, http: {fail_if_body_not_matches_regexp: [sold out]}}`, target: "http://" + plain + "/", reason: rules.ReasonBody},
		"a compressed page":               {module: `{prober: http, http: {headers: {Accept-Encoding: gzip}, compression: gzip}}`, target: "http://" + plain + "/"},
		"a page longer than its limit":    {module: `{prober: http, http: {body_size_limit: 1KB}}`, target: "http://" + plain + "/", reason: rules.ReasonBody},
		"JSON that a rule accepts":        {module: `{prober: http, http: {fail_if_body_json_not_matches_cel: "body.stock > 0"}}`, target: "http://" + plain + "/api"},
		"a status":                        {module: `{prober: http}`, target: "http://" + plain + "/teapot", reason: rules.ReasonStatus},
		"a page that isn't there":         {module: `{prober: http}`, target: "http://" + plain + "/nothing", reason: rules.ReasonStatus},
		"a redirect":                      {module: `{prober: http}`, target: "http://" + plain + "/moved"},
		"a redirect that is not followed": {module: `{prober: http, http: {follow_redirects: false, valid_status_codes: [301]}}`, target: "http://" + plain + "/moved"},
		"a redirect to TLS":               {module: `{prober: http, http: {tls_config: {ca_file: CA}}}`, target: "http://" + plain + "/secure"},
		"redirects in a circle":           {module: `{prober: http}`, target: "http://" + plain + "/round", reason: rules.ReasonStatus},
		"a connection that is shut":       {module: `{prober: http}`, target: "http://" + plain + "/shut", reason: rules.ReasonConnect},
		"a backend that is away":          {module: `{prober: http}`, target: "http://" + plain + "/away", reason: rules.ReasonStatus},
		"a body that is too large":        {module: `{prober: http, http: {method: POST, body: too large}}`, target: "http://" + plain + "/small", reason: rules.ReasonStatus},
		"HEAD":                            {module: `{prober: http, http: {method: HEAD}}`, target: "http://" + plain + "/"},
		"HTTP/2":                          {module: `{prober: http, http: {valid_http_versions: [HTTP/2.0], tls_config: {ca_file: CA}}}`, target: "https://" + secure + "/"},
		"HTTP/1.1 over TLS":               {module: `{prober: http, http: {enable_http2: false, valid_http_versions: [HTTP/1.1], tls_config: {ca_file: CA}}}`, target: "https://" + secure + "/"},
		"a redirect over HTTP/2":          {module: `{prober: http, http: {tls_config: {ca_file: CA}}}`, target: "https://" + secure + "/moved"},
		"plain HTTP on the port for TLS":  {module: `{prober: http}`, target: "http://" + secure + "/", reason: rules.ReasonStatus},
		"TLS on the port for plain HTTP":  {module: `{prober: http}`, target: "https://" + plain + "/", reason: rules.ReasonTLS},
		"tcp over TLS":                    {module: `{prober: tcp, tcp: {tls: true, tls_config: {ca_file: CA}}}`, target: secure},
		"a dialogue of tcp":               {module: `{prober: tcp, tcp: {query_response: [{send: "GET /api HTTP/1.0\r\n"}, {expect: "^HTTP/1.1 (200)", labels: [{name: code, value: "${1}"}]}]}}`, target: plain},
		"certificate of an unknown authority": {module: `{prober: http}`, target: "https://" + secure + "/", reason: rules.ReasonCertificate,
			extra: []string{rules.ProbeSSLExpiry.Name, rules.ProbeSSLInfo.Name}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.module = strings.ReplaceAll(c.module, "CA", ca)
			sameAsBlackbox(t, c)
		})
	}
}
