package server_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// secured is a behaviour behind a TLS handshake.
func secured(certificate tls.Certificate, behave func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		session := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
		if session.Handshake() == nil {
			behave(session)
		}
	}
}

func TestACertificateMustBeGoodForLongEnough(t *testing.T) {
	t.Parallel()
	authority := servertest.NewAuthority(t)
	in := func(d time.Duration) (string, time.Time) {
		end := time.Now().Add(d)
		_, _, certificate := authority.Issue(t, end)
		return fake(t, secured(certificate, hang)), end
	}
	week := 7 * 24 * time.Hour
	good, end := in(10 * 24 * time.Hour)
	expired, past := in(-24 * time.Hour)
	asking := func(left time.Duration, options config.TLSConfig) exporter.Module {
		return tlsModule(func(o *exporter.TLS) { o.TimeLeft, o.Config = left, options })
	}

	reading := look(asking(week, *trusting(authority.File)), good, hour)
	mustSucceed(t, reading, "tls")
	if got, _ := value(reading, &rules.ProbeSSLExpiry); got != float64(end.Unix()) {
		t.Errorf("earliest end is %v, want %v", got, end.Unix())
	}
	if _, ok := value(reading, &rules.ProbeSSLChain); !ok {
		t.Error("the verified chain's end is missing")
	}
	if got, _ := value(reading, &rules.ProbeIPProtocol); got != 4 {
		t.Errorf("protocol is %v", got)
	}
	reading = look(asking(2*week, *trusting(authority.File)), good, hour)
	mustFail(t, reading, rules.ReasonCertificate, "valid for 10.0 days more, wanted 14.0 days")
	if _, ok := value(reading, &rules.ProbeSSLChain); !ok {
		t.Error("the verified chain's end is missing where it matters")
	}
	mustFail(t, look(asking(0, config.TLSConfig{}), good, hour), rules.ReasonCertificate, "unknown authority")
	mustSucceed(t, look(asking(week, config.TLSConfig{InsecureSkipVerify: true}), good, hour), "tls")
	mustFail(t, look(asking(2*week, config.TLSConfig{InsecureSkipVerify: true}), good, hour), rules.ReasonCertificate, "10.0 days")

	reading = look(asking(0, *trusting(authority.File)), expired, hour)
	mustFail(t, reading, rules.ReasonCertificate, "expired")
	if got, _ := value(reading, &rules.ProbeSSLExpiry); got != float64(past.Unix()) {
		t.Errorf("earliest end is %v, want %v", got, past.Unix())
	}
	mustFail(t, look(asking(0, config.TLSConfig{InsecureSkipVerify: true}), expired, hour), rules.ReasonCertificate, "valid for -24")
}

func TestASessionIsMadeInEachProtocolsWay(t *testing.T) {
	t.Parallel()
	authority := servertest.NewAuthority(t)
	_, _, certificate := authority.Issue(t, time.Now().Add(time.Hour))
	trust := trusting(authority.File)
	mysql := mysqlModule(func(d *exporter.Database) { d.TLS = trust })
	postgres := postgresModule(func(d *exporter.Database) { d.TLS = trust })
	redis := redisModule(func(r *exporter.Redis) { r.TLS = trust })
	starttls := smtpModule(func(s *exporter.SMTP) { s.Encryption, s.TLS = exporter.EncryptionSTARTTLS, *trust })
	smtps := smtpModule(func(s *exporter.SMTP) { s.Encryption, s.TLS = exporter.EncryptionImplicit, *trust })

	// upgrade asks for TLS in a protocol's way, and behaves on the session.
	upgrade := func(before func(net.Conn) error, behave func(net.Conn)) string {
		return fake(t, func(conn net.Conn) {
			if before(conn) == nil {
				secured(certificate, behave)(conn)
			}
		})
	}
	read := func(conn net.Conn, bytes int) error {
		_, err := io.ReadFull(conn, make([]byte, bytes))
		return err
	}
	hello := func(conn net.Conn) error {
		_, _ = io.WriteString(conn, mysqlGreeting(0x0800))
		return read(conn, 36)
	}
	sslRequest := func(conn net.Conn) error {
		if err := read(conn, 8); err != nil {
			return err
		}
		_, err := io.WriteString(conn, "S")
		return err
	}

	t.Run("mysql, whose packets are counted from there on", func(t *testing.T) {
		t.Parallel()
		target := upgrade(hello, func(conn net.Conn) {
			login := make([]byte, 4096)
			n, _ := conn.Read(login)
			if n < 9 || login[3] != 2 || login[5]&0x08 == 0 || !strings.Contains(string(login[:n]), "watcher") {
				t.Errorf("the login is %q", login[:n])
			}
			script(hang, mysqlPacket(3, mysqlOK), mysqlRows(1))(conn)
		})
		reading := look(mysql, target, hour)
		mustSucceed(t, reading, "tls", "greeting", "auth", "query")
		if _, ok := value(reading, &rules.ProbeSSLExpiry); !ok {
			t.Error("the certificate is not told")
		}
		refusing := upgrade(hello, func(conn net.Conn) { _ = read(conn, 40); script(hang, mysqlError(3, 1045))(conn) })
		mustFail(t, look(mysql, refusing, hour), rules.ReasonAuth, "MySQL error 1045")
		wide := upgrade(hello, func(conn net.Conn) {
			_ = read(conn, 40)
			script(hang, mysqlPacket(3, mysqlOK), mysqlPacket(1, "\xfe\x00\x00\x00\x00\x10\x00\x00\x00"))(conn)
		})
		mustFail(t, look(mysql, wide, hour), rules.ReasonQuery, "more than a look reads")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		reading := look(postgres, upgrade(sslRequest, script(hang, "", pgError("FATAL", "28P01"))), hour)
		mustFail(t, reading, rules.ReasonAuth, "PostgreSQL error 28P01")
		mustHavePhases(t, reading, "tls")
	})
	t.Run("a server without TLS is not spoken to without", func(t *testing.T) {
		t.Parallel()
		silent := func(steps ...string) string {
			return fake(t, func(conn net.Conn) {
				script(func(conn net.Conn) {
					if heard, _ := io.ReadAll(conn); len(heard) > 0 {
						t.Errorf("heard %q", heard)
					}
				}, steps...)(conn)
			})
		}
		mustFail(t, look(mysql, silent(mysqlGreeting(0)), hour), rules.ReasonTLS, "offers no TLS")
		mustFail(t, look(postgres, silent("", "N"), hour), rules.ReasonTLS, "offers no TLS")
		mustFail(t, look(starttls, silent("220 mail\r\n", "250-mail\r\n250 AUTH PLAIN\r\n"), hour), rules.ReasonTLS, "doesn't offer STARTTLS")
		mustFail(t, look(starttls, silent("220 mail\r\n", "250-mail\r\n250 STARTTLS\r\n", "454 not now\r\n"), hour), rules.ReasonTLS, "SMTP code 454")
	})
	t.Run("what comes before the handshake is not taken for encrypted", func(t *testing.T) {
		t.Parallel()
		early := script(hang, "220 mail\r\n", "250-mail\r\n250 STARTTLS\r\n", "220 go on\r\n250 injected\r\n")
		mustFail(t, look(starttls, fake(t, early), hour), rules.ReasonTLS, "between the answer to STARTTLS and the handshake")
		mustFail(t, look(mysql, fake(t, script(hang, mysqlGreeting(0x0800)+mysqlPacket(2, mysqlOK))), hour), "other", "doesn't speak MySQL")
		mustFail(t, look(postgres, fake(t, script(hang, "", "S"+pgOK)), hour), rules.ReasonTLS, "")
	})
	t.Run("a stranger's certificate is refused by each", func(t *testing.T) {
		t.Parallel()
		_, _, strange := servertest.NewAuthority(t).Issue(t, time.Now().Add(time.Hour))
		for name, c := range map[string]struct {
			module exporter.Module
			before func(net.Conn) error
		}{
			"mysql": {mysql, hello}, "postgres": {postgres, sslRequest}, "redis": {redis, nil}, "smtps": {smtps, nil},
			"starttls": {starttls, func(conn net.Conn) error {
				reader := bufio.NewReader(conn)
				_, _ = io.WriteString(conn, "220 mail\r\n")
				_, _ = reader.ReadString('\n')
				_, _ = io.WriteString(conn, "250-mail\r\n250 STARTTLS\r\n")
				_, err := reader.ReadString('\n')
				_, _ = io.WriteString(conn, "220 go on\r\n")
				return err
			}},
		} {
			reading := look(c.module, fake(t, func(conn net.Conn) {
				if c.before == nil || c.before(conn) == nil {
					secured(strange, hang)(conn)
				}
			}), hour)
			mustFail(t, reading, rules.ReasonCertificate, "unknown authority")
			if _, ok := value(reading, &rules.ProbeSSLExpiry); !ok {
				t.Errorf("%s: the certificate is not told", name)
			}
		}
	})
}

func TestAPasswordIsSentWhereNobodyReadsIt(t *testing.T) {
	t.Parallel()
	// These servers are on loopback, where anything goes; so they are reached
	// under another address.
	abroad := func(module exporter.Module, target string) exporter.Reading {
		return lookAbroad(t, module, target)
	}
	t.Run("mail", func(t *testing.T) {
		t.Parallel()
		heard := make(chan string, 2)
		listening := func(conn net.Conn) {
			script(func(conn net.Conn) {
				all, _ := io.ReadAll(conn)
				heard <- string(all)
			}, "220 mail\r\n", "250-mail\r\n250 AUTH PLAIN LOGIN\r\n")(conn)
		}
		target := fake(t, listening)
		mustFail(t, abroad(smtpModule(nil), target), rules.ReasonAuth, "not sent over a connection without TLS")
		if got := <-heard; got != "" {
			t.Errorf("heard %q", got)
		}
		accepting := fake(t, script(hang, "220 mail\r\n", "250-mail\r\n250 AUTH LOGIN\r\n", "334 x\r\n", "334 y\r\n", "235 welcome\r\n", "221 bye\r\n"))
		mustSucceed(t, look(smtpModule(nil), accepting, hour), "greeting", "auth")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		target := fake(t, script(hang, "", pgMessage('R', "\x00\x00\x00\x03"), pgOK, pgError("ERROR", "22012")+pgReady))
		mustFail(t, abroad(postgresModule(nil), target), rules.ReasonAuth, "in clear text")
		mustFail(t, look(postgresModule(nil), target, hour), rules.ReasonQuery, "22012")
	})
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		target := fake(t, script(hang, mysqlGreeting(0), mysqlPacket(2, "\xfemysql_clear_password\x00")))
		mustFail(t, look(mysqlModule(nil), target, hour), rules.ReasonAuth, "in clear text")
	})
}

func TestMailCodesAreReasons(t *testing.T) {
	t.Parallel()
	plain := base64.StdEncoding.EncodeToString([]byte("\x00watcher\x00" + canary))
	for code, reason := range map[int]rules.Reason{
		535: rules.ReasonAuth, 534: rules.ReasonAuth, 530: rules.ReasonAuth, 538: rules.ReasonAuth, 454: rules.ReasonAuth, 421: rules.ReasonConnect,
	} {
		said := fmt.Sprintf("%d you said %s %s\r\n", code, plain, canary)
		reading := look(smtpModule(nil), fake(t, script(hang, "220 mail\r\n", "250-mail\r\n250 AUTH PLAIN\r\n", said)), hour)
		mustFail(t, reading, reason, fmt.Sprintf("SMTP code %d to the login: ", code))
		mustBeSilent(t, reading, plain)
	}
	for greeting, reason := range map[string]rules.Reason{
		"421 too busy\r\n": rules.ReasonConnect, "554 go away\r\n": rules.ReasonConnect, "220\r\n": "", "220-a\r\n220-b\r\n220 c\r\n": "",
		"22\r\n": rules.ReasonOther, "220_x\r\n": rules.ReasonOther, "two\r\n": rules.ReasonOther, "120 wait\r\n": rules.ReasonOther,
		strings.Repeat("220-x\r\n", 500): rules.ReasonOther,
	} {
		target := fake(t, script(hang, greeting, "250 mail\r\n", "221 bye\r\n"))
		reading := look(smtpModule(func(s *exporter.SMTP) { s.User = "" }), target, hour)
		if reason == "" {
			mustSucceed(t, reading, "greeting")
		} else {
			mustFail(t, reading, reason, "")
		}
	}
	mustFail(t, look(smtpModule(nil), fake(t, script(hang, "220 mail\r\n", "250-mail\r\n250 AUTH CRAM-MD5\r\n")), hour),
		rules.ReasonAuth, "offers neither AUTH PLAIN nor AUTH LOGIN")
	mustFail(t, look(smtpModule(nil), fake(t, script(hang, "220 mail\r\n", "502 what\r\n")), hour), rules.ReasonQuery, "SMTP code 502 to EHLO")
	mustFail(t, look(smtpModule(func(s *exporter.SMTP) { s.HELO = "a\r\nMAIL FROM:<b>" }), fake(t, hang), hour), rules.ReasonOther, "helo")
}

func TestAServerThatMakesUsComputeIsRefused(t *testing.T) {
	t.Parallel()
	challenge := func(iterations string) string {
		return fake(t, func(conn net.Conn) {
			buffer := make([]byte, 4096)
			_, _ = conn.Read(buffer)
			_, _ = io.WriteString(conn, pgMessage('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"))
			n, _ := conn.Read(buffer)
			_, nonce, _ := strings.Cut(string(buffer[:n]), "r=")
			_, _ = io.WriteString(conn, pgMessage('R', "\x00\x00\x00\x0br="+nonce+"x,s=c2FsdA==,i="+iterations))
			if n, _ = conn.Read(buffer); n > 0 && buffer[0] == 'p' && len(iterations) > 6 { // a farewell is fine
				t.Errorf("it computed: %q", buffer[:n])
			}
			_, _ = io.WriteString(conn, pgError("FATAL", "28P01"))
		})
	}
	mustFail(t, look(postgresModule(nil), challenge("4096"), hour), rules.ReasonAuth, "28P01")
	for _, iterations := range []string{"9999999", "99999999999", "-10000000", "0000000x"} {
		mustFail(t, look(postgresModule(nil), challenge(iterations), hour), rules.ReasonOther, "")
	}
}
