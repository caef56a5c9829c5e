package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/config"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// onScreen waits until a message to the reader satisfies found, and gives it.
func (b *bench) onScreen(to string, found func(sandbox.Message) bool) sandbox.Message {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	m, err := b.world.Wait(ctx, func(m sandbox.Message) bool { return m.To == to && found(m) })
	if err != nil {
		b.t.Fatalf("%s never sees it: %v", to, err)
	}
	return m
}

// button is the data of the message's first button that begins so, "" where there is none.
func button(m sandbox.Message, verb string) string {
	for _, row := range m.Buttons {
		for _, b := range row {
			if strings.HasPrefix(b.Data, verb) {
				return b.Data
			}
		}
	}
	return ""
}

func TestAPressUnderANoticeTakesItInHandAndManagementHearsWhoDid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	notice := b.onScreen("100", func(m sandbox.Message) bool { return button(m, "ack:") != "" && button(m, "mute:") != "" })

	stranger := sandbox.Reader{ID: 666, Name: "Stranger"}
	elsewhere := notice
	elsewhere.To = "666" // a hostile client sends the same data from its own chat
	b.world.PressAny(stranger, elsewhere, button(notice, "ack:"))
	wang := sandbox.Reader{ID: 100, Name: "Wang"}
	if err := b.world.Press(wang, notice.ID, button(notice, "ack:")); err != nil {
		t.Fatal(err)
	}
	shown := b.onScreen("100", func(m sandbox.Message) bool { return m.ID == notice.ID && button(m, "who:") != "" })
	if !strings.Contains(shown.Toast, "Wang has it") || button(shown, "mute:") == "" {
		t.Errorf("the notice is now %+v", shown)
	}
	b.prolong(begin, "firing")
	b.arrives("boss@x.example", "Alipay payments are failing", "Acknowledged by Wang at ")
	if _, body := b.ask(http.MethodGet, "/api/audit", ""); !strings.Contains(body, `"telegram"`) || strings.Contains(body, "Stranger") {
		t.Errorf("the record says %s", body)
	}
}

func TestAPressSilencesTheIncidentInAlertmanagerForAnHour(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(rules.Ops, "firing", time.Now().Add(-5*time.Second))
	notice := b.onScreen("100", func(m sandbox.Message) bool { return button(m, "mute:") != "" })
	if err := b.world.Press(sandbox.Reader{ID: 100, Name: "Wang"}, notice.ID, button(notice, "mute:")); err != nil {
		t.Fatal(err)
	}
	b.onScreen("100", func(m sandbox.Message) bool { return m.ID == notice.ID && strings.Contains(m.Toast, "silent until ") })
	silences := b.near.silenced()
	if len(silences) != 1 || !strings.Contains(silences[0], `"name":"incident","value":"main/alipay"`) || !strings.Contains(silences[0], `"createdBy":"Wang"`) {
		t.Errorf("Alertmanager was told %v", silences)
	}
	if _, body := b.ask(http.MethodGet, "/api/incidents", ""); !strings.Contains(body, `"deed":"silence","detail":"until `) {
		t.Errorf("the incident doesn't say who silenced it: %s", body)
	}
}

func TestAReaderSignsUpInTelegramAndIsTold(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(b *bench) { b.subscriptions = config.SubscriptionsConfig{Telegram: true} })
	b.world.Say(4242, "en", "/start")
	b.arrives("4242", "You will be told here", "Services: all services")
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	b.tell(rules.Subscribers, "firing", begin)
	told := b.onScreen("4242", func(m sandbox.Message) bool { return strings.Contains(m.Text, "Alipay payments are failing") })
	if len(told.Buttons) > 0 && button(told, "ack:") != "" {
		t.Error("a reader can take incidents in hand")
	}
	b.world.Say(4242, "en", "/status")
	b.arrives("4242", "• Alipay payments are failing")
	b.world.Say(4242, "en", "/stop")
	b.arrives("4242", "You won't be told any more")
}

func TestARevokedTokenIsNoticedOnAQuietDay(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]float64{"": 1, "1000000001:revoked": 0} {
		b := newBenchWith(t, func(b *bench) { b.botToken = token })
		for _, family := range b.gather(rules.ChannelUp.Name) {
			if family.GetName() != rules.ChannelUp.Name {
				continue
			}
			for _, m := range family.GetMetric() {
				if channel := m.GetLabel()[0].GetValue(); channel == config.Telegram && m.GetGauge().GetValue() != want {
					t.Errorf("with the token %q: up is %v, want %v", token, m.GetGauge().GetValue(), want)
				}
			}
		}
	}
}
