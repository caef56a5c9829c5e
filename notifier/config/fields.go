package config

import (
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
	"shopwatch/rules"
)

// The fields as the file has them, each with its default.

type sectionFields struct {
	Prometheus    *serverFields
	Alertmanagers []serverFields
	Webhook       *webhookFields
	Store         storeFields
	Page          pageFields
	Telegram      *telegramFields
	Email         *emailFields
	SMS           *smsFields
	Webhooks      []outgoingFields
	Audiences     map[string][]personFields
	Acknowledged  acknowledgedFields
	Heartbeat     *heartbeatFields
	Subscriptions subscriptionsFields
	Publish       publishFields
	Incidents     incidentsFields
	Templates     templatesFields
}

// SetDefaults is called before the file's values.
func (f *sectionFields) SetDefaults() {
	f.Page.Title = text{ZH: "服务状态", EN: "Service status"}
	f.Page.Timezone = "Asia/Shanghai"
	f.Acknowledged.Management = tellManagement
	f.Subscriptions.SetDefaults()
	f.Incidents.Reopen = 10 * time.Minute
}

type serverFields struct {
	URL         string
	Username    string
	Password    configfile.Secret
	BearerToken configfile.Secret `yaml:"bearer_token"`
	Tenant      string
	CAFile      configfile.Path `yaml:"ca_file"`
}

type pageFields struct {
	Title    text
	URL      string
	Timezone string
}

type emailFields struct {
	Host     string
	Port     *int // default: by tls
	Username string
	Password configfile.Secret
	From     string
	TLS      TLS
}

// SetDefaults is called before the file's values.
func (f *emailFields) SetDefaults() { f.TLS = TLSStartTLS }

// personFields is one person: exactly one of the channels.
type personFields struct {
	Telegram string
	Email    string
	SMS      string
	Webhook  string
	Language notifier.Language
}

// SetDefaults is called before the file's values.
func (f *personFields) SetDefaults() { f.Language = notifier.Chinese }

// acknowledgedFields say who still hears of trouble that ops have acknowledged.
type acknowledgedFields struct {
	Management string
}

type heartbeatFields struct {
	URL      configfile.Secret
	Method   string
	Interval time.Duration
	Timeout  time.Duration
}

// SetDefaults is called before the file's values.
func (f *heartbeatFields) SetDefaults() {
	f.Method, f.Interval, f.Timeout = "GET", time.Minute, 10*time.Second
}

// text is a rules.Text that is given as {zh: …, en: …} or as one text for both languages.
type text rules.Text

// UnmarshalText takes one text for both languages.
func (t *text) UnmarshalText(raw []byte) error {
	t.ZH, t.EN = string(raw), string(raw)
	return nil
}

// both fills a missing language from the other.
func (t text) both() rules.Text {
	if t.ZH == "" {
		t.ZH = t.EN
	}
	if t.EN == "" {
		t.EN = t.ZH
	}
	return rules.Text(t)
}
