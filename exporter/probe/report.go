package probe

import (
	"context"
	"errors"
	"net"
	"time"

	"shopwatch/rules"
)

// What a kind in a child room needs to tell its own failure: one that takes
// several steps says in which it failed, and one that asks a third party says
// that it couldn't ask.

// Explain gives the reason and the line for the owner that an error of a look
// stands for, as they would come into its Reading.
func Explain(err error) (rules.Reason, string) { return explain(err) }

// BlameExchange makes a problem of the error that a request of [Look.Client]
// ended with: what the connection met keeps its own reason (dns, connect, tls,
// certificate, timeout, vantage).
func (l *Look) BlameExchange(ctx context.Context, err error) error {
	if certificate, ok := errors.AsType[*certificateProblem](err); ok {
		return certificate
	}
	if known, ok := errors.AsType[*problem](err); ok {
		return known
	}
	// net/http has no word of its own for a server that hangs up before it
	// answers; one that answered something else than HTTP is another matter.
	var network *net.OpError
	switch {
	case !l.answered():
		return l.Blame(ctx, err, rules.ReasonConnect, "the far side broke off before an answer")
	case closed(err) || errors.As(err, &network):
		return l.Blame(ctx, err, rules.ReasonConnect, SafeText(err))
	}
	return l.Blame(ctx, err, rules.ReasonOther, SafeText(err))
}

// Waited is how long the look has waited so far for a turn on this machine,
// which is no time of the target's: a kind that times its own steps leaves it out.
func (l *Look) Waited() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waited
}

// UserAgent is what a request of ours calls itself where its service doesn't say.
func (l *Look) UserAgent() string { return l.prober.userAgent }

// SampleCertificates gives the samples of the certificates of the look's first
// TLS connection, which is the target's; or, where it came to none, of those
// that err says we refused: their expiry matters most just then.
func (l *Look) SampleCertificates(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.hops {
		if h.tls != nil {
			l.samples = append(l.samples, certificateSamples(h.tls)...)
			return
		}
	}
	if refused, ok := errors.AsType[*certificateProblem](err); ok {
		l.samples = append(l.samples, certificateSamples(&refused.state)...)
	}
}
