package message_test

import (
	"strings"
	"testing"

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
	for language, words := range map[notifier.Language][2]string{notifier.Chinese: {"超过 5 分钟还没有发货", "会陆续"}, notifier.English: {"more than 5 minutes ago are not delivered yet", "being delivered"}} {
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
