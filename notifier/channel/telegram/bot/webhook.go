package bot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"crypto/subtle"

	"shopwatch/notifier/channel/telegram"
)

const (
	// maxUpdate is the most that one update may hold.
	maxUpdate = 1 << 20
	// secretHeader is how Telegram proves that it is who posts.
	secretHeader = "X-Telegram-Bot-Api-Secret-Token"
)

// Path is where Telegram posts, on the public address: nobody guesses it.
func (b *Bot) Path() string { return b.path }

// Handler takes an update at Path: 200 once it is answered, 404 without the
// secret, 413 past 1 MiB, 503 where how far we read can't be kept, so that
// Telegram comes again.
func (b *Bot) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := subtle.ConstantTimeCompare([]byte(r.Header.Get(secretHeader)), []byte(b.header)) == 1
		if !known || r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpdate))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			return // whoever posted has gone
		}
		if err := b.take(r.Context(), []json.RawMessage{body}); err != nil {
			b.cfg.Logger.Error("telegram update not taken", "err", err)
			http.Error(w, "come again", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}

// webhookInfo is what Telegram knows of the webhook.
type webhookInfo struct {
	URL       string `json:"url"`
	LastError string `json:"last_error_message"`
	Pending   int    `json:"pending_update_count"`
}

func (b *Bot) webhookInfo(ctx context.Context) (info webhookInfo, err error) {
	result, err := b.cfg.API.Call(ctx, "getWebhookInfo", "", nil)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(result, &info); err != nil {
		return info, errors.New("telegram: getWebhookInfo: the answer can't be read")
	}
	return info, nil
}

// keepWebhook has Telegram post to us, and looks every so often that it still does.
func (b *Bot) keepWebhook(ctx context.Context, held func() bool) {
	b.retrying(ctx, "telegram webhook not set", b.setWebhook)
	for b.cfg.Wait(ctx, lookAgain) == nil && held() {
		info, err := b.webhookInfo(ctx)
		switch {
		case err != nil:
			b.cfg.Logger.Warn("telegram webhook can't be looked at", "err", err)
		case info.URL != b.cfg.PageURL+b.path:
			b.cfg.Logger.Error("telegram webhook was taken away: another program uses this bot's token. Give shopwatch a bot of its own")
			b.retrying(ctx, "telegram webhook not set", b.setWebhook)
		case info.Pending > 0 && info.LastError != "":
			b.cfg.Logger.Warn("telegram can't post its updates to notifier.page.url", "waiting", info.Pending, "reason", strings.ReplaceAll(info.LastError, b.path, "/…"))
		}
	}
}

func (b *Bot) setWebhook(ctx context.Context) error {
	_, err := b.cfg.API.Call(ctx, "setWebhook", "", map[string]string{
		"url": b.cfg.PageURL + b.path, "secret_token": b.header, "allowed_updates": wanted,
		"max_connections": "1", // in their order
	})
	if errors.Is(err, telegram.ErrConflict) {
		return errors.New("telegram: setWebhook: another program takes the bot's updates")
	}
	return err
}
