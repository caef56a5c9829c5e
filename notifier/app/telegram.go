package app

import (
	"log/slog"
	"net/url"

	"shopwatch/notifier/channel/telegram"
	"shopwatch/notifier/config"
)

// telegramConfig is the bot of the configuration.
func telegramConfig(t *config.TelegramConfig, logger *slog.Logger) telegram.Config {
	cfg := telegram.Config{Token: t.Token.Read, APIURL: t.APIURL, Logger: logger}
	if proxy, err := url.Parse(t.Proxy.Reveal()); err == nil && t.Proxy.IsSet() {
		cfg.Proxy = proxy
	}
	return cfg
}
