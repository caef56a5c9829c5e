package app_test

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/maintenance"
	"shopwatch/notifier/message"
	"shopwatch/rules"
)

// plannedLife is everything that is told of work that is put off, takes longer
// and is looked at before it is done, and of work that is cancelled.
func plannedLife(t *testing.T) (notices []notifier.Notice) {
	t.Helper()
	m := maintenance.New(maintenance.Config{
		NewID:  func() string { return "m1" },
		Remind: time.Hour, StatusURL: "https://status.example/",
		Services: func() []notifier.Service {
			return []notifier.Service{{Shop: "main", ID: "alipay", Name: rules.Text{ZH: "支付宝", EN: "Alipay"}, Public: true, Position: 1}}
		},
	})
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	window := notifier.Window{From: now.Add(14 * time.Hour), Until: now.Add(16 * time.Hour)}
	var work notifier.Maintenance
	step := func(r maintenance.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		work, notices = r.Maintenance, append(notices, r.Notices...)
	}
	plan := maintenance.Plan{Title: rules.Text{ZH: "更换数据库服务器", EN: "Moving the database"}, Services: []string{"main"}, Window: window}
	step(m.Schedule(now, plan))
	later := notifier.Window{From: window.From.Add(time.Hour), Until: window.Until.Add(time.Hour)}
	step(m.Update(now.Add(time.Hour), work, maintenance.Draft{Window: later}))
	step(m.Tick(later.From.Add(-time.Hour), work, true), nil)
	step(m.Tick(later.From, work, true), nil)
	step(m.Update(later.From.Add(time.Hour), work, maintenance.Draft{Status: notifier.Verifying}))
	step(m.Tick(later.Until, work, false), nil)
	step(m.Update(later.Until.Add(time.Minute), work, maintenance.Draft{Window: notifier.Window{Until: later.Until.Add(time.Hour)}}))
	step(m.Complete(later.Until.Add(30*time.Minute), work, "", rules.Text{}))
	step(m.Schedule(now, plan))
	step(m.Cancel(now.Add(time.Hour), work, "", rules.Text{}))
	return notices
}

func TestThePublicReadsTheLifeOfPlannedWorkInPlainWords(t *testing.T) {
	t.Parallel()
	writer, err := message.New(message.Config{Page: rules.Text{ZH: "小店", EN: "Shop"}, Zone: time.UTC, Links: someCode{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[notifier.Language][]string{
		notifier.Chinese: {
			"🛠 【小店】计划维护：更换数据库服务器", "🛠 【小店】维护改期：更换数据库服务器", "🛠 【小店】维护即将开始：更换数据库服务器", "🔵 【小店】正在维护：更换数据库服务器",
			"🔵 【小店】维护进展：更换数据库服务器", "🔵 【小店】维护延长：更换数据库服务器", "🔵 【小店】维护延长：更换数据库服务器", "✅ 【小店】维护完成：更换数据库服务器",
			"🛠 【小店】计划维护：更换数据库服务器", "🛠 【小店】维护取消：更换数据库服务器",
		},
		notifier.English: {
			"🛠 Shop – Planned maintenance: Moving the database", "🛠 Shop – Maintenance rescheduled: Moving the database", "🛠 Shop – Maintenance begins soon: Moving the database", "🔵 Shop – Maintenance in progress: Moving the database",
			"🔵 Shop – Maintenance update: Moving the database", "🔵 Shop – Maintenance takes longer: Moving the database", "🔵 Shop – Maintenance takes longer: Moving the database", "✅ Shop – Maintenance done: Moving the database",
			"🛠 Shop – Planned maintenance: Moving the database", "🛠 Shop – Maintenance cancelled: Moving the database",
		},
	}
	for _, audience := range []rules.Audience{rules.Ops, rules.Subscribers} {
		for _, channel := range message.Channels {
			for language, want := range want {
				var got []string
				for _, n := range plannedLife(t) {
					if n.Audience != audience {
						continue
					}
					m, err := writer.Compose(notifier.Delivery{Notice: n, Recipient: notifier.Recipient{ID: 2, Audience: audience, Channel: channel, Language: language}})
					if channel == message.SMS && !slices.Contains(notifier.Texted, n.Event) && errors.Is(err, notifier.ErrUnsendable) {
						continue
					}
					if err != nil {
						t.Fatalf("%s by %s in %s: %v", n.Event, channel, language, err)
					}
					got = append(got, m.Subject)
				}
				if channel == message.SMS {
					want = want[3:4]
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s read by %s %q, want %q", audience, channel, got, want)
				}
			}
		}
	}
}
