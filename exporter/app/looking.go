package app

import (
	"context"
	"net"
	"net/netip"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/journey"
	"shopwatch/exporter/probe/payment"
	"shopwatch/exporter/probe/push"
	"shopwatch/exporter/probe/server"
	"shopwatch/exporter/probe/sms"
	"shopwatch/exporter/probe/uptimerobot"
)

// looking is how targets are looked at: the kinds of our own, written down.
type looking struct {
	config Config
	kinds  map[exporter.Kind]probe.Kind
}

func newLooking(cfg Config, pushes *push.Receiver) looking {
	return looking{cfg, map[exporter.Kind]probe.Kind{
		exporter.KindMySQL:       server.MySQL,
		exporter.KindPostgres:    server.Postgres,
		exporter.KindRedis:       server.Redis,
		exporter.KindSMTP:        server.SMTP,
		exporter.KindTLS:         server.TLS,
		exporter.KindJourney:     journey.Look,
		exporter.KindUptimeRobot: uptimerobot.New(uptimerobot.Config{Now: cfg.Now}).Look,
		exporter.KindPush:        pushes.Look,
		exporter.KindPayment:     payment.Look,
		exporter.KindSMS:         sms.Look,
	}}
}

// prober looks at whatever the guard lets it dial; nil lets it dial everything,
// as is right for what the owner configured.
func (l looking) prober(guard func(netip.AddrPort) error) *probe.Prober {
	return probe.New(probe.Config{Guard: guard, Now: l.config.Now, UserAgent: "shopwatch/" + l.config.Version, Kinds: l.kinds})
}

// reach tries whether an anchor answers. A resolver must answer a question: a
// hotel's gateway takes connections for the whole world.
func reach(ctx context.Context, anchor string) error {
	if _, port, err := net.SplitHostPort(anchor); err == nil && port == "53" {
		return ask(ctx, anchor)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", anchor)
	if err != nil {
		return err
	}
	return conn.Close()
}

// ask has a resolver name the servers of the root, which never changes.
func ask(ctx context.Context, resolver string) error {
	asking := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", resolver)
	}}
	_, err := asking.LookupNS(ctx, ".")
	return err
}
