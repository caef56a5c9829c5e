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
	// token. Only a person mends that; the next try reads the token anew, so it
	// is short for the person who waits, and nothing to Telegram.
	botRefused = 15 * time.Second
	// unnamedWait is how long to wait after a 429 that doesn't say how long.
	unnamedWait = 30 * time.Second
	// longestWait bounds what a broken answer may ask for.
	longestWait = 24 * time.Hour
)

// ErrConflict marks Telegram's refusal to give updates to us, because another
// program takes them, or a webhook does.
var ErrConflict = errors.New("another program takes the bot's updates")

// What one try in another form mends.
var (
	errUnreadable = errors.New("telegram cannot parse the message's HTML")
	errKeyboard   = errors.New("telegram does not take the message's buttons")
	errRefused    = errors.New("telegram does not take the message")
)

// unsendable says of a refusal that no other form mended that it is for good.
func unsendable(err error) error {
	if errors.Is(err, errUnreadable) || errors.Is(err, errKeyboard) || errors.Is(err, errRefused) {
		return fmt.Errorf("%w: %w", err, notifier.ErrUnsendable)
	}
	return err
}

// stopped words an error that stops the whole bot.
func stopped(format string, args ...any) error {
	return &notifier.RetryAfterError{After: botRefused, Whole: true, Err: fmt.Errorf("telegram: "+format, args...)}
}

// read words what the library returned for one request, and keeps nothing of
// the library's own errors: they hold the request's URL.
func (c *call) read(err error) error {
	if ended := c.ctx.Err(); ended != nil {
		return fmt.Errorf("telegram: %w", ended)
	}
	var refused *tgbotapi.Error
	if !errors.As(err, &refused) {
		switch {
		case c.status == 0:
			return fmt.Errorf("telegram: no answer from the Bot API: %s", c.redact(reason(err)))
		case c.status == http.StatusNotFound || c.status == http.StatusUnauthorized:
			return stopped("HTTP %d from the Bot API: check the bot token and the api url", c.status)
		case c.status == http.StatusTooManyRequests:
			return &notifier.RetryAfterError{After: unnamedWait, Whole: true, Err: errors.New("telegram: HTTP 429 from the Bot API")}
		}
		return fmt.Errorf("telegram: HTTP %d from the Bot API, and no answer that can be read", c.status)
	}
	return c.understand(refused)
}

// understand maps an answer of the Bot API to what the caller must do.
// The words are those that core.telegram.org/bots/api and the server's source use.
func (c *call) understand(refused *tgbotapi.Error) error {
	code := refused.Code
	if code == 0 {
		code = c.status
	}
	said := fmt.Errorf("telegram: %d %s", code, c.redact(refused.Message))
	lower := strings.ToLower(refused.Message)
	switch {
	case refused.MigrateToChatID != 0:
		return &notifier.MovedError{
			To:  strconv.FormatInt(refused.MigrateToChatID, 10),
			Err: errors.New("telegram: the group became a supergroup and has a new chat id"),
		}
	case code == http.StatusTooManyRequests || refused.RetryAfter > 0:
		return &notifier.RetryAfterError{After: c.wait(refused.RetryAfter), Whole: !c.group(), Err: said}
	case code == http.StatusUnauthorized || code == http.StatusNotFound:
		return &notifier.RetryAfterError{After: botRefused, Whole: true, Err: fmt.Errorf("%w: check the bot token", said)}
	case code == http.StatusForbidden:
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case code == http.StatusConflict:
		return fmt.Errorf("%w: %w", said, ErrConflict)
	case code != http.StatusBadRequest:
		return said
	case strings.Contains(lower, "can't parse entities"):
		return fmt.Errorf("%w: %w", said, errUnreadable)
	case names(lower, badKeyboards):
		return fmt.Errorf("%w: %w", said, errKeyboard)
	case names(lower, goneChats):
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	}
	return fmt.Errorf("%w: %w", said, errRefused) // the same request would be as bad a second time
}

// wait is how long a 429 asks for.
func (c *call) wait(seconds int) time.Duration {
	if seconds <= 0 {
		return unnamedWait
	}
	return min(time.Duration(min(seconds, 1<<30))*time.Second, longestWait)
}

// group reports whether a limit is the chat's own. Telegram doesn't say whose
// limit was met. A group's own (20 a minute) is met long before the bot's (30 a
// second); a private chat's is not met by one notice at a time, so there it is
// the bot's.
func (c *call) group() bool { return strings.HasPrefix(c.chat, "-") || strings.HasPrefix(c.chat, "@") }

// badKeyboards are the 400s that another message without its buttons avoids: a
// page on this machine alone is no address for Telegram.
var badKeyboards = []string{"button", "reply markup", "reply_markup", "inline keyboard", "wrong http url"}

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
func (c *call) redact(words string) string {
	for _, private := range c.private {
		if private != "" {
			words = strings.ReplaceAll(words, private, "[secret]")
		}
	}
	if c.chat != "" {
		words = strings.ReplaceAll(words, c.chat, "[chat]")
	}
	words = longDigits.ReplaceAllString(words, "[number]")
	words = strings.Join(strings.Fields(strings.ToValidUTF8(words, "?")), " ")
	if runes := []rune(words); len(runes) > 200 {
		words = string(runes[:200]) + "…"
	}
	return words
}
