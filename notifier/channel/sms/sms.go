// Package sms says one message to one phone number through SMS providers.
//
// Each provider is a file with its own constructor (NewAliyun, NewTencent,
// NewTwilio, NewGateway); what they share is here and in far.go and values.go.
// Providers in mainland China send no free text, only templates that they
// approved with variables filled in, so a message is its Template and Params,
// and Text is for providers that take words.
//
// A Channel asks its providers in their order. One that refuses for a reason of
// its own (account, balance, template, a fault) lets the next try at once, since
// nothing was sent. Where the answer of a provider is lost, nobody knows whether
// it took the message: then no other is asked, and the next tries go to the same
// one for a while. The channel says which one it is (notifier.UnclearError), and
// the outbox keeps that with the delivery, so that a try of another process, or
// of another replica, knows it too. Only a process that is killed between asking
// and keeping it forgets: each of its senders then has one message that may be
// told by two providers. The room never paces; a provider's limit becomes a
// notifier.RetryAfterError. Errors hold no number and no key; a provider's words
// are redacted, since they quote both.
package sms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"shopwatch/notifier"
)

// Provider sends through one account.
type Provider interface {
	Name() string // "aliyun"
	// Tells reports whether there is a way to say the event: a template, where the provider wants one.
	Tells(event notifier.Event) bool
	// Send sends to the number, in E.164.
	Send(ctx context.Context, number string, m notifier.Message) error
}

const (
	// callTimeout ends one call of one provider, so that the next still has time.
	callTimeout = 10 * time.Second
	// unclearFor is for how long a message whose answer was lost is tried with
	// nobody but the provider that may have taken it. After that it is better
	// told twice than not at all.
	unclearFor = 10 * time.Minute
	// doubtFor is for how long a provider that lost an answer is asked last for
	// other messages.
	doubtFor = time.Minute
)

// errUnclear marks an error after which the message may have been sent all the same.
var errUnclear = errors.New("whether it was sent is unknown")

// Config is what New needs.
type Config struct {
	Providers []Provider // required; the first is asked first
	// AllowedPrefixes are how numbers begin that may cost money. Default +86.
	AllowedPrefixes []string
	Now             func() time.Time // required
}

// Channel sends through the first provider that takes a message. It is safe for
// concurrent use.
type Channel struct {
	cfg Config

	mu      sync.Mutex
	resting []time.Time // by provider: it refused us altogether until then
	doubted []time.Time // by provider: it lost an answer, and is asked last until then
}

// New makes a channel.
func New(cfg Config) (*Channel, error) {
	if len(cfg.Providers) == 0 || cfg.Now == nil {
		return nil, errors.New("sms: at least one provider and a clock are required")
	}
	if len(cfg.AllowedPrefixes) == 0 {
		cfg.AllowedPrefixes = []string{"+86"}
	}
	if err := checkPrefixes(cfg.AllowedPrefixes); err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	n := len(cfg.Providers)
	return &Channel{cfg: cfg, resting: make([]time.Time, n), doubted: make([]time.Time, n)}, nil
}

// Name is "sms".
func (c *Channel) Name() string { return "sms" }

// Tells reports whether the event is sent by SMS at all: a text costs money, so
// only the beginning and the end of trouble are, and codes for signing up.
func (c *Channel) Tells(event notifier.Event) bool {
	if event == notifier.EventWorsened { // told as down
		event = notifier.EventDown
	}
	return slices.ContainsFunc(c.cfg.Providers, func(p Provider) bool { return p.Tells(event) })
}

// Send sends m to the number, in E.164, by the first provider that takes it.
//
// Errors: wrapping notifier.ErrPermanent where the number takes no messages,
// notifier.ErrUnsendable where no provider can say this message,
// *notifier.RetryAfterError where a limit was met or every account is refused,
// *notifier.UnclearError where a provider may have taken it all the same.
func (c *Channel) Send(ctx context.Context, number string, m notifier.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sms: %w", err)
	}
	if err := checkNumber(number, c.cfg.AllowedPrefixes); err != nil {
		return err
	}
	var refusals []error
	for _, i := range c.order(m.Unclear) {
		err := c.ask(ctx, i, number, m)
		if err == nil || errors.Is(err, errUnclear) || ctx.Err() != nil || isAboutNumber(err) {
			return err
		}
		refusals = append(refusals, err)
	}
	if len(refusals) == 0 {
		return c.wait()
	}
	return together(refusals)
}

// ask asks one provider and keeps what its answer says about it.
func (c *Channel) ask(ctx context.Context, i int, number string, m notifier.Message) error {
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	err := c.cfg.Providers[i].Send(calling, number, m)
	cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	var later *notifier.RetryAfterError
	switch {
	case errors.Is(err, errUnclear):
		c.doubted[i] = now.Add(doubtFor)
		unclear := notifier.Unclear{With: c.cfg.Providers[i].Name(), Since: now}
		if m.Unclear.With == unclear.With { // a try that follows an unclear one does not make the wait longer
			unclear.Since = m.Unclear.Since
		}
		return &notifier.UnclearError{Unclear: unclear, Err: err}
	case errors.As(err, &later) && later.Whole:
		c.resting[i] = now.Add(later.After)
	}
	return err
}

// order is which providers to ask for a message, the first first. It is empty
// where every one of them rests.
func (c *Channel) order(unclear notifier.Unclear) []int {
	if len(c.cfg.Providers) == 1 {
		return []int{0} // when it is asked is the caller's affair
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	var sure, doubtful []int
	for i, provider := range c.cfg.Providers {
		lost := provider.Name() == unclear.With
		switch {
		case lost && now.Before(unclear.Since.Add(unclearFor)):
			return []int{i}
		case now.Before(c.resting[i]):
		case lost || now.Before(c.doubted[i]):
			doubtful = append(doubtful, i)
		default:
			sure = append(sure, i)
		}
	}
	return append(sure, doubtful...)
}

// wait is the error while every provider rests: until the first of them is back.
func (c *Channel) wait() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	back := slices.MinFunc(c.resting, time.Time.Compare)
	return &notifier.RetryAfterError{After: max(back.Sub(c.cfg.Now()), time.Second), Whole: true, Err: errors.New("sms: every provider has refused our account")}
}

// isAboutNumber reports whether another provider would do the reader no good: the
// number is none, wants nothing from us, or has had enough for the moment.
func isAboutNumber(err error) bool {
	var later *notifier.RetryAfterError
	return errors.Is(err, notifier.ErrPermanent) || errors.As(err, &later) && !later.Whole
}

// together makes one error of the refusals of several providers: unsendable
// where it is for all, a wait for the channel where all want one, and else what
// the next try may mend.
func together(refusals []error) error {
	if len(refusals) == 1 {
		return refusals[0]
	}
	var (
		words      []string
		unsendable int
		waits      []time.Duration
	)
	for _, refusal := range refusals {
		words = append(words, refusal.Error())
		var later *notifier.RetryAfterError
		if errors.Is(refusal, notifier.ErrUnsendable) {
			unsendable++
		} else if errors.As(refusal, &later) {
			waits = append(waits, later.After)
		}
	}
	said := errors.New(strings.Join(words, "; "))
	switch {
	case unsendable == len(refusals):
		return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
	case len(waits) == len(refusals):
		return &notifier.RetryAfterError{After: slices.Min(waits), Whole: true, Err: said}
	case len(waits) > 0 && len(waits)+unsendable == len(refusals): // others' messages may go out meanwhile
		return &notifier.RetryAfterError{After: slices.Min(waits), Err: said}
	}
	return said
}
