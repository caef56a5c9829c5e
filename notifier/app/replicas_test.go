package app_test

import (
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/internal/servertest"
	"shopwatch/notifier/config"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

// replicas are two apps on one PostgreSQL, in one world.
func replicas(t *testing.T) (first, second *bench) {
	t.Helper()
	place := storetest.Postgres(t)
	shared := config.StoreConfig{Postgres: configfile.NewSecret(place.PostgresDSN), ContactKeyFile: place.KeyFile}
	first = newBenchWith(t, func(b *bench) { b.store = shared })
	second = &bench{t: t, dir: t.TempDir(), world: first.world, near: first.near, nearURL: first.nearURL, store: shared}
	second.start()
	return first, second
}

func both(do ...func()) {
	var all sync.WaitGroup
	for _, f := range do {
		all.Go(f)
	}
	all.Wait()
}

func TestReplicasThatGetTheSameAlertTellItOnce(t *testing.T) {
	t.Parallel()
	first, second := replicas(t)
	first.near.set(map[string]string{"w": rules.AlertWatchdog, "a1": rules.AlertServiceDown})
	begin := time.Now().Add(-5 * time.Second)
	tell := func(status string, audiences ...rules.Audience) {
		t.Helper()
		for _, audience := range audiences {
			post := func(b *bench) func() {
				return func() {
					if got := b.tell(audience, status, begin); got != http.StatusOK {
						t.Errorf("the webhook answered %d", got)
					}
				}
			}
			both(post(first), post(second), post(first), post(second))
		}
	}
	tell("firing", rules.Ops, rules.Subscribers)
	first.arrives("100", "Alipay payments are failing")
	first.arrives("buyer@x.example", "Alipay payments are failing")
	tell("resolved", rules.Ops)
	first.arrives("100", "Resolved")
	first.arrives("buyer@x.example", "Resolved")
	if n := len(first.world.Messages()); n != 4 {
		t.Errorf("%d messages were sent, want 4: each reader hears of the beginning and of the end once", n)
		for _, m := range first.world.Messages() {
			t.Logf("%s: %s %s", m.To, m.Subject, m.Text)
		}
	}
}

func TestReplicaThatHearsNoWatchdogRaisesNoAlarmWhileAnotherHearsIt(t *testing.T) {
	t.Parallel()
	first, second := replicas(t)
	second.silent.Store(true) // all go to the first, as behind a proxy that sticks
	overview := func(b *bench) time.Time {
		o, err := b.app.Overview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return o.Watchdog
	}
	from := overview(second)
	deadline := time.After(20 * time.Second)
	for overview(second).Before(from.Add(6 * time.Second)) { // twice what makes an alarm
		select {
		case <-deadline:
			t.Fatal("the second never learns what the first heard")
		case <-time.After(20 * time.Millisecond):
		}
	}
	if list := first.world.Messages(); len(list) != 0 {
		t.Errorf("somebody was alarmed: %+v", list)
	}
}

func TestIncidentsAreLookedAtByAnotherReplicaWhenTheFirstDies(t *testing.T) {
	t.Parallel()
	first, second := replicas(t)
	first.near.set(map[string]string{"w": rules.AlertWatchdog, "a1": rules.AlertServiceDown})
	if got := second.tell(rules.Ops, "firing", time.Now()); got != http.StatusOK {
		t.Fatalf("the webhook answered %d", got)
	}
	second.arrives("100", "Alipay payments are failing")
	second.listed()
	first.stop()
	second.near.set(map[string]string{"w": rules.AlertWatchdog}) // over, and told by nobody
	second.arrives("100", "Resolved")
}

func TestSignUpsLimitHoldsOverReplicasAndRestarts(t *testing.T) {
	t.Parallel()
	limits := config.SubscriptionsConfig{Email: true, PerAddressDaily: 3, PerNetworkHourly: 2, Hourly: 100}
	place := storetest.Postgres(t)
	shared := config.StoreConfig{Postgres: configfile.NewSecret(place.PostgresDSN), ContactKeyFile: place.KeyFile}
	first := newBenchWith(t, func(b *bench) { b.store, b.subscriptions = shared, limits })
	second := &bench{t: t, dir: t.TempDir(), world: first.world, near: first.near, nearURL: first.nearURL, store: shared, subscriptions: limits}
	second.start()
	ask := func(b *bench, address string) int {
		stamp := stamps.FindStringSubmatch(b.visit(http.MethodGet, "/subscribe", nil).Body.String())
		b.ahead.Add(int64(3 * time.Second))
		return b.visit(http.MethodPost, "/subscribe", url.Values{"stamp": {stamp[1]}, "address": {address}, "scope": {"all"}, "language": {"en"}, "severity": {"all"}}).Code
	}
	if a, b := ask(first, "a@x.example"), ask(second, "b@x.example"); a != http.StatusSeeOther || b != http.StatusSeeOther {
		t.Fatalf("the network's two were answered %d and %d", a, b)
	}
	second.stop()
	second.start()
	if a, b := ask(first, "c@x.example"), ask(second, "d@x.example"); a != http.StatusTooManyRequests || b != http.StatusTooManyRequests {
		t.Errorf("two more were answered %d and %d, want 429", a, b)
	}
}
