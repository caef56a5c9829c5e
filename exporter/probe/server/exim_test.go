package server_test

import (
	"testing"

	"shopwatch/exporter"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

func TestExim(t *testing.T) {
	t.Parallel()
	exim := servertest.Exim(t)
	module := func(encryption exporter.Encryption, user, password string) exporter.Module {
		return smtpModule(func(o *exporter.SMTP) {
			o.Encryption, o.User, o.Password, o.TLS = encryption, user, password, *trusting(exim.Authority.File)
		})
	}
	for encryption, target := range map[exporter.Encryption]string{
		exporter.EncryptionSTARTTLS: exim.Addr, exporter.EncryptionImplicit: exim.TLSAddr,
	} {
		mustSucceed(t, look(module(encryption, exim.User, exim.Password), target, patience), "tls", "greeting", "auth")
		mustSucceed(t, look(module(encryption, "", ""), target, patience), "tls", "greeting")
		mustFail(t, look(module(encryption, exim.User, canary), target, patience), rules.ReasonAuth, "SMTP code 535 to the login: wrong user or password")
	}
	mustSucceed(t, look(module(exporter.EncryptionNone, "", ""), exim.Addr, patience), "greeting")
	mustFail(t, look(module(exporter.EncryptionNone, exim.User, exim.Password), exim.Addr, patience), rules.ReasonAuth, "offers neither")
	exim.Stop()
	mustFail(t, look(module(exporter.EncryptionSTARTTLS, "", ""), exim.Addr, patience), rules.ReasonConnect, "refused")
}
