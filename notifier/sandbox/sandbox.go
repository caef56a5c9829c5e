// Package sandbox is a small world on this machine that takes messages as the
// real one does: a Telegram Bot API, an SMTP server, SMS gateways of Aliyun and
// others, robots of groups, and a page that shows each message as its reader would see it.
//
// It is the demo's world and the tests' world, one and the same, so that what a
// newcomer sees is what the tests hold: the channels speak to it over their real
// protocols and cannot tell it from the far side. Nothing leaves the machine:
// the room opens no connection, and it refuses to listen on anything but
// loopback. It knows nothing of notices or incidents, only of messages.
package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// The channels that messages come through.
const (
	Telegram = "telegram"
	Email    = "email"
	SMS      = "sms"
	Webhook  = "webhook"
	DingTalk = "dingtalk"
	WeCom    = "wecom"
	Feishu   = "feishu"
)

// Config is what a Sandbox needs.
type Config struct {
	Now    func() time.Time // required; its location is the page's
	Logger *slog.Logger     // default: nobody hears
	// Keep is how many messages are remembered. Default 500.
	Keep int
	// Path is a JSON-lines file that messages outlive a restart in. Empty: memory alone.
	Path string
	// Listen opens each of the four servers' listeners, which must be on
	// loopback. Default: any free port of 127.0.0.1.
	// Try is a command that has something to be told, for a page without messages; "": none.
	Try    string
	Listen func() (net.Listener, error)
	// Prefix is where Handler is mounted, as "/sandbox". Empty: at the root.
	Prefix string
	// STARTTLS makes the SMTP server offer it, with a certificate that only
	// RootCAs trusts, and take logins over it alone.
	STARTTLS bool
	// SignName is the SMS signature that is approved. Default "shopwatch".
	SignName string
	// Templates are approved SMS templates besides those of notices.
	Templates []Template
}

// Credentials are what the servers expect. They open nothing but this sandbox,
// so they are the same everywhere and no secret.
type Credentials struct {
	TelegramToken                      string
	SMTPUsername, SMTPPassword         string
	SMSAccessKeyID, SMSAccessKeySecret string
	SMSSignName                        string
}

// Sandbox is the servers and what they took.
type Sandbox struct {
	cfg      Config
	journal  *journal
	faults   faults
	greylist greylist
	updates  *updates
	dialogue *dialogue
	hook     hook
	roots    *x509.CertPool

	telegram, smtp, sms, gates net.Listener
	mail                       *smtp.Server
	web                        []*http.Server // of telegram, sms and gates, in this order
	closed                     chan struct{}
	close                      func() error
}

var prefixShape = regexp.MustCompile(`^(?:/[A-Za-z0-9_-]+)*$`)

// New opens the listeners, so that the addresses are known; Run serves them.
func New(cfg Config) (*Sandbox, error) {
	if cfg.Now == nil {
		return nil, errors.New("sandbox: no clock")
	}
	if !prefixShape.MatchString(cfg.Prefix) {
		return nil, fmt.Errorf(`sandbox: prefix: got %q, want a path without a slash at its end, as "/sandbox"`, cfg.Prefix)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 500
	}
	if cfg.Listen == nil {
		cfg.Listen = func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	}
	if cfg.SignName == "" {
		cfg.SignName = "shopwatch"
	}
	s := &Sandbox{cfg: cfg, updates: newUpdates(), dialogue: newDialogue(), closed: make(chan struct{})}
	s.close = sync.OnceValue(s.stop)

	var certificate *tls.Config
	if cfg.STARTTLS {
		var err error
		if certificate, s.roots, err = selfSigned(cfg.Now()); err != nil {
			return nil, fmt.Errorf("sandbox: make a certificate: %w", err)
		}
	}
	var err error
	if s.journal, err = openJournal(cfg.Path, cfg.Keep, cfg.Logger); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	for _, listener := range []*net.Listener{&s.telegram, &s.smtp, &s.sms, &s.gates} {
		if *listener, err = s.listen(); err != nil {
			return nil, errors.Join(fmt.Errorf("sandbox: %w", err), s.Close())
		}
	}
	s.mail = s.newMailServer(certificate)
	s.web = []*http.Server{
		{Handler: http.HandlerFunc(s.serveTelegram), ReadHeaderTimeout: 10 * time.Second},
		{Handler: http.HandlerFunc(s.serveSMS), ReadHeaderTimeout: 10 * time.Second},
		{Handler: s.gatesHandler(), ReadHeaderTimeout: 10 * time.Second},
	}
	return s, nil
}

// listen opens a listener and makes sure that only this machine reaches it.
func (s *Sandbox) listen() (net.Listener, error) {
	listener, err := s.cfg.Listen()
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	host, _, err := net.SplitHostPort(listener.Addr().String())
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		_ = listener.Close()
		return nil, fmt.Errorf("listen: got %s, want an address of loopback: strangers must not reach the sandbox", listener.Addr())
	}
	return listener, nil
}

// Run serves until ctx ends or Close is called, and returns nil then; an error
// where a server broke. A sandbox runs once.
func (s *Sandbox) Run(ctx context.Context) error {
	unwatch := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer unwatch()
	serve := []func() error{
		func() error { return s.web[0].Serve(s.telegram) },
		func() error { return s.mail.Serve(s.smtp) },
		func() error { return s.web[1].Serve(s.sms) },
		func() error { return s.web[2].Serve(s.gates) },
	}
	ended := make(chan error, len(serve))
	for _, server := range serve {
		go func() { ended <- server() }()
	}
	var broken error
	for range serve {
		err := <-ended
		select {
		case <-s.closed:
		default:
			broken = fmt.Errorf("sandbox: serve: %w", err)
			_ = s.Close()
		}
	}
	return broken
}

// Close ends the servers and every connection, and closes the file. The page
// goes on showing what was taken.
func (s *Sandbox) Close() error { return s.close() }

func (s *Sandbox) stop() error {
	close(s.closed)
	for _, server := range s.web {
		_ = server.Close()
	}
	if s.mail != nil {
		_ = s.mail.Close()
	}
	for _, listener := range []net.Listener{s.telegram, s.smtp, s.sms, s.gates} {
		if listener != nil {
			_ = listener.Close() // closed already where it was served
		}
	}
	return s.journal.close()
}

// TelegramURL is the Bot API's base, for the channel's api url.
func (s *Sandbox) TelegramURL() string { return "http://" + s.telegram.Addr().String() }

// SMTPAddr is the SMTP server's host:port.
func (s *Sandbox) SMTPAddr() string { return s.smtp.Addr().String() }

// SMSEndpoint is the SMS gateway's host:port. It speaks HTTP.
func (s *Sandbox) SMSEndpoint() string { return s.sms.Addr().String() }

// RootCAs trusts the SMTP server's certificate; nil without Config.STARTTLS.
func (s *Sandbox) RootCAs() *x509.CertPool { return s.roots }

// Credentials returns what the servers expect.
func (s *Sandbox) Credentials() Credentials {
	return Credentials{
		TelegramToken: telegramToken,
		SMTPUsername:  smtpUsername, SMTPPassword: smtpPassword,
		SMSAccessKeyID: smsAccessKeyID, SMSAccessKeySecret: smsAccessKeySecret, SMSSignName: s.cfg.SignName,
	}
}

// Messages returns the messages that are remembered, oldest first.
func (s *Sandbox) Messages() []Message { return s.journal.all() }

// Wait returns the first message that satisfies found, of those that are
// remembered and those to come. It returns the context's error if that ends first.
func (s *Sandbox) Wait(ctx context.Context, found func(Message) bool) (Message, error) {
	for {
		messages, changed := s.journal.watch()
		for _, m := range messages {
			if found(m) {
				return m, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("sandbox: no such message among %d: %w", len(messages), ctx.Err())
		}
	}
}

// take remembers a message that a server accepted.
func (s *Sandbox) take(m Message) Message {
	m.At = s.cfg.Now()
	m = s.journal.add(m)
	s.cfg.Logger.Info("sandbox took a message", "channel", m.Channel, "message", m.ID)
	return m
}
