package metric

import (
	"slices"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// onTheWay is why a look can fail before its target has said a word.
var onTheWay = []rules.Reason{rules.ReasonDNS, rules.ReasonConnect, rules.ReasonTimeout, rules.ReasonVantage, rules.ReasonOther}

// secure is why a look over TLS can fail besides.
var secure = []rules.Reason{rules.ReasonTLS, rules.ReasonCertificate}

// reasons are why a look of a kind can fail; one that is not here can fail on
// the way. Reasons of TLS are left out where a module says that there is none.
var reasons = map[exporter.Kind][]rules.Reason{
	exporter.KindHTTP: slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonStatus, rules.ReasonBody}),
	exporter.KindTCP:  slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonBody}),
	exporter.KindUnix: slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonBody}),
	exporter.KindICMP: onTheWay,
	exporter.KindDNS:  slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonStatus, rules.ReasonBody, rules.ReasonQuery}),
	exporter.KindGRPC: slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonStatus, rules.ReasonAuth}),

	exporter.KindMySQL:       slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonAuth, rules.ReasonQuery}),
	exporter.KindPostgres:    slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonAuth, rules.ReasonQuery}),
	exporter.KindRedis:       slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonAuth, rules.ReasonQuery}),
	exporter.KindSMTP:        slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonAuth, rules.ReasonQuery}),
	exporter.KindTLS:         slices.Concat(onTheWay, secure),
	exporter.KindJourney:     slices.Concat(onTheWay, secure, []rules.Reason{rules.ReasonStatus, rules.ReasonBody}),
	exporter.KindUptimeRobot: slices.Concat(onTheWay, secure, ofAPI),
	exporter.KindPayment:     slices.Concat(onTheWay, secure, ofAPI),
	exporter.KindSMS:         slices.Concat(onTheWay, secure, ofAPI),
	// Nobody is called: a heartbeat stays away, or comes and says that it failed.
	exporter.KindPush: {rules.ReasonTimeout, rules.ReasonStatus, rules.ReasonVantage, rules.ReasonOther},
}

// ofAPI is why a look at somebody's API can fail.
var ofAPI = []rules.Reason{rules.ReasonStatus, rules.ReasonBody, rules.ReasonAuth, rules.ReasonQuery}

// possible reports whether a look of the module can fail for the reason: the
// counters that exist from the start, at 0.
func possible(module exporter.Module, reason rules.Reason) bool {
	known, ok := reasons[module.Kind]
	if !ok {
		known = onTheWay
	}
	return slices.Contains(known, reason) && !(slices.Contains(secure, reason) && plain(module))
}

// plain reports whether the module says that there is no TLS.
func plain(module exporter.Module) bool {
	switch b := module.Blackbox; module.Kind {
	case exporter.KindTCP:
		return b != nil && !b.TCP.TLS && !upgrades(b.TCP.QueryResponse)
	case exporter.KindUnix:
		return b != nil && !b.Unix.TLS && !upgrades(b.Unix.QueryResponse)
	case exporter.KindDNS:
		return b != nil && !b.DNS.DNSOverTLS
	case exporter.KindGRPC:
		return b != nil && !b.GRPC.TLS
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
