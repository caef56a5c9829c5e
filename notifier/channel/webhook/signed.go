package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
)

// Body is the JSON of a signed webhook, version 1. New fields may come; those
// that are here keep their meaning.
type Body struct {
	Version  int               `json:"version"`            // 1
	ID       string            `json:"id"`                 // the same at every try
	Incident string            `json:"incident,omitempty"` // groups notices of one outage
	Event    notifier.Event    `json:"event"`
	Language notifier.Language `json:"language"`
	Title    string            `json:"title"`
	Text     string            `json:"text"` // plain
	Links    []Link            `json:"links,omitempty"`
}

// Link is a page about the incident.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// signed posts a Body, signed as standardwebhooks.com says, whose libraries
// verify it: webhook-id, webhook-timestamp (Unix seconds), and webhook-signature,
// "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body".
type signed struct{}

func (signed) request(m notifier.Message, secret string, now time.Time, _ *url.URL, header http.Header) (any, error) {
	body := Body{Version: 1, ID: m.ID, Incident: m.Thread, Event: m.Event, Language: m.Language, Title: m.Subject, Text: m.Text}
	for _, button := range links(m) {
		body.Links = append(body.Links, Link{button.Text, button.URL})
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	at := strconv.FormatInt(now.Unix(), 10)
	header.Set("Idempotency-Key", m.ID)
	header.Set("Webhook-Id", m.ID)
	header.Set("Webhook-Timestamp", at)
	header.Set("Webhook-Signature", Sign(secret, m.ID, at, encoded))
	return encoded, nil
}

// Sign is the webhook-signature of a body. A secret that begins with "whsec_" is
// base64 after it, any other is taken as it is.
func Sign(secret, id, timestamp string, body []byte) string {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			key = decoded
		}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (signed) judge(a answer) error {
	if a.fine() {
		return nil
	}
	return a.byStatus()
}
