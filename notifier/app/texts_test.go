package app_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/sms"
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
