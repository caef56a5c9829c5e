package intake_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/intake"
)

func TestSenderIsKnownByTokenOrByLogin(t *testing.T) {
	t.Parallel()
	basic := func(name, word string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(name, word) }
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	for name, c := range map[string]struct {
		cfg  intake.Config
		send func(*http.Request)
		want int
	}{
		"a login":                        {intake.Config{Username: "am", Password: "word"}, basic("am", "word"), 200},
		"a login where a token does too": {intake.Config{Token: token, Username: "am", Password: "word"}, basic("am", "word"), 200},
		"a token where a login does too": {intake.Config{Token: token, Username: "am", Password: "word"}, bearer, 200},
		"a token beside another login":   {intake.Config{Token: token}, func(r *http.Request) { r.SetBasicAuth("x", "y"); r.Header.Set("X-Shopwatch-Token", token) }, 200},
		"our own Alertmanager":           {intake.Config{Token: "another's", Inside: token}, bearer, 200},
		"a wrong password":               {intake.Config{Username: "am", Password: "word"}, basic("am", "ward"), 401},
		"another name":                   {intake.Config{Username: "am", Password: "word"}, basic("an", "word"), 401},
		"an empty login where none does": {intake.Config{Token: token}, basic("", ""), 401},
		"an empty token where none does": {intake.Config{Username: "am", Password: "word"}, func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401},
		"nothing":                        {intake.Config{Username: "am", Password: "word"}, func(*http.Request) {}, 401},
	} {
		cfg := c.cfg
		cfg.Keep = func(context.Context, []notifier.Alert) error { return nil }
		cfg.Now, cfg.Logger = time.Now, slog.New(slog.DiscardHandler)
		handler, err := intake.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/webhook?audience=ops", strings.NewReader(`{"alerts":[]}`))
		c.send(r)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: answered %d, want %d", name, w.Code, c.want)
		}
		if asks := w.Header().Values("WWW-Authenticate"); w.Code == 401 && len(asks) == 0 {
			t.Errorf("%s: refused without saying what is asked for", name)
		}
	}
}

func TestDoorWithoutAnyLockIsNotBuilt(t *testing.T) {
	t.Parallel()
	for _, cfg := range []intake.Config{{}, {Username: "am"}, {Password: "word"}} {
		cfg.Keep = func(context.Context, []notifier.Alert) error { return nil }
		cfg.Now, cfg.Logger = time.Now, slog.New(slog.DiscardHandler)
		if _, err := intake.New(cfg); err == nil {
			t.Errorf("built with %+v", cfg)
		}
		if _, err := intake.NewUptimeRobot(cfg); err == nil {
			t.Errorf("built for the robot with %+v", cfg)
		}
	}
}

// Grafana judges and tells in one process: what it calls resolved, it saw.
func TestGrafanasPayloadIsTakenAndItsEndNeedsNoWatchdog(t *testing.T) {
	t.Parallel()
	const body = `{"receiver":"My Webhook","status":"resolved","orgId":1,"version":"1","title":"[RESOLVED] High memory","state":"ok","message":"…",
		"truncatedAlerts":0,"groupKey":"{}:{alertname=\"High memory\"}","alerts":[{"status":"resolved","labels":{"alertname":"High memory","team":"blue"},
		"annotations":{"summary":"memory is high"},"startsAt":"2026-11-22T09:51:03.157076+02:00","endsAt":"2026-11-22T10:51:03+02:00",
		"fingerprint":"c6eadffa33fcdf37","silenceURL":"https://g.example/","dashboardURL":"","panelURL":"","values":{"B":44.2,"C":1},"valueString":"[ metric='' ]"}]}`
	status, alerts := post(t, "/webhook?audience=ops", token, body, nil)
	if status != http.StatusOK || len(alerts) != 1 || !alerts[0].Direct || alerts[0].Firing || alerts[0].Key() != "c6eadffa33fcdf37" {
		t.Errorf("answered %d, kept %+v", status, alerts)
	}
	status, alerts = post(t, "/webhook?audience=ops", token, strings.Replace(body, `"version":"1"`, `"version":"4"`, 1), nil)
	if status != http.StatusOK || len(alerts) != 1 || alerts[0].Direct {
		t.Errorf("of Alertmanager: answered %d, kept %+v", status, alerts)
	}
}
