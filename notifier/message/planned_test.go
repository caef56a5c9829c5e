package message_test

import (
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/message"
	"shopwatch/rules"
)

// window is that of the planned work: two hours of the next night.
var window = notifier.Window{
	From:  time.Date(2026, 11, 23, 2, 0, 0, 0, shanghai),
	Until: time.Date(2026, 11, 23, 4, 0, 0, 0, shanghai),
}

// later is a window put off.
func later(w notifier.Window, by time.Duration) notifier.Window {
	return notifier.Window{From: w.From.Add(by), Until: w.Until.Add(by)}
}

// work are the facts of planned work, and when they are told.
func work(event notifier.Event) (facts notifier.Facts, at time.Time) {
	facts = notifier.Facts{
		Title: rules.Text{ZH: "更换数据库服务器", EN: "Moving the database"}, StatusURL: "https://status.example/maintenances/m3", By: "小王 <ops>",
		Planned: &notifier.Planned{
			Services: []rules.Text{{ZH: "支付宝", EN: "Alipay"}, {ZH: "自动发货", EN: "Automatic delivery"}}, Keys: []string{"demo/alipay", "demo/delivery"},
			Window: window, Quiet: true,
		},
	}
	at = since.Add(12 * time.Hour)
	switch event {
	case notifier.EventReminder:
		at = window.From.Add(-time.Hour)
	case notifier.EventBegan:
		facts.Since, at = window.From, window.From
	case notifier.EventProgress:
		facts.Since, at = window.From, window.From.Add(time.Hour)
	case notifier.EventCompleted:
		facts.Since, facts.Over = window.From, window.From.Add(110*time.Minute)
		at = facts.Over
	}
	return facts, at
}

// said lets people say what does not work meanwhile.
func said(d *notifier.Delivery) {
	d.Notice.Facts.Update = rules.Text{ZH: "支付宝暂停付款，微信支付照常。\n自动发货会慢几分钟。", EN: "Alipay takes no payments, WeChat Pay works.\nDeliveries take some minutes longer."}
}

// moved puts the work off by a day, within which it runs over midnight.
func moved(d *notifier.Delivery) {
	plan := d.Notice.Facts.Planned
	plan.Before, plan.Window = plan.Window, later(plan.Window, 21*time.Hour)
}

// longer gives it another 90 minutes.
func longer(d *notifier.Delivery) {
	plan := d.Notice.Facts.Planned
	plan.Before = plan.Window
	plan.Window.Until = plan.Window.Until.Add(90 * time.Minute)
	d.Notice.At = plan.Before.Until.Add(-5 * time.Minute)
}

// overdue is when it should be over and is not.
func overdue(d *notifier.Delivery) { d.Notice.At = window.Until.Add(5 * time.Minute) }

// alone lets it be work on one service.
func alone(d *notifier.Delivery) {
	plan := d.Notice.Facts.Planned
	plan.Services, plan.Keys = plan.Services[:1], plan.Keys[:1]
}

// busy gives a digest of trouble and of planned work in each of its states.
func busy(d *notifier.Delivery) {
	quiet(d)
	for i, event := range []notifier.Event{notifier.EventScheduled, notifier.EventBegan, notifier.EventCompleted, notifier.EventCancelled} {
		n := delivery("", "", rules.Subscribers, event).Notice
		n.Incident += strings.Repeat("x", i)
		d.Digest = append(d.Digest, n)
	}
}

func TestWhoNeverHeardOfAPlanIsNotToldThatItMoved(t *testing.T) {
	t.Parallel()
	for language, word := range map[notifier.Language]string{notifier.Chinese: "改期", notifier.English: "rescheduled"} {
		for _, heard := range []bool{true, false} {
			d := delivery(message.Telegram, language, rules.Subscribers, notifier.EventScheduled)
			moved(&d)
			d.First = !heard
			m, err := writer(t).Compose(d)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(m.Text, word) != heard || strings.Contains(m.Text, "02:00") != heard || !strings.Contains(m.Text, "23:00") {
				t.Errorf("heard %v: %s", heard, m.Text)
			}
		}
	}
}

func TestADigestCountsTroubleAndPlannedWorkApart(t *testing.T) {
	t.Parallel()
	trouble := delivery("", "", rules.Subscribers, notifier.EventDown).Notice
	planned := delivery("", "", rules.Subscribers, notifier.EventScheduled).Notice
	began := delivery("", "", rules.Subscribers, notifier.EventBegan).Notice
	other := planned
	other.Incident = "m4"
	for _, c := range []struct {
		notices []notifier.Notice
		zh, en  string
	}{
		{[]notifier.Notice{trouble}, "免打扰时段内的 1 起故障", "1 problem in your quiet hours"},
		{[]notifier.Notice{planned, began}, "免打扰时段内的 1 项维护", "1 maintenance in your quiet hours"},
		{[]notifier.Notice{planned, trouble, other, began}, "免打扰时段内的 1 起故障、2 项维护", "1 problem and 2 maintenances in your quiet hours"},
	} {
		for language, want := range map[notifier.Language]string{notifier.Chinese: c.zh, notifier.English: c.en} {
			d := delivery(message.Email, language, rules.Subscribers, notifier.EventDigest)
			d.Digest = c.notices
			m, err := writer(t).Compose(d)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(m.Subject, want) {
				t.Errorf("got %q, want %q", m.Subject, want)
			}
		}
	}
}

func TestAWindowIsToldInThePagesZoneWithItsDate(t *testing.T) {
	t.Parallel()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		zone   *time.Location
		window notifier.Window
		zh, en string
	}{
		{"within a day", shanghai, window, "11月23日 02:00 至 04:00（约 2 小时）", "23 Nov 02:00 to 04:00 UTC+8 (about 2 h)"},
		{"over midnight", shanghai, later(window, -3*time.Hour), "11月22日 23:00 至 11月23日 01:00（约 2 小时）", "22 Nov 23:00 to 23 Nov 01:00 UTC+8 (about 2 h)"},
		{"in a page's own zone", newYork, window, "11月22日 13:00 至 15:00 UTC-5（约 2 小时）", "22 Nov 13:00 to 15:00 UTC-5 (about 2 h)"},
		{
			"while the clocks change", newYork, notifier.Window{From: time.Date(2026, 11, 1, 0, 30, 0, 0, newYork), Until: time.Date(2026, 11, 1, 3, 0, 0, 0, newYork)},
			"11月1日 00:30 UTC-4 至 03:00 UTC-5（约 3 小时 30 分）", "1 Nov 00:30 UTC-4 to 03:00 UTC-5 (about 3 h 30 min)",
		},
	} {
		w := writerIn(t, c.zone)
		for language, want := range map[notifier.Language]string{notifier.Chinese: "时间：" + c.zh, notifier.English: "When: " + c.en} {
			d := delivery(message.Telegram, language, rules.Subscribers, notifier.EventScheduled)
			d.Notice.Facts.Planned.Window = c.window
			m, err := w.Compose(d)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(m.Text, want+"\n") {
				t.Errorf("%s: got %s, want %q", c.name, m.Text, want)
			}
		}
	}
}

func TestPlannedWorkAsksForNoDeedAndNamesKeysOnlyToThoseOnCall(t *testing.T) {
	t.Parallel()
	every(t, message.Channels, func(name string, d notifier.Delivery, m notifier.Message) {
		if d.Notice.Facts.Planned == nil {
			return
		}
		for _, row := range m.Buttons {
			for _, button := range row {
				if button.Data != "" {
					t.Errorf("%s: a button %q", name, button.Text)
				}
			}
		}
		for _, secret := range []string{"demo/alipay", "小王"} {
			if d.Recipient.Audience == rules.Subscribers && strings.Contains(all(m), secret) {
				t.Errorf("%s tells %q", name, secret)
			}
		}
		if d.Recipient.Audience == rules.Subscribers && d.Recipient.Channel != message.SMS && !strings.Contains(m.Text, map[notifier.Language]string{notifier.Chinese: "自动发货", notifier.English: "Automatic delivery"}[d.Recipient.Language]) {
			t.Errorf("%s does not say what is worked on: %s", name, m.Text)
		}
	})
}
