package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"shopwatch/internal/configfile"
)

// The most that a file may ask for: an incident that becomes public a day late
// is news to nobody.
const (
	longestAfter  = 24 * time.Hour
	longestReopen = 24 * time.Hour
)

// PublishConfig says how incidents become public that buyers feel.
type PublishConfig struct {
	Publishing

	Services map[string]Publishing // by key, where it differs
}

// Publishing is how incidents of a service become public.
type Publishing struct {
	After time.Duration // how long one waits first; one that ends before is never public
	Held  bool          // waits for a person instead
}

// Of gives how incidents of the service with a key become public.
func (c PublishConfig) Of(key string) Publishing {
	if p, ok := c.Services[key]; ok {
		return p
	}
	return c.Publishing
}

// WebhookConfig is what whoever sends alerts to us proves to be the one by: a
// token, or a name and a password, or, where both are set, either. None of it set: Alertmanager in this process
// has a token of its own.
type WebhookConfig struct {
	Token    configfile.Secret
	Username string
	Password configfile.Secret
}

type publishFields struct {
	After    time.Duration
	Held     bool
	Services map[string]publishingFields
}

type publishingFields struct {
	After time.Duration
	Held  bool
}

type incidentsFields struct {
	Reopen time.Duration
}

type webhookFields struct {
	Token    configfile.Secret
	Username string
	Password configfile.Secret
}

func (b builder) publish(path string, fields publishFields) PublishConfig {
	config := PublishConfig{Publishing: b.publishing(path, publishingFields{fields.After, fields.Held})}
	for _, key := range slices.Sorted(maps.Keys(fields.Services)) {
		if shop, id, ok := strings.Cut(key, "/"); !ok || shop == "" || id == "" || strings.Contains(id, "/") {
			b.add(path, "services", key, "a shop and one of its services, such as main/alipay")
			continue
		}
		if config.Services == nil {
			config.Services = map[string]Publishing{}
		}
		config.Services[key] = b.publishing(configfile.Field(configfile.Field(path, "services"), key), fields.Services[key])
	}
	return config
}

func (b builder) publishing(path string, fields publishingFields) Publishing {
	switch {
	case fields.After < 0 || fields.After > longestAfter:
		b.add(path, "after", fields.After, "0s to 24h")
	case fields.After > 0 && fields.Held:
		b.add(path, "held", fields.Held, "false beside after: what waits for a person doesn't become public by itself")
	}
	return Publishing(fields)
}

func (b builder) incidents(path string, fields incidentsFields) time.Duration {
	if fields.Reopen < 0 || fields.Reopen > longestReopen {
		b.add(path, "reopen", fields.Reopen, "0s (an incident never opens again) to 24h")
	}
	return fields.Reopen
}

func (b builder) webhook(path string, fields *webhookFields) WebhookConfig {
	if fields == nil {
		return WebhookConfig{}
	}
	login := fields.Username != "" || fields.Password.IsSet()
	switch {
	case !fields.Token.IsSet() && !login:
		b.add(path, "token", fields.Token, "the token that Alertmanager sends, or its file in token_file; or username and password")
	case login && fields.Username == "":
		b.add(path, "username", fields.Username, "the name that comes with the password")
	case login && !fields.Password.IsSet():
		b.add(path, "password", fields.Password, "the password that comes with the username, or its file in password_file")
	}
	if strings.Contains(fields.Username, ":") {
		b.add(path, "username", fields.Username, "one without a colon, which ends it in HTTP")
	}
	return WebhookConfig{Token: fields.Token, Username: fields.Username, Password: fields.Password}
}
