package probe

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/prometheus/blackbox_exporter/prober"

	"shopwatch/rules"
)

// lookICMP pings the target.
func lookICMP(ctx context.Context, l *Look) error { return lookICMPWith(ctx, l, prober.ProbeICMP) }

func lookICMPWith(ctx context.Context, l *Look, ask prober.ProbeFn) error {
	module := *l.module.Blackbox
	d := &delegation{
		look: l, ask: ask, module: module, durations: &rules.ProbeICMPDuration,
		preferred: module.ICMP.IPProtocol, fallback: module.ICMP.IPProtocolFallback,
		explain: func(line record) error { return l.explainICMP(ctx, line) },
	}
	return d.run(ctx, l.target, 0, func(ip string) string { return ip })
}

// explainICMP knows the words of blackbox_exporter's ICMP prober. That we may
// not ping says nothing about the target.
func (l *Look) explainICMP(ctx context.Context, line record) error {
	switch line.message {
	case "Error listening to socket", "Error creating raw connection":
		switch {
		case errors.Is(line.err, os.ErrPermission):
			return Problem(rules.ReasonVantage, "we may not ping: give the program the capability cap_net_raw (setcap cap_net_raw+ep),"+
				" or let its group ping (sysctl net.ipv4.ping_group_range)")
		case errors.Is(line.err, syscall.EADDRNOTAVAIL):
			return Problem(rules.ReasonOther, "source_ip_address is none of this machine's")
		case line.err != nil:
			return Problem(rules.ReasonVantage, "no socket to ping from: "+SafeText(line.err))
		}
	case "Error writing to socket":
		if errors.Is(line.err, os.ErrPermission) { // a packet filter of this machine's own
			return Problem(rules.ReasonVantage, "this machine does not let pings out")
		}
		if line.err != nil {
			return l.Blame(ctx, line.err, rules.ReasonConnect, SafeText(line.err))
		}
	case "Timeout reading from socket":
		return l.Blame(ctx, os.ErrDeadlineExceeded, rules.ReasonTimeout, "")
	}
	return nil
}
