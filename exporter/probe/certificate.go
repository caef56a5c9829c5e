package probe

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// sampleTLS gives the samples of an HTTP answer's TLS session. The chain's end
// is given also where verification was off and there is none; as with
// blackbox_exporter it is then that of Go's zero time.
func (l *Look) sampleTLS(state *tls.ConnectionState) {
	l.Sample(&rules.ProbeTLSVersion, 1, tls.VersionName(state.Version))
	l.Sample(&rules.ProbeTLSCipher, 1, tls.CipherSuiteName(state.CipherSuite))
	l.Sample(&rules.ProbeSSLChain, float64(lastChainEnd(state).Unix()))
	if len(state.PeerCertificates) == 0 {
		return
	}
	l.Sample(&rules.ProbeSSLExpiry, float64(earliestEnd(state.PeerCertificates).Unix()))
	l.samples = append(l.samples, leafSample(state.PeerCertificates[0]))
}

// maxNames is how many characters of a certificate's alternative names become a
// label's value: the longest lists of certificate authorities, a hundred names,
// have about so many. Who is looked at makes his certificate, and one label of
// hundreds of kilobytes may cost the scrape as a whole.
const maxNames = 4000

// leafSample tells of a server's own certificate.
func leafSample(leaf *x509.Certificate) exporter.Sample {
	fingerprint := sha256.Sum256(leaf.Raw)
	return exporter.Sample{Metric: &rules.ProbeSSLInfo, Value: 1, Labels: []string{
		hex.EncodeToString(fingerprint[:]), clip(leaf.Subject.String(), maxLabel), clip(leaf.Issuer.String(), maxLabel),
		clip(strings.Join(leaf.DNSNames, ","), maxNames), clip(hex.EncodeToString(leaf.SerialNumber.Bytes()), maxLabel),
	}}
}
