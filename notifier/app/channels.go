package app

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/email"
	"shopwatch/notifier/channel/telegram"
	"shopwatch/notifier/config"
	"shopwatch/notifier/dispatch"
)

// Paces that the far sides bear: Telegram allows about 30 a second a bot; mail
// servers differ, and this is what small accounts may do.
const (
	telegramRate = 28
	emailRate    = 10
)

// channels builds a line for each channel of the configuration.
func channels(cfg config.Config, now func() time.Time, logger *slog.Logger) ([]dispatch.Line, error) {
	var lines []dispatch.Line
	var problems []error
	add := func(c dispatch.Channel, err error, perSecond int, senders int) {
		if err != nil {
			problems = append(problems, err)
			return
		}
		lines = append(lines, dispatch.Line{Channel: c, Pace: notifier.PerSecond(perSecond), Senders: senders})
	}
	if t := cfg.Telegram; t != nil {
		c, err := telegram.New(telegramConfig(t, logger))
		add(c, err, telegramRate, 8)
	}
	if e := cfg.Email; e != nil {
		const connections = 3
		c, err := email.New(email.Config{
			Host: e.Host, Port: e.Port, Username: e.Username, Password: e.Password.Reveal(), From: e.From,
			TLS: email.TLS(e.TLS), ListID: listID(cfg.Page.URL), Now: now, Connections: connections,
		})
		add(c, err, emailRate, connections)
	}
	if s := cfg.SMS; s != nil {
		line, err := texts(s, now)
		if err != nil {
			problems = append(problems, err)
		}
		lines = append(lines, line)
	}
	posts, err := posts(cfg.Webhooks, now)
	if err != nil {
		problems = append(problems, err)
	}
	lines = append(lines, posts...)
	return lines, errors.Join(problems...)
}

// listID names our mail for filters by the page's host name; a page that is
// reached by an address or on this machine alone has none.
func listID(page string) string {
	u, err := url.Parse(page)
	if err != nil || !strings.Contains(u.Hostname(), ".") || net.ParseIP(u.Hostname()) != nil {
		return ""
	}
	return u.Hostname()
}
