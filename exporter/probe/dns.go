package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/prometheus/blackbox_exporter/prober"

	"shopwatch/rules"
)

// lookDNS asks a DNS server and judges its answer.
func lookDNS(ctx context.Context, l *Look) error { return lookDNSWith(ctx, l, prober.ProbeDNS) }

func lookDNSWith(ctx context.Context, l *Look, ask prober.ProbeFn) error {
	module := *l.module.Blackbox
	host, port, err := net.SplitHostPort(l.target)
	if err != nil {
		host, port = l.target, "53"
		if module.DNS.DNSOverTLS {
			port = "853"
		}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Problem(rules.ReasonOther, "target's port is not a number")
	}
	if module.DNS.TLSConfig.ServerName == "" {
		module.DNS.TLSConfig.ServerName = host
	}
	d := &delegation{
		look: l, ask: ask, module: module, durations: &rules.ProbeDNSDuration,
		preferred: module.DNS.IPProtocol, fallback: module.DNS.IPProtocolFallback,
		explain: func(line record) error { return l.explainDNS(ctx, line) },
	}
	return d.run(ctx, host, uint16(number), func(ip string) string { return net.JoinHostPort(ip, port) })
}

// explainDNS knows the words of blackbox_exporter's DNS prober.
func (l *Look) explainDNS(ctx context.Context, line record) error {
	pattern := clip(line.attrs["regexp"], maxQuote)
	switch line.message {
	case "Error while sending a DNS query":
		return l.blameQuery(ctx, line.err)
	case "Rcode is not one of the valid rcodes":
		return Problem(rules.ReasonStatus, "answered "+line.attrs["string_rcode"])
	case "At least one RR matched regexp":
		return Problem(rules.ReasonBody, fmt.Sprintf("a record matches %q", pattern))
	case "At least one RR did not match regexp":
		return Problem(rules.ReasonBody, fmt.Sprintf("a record doesn't match %q", pattern))
	case "Not all RRs matched regexp":
		return Problem(rules.ReasonBody, "not all records match fail_if_all_match_regexp")
	case "None of the RRs did matched any regexp":
		return Problem(rules.ReasonBody, "no record matches fail_if_none_matches_regexp")
	case "fail_if_not_matches_regexp specified but no RRs returned", "fail_if_none_matches_regexp specified but no RRs returned":
		return Problem(rules.ReasonBody, "no record came where one must match")
	}
	return nil
}

// blameQuery finds the reason in the error of a query that one call of a
// library dialled, secured and made.
func (l *Look) blameQuery(ctx context.Context, err error) error {
	if err == nil {
		return Problem(rules.ReasonQuery, "the query failed")
	}
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Problem(rules.ReasonCertificate, unverified.Err.Error())
	}
	reason, text := rules.ReasonQuery, "what came back is no DNS answer"
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	var network *net.OpError
	switch {
	case notTLS, alert, strings.HasPrefix(err.Error(), "tls: "):
		reason, text = rules.ReasonTLS, SafeText(err)
	case errors.As(err, &network), closed(err):
		reason, text = rules.ReasonConnect, SafeText(err)
	}
	return l.Blame(ctx, err, reason, text)
}
