package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	twilio "github.com/twilio/twilio-go/client"
	twilioapi "github.com/twilio/twilio-go/rest/api/v2010"

	"shopwatch/notifier"
)

// DefaultTwilioEndpoint is where Twilio takes messages.
const DefaultTwilioEndpoint = "api.twilio.com"

// longestTwilio is the longest text that Twilio takes, in runes.
const longestTwilio = 1600

// TwilioConfig is what NewTwilio needs.
type TwilioConfig struct {
	AccountSID string // required: "AC" and 32 hex digits
	// KeySID and KeySecret are an API key, "SK…", which can be taken back without
	// the account's own token. Empty KeySID: KeySecret is the account's token.
	KeySID, KeySecret string
	From              string // a number of the account, in E.164, or a sender's name
	MessagingService  string // "MG…"; instead of From
	Endpoint          string // host[:port], or URL; default DefaultTwilioEndpoint
}

// Twilio sends through Twilio, which takes words and no templates. It is no
// substitute for a provider in mainland China: its texts don't get there for
// certain. It is safe for concurrent use.
type Twilio struct {
	cfg TwilioConfig
	url *url.URL
	far *far
}

var _ Provider = (*Twilio)(nil)

var twilioSID = regexp.MustCompile(`^[A-Z]{2}[0-9a-fA-F]{32}$`)

// NewTwilio makes a provider; it does not connect.
func NewTwilio(cfg TwilioConfig) (*Twilio, error) {
	var wrong []error
	refuse := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("sms twilio: "+format, args...))
	}
	if !twilioSID.MatchString(cfg.AccountSID) || !strings.HasPrefix(cfg.AccountSID, "AC") {
		refuse("account sid: want AC and 32 hex digits")
	}
	if cfg.KeySID != "" && (!twilioSID.MatchString(cfg.KeySID) || !strings.HasPrefix(cfg.KeySID, "SK")) {
		refuse("key sid: want SK and 32 hex digits")
	}
	if cfg.KeySecret == "" {
		refuse("key secret: want the API key's secret, or the account's auth token")
	}
	if (cfg.From == "") == (cfg.MessagingService == "") {
		refuse("sender: want one of from and messaging service")
	}
	if cfg.Endpoint == "" {
		cfg.Endpoint = DefaultTwilioEndpoint
	}
	where, err := base(cfg.Endpoint)
	if err != nil {
		refuse("%w", err)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return &Twilio{cfg: cfg, url: where, far: newFar()}, nil
}

// Name is "twilio".
func (p *Twilio) Name() string { return "twilio" }

// Tells reports whether the event is sent by SMS.
func (p *Twilio) Tells(event notifier.Event) bool { return slices.Contains(notifier.Texted, event) }

// Send sends m.Text, cut at 1,600 runes.
func (p *Twilio) Send(ctx context.Context, number string, m notifier.Message) error {
	if strings.TrimSpace(m.Text) == "" {
		return fmt.Errorf("sms twilio: the message has no text: %w", notifier.ErrUnsendable)
	}
	params := (&twilioapi.CreateMessageParams{}).SetTo(number).SetBody(clip(m.Text, longestTwilio))
	if p.cfg.MessagingService != "" {
		params.SetMessagingServiceSid(p.cfg.MessagingService)
	} else {
		params.SetFrom(p.cfg.From)
	}
	calling, t := begin(ctx)
	sent, err := twilioapi.NewApiService(&twilio.RequestHandler{Client: &twilioCall{p, calling}}).CreateMessage(params)
	if t.err != nil {
		return t.failed(ctx, "twilio", p.cfg.KeySecret, p.cfg.AccountSID, p.cfg.KeySID)
	}
	var refused *twilio.TwilioRestError
	switch {
	case errors.As(err, &refused):
		return p.readCode(t, refused)
	case err != nil || t.status < 200 || t.status > 299 || sent.Sid == nil || *sent.Sid == "":
		return t.unread("twilio")
	}
	return nil
}

// twilioCall is the SDK's client for one call: the SDK's own takes no context.
type twilioCall struct {
	*Twilio
	ctx context.Context //nolint:containedctx // the SDK hands none through
}

// AccountSid is whose messages are made.
func (c *twilioCall) AccountSid() string { return c.cfg.AccountSID }

// SetTimeout does nothing: the context ends a call.
func (c *twilioCall) SetTimeout(time.Duration) {}

// SetOauth does nothing: the key is all there is.
func (c *twilioCall) SetOauth(twilio.OAuth) {}

// OAuth is none.
func (c *twilioCall) OAuth() twilio.OAuth { return nil }

// SendRequest sends what the SDK made of a call to our endpoint.
func (c *twilioCall) SendRequest(method, raw string, data url.Values, _ map[string]any, _ ...byte) (*http.Response, error) {
	where, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the SDK made no URL")
	}
	where.Scheme, where.Host = c.url.Scheme, c.url.Host
	request, err := http.NewRequestWithContext(c.ctx, method, where.String(), strings.NewReader(data.Encode()))
	if err != nil {
		return nil, errors.New("no request can be made of the endpoint")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	user := c.cfg.KeySID
	if user == "" {
		user = c.cfg.AccountSID
	}
	request.SetBasicAuth(user, c.cfg.KeySecret)
	answer, err := c.far.RoundTrip(request)
	if err != nil || answer.StatusCode < 400 {
		return answer, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	refused := &twilio.TwilioRestError{}
	if json.NewDecoder(bytes.NewReader(body)).Decode(refused) != nil || refused.Code == 0 {
		return nil, errors.New("an error without a code")
	}
	return nil, refused
}

// readCode maps an error's code to what the caller must do. The codes are those
// of twilio.com/docs/api/errors.
func (p *Twilio) readCode(t *trip, refused *twilio.TwilioRestError) error {
	said := fmt.Errorf("sms twilio: %d: %s", refused.Code, redact(refused.Message, p.cfg.KeySecret, p.cfg.AccountSID, p.cfg.KeySID))
	later := func(after time.Duration) error {
		return &notifier.RetryAfterError{After: after, Whole: true, Err: said}
	}
	switch refused.Code {
	case 21610, // opted out by STOP
		21211, 21214, 21217, 21614, 21635, 60205: // no number, not to be reached, no mobile
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case 14103, 21602, 21605, 21617, 21619, 30007, 30034, 63013, // no body, too long, filtered, unregistered, a policy
		21612, 21408: // our sender can't reach that country
		return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
	case 20429, 14107, 21611, 30001, 63018: // asked too often, or the sender's queue is full
		return later(t.after(throttled))
	case 63038: // the account's day
		return later(time.Hour)
	case 20003, 10001, 20005, 20006, 20008, 30002, 20404, // the key, or the account
		21606, 21603, 21659, 21660, 21701, 21703, 21704, 14108: // the sender is not ours, or can't send texts
		return later(providerRefused)
	}
	switch {
	case t.status == http.StatusTooManyRequests:
		return later(t.after(throttled))
	case t.status == http.StatusUnauthorized || t.status == http.StatusForbidden:
		return later(providerRefused)
	}
	return said
}
