// Package telegram says one message to one Telegram chat through the Bot API.
//
// It never retries and never paces: a caller learns from the error whether the
// chat is gone for ever, must be left alone for a while, or the whole bot must.
// The client library puts the bot's token into URLs and URLs into errors, so
// nothing that the library returns leaves this room unread: refusal.go words
// every error anew. Starting up asks Telegram nothing, so that a shop behind a
// blocked network starts all the same.
package telegram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"shopwatch/notifier"
)

// DefaultAPIURL is Telegram's own Bot API server.
const DefaultAPIURL = "https://api.telegram.org"

const (
	// answerLimit is the most that is read of one answer.
	answerLimit = 1 << 20
	// maxParts is the most messages that one notice may become. What is longer is cut.
	maxParts = 4
)

// Config is what a Channel needs.
type Config struct {
	// Token returns the bot's token as BotFather gave it, "123456:AA…". It is
	// asked at every message, so that a token that was replaced on disk is
	// used at once. Required.
	Token func() (string, error)
	// APIURL is the Bot API server, for a self-hosted one or a mirror where
	// Telegram is blocked. Default DefaultAPIURL.
	APIURL string
	// HTTPClient carries the requests, with its proxy and timeouts. Its
	// redirects are not followed: they would hand the token to a stranger.
	// Default: a client that gives up after 30 s.
	HTTPClient *http.Client
	// Logger hears of messages that had to be sent in another form. Default: nobody.
	Logger *slog.Logger
}

// Channel sends through one bot. It is safe for concurrent use.
type Channel struct {
	token    func() (string, error)
	endpoint string // format with the token and the method, as the library wants it
	client   *http.Client
	logger   *slog.Logger
}

// New makes a channel; it does not connect.
func New(cfg Config) (*Channel, error) {
	if cfg.Token == nil {
		return nil, errors.New("telegram: no bot token: set one from @BotFather")
	}
	if cfg.APIURL == "" {
		cfg.APIURL = DefaultAPIURL
	}
	api, err := url.Parse(cfg.APIURL)
	if err != nil || api.Host == "" || (api.Scheme != "https" && api.Scheme != "http") || api.RawQuery != "" || api.Fragment != "" || api.User != nil {
		return nil, errors.New("telegram: api url: want http(s)://host[:port][/path] and nothing more")
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{Timeout: 30 * time.Second}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client := *cfg.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base := strings.ReplaceAll(strings.TrimRight(api.String(), "/"), "%", "%%")
	return &Channel{token: cfg.Token, endpoint: base + "/bot%s/%s", client: &client, logger: cfg.Logger}, nil
}

// Name is "telegram".
func (c *Channel) Name() string { return "telegram" }

// Send says m in a chat. The address is a chat's number, a public channel's
// @name, or either with ":" and the number of a topic: "-1001234567890:45".
// HTML is sent where m has it, else Text. What is longer than Telegram allows
// becomes several messages; if one of them fails, a repeated Send starts again
// at the first.
//
// Errors: wrapping notifier.ErrPermanent where the chat is gone or has shut us
// out, *MovedError where it has a new number, *notifier.RetryAfterError where
// Telegram said when to come back or refuses the bot itself.
func (c *Channel) Send(ctx context.Context, address string, m notifier.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("telegram: %w", err)
	}
	chat, topic, ok := parseAddress(address)
	if !ok {
		return fmt.Errorf("telegram: the address is not a chat id, @channel or chat:topic: %w", notifier.ErrPermanent)
	}
	token, err := c.token()
	if err != nil {
		return stopped("read the bot token: %v", err)
	}
	if !tokenShape.MatchString(token) {
		return stopped(`the bot token is malformed: want "digits:letters" as @BotFather gave it`)
	}

	call := &call{ctx: ctx, client: c.client}
	bot := &tgbotapi.BotAPI{Token: token, Client: call}
	bot.SetAPIEndpoint(c.endpoint)
	say := func(text, mode string) error {
		params := tgbotapi.Params{
			"chat_id":              chat,
			"text":                 text,
			"link_preview_options": `{"is_disabled":true}`,
		}
		params.AddNonEmpty("message_thread_id", topic)
		params.AddNonEmpty("parse_mode", mode)
		call.status = 0
		_, err := bot.MakeRequest("sendMessage", params)
		return call.read(err, token, chat)
	}
	return c.sayAll(m, say)
}

// sayAll says every part of the message, in HTML as far as Telegram can read it.
func (c *Channel) sayAll(m notifier.Message, say func(text, mode string) error) error {
	parts := splitHTML(m.HTML, maxUnits, maxParts)
	if len(parts) == 0 {
		return sayPlain(m.Text, say)
	}
	for i, part := range parts {
		err := say(part, tgbotapi.ModeHTML)
		if err == nil {
			continue
		}
		if !errors.Is(err, errUnreadable) {
			return err
		}
		c.logger.Warn("telegram could not parse a message's HTML; sending it as plain text", "notice", m.ID, "part", i+1, "error", err)
		if i == 0 && m.Text != "" {
			return sayPlain(m.Text, say)
		}
		if err := sayPlain(plain(part), say); err != nil {
			return err
		}
	}
	return nil
}

func sayPlain(text string, say func(text, mode string) error) error {
	parts := splitText(text, maxUnits, maxParts)
	if len(parts) == 0 {
		return errors.New("telegram: the message has no text")
	}
	for _, part := range parts {
		if err := say(part, ""); err != nil {
			return err
		}
	}
	return nil
}

var (
	tokenShape   = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{1,200}$`)
	addressShape = regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31})(?::([0-9]{1,10}))?$`)
)

// parseAddress takes "-100123:45" apart into chat and topic.
func parseAddress(address string) (chat, topic string, ok bool) {
	found := addressShape.FindStringSubmatch(address)
	if found == nil {
		return "", "", false
	}
	return found[1], found[2], true
}

// call is the library's HTTP client for one Send: it binds the context, bounds
// the answer and keeps what the library forgets.
type call struct {
	ctx    context.Context
	client *http.Client
	status int // of the last answer; 0 where none came
}

// Do carries one request.
func (c *call) Do(request *http.Request) (*http.Response, error) {
	response, err := c.client.Do(request.WithContext(c.ctx))
	if err != nil {
		return nil, err
	}
	c.status = response.StatusCode
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, answerLimit), response.Body}
	return response, nil
}
