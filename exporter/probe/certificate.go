package probe

import (
	"crypto/sha256"
	"crypto/tls"
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
	leaf := state.PeerCertificates[0]
	fingerprint := sha256.Sum256(leaf.Raw)
	l.samples = append(l.samples, exporter.Sample{Metric: &rules.ProbeSSLInfo, Value: 1, Labels: []string{
		hex.EncodeToString(fingerprint[:]), leaf.Subject.String(), leaf.Issuer.String(),
		strings.Join(leaf.DNSNames, ","), hex.EncodeToString(leaf.SerialNumber.Bytes()),
	}})
}
