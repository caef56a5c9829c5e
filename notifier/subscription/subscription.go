// Package subscription is how people come to be told and how they stop: they
// sign up, prove that the address is theirs, choose what they want to hear,
// leave with one click, and are given or erased all that is held of them.
//
// Nobody is told who didn't prove the address: by a link in a mail (single use,
// 48 h), by a code in a text message (10 min, five tries), or by being the chat
// itself. What the room answers never says who is subscribed. It sends nothing:
// what must be sent is a notice in the outbox, written in the same transaction
// as the row that it is about. Links and codes are derived by HMAC from a key
// and the row, so no password of anybody lies in the database. pages.go and
// what stands beside it are the public pages, api.go the operator's side.
package subscription

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The channels on which somebody can sign up.
const (
	Email    = "email"
	SMS      = "sms"
	Telegram = "telegram"
)

// How long words are good that prove an address, and how often a code may be
// guessed: five tries of a million, three codes a day.
const (
	mailFor  = 48 * time.Hour
	codeFor  = 10 * time.Minute
	maxTries = 5
)

// Tx is one transaction of the store. Nothing that is done in it happens unless
// all of it does.
type Tx interface {
	// Subscriber finds one by address, whatever their state; nil: there is none.
	Subscriber(channel, address string) (*notifier.Subscriber, error)
	// SubscriberByID finds one; nil: there is none.
	SubscriberByID(id int64) (*notifier.Subscriber, error)
	// KeepSubscriber writes one; where ID is 0 it adds a row and sets ID.
	KeepSubscriber(*notifier.Subscriber) error
	// EraseSubscriber removes the row and its deliveries.
	EraseSubscriber(id int64) error
	Notify(notifier.Notice) error
	// CatchUp has somebody who is told from now on hear of what runs already.
	CatchUp(notifier.Recipient) error
	Audit(notifier.AuditEntry) error
}

// Config is what a Service is built of. All is required but Prefixes.
type Config struct {
	// Change runs one transaction.
	Change func(context.Context, func(Tx) error) error
	// List gives subscribers by id, those after one.
	List func(ctx context.Context, after int64, limit int) ([]notifier.Subscriber, error)
	// Held gives what else the store holds of one: acts, and what was sent.
	Held func(ctx context.Context, id int64) (Held, error)
	// Key is 32 random bytes that no other use shares; links of another key are void.
	Key []byte
	// BaseURL is the page's origin, https or on this machine; "": the page can't be
	// reached by links, and there are none.
	BaseURL string
	// Prefixes are how phone numbers may begin; default "+86". The first is that
	// of numbers without a country.
	Prefixes []string
	// Tells are the channels on which notices are sent, and Asks those on which
	// somebody can be asked whether the address is theirs.
	Tells, Asks []string
	Now         func() time.Time
}

// Service holds the rules. It is safe for concurrent use.
type Service struct {
	cfg   Config
	links Links
}

// New refuses to be built without what it needs.
func New(cfg Config) (*Service, error) {
	if cfg.Change == nil || cfg.List == nil || cfg.Held == nil || cfg.Now == nil {
		return nil, errors.New("subscription: transactions, list, what is held, and clock are required")
	}
	links, err := NewLinks(cfg.Key, cfg.BaseURL, cfg.Now)
	if err != nil {
		return nil, err
	}
	if len(cfg.Prefixes) == 0 {
		cfg.Prefixes = []string{"+86"}
	}
	return &Service{cfg: cfg, links: links}, nil
}

// Links makes what messages carry for their readers.
func (s *Service) Links() Links { return s.links }

// Request is what somebody who signs up asks for.
type Request struct {
	Channel  string // Email or SMS
	Address  string // as Address gives it
	Language notifier.Language
	Wants    notifier.Wants
}

// ways are through which somebody acts, for the audit log.
const (
	wayPage = "page"
	wayMail = "email" // the one-click leave
	wayAPI  = "api"
)

// Deeds of the audit log.
const (
	deedAsk        = "ask"     // for a confirmation, or a way back
	deedConfirm    = "confirm" // the address
	deedJoin       = "join"    // by the chat itself
	deedChange     = "change"
	deedLeave      = "leave"
	deedErase      = "erase"
	deedAdd        = "add"
	deedDeactivate = "deactivate"
	deedExport     = "export"
)

// subject names a subscriber without saying who it is.
func subject(id int64) string { return fmt.Sprintf("recipient %d", id) }

// act writes the audit log.
func (s *Service) act(tx Tx, id int64, by, way, deed, detail string) error {
	return tx.Audit(notifier.AuditEntry{At: s.cfg.Now(), By: by, Way: way, Deed: deed, Subject: subject(id), Detail: detail})
}

// renew gives a subscriber new words to prove the address with; older ones are void.
func (s *Service) renew(sub *notifier.Subscriber) {
	var nonce [16]byte
	rand.Read(nonce[:])
	sub.Nonce, sub.NonceTries = base64.RawURLEncoding.EncodeToString(nonce[:]), 0
	sub.NonceUntil = s.cfg.Now().Add(mailFor)
	if sub.Channel == SMS {
		sub.NonceUntil = s.cfg.Now().Add(codeFor)
	}
}

// void makes all words void with which a subscriber could prove anything.
func (s *Service) void(sub *notifier.Subscriber) {
	sub.Nonce, sub.NonceTries, sub.NonceUntil = "", 0, s.cfg.Now()
}

// change runs a transaction, and once more where somebody else was signing the
// same address up in the same moment.
func (s *Service) change(ctx context.Context, do func(Tx) error) error {
	err := s.cfg.Change(ctx, do)
	if mistake, ok := errors.AsType[*notifier.Error](err); ok && mistake.Code == notifier.Conflict {
		err = s.cfg.Change(ctx, do)
	}
	return err
}

// notify has one subscriber be told.
func (s *Service) notify(tx Tx, id int64, event notifier.Event) error {
	return tx.Notify(notifier.Notice{
		Audience: rules.Subscribers, To: id, Event: event, At: s.cfg.Now(), Facts: notifier.Facts{StatusURL: s.cfg.BaseURL},
	})
}

// missing is the mistake of asking for somebody who isn't there.
func missing(id int64) error {
	return &notifier.Error{Code: notifier.NotFound, Message: fmt.Sprintf("there is no subscriber %d: `shopwatch subscriber list` shows them all", id)}
}

// CheckBase reports what is wrong with an origin that links shall be built on:
// they lead across the network, so only this machine is reached without TLS.
func CheckBase(raw string) error {
	base, err := url.Parse(raw)
	switch {
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" || strings.Trim(base.Path, "/") != "":
		return errors.New("subscription: the page's address is no origin such as https://status.example.com")
	case base.Scheme == "https", base.Scheme == "http" && loopback(base.Hostname()):
		return nil
	}
	return errors.New("subscription: links to a page without https would show who is subscribed to everybody on the way")
}
