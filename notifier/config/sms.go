package config

import (
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
)

// The providers of text messages, by their names in the file.
const (
	Aliyun  = "aliyun"
	Tencent = "tencent"
	Twilio  = "twilio"
	Gateway = "gateway"
)

// SMSConfig is who sends text messages, and for how much money.
type SMSConfig struct {
	// Providers are those below that are there, the first asked first. At least one.
	Providers []string
	// AllowedPrefixes are how numbers begin that may be sent to, such as "+86":
	// nobody runs up a bill in a country the shop does not sell to. At least one.
	AllowedPrefixes []string
	// DailyLimit is how many texts a day go to the public; people on call don't
	// count, and confirmations have a tenth of their own.
	DailyLimit int
	// PerNumberDailyLimit is how many texts a day one number gets.
	PerNumberDailyLimit int
	Aliyun              *AliyunConfig  // nil: not configured
	Tencent             *TencentConfig // nil: not configured
	Twilio              *TwilioConfig  // nil: not configured
	Gateway             *GatewayConfig // nil: not configured
}

// AliyunConfig is an account with Aliyun's SMS service.
type AliyunConfig struct {
	AccessKeyID     string
	AccessKeySecret configfile.Secret
	SignName        string
	Endpoint        string // host, host:port, or URL of a gateway of one's own
	// Templates are registered template codes by event, "down", or by event and language, "down.zh".
	Templates map[string]string
}

// TencentConfig is an account with Tencent Cloud's SMS service.
type TencentConfig struct {
	SecretID  string
	SecretKey configfile.Secret
	AppID     string
	SignName  string
	Region    string
	Endpoint  string            // as in AliyunConfig
	Templates map[string]string // as in AliyunConfig; ids
}

// TwilioConfig is an account with Twilio. It takes words and no templates.
type TwilioConfig struct {
	AccountSID       string
	KeySID           string            // empty: KeySecret is the account's own token
	KeySecret        configfile.Secret // never empty
	From             string            // or
	MessagingService string
	Endpoint         string // as in AliyunConfig
}

type smsFields struct {
	Providers           []string
	AllowedPrefixes     []string `yaml:"allowed_prefixes"`
	DailyLimit          int      `yaml:"daily_limit"`
	PerNumberDailyLimit int      `yaml:"per_number_daily_limit"`
	Aliyun              *aliyunFields
	Tencent             *tencentFields
	Twilio              *twilioFields
	Gateway             *gatewayFields
}

// SetDefaults is called before the file's values.
func (f *smsFields) SetDefaults() {
	f.AllowedPrefixes, f.DailyLimit, f.PerNumberDailyLimit = []string{"+86"}, 1000, 20
}

type aliyunFields struct {
	AccessKeyID     string            `yaml:"access_key_id"`
	AccessKeySecret configfile.Secret `yaml:"access_key_secret"`
	SignName        string            `yaml:"sign_name"`
	Endpoint        string
	Templates       map[notifier.Event]text
}

// SetDefaults is called before the file's values.
func (f *aliyunFields) SetDefaults() { f.Endpoint = "dysmsapi.aliyuncs.com" }

type tencentFields struct {
	SecretID  string            `yaml:"secret_id"`
	SecretKey configfile.Secret `yaml:"secret_key"`
	AppID     string            `yaml:"app_id"`
	SignName  string            `yaml:"sign_name"`
	Region    string
	Endpoint  string
	Templates map[notifier.Event]text
}

// SetDefaults is called before the file's values.
func (f *tencentFields) SetDefaults() {
	f.Region, f.Endpoint = "ap-guangzhou", "sms.tencentcloudapi.com"
}

type twilioFields struct {
	AccountSID       string            `yaml:"account_sid"`
	KeySID           string            `yaml:"key_sid"`
	KeySecret        configfile.Secret `yaml:"key_secret"`
	AuthToken        configfile.Secret `yaml:"auth_token"`
	From             string
	MessagingService string `yaml:"messaging_service_sid"`
	Endpoint         string
}

// SetDefaults is called before the file's values.
func (f *twilioFields) SetDefaults() { f.Endpoint = "api.twilio.com" }

var (
	// prefixForm matches the beginning of a phone number: country, and more of it if need be.
	prefixForm = regexp.MustCompile(`^\+[1-9][0-9]{0,6}$`)
	// aliyunCode and tencentID match registered templates; gateways have their own.
	aliyunCode = regexp.MustCompile(`^SMS_[A-Za-z0-9_]{1,40}$`)
	tencentID  = regexp.MustCompile(`^[0-9]{1,20}$`)
	anyCode    = regexp.MustCompile(`^[!-~]{1,100}$`)
	accountSID = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	keySID     = regexp.MustCompile(`^SK[0-9a-fA-F]{32}$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
	headerForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,80}$`)
)

func (b builder) sms(path string, fields *smsFields) *SMSConfig {
	if fields == nil {
		return nil
	}
	sms := &SMSConfig{
		AllowedPrefixes: fields.AllowedPrefixes, DailyLimit: fields.DailyLimit, PerNumberDailyLimit: fields.PerNumberDailyLimit,
		Aliyun:  b.aliyun(configfile.Field(path, Aliyun), fields.Aliyun),
		Tencent: b.tencent(configfile.Field(path, Tencent), fields.Tencent),
		Twilio:  b.twilio(configfile.Field(path, Twilio), fields.Twilio),
		Gateway: b.gateway(configfile.Field(path, Gateway), fields.Gateway),
	}
	var there []string
	for _, provider := range []struct {
		name  string
		there bool
	}{{Aliyun, sms.Aliyun != nil}, {Tencent, sms.Tencent != nil}, {Twilio, sms.Twilio != nil}, {Gateway, sms.Gateway != nil}} {
		if provider.there {
			there = append(there, provider.name)
		}
	}
	sms.Providers = b.providers(path, fields.Providers, there)
	prefixes := configfile.Field(path, "allowed_prefixes")
	for i, prefix := range fields.AllowedPrefixes {
		if !prefixForm.MatchString(prefix) {
			b.problems.Add(configfile.Item(prefixes, i), prefix, `"+" and digits, such as "+86"`)
		}
	}
	if len(fields.AllowedPrefixes) == 0 {
		b.problems.Add(prefixes, configfile.Phrase("no prefix"), `at least one, such as "+86"`)
	}
	if fields.DailyLimit < 1 || fields.DailyLimit > 1_000_000 {
		b.add(path, "daily_limit", fields.DailyLimit, "1–1000000 texts a day")
	}
	if fields.PerNumberDailyLimit < 1 || fields.PerNumberDailyLimit > 1000 {
		b.add(path, "per_number_daily_limit", fields.PerNumberDailyLimit, "1–1000 texts a day")
	}
	return sms
}

// providers checks the order in which they are asked. A single one needs no order.
func (b builder) providers(path string, order, there []string) []string {
	at := configfile.Field(path, "providers")
	switch {
	case len(there) == 0:
		b.problems.Add(path, configfile.Phrase("no provider"), "an account with one of aliyun, tencent, twilio, gateway")
		return nil
	case len(order) == 0 && len(there) == 1:
		return there
	case len(order) == 0:
		b.problems.Add(at, nil, "the order in which to ask them: ["+strings.Join(there, ", ")+"]")
		return nil
	}
	strange := false
	for i, name := range order {
		switch {
		case !slices.Contains(there, name):
			strange = true
			b.problems.Add(configfile.Item(at, i), name, configfile.OneOf(name, there)+": no other has an account here")
		case slices.Index(order, name) < i:
			b.problems.Add(configfile.Item(at, i), name, "each once")
		}
	}
	for _, name := range there {
		if !slices.Contains(order, name) && !strange { // it may be the one that was meant
			b.problems.Add(at, configfile.Phrase("no "+name), "all that are configured: "+strings.Join(there, ", "))
		}
	}
	return order
}

// signature checks the name that stands before each text, which the provider puts in brackets.
func (b builder) signature(path, name string) {
	if strings.ContainsAny(name, "【】[]") {
		b.add(path, "sign_name", name, "the registered signature without brackets: the provider adds them")
		return
	}
	b.required(path, "sign_name", name, "the registered signature")
}

func (b builder) aliyun(path string, fields *aliyunFields) *AliyunConfig {
	if fields == nil {
		return nil
	}
	b.required(path, "access_key_id", fields.AccessKeyID, "the account's access key")
	if !fields.AccessKeySecret.IsSet() {
		b.add(path, "access_key_secret", fields.AccessKeySecret, "the access key's secret, or its file in access_key_secret_file")
	}
	b.signature(path, fields.SignName)
	return &AliyunConfig{
		AccessKeyID: fields.AccessKeyID, AccessKeySecret: fields.AccessKeySecret, SignName: fields.SignName,
		Endpoint:  b.endpoint(path, fields.Endpoint, "dysmsapi.aliyuncs.com"),
		Templates: b.templates(configfile.Field(path, "templates"), fields.Templates, aliyunCode, "a template code such as SMS_123456789"),
	}
}

func (b builder) tencent(path string, fields *tencentFields) *TencentConfig {
	if fields == nil {
		return nil
	}
	b.required(path, "secret_id", fields.SecretID, "the SecretId of a CAM user that may only send")
	if !fields.SecretKey.IsSet() {
		b.add(path, "secret_key", fields.SecretKey, "its SecretKey, or its file in secret_key_file")
	}
	if !tencentID.MatchString(fields.AppID) {
		b.add(path, "app_id", fields.AppID, "the application's SmsSdkAppId, such as 1400006666")
	}
	b.signature(path, fields.SignName)
	b.required(path, "region", fields.Region, "a region such as ap-guangzhou")
	return &TencentConfig{
		SecretID: fields.SecretID, SecretKey: fields.SecretKey, AppID: fields.AppID, SignName: fields.SignName, Region: fields.Region,
		Endpoint:  b.endpoint(path, fields.Endpoint, "sms.tencentcloudapi.com"),
		Templates: b.templates(configfile.Field(path, "templates"), fields.Templates, tencentID, "a template id such as 449739"),
	}
}

func (b builder) twilio(path string, fields *twilioFields) *TwilioConfig {
	if fields == nil {
		return nil
	}
	if !accountSID.MatchString(fields.AccountSID) {
		b.add(path, "account_sid", fields.AccountSID, "AC and 32 hex digits")
	}
	secret := fields.KeySecret
	switch {
	case fields.KeySID != "" && !keySID.MatchString(fields.KeySID):
		b.add(path, "key_sid", fields.KeySID, "SK and 32 hex digits")
	case fields.KeySID != "" && !fields.KeySecret.IsSet():
		b.add(path, "key_secret", fields.KeySecret, "the API key's secret, or its file in key_secret_file")
	case fields.KeySID == "" && fields.KeySecret.IsSet():
		b.add(path, "key_sid", fields.KeySID, "the API key of the secret, SK…")
	case fields.KeySID == "" && !fields.AuthToken.IsSet():
		b.add(path, "auth_token", fields.AuthToken, "the account's token, its file in auth_token_file, or an API key in key_sid and key_secret")
	case fields.KeySID == "":
		secret = fields.AuthToken
	case fields.AuthToken.IsSet():
		b.problems.Add(path, configfile.Phrase("both an API key and auth_token"), "one of the two")
	}
	switch {
	case (fields.From == "") == (fields.MessagingService == ""):
		b.add(path, "from", fields.From, "a number of the account, or instead messaging_service_sid: one of the two")
	case fields.From == "" && !serviceSID.MatchString(fields.MessagingService):
		b.add(path, "messaging_service_sid", fields.MessagingService, "MG and 32 hex digits")
	case fields.From != "":
		b.required(path, "from", fields.From, "a number of the account")
	}
	return &TwilioConfig{
		AccountSID: fields.AccountSID, KeySID: fields.KeySID, KeySecret: secret, From: fields.From, MessagingService: fields.MessagingService,
		Endpoint: b.endpoint(path, fields.Endpoint, "api.twilio.com"),
	}
}

// mistake: https, or this machine, or, if it may, one of a private network.
func secretURL(secret configfile.Secret, private bool) (got configfile.Phrase, want string) {
	raw := secret.Reveal()
	parsed, err := url.Parse(raw)
	switch {
	case raw == "":
		return "nothing", "its address, or the file of it in url_file"
	case err != nil, parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "", parsed.User != nil, parsed.Fragment != "":
		return "no address", "https://… with a host, without a user name and #"
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()) && !(private && net.ParseIP(parsed.Hostname()).IsPrivate()):
		return "an address of http", "https://…: http would show messages and secret to everybody on the way"
	}
	return "", ""
}

// endpoint checks a host, or the URL of a gateway of one's own.
func (b builder) endpoint(path, raw, usual string) string {
	if !strings.Contains(raw, "://") {
		if !hostForm.MatchString(raw) {
			b.add(path, "endpoint", raw, "a host such as "+usual)
		}
		return raw
	}
	trimmed := b.url(path, "endpoint", raw)
	parsed, err := url.Parse(trimmed)
	switch {
	case err != nil || parsed.Host == "":
	case parsed.Path != "":
		b.add(path, "endpoint", raw, "an address without a path")
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		b.add(path, "endpoint", raw, "https://…: http would show the numbers to everybody on the way")
	}
	return trimmed
}

// templates checks the codes, which are one for both languages or one each. What
// prolongs or reopens trouble is told with the template of its beginning where it
// has none of its own, and a code with that of a confirmation.
func (b builder) templates(path string, given map[notifier.Event]text, form *regexp.Regexp, want string) map[string]string {
	made := make(map[string]string)
	for _, event := range slices.Sorted(maps.Keys(given)) {
		at, codes := configfile.Field(path, string(event)), given[event].both()
		switch {
		case !slices.Contains(notifier.Texted, event):
			b.problems.Add(at, configfile.Phrase("an unknown event"), "one of "+joined(notifier.Texted))
		case !form.MatchString(codes.ZH):
			b.problems.Add(at, codes.ZH, want)
		case !form.MatchString(codes.EN):
			b.problems.Add(at, codes.EN, want)
		case codes.ZH == codes.EN:
			made[string(event)] = codes.ZH
		default:
			made[string(event)+"."+string(notifier.Chinese)] = codes.ZH
			made[string(event)+"."+string(notifier.English)] = codes.EN
		}
	}
	for _, event := range []notifier.Event{notifier.EventDown, notifier.EventRecovered} {
		if _, ok := given[event]; !ok {
			b.add(path, string(event), nil, want)
		}
	}
	return made
}
