package config

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

const (
	// mostMonitors bounds the monitors of one look: each is a series.
	mostMonitors = 50
	// leastToken keeps the URL of a push from being guessed.
	leastToken = 16
)

var (
	monitorForm = regexp.MustCompile(`^[0-9]{1,20}$`)
	// tokenForm matches what can be the last part of a URL as it is.
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
)

type uptimeRobotFields struct {
	API      string
	URL      string
	Key      configfile.Secret
	Monitors []string
}

// SetDefaults is called before the file's values.
func (f *uptimeRobotFields) SetDefaults() {
	f.API = "v3"
	f.URL = "https://api.uptimerobot.com"
}

func (b builder) uptimeRobot(path string, fields uptimeRobotFields) *exporter.UptimeRobot {
	if fields.API != "v2" && fields.API != "v3" {
		b.add(path, "api", fields.API, "v2 or v3")
	}
	b.target(configfile.Field(path, "url"), fields.URL, form{want: wantURL, ok: isURL})
	if !fields.Key.IsSet() {
		b.add(path, "key", fields.Key, "an API key of the account, best one that may only read")
	}
	at := configfile.Field(path, "monitors")
	if len(fields.Monitors) > mostMonitors {
		b.problems.Add(at, configfile.Phrase(fmt.Sprintf("%d monitors", len(fields.Monitors))), fmt.Sprintf("at most %d", mostMonitors))
	}
	for i, monitor := range fields.Monitors {
		switch first := slices.Index(fields.Monitors, monitor); {
		case !monitorForm.MatchString(monitor):
			b.problems.Add(configfile.Item(at, i), monitor, "the number of a monitor")
		case first < i:
			b.problems.Add(configfile.Item(at, i), configfile.Phrase("a monitor a second time"), "each once")
		}
	}
	return &exporter.UptimeRobot{API: fields.API, URL: fields.URL, Key: fields.Key.Reveal(), Monitors: fields.Monitors}
}

type pushFields struct {
	Token  configfile.Secret
	Within time.Duration
}

func (b builder) push(path string, fields pushFields) *exporter.Push {
	switch token := fields.Token.Reveal(); {
	case token == "":
		b.add(path, "token", fields.Token, "what the job's URL ends with: a random word that nobody guesses")
	case !tokenForm.MatchString(token):
		b.add(path, "token", fields.Token, fmt.Sprintf("%d to 128 letters, digits, _ and -", leastToken))
	case b.pushTokens[token]:
		b.add(path, "token", configfile.Phrase("the token of another service"), "a token of its own")
	}
	b.pushTokens[fields.Token.Reveal()] = true
	switch {
	case fields.Within == 0 && !b.problems.Has(configfile.Field(path, "within")):
		b.add(path, "within", configfile.Phrase("nothing"), "how long the job may be silent, such as 10m")
	case fields.Within < time.Second:
		b.add(path, "within", fields.Within, "at least 1s")
	}
	return &exporter.Push{Token: fields.Token.Reveal(), Within: fields.Within}
}
