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

// reach tries whether an anchor takes a connection.
func reach(ctx context.Context, anchor string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", anchor)
	if err != nil {
		return err
	}
	return conn.Close()
}
