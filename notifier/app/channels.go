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

// Paces that the far sides bear. Telegram: about 30 a second a bot, one a second
// a chat, 20 a minute a group (core.telegram.org/bots/faq, "My bot is hitting
// limits"). Mail servers differ: this is what small accounts may do, and half of
// it for one domain, whose servers hold back who comes in a rush.
var (
	telegramPace  = notifier.PerSecond(30)
	telegramChat  = []notifier.Pace{notifier.PerSecond(1)}
	telegramGroup = []notifier.Pace{notifier.PerSecond(1), {Messages: 20, Per: time.Minute, Burst: 5}}
	emailPace     = notifier.PerSecond(10)
	domainPace    = notifier.PerSecond(5)
)

// telegramSenders hold the pace also where an answer takes half a second.
const telegramSenders = 24

// channels builds a line for each channel of the configuration.
func channels(cfg config.Config, now func() time.Time, logger *slog.Logger) ([]dispatch.Line, error) {
	var lines []dispatch.Line
	var problems []error
	add := func(line dispatch.Line, err error) {
		if err != nil {
			problems = append(problems, err)
			return
		}
		lines = append(lines, line)
	}
	if t := cfg.Telegram; t != nil {
		c, err := telegram.New(telegramConfig(t, logger))
		add(dispatch.Line{Channel: c, Pace: telegramPace, Recipient: chat, Senders: telegramSenders}, err)
	}
	if e := cfg.Email; e != nil {
		const connections = 3
		c, err := email.New(email.Config{
			Host: e.Host, Port: e.Port, Username: e.Username, Password: e.Password.Reveal(), From: e.From,
			TLS: email.TLS(e.TLS), ListID: listID(cfg.Page.URL), Now: now, Connections: connections,
		})
		add(dispatch.Line{Channel: c, Pace: emailPace, Domain: domain, Senders: connections}, err)
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

// chat gives the chat of Telegram that an address leads to, and what it bears,
// all its topics together. A group's id is below zero; a name is a channel's or a
// group's, in any case of its letters.
func chat(address string) (id string, paces []notifier.Pace) {
	id, _, _ = telegram.ParseAddress(address)
	if strings.HasPrefix(id, "-") || strings.HasPrefix(id, "@") {
		return strings.ToLower(id), telegramGroup
	}
	return id, telegramChat
}

// domain is what the mail addresses of one domain share.
func domain(address string) (string, notifier.Pace) {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:]), domainPace
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
