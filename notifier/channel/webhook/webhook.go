// Package webhook says one message to one HTTP address of the configuration: a
// receiver of our own signed JSON, or the robot of a group in DingTalk, WeCom or
// Feishu.
//
// Each kind is a file that makes the request and reads the answer; what they
// share is here. A recipient's address is the name of a target, which is no
// secret; its URL is one, since it holds the robot's token, and so no error holds
// any of it. Redirects are not followed, answers are read only so far, and
// targets in private networks are allowed, since only the owner names them. The
// room never retries and never paces; a robot's limit becomes a
// notifier.RetryAfterError for this recipient alone.
package webhook

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
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shopwatch/notifier"
)

// Kind is whose form a target takes; it is the channel's name too.
type Kind string

// The kinds.
const (
	Signed   Kind = "webhook"
	DingTalk Kind = "dingtalk"
	WeCom    Kind = "wecom"
	Feishu   Kind = "feishu"
)

const (
	answerLimit = 64 << 10 // bytes of an answer that are read
	// callTimeout ends a call whose context has no earlier deadline.
	callTimeout = 15 * time.Second
	// refused is how long a recipient waits whose target knows us no more: its
	// token, signature or allow-list. Only a person mends those.
	refused = 5 * time.Minute
	// longestWait is the longest that an answer can make us wait.
	longestWait = 24 * time.Hour
)

// Target is one address.
type Target struct {
	Name   string                 // required; a recipient's address
	URL    func() (string, error) // required: read anew for each message, as its file may change
	Secret func() (string, error) // signs; nil: nothing is signed
}

// Config is what New needs. All is required.
type Config struct {
	Kind    Kind
	Targets []Target
	Now     func() time.Time
}

// form is what differs from kind to kind.
type form interface {
	// request gives the body, and may add to the URL and the header.
	request(m notifier.Message, secret string, now time.Time, where *url.URL, header http.Header) (any, error)
	// judge reads an answer; words are what may be quoted of it.
	judge(a answer) error
}

var forms = map[Kind]form{Signed: signed{}, DingTalk: dingtalk{}, WeCom: wecom{}, Feishu: feishu{}}

// Channel posts to the targets of one kind. It is safe for concurrent use.
type Channel struct {
	cfg     Config
	form    form
	targets map[string]Target
	client  *http.Client
}

// New makes a channel; it does not connect.
func New(cfg Config) (*Channel, error) {
	c := &Channel{cfg: cfg, form: forms[cfg.Kind], targets: make(map[string]Target, len(cfg.Targets))}
	if c.form == nil || cfg.Now == nil || len(cfg.Targets) == 0 {
		return nil, fmt.Errorf("webhook: want a kind of webhook, dingtalk, wecom and feishu (got %q), a target and a clock", cfg.Kind)
	}
	for _, target := range cfg.Targets {
		if _, twice := c.targets[target.Name]; twice || target.Name == "" || target.URL == nil {
			return nil, fmt.Errorf("%s: target %q: want a name that no other has, and a URL", cfg.Kind, target.Name)
		}
		c.targets[target.Name] = target
	}
	pool := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one unless a program replaces it
	pool.MaxResponseHeaderBytes = answerLimit
	c.client = &http.Client{
		Transport:     pool,
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Name is the kind: "webhook", "dingtalk", "wecom" or "feishu".
func (c *Channel) Name() string { return string(c.cfg.Kind) }

// Send posts m to the target of that name.
//
// Errors: wrapping notifier.ErrPermanent where no target has the name, or it is
// gone for good; notifier.ErrUnsendable where it refuses the message;
// *notifier.RetryAfterError where it asks us to wait, or doesn't know us.
func (c *Channel) Send(ctx context.Context, name string, m notifier.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", c.cfg.Kind, err)
	}
	target, ok := c.targets[name]
	if !ok {
		return fmt.Errorf("%s: no target of this name is configured: %w", c.cfg.Kind, notifier.ErrPermanent)
	}
	if strings.TrimSpace(m.Text) == "" || m.ID == "" {
		return fmt.Errorf("%s: the message has no text or no id: %w", c.cfg.Kind, notifier.ErrUnsendable)
	}
	request, private, err := c.request(ctx, target, m)
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.cfg.Kind, name, err)
	}
	a, err := c.post(ctx, request, private)
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.cfg.Kind, name, err)
	}
	a.now, a.private = c.cfg.Now(), private
	if err := c.form.judge(a); err != nil {
		return named(fmt.Sprintf("%s %s", c.cfg.Kind, name), err)
	}
	return nil
}

// named puts who said it before what was said, outside of nothing: dispatch asks
// for the outermost error's kind.
func named(who string, err error) error {
	var later *notifier.RetryAfterError
	if errors.As(err, &later) {
		return &notifier.RetryAfterError{After: later.After, Whole: later.Whole, Err: fmt.Errorf("%s: %w", who, later.Err)}
	}
	return fmt.Errorf("%s: %w", who, err)
}

// request makes the request, and gives what no error may hold.
func (c *Channel) request(ctx context.Context, target Target, m notifier.Message) (*http.Request, []string, error) {
	raw, err := target.URL()
	if err != nil {
		return nil, nil, err
	}
	where, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || where.Host == "" || where.Scheme != "https" && where.Scheme != "http" {
		return nil, nil, errors.New("its URL is none: want https://…")
	}
	secret := ""
	if target.Secret != nil {
		if secret, err = target.Secret(); err != nil {
			return nil, nil, err
		}
	}
	private := privateOf(where, secret)
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"shopwatch"}}
	content, err := c.form.request(m, secret, c.cfg.Now(), where, header)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, notifier.ErrUnsendable)
	}
	body, ok := content.([]byte)
	if !ok {
		if body, err = json.Marshal(content); err != nil {
			return nil, nil, fmt.Errorf("compose: %w: %w", err, notifier.ErrUnsendable)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, where.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, errors.New("no request can be made of its URL")
	}
	request.Header = header
	// With an Idempotency-Key net/http would say it again by itself where a kept
	// connection breaks, unseen by whoever paces and counts the tries.
	request.GetBody = nil
	return request, private, nil
}

// privateOf is what may be a secret in a URL, and the secret.
func privateOf(where *url.URL, secret string) []string {
	private := []string{secret}
	for _, segment := range strings.Split(where.Path, "/") {
		if len(segment) >= 8 {
			private = append(private, segment)
		}
	}
	for _, values := range where.Query() {
		private = append(private, values...)
	}
	return private
}

func (c *Channel) post(ctx context.Context, request *http.Request, private []string) (answer, error) {
	response, err := c.client.Do(request)
	if err != nil {
		return answer{}, lost(ctx, err, private)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	switch {
	case err != nil:
		return answer{}, lost(ctx, err, private)
	case len(body) > answerLimit:
		return answer{}, errors.New("its answer is too long: check the URL")
	}
	return answer{status: response.StatusCode, header: response.Header, body: body}, nil
}

// lost words what happened to a request without an answer; the outer errors hold
// the URL, and the innermost may quote a far side that says it back.
func lost(ctx context.Context, err error, private []string) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Errorf("no answer: %s", redact(err.Error(), private...))
}

// answer is what a target said.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	now     time.Time
	private []string
}

// fine reports a 2xx status.
func (a answer) fine() bool { return a.status >= 200 && a.status < 300 }

// after is what Retry-After names, in seconds or as a date (RFC 9110, 10.2.3).
func (a answer) after(headers ...string) (time.Duration, bool) {
	for _, name := range append(headers, "Retry-After") {
		value := a.header.Get(name)
		if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
			return min(time.Duration(min(seconds, 1<<20))*time.Second, longestWait), true
		}
		if at, err := http.ParseTime(value); err == nil && at.After(a.now) {
			return min(at.Sub(a.now), longestWait), true
		}
	}
	return 0, false
}

// byStatus reads an answer that says nothing in its kind's own words.
func (a answer) byStatus() error {
	said := fmt.Errorf("HTTP %d without a word that can be read", a.status)
	after, told := a.after()
	switch {
	case told && (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable):
		return &notifier.RetryAfterError{After: after, Err: said}
	case a.status == http.StatusGone:
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	}
	return said
}

// byCode reads an answer that gives a code and words in two fields of JSON: code
// 0 is well, of any other judge says what it means, where said is the whole of it.
func (a answer) byCode(code, words string, judge func(code int64, words string, said error) error) error {
	var says map[string]json.RawMessage
	var number *int64
	if json.Unmarshal(a.body, &says) != nil || json.Unmarshal(says[code], &number) != nil || number == nil || *number == 0 && !a.fine() {
		return a.byStatus()
	}
	if *number == 0 {
		return nil
	}
	var text string
	_ = json.Unmarshal(says[words], &text) // the code says enough
	return judge(*number, text, a.said(*number, text))
}

// said is what a robot says: its own code, in words that hold no secret.
func (a answer) said(code int64, words string) error {
	return fmt.Errorf("%d: %s", code, redact(words, a.private...))
}

// longRun is whatever might be a token.
var longRun = regexp.MustCompile(`[A-Za-z0-9_-]{20,}|https?://\S+`)

// redact makes words of a target fit for a log.
func redact(words string, private ...string) string {
	words = strings.ToValidUTF8(words, "?")
	for _, secret := range private {
		if secret != "" {
			words = strings.ReplaceAll(words, secret, "[redacted]")
		}
	}
	words = strings.Join(strings.Fields(longRun.ReplaceAllLiteralString(words, "[redacted]")), " ")
	return clip(words, 300)
}

// clip cuts a text to so many bytes, never inside a rune.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const mark = "…"
	cut := most - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}

// links are the buttons that open a page; those for a bot mean nothing here.
func links(m notifier.Message) []notifier.Button {
	var found []notifier.Button
	for _, row := range m.Buttons {
		for _, button := range row {
			if strings.HasPrefix(button.URL, "https://") || strings.HasPrefix(button.URL, "http://") {
				found = append(found, button)
			}
		}
	}
	return found
}
