package app

import (
	"context"

	"shopwatch/notifier/console"
)

// Chat is what an address of Telegram leads to, and whether that is a group.
func Chat(address string) (id string, group bool) {
	id, paces := chat(address)
	return id, len(paces) == len(telegramGroup)
}

// Overview is what the console shows first.
func (a *App) Overview(ctx context.Context) (console.Overview, error) {
	return a.desk.Load().Overview(ctx)
}
