package intake_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/intake"
	"shopwatch/rules"
)

// robot sends one notification and gives the status, what was kept, and what was logged and answered.
func robot(t testing.TB, method, target, kind, body string, keep error) (int, []notifier.Alert, string) {
	t.Helper()
	var kept []notifier.Alert
	var said bytes.Buffer
	handler, err := intake.NewUptimeRobot(intake.Config{
		Token: token, Now: func() time.Time { return noon }, Logger: slog.New(slog.NewTextHandler(&said, nil)),
		Keep: func(_ context.Context, alerts []notifier.Alert) error { kept = alerts; return keep },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code, kept, said.String() + w.Body.String()
}

const (
	door = "/webhook/uptimerobot?token=" + token
	form = "application/x-www-form-urlencoded"
)

func TestRobotIsUnderstoodInEachFormThatItSends(t *testing.T) {
	t.Parallel()
	values := url.Values{
		"monitorID": {"777712"}, "monitorFriendlyName": {"支付宝"}, "monitorURL": {"https://pay.example"}, "alertType": {"1"},
		"alertDetails": {"Connection Timeout"}, "alertDateTime": {"1795319900"}, "sslExpiryDate": {"*sslExpiryDate*"},
	}
	for name, c := range map[string]struct{ method, target, kind, body string }{
		"in the query":   {http.MethodGet, door + "&" + values.Encode(), "", ""},
		"as form values": {http.MethodPost, door, form, values.Encode()},
		"as JSON":        {http.MethodPost, door, "application/json; charset=utf-8", `{"monitorID":777712,"monitorFriendlyName":"支付宝","monitorURL":"https://pay.example","alertType":"1","alertDetails":"Connection Timeout","alertDateTime":1795319900,"more":{"a":[1]}}`},
	} {
		status, alerts, said := robot(t, c.method, c.target, c.kind, c.body, nil)
		if status != http.StatusOK || len(alerts) != 1 {
			t.Fatalf("%s: answered %d, kept %+v: %s", name, status, alerts, said)
		}
		a := alerts[0]
		if !a.Firing || !a.Direct || a.Key() != "uptimerobot/777712" || a.Audience != rules.Ops || !a.StartsAt.Equal(time.Unix(1795319900, 0)) || len(a.Fingerprint) != 16 {
			t.Errorf("%s: %+v", name, a)
		}
		if got := a.Annotations[rules.AnnotationDescription]; got != "Connection Timeout https://pay.example" || !strings.Contains(a.Annotations[rules.AnnotationSummaryZH], "支付宝") {
			t.Errorf("%s: it says %+v", name, a.Annotations)
		}
	}
}

func TestRobotsUpEndsItsDownThoughTheMonitorWasRenamed(t *testing.T) {
	t.Parallel()
	_, down, _ := robot(t, http.MethodPost, door+"&service=main/alipay&audience=ops&audience=subscribers", form, "monitorID=7&alertType=1&monitorFriendlyName=a&alertDateTime=1795319900", nil)
	_, up, _ := robot(t, http.MethodPost, door+"&service=main/alipay", form, "monitorID=7&alertType=2&monitorFriendlyName=b&alertDateTime=1795319960", nil)
	if len(down) != 2 || down[1].Audience != rules.Subscribers || down[0].Key() != "main/alipay" || down[0].Labels[rules.LabelShop] != "main" {
		t.Fatalf("down: %+v", down)
	}
	if len(up) != 1 || up[0].Firing || up[0].Fingerprint != down[0].Fingerprint || !up[0].Over().Equal(time.Unix(1795319960, 0)) || up[0].StartsAt.Before(down[0].StartsAt) {
		t.Errorf("up: %+v", up)
	}
}

func TestRobotsCertificateIsAWarningOfItsOwn(t *testing.T) {
	t.Parallel()
	_, alerts, _ := robot(t, http.MethodPost, door+"&service=main/home", form, "monitorID=7&alertType=3&sslExpiryDaysLeft=6", nil)
	if len(alerts) != 1 || alerts[0].Key() != "main/home/certificate" || alerts[0].Labels[rules.LabelSeverity] != string(rules.SeverityWarning) ||
		!strings.Contains(alerts[0].Annotations[rules.AnnotationSummary], "6 days") || !alerts[0].StartsAt.Equal(noon) {
		t.Errorf("kept %+v", alerts)
	}
}

func TestRobotIsRefusedForItsReasonAndItsTokenStandsNowhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, target, kind, body string
		keep                       error
		want                       int
	}{
		"no token":                   {http.MethodPost, "/webhook/uptimerobot", form, "monitorID=7&alertType=1", nil, 401},
		"a wrong token":              {http.MethodPost, "/webhook/uptimerobot?token=a-very-secret-tokem", form, "monitorID=7&alertType=1", nil, 401},
		"a token in the body":        {http.MethodPost, "/webhook/uptimerobot", form, "monitorID=7&alertType=1&token=" + token, nil, 401},
		"another method":             {http.MethodPut, door, form, "monitorID=7&alertType=1", nil, 405},
		"no monitor":                 {http.MethodPost, door, form, "alertType=1", nil, 400},
		"a monitor with no number":   {http.MethodPost, door, form, "monitorID=../x&alertType=1", nil, 400},
		"a kind that nobody knows":   {http.MethodPost, door, form, "monitorID=7&alertType=9", nil, 400},
		"an audience nobody is":      {http.MethodPost, door + "&audience=all", form, "monitorID=7&alertType=1", nil, 400},
		"the deadman":                {http.MethodPost, door + "&audience=deadman", form, "monitorID=7&alertType=1", nil, 400},
		"one audience many times":    {http.MethodPost, door + strings.Repeat("&audience=ops", 9), form, "monitorID=7&alertType=1", nil, 400},
		"a service with no shop":     {http.MethodPost, door + "&service=alipay", form, "monitorID=7&alertType=1", nil, 400},
		"not JSON":                   {http.MethodPost, door, "application/json", "monitorID=7", nil, 400},
		"larger than the limit":      {http.MethodPost, door, form, "monitorID=7&alertType=1&alertDetails=" + strings.Repeat("x", 80<<10), nil, 413},
		"JSON larger than the limit": {http.MethodPost, door, "application/json", `{"alertDetails":"` + strings.Repeat("x", 80<<10) + `"}`, nil, 413},
		"the store is away":          {http.MethodPost, door, form, "monitorID=7&alertType=1", errors.New("disk full"), 503},
	} {
		status, _, said := robot(t, c.method, c.target, c.kind, c.body, c.keep)
		if status != c.want {
			t.Errorf("%s: answered %d, want %d", name, status, c.want)
		}
		if strings.Contains(said, token) {
			t.Errorf("%s: the token is told: %s", name, said)
		}
	}
}

func TestRobotsClockIsNotBelievedAboutTheFuture(t *testing.T) {
	t.Parallel()
	_, alerts, _ := robot(t, http.MethodPost, door, form, "monitorID=7&alertType=1&alertDateTime=4000000000", nil)
	if len(alerts) != 1 || !alerts[0].StartsAt.Equal(noon) {
		t.Errorf("kept %+v", alerts)
	}
}

func FuzzRobotKeepsNothingThatItRefuses(f *testing.F) {
	f.Add(form, "monitorID=7&alertType=1&alertDateTime=1795319900")
	f.Add("application/json", `{"monitorID":7,"alertType":2}`)
	f.Fuzz(func(t *testing.T, kind, body string) {
		status, alerts, _ := robot(t, http.MethodPost, door, kind, body, nil)
		if (status == http.StatusOK) != (len(alerts) == 1) {
			t.Errorf("answered %d and kept %d alerts", status, len(alerts))
		}
		for _, a := range alerts {
			if a.StartsAt.After(noon.Add(time.Minute)) || a.Key() == "" || a.Fingerprint == "" {
				t.Errorf("kept %+v", a)
			}
		}
	})
}
