package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
)

// longestText is how long a text for a gateway may be, in runes: what phones put
// together of ten parts.
const longestText = 670

// GatewayConfig is what NewGateway needs. Query, Headers, Form and JSON may hold
// ${names} of GatewayNames. What they stand for is written in the form of its
// place: no value can end a field and begin another.
type GatewayConfig struct {
	Label  string // names the gateway in errors; default "gateway"
	Method string // GET or POST; default POST
	URL    string // required; https, or http on this machine. It may hold a secret.
	// Secret is what ${secret} stands for; no error holds it.
	Secret  string
	Query   map[string]string
	Headers map[string]string
	Form    map[string]string // the body, urlencoded; nil: none
	JSON    string            // the body: a JSON document with ${names} in its strings; instead of Form
	// Templates are what ${template} stands for; empty: the gateway takes words.
	Templates Templates
	Result    Result
}

// Result says where a gateway puts its verdict: at JSON or at Regex of the
// answer's body, and what it means. Where neither is given, any 2xx is success.
type Result struct {
	JSON  string         // the way to it: "data.code", "0.status"
	Regex *regexp.Regexp // its first group, or all of it
	// The verdicts by meaning. Any other is a fault that may pass.
	Accepted   []string // required with JSON or Regex
	Permanent  []string // the number takes no messages
	Unsendable []string // the message is refused, the number is fine
	Limited    []string // the number has had enough for an hour
	Refused    []string // the account, its key or its balance
}

// GatewayNames are what a gateway's fields may hold as ${name}.
var GatewayNames = []string{
	"number",        // in E.164: +8613800138000
	"number_digits", // the same without "+"
	"number_home",   // without its country where that is China
	"text",          // the message
	"id",            // its identity, the same at every try
	"event", "language", "template", "secret",
	"title", "since", "over", "lasted", "code", // the variables of templates; empty where a message has none
}

// Gateway sends through any provider that takes one HTTP request a message. It
// is safe for concurrent use.
type Gateway struct {
	cfg  GatewayConfig
	url  *url.URL
	json any
	far  *far
}

var _ Provider = (*Gateway)(nil)

var placeholder = regexp.MustCompile(`\$\{([a-z_]+)\}`)

// NewGateway makes a provider; it does not connect.
func NewGateway(cfg GatewayConfig) (*Gateway, error) {
	var wrong []error
	if cfg.Label == "" {
		cfg.Label = "gateway"
	}
	refuse := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("sms "+cfg.Label+": "+format, args...))
	}
	if cfg.Method == "" {
		cfg.Method = http.MethodPost
	}
	if cfg.Method != http.MethodGet && cfg.Method != http.MethodPost {
		refuse("method: got %q, want GET or POST", cfg.Method)
	}
	g := &Gateway{cfg: cfg, far: newFar()}
	var err error
	if g.url, err = url.Parse(cfg.URL); err != nil || g.url.Host == "" || g.url.User != nil || g.url.Scheme != "https" && g.url.Scheme != "http" {
		refuse("url: want https://… without a user name")
	} else if g.url.Scheme == "http" && !loopback(g.url.Hostname()) {
		refuse("url: http would show the numbers to everybody on the way: use https")
	}
	if cfg.JSON != "" {
		decoder := json.NewDecoder(strings.NewReader(cfg.JSON))
		decoder.UseNumber()
		if err := decoder.Decode(&g.json); err != nil || decoder.More() {
			refuse("json: want one JSON document")
		}
	}
	if cfg.JSON != "" && cfg.Form != nil || cfg.Method == http.MethodGet && (cfg.JSON != "" || cfg.Form != nil) {
		refuse("body: want one of form and json, and none with GET")
	}
	texts := slices.Concat(slices.Collect(maps.Values(cfg.Query)), slices.Collect(maps.Values(cfg.Headers)), slices.Collect(maps.Values(cfg.Form)), []string{cfg.JSON})
	for _, text := range texts {
		for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(GatewayNames, found[1]) {
				refuse("got ${%s}, want one of %s", found[1], strings.Join(GatewayNames, ", "))
			}
		}
	}
	if r := cfg.Result; (r.JSON != "" || r.Regex != nil) && len(r.Accepted) == 0 || r.JSON != "" && r.Regex != nil {
		refuse("result: want one of json and regex, and what it says of a message that was accepted")
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return g, nil
}

// Name is the gateway's label.
func (g *Gateway) Name() string { return g.cfg.Label }

// Tells reports whether the event is sent by SMS, and has a template if the gateway wants one.
func (g *Gateway) Tells(event notifier.Event) bool {
	return slices.Contains(notifier.Texted, event) && (len(g.cfg.Templates) == 0 || g.cfg.Templates.tells(event))
}

// Send makes one request of the message.
func (g *Gateway) Send(ctx context.Context, number string, m notifier.Message) error {
	values, err := g.values(number, m)
	if err != nil {
		return err
	}
	calling, t := begin(ctx)
	request, err := g.request(calling, values)
	if err != nil {
		return fmt.Errorf("sms %s: no request can be made of the message: %w", g.cfg.Label, notifier.ErrUnsendable)
	}
	g.far.do(request)
	if t.err != nil {
		return t.failed(ctx, g.cfg.Label, g.private(values)...)
	}
	return g.judge(t, values)
}

func (g *Gateway) values(number string, m notifier.Message) (map[string]string, error) {
	values := map[string]string{
		"number": number, "number_digits": strings.TrimPrefix(number, "+"), "number_home": home(number),
		"text": clip(m.Text, longestText), "id": m.ID, "event": string(m.Event), "language": string(m.Language), "secret": g.cfg.Secret,
	}
	if len(g.cfg.Templates) > 0 {
		id, err := g.cfg.Templates.find(g.cfg.Label, m)
		if err != nil {
			return nil, err
		}
		values["template"] = id
	} else if strings.TrimSpace(m.Text) == "" {
		return nil, fmt.Errorf("sms %s: the message has no text: %w", g.cfg.Label, notifier.ErrUnsendable)
	}
	for _, param := range m.Params {
		if _, taken := values[param.Name]; !taken {
			values[param.Name] = value(param.Value)
		}
	}
	return values, nil
}

// fill puts values in the place of names.
func fill(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string { return values[found[2:len(found)-1]] })
}

// filled is a JSON document with its strings filled; the encoder escapes them.
func filled(node any, values map[string]string) any {
	switch node := node.(type) {
	case string:
		return fill(node, values)
	case []any:
		list := make([]any, len(node))
		for i, item := range node {
			list[i] = filled(item, values)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(node))
		for key, item := range node {
			object[key] = filled(item, values)
		}
		return object
	}
	return node
}

func (g *Gateway) request(ctx context.Context, values map[string]string) (*http.Request, error) {
	var body io.Reader = http.NoBody
	kind := ""
	switch {
	case g.cfg.JSON != "":
		encoded, err := json.Marshal(filled(g.json, values))
		if err != nil {
			return nil, err
		}
		body, kind = bytes.NewReader(encoded), "application/json; charset=utf-8"
	case g.cfg.Form != nil:
		form := url.Values{}
		for name, text := range g.cfg.Form {
			form.Set(name, fill(text, values))
		}
		body, kind = strings.NewReader(form.Encode()), "application/x-www-form-urlencoded; charset=utf-8"
	}
	where := *g.url
	if len(g.cfg.Query) > 0 {
		query := where.Query()
		for name, text := range g.cfg.Query {
			query.Set(name, fill(text, values))
		}
		where.RawQuery = query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, g.cfg.Method, where.String(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "shopwatch")
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	for name, text := range g.cfg.Headers {
		request.Header.Set(name, strings.Join(strings.Fields(fill(text, values)), " "))
	}
	return request, nil
}

// private is what no error may hold: the secret, in the URL too, and the number.
func (g *Gateway) private(values map[string]string) []string {
	private := []string{g.cfg.Secret, values["number_digits"], values["number_home"]}
	for _, segment := range strings.Split(g.url.Path, "/") {
		if len(segment) >= 8 {
			private = append(private, segment)
		}
	}
	for _, list := range g.url.Query() {
		private = append(private, list...)
	}
	for _, fields := range []map[string]string{g.cfg.Query, g.cfg.Headers, g.cfg.Form} {
		for _, text := range fields {
			if len(text) >= 8 && !strings.Contains(text, "${") {
				private = append(private, text)
			}
		}
	}
	return private
}

// judge reads an answer by Config.Result, and by its status.
func (g *Gateway) judge(t *trip, values map[string]string) error {
	verdict, found := g.cfg.Result.verdict(t.body)
	fine := t.status >= 200 && t.status < 300
	if fine && g.cfg.Result.JSON == "" && g.cfg.Result.Regex == nil {
		return nil
	}
	if !found {
		return t.unread(g.cfg.Label)
	}
	said := fmt.Errorf("sms %s: HTTP %d, result %q", g.cfg.Label, t.status, redact(verdict, g.private(values)...))
	r := g.cfg.Result
	switch {
	case slices.Contains(r.Accepted, verdict) && fine:
		return nil
	case slices.Contains(r.Permanent, verdict):
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case slices.Contains(r.Unsendable, verdict):
		return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
	case slices.Contains(r.Limited, verdict):
		return &notifier.RetryAfterError{After: t.after(time.Hour), Err: said}
	case slices.Contains(r.Refused, verdict):
		return &notifier.RetryAfterError{After: providerRefused, Whole: true, Err: said}
	case !fine:
		return t.unread(g.cfg.Label)
	}
	return said
}

// verdict finds the provider's own result in a body.
func (r Result) verdict(body []byte) (string, bool) {
	switch {
	case r.Regex != nil:
		found := r.Regex.FindSubmatch(body)
		if found == nil {
			return "", false
		}
		return string(found[min(1, len(found)-1)]), true
	case r.JSON == "":
		return "", false
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var node any
	if decoder.Decode(&node) != nil {
		return "", false
	}
	for _, step := range strings.Split(r.JSON, ".") {
		switch at := node.(type) {
		case map[string]any:
			node = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			node = at[i]
		default:
			return "", false
		}
	}
	switch node := node.(type) {
	case string:
		return node, true
	case json.Number:
		return node.String(), true
	case bool:
		return strconv.FormatBool(node), true
	}
	return "", false
}
