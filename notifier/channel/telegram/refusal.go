package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"shopwatch/notifier"
)

const (
	// botRefused is how long the whole bot rests after Telegram refused its
	// token. Only a person mends that.
	botRefused = 5 * time.Minute
	// unnamedWait is how long to wait after a 429 that doesn't say how long.
	unnamedWait = 30 * time.Second
)

// errUnreadable marks Telegram's refusal to parse a message's HTML.
var errUnreadable = errors.New("telegram cannot parse the message's HTML")

// MovedError says that a group became a supergroup and has a new number. The
// old one is gone for ever, so the error wraps notifier.ErrPermanent; a caller
// that keeps addresses may take the new one.
type MovedError struct {
	to int64
}

func (e *MovedError) Error() string {
	return "telegram: the group became a supergroup and has a new chat id: permanent"
}

// Unwrap is notifier.ErrPermanent.
func (e *MovedError) Unwrap() error { return notifier.ErrPermanent }

// NewAddress is the address that the chat has now. It is personal data, so
// Error does not say it.
func (e *MovedError) NewAddress() string { return strconv.FormatInt(e.to, 10) }

// stopped words an error that stops the whole bot.
func stopped(format string, args ...any) error {
	return &notifier.RetryAfterError{After: botRefused, Whole: true, Err: fmt.Errorf("telegram: "+format, args...)}
}

// read words what the library returned for one request, and keeps nothing of
// the library's own errors: they hold the request's URL.
func (c *call) read(err error, token, chat string) error {
	if err == nil {
		return nil
	}
	if ended := c.ctx.Err(); ended != nil {
		return fmt.Errorf("telegram: %w", ended)
	}
	var refused *tgbotapi.Error
	if !errors.As(err, &refused) {
		switch {
		case c.status == 0:
			return fmt.Errorf("telegram: no answer from the Bot API: %s", redact(reason(err), token, chat))
		case c.status == http.StatusNotFound || c.status == http.StatusUnauthorized:
			return stopped("HTTP %d from the Bot API: check the bot token and the api url", c.status)
		case c.status == http.StatusTooManyRequests:
			return &notifier.RetryAfterError{After: unnamedWait, Whole: true, Err: errors.New("telegram: HTTP 429 from the Bot API")}
		}
		return fmt.Errorf("telegram: HTTP %d from the Bot API, and no answer that can be read", c.status)
	}
	return understand(refused, c.status, redact(refused.Message, token, chat), chat)
}

// understand maps an answer of the Bot API to what the caller must do.
// The words are those that core.telegram.org/bots/api and the server's source use.
func understand(refused *tgbotapi.Error, status int, words, chat string) error {
	code := refused.Code
	if code == 0 {
		code = status
	}
	said := fmt.Errorf("telegram: %d %s", code, words)
	lower := strings.ToLower(refused.Message)
	switch {
	case refused.MigrateToChatID != 0:
		return &MovedError{to: refused.MigrateToChatID}
	case code == http.StatusTooManyRequests || refused.RetryAfter > 0:
		after := time.Duration(refused.RetryAfter) * time.Second
		if after <= 0 {
			after = unnamedWait
		}
		// Telegram doesn't say whose limit was met. A group's own (20 a
		// minute) is met long before the bot's (30 a second); a private
		// chat's is not met by one notice at a time, so there it is the bot's.
		group := strings.HasPrefix(chat, "-") || strings.HasPrefix(chat, "@")
		return &notifier.RetryAfterError{After: after, Whole: !group, Err: said}
	case code == http.StatusUnauthorized || code == http.StatusNotFound:
		return &notifier.RetryAfterError{After: botRefused, Whole: true, Err: fmt.Errorf("%w: check the bot token", said)}
	case code == http.StatusForbidden:
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case code == http.StatusBadRequest && strings.Contains(lower, "can't parse entities"):
		return fmt.Errorf("%w: %w", said, errUnreadable)
	case code == http.StatusBadRequest && names(lower, goneChats):
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	}
	return said
}

// goneChats are the 400s that say that this chat will not take a message of
// ours however often it is tried.
var goneChats = []string{
	"chat not found",
	"user not found",
	"peer_id_invalid",
	"message thread not found",
	"chat_write_forbidden",
	"have no rights to send a message",
	"not enough rights to send",
	"group chat was deactivated",
}

func names(text string, phrases []string) bool {
	for _, phrase := range phrases {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}

// reason is the innermost text of a transport's error: the outer ones say the URL.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timed out"
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// longDigits are chat ids and whatever else might be one.
var longDigits = regexp.MustCompile(`-?[0-9]{5,}`)

// redact makes a stranger's words fit for a log: no token, no chat, no user's
// number, one line, not long.
func redact(words, token, chat string) string {
	_, secret, _ := strings.Cut(token, ":")
	words = strings.NewReplacer(token, "[token]", secret, "[token]", chat, "[chat]").Replace(words)
	words = longDigits.ReplaceAllString(words, "[number]")
	words = strings.Join(strings.Fields(strings.ToValidUTF8(words, "?")), " ")
	if runes := []rune(words); len(runes) > 200 {
		words = string(runes[:200]) + "…"
	}
	return words
}
