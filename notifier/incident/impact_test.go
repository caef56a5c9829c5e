package incident_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

func TestOneOfSeveralWaysToPayWeighsLessThanAll(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	alipay, wechat := w.outage("alipay", rules.Ops, w.now), w.outage("wechat", rules.Ops, w.now.Add(time.Minute))
	w.fires(alipay)
	if got := w.latest("demo/alipay").Impact; got != notifier.ImpactMinor {
		t.Errorf("one of two: %s, want minor", got)
	}
	w.tick(time.Minute)
	w.fires(wechat)
	w.tick(2 * time.Minute)
	for _, key := range []string{"demo/alipay", "demo/wechat"} {
		if got := w.latest(key).Impact; got != notifier.ImpactMajor {
			t.Errorf("%s, with nothing left to pay by: %s, want major", key, got)
		}
	}
	w.ends(wechat)
	w.told()
	w.tick(5 * time.Minute)
	w.expect(t, "another way is back, which eases nothing of this one")
	if got := w.latest("demo/alipay"); got.Impact != notifier.ImpactMinor || got.Worst != notifier.ImpactMajor {
		t.Errorf("alone again: %s, at worst %s", got.Impact, got.Worst)
	}
	w.ends(alipay)
	if got := w.latest("demo/alipay").Impact; got != notifier.ImpactMajor {
		t.Errorf("over: %s, want the worst that it was", got)
	}
	w.fires(w.outage("home", rules.Management, w.now))
	if got := w.latest("demo/home").Impact; got != notifier.ImpactCritical {
		t.Errorf("the only storefront: %s, want critical", got)
	}
}

func TestEasingIsToldOnceItIsCertainAndBuyersFeelTheRest(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	stuck, delayed := w.outage("alipay", rules.Management, w.now), w.outage("alipay", rules.Ops, w.now)
	stuck.Labels[rules.LabelAlert], delayed.Labels[rules.LabelAlert] = rules.AlertOrdersStuck, rules.AlertOrdersDelayed
	delayed.Labels[rules.LabelSeverity] = string(rules.SeverityWarning)
	w.fires(delayed)
	w.fires(stuck)
	w.told()
	w.tick(5 * time.Minute)
	w.ends(stuck)
	w.tick(5*time.Minute + 45*time.Second)
	w.expect(t, "while the other end may be on the way")
	w.tick(7 * time.Minute)
	w.expect(t, "then", "alipay ops:eased", "alipay management:eased", "alipay subscribers:eased")
	i := w.latest("demo/alipay")
	if i.Impact != notifier.ImpactMinor || i.Updates[len(i.Updates)-1].Text.EN != "eased" {
		t.Errorf("impact %s, timeline %+v", i.Impact, i.Updates)
	}
	again := w.outage("alipay", rules.Management, w.now)
	again.Labels[rules.LabelAlert] = rules.AlertOrdersStuck
	w.fires(again)
	w.expect(t, "it worsens again", "alipay ops:joined")
	w.ends(again)
	w.tick(9 * time.Minute)
	w.expect(t, "and eases again, soon")
	w.ends(delayed)
	w.expect(t, "the end", "alipay ops:recovered", "alipay management:recovered", "alipay subscribers:recovered")
}

func TestEasingIsNotBelievedWhilePrometheusIsDead(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	stuck, delayed := w.outage("alipay", rules.Management, w.now), w.outage("alipay", rules.Ops, w.now)
	delayed.Labels[rules.LabelSeverity] = string(rules.SeverityWarning)
	w.fires(delayed)
	w.fires(stuck)
	w.told()
	w.watchdog()
	w.dead = true
	w.tick(4 * time.Minute)
	w.ends(stuck)
	w.tick(20 * time.Minute)
	w.expect(t, "in the dark")
}
