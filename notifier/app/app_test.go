package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/rules"
)

func TestAlertIsToldOverEveryChannelAndItsEndToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.near.set(map[string]string{"w": rules.AlertWatchdog, "a1": rules.AlertServiceDown})
	begin := time.Now().Add(-5 * time.Second)
	for range 2 { // redelivered
		for _, audience := range []rules.Audience{rules.Ops, rules.Subscribers} {
			if status := b.tell(audience, "firing", begin); status != http.StatusOK {
				t.Fatalf("the webhook answered %d", status)
			}
		}
	}
	b.arrives("100", "Alipay payments are failing", "10.0.0.9 refused")
	b.arrives("buyer@x.example", "Alipay payments are failing")
	b.tell(rules.Ops, "resolved", begin)
	b.arrives("100", "Resolved", "Lasted")
	b.arrives("buyer@x.example", "Resolved", "Lasted")
	if n := len(b.world.Messages()); n != 4 {
		t.Errorf("%d messages were sent, want 4: each reader hears of the beginning and of the end once", n)
	}
	for _, m := range b.world.Messages() {
		if m.To == "buyer@x.example" && strings.Contains(m.Raw+m.Text+m.HTML, "10.0.0.9") {
			t.Errorf("a buyer was told a host: %s", m.Text)
		}
	}
}

func TestMetricsAreExactlyThoseOfTheTreaty(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(rules.Ops, "firing", time.Now())
	b.arrives("100", "Alipay payments are failing")
	treaty := map[string]rules.Metric{}
	for _, m := range rules.NotifierMetrics() {
		treaty[m.Name] = m
	}
	families := b.gather(rules.NoticeDelay.Name) // counted just after the far side accepted
	for _, family := range families {
		m, known := treaty[family.GetName()]
		if !known {
			t.Errorf("%s is not in the treaty", family.GetName())
			continue
		}
		delete(treaty, m.Name)
		if got := strings.ToLower(family.GetType().String()); got != string(m.Type) || family.GetHelp() != m.Help {
			t.Errorf("%s is a %s with help %q", m.Name, got, family.GetHelp())
		}
		for _, series := range family.GetMetric() {
			var labels []string
			for _, label := range series.GetLabel() {
				labels = append(labels, label.GetName())
			}
			if want := slices.Sorted(slices.Values(m.Labels)); !slices.Equal(labels, want) {
				t.Errorf("%s has labels %v, want %v", m.Name, labels, want)
			}
		}
	}
	delete(treaty, rules.OutboxOldest.Name)     // absent where nothing waits
	delete(treaty, rules.SubscribersCount.Name) // nobody subscribed
	delete(treaty, rules.HeartbeatLast.Name)    // absent where none is configured
	for name := range treaty {
		t.Errorf("%s is in the treaty and not exported", name)
	}
}

func TestANoticeThatIsGivenUpFirstOfAllIsSeenToBeCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	series := map[string]bool{}
	for _, family := range b.gather(rules.Notices.Name) {
		for _, s := range family.GetMetric() {
			var values []string
			for _, label := range s.GetLabel() {
				values = append(values, label.GetValue())
			}
			series[strings.Join(values, " ")] = s.GetCounter().GetValue() == 0
		}
	}
	if !series["ops telegram given_up"] || !series["subscribers email given_up"] {
		t.Errorf("before any notice there are %v", series)
	}
}

func TestAlertThatEndedWhileNobodyListenedIsToldOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begin := time.Now().Add(-5 * time.Second)
	b.near.set(map[string]string{"w": rules.AlertWatchdog, "a1": rules.AlertServiceDown})
	b.tell(rules.Ops, "firing", begin)
	b.arrives("100", "Alipay payments are failing")
	b.listed()
	b.stop()
	b.near.set(map[string]string{"w": rules.AlertWatchdog}) // it ended, and the resolved went to nobody
	b.start()
	b.arrives("100", "Resolved", "Alipay")
}

func TestAlertOfAStrangerIsNotCalledOverBecauseOurAlertmanagerDoesNotKnowIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin) // as Grafana would: the Alertmanager that is asked never lists it
	b.arrives("100", "Alipay payments are failing")
	for range 3 {
		b.listed()
	}
	if messages := b.world.Messages(); len(messages) != 1 {
		t.Errorf("told %d messages, the last: %s", len(messages), messages[len(messages)-1].Text)
	}
	b.tell(rules.Ops, "resolved", begin)
	b.arrives("100", "Resolved", "Alipay")
}

func TestWebhookIsRefusedWhenNothingCanBeStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.stop()
	if status := b.tell(rules.Ops, "firing", time.Now()); status != http.StatusServiceUnavailable {
		t.Errorf("without a store the webhook answered %d, want 503 so that Alertmanager tries again", status)
	}
}

func TestPageNeverTurnsGreenWithoutSight(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if home := b.page("/"); strings.Contains(home, "All systems operational") {
		t.Error("the page is green although nobody measured anything")
	}
}
