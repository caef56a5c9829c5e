package rules

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// WebhookPath is where the notifier takes alerts; query parameter
// WebhookAudience says for whom.
const (
	WebhookPath     = "/webhook"
	WebhookAudience = "audience"
)

// AlertmanagerOptions says what alertmanager.yml is rendered for.
type AlertmanagerOptions struct {
	Escalation Escalation // only its pace matters; zero: DefaultEscalation
	// WebhookURL is where the notifier's private address answers, e.g. http://127.0.0.1:9817.
	WebhookURL string
	// TokenFile holds the token of the webhook, alone in the file. A relative
	// path is looked up beside alertmanager.yml.
	TokenFile string
}

// Alertmanager returns a whole alertmanager.yml for Alertmanager 0.25 and
// later: who is told of which alert, how grouped, how often.
func Alertmanager(o AlertmanagerOptions) ([]byte, error) {
	if o.Escalation == (Escalation{}) {
		o.Escalation = DefaultEscalation()
	}
	webhook, err := base("webhook url", o.WebhookURL)
	if err := errors.Join(err, validEscalation(o.Escalation), file("token file", o.TokenFile)); err != nil {
		return nil, fmt.Errorf("alertmanager.yml: %w", err)
	}
	type receiver struct {
		Name Audience
		URL  string
	}
	page := struct {
		Receivers []receiver
		TokenFile string
	}{TokenFile: o.TokenFile}
	for _, audience := range Audiences {
		page.Receivers = append(page.Receivers, receiver{
			audience, webhook + WebhookPath + "?" + WebhookAudience + "=" + string(audience),
		})
	}
	return execute("alertmanager.yml", o.Escalation, page)
}

// file checks a path that goes into YAML.
func file(what, path string) error {
	if path == "" {
		return fmt.Errorf("%s: want a path", what)
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return fmt.Errorf("%s %q: want no control characters", what, path)
	}
	return nil
}
