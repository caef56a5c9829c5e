package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"shopwatch/rules"
)

func TestPrometheusKilledThenAlertmanagerAmidAnOutageTellsNoRecovery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	began := time.Now()
	b.near.set(map[string]string{"w": rules.AlertWatchdog, "a1": rules.AlertServiceDown})
	b.tell(rules.Ops, "firing", began)
	b.arrives("100", "Alipay")
	b.listed()
	b.silent.Store(true) // Prometheus is killed; Alertmanager then calls everything resolved
	b.advance(4 * time.Minute)
	b.near.set(nil)
	b.tell(rules.Ops, "resolved", began)
	b.listed()
	b.near.set(map[string]string{}) // Alertmanager is killed; started again, it lists nothing
	b.advance(10 * time.Minute)
	for range 3 {
		b.listed()
	}
	b.untold("Resolved")
}

func TestUptimeRobotIsToldOfAtBothEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.silent.Store(true) // it needs no Prometheus
	for _, c := range []struct{ kind, words string }{{"1", "UptimeRobot finds pay down"}, {"2", "Resolved"}} {
		r := httptest.NewRequest(http.MethodPost, "/webhook/uptimerobot?service=main/alipay&token="+token, strings.NewReader("monitorID=7&monitorFriendlyName=pay&alertType="+c.kind))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		b.app.Private().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
		b.arrives("100", c.words, "Alipay")
	}
}
