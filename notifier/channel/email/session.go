package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/gomail.v2"
)

const (
	// maxIdle is how long a connection is kept without a message. Servers hang
	// up after minutes; asking a dead connection costs a round trip.
	maxIdle = time.Minute
	// maxMessages is how many messages one connection carries. Many servers
	// answer 421 somewhere above a hundred.
	maxMessages = 100
	// answerLimit is the most that a server may say during one message.
	answerLimit = 256 << 10
	// goodbye is how long a QUIT may take.
	goodbye = 2 * time.Second
)

// The steps of a session, as errors name them.
const (
	stepConnect   = "connect"
	stepHello     = "greet the server"
	stepTLS       = "start TLS"
	stepAuth      = "log in"
	stepSender    = "MAIL FROM"
	stepRecipient = "RCPT TO"
	stepData      = "DATA"
)

// stepError says at which step a session failed.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func at(step string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step: step, err: err}
}

var (
	// errStale marks a kept connection that turned out dead before anything of
	// the message was sent.
	errStale = errors.New("the kept connection is gone")
	// errNoSecureLogin is our own refusal to say the password in the clear.
	errNoSecureLogin = errors.New("the server offers no TLS, so the password was not sent: use another port, or tls: implicit")
	errNoLogin       = errors.New("the server offers no login that we know (PLAIN, LOGIN)")
	errTooTalkative  = errors.New("the server says too much")
	errNoUTF8        = errors.New("the address has letters that this server can't carry (it offers no SMTPUTF8)")
)

// session is one connection to the server, for one message at a time.
type session struct {
	conn   net.Conn
	client *smtp.Client
	budget *budget
	unbind func() bool // ends the watch over the bound context
	used   bool        // a message went through before
	broken bool        // what the server thinks is unknown
	sent   int
	last   time.Time // when the last message ended
}

var _ gomail.SendCloser = (*session)(nil)

// dial connects, secures and logs in, within ctx.
func (c *Channel) dial(ctx context.Context) (*session, error) {
	conn, err := c.cfg.Dial(ctx, "tcp", net.JoinHostPort(c.cfg.Host, strconv.Itoa(c.cfg.Port)))
	if err != nil {
		return nil, at(stepConnect, innermost(err))
	}
	s := &session{conn: conn, budget: &budget{Conn: conn}}
	s.bind(ctx)
	if err := s.open(c.cfg); err != nil {
		s.hangUp()
		return nil, err
	}
	return s, nil
}

func (s *session) open(cfg Config) error {
	stream := net.Conn(s.budget)
	trust := &tls.Config{ServerName: cfg.Host, RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12}
	secure := cfg.TLS == ImplicitTLS
	if secure {
		stream = tls.Client(stream, trust)
	}
	client, err := smtp.NewClient(stream, cfg.Host)
	if err != nil {
		return at(stepConnect, err)
	}
	s.client = client
	if err := client.Hello(cfg.LocalName); err != nil {
		return at(stepHello, err)
	}
	if cfg.TLS == STARTTLS || cfg.TLS == OptionalSTARTTLS {
		offered, _ := client.Extension("STARTTLS")
		if !offered && cfg.TLS == STARTTLS {
			return at(stepTLS, errors.New("the server doesn't offer STARTTLS: set tls to implicit (port 465) or optional"))
		}
		if offered {
			if err := client.StartTLS(trust); err != nil {
				return at(stepTLS, err)
			}
			secure = true
		}
	}
	if cfg.Username == "" {
		return nil
	}
	if !secure && !(loopback(cfg.Host) && isLoopback(s.conn.RemoteAddr())) {
		return at(stepAuth, errNoSecureLogin)
	}
	return at(stepAuth, s.logIn(cfg))
}

func (s *session) logIn(cfg Config) error {
	_, offered := s.client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	for _, mechanism := range mechanisms {
		if mechanism == "PLAIN" {
			return s.client.Auth(smtp.PlainAuth("", cfg.Username, cfg.Password, cfg.Host))
		}
	}
	for _, mechanism := range mechanisms {
		if mechanism == "LOGIN" {
			return s.client.Auth(&loginAuth{cfg.Username, cfg.Password})
		}
	}
	return errNoLogin
}

// Send says one message. On a kept connection that turns out dead it returns
// errStale, and the message has not begun.
func (s *session) Send(from string, to []string, message io.WriterTo) error {
	err := s.converse(from, to, message)
	if err == nil {
		s.sent++
		return nil
	}
	// A refused step leaves the conversation in order; anything else doesn't.
	var refused *textproto.Error
	if !errors.Is(err, errNoUTF8) && !errors.As(err, &refused) || refused != nil && refused.Code == 421 || s.client.Reset() != nil {
		s.broken = true
	}
	return err
}

func (s *session) converse(from string, to []string, message io.WriterTo) error {
	if err := s.client.Mail(from); err != nil {
		var refused *textproto.Error
		if s.used && (!errors.As(err, &refused) || refused.Code == 421 || connectionFull.MatchString(refused.Msg)) {
			return fmt.Errorf("%w: %w", errStale, err)
		}
		return at(stepSender, err)
	}
	for _, address := range to {
		if utf8, _ := s.client.Extension("SMTPUTF8"); !utf8 && !ascii(address) {
			return at(stepRecipient, errNoUTF8)
		}
		if err := s.client.Rcpt(address); err != nil {
			return at(stepRecipient, err)
		}
	}
	data, err := s.client.Data()
	if err != nil {
		return at(stepData, err)
	}
	if _, err := message.WriteTo(data); err != nil {
		s.broken = true
		return at(stepData, err)
	}
	return at(stepData, data.Close())
}

// connectionFull is how servers say that one connection has carried enough;
// NetEase by its codes.
var connectionFull = regexp.MustCompile(`(?i)MI:DMC|MI:CCL|(?:per|this|in one|in a) (?:connection|session)`)

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// Close says goodbye and hangs up.
func (s *session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	s.bind(ctx)
	err := s.client.Quit()
	s.hangUp()
	return err
}

// bind makes the connection obey ctx until release, and grants the server the
// words for one more message.
func (s *session) bind(ctx context.Context) {
	s.budget.left = answerLimit
	_ = s.conn.SetDeadline(time.Time{})
	s.unbind = context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
}

// release ends bind and reports whether the session is good for another message.
func (s *session) release(now time.Time) bool {
	alive := s.unbind() && !s.broken
	s.used, s.last = true, now
	return alive && s.sent < maxMessages
}

// fresh reports whether a kept session is worth asking.
func (s *session) fresh(now time.Time) bool {
	idle := now.Sub(s.last)
	return idle >= 0 && idle < maxIdle
}

func (s *session) hangUp() {
	s.unbind()
	_ = s.conn.Close()
}

// budget is a connection whose other side may say only so much.
type budget struct {
	net.Conn
	left int
}

// Read reads what the budget allows.
func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooTalkative
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// loginAuth is AUTH LOGIN, which net/smtp leaves out and some providers want.
type loginAuth struct{ username, password string }

// Start begins without an answer.
func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

// Next answers the two prompts by their order, as servers word them differently.
func (a *loginAuth) Next(prompt []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case strings.HasPrefix(strings.ToLower(string(prompt)), "user"):
		return []byte(a.username), nil
	case strings.HasPrefix(strings.ToLower(string(prompt)), "pass"):
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks neither for a username nor for a password")
}

func isLoopback(address net.Addr) bool {
	host, _, err := net.SplitHostPort(address.String())
	return err == nil && loopback(host)
}

// innermost is the last error of a chain: the outer ones repeat the address of the server.
func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}
