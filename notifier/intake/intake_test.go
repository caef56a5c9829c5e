package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"shopwatch/notifier"
	"shopwatch/notifier/intake"
	"shopwatch/rules"
)

const token = "a-very-secret-token"

// post sends body to a webhook whose Keep answers err, and gives the status and what was kept.
func post(t *testing.T, url, receiverToken, body string, err error) (int, []notifier.Alert) {
	t.Helper()
	var kept []notifier.Alert
	handler, buildErr := intake.New(intake.Config{
		Token:  token,
		Keep:   func(_ context.Context, alerts []notifier.Alert) error { kept = alerts; return err },
		Now:    func() time.Time { return noon },
		Logger: slog.New(slog.DiscardHandler),
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	r := httptest.NewRequest(http.MethodPost, url, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+receiverToken)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), token) {
		t.Errorf("the answer holds the token: %s", w.Body)
	}
	return w.Code, kept
}

func TestPayloadOfAlertmanagerIsKeptWhole(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/alertmanager.json")
	if err != nil {
		t.Fatal(err)
	}
	status, alerts := post(t, "/webhook?audience=ops", token, string(body), nil)
	if status != http.StatusOK || len(alerts) != 2 {
		t.Fatalf("answered %d, kept %d", status, len(alerts))
	}
	firing, resolved := alerts[0], alerts[1]
	if !firing.Firing || !firing.EndsAt.IsZero() || firing.Key() != "demo/alipay" || firing.Audience != rules.Ops {
		t.Errorf("firing: %+v", firing)
	}
	if want := time.Unix(1763780000, 0); !firing.Since().Equal(want) {
		t.Errorf("since %s, want %s", firing.Since(), want)
	}
	if resolved.Firing || resolved.EndsAt.IsZero() || len(resolved.Fingerprint) != 16 {
		t.Errorf("resolved: %+v", resolved)
	}
}

func TestEveryBadPayloadIsRefusedForItsReason(t *testing.T) {
	t.Parallel()
	const one = `{"alerts":[{"status":"firing","labels":{"alertname":"X"}}]}`
	cases := []struct {
		name, url, token, body string
		keep                   error
		want                   int
	}{
		{"no token", "/webhook?audience=ops", "", one, nil, 401},
		{"a wrong token", "/webhook?audience=ops", "a-very-secret-tokem", one, nil, 401},
		{"not JSON", "/webhook?audience=ops", token, "status=firing", nil, 400},
		{"JSON of another shape", "/webhook?audience=ops", token, `{"alerts":"many"}`, nil, 400},
		{"cut short", "/webhook?audience=ops", token, one[:40], nil, 400},
		{"an audience that nobody is", "/webhook?audience=everyone", token, one, nil, 400},
		{"no audience and a renamed receiver", "/webhook", token, `{"receiver":"team-a","alerts":[]}`, nil, 400},
		{"an alert without status", "/webhook?audience=ops", token, `{"alerts":[{"labels":{"alertname":"X"}}]}`, nil, 400},
		{"an alert without labels", "/webhook?audience=ops", token, `{"alerts":[{"status":"firing"}]}`, nil, 400},
		{"larger than the limit", "/webhook?audience=ops", token, `{"receiver":"` + strings.Repeat("x", 5<<20) + `"}`, nil, 413},
		{"the store is away", "/webhook?audience=ops", token, one, errors.New("disk full"), 503},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if status, _ := post(t, c.url, c.token, c.body, c.keep); status != c.want {
				t.Errorf("answered %d, want %d", status, c.want)
			}
		})
	}
}

func TestOneBadAlertCostsNoneOfTheOthers(t *testing.T) {
	t.Parallel()
	status, alerts := post(t, "/webhook?audience=ops", token,
		`{"alerts":[{"status":"firing"},{"status":"maybe","labels":{"alertname":"Y"}},{"status":"firing","labels":{"alertname":"X"}}]}`, nil)
	if status != http.StatusOK || len(alerts) != 1 || alerts[0].Name() != "X" {
		t.Errorf("answered %d, kept %+v", status, alerts)
	}
}

func TestReceiverIsTheFallbackForTheAudienceAndArrivesQuoted(t *testing.T) {
	t.Parallel()
	for receiver, want := range map[string]rules.Audience{"management": rules.Management, `sub\scribers`: rules.Subscribers} {
		body := `{"receiver":"` + strings.ReplaceAll(receiver, `\`, `\\`) + `","alerts":[{"status":"firing","labels":{"alertname":"X"}}],"new_field":{"a":[1]}}`
		status, alerts := post(t, "/webhook", token, body, nil)
		if status != http.StatusOK || len(alerts) != 1 || alerts[0].Audience != want {
			t.Errorf("%s: answered %d, kept %+v", receiver, status, alerts)
		}
	}
}

func FuzzWebhookNeverPanicsNorKeepsWhatItRefuses(f *testing.F) {
	body, err := os.ReadFile("testdata/alertmanager.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(body))
	f.Add(`{"alerts":[{"status":"firing","labels":{"a":"b"},"startsAt":"never"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		status, alerts := post(t, "/webhook?audience=ops", token, body, nil)
		if status != http.StatusOK && len(alerts) > 0 {
			t.Errorf("answered %d and kept %d alerts", status, len(alerts))
		}
	})
}

func TestNoAlertIsTooLargeOrTooStrangeToBeKept(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 1<<18)
	status, alerts := post(t, "/webhook?audience=ops", token, `{"alerts":[
		{"status":"firing","labels":{"alertname":"X","incident":"`+long+`"},"annotations":{"description":"`+long+`"},"fingerprint":"`+long+`",
		 "startsAt":"9999-12-31T23:59:59-12:00","endsAt":"0000-01-01T00:00:00+12:00"},
		{"status":"resolved","labels":{"alertname":"Y"},"startsAt":"2026-03-04T20:00:00+08:00","endsAt":"9999-12-31T23:59:59-12:00"}]}`, nil)
	if status != http.StatusOK || len(alerts) != 2 {
		t.Fatalf("answered %d, kept %d", status, len(alerts))
	}
	if a := alerts[0]; len(a.Key()) > 1<<10 || len(a.Fingerprint) != 16 || len(a.Annotations["description"]) > 16<<10 || !utf8.ValidString(a.Key()) || !a.StartsAt.IsZero() {
		t.Errorf("kept a key of %d bytes, fingerprint %.40q, a description of %d, from %s", len(a.Key()), a.Fingerprint, len(a.Annotations["description"]), a.StartsAt)
	}
	if a := alerts[1]; !a.EndsAt.IsZero() || !a.StartsAt.Equal(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("kept from %s to %s", a.StartsAt, a.EndsAt)
	}
	if _, err := json.Marshal(alerts); err != nil {
		t.Error(err)
	}
}
