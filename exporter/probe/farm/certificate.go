package farm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

type certificateKind int

const (
	noCertificate certificateKind = iota
	goodCertificate
	expiredCertificate
	wrongNameCertificate
	selfSignedCertificate
)

// elsewhere is the name that the certificate of WrongName is for.
const elsewhere = "elsewhere.invalid"

// authority is the farm's own certificate authority and the key of its servers.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	server      crypto.Signer
	names       []string
	now         time.Time
}

func newAuthority(kind Key, names []string) (*authority, error) {
	a := &authority{names: names, now: time.Now()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	switch kind {
	case ECDSA:
		a.server, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		a.server, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("key %q is not known", kind)
	}
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "farm authority"},
		NotBefore: a.now.Add(-100 * 24 * time.Hour), NotAfter: a.now.Add(1000 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	a.certificate, err = x509.ParseCertificate(der)
	return a, err
}

// serverConfig is a TLS server's with a certificate of the kind. It speaks
// HTTP/1.1 only and gives no tickets, so that every handshake is a full one.
func (a *authority) serverConfig(kind certificateKind) (*tls.Config, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(kind) + 1), Subject: pkix.Name{CommonName: "farm shop"},
		NotBefore: a.now.Add(-50 * 24 * time.Hour), NotAfter: a.now.Add(90 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    append([]string{"localhost"}, a.names...),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	parent, signer := a.certificate, crypto.Signer(a.key)
	switch kind {
	case expiredCertificate:
		template.NotAfter = a.now.Add(-24 * time.Hour)
	case wrongNameCertificate:
		template.DNSNames, template.IPAddresses = []string{elsewhere}, nil
	case selfSignedCertificate:
		parent, signer = template, a.server
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, a.server.Public(), signer)
	if err != nil {
		return nil, err
	}
	chain := [][]byte{der}
	if kind != selfSignedCertificate {
		chain = append(chain, a.certificate.Raw)
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: chain, PrivateKey: a.server}},
		NextProtos:             []string{"http/1.1"},
		SessionTicketsDisabled: true,
	}, nil
}

// Pool trusts the farm's authority.
func (f *Farm) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(f.authority.certificate)
	return pool
}

// PEM is the certificate of the farm's authority.
func (f *Farm) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.authority.certificate.Raw})
}

// WritePEM writes the certificate of the farm's authority to a file, for a
// ca_file.
func (f *Farm) WritePEM(path string) error { return os.WriteFile(path, f.PEM(), 0o644) }

// ServerTLS is the configuration of a server with the good certificate, for
// servers of a test's own.
func (f *Farm) ServerTLS() *tls.Config { return f.good.Clone() }
