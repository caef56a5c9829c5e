package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shopwatch/notifier/sandbox"
)

// pressed presses the first button on the demo's sandbox whose data begins so,
// under a Telegram message to the reader that holds the words.
func (d *demonstration) pressed(t *testing.T, to, words, verb string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(d.dir, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	d.eventually(t, to+" has a button to "+verb, func() error {
		messages, err := d.messages()
		if err != nil {
			return err
		}
		for _, m := range messages {
			for _, row := range m.Buttons {
				for _, b := range row {
					if m.To != to || !strings.Contains(m.Text, words) || !strings.HasPrefix(b.Data, verb+":") {
						continue
					}
					r, err := http.NewRequest(http.MethodPost, fmt.Sprintf("%s/sandbox/messages/%d/press", d.private, m.ID), strings.NewReader(url.Values{"data": {b.Data}}.Encode()))
					if err != nil {
						return err
					}
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
					response, err := http.DefaultTransport.RoundTrip(r)
					if err != nil {
						return err
					}
					response.Body.Close()
					if response.StatusCode != http.StatusSeeOther {
						t.Fatalf("a press was answered %s", response.Status)
					}
					return nil
				}
			}
		}
		return fmt.Errorf("not among %d messages", len(messages))
	})
}

// answered waits until the bot answered a press under a message to the reader.
func (d *demonstration) answered(t *testing.T, to, words string) {
	t.Helper()
	d.eventually(t, "the bot answers "+words, func() error {
		messages, err := d.messages()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.To == to && m.Channel == sandbox.Telegram && strings.Contains(m.Toast, words) {
				return nil
			}
		}
		return fmt.Errorf("not among %d messages", len(messages))
	})
}

func TestAPressInTelegramSilencesTheAlertmanagerOfTheSameProcess(t *testing.T) {
	compressed(t)
	const ops = "-1001000000001"
	d := demonstrate(t, t.TempDir(), "127.0.0.1:0", "127.0.0.1:0")
	d.turn(t, "break", "alipay")
	const outage = "支付宝暂时无法支付" // a busy machine may raise other alarms beside it
	d.pressed(t, ops, outage, "ack")
	d.answered(t, ops, "已接手")
	d.pressed(t, ops, outage, "mute")
	d.answered(t, ops, "静默到")
	response, err := http.Get(d.private + "/alertmanager/api/v2/silences")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var silences []struct {
		CreatedBy string
		Matchers  []struct{ Name, Value string }
		Status    struct{ State string }
	}
	if err := json.NewDecoder(response.Body).Decode(&silences); err != nil {
		t.Fatal(err)
	}
	if len(silences) != 1 || silences[0].Status.State != "active" || len(silences[0].Matchers) != 1 || silences[0].Matchers[0].Name != "incident" || silences[0].Matchers[0].Value != "demo/alipay" {
		t.Errorf("Alertmanager holds %+v, want the silence of demo/alipay", silences)
	}
	d.stop(t)
}
