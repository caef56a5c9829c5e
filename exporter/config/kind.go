package config

import (
	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// ownKinds are the kinds that blackbox_exporter doesn't have.
var ownKinds = []exporter.Kind{
	exporter.KindMySQL, exporter.KindPostgres, exporter.KindRedis, exporter.KindSMTP, exporter.KindTLS, exporter.KindJourney,
	exporter.KindUptimeRobot, exporter.KindPush, exporter.KindPayment, exporter.KindSMS,
}

// kindFields are the blocks of a service, of which it has one at most.
type kindFields struct {
	HTTP *httpFields
	TCP  *tcpFields
	ownFields
}

// ownFields are the blocks of our own kinds: a service's, or an inline module's.
type ownFields struct {
	MySQL       *databaseFields
	Postgres    *databaseFields
	Redis       *redisFields
	SMTP        *smtpFields
	TLS         *certificateFields
	Journey     *journeyFields
	UptimeRobot *uptimeRobotFields
	Push        *pushFields
	Payment     *paymentFields
	SMS         *smsFields
}

// block is one kind's block, and how a module is made of it.
type block struct {
	kind  exporter.Kind
	given bool
	build func() exporter.Module
}

// blocks are all blocks of the mapping at path.
func (f kindFields) blocks(b builder, path string) []block {
	return append([]block{
		{exporter.KindHTTP, f.HTTP != nil, func() exporter.Module { return b.http(configfile.Field(path, "http"), *f.HTTP) }},
		{exporter.KindTCP, f.TCP != nil, func() exporter.Module { return b.tcp(*f.TCP) }},
	}, f.ownFields.blocks(b, path)...)
}

func (f ownFields) blocks(b builder, path string) []block {
	at := func(kind exporter.Kind) string { return configfile.Field(path, string(kind)) }
	return []block{
		{exporter.KindMySQL, f.MySQL != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindMySQL, MySQL: b.database(at(exporter.KindMySQL), *f.MySQL)}
		}},
		{exporter.KindPostgres, f.Postgres != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindPostgres, Postgres: b.database(at(exporter.KindPostgres), *f.Postgres)}
		}},
		{exporter.KindRedis, f.Redis != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindRedis, Redis: b.redis(at(exporter.KindRedis), *f.Redis)}
		}},
		{exporter.KindSMTP, f.SMTP != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindSMTP, SMTP: b.smtp(at(exporter.KindSMTP), *f.SMTP)}
		}},
		{exporter.KindTLS, f.TLS != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindTLS, TLS: b.certificate(at(exporter.KindTLS), *f.TLS)}
		}},
		{exporter.KindJourney, f.Journey != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindJourney, Journey: b.journey(at(exporter.KindJourney), *f.Journey)}
		}},
		{exporter.KindUptimeRobot, f.UptimeRobot != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindUptimeRobot, UptimeRobot: b.uptimeRobot(at(exporter.KindUptimeRobot), *f.UptimeRobot)}
		}},
		{exporter.KindPush, f.Push != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindPush, Push: b.push(at(exporter.KindPush), *f.Push)}
		}},
		{exporter.KindPayment, f.Payment != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindPayment, Payment: b.payment(at(exporter.KindPayment), *f.Payment)}
		}},
		{exporter.KindSMS, f.SMS != nil, func() exporter.Module {
			return exporter.Module{Kind: exporter.KindSMS, SMS: b.sms(at(exporter.KindSMS), *f.SMS)}
		}},
	}
}

// kind makes the module of a service: the named one, that of its block, or what
// its targets look like.
func (b builder) kind(path string, fields serviceFields) exporter.Module {
	all := fields.blocks(b, path)
	var given []string
	for _, block := range all {
		if block.given {
			given = append(given, string(block.kind))
		} else if at := configfile.Field(path, string(block.kind)); b.problems.Empty(at) {
			b.problems.Add(at, configfile.Phrase("nothing"), "the options of "+string(block.kind)+", or {} for none")
			return exporter.Module{}
		}
	}
	named := fields.Module != "" || b.problems.Has(configfile.Field(path, "module"))
	if named {
		given = append(given, "module")
	}
	if len(given) > 1 {
		b.problems.Add(path, configfile.Phrase("both "+given[0]+" and "+given[1]), "one of the two")
		return exporter.Module{}
	}
	if named {
		module, _ := b.use(path, fields.Module)
		return module
	}
	for _, block := range all {
		if block.given {
			module := block.build()
			module.Fingerprint = fingerprint(module)
			return module
		}
	}
	return b.kindOfTargets(path, fields)
}

// kindOfTargets makes the module of a service that says nothing but where to look.
func (b builder) kindOfTargets(path string, fields serviceFields) exporter.Module {
	targets := fields.Targets
	if fields.Target != "" {
		targets = []string{fields.Target}
	}
	var module exporter.Module
	switch kind, ok := kindOf(targets); {
	case ok && kind == exporter.KindHTTP:
		var plain httpFields
		plain.SetDefaults()
		module = b.http(path, plain)
	case ok:
		module = b.tcp(tcpFields{})
	default:
		at := configfile.Field(path, "target")
		if len(fields.Targets) > 0 {
			at = configfile.Field(path, "targets")
		}
		if len(targets) == 1 {
			b.target(at, targets[0], form{want: wantKind, ok: func(string) bool { return false }})
		} else if len(targets) > 1 {
			b.problems.Add(at, configfile.Phrase("targets of which not all are alike"), wantKind)
		}
		return module
	}
	module.Fingerprint = fingerprint(module)
	return module
}

const wantKind = "http://… or https://… with a host, or host:port; for anything else a module or the block of a kind"
