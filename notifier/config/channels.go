package config

import (
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
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
	switch name, port, err := net.SplitHostPort(fields.Host); {
	case err == nil && name != "" && !strings.Contains(port, "/"):
		b.add(path, "host", fields.Host, "the name alone: host: "+name+", and port: "+port+" beside it")
	case !hostForm.MatchString(fields.Host):
		b.add(path, "host", fields.Host, "the mail server's name, such as smtp.example.com")
	}
	if email.Port < 1 || email.Port > 65535 {
		b.add(path, "port", email.Port, "1–65535")
	}
	if !slices.Contains(tlsWays, fields.TLS) {
		b.add(path, "tls", fields.TLS, "one of "+joined(tlsWays))
	}
	switch { // each port speaks one way, and the other waits there for a greeting that never comes
	case fields.TLS == TLSImplicit && email.Port == 587:
		b.add(path, "tls", fields.TLS, "starttls with port 587; implicit goes with port 465")
	case fields.TLS == TLSStartTLS && email.Port == 465:
		b.add(path, "tls", fields.TLS, "implicit with port 465; starttls goes with port 587")
	}
	if from, err := mail.ParseAddress(fields.From); err != nil || !sendable(from.Address) || strings.ContainsFunc(from.Address[:strings.LastIndexByte(from.Address, '@')], func(r rune) bool { return r > unicode.MaxASCII }) || strings.ContainsFunc(from.Name, unicode.IsControl) {
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
