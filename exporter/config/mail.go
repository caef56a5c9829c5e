package config

import (
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

var encryptions = []exporter.Encryption{exporter.EncryptionNone, exporter.EncryptionSTARTTLS, exporter.EncryptionImplicit}

type smtpFields struct {
	Encryption exporter.Encryption
	User       string
	Password   configfile.Secret
	HELO       string
	TLS        configfile.Tree `yaml:"tls_config"`
}

// SetDefaults is called before the file's values.
func (f *smtpFields) SetDefaults() {
	f.Encryption = exporter.EncryptionSTARTTLS
	f.HELO = "localhost"
}

func (b builder) smtp(path string, fields smtpFields) *exporter.SMTP {
	if !slices.Contains(encryptions, fields.Encryption) {
		b.add(path, "encryption", fields.Encryption, "one of "+joined(encryptions))
	}
	switch secret := fields.Password.IsSet(); {
	case fields.User != "" && !secret:
		b.add(path, "password", fields.Password, "the user's password")
	case fields.User == "" && secret:
		b.add(path, "user", fields.User, "whose password it is")
	case fields.User != "" && fields.Encryption == exporter.EncryptionNone:
		b.add(path, "encryption", fields.Encryption, "starttls or implicit: a password is not sent without TLS")
	}
	if !isHost(fields.HELO) {
		b.add(path, "helo", fields.HELO, wantHost)
	}
	return &exporter.SMTP{
		Encryption: fields.Encryption, User: fields.User, Password: fields.Password.Reveal(),
		HELO: fields.HELO, TLS: b.tlsWords(fields.TLS),
	}
}

type certificateFields struct {
	TimeLeft time.Duration   `yaml:"time_left"`
	TLS      configfile.Tree `yaml:"tls_config"`
}

func (b builder) certificate(path string, fields certificateFields) *exporter.TLS {
	b.notNegative(path, "time_left", fields.TimeLeft)
	return &exporter.TLS{Config: b.tlsWords(fields.TLS), TimeLeft: fields.TimeLeft}
}
