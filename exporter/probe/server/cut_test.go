package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// A client library that reads what it was promised, rather than what came,
// stumbles over a packet that is shorter than it should be. That is a reason
// and no more: no panic, and nothing is left behind.
func TestAPacketThatIsTooShortIsAReason(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	elliptical := "\x01" + string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	greeting, row := mysqlGreeting(0), "\x00\x01\x00\x00\x00\x011"
	description := "\x00\x01c\x00" + strings.Repeat("\x00", 18)

	for name, c := range map[string]struct {
		module exporter.Module
		body   string // of which each beginning is sent
		steps  func(part string) []string
	}{
		"mysql's greeting": {mysqlModule(nil), greeting[4:], func(part string) []string { return []string{mysqlPacket(0, part)} }},
		"mysql's refusal to greet": {mysqlModule(nil), mysqlError(0, 1040)[4:], func(part string) []string {
			return []string{mysqlPacket(0, part)}
		}},
		"mysql's welcome": {mysqlModule(nil), mysqlOK, func(part string) []string { return []string{greeting, mysqlPacket(2, part)} }},
		"mysql's error to the login": {mysqlModule(nil), mysqlError(2, 1045)[4:], func(part string) []string {
			return []string{greeting, mysqlPacket(2, part)}
		}},
		"mysql's other plugin": {mysqlModule(nil), "\xfemysql_native_password\x00saltsaltsaltsaltsalt\x00", func(part string) []string {
			return []string{greeting, mysqlPacket(2, part)}
		}},
		"mysql's key": {mysqlModule(nil), elliptical, func(part string) []string {
			return []string{greeting, mysqlPacket(2, "\xfecaching_sha2_password\x00saltsaltsaltsaltsalt\x00"), mysqlPacket(4, "\x01\x04"), mysqlPacket(6, part)}
		}},
		"mysql's columns": {mysqlModule(nil), "\xfe\x01\x00\x00\x00\x00\x00\x00\x00", func(part string) []string {
			return []string{greeting, mysqlPacket(2, mysqlOK), mysqlPacket(1, part)}
		}},
		"mysql's column": {mysqlModule(nil), mysqlColumn, func(part string) []string {
			return []string{greeting, mysqlPacket(2, mysqlOK), mysqlPacket(1, "\x01") + mysqlPacket(2, part) + mysqlPacket(3, "\xfe")}
		}},
		"mysql's end": {mysqlModule(nil), "\xfe\x00\x00\x02\x00\x00\x00", func(part string) []string {
			return []string{greeting, mysqlPacket(2, mysqlOK), mysqlPacket(1, "\x01") + mysqlPacket(2, mysqlColumn) + mysqlPacket(3, part)}
		}},
		"mysql's error to the query": {mysqlModule(nil), mysqlError(1, 1146)[4:], func(part string) []string {
			return []string{greeting, mysqlPacket(2, mysqlOK), mysqlPacket(1, part)}
		}},
		"postgres's mechanisms": {postgresModule(nil), "\x00\x00\x00\x0aSCRAM-SHA-256\x00", func(part string) []string {
			return []string{"", pgMessage('R', part)}
		}},
		"postgres's error": {postgresModule(nil), pgError("FATAL", "28P01")[5:], func(part string) []string { return []string{"", pgMessage('E', part)} }},
		"postgres's columns": {postgresModule(nil), description, func(part string) []string {
			return []string{"", pgOK, pgMessage('1', "") + pgMessage('2', "") + pgMessage('T', part)}
		}},
		"postgres's row": {postgresModule(nil), row, func(part string) []string {
			return []string{"", pgOK, pgMessage('1', "") + pgMessage('2', "") + pgMessage('T', description) + pgMessage('D', part)}
		}},
	} {
		for n := range len(c.body) {
			reading := look(c.module, fake(t, script(bye, c.steps(c.body[:n])...)), hour)
			if reading.Success || reading.Reason == rules.ReasonVantage {
				t.Errorf("%s, %d bytes of it: success %v, %s %q", name, n, reading.Success, reading.Reason, reading.Detail)
			}
			mustBeSilent(t, reading, canary)
		}
	}
	mustFail(t, look(mysqlModule(nil), fake(t, script(bye, greeting, mysqlPacket(2, "\xfecaching_sha2_password\x00saltsaltsaltsaltsalt\x00"),
		mysqlPacket(4, "\x01\x04"), mysqlPacket(6, elliptical))), hour), rules.ReasonOther, "doesn't speak MySQL")
	mustBeIdle(t)
}

func TestTalkWithoutEndIsCutOff(t *testing.T) {
	t.Parallel()
	notice := pgMessage('N', "SNOTICE\x00VNOTICE\x00C00000\x00M"+strings.Repeat("x", 4000)+"\x00\x00")
	notices := fake(t, script(func(conn net.Conn) { endlessly(conn, notice) }, "", ""))
	mustFail(t, look(postgresModule(nil), notices, hour), rules.ReasonOther, "more than a look reads")
	late := fake(t, script(func(conn net.Conn) { endlessly(conn, notice) }, "", pgOK, ""))
	mustFail(t, look(postgresModule(nil), late, hour), rules.ReasonQuery, "more than a look reads")
	for _, line := range []string{"220-x\r\n", "220-" + strings.Repeat("x", 1500) + "\r\n"} {
		target := fake(t, func(conn net.Conn) { endlessly(conn, line) })
		mustFail(t, look(smtpModule(nil), target, hour), rules.ReasonOther, "more than a look reads")
	}
}
