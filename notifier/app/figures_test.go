package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
	"shopwatch/notifier/config"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// quantile of durations, in milliseconds.
func quantile(list []time.Duration, q float64) float64 {
	slices.Sort(list)
	return float64(list[int(q*float64(len(list)-1))].Microseconds()) / 1000
}

// posted lets people on call alone be told, by a signed webhook, which has no pace.
func (b *bench) posted(cfg *config.Config) {
	cfg.Webhooks = []config.OutgoingConfig{{
		Name: "desk", Kind: config.Webhook,
		URL: configfile.NewSecret(b.world.RobotURL(sandbox.Webhook)), Secret: configfile.NewSecret(b.world.GateCredentials().Secret),
	}}
	cfg.Audiences = map[rules.Audience][]notifier.Recipient{
		rules.Ops: {{Audience: rules.Ops, Channel: config.Webhook, Address: "desk", Language: notifier.English}},
	}
}

// BenchmarkWebhook posts alerts of ever new incidents as Alertmanager does, over
// HTTP, and times the answer, which comes after the commit, and the first message
// to people on call at the far side. They are told by a signed webhook, since a
// chat of Telegram bears one message a second.
func BenchmarkWebhook(b *testing.B) {
	const incidents = 300
	w := newBenchWith(b, func(w *bench) { w.edit = w.posted })
	private := httptest.NewServer(w.app.Private())
	b.Cleanup(private.Close)
	for b.Loop() {
		var answered, told []time.Duration
		for i := range incidents {
			service := fmt.Sprintf("svc%04dx", i)
			began := time.Now()
			if status := w.fires(private.URL, service); status != http.StatusOK {
				b.Fatalf("the webhook answered %d", status)
			}
			answered = append(answered, time.Since(began))
			ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
			_, err := w.world.Wait(ctx, func(m sandbox.Message) bool { return strings.Contains(m.Subject+m.Text, service) })
			told = append(told, time.Since(began))
			cancel()
			if err != nil {
				b.Fatalf("nobody was told of incident %d: %v", i, err)
			}
		}
		b.ReportMetric(quantile(answered, 0.5), "answered_p50_ms")
		b.ReportMetric(quantile(answered, 0.99), "answered_p99_ms")
		b.ReportMetric(quantile(told, 0.5), "told_p50_ms")
		b.ReportMetric(quantile(told, 0.99), "told_p99_ms")
		b.ReportMetric(0, "ns/op")
	}
}

// fires posts the alert of a service that is down to people on call, ends that it is over.
func (b *bench) fires(to, service string) int {
	return b.says(to, service, "firing", time.Now(), time.Time{})
}

func (b *bench) ends(to, service string, began time.Time) int {
	return b.says(to, service, "resolved", began, time.Now())
}

func (b *bench) says(to, service, status string, began, ended time.Time) int {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to+"/webhook?audience=ops", strings.NewReader(fmt.Sprintf(
		`{"alerts":[{"status":%[4]q,"labels":{"alertname":"ServiceDown","incident":"main/%[1]s","shop":"main","service":"%[1]s","tier":"ops","severity":"critical"},
		"annotations":{"since":"%[2]d"},"startsAt":"%[3]s","endsAt":"%[5]s","fingerprint":"%[1]s"}]}`,
		service, began.Unix(), began.Format(time.RFC3339Nano), status, ended.Format(time.RFC3339Nano))))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}
