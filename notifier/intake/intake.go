// Package intake takes Alertmanager's webhook (version 4, and Grafana's of the
// same shape) and UptimeRobot's, and is the only room that knows their forms.
//
// It answers 2xx only after Keep has returned, that is after the alerts are
// durable; 503, never 429, when they can't be kept, because Alertmanager tries
// again after 5xx only. It decides nothing: an alert that a payload no longer
// lists is not a resolved one, and an alert told twice is passed on twice.
package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/rules"
)

// Limits of one payload. Alertmanager's max_alerts is 0 (none) in our own
// configuration; 4 MiB hold some thousand alerts with our annotations.
const (
	maxBody   = 4 << 20
	maxAlerts = 5000
)

// Limits of what one alert says, in bytes; what is longer is cut. A label may be
// the incident's key, and PostgreSQL bounds the entries of an index.
const (
	maxLabel       = 1 << 10
	maxAnnotation  = 16 << 10
	maxFingerprint = 64
)

// Config is what a webhook is built of. Token, or Username and Password, or all
// three are required; so are the other fields but Inside.
type Config struct {
	Token              string // bearer, or in X-Shopwatch-Token beside another login
	Username, Password string // basic authentication
	// Inside is what the Alertmanager of this process sends as its bearer, whatever
	// others are to send; empty: there is none.
	Inside string
	// Keep makes the alerts durable, in order. It is idempotent.
	Keep   func(context.Context, []notifier.Alert) error
	Now    func() time.Time
	Logger *slog.Logger
}

func (c Config) check() error {
	if c.Token == "" && (c.Username == "" || c.Password == "") || c.Keep == nil || c.Now == nil || c.Logger == nil {
		return errors.New("intake: a token or a login, keep, clock and logger are required")
	}
	return nil
}

// known reports whether the request comes from who may send alerts.
func (c Config) known(r *http.Request) bool {
	if guard.Bearer(r, c.Token) || guard.Bearer(r, c.Inside) {
		return true
	}
	username, password, ok := r.BasicAuth()
	name, word := guard.Equal(username, c.Username), guard.Equal(password, c.Password) // both, so that the time tells nothing
	return ok && c.Username != "" && c.Password != "" && name && word
}

// payload is Alertmanager's webhook, version 4, as far as we read it; unknown
// fields are ignored because `payload:` (0.32+) and Grafana add theirs.
type payload struct {
	Version   string         `json:"version"`
	OrgID     *int           `json:"orgId"` // Grafana's alone
	Receiver  string         `json:"receiver"`
	Truncated int            `json:"truncatedAlerts"`
	Alerts    []payloadAlert `json:"alerts"`
}

// grafana reports whether Grafana judged the alerts and tells of them itself. A
// Grafana that is dead tells nothing, so its resolved needs no Watchdog.
func (p payload) grafana() bool { return p.Version == "1" && p.OrgID != nil }

type payloadAlert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint"`
}

// New gives the handler of /webhook: 200 once kept, 400 where the payload can't
// be read or names no audience, 401 without the token, 405, 413, 503.
func New(cfg Config) (http.Handler, error) {
	return door(cfg, take)
}

// door answers with what take makes of a request: a status, and why it is refused.
func door(cfg Config, take func(Config, http.ResponseWriter, *http.Request) (int, string)) (http.Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, text := take(cfg, w, r)
		if status != http.StatusOK {
			cfg.Logger.Warn("webhook refused", "status", status, "reason", text, "user_agent", r.UserAgent())
			http.Error(w, text, status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}\n")
	}), nil
}

func take(cfg Config, w http.ResponseWriter, r *http.Request) (int, string) {
	if !cfg.known(r) {
		if cfg.Username != "" {
			w.Header().Add("WWW-Authenticate", `Basic realm="shopwatch", charset="UTF-8"`)
		}
		if cfg.Token != "" {
			w.Header().Add("WWW-Authenticate", "Bearer")
		}
		return http.StatusUnauthorized, "send the webhook's token as a bearer token (http_config.authorization.credentials_file), or its username and password (http_config.basic_auth)"
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, "the webhook takes POST only"
	}
	var p payload
	body := http.MaxBytesReader(w, r.Body, maxBody)
	if err := json.NewDecoder(body).Decode(&p); err != nil {
		if tooLarge(err) {
			return http.StatusRequestEntityTooLarge, fmt.Sprintf("the payload is larger than %d bytes: set max_alerts on the receiver", maxBody)
		}
		return http.StatusBadRequest, "the payload is not Alertmanager's webhook JSON"
	}
	audience, ok := audienceOf(r.URL.Query().Get("audience"), p.Receiver)
	if !ok {
		return http.StatusBadRequest, fmt.Sprintf("no audience: post to /webhook?audience=… with one of %v", rules.Audiences)
	}
	alerts, err := alertsOf(p, audience)
	if err != nil && len(alerts) == 0 {
		return http.StatusBadRequest, err.Error()
	}
	if err != nil { // Alertmanager does not try again after a 4xx, so the good ones must not suffer
		cfg.Logger.Warn("alerts left out", "audience", audience, "err", err)
	}
	if p.Truncated > 0 {
		cfg.Logger.Warn("alertmanager cut alerts off the payload", "audience", audience, "truncated", p.Truncated)
	}
	if err := cfg.Keep(r.Context(), alerts); err != nil {
		cfg.Logger.Error("alerts not kept", "audience", audience, "alerts", len(alerts), "err", err)
		return http.StatusServiceUnavailable, "the alerts could not be stored; try again"
	}
	return http.StatusOK, ""
}

func tooLarge(err error) bool {
	limit := (*http.MaxBytesError)(nil)
	return errors.As(err, &limit)
}

// audienceOf prefers the query, since operators rename receivers; a receiver's
// name arrives regexp-quoted ("team\.ops") and is only the fallback.
func audienceOf(query, receiver string) (rules.Audience, bool) {
	name := query
	if name == "" {
		name = strings.ReplaceAll(receiver, `\`, "")
	}
	audience := rules.Audience(name)
	return audience, slices.Contains(rules.Audiences, audience)
}

// alertsOf gives the alerts that can be read, and what is wrong with the others.
func alertsOf(p payload, audience rules.Audience) ([]notifier.Alert, error) {
	if len(p.Alerts) > maxAlerts {
		return nil, fmt.Errorf("%d alerts in one payload, at most %d: set max_alerts on the receiver", len(p.Alerts), maxAlerts)
	}
	alerts := make([]notifier.Alert, 0, len(p.Alerts))
	var problems []error
	for i, a := range p.Alerts {
		if a.Status != "firing" && a.Status != "resolved" {
			problems = append(problems, fmt.Errorf("alert %d has status %.20q, want firing or resolved", i+1, a.Status))
			continue
		}
		if len(a.Labels) == 0 {
			problems = append(problems, fmt.Errorf("alert %d has no labels", i+1))
			continue
		}
		alert := notifier.Alert{
			Audience: audience, Fingerprint: a.Fingerprint, Firing: a.Status == "firing",
			Labels: a.Labels, Annotations: a.Annotations, StartsAt: possible(a.StartsAt), EndsAt: possible(a.EndsAt),
			Direct: p.grafana(),
		}
		if alert.Firing {
			alert.EndsAt = time.Time{}
		}
		if alert.Fingerprint == "" || len(alert.Fingerprint) > maxFingerprint {
			alert.Fingerprint = fingerprint(a.Labels)
		}
		cut(alert.Labels, maxLabel)
		cut(alert.Annotations, maxAnnotation)
		alerts = append(alerts, alert)
	}
	return alerts, errors.Join(problems...)
}

// cut shortens texts that would make all larger that they are copied into.
func cut(texts map[string]string, most int) {
	for name, text := range texts {
		if len(text) > most {
			texts[name] = strings.ToValidUTF8(text[:most], "")
		}
	}
}

// possible is a moment in UTC; one that JSON can't tell there is none.
func possible(at time.Time) time.Time {
	if at = at.UTC(); at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}
	}
	return at
}

// fingerprint is Alertmanager's own: the hash of the label set.
func fingerprint(labels map[string]string) string {
	set := make(model.LabelSet, len(labels))
	for name, value := range labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set.Fingerprint().String()
}
