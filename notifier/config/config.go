// Package config reads the notifier's half of shopwatch.yml: section
// `notifier`, which says whom to tell and by which channels, and section
// `escalation`, which the measuring half reads for itself.
//
// Everything is validated and every mistake is reported at once, with its line,
// so that whoever gets a Config needs to doubt nothing in it. The room opens no
// connection and sends nothing. It never reads the exporter's section: the
// process of the public page must not know a shop's database password. Tokens
// and passwords are [configfile.Secret], and mail addresses, phone numbers and
// chats of people stand in no mistake: the line says where to look.
package config

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	// The page's zone is known also where the system has no zone files.
	_ "time/tzdata"

	"github.com/prometheus/common/model"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
	"shopwatch/rules"
)

// Names of the sections that are read.
const (
	Section           = "notifier"
	SectionEscalation = "escalation"
)

// The channels that a person can be told by: Recipient.Channel.
const (
	Telegram = "telegram"
	Email    = "email"
	SMS      = "sms"
	Webhook  = "webhook"
	DingTalk = "dingtalk"
	WeCom    = "wecom"
	Feishu   = "feishu"
)

// Config is the telling half's configuration, valid and complete.
type Config struct {
	// Prometheus is the server to ask; nil where the file names none, and the one in this process is meant.
	Prometheus *ServerConfig
	// Alertmanagers are asked whether alerts still stand; empty: the one in this
	// process, where there is one.
	Alertmanagers []ServerConfig
	Webhook       WebhookConfig
	Publish       PublishConfig
	Reopen        time.Duration // how long after its end an incident opens again, at pace 1; 0: never
	Store         StoreConfig
	Page          PageConfig
	Telegram      *TelegramConfig // nil: not configured
	Email         *EmailConfig    // nil: not configured
	SMS           *SMSConfig      // nil: not configured
	// Webhooks are the addresses and group robots that notices are posted to.
	Webhooks []OutgoingConfig
	// Audiences are the people on call. Their channels are configured. IDs are
	// zero: the store gives them.
	Audiences map[rules.Audience][]notifier.Recipient
	// HoldAcknowledged keeps management out of trouble that ops have acknowledged.
	HoldAcknowledged bool
	Templates        string           // folder of templates that replace ours; empty: none
	Heartbeat        *HeartbeatConfig // nil: not configured
	Subscriptions    SubscriptionsConfig
	Escalation       rules.Escalation

	// Warnings are what works, but hardly as it was meant: for people.
	Warnings configfile.Mistakes
}

// HeartbeatConfig is the address that hears of us as long as we are well.
type HeartbeatConfig struct {
	URL      configfile.Secret // its path is a password
	Method   string            // GET or POST
	Interval time.Duration
	Timeout  time.Duration // shorter than Interval
}

// ServerConfig says how to reach the HTTP API of a Prometheus or an Alertmanager.
type ServerConfig struct {
	URL         string // without a slash at its end
	Username    string // basic authentication, with Password
	Password    configfile.Secret
	BearerToken configfile.Secret // instead of the two
	Tenant      string            // X-Scope-OrgID of Mimir, Thanos or Cortex; empty: none
	CAFile      string            // PEM certificates to trust; empty: the system's
}

// PageConfig says how the public page introduces itself.
type PageConfig struct {
	Title rules.Text
	URL   string         // where the public finds it, without a slash at its end; empty: unknown, and no notice links to it
	Zone  *time.Location // in which the page and notices tell times
}

// TLS says how a mail server is spoken to.
type TLS string

// The ways to speak to a mail server.
const (
	TLSStartTLS TLS = "starttls" // upgrade, or do not send
	TLSImplicit TLS = "implicit" // from the first byte, as on port 465
	TLSOptional TLS = "optional" // upgrade where the server offers it
	TLSNone     TLS = "none"     // never
)

// EmailConfig is one mail server and sender.
type EmailConfig struct {
	Host     string
	Port     int
	Username string // empty: no authentication
	Password configfile.Secret
	From     string // "Shop <alerts@example.com>"
	TLS      TLS
}

// String counts what there is: a Config holds addresses of people.
func (c Config) String() string {
	text := ""
	for _, audience := range audiences {
		text += fmt.Sprintf("%d %s, ", len(c.Audiences[audience]), audience)
	}
	return text + fmt.Sprintf("telegram %t, email %t, sms %t, %d webhooks", c.Telegram != nil, c.Email != nil, c.SMS != nil, len(c.Webhooks))
}

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String, for whatever marshals.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Load decodes and validates the notifier's half for a process that also runs
// Prometheus and Alertmanager: both may be absent from the file. Its error is
// [configfile.Mistakes] with every mistake; the Config is then of no use.
func Load(doc *configfile.Document) (Config, error) { return load(doc, false) }

// LoadStandalone is Load for a process of its own, which must be told where
// Prometheus is and which token Alertmanager sends.
func LoadStandalone(doc *configfile.Document) (Config, error) { return load(doc, true) }

func load(doc *configfile.Document, standalone bool) (Config, error) {
	problems := doc.Problems()
	config := Config{Escalation: rules.DefaultEscalation()}
	doc.Decode(SectionEscalation, &config.Escalation, problems)
	config.Escalation.Check(func(field string, got any, want string) {
		problems.Add(configfile.Field(SectionEscalation, field), got, want)
	})

	var fields sectionFields
	fields.SetDefaults()
	doc.Decode(Section, &fields, problems)
	build := builder{problems}
	if standalone {
		build.standalone(fields)
	}
	config.Prometheus = build.server(path("prometheus"), fields.Prometheus)
	for i := range fields.Alertmanagers {
		server := build.server(configfile.Item(path("alertmanagers"), i), &fields.Alertmanagers[i])
		config.Alertmanagers = append(config.Alertmanagers, *server)
	}
	config.Webhook = build.webhook(path("webhook"), fields.Webhook)
	config.Publish = build.publish(path("publish"), fields.Publish)
	config.Reopen = build.incidents(path("incidents"), fields.Incidents)
	config.Store = build.store(path("store"), fields.Store)
	config.Page = build.page(path("page"), fields.Page)
	config.Telegram = build.telegram(path("telegram"), fields.Telegram, config.Page.URL)
	config.Email = build.email(path("email"), fields.Email)
	config.SMS = build.sms(path("sms"), fields.SMS)
	config.Webhooks = build.webhooks(path("webhooks"), fields.Webhooks)
	config.Audiences = build.audiences(path("audiences"), fields)
	config.HoldAcknowledged = build.acknowledged(path("acknowledged"), fields.Acknowledged)
	config.Templates = build.templateFolder(path("templates"), fields.Templates)
	config.Heartbeat = build.heartbeat(path("heartbeat"), fields.Heartbeat)
	config.Subscriptions = build.subscriptions(path("subscriptions"), fields.Subscriptions, config)
	if err := problems.Err(); err != nil {
		return Config{}, err
	}
	config.Warnings = slices.Concat(problems.Doubts(), untold(doc, config))
	return config, nil
}

// untold warns of the audiences on call in which nobody is.
func untold(doc *configfile.Document, config Config) configfile.Mistakes {
	warnings := doc.Problems()
	nobody := func(audience rules.Audience, after time.Duration) {
		if doc.Has(Section) && len(config.Audiences[audience]) == 0 {
			warnings.Add(configfile.Field(path("audiences"), string(audience)), configfile.Phrase("nobody"),
				fmt.Sprintf("at least one person, who is told of what has lasted %v", model.Duration(after)))
		}
	}
	nobody(rules.Ops, config.Escalation.Ops)
	nobody(rules.Management, config.Escalation.Management)
	return warnings.Found()
}

// Strangers warns of services that the section names and nobody looks at: known
// are the keys of those that are. It is no mistake: an order's payment method has
// such a key too, and so may an alert of the owner's own.
func (c Config) Strangers(doc *configfile.Document, known []string) configfile.Mistakes {
	warnings := doc.Problems()
	for key := range c.Publish.Services {
		if !slices.Contains(known, key) {
			at := configfile.Field(configfile.Field(path("publish"), "services"), key)
			warnings.Add(at, configfile.Phrase("no service of this file"), configfile.OneOf(key, known)+", or a payment method as orders name it")
		}
	}
	return warnings.Found()
}

// path is that of a field of the section.
func path(field string) string { return configfile.Field(Section, field) }
