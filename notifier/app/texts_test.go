package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
	"shopwatch/notifier/channel/sms"
	"shopwatch/notifier/config"
	"shopwatch/notifier/message"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// someCode links to nothing but the code of a sign-up.
type someCode struct{}

func (someCode) Leave(notifier.Recipient) string               { return "" }
func (someCode) Manage(notifier.Recipient) string              { return "" }
func (someCode) Confirm(notifier.Recipient) (url, code string) { return "", "042042" }

func TestEveryTextMessageFillsTheTemplateThatAliyunApproved(t *testing.T) {
	t.Parallel()
	box, err := sandbox.New(sandbox.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	credentials := box.Credentials()
	aliyun, err := sms.NewAliyun(sms.AliyunConfig{
		AccessKeyID: credentials.SMSAccessKeyID, AccessKeySecret: credentials.SMSAccessKeySecret, SignName: credentials.SMSSignName,
		Endpoint: "http://" + box.SMSEndpoint(), Templates: box.SMSTemplates(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := message.New(message.Config{Page: rules.Text{ZH: "小店", EN: "Shop"}, Zone: time.UTC, Links: someCode{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 11, 22, 3, 12, 5, 0, time.UTC)
	for _, event := range message.Events {
		n := notifier.Notice{ID: 1, Incident: "i1", Audience: rules.Subscribers, Event: event, At: since.Add(time.Hour), Facts: notifier.Facts{
			Title: rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"}, Since: since, Over: since.Add(40 * time.Minute),
		}}
		if event == notifier.EventBegan {
			n.Facts.Over, n.Facts.Planned = time.Time{}, &notifier.Planned{Window: notifier.Window{From: since, Until: since.Add(2 * time.Hour)}}
		}
		for _, language := range []notifier.Language{notifier.Chinese, notifier.English} {
			if !aliyun.Tells(event) {
				continue
			}
			m, err := writer.Compose(notifier.Delivery{Notice: n, Recipient: notifier.Recipient{ID: 2, Audience: rules.Subscribers, Channel: message.SMS, Language: language}})
			if err != nil {
				t.Fatalf("%s in %s: %v", event, language, err)
			}
			if err := aliyun.Send(t.Context(), "+8613800138000", m); err != nil {
				t.Errorf("%s in %s: %v", event, language, err)
				continue
			}
			messages := box.Messages()
			text := messages[len(messages)-1].Text
			for _, p := range m.Params {
				if !strings.Contains(text, p.Value) {
					t.Errorf("%s in %s leaves %s out: %s", event, language, p.Name, text)
				}
			}
		}
	}
	if got, want := len(box.Messages()), 2*len(notifier.Texted); got != want {
		t.Errorf("%d texts were sent, want %d", got, want)
	}
}

func TestARestartTellsNoTextThroughAnotherProviderThanTheOneThatMayHaveIt(t *testing.T) {
	t.Parallel()
	var first, second atomic.Int64 // how often they were asked
	var answers atomic.Bool
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if first.Add(1) == 1 {
			fmt.Fprint(w, `{"result":"broke"}`) // and has money ever after
			return
		}
		fmt.Fprint(w, `{"result":"0"}`)
	}))
	defer gateway.Close()
	twilio := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		second.Add(1)
		if !answers.Load() {
			panic(http.ErrAbortHandler) // it has the message, and its answer is lost
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"sid":"SM1","status":"queued"}`)
	}))
	defer twilio.Close()
	b := newBenchWith(t, func(b *bench) {
		b.edit = func(cfg *config.Config) {
			cfg.SMS = &config.SMSConfig{
				Providers: []string{config.Gateway, config.Twilio}, AllowedPrefixes: []string{"+86"}, DailyLimit: 100, PerNumberDailyLimit: 100,
				Gateway: &config.GatewayConfig{
					Method: "POST", URL: configfile.NewSecret(gateway.URL), Form: map[string]string{"to": "${number}", "text": "${text}"},
					Result: config.GatewayResult{JSON: "result", Accepted: []string{"0"}, Refused: []string{"broke"}},
				},
				Twilio: &config.TwilioConfig{
					AccountSID: "AC" + strings.Repeat("1", 32), KeySID: "SK" + strings.Repeat("2", 32), KeySecret: configfile.NewSecret("s"), From: "+15005550006", Endpoint: twilio.URL,
				},
			}
			cfg.Audiences[rules.Ops] = []notifier.Recipient{{Audience: rules.Ops, Channel: config.SMS, Address: "+8613800138000", Language: notifier.English}}
		}
	})
	b.tell(rules.Ops, "firing", time.Now().Add(-5*time.Second))
	b.eventually("the second is asked in place of the first", func() bool { return second.Load() > 0 })
	for range 2 {
		b.stop()
		b.start()
		before := second.Load()
		b.eventually("the second is asked again", func() bool { return second.Load() > before || first.Load() > 1 })
	}
	answers.Store(true)
	before := second.Load()
	b.eventually("the second takes it", func() bool { return second.Load() > before || first.Load() > 1 })
	if n := first.Load(); n != 1 {
		t.Errorf("the first was asked %d times, want once, before the second had it", n)
	}
}
