package app_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"shopwatch/internal/configfile"
	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/notifier/app"
	"shopwatch/notifier/config"
	"shopwatch/rules"
)

// What nothing may tell that is written down or shown: secrets, and where people
// are reached. Each begins a word of its own, so that a part is found too.
const (
	canaryToken    = "777000111:hunterBotCanary"
	canaryPassword = "hunterMailCanary"
	canaryGateway  = "hunterGatewayCanary"
	canaryHook     = "hunterHookCanary"
	canarySign     = "hunterSignCanary"
	canaryIntake   = "hunterIntakeCanary"
	canaryOperator = "hunterOperatorCanary"
	canaryChat     = "-100987650001"
	canaryReader   = 987650002
	canaryOps      = "canary.ops@private.example"
	canarySigner   = "canary.reader@private.example"
	canaryPhone    = "+8613987650003"
	canaryFact     = "host-of-the-inside"
)

// canaries finds what must not be told in a text, plain or encoded.
func canaries(text string) string {
	text = strings.ToLower(text)
	for _, secret := range []string{"hunter", "98765000", "canary.ops", "canary.reader", "13987650003"} {
		for _, spelled := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			if at := strings.Index(text, strings.ToLower(spelled)); at >= 0 {
				return text[max(0, at-200):min(len(text), at+120)]
			}
		}
	}
	return ""
}

// inside is an app among hostile far sides.
func inside(t *testing.T, h *hostile, log *journal) (b *bench) {
	t.Helper()
	far := httptest.NewServer(h)
	t.Cleanup(far.Close)
	smtp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { smtp.Close() })
	go func() {
		for {
			conn, err := smtp.Accept()
			if err != nil {
				return
			}
			go h.mail(conn)
		}
	}()
	port, _ := strconv.Atoi(netip.MustParseAddrPort(smtp.Addr().String()).String()[len("127.0.0.1:"):])
	b = &bench{t: t, dir: t.TempDir(), near: &neighbours{alerts: map[string]string{"w": rules.AlertWatchdog}}}
	near := httptest.NewServer(b.near)
	t.Cleanup(near.Close)
	on := func(audience rules.Audience, channel, address string) notifier.Recipient {
		return notifier.Recipient{Audience: audience, Channel: channel, Address: address, Language: notifier.English}
	}
	secret := configfile.NewSecret
	b.metrics, b.operator = prometheus.NewRegistry(), guard.NewOperator(canaryOperator, time.Now)
	b.app, err = app.New(t.Context(), app.Config{
		Notifier: config.Config{
			Page:     config.PageConfig{Title: rules.Text{ZH: "店", EN: "Shop"}, URL: "https://status.example.com", Zone: time.UTC},
			Telegram: &config.TelegramConfig{Token: secret(canaryToken), APIURL: far.URL},
			Email: &config.EmailConfig{
				Host: "127.0.0.1", Port: port, Username: "canary.ops", Password: secret(canaryPassword), From: "Shop <alerts@shop.example>", TLS: config.TLSNone,
			},
			SMS: &config.SMSConfig{
				Providers: []string{config.Gateway}, AllowedPrefixes: []string{"+86"}, DailyLimit: 1000, PerNumberDailyLimit: 1000,
				Gateway: &config.GatewayConfig{
					Method: "POST", URL: secret(far.URL + "/gw/" + canaryGateway), Secret: secret(canaryGateway),
					Form:   map[string]string{"to": "${number}", "key": "${secret}", "text": "${text}"},
					Result: config.GatewayResult{JSON: "result", Accepted: []string{"0"}},
				},
			},
			Webhooks: []config.OutgoingConfig{
				{Name: "signed", Kind: config.Webhook, URL: secret(far.URL + "/h/" + canaryHook), Secret: secret(canarySign)},
				{Name: "ding", Kind: config.DingTalk, URL: secret(far.URL + "/robot/send?access_token=" + canaryHook), Secret: secret("SEC" + canarySign)},
				{Name: "wecom", Kind: config.WeCom, URL: secret(far.URL + "/cgi-bin/webhook/send?key=" + canaryHook)},
				{Name: "feishu", Kind: config.Feishu, URL: secret(far.URL + "/open-apis/bot/v2/hook/" + canaryHook)},
			},
			Audiences: map[rules.Audience][]notifier.Recipient{
				rules.Ops: {
					on(rules.Ops, config.Telegram, canaryChat), on(rules.Ops, config.Email, canaryOps), on(rules.Ops, config.SMS, canaryPhone),
					on(rules.Ops, config.Webhook, "signed"), on(rules.Ops, config.DingTalk, "ding"), on(rules.Ops, config.WeCom, "wecom"), on(rules.Ops, config.Feishu, "feishu"),
				},
			},
			Subscriptions: config.SubscriptionsConfig{Email: true, SMS: true, Telegram: true, PerAddressDaily: 30, PerNetworkHourly: 1000, Hourly: 1000},
			Escalation:    rules.Escalation{Ops: 3 * time.Second, Management: 18 * time.Second, Pace: 0.01},
		},
		DataDir: b.dir, PrometheusURL: near.URL, AlertmanagerURL: near.URL, WebhookToken: canaryIntake, RunbookURL: "http://127.0.0.1:9/runbooks",
		Operator: b.operator, Version: "test", Registerer: b.metrics, Now: b.now,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.app.Run(ctx) })
	b.stop = sync.OnceFunc(func() { cancel(); running.Wait(); b.app.Close() })
	t.Cleanup(b.stop)
	return b
}

// private asks the private address, as whoever sends these headers.
func (b *bench) knock(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for at := 0; at < len(header); at += 2 {
		r.Header.Set(header[at], header[at+1])
	}
	w := httptest.NewRecorder()
	b.app.Private().ServeHTTP(w, r)
	return w
}

func TestNothingThatIsKeptOrShownTellsASecretOrAnAddressHoweverFarSidesFail(t *testing.T) {
	t.Parallel()
	var log journal
	h := &hostile{t: t}
	b := inside(t, h, &log)
	b.eventually("the page knows the service", func() bool { return strings.Contains(b.page("/"), "Alipay") })
	operator := []string{"Authorization", "Bearer " + canaryOperator, "Content-Type", "application/json"}

	// Strangers sign up, and prove an address of each kind.
	stamp := regexp.MustCompile(`name="stamp" value="([^"]+)"`).FindStringSubmatch(b.visit(http.MethodGet, "/subscribe", nil).Body.String())
	b.advance(3 * time.Second)
	for _, address := range []string{canarySigner, canaryPhone} {
		form := url.Values{"stamp": {stamp[1]}, "address": {address}, "scope": {"all"}, "language": {"en"}, "severity": {"all"}}
		if w := b.visit(http.MethodPost, "/subscribe", form); w.Code != http.StatusSeeOther || canaries(fmt.Sprint(w.Header(), w.Body)) != "" {
			t.Errorf("signing up was answered %d %v", w.Code, w.Header())
		}
		added := b.knock(http.MethodPost, "/api/subscribers", fmt.Sprintf(`{"address":%q,"language":"en","consented":true,"by":"Wang"}`, address), operator...)
		if added.Code != http.StatusOK {
			t.Fatalf("adding was answered %d %s", added.Code, added.Body)
		}
	}
	// The strangest doors: without a token, with it in the query, with rubbish.
	b.knock(http.MethodPost, "/webhook?audience=ops", "{}", "Authorization", "Bearer hunterWrong")
	b.knock(http.MethodPost, "/webhook?audience=ops", `{"alerts":[{"status":"hunterStatus"`, "Authorization", "Bearer "+canaryIntake)
	b.knock(http.MethodGet, "/webhook/uptimerobot?token="+canaryIntake+"&monitorID=x", "")
	begin := time.Now().Add(-10 * time.Minute)
	for n, status := range []string{"firing", "resolved", "firing"} {
		for _, audience := range []rules.Audience{rules.Ops, rules.Subscribers} {
			ends := "0001-01-01T00:00:00Z"
			if status == "resolved" {
				ends = time.Now().Format(time.RFC3339Nano)
			}
			body := fmt.Sprintf(`{"alerts":[{"status":%q,"labels":{"alertname":"Made<b>Up","incident":"main/alipay","shop":"main","service":"alipay","tier":"ops","severity":"critical","public":"true","instance":%q},
				"annotations":{"summary":"%[3]s refuses","description":"%[3]s refuses <script>","runbook_url":"https://%[3]s/"},"startsAt":%[4]q,"endsAt":%[5]q,"fingerprint":"c1"},
				{"status":"firing","labels":{"alertname":"Watchdog"},"annotations":{"evaluated":"%[6]d"},"startsAt":"2026-01-01T00:00:00Z","fingerprint":"w"}]}`,
				status, canaryFact, canaryFact, begin.Add(time.Duration(n)*time.Minute).Format(time.RFC3339Nano), ends, b.now().Unix())
			if w := b.knock(http.MethodPost, "/webhook?audience="+string(audience), body, "Authorization", "Bearer "+canaryIntake); w.Code != http.StatusOK {
				t.Fatalf("the webhook answered %d", w.Code)
			}
		}
	}
	rounds := 0
	b.eventually("every far side heard much, and failed in every way", func() bool {
		rounds++
		b.knock(http.MethodPost, "/api/outbox/resend", `{"all":true,"by":"Wang"}`, operator...)
		b.advance(2 * time.Minute) // so that nothing rests for long, and nothing is too old in the end
		return rounds > 250
	})
	for _, word := range []string{"to EHLO", "chat_id=" + canaryChat, "/gw/", "/h/", "/robot/", "/cgi-bin/", "/open-apis/"} {
		if len(h.told(word)) == 0 {
			t.Errorf("no far side ever heard %s", word)
		}
	}

	shown := map[string]string{"log": log.String()}
	for _, path := range []string{"/", "/history", "/api/v2/summary.json", "/api/v2/incidents.json", "/history.atom", "/history.rss", "/subscribe", "/subscribe/manage"} {
		shown[path] = b.page(path)
		if strings.Contains(shown[path], canaryFact) || strings.Contains(shown[path], "<script") {
			t.Errorf("%s tells the public what an alert said", path)
		}
	}
	var incidents struct{ Incidents []struct{ ID string } }
	list := b.knock(http.MethodGet, "/api/incidents", "", operator...).Body.String()
	if err := json.Unmarshal([]byte(list), &incidents); err != nil || len(incidents.Incidents) == 0 {
		t.Fatalf("the incidents are %s", list)
	}
	id := incidents.Incidents[0].ID
	for _, path := range []string{"/console/", "/console/incidents/" + id, "/console/outbox", "/console/audit", "/api/incidents", "/api/incidents/" + id, "/api/outbox", "/api/outbox/dead", "/api/audit", "/api/subscribers"} {
		w := b.knock(http.MethodGet, path, "", operator...)
		if w.Code != http.StatusOK {
			t.Errorf("%s was answered %d", path, w.Code)
		}
		shown[path] = w.Body.String()
	}
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var metrics strings.Builder
	for _, family := range families {
		expfmt.MetricFamilyToText(&metrics, family)
	}
	shown["metrics"] = metrics.String()
	files, err := filepath.Glob(filepath.Join(b.dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown[filepath.Base(file)] = string(content)
	}
	proof := regexp.MustCompile(`/subscribe/(?:leave|confirm|manage)/[A-Za-z0-9_-]{16,}`)
	code := regexp.MustCompile(`\b[0-9]{6}\b`)
	for _, text := range h.told("/gw/") { // a code is worth as much as an address
		if found := code.FindString(text[strings.Index(text, "text="):]); found != "" && strings.Contains(shown["log"], found) {
			t.Errorf("the log tells the code %s", found)
		}
	}
	for where, text := range shown {
		if proof.MatchString(text) {
			t.Errorf("%s tells a link by which somebody else's subscription is changed", where)
		}
		if at := canaries(text); at != "" {
			t.Errorf("%s tells a secret or an address: …%s…", where, at)
		}
	}
	for _, letter := range h.told(canarySigner) {
		if strings.Contains(letter, canaryFact) {
			t.Errorf("a subscriber was told what an alert said: %s", letter)
		}
	}
}
