package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

const (
	// maxReplyLine bounds a line of a mail server; RFC 5321 allows 512 bytes.
	maxReplyLine = 2 << 10
	// maxReplyLines bounds the lines of one reply.
	maxReplyLines = 200
)

// SMTP talks to a mail server as far as a login: greeting, EHLO, STARTTLS where
// the module says so (and then it must be offered), AUTH where it names a user,
// QUIT. It never gets as far as a message.
func SMTP(ctx context.Context, l *probe.Look) error { return looked(ctx, l, "SMTP", lookSMTP) }

func lookSMTP(ctx context.Context, t *talk) error {
	wanted := t.look.Module().SMTP
	hello := wanted.HELO
	if hello == "" {
		hello = "localhost"
	}
	if strings.ContainsAny(hello, " \r\n\t") {
		return probe.Problem(rules.ReasonOther, "the module's helo is not a name")
	}
	secure, err := t.secure(&wanted.TLS)
	if err != nil {
		return err
	}
	implicit := secure
	if wanted.Encryption != exporter.EncryptionImplicit {
		implicit = nil
	}
	if err := t.connect(ctx, implicit, maxTalk); err != nil {
		return err
	}
	m := &mailTalk{talk: t, encrypted: implicit != nil}
	m.use(t.wire)
	if err := m.greet(ctx, hello); err != nil {
		return err
	}
	if wanted.Encryption == exporter.EncryptionSTARTTLS {
		if err := m.startTLS(ctx, secure, hello); err != nil {
			return err
		}
	}
	if wanted.User != "" {
		if err := m.auth(ctx, wanted.User, wanted.Password); err != nil {
			return err
		}
	}
	t.wire.part(ctx)
	_, _, _ = m.ask("QUIT") // what it answers changes nothing
	return nil
}

// mailTalk is a conversation with a mail server.
type mailTalk struct {
	*talk
	conn       net.Conn
	reader     *bufio.Reader
	encrypted  bool
	extensions map[string][]string // by name, with parameters, in capitals
}

func (m *mailTalk) use(conn net.Conn) {
	m.conn, m.reader = conn, bufio.NewReaderSize(conn, maxReplyLine)
}

// greet waits for the server's first word and says ours.
func (m *mailTalk) greet(ctx context.Context, hello string) error {
	end := m.begin("greeting", "waiting for the greeting")
	code, _, err := m.reply()
	if err != nil {
		return m.broken(ctx, err, rules.ReasonOther)
	}
	if code != 220 {
		return mailProblem(code, rules.ReasonConnect, "the greeting")
	}
	if err := m.hello(ctx, hello); err != nil {
		return err
	}
	end()
	return nil
}

// hello says EHLO and learns what the server offers.
func (m *mailTalk) hello(ctx context.Context, hello string) error {
	code, lines, err := m.ask("EHLO " + hello)
	if err != nil {
		return m.broken(ctx, err, rules.ReasonOther)
	}
	if code != 250 {
		return mailProblem(code, rules.ReasonQuery, "EHLO")
	}
	m.extensions = map[string][]string{}
	for _, line := range lines[1:] {
		// "AUTH=PLAIN LOGIN" is how servers said it before RFC 2554.
		words := strings.Fields(strings.Replace(strings.ToUpper(line), "AUTH=", "AUTH ", 1))
		if len(words) > 0 {
			m.extensions[words[0]] = append(m.extensions[words[0]], words[1:]...)
		}
	}
	return nil
}

// startTLS turns the connection into a TLS session.
func (m *mailTalk) startTLS(ctx context.Context, secure *tls.Config, hello string) error {
	if _, offered := m.extensions["STARTTLS"]; !offered {
		return probe.Problem(rules.ReasonTLS, "the server doesn't offer STARTTLS")
	}
	m.look.Step("waiting for the answer to STARTTLS")
	code, _, err := m.ask("STARTTLS")
	if err != nil {
		return m.broken(ctx, err, rules.ReasonTLS)
	}
	if code != 220 {
		return mailProblem(code, rules.ReasonTLS, "STARTTLS")
	}
	if m.reader.Buffered() > 0 {
		// Whoever is between us and the server might have put it there, to be
		// taken for something that came encrypted.
		return probe.Problem(rules.ReasonTLS, "something stands between the answer to STARTTLS and the handshake")
	}
	session, err := m.look.Secure(ctx, m.wire, secure)
	if err != nil {
		if errors.Is(m.wire.met(), errTooMuch) {
			return m.broken(ctx, errTooMuch, rules.ReasonTLS)
		}
		return err
	}
	m.use(session)
	m.encrypted = true
	end := m.begin("greeting", "waiting for the answer to EHLO")
	if err := m.hello(ctx, hello); err != nil {
		return err
	}
	end()
	return nil
}

// auth logs in. The password is sent where nobody else can read it: encrypted,
// or to this machine itself.
func (m *mailTalk) auth(ctx context.Context, user, password string) error {
	if !m.encrypted && !loopback(m.conn) {
		return probe.Problem(rules.ReasonAuth, "the password is not sent over a connection without TLS")
	}
	end := m.begin("auth", "logging in")
	encode := base64.StdEncoding.EncodeToString
	var steps []string
	switch offered := m.extensions["AUTH"]; {
	case slices.Contains(offered, "PLAIN"):
		steps = []string{"AUTH PLAIN " + encode([]byte("\x00"+user+"\x00"+password))}
	case slices.Contains(offered, "LOGIN"):
		steps = []string{"AUTH LOGIN", encode([]byte(user)), encode([]byte(password))}
	default:
		return probe.Problem(rules.ReasonAuth, "the server offers neither AUTH PLAIN nor AUTH LOGIN")
	}
	for i, step := range steps {
		want := 334
		if i == len(steps)-1 {
			want = 235
		}
		code, _, err := m.ask(step)
		if err != nil {
			return m.broken(ctx, err, rules.ReasonAuth)
		}
		if code != want {
			return mailProblem(code, rules.ReasonAuth, "the login")
		}
	}
	end()
	return nil
}

// ask sends a line and reads the reply.
func (m *mailTalk) ask(line string) (code int, lines []string, err error) {
	// As with Redis, a server that closes may have said why before.
	_, _ = m.conn.Write([]byte(line + "\r\n"))
	return m.reply()
}

// errNoReply is a line that is no reply of a mail server.
var errNoReply = errors.New("not a reply")

// reply reads one reply, of one line or more.
func (m *mailTalk) reply() (code int, lines []string, err error) {
	for len(lines) < maxReplyLines {
		raw, err := m.reader.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, nil, errNoReply
		}
		if err != nil {
			return 0, nil, err
		}
		line := strings.TrimRight(string(raw), "\r\n")
		if len(line) < 3 {
			return 0, nil, errNoReply
		}
		code, err = strconv.Atoi(line[:3])
		if err != nil || code < 200 || code > 599 {
			return 0, nil, errNoReply
		}
		if len(line) == 3 || line[3] == ' ' {
			return code, append(lines, strings.TrimSpace(line[3:])), nil
		}
		if line[3] != '-' {
			return 0, nil, errNoReply
		}
		lines = append(lines, line[4:])
	}
	return 0, nil, errTooMuch
}

// mailProblem is the problem of an answer that wasn't wanted. Reason is that
// of a code that doesn't say more than the step.
func mailProblem(code int, reason rules.Reason, step string) error {
	words := map[int]string{
		421: "the server is not available", 432: "the password must be changed", 454: "the server can't do it at the moment",
		500: "the command is not known", 502: "the command is not known", 504: "the way of logging in is not known",
		530: "a login or encryption is needed first", 534: "the way of logging in is too weak for the server",
		535: "wrong user or password", 538: "encryption is needed first", 554: "the server wants nothing to do with us",
	}[code]
	if code == 421 {
		reason = rules.ReasonConnect
	}
	if words == "" {
		words = "not as wanted"
	}
	return probe.Problem(reason, fmt.Sprintf("SMTP code %d to %s: %s", code, step, words))
}
