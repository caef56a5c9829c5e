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
	"shopwatch/notifier/channel/sms"
	"shopwatch/notifier/channel/telegram"
	"shopwatch/notifier/config"
	"shopwatch/notifier/dispatch"
)

// Paces that the far sides bear: Telegram allows about 30 a second a bot; mail
// servers and SMS providers differ, and these are what small accounts may do.
const (
	telegramRate = 28
	emailRate    = 10
	smsRate      = 5
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
		c, err := aliyun(s.Aliyun)
		add(c, err, smsRate, 4)
	}
	return lines, errors.Join(problems...)
}

func aliyun(a *config.AliyunConfig) (*sms.Aliyun, error) {
	cfg := sms.AliyunConfig{
		AccessKeyID: a.AccessKeyID, AccessKeySecret: a.AccessKeySecret.Reveal(), SignName: a.SignName,
		Endpoint: a.Endpoint, Templates: map[string]string{}, AllowedPrefixes: a.AllowedPrefixes,
	}
	if gateway, err := url.Parse(a.Endpoint); err == nil && gateway.Host != "" {
		cfg.Endpoint, cfg.Protocol = gateway.Host, gateway.Scheme
	}
	for event, code := range a.Templates {
		cfg.Templates[string(event)] = code
	}
	return sms.NewAliyun(cfg)
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
