// Package servertest starts real servers for tests: PostgreSQL and Redis, each
// private, on a free port of loopback, with TLS and users of its own. MariaDB is
// started by exporter/ledger/ledgertest.
//
// A test that finds no server installed is skipped, or fails if
// SHOPWATCH_TEST_NO_SKIP is 1. The room judges nothing: what a server must be
// told and how a look takes it is the tests' matter.
package servertest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a server that runs.
type process struct {
	command *exec.Cmd
	said    *bytes.Buffer // may be read when ended is closed
	ended   chan struct{}
	end     os.Signal // the quickest orderly end
	once    sync.Once
}

// start runs a server until the test's end.
func start(t testing.TB, command *exec.Cmd, end os.Signal) *process {
	t.Helper()
	p := &process{command: command, said: new(bytes.Buffer), ended: make(chan struct{}), end: end}
	command.Stdout, command.Stderr = p.said, p.said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = command.Wait()
	}()
	t.Cleanup(p.Stop)
	return p
}

// await waits until the server answers.
func (p *process) await(t testing.TB, answers func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := answers()
		if err == nil {
			return
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ended: %s", p.command.Path, p.said)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s doesn't answer after a minute: %v", p.command.Path, err)
		}
	}
}

// Freeze stops the server amid whatever it does: connections to it are still
// taken by the system, and nothing answers.
func (p *process) Freeze(t testing.TB) { p.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (p *process) Thaw(t testing.TB) { p.signal(t, syscall.SIGCONT) }

func (p *process) signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server and waits for its end; it may be called twice.
func (p *process) Stop() {
	p.once.Do(func() {
		_ = p.command.Process.Signal(syscall.SIGCONT)
		_ = p.command.Process.Signal(p.end)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second): // its data is thrown away
			_ = p.command.Process.Kill()
			<-p.ended
		}
	})
}

// directory is a new one with a short name, since sockets live in it, owned by
// the user that the server runs as.
func directory(t testing.TB, uid, gid int) string {
	t.Helper()
	dir := temporary(t)
	own(t, dir, uid, gid)
	return dir
}

func temporary(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "servertest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// own gives a file to a user. Only root can, and only root needs it.
func own(t testing.TB, path string, uid, gid int) {
	t.Helper()
	if os.Geteuid() == 0 {
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
}

// write makes a file that only its owner reads.
func write(t testing.TB, path string, content []byte, uid, gid int) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	own(t, path, uid, gid)
	return path
}

// program finds the first of several files, or lets the test go.
func program(t testing.TB, debian string, candidates ...string) string {
	t.Helper()
	for _, candidate := range candidates {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
		if found, _ := filepath.Glob(candidate); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	Skip(t, fmt.Sprintf("%s isn't installed (package %s)", filepath.Base(candidates[0]), debian))
	return ""
}

// Skip lets a test go with a reason, or fails it where none may be let go.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Authority issues certificates for the length of a test.
type Authority struct {
	File string // its own certificate, PEM
	Pool *x509.CertPool

	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority that nobody else trusts.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "servertest"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
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
	a := &Authority{File: filepath.Join(t.TempDir(), "ca.pem"), Pool: x509.NewCertPool(), certificate: certificate, key: key}
	a.Pool.AddCert(certificate)
	if err := os.WriteFile(a.File, encode("CERTIFICATE", der), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// Issue makes a server's certificate, for 127.0.0.1 and localhost, that ends at
// a time, as PEM and ready for use.
func (a *Authority) Issue(t testing.TB, end time.Time) (certificate, key []byte, ready tls.Certificate) {
	t.Helper()
	return a.issue(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// IssueClient makes a client's certificate, which no server may show, as PEM and
// ready for use.
func (a *Authority) IssueClient(t testing.TB, name string) (certificate, key []byte, ready tls.Certificate) {
	t.Helper()
	return a.issue(t, x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(30 * 24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *Authority) issue(t testing.TB, template x509.Certificate) (certificate, key []byte, ready tls.Certificate) {
	t.Helper()
	private := newKey(t)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.KeyUsage = serial, time.Now().Add(-48*time.Hour), x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, &template, a.certificate, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = encode("CERTIFICATE", der), encode("PRIVATE KEY", raw)
	if ready, err = tls.X509KeyPair(certificate, key); err != nil {
		t.Fatal(err)
	}
	return certificate, key, ready
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
