package exporter

import (
	"fmt"
	"log/slog"
	"regexp"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/common/config"
)

// Kind is how a target is looked at: by a prober that blackbox_exporter has
// too, or by one of our own.
type Kind string

// The kinds of blackbox_exporter.
const (
	KindHTTP Kind = "http"
	KindTCP  Kind = "tcp"
	KindICMP Kind = "icmp"
	KindDNS  Kind = "dns"
	KindGRPC Kind = "grpc"
	KindUnix Kind = "unix"
)

// The kinds of our own.
const (
	KindMySQL       Kind = "mysql"
	KindPostgres    Kind = "postgres"
	KindRedis       Kind = "redis"
	KindSMTP        Kind = "smtp"
	KindTLS         Kind = "tls"
	KindJourney     Kind = "journey"
	KindUptimeRobot Kind = "uptimerobot"
	KindPush        Kind = "push"
	KindPayment     Kind = "payment"
	KindSMS         Kind = "sms"
)

// Module says how a target is looked at and what it must answer. Of its
// pointers exactly one is set, that of its Kind. It may hold passwords, so it
// prints as its name and kind.
type Module struct {
	Name    string        // "" where a service says its own
	Kind    Kind          // blackbox_exporter's "prober"
	Timeout time.Duration // 0: the service's alone counts
	// Fingerprint stands for everything that the module says, secrets included,
	// and tells none of it: a hash that whoever reads the configuration makes of
	// the module as it was written, its files' contents included. Of two modules
	// equal fingerprints are equal modules, so a reload knows what changed
	// without comparing compiled patterns. Empty is unknown: then nothing but
	// the very same pointers are equal.
	Fingerprint string

	Blackbox    *blackbox.Module // http, tcp, icmp, dns, grpc, unix, with blackbox_exporter's own options
	MySQL       *Database
	Postgres    *Database
	Redis       *Redis
	SMTP        *SMTP
	TLS         *TLS
	Journey     *Journey
	UptimeRobot *UptimeRobot
	Push        *Push
	Payment     *Payment
	SMS         *SMS
}

// String is the module's name and kind: the rest may be secret.
func (m Module) String() string { return fmt.Sprintf("%s (%s)", m.Name, m.Kind) }

// GoString is String, for %#v.
func (m Module) GoString() string { return m.String() }

// LogValue is String, for slog.
func (m Module) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalText is String, for whatever marshals.
func (m Module) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// HTTPModule is an http module with blackbox_exporter's defaults, but for what
// change changes.
func HTTPModule(change func(*blackbox.HTTPProbe)) Module {
	made := blackbox.DefaultModule
	made.Prober = string(KindHTTP)
	if change != nil {
		change(&made.HTTP)
	}
	return Module{Kind: KindHTTP, Blackbox: &made}
}

// TCPModule is a tcp module with blackbox_exporter's defaults, but for what
// change changes.
func TCPModule(change func(*blackbox.TCPProbe)) Module {
	made := blackbox.DefaultModule
	made.Prober = string(KindTCP)
	if change != nil {
		change(&made.TCP)
	}
	return Module{Kind: KindTCP, Blackbox: &made}
}

// Literal is a pattern that matches the text itself, wherever it stands.
func Literal(text string) blackbox.Regexp {
	return blackbox.MustNewRegexp(regexp.QuoteMeta(text))
}

// Database says how to log in to a MySQL, MariaDB or PostgreSQL server at
// host:port, and what it must answer.
type Database struct {
	User, Password string
	Name           string            // of the database; "" leaves it to the server
	Query          string            // must give at least one row; default SELECT 1
	TLS            *config.TLSConfig // nil: without TLS
}

// Redis says how to log in to a Redis server at host:port; it must answer PING.
type Redis struct {
	User, Password string
	Database       int
	TLS            *config.TLSConfig // nil: without TLS
}

// SMTP says how to talk to a mail server at host:port. Nothing is ever sent.
type SMTP struct {
	Encryption     Encryption
	User, Password string // with a user, AUTH must be accepted
	HELO           string // our own name; default localhost
	TLS            config.TLSConfig
}

// Encryption is how a mail connection becomes TLS.
type Encryption string

// The ways to TLS of a mail connection.
const (
	EncryptionNone     Encryption = "none"
	EncryptionSTARTTLS Encryption = "starttls" // must be offered
	EncryptionImplicit Encryption = "implicit" // from the first byte, port 465
)

// TLS says what the certificate at host:port must be: a chain that verifies,
// with some time left.
type TLS struct {
	Config   config.TLSConfig
	TimeLeft time.Duration // less is a failed look; 0 asks only that it is valid now
}

// Journey is several HTTP steps that a buyer takes, each after the former.
type Journey struct {
	Steps  []Step
	Budget time.Duration // of all steps together; more is a failed look; 0: the timeout alone
	TLS    config.TLSConfig
}

// Step is one step of a Journey. URL, Headers and Body may hold ${name}, where
// a former step extracted the name.
type Step struct {
	Name            string // bounded: it becomes a label
	Method          string // default GET
	URL             string // absolute, or relative to the former step's page (the first: to the target)
	Headers         map[string]string
	Body            string
	ValidStatus     []int // empty: any 2xx
	Contains        []string
	NotContains     []string
	Extract         []Extraction
	FollowRedirects bool
	Budget          time.Duration // of this step; 0: none of its own
}

// Extraction takes a value from a step's answer: the first group of Regexp in
// the body, the value at a JSON path of it, or a header. Exactly one is set.
type Extraction struct {
	Name   string
	Regexp string
	JSON   string // dots between keys and indexes, as in data.items.0.id
	Header string
}

// UptimeRobot reads monitors of an UptimeRobot account: how the target looks
// from elsewhere in the world.
type UptimeRobot struct {
	API      string // v2 or v3
	URL      string // default https://api.uptimerobot.com
	Key      string
	Monitors []string // ids; all must be up
}

// Push is a service that calls us: its silence is failure.
type Push struct {
	Token  string        // the last part of the URL that it calls
	Within time.Duration // between calls at most
}

// Payment is a payment gateway that is asked in its own protocol. Target is
// its URL; each gateway that has only one has a default.
type Payment struct {
	Gateway string // alipay, wechatpay, epay, codepay, epusdt, bepusdt
	// Merchant, Key and the others are the gateway's own credentials, with which
	// a query that changes nothing must be answered; empty: only the protocol is tried.
	Merchant string // app id, mch id, pid; epusdt: of its successor alone
	Key      string // the signing key: PEM of an RSA key, or a shared key
	Serial   string // of the merchant's certificate (wechatpay)
	APIKey   string // APIv3 key (wechatpay), token (epusdt, bepusdt)
	// Skew is how far the gateway's clock may be from ours; default 5 min.
	Skew time.Duration
	TLS  config.TLSConfig
}

// SMS is an SMS provider that is asked whether it would take our messages.
// Nothing is ever sent.
type SMS struct {
	Provider  string // aliyun, tencent, twilio
	KeyID     string // AccessKeyId, SecretId, account SID
	KeySecret string
	Region    string
	AppID     string // Tencent's SmsSdkAppId; Twilio's account SID where KeyID is an API key
	SignName  string // its state is asked for where the API tells; Tencent knows it by its number alone
	Template  string // likewise; Tencent's is a number
	// LeastBalance is in the account's currency; less is a failed look; 0 asks nothing.
	LeastBalance float64
	TLS          config.TLSConfig
}
