package probe

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/config"
)

const (
	// trustFor is how long a verdict on a chain is kept at most: authorities of
	// the system can be changed while we run, where the system itself is asked.
	trustFor = 10 * time.Minute
	// maxChains and maxAuthorities bound what is remembered.
	maxChains      = 4096
	maxAuthorities = 64
)

// trust remembers work on certificates that comes out the same look after look:
// which chains of what a server shows lead to which authority, and what
// authorities a file holds. Only good verdicts are remembered, for as long as
// no certificate in them ends. The handshake itself is always a full one: that
// the server holds its certificate's key is proven anew each time.
type trust struct {
	mu          sync.Mutex
	verdicts    map[shown]verdict
	swept       time.Time // when verdicts that are too old were last taken out
	authorities map[source]authorities
}

// shown is all that a verdict depends on except the time.
type shown struct {
	roots        *x509.CertPool // nil: the system's. Held, so that no other pool gets its address.
	name         string
	certificates [sha256.Size]byte // of all of them, in the server's order
}

// verdict is what chains were found, good from a moment until before another.
type verdict struct {
	from, until time.Time
	chains      [][]link
}

// link is one certificate of a chain: one that the server shows, by its place,
// or another. A verdict holds no certificate that every session has anyway.
type link struct {
	place int // -1: it is not shown
	other *x509.Certificate
}

// source is where authorities stand: a file, or the configuration's own text.
type source struct{ file, text string }

type authorities struct {
	text []byte
	pool *x509.CertPool
}

func newTrust() *trust {
	return &trust{verdicts: map[shown]verdict{}, authorities: map[source]authorities{}}
}

// tlsConfig is prometheus/common's, but doesn't parse the same authorities
// again. A file is read each time, so that another text counts at once.
func (t *trust) tlsConfig(options config.TLSConfig) (*tls.Config, error) {
	pool := t.pool(&options)
	if pool == nil { // none is named, or prometheus/common says what is wrong with it
		return config.NewTLSConfig(&options)
	}
	options.CA, options.CAFile = "", ""
	secure, err := config.NewTLSConfig(&options)
	if err != nil {
		return nil, err
	}
	secure.RootCAs = pool
	return secure, nil
}

// pool gives the authorities that the options name, nil if it can't.
func (t *trust) pool(options *config.TLSConfig) *x509.CertPool {
	from, text := source{options.CAFile, options.CA}, []byte(options.CA)
	if (from.file == "") == (from.text == "") || options.CARef != "" {
		return nil
	}
	if from.file != "" {
		var err error
		if text, err = os.ReadFile(from.file); err != nil {
			return nil
		}
	}
	t.mu.Lock()
	known := t.authorities[from]
	t.mu.Unlock()
	if known.pool != nil && bytes.Equal(known.text, text) {
		return known.pool
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.authorities) >= maxAuthorities {
		clear(t.authorities)
	}
	t.authorities[from] = authorities{text, pool}
	return pool
}

// handshake makes a hop's TLS session as [Look.handshake] does, but takes the
// server's chains from memory where it can. They are in the hop's state;
// the session's own knows none.
func (t *trust) handshake(ctx context.Context, l *Look, h *hop, conn net.Conn, secure *tls.Config) (*tls.Conn, error) {
	// Without a name crypto/tls refuses to begin. What it leaves to others to
	// verify, and what FIPS 140 wants of a chain, is left to it.
	if secure.ServerName == "" || secure.InsecureSkipVerify || secure.VerifyConnection != nil ||
		secure.VerifyPeerCertificate != nil || secure.EncryptedClientHelloConfigList != nil || fips140.Enabled() {
		return l.handshake(ctx, h, conn, secure)
	}
	var chains [][]*x509.Certificate
	ours := secure.Clone()
	// crypto/tls calls VerifyConnection in every handshake, at the moment at
	// which it would have verified, and ends the handshake with its error.
	ours.InsecureSkipVerify = true
	ours.VerifyConnection = func(state tls.ConnectionState) (err error) {
		chains, err = t.verify(secure, state.PeerCertificates)
		return err
	}
	session, err := l.handshake(ctx, h, conn, ours)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.tls.VerifiedChains = chains
	return session, nil
}

// verify gives the chains that lead from a server's certificate to an
// authority, and the errors that crypto/tls gives.
func (t *trust) verify(secure *tls.Config, certificates []*x509.Certificate) ([][]*x509.Certificate, error) {
	clock := time.Now
	if secure.Time != nil {
		clock = secure.Time
	}
	now := clock().Round(0) // certificates end by the wall clock
	question := shown{roots: secure.RootCAs, name: secure.ServerName, certificates: digest(certificates)}
	t.mu.Lock()
	known, ok := t.verdicts[question]
	t.mu.Unlock()
	if ok && !now.Before(known.from) && now.Before(known.until) {
		return known.among(certificates), nil
	}

	options := x509.VerifyOptions{
		Roots: secure.RootCAs, CurrentTime: now, DNSName: secure.ServerName, Intermediates: x509.NewCertPool(),
	}
	for _, certificate := range certificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	chains, err := certificates[0].Verify(options)
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: certificates, Err: err}
	}
	t.remember(question, judged(now, certificates, chains))
	return chains, nil
}

// remember keeps a verdict, in the place of any other if there are too many.
func (t *trust) remember(question shown, v verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.from.Sub(t.swept).Abs() >= trustFor {
		t.swept = v.from
		maps.DeleteFunc(t.verdicts, func(_ shown, old verdict) bool { return !v.from.Before(old.until) })
	}
	for other := range t.verdicts {
		if len(t.verdicts) < maxChains {
			break
		}
		delete(t.verdicts, other)
	}
	t.verdicts[question] = v
}

// judged makes a verdict of chains that were verified now.
func judged(now time.Time, certificates []*x509.Certificate, chains [][]*x509.Certificate) verdict {
	v := verdict{from: now, until: now.Add(trustFor), chains: make([][]link, len(chains))}
	end := func(moment time.Time) {
		if moment.Before(v.until) {
			v.until = moment
		}
	}
	for i, chain := range chains {
		for _, certificate := range chain {
			end(certificate.NotAfter)
			place := slices.Index(certificates, certificate)
			if place >= 0 {
				certificate = nil
			}
			v.chains[i] = append(v.chains[i], link{place, certificate})
		}
	}
	for _, certificate := range certificates {
		if certificate.NotBefore.After(now) { // another chain begins to be good
			end(certificate.NotBefore)
		}
	}
	return v
}

// among gives the chains, of the certificates that a server shows now.
func (v verdict) among(certificates []*x509.Certificate) [][]*x509.Certificate {
	chains := make([][]*x509.Certificate, len(v.chains))
	for i, links := range v.chains {
		chains[i] = make([]*x509.Certificate, len(links))
		for j, l := range links {
			chains[i][j] = l.other
			if l.place >= 0 {
				chains[i][j] = certificates[l.place]
			}
		}
	}
	return chains
}

// digest is that of all certificates; each one's length is part of its own encoding.
func digest(certificates []*x509.Certificate) (sum [sha256.Size]byte) {
	hash := sha256.New()
	for _, certificate := range certificates {
		hash.Write(certificate.Raw)
	}
	return [sha256.Size]byte(hash.Sum(sum[:0]))
}
