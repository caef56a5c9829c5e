// Package telegram says one message to one Telegram chat through the Bot API.
//
// It never retries and never paces: a caller learns from the error whether the
// chat is gone for ever, must be left alone for a while, or the whole bot must.
// The client library puts the bot's token into URLs and URLs into errors, so
// nothing that the library returns leaves this room unread: refusal.go words
// every error anew. Starting up asks Telegram nothing, so that a shop behind a
// blocked network starts all the same. What readers say to the bot is the child
// room's: bot.
package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"shopwatch/notifier"
)

// maxParts is the most messages that one notice may become. What is longer is cut.
const maxParts = 4

// Channel sends through one bot. It is safe for concurrent use.
type Channel struct {
	api      *API
	progress progress
	logger   *slog.Logger
}

// New makes a channel; it does not connect.
func New(cfg Config) (*Channel, error) {
	api, err := NewAPI(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Channel{api: api, logger: cfg.Logger}, nil
}

// API is the bot that the channel sends through.
func (c *Channel) API() *API { return c.api }

// Name is "telegram".
func (c *Channel) Name() string { return "telegram" }

// Probe asks Telegram whether it knows the bot, and sends nothing. Its errors
// are those of Send.
func (c *Channel) Probe(ctx context.Context) error {
	_, err := c.api.Self(ctx)
	return err
}

// Send says m in a chat. The address is a chat's number, a public channel's
// @name, or either with ":" and the number of a topic: "-1001234567890:45".
// HTML is sent where m has it, else Text. What is longer than Telegram allows
// becomes several messages, the buttons under the last; if one of them fails,
// this process's next Send of the same words goes on with that one.
//
// Errors: wrapping notifier.ErrPermanent where the chat is gone or has shut us
// out, notifier.ErrUnsendable where Telegram refuses the message itself;
// *notifier.MovedError where the chat has a new number,
// *notifier.RetryAfterError where Telegram said when to come back or refuses
// the bot itself.
func (c *Channel) Send(ctx context.Context, address string, m notifier.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("telegram: %w", err)
	}
	chat, topic, ok := ParseAddress(address)
	if !ok {
		return fmt.Errorf("telegram: the address is not a chat id, @channel or chat:topic: %w", notifier.ErrPermanent)
	}
	s := speech{
		identity: m.ID + " " + address, progress: &c.progress, logger: c.logger.With("notice", m.ID),
		keyboard: Keyboard(m.Buttons),
		say: func(text, mode, keyboard string) error {
			params := tgbotapi.Params{
				"chat_id":              chat,
				"text":                 text,
				"link_preview_options": `{"is_disabled":true}`,
			}
			params.AddNonEmpty("message_thread_id", topic)
			params.AddNonEmpty("parse_mode", mode)
			params.AddNonEmpty("reply_markup", keyboard)
			_, err := c.api.Call(ctx, "sendMessage", chat, params)
			return err
		},
	}
	return s.deliver(m)
}

// speech is one message on its way into one chat.
type speech struct {
	identity string
	progress *progress
	logger   *slog.Logger
	keyboard string
	say      func(text, mode, keyboard string) error
}

// deliver says every part of the message, in HTML as far as Telegram can read it.
func (s speech) deliver(m notifier.Message) error {
	parts, mode := splitHTML(m.HTML, maxUnits, maxParts), tgbotapi.ModeHTML
	if len(parts) == 0 {
		parts, mode = splitText(m.Text, maxUnits, maxParts), ""
	}
	if len(parts) == 0 {
		return fmt.Errorf("telegram: the message has no text: %w", notifier.ErrUnsendable)
	}
	said := s.progress.said(s.identity, parts)
	for i, part := range parts[said:] {
		err := s.part(part, mode, said+i == len(parts)-1)
		if errors.Is(err, errUnreadable) && mode != "" {
			s.logger.Warn("telegram could not parse a message's HTML; sending it as plain text", "part", said+i+1, "error", err)
			if said+i == 0 && m.Text != "" {
				return s.deliver(notifier.Message{ID: m.ID, Text: m.Text})
			}
			err = s.plainly(plain(part), said+i == len(parts)-1)
		}
		if err != nil {
			s.progress.keep(s.identity, parts[:said+i])
			return unsendable(err)
		}
	}
	s.progress.forget(s.identity)
	return nil
}

// part says one part; a keyboard that Telegram doesn't take costs the keyboard, not the words.
func (s speech) part(text, mode string, last bool) error {
	if !last || s.keyboard == "" {
		return s.say(text, mode, "")
	}
	err := s.say(text, mode, s.keyboard)
	if !errors.Is(err, errKeyboard) {
		return err
	}
	s.logger.Warn("telegram refused a message's buttons; sending it without", "error", err)
	return s.say(text, mode, "")
}

// plainly says what a part of HTML would have shown; it may be longer than the
// part was counted, where the HTML was broken.
func (s speech) plainly(text string, last bool) error {
	parts := splitText(text, maxUnits, maxParts)
	for i, part := range parts {
		if err := s.part(part, "", last && i == len(parts)-1); err != nil {
			return err
		}
	}
	return nil
}

// Limits of a keyboard: core.telegram.org/bots/api counts 64 bytes of data; 100
// buttons are what clients show.
const (
	maxData    = 64
	maxButtons = 100
)

// Keyboard is rows of buttons as the Bot API takes them, "" where there is none.
// Buttons that it would refuse are left out.
func Keyboard(rows [][]notifier.Button) string {
	type button struct {
		Text string `json:"text"`
		URL  string `json:"url,omitempty"`
		Data string `json:"callback_data,omitempty"`
	}
	shown := [][]button{}
	count := 0
	for _, row := range rows {
		var line []button
		for _, b := range row {
			if b.Text == "" || len(b.Data) > maxData || (b.URL == "") == (b.Data == "") || count == maxButtons {
				continue
			}
			count++
			line = append(line, button{b.Text, b.URL, b.Data})
		}
		if len(line) > 0 {
			shown = append(shown, line)
		}
	}
	if count == 0 {
		return ""
	}
	encoded, err := json.Marshal(map[string]any{"inline_keyboard": shown})
	if err != nil { // texts always marshal
		return ""
	}
	return string(encoded)
}

var addressShape = regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31})(?::([0-9]{1,10}))?$`)

// ParseAddress takes "-100123:45" apart into chat and topic; the topic may be empty.
func ParseAddress(address string) (chat, topic string, ok bool) {
	found := addressShape.FindStringSubmatch(address)
	if found == nil {
		return "", "", false
	}
	return found[1], found[2], true
}
