package server_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

var errNoFiles = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}

// mysqlPacket is a packet of MySQL's protocol.
func mysqlPacket(sequence byte, body string) string {
	return string([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), sequence}) + body
}

// mysqlGreeting is what MySQL 5.7 says first, with more flags if asked.
func mysqlGreeting(flags uint16) string {
	body := []byte("\x0a5.7.44\x00\x01\x00\x00\x00saltsalt\x00")
	body = binary.LittleEndian.AppendUint16(body, 0xf7ff&^0x0800|flags)
	body = append(body, "\x21\x02\x00\xff\x81\x15"+strings.Repeat("\x00", 10)+"saltsaltsalt\x00mysql_native_password\x00"...)
	return mysqlPacket(0, string(body))
}

// mysqlError is an error packet whose text repeats the password.
func mysqlError(sequence byte, number uint16) string {
	return mysqlPacket(sequence, "\xff"+string(binary.LittleEndian.AppendUint16(nil, number))+"#28000you said "+canary)
}

const mysqlOK = "\x00\x00\x00\x02\x00\x00\x00"

// mysqlColumn is a column's definition.
const mysqlColumn = "\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00"

// mysqlRows is an answer of one column and some rows.
func mysqlRows(rows int) string {
	answer := mysqlPacket(1, "\x01") + mysqlPacket(2, mysqlColumn)
	if rows < 0 {
		return answer
	}
	sequence := byte(3)
	for range rows {
		answer += mysqlPacket(sequence, "\x011")
		sequence++
	}
	return answer + mysqlPacket(sequence, "\xfe\x00\x00\x02\x00\x00\x00")
}

// pgMessage is a message of PostgreSQL's protocol.
func pgMessage(kind byte, body string) string {
	return string(kind) + string(binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))) + body
}

// pgError is an error whose texts repeat the password.
func pgError(severity, code string) string {
	return pgMessage('E', fmt.Sprintf("S%s\x00V%s\x00C%s\x00Myou said %s\x00D%s\x00\x00", severity, severity, code, canary, canary))
}

const (
	pgOK    = "R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"
	pgReady = "Z\x00\x00\x00\x05I"
)

func TestAnErrorsNumberIsItsReason(t *testing.T) {
	t.Parallel()
	type answer struct {
		number uint16
		reason rules.Reason
		detail string
	}
	for _, c := range []answer{
		{1040, rules.ReasonConnect, "MySQL error 1040: too many connections"},
		{1045, rules.ReasonAuth, "MySQL error 1045: wrong user or password"},
		{1044, rules.ReasonAuth, "MySQL error 1044"},
		{1698, rules.ReasonAuth, "MySQL error 1698"},
		{1130, rules.ReasonAuth, "MySQL error 1130: this machine may not connect"},
		{1129, rules.ReasonAuth, "MySQL error 1129"},
		{1049, rules.ReasonQuery, "MySQL error 1049: there is no such database"},
		{1053, rules.ReasonConnect, "MySQL error 1053: the server is shutting down"},
		{4321, rules.ReasonAuth, "MySQL error 4321 to the login"},
	} {
		t.Run(fmt.Sprintf("mysql %d to the login", c.number), func(t *testing.T) {
			t.Parallel()
			mustFail(t, look(mysqlModule(nil), fake(t, script(hang, mysqlGreeting(0), mysqlError(2, c.number))), hour), c.reason, c.detail)
			if c.reason != rules.ReasonAuth { // a server that is full or blocks us doesn't even greet
				mustFail(t, look(mysqlModule(nil), fake(t, script(bye, mysqlError(0, c.number))), hour), c.reason, c.detail)
			}
		})
	}
	for number, reason := range map[uint16]rules.Reason{
		1146: rules.ReasonQuery, 1064: rules.ReasonQuery, 4321: rules.ReasonQuery, 1142: rules.ReasonAuth, 1053: rules.ReasonConnect,
	} {
		t.Run(fmt.Sprintf("mysql %d to the query", number), func(t *testing.T) {
			t.Parallel()
			target := fake(t, script(hang, mysqlGreeting(0), mysqlPacket(2, mysqlOK), mysqlError(1, number)))
			mustFail(t, look(mysqlModule(nil), target, hour), reason, fmt.Sprintf("MySQL error %d", number))
		})
	}
	for code, reason := range map[string]rules.Reason{
		"28P01": rules.ReasonAuth, "28000": rules.ReasonAuth, "3D000": rules.ReasonQuery, "53300": rules.ReasonConnect,
		"57P03": rules.ReasonConnect, "57P01": rules.ReasonConnect, "08P01": rules.ReasonConnect, "42501": rules.ReasonAuth, "0A000": rules.ReasonAuth,
	} {
		t.Run("postgres "+code+" to the login", func(t *testing.T) {
			t.Parallel()
			mustFail(t, look(postgresModule(nil), fake(t, script(hang, "", pgError("FATAL", code))), hour), reason, "PostgreSQL error "+code)
		})
	}
	for code, reason := range map[string]rules.Reason{
		"42P01": rules.ReasonQuery, "42501": rules.ReasonAuth, "57014": rules.ReasonQuery, "57P01": rules.ReasonConnect, "22012": rules.ReasonQuery,
	} {
		t.Run("postgres "+code+" to the query", func(t *testing.T) {
			t.Parallel()
			target := fake(t, script(hang, "", pgOK, pgError("ERROR", code)+pgReady))
			mustFail(t, look(postgresModule(nil), target, hour), reason, "PostgreSQL error "+code)
		})
	}
	t.Run("postgres's code is not believed to be one", func(t *testing.T) {
		t.Parallel()
		mustFail(t, look(postgresModule(nil), fake(t, script(hang, "", pgError("FATAL", canary))), hour), rules.ReasonOther, "doesn't speak PostgreSQL")
	})
}

func TestARedisErrorsWordIsItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said   string
		reason rules.Reason
		detail string
	}{
		{"-WRONGPASS invalid username-password pair or user is disabled.", rules.ReasonAuth, "WRONGPASS: wrong user or password"},
		{"-ERR invalid password", rules.ReasonAuth, "ERR: wrong password"},
		{"-ERR AUTH <password> called without any password configured", rules.ReasonAuth, "the server has no password"},
		{"-DENIED Redis is running in protected mode", rules.ReasonAuth, "DENIED"},
		{"-ERR max number of clients reached", rules.ReasonConnect, "too many clients"},
		{"-LOADING Redis is loading the dataset in memory", rules.ReasonConnect, "LOADING"},
		{"-ERR you said " + canary, rules.ReasonAuth, "Redis answered AUTH with an error"},
		{"-" + canary, rules.ReasonAuth, "Redis answered AUTH with an error"},
	} {
		mustFail(t, look(redisModule(nil), fake(t, script(hang, "", c.said+"\r\n")), hour), c.reason, c.detail)
	}
	for said, reason := range map[string]rules.Reason{
		"-NOPERM this user has no permissions": rules.ReasonAuth, "-MASTERDOWN Link with MASTER is down": rules.ReasonQuery,
		"-MISCONF Redis is configured to save": rules.ReasonQuery, "-ERR " + canary: rules.ReasonQuery,
		"-BUSY Redis is busy": rules.ReasonQuery, "+" + canary: rules.ReasonOther, ":1": rules.ReasonOther, "$4\r\nPONG": rules.ReasonOther,
	} {
		mustFail(t, look(redisModule(nil), fake(t, script(hang, "", "+OK\r\n", said+"\r\n")), hour), reason, "")
	}
	t.Run("a full server speaks before it is spoken to, and closes", func(t *testing.T) {
		t.Parallel()
		full := fake(t, script(func(conn net.Conn) { hang(conn) }, "-ERR max number of clients reached\r\n"))
		mustFail(t, look(redisModule(nil), full, hour), rules.ReasonConnect, "too many clients")
	})
}

func TestAServerThatHangsUpAmidTheTalkIsDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		module exporter.Module
		steps  []string
	}{
		"mysql before the greeting":    {mysqlModule(nil), nil},
		"mysql amid the greeting":      {mysqlModule(nil), []string{mysqlGreeting(0)[:20]}},
		"mysql before the login":       {mysqlModule(nil), []string{mysqlGreeting(0), ""}},
		"mysql before the answer":      {mysqlModule(nil), []string{mysqlGreeting(0), mysqlPacket(2, mysqlOK), ""}},
		"mysql amid the answer":        {mysqlModule(nil), []string{mysqlGreeting(0), mysqlPacket(2, mysqlOK), mysqlRows(-1)}},
		"postgres before the login":    {postgresModule(nil), []string{"", ""}},
		"postgres before the answer":   {postgresModule(nil), []string{"", pgOK, ""}},
		"redis before the login":       {redisModule(nil), []string{"", ""}},
		"redis before the answer":      {redisModule(nil), []string{"", "+OK\r\n", ""}},
		"mail before the greeting":     {smtpModule(nil), nil},
		"mail before it answers EHLO":  {smtpModule(nil), []string{"220 mail\r\n", ""}},
		"mail before it answers AUTH":  {smtpModule(nil), []string{"220 mail\r\n", "250-mail\r\n250 AUTH PLAIN\r\n", ""}},
		"mail amid a greeting's lines": {smtpModule(nil), []string{"220-mail\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustFail(t, look(c.module, fake(t, script(bye, c.steps...)), hour), rules.ReasonConnect, "")
		})
	}
}

func TestAQueryMustGiveARow(t *testing.T) {
	t.Parallel()
	greet := func(answer string, then func(net.Conn)) func(net.Conn) {
		return script(then, mysqlGreeting(0), mysqlPacket(2, mysqlOK), answer)
	}
	mustSucceed(t, look(mysqlModule(nil), fake(t, greet(mysqlRows(1), hang)), hour), "greeting", "auth", "query")
	mustFail(t, look(mysqlModule(nil), fake(t, greet(mysqlRows(0), hang)), hour), rules.ReasonQuery, "the query gave no row")
	mustFail(t, look(mysqlModule(nil), fake(t, greet(mysqlPacket(1, mysqlOK), hang)), hour), rules.ReasonQuery, "the query gave no row")

	row := "\x00\x01\x00\x00\x00\x011"
	pg := func(answer string, then func(net.Conn)) func(net.Conn) { return script(then, "", pgOK, answer) }
	description := pgMessage('1', "") + pgMessage('2', "") + pgMessage('T', "\x00\x01c\x00"+strings.Repeat("\x00", 18))
	mustSucceed(t, look(postgresModule(nil), fake(t, pg(description+pgMessage('D', row)+pgMessage('C', "SELECT 1\x00")+pgReady, hang)), hour),
		"auth", "query")
	mustFail(t, look(postgresModule(nil), fake(t, pg(description+pgMessage('C', "SELECT 0\x00")+pgReady, hang)), hour), rules.ReasonQuery, "the query gave no row")

	t.Run("of a million rows the first is enough", func(t *testing.T) {
		t.Parallel()
		endless := greet(mysqlRows(-1), func(c net.Conn) {
			for i := 3; ; i++ {
				if _, err := c.Write([]byte(mysqlPacket(byte(i), "\x011"))); err != nil {
					return
				}
			}
		})
		mustSucceed(t, look(mysqlModule(nil), fake(t, endless), hour), "greeting", "auth", "query")
		rows := pg(description, func(c net.Conn) { endlessly(c, strings.Repeat(pgMessage('D', row), 100)) })
		mustSucceed(t, look(postgresModule(nil), fake(t, rows), hour), "auth", "query")
	})
	t.Run("a row that is followed by silence is a row", func(t *testing.T) {
		t.Parallel()
		mustSucceed(t, look(mysqlModule(nil), fake(t, greet(mysqlRows(-1)+mysqlPacket(3, "\x011"), hang)), hour), "greeting", "auth", "query")
		mustSucceed(t, look(postgresModule(nil), fake(t, pg(description+pgMessage('D', row), hang)), hour), "auth", "query")
	})
	t.Run("an answer of too many columns is refused before it is stored", func(t *testing.T) {
		t.Parallel()
		for _, count := range []string{"\xfe\x00\x00\x00\x00\x10\x00\x00\x00", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff", "\xfd\xff\xff\xff"} {
			mustFail(t, look(mysqlModule(nil), fake(t, greet(mysqlPacket(1, count), hang)), hour), rules.ReasonQuery, "more than a look reads")
			more := mysqlPacket(1, "\x00\x00\x00\x0a\x00\x00\x00") // another result follows
			mustFail(t, look(mysqlModule(nil), fake(t, greet(more+mysqlPacket(2, count), hang)), hour), rules.ReasonQuery, "more than a look reads")
		}
	})
	t.Run("an answer that is too long is refused", func(t *testing.T) {
		t.Parallel()
		mustFail(t, look(mysqlModule(nil), fake(t, greet("\x01\x00\x20\x01", hang)), hour), rules.ReasonQuery, "more than a look reads")
		mustFail(t, look(postgresModule(nil), fake(t, pg("T\x40\x00\x00\x00", hang)), hour), rules.ReasonQuery, "more than a look reads")
	})
	t.Run("a query that isn't answered is a timeout", func(t *testing.T) {
		t.Parallel()
		mustFail(t, look(mysqlModule(nil), fake(t, greet("", hang)), 200*time.Millisecond), rules.ReasonTimeout, "still waiting for the query's answer")
		mustFail(t, look(postgresModule(nil), fake(t, pg("", hang)), 200*time.Millisecond), rules.ReasonTimeout, "still waiting for the query's answer")
	})
}
