package rules

import (
	"bytes"
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

// ReceiverDigest is the receiver of alerts that inform (severity info): they
// are collected for the console and pushed to nobody. It posts for Ops.
const ReceiverDigest = "digest"

// fragmentPrefix keeps the names in a fragment apart from those of the file
// that it is merged into.
const fragmentPrefix = "shopwatch-"

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
	return o.render("alertmanager/file.yml", "")
}

// AlertmanagerFragment returns the same as one route and its receivers, to be
// merged into an alertmanager.yml of the user's own: it takes our alerts and no
// others, and what it takes goes to none of the user's receivers.
func AlertmanagerFragment(o AlertmanagerOptions) ([]byte, error) {
	return o.render("alertmanager/fragment.yml", fragmentPrefix)
}

func (o AlertmanagerOptions) render(template, prefix string) ([]byte, error) {
	if o.Escalation == (Escalation{}) {
		o.Escalation = DefaultEscalation()
	}
	receivers, err := receivers(o.WebhookURL, prefix)
	if err := errors.Join(err, validEscalation(o.Escalation), file("token file", o.TokenFile)); err != nil {
		return nil, fmt.Errorf("alertmanager.yml: %w", err)
	}
	return execute(template, o.Escalation, alertmanagerPage{
		escalation: o.Escalation, Prefix: prefix, Receivers: receivers, TokenFile: o.TokenFile, Matchers: ours,
	})
}

// alertmanagerPage is what the templates of alertmanager.yml are filled from.
// Its methods are the parts that the whole file and the fragment share, as deep
// in the YAML as they stand there.
type alertmanagerPage struct {
	escalation Escalation
	Prefix     string // of the names of receivers and time intervals
	Receivers  []receiver
	TokenFile  string
	Matchers   []matcher
}

// RouteList is the tree below the route that takes our alerts.
func (p alertmanagerPage) RouteList(indent int) (string, error) {
	return p.part("alertmanager/routes.yml", indent)
}

// ReceiverList is one webhook an audience, and the digest's.
func (p alertmanagerPage) ReceiverList(indent int) (string, error) {
	return p.part("alertmanager/receivers.yml", indent)
}

// Hours is the commented variant in which warnings wait until morning.
func (p alertmanagerPage) Hours() (string, error) {
	return p.part("alertmanager/hours.yml", 0)
}

func (p alertmanagerPage) part(template string, indent int) (string, error) {
	lines, err := execute(template, p.escalation, p)
	return string(indented(lines, indent)), err
}

// indented moves lines to the right, and leaves empty ones empty.
func indented(lines []byte, spaces int) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(lines) {
		if len(bytes.TrimSpace(line)) > 0 {
			out.WriteString(strings.Repeat(" ", spaces))
		}
		out.Write(line)
	}
	return out.Bytes()
}

// matcher holds a label to an anchored regular expression.
type matcher struct{ Name, Value string }

// ours matches every alert of our rules and none of anybody else's: an incident
// of this form, a shop and one of these tiers come together nowhere else.
var ours = []matcher{
	{LabelIncident, ".+/.+"},
	{LabelShop, ".+"},
	{LabelTier, strings.Join([]string{string(Ops), string(Management), string(Deadman)}, "|")},
}

// receiver is a name in the routes and the address that it posts to.
type receiver struct{ Name, URL string }

// receivers returns one receiver an audience, and the digest's.
func receivers(webhookURL, prefix string) ([]receiver, error) {
	webhook, err := base("webhook url", webhookURL)
	post := func(audience Audience) string {
		return webhook + WebhookPath + "?" + WebhookAudience + "=" + string(audience)
	}
	var all []receiver
	for _, audience := range Audiences {
		all = append(all, receiver{prefix + string(audience), post(audience)})
	}
	return append(all, receiver{prefix + ReceiverDigest, post(Ops)}), err
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
