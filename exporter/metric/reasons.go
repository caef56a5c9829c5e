package metric

import (
	"slices"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// everyReason is why a look of any kind can fail.
var everyReason = []rules.Reason{
	rules.ReasonDNS, rules.ReasonConnect, rules.ReasonTimeout, rules.ReasonVantage, rules.ReasonOther,
}

// reasons are why a look of a kind can fail besides [everyReason].
var reasons = map[exporter.Kind][]rules.Reason{
	exporter.KindHTTP: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody},
	exporter.KindTCP:  {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonBody},
	exporter.KindUnix: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonBody},
	exporter.KindICMP: {},
	exporter.KindDNS:  {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonQuery, rules.ReasonBody},
	exporter.KindGRPC: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus},

	exporter.KindMySQL:       {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonQuery},
	exporter.KindPostgres:    {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonQuery},
	exporter.KindRedis:       {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonQuery},
	exporter.KindSMTP:        {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonStatus},
	exporter.KindTLS:         {rules.ReasonTLS, rules.ReasonCertificate},
	exporter.KindJourney:     {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody},
	exporter.KindUptimeRobot: {rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonAuth, rules.ReasonStatus, rules.ReasonBody},
	exporter.KindPush:        {},
	exporter.KindPayment: {
		rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody, rules.ReasonAuth, rules.ReasonQuery,
	},
	exporter.KindSMS: {
		rules.ReasonTLS, rules.ReasonCertificate, rules.ReasonStatus, rules.ReasonBody, rules.ReasonAuth, rules.ReasonQuery,
	},
}

// possible reports whether a look of the module can fail for the reason: the
// counters that exist from the start, at 0.
func possible(module exporter.Module, reason rules.Reason) bool {
	if reason == rules.ReasonTLS || reason == rules.ReasonCertificate {
		return slices.Contains(reasons[module.Kind], reason) && !plain(module)
	}
	return slices.Contains(everyReason, reason) || slices.Contains(reasons[module.Kind], reason)
}

// plain reports whether the module says that there is no TLS.
func plain(module exporter.Module) bool {
	switch module.Kind {
	case exporter.KindTCP, exporter.KindUnix:
		if module.Blackbox == nil {
			return false
		}
		tcp := module.Blackbox.TCP
		if module.Kind == exporter.KindUnix {
			return !module.Blackbox.Unix.TLS && !upgrades(module.Blackbox.Unix.QueryResponse)
		}
		return !tcp.TLS && !upgrades(tcp.QueryResponse)
	case exporter.KindMySQL:
		return module.MySQL != nil && module.MySQL.TLS == nil
	case exporter.KindPostgres:
		return module.Postgres != nil && module.Postgres.TLS == nil
	case exporter.KindRedis:
		return module.Redis != nil && module.Redis.TLS == nil
	case exporter.KindSMTP:
		return module.SMTP != nil && module.SMTP.Encryption == exporter.EncryptionNone
	}
	return false
}

// upgrades reports whether a conversation goes over to TLS on the way.
func upgrades(conversation []blackbox.QueryResponse) bool {
	return slices.ContainsFunc(conversation, func(step blackbox.QueryResponse) bool { return step.StartTLS })
}
