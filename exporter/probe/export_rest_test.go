package probe

import (
	"context"

	"github.com/prometheus/blackbox_exporter/prober"
)

// DNSThrough and ICMPThrough are kinds that look through another prober than
// blackbox_exporter's.

func DNSThrough(ask prober.ProbeFn) Kind {
	return func(ctx context.Context, l *Look) error { return lookDNSWith(ctx, l, ask) }
}

func ICMPThrough(ask prober.ProbeFn) Kind {
	return func(ctx context.Context, l *Look) error { return lookICMPWith(ctx, l, ask) }
}
