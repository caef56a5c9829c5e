// Package heartbeat says to somebody outside that the alarms work: it fetches
// one address at an interval, as long as they do.
//
// It is for the day on which this whole machine is gone, when nothing of ours
// can say so: who takes the heartbeats alarms when they stop. So silence must
// mean trouble, and a heartbeat must never be sent on hope: only while
// Prometheus is known to judge and notices reach people (Well). The room sends
// nothing else, says nothing at its own end, and never shows the address, whose
// path is a password.
package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Signs are what the decision rests on.
type Signs struct {
	// Evaluated is when Prometheus evaluated the last Watchdog that came, zero if none did.
	Evaluated time.Time
	// Fresh is how old that may be.
	Fresh time.Duration
	// OnCall is how many addresses ops are told at.
	OnCall int
	// Untold is since when there is a notice to people on call that has reached
	// nobody, on its way or given up, zero if there is none. One address that
	// takes nothing is no such notice as long as others got it.
	Untold time.Time
	// Patience is how long that may last.
	Patience time.Duration
}

// Well is nil where the alarms work, else says in words what doesn't.
func Well(now time.Time, s Signs) error {
	switch {
	case s.Evaluated.IsZero():
		return errors.New("no Watchdog has come yet: Prometheus and Alertmanager don't reach the notifier")
	case now.Sub(s.Evaluated) >= s.Fresh:
		return errors.New("the Watchdog no longer comes: Prometheus or Alertmanager stands still")
	case s.OnCall == 0:
		return errors.New("nobody is on call: name somebody in notifier.audiences.ops")
	case !s.Untold.IsZero() && now.Sub(s.Untold) > s.Patience:
		return fmt.Errorf("a notice to people on call has reached nobody for more than %s", s.Patience)
	}
	return nil
}

// Config is what a Heart is built of. All fields are required.
type Config struct {
	// URL gives the address as it is now, so that a file may be replaced.
	URL      func() (string, error)
	Method   string
	Interval time.Duration
	Timeout  time.Duration
	Client   *http.Client
	// Signs are asked before each heartbeat. An error withholds it.
	Signs func(context.Context) (Signs, error)
	// Sent hears when the far side took a heartbeat.
	Sent   func(time.Time)
	Now    func() time.Time
	Logger *slog.Logger
}

// Heart sends heartbeats.
type Heart struct {
	cfg    Config
	client *http.Client
	began  time.Time
	last   string // what is the matter, as it was logged; empty: nothing
}

// New gives a Heart.
func New(cfg Config) (*Heart, error) {
	if cfg.URL == nil || cfg.Client == nil || cfg.Signs == nil || cfg.Sent == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("heartbeat: address, client, signs, sent, clock and logger are required")
	}
	if cfg.Method == "" || cfg.Interval <= 0 || cfg.Timeout <= 0 {
		return nil, errors.New("heartbeat: method, interval and timeout are required")
	}
	client := *cfg.Client
	// The address is a password: it goes where its owner said, and nowhere else.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Heart{cfg: cfg, client: &client, began: cfg.Now()}, nil
}

// Run beats until ctx ends, and says nothing then: a planned stop that lasts is
// as silent as any other.
func (h *Heart) Run(ctx context.Context) {
	ticker := time.NewTicker(h.cfg.Interval)
	defer ticker.Stop()
	for {
		h.Beat(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Beat sends one heartbeat if all is well. What is the matter is logged once,
// and once when it is over.
func (h *Heart) Beat(ctx context.Context) {
	reason, starting := h.well(ctx)
	var refused error
	if reason == nil {
		refused = h.send(ctx)
	}
	if ctx.Err() != nil {
		return // we stop: whatever failed, failed for that
	}
	state := ""
	switch {
	case reason != nil:
		state = reason.Error()
	case refused != nil:
		state = "not taken" // for whatever reason: its text may hold a port that is new each time
	default:
		h.cfg.Sent(h.cfg.Now())
	}
	if state == h.last || starting {
		return
	}
	h.last = state
	switch {
	case reason != nil:
		h.cfg.Logger.Warn("heartbeat withheld, so that whoever takes it alarms", "reason", reason)
	case refused != nil:
		h.cfg.Logger.Warn("heartbeat not taken", "err", refused)
	default:
		h.cfg.Logger.Info("heartbeat is sent again")
	}
}

// well gives the reason to withhold a heartbeat, and whether it is that nobody
// can have judged yet, so shortly after the start.
func (h *Heart) well(ctx context.Context) (reason error, starting bool) {
	signs, err := h.cfg.Signs(ctx)
	if err != nil {
		return err, false
	}
	now := h.cfg.Now()
	reason = Well(now, signs)
	return reason, reason != nil && signs.OnCall > 0 && signs.Evaluated.Before(h.began) && now.Sub(h.began) < signs.Fresh
}

// maxAnswer is how much of an answer is read, so that the connection can be used again.
const maxAnswer = 64 << 10

// send fetches the address once. Its error shows no part of it but the host.
func (h *Heart) send(ctx context.Context) error {
	address, err := h.cfg.URL()
	if err != nil {
		return err // of the file, by its path
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, h.cfg.Method, address, nil)
	if err != nil {
		return errors.New("the heartbeat's url is no web address")
	}
	r.Header.Set("User-Agent", "shopwatch")
	response, err := h.client.Do(r)
	if err != nil {
		return h.hidden(err, r.URL)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	switch status := response.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return fmt.Errorf("%s sends us elsewhere (%d): configure the final address", r.URL.Host, status)
	default:
		return fmt.Errorf("%s answered %d: see whether the address is still the one that it shows", r.URL.Host, status)
	}
}

// leastSecret is how long a part of the address is that may be its password; a
// shorter one is a word like "ping".
const leastSecret = 6

// hidden is an error of the client without the address: http repeats it in
// front, and the far side could inside.
func (h *Heart) hidden(err error, address *url.URL) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s gave no answer within %s", address.Host, h.cfg.Timeout)
	}
	text := err.Error()
	if strings.Contains(text, "invalid proxy address") { // and shows it, login and all
		return fmt.Errorf("%s can't be reached: the address of the proxy in HTTP_PROXY or HTTPS_PROXY is none", address.Host)
	}
	secrets := []string{address.RequestURI(), address.Path, address.RawQuery}
	for _, part := range strings.FieldsFunc(address.RequestURI(), func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		if len(part) >= leastSecret {
			secrets = append(secrets, part)
		}
	}
	for _, secret := range secrets {
		if len(secret) > 1 {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return fmt.Errorf("%s can't be reached: %s", address.Host, text)
}
