package config

import (
	"cmp"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
)

var hostForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,253}$`)

var tlsWays = []TLS{TLSStartTLS, TLSImplicit, TLSOptional, TLSNone}

func (b builder) email(path string, fields *emailFields) *EmailConfig {
	if fields == nil {
		return nil
	}
	email := &EmailConfig{
		Host: fields.Host, Username: fields.Username, Password: fields.Password, From: fields.From, TLS: fields.TLS,
		Port: 587,
	}
	if fields.TLS == TLSImplicit {
		email.Port = 465
	}
	if fields.Port != nil {
		email.Port = *fields.Port
	}
	if !hostForm.MatchString(fields.Host) {
		b.add(path, "host", fields.Host, "the mail server's name, such as smtp.example.com")
	}
	if email.Port < 1 || email.Port > 65535 {
		b.add(path, "port", email.Port, "1–65535")
	}
	if !slices.Contains(tlsWays, fields.TLS) {
		b.add(path, "tls", fields.TLS, "one of "+joined(tlsWays))
	}
	if from, err := mail.ParseAddress(fields.From); err != nil || !sendable(from.Address) || strings.ContainsFunc(from.Name, unicode.IsControl) {
		b.add(path, "from", fields.From, `a sender such as "Shop <alerts@example.com>"`)
	}
	switch {
	case fields.Username != "" && !fields.Password.IsSet():
		b.add(path, "password", fields.Password, "the user's password, or its file in password_file")
	case fields.Username == "" && fields.Password.IsSet():
		b.add(path, "username", fields.Username, "the user of the password")
	case fields.Username != "" && fields.TLS == TLSNone && !loopback(fields.Host):
		b.add(path, "tls", fields.TLS, "starttls or implicit: the password would cross the network in the clear")
	}
	return email
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// prefixForm matches the beginning of a phone number: country, and more of it if need be.
var prefixForm = regexp.MustCompile(`^\+[1-9][0-9]{0,6}$`)

// templateForm matches Aliyun's template codes.
var templateForm = regexp.MustCompile(`^SMS_[A-Za-z0-9_]{1,40}$`)

var events = []notifier.Event{notifier.EventDown, notifier.EventProlonged, notifier.EventRecovered}

func (b builder) sms(path string, fields *smsFields) *SMSConfig {
	if fields == nil {
		return nil
	}
	path = configfile.Field(path, "aliyun")
	if fields.Aliyun == nil {
		b.problems.Add(path, nil, "an account with the provider")
		return nil
	}
	account := *fields.Aliyun
	b.required(path, "access_key_id", account.AccessKeyID, "the account's access key")
	if !account.AccessKeySecret.IsSet() {
		b.add(path, "access_key_secret", account.AccessKeySecret, "the access key's secret, or its file in access_key_secret_file")
	}
	b.required(path, "sign_name", account.SignName, "the registered signature")
	account.Endpoint = b.endpoint(path, account.Endpoint)
	prefixes := configfile.Field(path, "allowed_prefixes")
	for i, prefix := range account.AllowedPrefixes {
		if !prefixForm.MatchString(prefix) {
			b.problems.Add(configfile.Item(prefixes, i), prefix, `"+" and digits, such as "+86"`)
		}
	}
	if len(account.AllowedPrefixes) == 0 {
		b.problems.Add(prefixes, configfile.Phrase("no prefix"), `at least one, such as "+86"`)
	}
	return &SMSConfig{Aliyun: &AliyunConfig{
		AccessKeyID:     account.AccessKeyID,
		AccessKeySecret: account.AccessKeySecret,
		SignName:        account.SignName,
		Endpoint:        account.Endpoint,
		AllowedPrefixes: account.AllowedPrefixes,
		Templates:       b.templates(configfile.Field(path, "templates"), account.Templates),
	}}
}

// endpoint checks a host, or the URL of a gateway of one's own.
func (b builder) endpoint(path, raw string) string {
	if !strings.Contains(raw, "://") {
		if !hostForm.MatchString(raw) {
			b.add(path, "endpoint", raw, "a host such as dysmsapi.aliyuncs.com")
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

// templates checks the codes. Prolonged trouble is told with the template of
// new trouble where it has none of its own: both say what fails and since when.
func (b builder) templates(path string, given map[notifier.Event]string) map[notifier.Event]string {
	for _, event := range slices.Sorted(maps.Keys(given)) {
		at := configfile.Field(path, string(event))
		switch {
		case !slices.Contains(events, event):
			b.problems.Add(at, configfile.Phrase("an unknown event"), "one of "+joined(events))
		case !templateForm.MatchString(given[event]):
			b.problems.Add(at, given[event], "a template code such as SMS_123456789")
		}
	}
	for _, event := range []notifier.Event{notifier.EventDown, notifier.EventRecovered} {
		if _, ok := given[event]; !ok {
			b.add(path, string(event), nil, "a template code such as SMS_123456789")
		}
	}
	return map[notifier.Event]string{
		notifier.EventDown:      given[notifier.EventDown],
		notifier.EventProlonged: cmp.Or(given[notifier.EventProlonged], given[notifier.EventDown]),
		notifier.EventRecovered: given[notifier.EventRecovered],
	}
}
