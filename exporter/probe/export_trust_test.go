package probe

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Trust is what a Prober remembers of certificates.
type Trust struct{ *trust }

func NewTrust() Trust { return Trust{newTrust()} }

func (t Trust) Verify(secure *tls.Config, certificates []*x509.Certificate) ([][]*x509.Certificate, error) {
	return t.verify(secure, certificates)
}

// Held is how many verdicts are remembered.
func (t Trust) Held() int { return len(t.verdicts) }

// Remember keeps a verdict that is as good as any for a name.
func (t Trust) Remember(name string, now time.Time) {
	t.remember(shown{name: name}, judged(now, nil, nil))
}

const (
	TrustFor  = trustFor
	MaxChains = maxChains
)
