package app

import (
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/webhook"
	"shopwatch/notifier/config"
	"shopwatch/notifier/dispatch"
)

// robotPaces are what one robot bears: DingTalk and WeCom 20 messages a minute,
// Feishu 100 a minute and 5 a second. Two less a minute, since their clocks
// aren't ours and DingTalk answers one too many with ten minutes of silence. A
// receiver of one's own bears what it bears, and says so when it doesn't.
var robotPaces = map[string][]notifier.Pace{
	config.DingTalk: {{Messages: 18, Per: time.Minute, Burst: 5}},
	config.WeCom:    {{Messages: 18, Per: time.Minute, Burst: 5}},
	config.Feishu:   {notifier.PerSecond(5), {Messages: 95, Per: time.Minute, Burst: 10}},
}

// posts are the lines of webhooks and group robots, one a kind.
func posts(list []config.OutgoingConfig, now func() time.Time) ([]dispatch.Line, error) {
	targets := map[string][]webhook.Target{}
	var kinds []string
	for _, w := range list {
		target := webhook.Target{Name: w.Name, URL: w.URL.Read}
		if w.Secret.IsSet() {
			target.Secret = w.Secret.Read
		}
		if targets[w.Kind] == nil {
			kinds = append(kinds, w.Kind)
		}
		targets[w.Kind] = append(targets[w.Kind], target)
	}
	var lines []dispatch.Line
	for _, kind := range kinds {
		channel, err := webhook.New(webhook.Config{Kind: webhook.Kind(kind), Targets: targets[kind], Now: now})
		if err != nil {
			return nil, err
		}
		line := dispatch.Line{Channel: channel, Senders: 4}
		if paces := robotPaces[kind]; paces != nil {
			line.Recipient = func(target string) (string, []notifier.Pace) { return target, paces }
		}
		lines = append(lines, line)
	}
	return lines, nil
}
