package message_test

import (
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/message"
	"shopwatch/rules"
)

func TestTroubleThatMayOnlyHaveBegunIsNotCalledMinor(t *testing.T) {
	t.Parallel()
	for language, word := range map[notifier.Language]string{notifier.Chinese: "级别", notifier.English: "Impact"} {
		for impact, told := range map[notifier.Impact]bool{notifier.ImpactMinor: false, notifier.ImpactMajor: true, notifier.ImpactCritical: true} {
			d := delivery(message.Telegram, language, rules.Ops, notifier.EventDown)
			d.Notice.Facts.Impact = impact
			m, err := writer(t).Compose(d)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(m.Text, word) != told {
				t.Errorf("%s, %s: %s", language, impact, m.Text)
			}
		}
	}
}

func TestLateOrdersPromiseNothingThatIsNotSo(t *testing.T) {
	t.Parallel()
	for language, words := range map[notifier.Language][2]string{notifier.Chinese: {"有订单付款后没有按时发货", "会陆续"}, notifier.English: {"Some paid orders have not been delivered in time", "being delivered"}} {
		for _, event := range []notifier.Event{notifier.EventDown, notifier.EventRecovered} {
			d := delivery(message.Email, language, rules.Subscribers, event)
			d.Notice.Facts.Alert = rules.AlertOrdersDelayed
			m, err := writer(t).Compose(d)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(m.Text, words[0]) != (event == notifier.EventDown) || strings.Contains(m.Text, words[1]) {
				t.Errorf("%s.%s: %s", event, language, m.Text)
			}
		}
	}
}

func TestDurationsNameTheTwoLargestUnits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration][2]string{
		-time.Second:                          {"0 秒", "0 s"},
		42 * time.Second:                      {"42 秒", "42 s"},
		3*time.Minute + 20*time.Second:        {"3 分 20 秒", "3 min 20 s"},
		5 * time.Minute:                       {"5 分", "5 min"},
		2*time.Hour + 5*time.Minute + 9e9:     {"2 小时 5 分", "2 h 5 min"},
		49*time.Hour + 30*time.Minute:         {"2 天 1 小时", "2 d 1 h"},
		59*time.Second + 600*time.Millisecond: {"1 分", "1 min"},
	} {
		if zh, en := message.Duration(d, "zh"), message.Duration(d, "en"); zh != want[0] || en != want[1] {
			t.Errorf("%s: got %q and %q, want %q", d, zh, en, want)
		}
	}
}
