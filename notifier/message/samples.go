package message

import (
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// sampleLinks are links as a page with a public address has them.
type sampleLinks struct{}

func (sampleLinks) Leave(notifier.Recipient) string {
	return "https://status.example.com/leave?x=1&y=2"
}
func (sampleLinks) Manage(notifier.Recipient) string {
	return "https://status.example.com/mine?x=1&y=2"
}
func (sampleLinks) Confirm(notifier.Recipient) (url, code string) {
	return "https://status.example.com/confirm?x=1&y=2", "123456"
}

func sampleShop(language notifier.Language) string {
	if language == notifier.Chinese {
		return "示例店铺"
	}
	return "Sample shop"
}

// samples are notices of every event to every audience, by every form in
// every language: one that says all there is, and one that says the least.
func samples() (list []notifier.Delivery) {
	for _, audience := range []rules.Audience{rules.Ops, rules.Management, rules.Subscribers} {
		for _, event := range Events {
			for _, n := range []notifier.Notice{fullNotice(event), bareNotice(event)} {
				n.Audience = audience
				for _, channel := range []string{Telegram, Email, SMS, DingTalk} { // each form in turn: text.txt is e-mail's, robot.txt every robot's
					for _, language := range languages {
						d := notifier.Delivery{Notice: n, Recipient: notifier.Recipient{ID: 1, Audience: audience, Channel: channel, Language: language}}
						if n.Incident != "sample-bare" {
							d.At = n.At.Add(48 * time.Hour)
						}
						d.First = n.Incident == "sample-bare" && event == notifier.EventRecovered
						if event == notifier.EventDigest {
							d.Digest = []notifier.Notice{fullNotice(notifier.EventDown), bareNotice(notifier.EventRecovered), fullNotice(notifier.EventBegan)}
						}
						if channel != SMS || slices.Contains(notifier.Texted, event) {
							list = append(list, d)
						}
					}
				}
			}
		}
	}
	return list
}

var sampleTime = time.Date(2026, 11, 22, 3, 12, 5, 0, time.UTC)

// fullNotice says all there is, with the signs that an escape forgets.
func fullNotice(event notifier.Event) notifier.Notice {
	n := bareNotice(event)
	n.Incident = "sample-full"
	f := &n.Facts
	if f.Planned != nil {
		n.Incident = "sample-full-work"
		f.By, f.StatusURL = "小王 <ops>", "https://status.example.com/maintenances/k3?a=1&b=2"
		f.Update = rules.Text{ZH: "支付宝 <暂停>。\n\n微信支付 & 余额照常。", EN: "Alipay <pauses>.\n\nWeChat Pay & balance work."}
		f.Planned.Before = notifier.Window{From: f.Planned.Window.From.AddDate(0, 0, -1), Until: f.Planned.Window.Until.AddDate(0, 0, -1)}
		if event == notifier.EventProgress {
			f.Planned.Status = notifier.Verifying
		}
		return n
	}
	f.Description = rules.Text{ZH: `超时 <10 s> & "断开"`, EN: `timeout <10 s> & "gone"`}
	f.RunbookURL, f.StatusURL = "https://runbooks.example.com/ServiceDown?a=1&b=2", "https://status.example.com/"
	f.Publication = notifier.Publication{At: sampleTime.Add(40 * time.Minute)}
	f.Acknowledged = notifier.Acknowledgement{By: "小王 <ops> & co", At: sampleTime.Add(6 * time.Minute)}
	f.Scope = rules.Text{ZH: "用支付宝付款的买家 <全部>", EN: "everybody who pays by Alipay <all>"}
	f.Workaround = rules.Text{ZH: "请用微信支付 & 余额", EN: "Use WeChat Pay & balance"}
	f.ETA = notifier.ETA{At: sampleTime.Add(50 * time.Minute), Earlier: []time.Time{sampleTime.Add(8 * time.Minute)}}
	if event == notifier.EventUpdated {
		f.Status, f.By = notifier.Identified, "小王"
		f.Update = rules.Text{ZH: "原因 <已找到>。\n\n正在修复 & 观察。", EN: "Cause <found>.\n\nBeing fixed & watched."}
	}
	return n
}

// bareNotice says the least that a notice can say.
func bareNotice(event notifier.Event) notifier.Notice {
	n := notifier.Notice{ID: 1, Incident: "sample-bare", Event: event, At: sampleTime.Add(31 * time.Minute)}
	switch event {
	case notifier.EventConfirm, notifier.EventWelcome, notifier.EventCode, notifier.EventDigest:
		n.Incident = ""
		return n
	case notifier.EventScheduled, notifier.EventReminder, notifier.EventBegan, notifier.EventProgress, notifier.EventCompleted, notifier.EventCancelled:
		return bareWork(n)
	}
	n.Facts = notifier.Facts{
		Title:   rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"},
		Service: notifier.Service{Shop: "main", ID: "alipay", Name: rules.Text{ZH: "支付宝", EN: "Alipay"}, Role: rules.RolePayment},
		Impact:  notifier.ImpactMajor, Since: sampleTime, Alert: rules.AlertServiceDown,
	}
	switch event {
	case notifier.EventReopened:
		n.Facts.Resumed = sampleTime.Add(26 * time.Minute)
	case notifier.EventJoined:
		n.Facts.News, n.Facts.NewsSince = []rules.Text{{ZH: "商品 A 卖完了", EN: "Product A is out of stock"}}, sampleTime
	case notifier.EventRecovered:
		n.Facts.Over = sampleTime.Add(30 * time.Minute)
	}
	return n
}

// bareWork says the least that a notice of planned work can say.
func bareWork(n notifier.Notice) notifier.Notice {
	n.Facts = notifier.Facts{
		Title: rules.Text{ZH: "更换数据库服务器", EN: "Moving the database"},
		Planned: &notifier.Planned{
			Services: []rules.Text{{ZH: "支付宝", EN: "Alipay"}, {ZH: "自动发货", EN: "Automatic delivery"}}, Keys: []string{"main/alipay", "main/delivery"},
			Window: notifier.Window{From: sampleTime.Add(24 * time.Hour), Until: sampleTime.Add(26 * time.Hour)},
		},
	}
	f := &n.Facts
	switch n.Event {
	case notifier.EventBegan, notifier.EventProgress, notifier.EventCompleted:
		f.Since = f.Planned.Window.From
	}
	switch n.Event {
	case notifier.EventBegan, notifier.EventProgress:
		n.At = f.Since.Add(31 * time.Minute)
	case notifier.EventCompleted:
		f.Over = f.Since.Add(90 * time.Minute)
		n.At = f.Over
	}
	return n
}
