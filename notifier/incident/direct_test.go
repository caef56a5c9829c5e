package incident_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// robot is an alert of somebody who measures for himself, as UptimeRobot does.
func robot(w *town) notifier.Alert {
	a := w.outage("alipay", rules.Ops, w.now)
	a.Direct, a.Fingerprint = true, "robot"
	delete(a.Labels, rules.LabelPublic)
	return a
}

func TestEndThatSomebodySawForHimselfIsBelievedThoughPrometheusIsDead(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.watchdog()
	w.dead = true
	w.tick(time.Hour)
	a := robot(w)
	w.fires(a)
	w.tick(time.Hour + 5*time.Minute)
	a.StartsAt = w.now // he doesn't say when it began
	w.ends(a)
	w.expect(t, "its end", "alipay ops:down", "alipay ops:recovered")
}

func TestRepeatedWordOfSomebodyWhoMeasuresForHimselfOpensNothingAgain(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := robot(w)
	w.fires(a)
	w.tick(time.Minute)
	w.ends(a)
	w.told()
	w.tick(8 * time.Minute)
	w.fires(a)
	w.expect(t, "much later")
}

func TestPrometheussWordBesideItStillNeedsTheWatchdog(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a, own := robot(w), w.outage("alipay", rules.Ops, w.now)
	w.fires(a)
	w.fires(own)
	w.watchdog()
	w.dead = true
	w.tick(5 * time.Minute)
	w.ends(own)
	w.ends(a)
	w.told()
	w.tick(10 * time.Minute)
	w.expect(t, "in the dark")
}
