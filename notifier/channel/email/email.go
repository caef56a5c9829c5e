// Package email says one message to one mail address over SMTP.
//
// gomail composes the message. Its own dialer is not used: it sets no deadline
// after connecting, so that a silent server would hold a sender for ever, and it
// offers the password to servers without TLS. session.go is our gomail.SendCloser
// over a kept connection that obeys the caller's context and is replaced when it
// breaks. The room never retries and never paces; a server's words are redacted
// before they become an error, since a refusal quotes the recipient's address.
package email

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"time"

	"shopwatch/notifier"
)

// TLS is how a connection is protected.
type TLS string

// The ways to protect a connection.
const (
	STARTTLS         TLS = "starttls" // in the clear until STARTTLS, which the server must offer; port 587
	ImplicitTLS      TLS = "implicit" // from the first byte; port 465
	OptionalSTARTTLS TLS = "optional" // STARTTLS where the server offers it
	NoTLS            TLS = "none"     // for a server on this machine
)

// Config is what a Channel needs.
type Config struct {
	Host string // required
	Port int    // required, 1–65535
	// Username and Password log in where Username is set. They are sent over
	// TLS or to this machine only.
	Username, Password string
	From               string // required: "Ming's Cards <status@shop.example>" or the bare address
	TLS                TLS    // default STARTTLS
	LocalName          string // how we greet the server; default From's domain
	ListID             string // names the list for mail filters: "status.shop.example"; none where empty
	// RootCAs trusts a server's certificate instead of the system's roots.
	RootCAs *x509.CertPool
	// Now dates messages. Required.
	Now func() time.Time
	// Dial connects. Default: a net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Connections is how many messages may be on their way at once. Default 2.
	Connections int
	// Timeout ends a Send whose context has no earlier deadline. Default 1 min.
	Timeout time.Duration
}

// Channel sends through one SMTP server. It is safe for concurrent use.
type Channel struct {
	cfg  Config
	from mail.Address
	// slots holds one entry a connection that may exist: a kept one, or nil.
	// Who takes an entry puts one back.
	slots chan *session
}

// New makes a channel; it does not connect.
func New(cfg Config) (*Channel, error) {
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("email: "+format, args...)) }
	if cfg.Host == "" || strings.ContainsAny(cfg.Host, "\r\n\t /@") {
		refuse("host: want the name or address of an SMTP server")
	}
	if cfg.Port < 1 || cfg.Port > 65535 {
		refuse("port: got %d, want 1–65535", cfg.Port)
	}
	from, err := mail.ParseAddress(cfg.From)
	if err == nil {
		var ok bool
		if from.Address, ok = notifier.MailAddress(from.Address); !ok || !ascii(from.Address) {
			err = errors.New("no address")
		}
	}
	if err != nil || strings.ContainsFunc(from.Name, isControl) {
		refuse("from: want a mail address, as in %q", "Ming's Cards <status@shop.example>")
		from = &mail.Address{}
	}
	switch cfg.TLS {
	case "":
		cfg.TLS = STARTTLS
	case STARTTLS, ImplicitTLS, OptionalSTARTTLS, NoTLS:
	default:
		refuse("tls: got %q, want starttls, implicit, optional or none", cfg.TLS)
	}
	if cfg.Username != "" && cfg.TLS == NoTLS && !loopback(cfg.Host) {
		refuse("tls: none would send the password in the clear: use starttls or implicit")
	}
	if cfg.LocalName == "" {
		cfg.LocalName = domainOf(from.Address)
	}
	if strings.ContainsFunc(cfg.LocalName, isControl) || strings.Contains(cfg.LocalName, " ") {
		refuse("local name: want a host name")
	}
	if !listID.MatchString(cfg.ListID) {
		refuse("list id: got %q, want a name like status.shop.example", cfg.ListID)
	}
	if cfg.Now == nil {
		refuse("no clock")
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Connections <= 0 {
		cfg.Connections = 2
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	c := &Channel{cfg: cfg, from: *from, slots: make(chan *session, cfg.Connections)}
	for range cfg.Connections {
		c.slots <- nil
	}
	return c, nil
}

// Name is "email".
func (c *Channel) Name() string { return "email" }

// Send mails m to the address. Message-ID is made of m.ID and m.Thread, so a
// message that arrives twice is one message to the reader's mail program, and
// messages with the same Thread are one conversation.
//
// Errors: wrapping notifier.ErrPermanent where the server will not take mail
// for this address, notifier.ErrUnsendable where it will not take this mail,
// *notifier.RetryAfterError where it names a wait or refuses us altogether.
func (c *Channel) Send(ctx context.Context, address string, m notifier.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("email: %w", err)
	}
	address, ok := notifier.MailAddress(address)
	if !ok {
		return fmt.Errorf("email: the address is not a mail address: %w", notifier.ErrPermanent)
	}
	message, err := c.compose(address, m)
	if err != nil {
		return fmt.Errorf("email: %w: %w", err, notifier.ErrUnsendable)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()

	var kept *session
	select {
	case kept = <-c.slots:
	case <-ctx.Done():
		return fmt.Errorf("email: wait for a free connection: %w", ctx.Err())
	}
	kept, err = c.sendOver(ctx, kept, address, message)
	c.slots <- kept
	return c.word(ctx, err, address)
}

// Close hangs up every kept connection. A Send that is on its way isn't
// disturbed, and a later one connects anew.
func (c *Channel) Close() error {
	for range cap(c.slots) {
		select {
		case kept := <-c.slots:
			if kept != nil {
				_ = kept.Close()
			}
			c.slots <- nil
		default:
		}
	}
	return nil
}

// sendOver sends over the kept session, or over a new one where there is none
// or it has gone stale meanwhile. It returns the session to keep, nil for none.
func (c *Channel) sendOver(ctx context.Context, kept *session, address string, message *composed) (*session, error) {
	if kept != nil && !kept.fresh(c.cfg.Now()) {
		kept.hangUp()
		kept = nil
	}
	if kept != nil {
		kept.bind(ctx)
		err := kept.Send(c.from.Address, []string{address}, message)
		if err == nil || !errors.Is(err, errStale) {
			return c.keep(kept), err
		}
		kept.hangUp()
	}
	dialled, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	err = dialled.Send(c.from.Address, []string{address}, message)
	return c.keep(dialled), err
}

// keep decides whether a session is good for another message.
func (c *Channel) keep(s *session) *session {
	if !s.release(c.cfg.Now()) {
		s.hangUp()
		return nil
	}
	return s
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// loopback reports whether the host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
