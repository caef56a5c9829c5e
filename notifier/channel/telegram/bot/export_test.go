package bot

import (
	"context"
	"encoding/json"
)

// Take answers updates as if they had just been read.
func (b *Bot) Take(ctx context.Context, updates ...string) error {
	raw := make([]json.RawMessage, len(updates))
	for i, update := range updates {
		raw[i] = json.RawMessage(update)
	}
	return b.take(ctx, raw)
}

// Payload and ReadPayload are the two sides of a link to the bot.
var (
	Payload     = payload
	ReadPayload = readPayload
)

// Data reads a button's data and gives it back as it would be written; "" where it is none.
func Data(text string) string {
	p, ok := parsePress(text)
	if !ok {
		return ""
	}
	return p.data()
}
