package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/notifier/config"
	"shopwatch/rules"
)

// prolong posts the alert of the management tier to its audience.
func (b *bench) prolong(begin time.Time, status string) int {
	now := time.Now().Format(time.RFC3339Nano)
	return b.post(rules.Management, fmt.Sprintf(`{"alerts":[{"status":%q,"labels":{"alertname":"ServiceDownProlonged","incident":"main/alipay","shop":"main","service":"alipay","tier":"management","severity":"critical"},
		 "annotations":{"since":"%d","description":"10.0.0.9 refused"},"startsAt":%q,"endsAt":%q,"fingerprint":"a2"}]}`,
		status, begin.Unix(), begin.Format(time.RFC3339Nano), now))
}

// ask asks the private address as the operator.
func (b *bench) ask(method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer operator")
	w := httptest.NewRecorder()
	b.app.Private().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// only gives the id of the one incident that runs.
func (b *bench) only() string {
	b.t.Helper()
	var answer struct{ Incidents []struct{ ID string } }
	if _, body := b.ask(http.MethodGet, "/api/incidents", ""); json.Unmarshal([]byte(body), &answer) != nil || len(answer.Incidents) != 1 {
		b.t.Fatalf("want one incident: %+v", answer)
	}
	return answer.Incidents[0].ID
}

func TestManagementHearsWhoHasItInHand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	id := b.only()
	if status, body := b.ask(http.MethodPost, "/api/incidents/"+id+"/acknowledge", `{"by":"Wang"}`); status != http.StatusOK || !strings.Contains(body, `"by":"Wang"`) {
		t.Fatalf("answered %d %s", status, body)
	}
	b.stop()
	b.start() // it is remembered
	b.prolong(begin, "firing")
	b.arrives("boss@x.example", "Alipay payments are failing", "Acknowledged by Wang at ")
	if status, body := b.ask(http.MethodPost, "/api/incidents/nosuch/acknowledge", ""); status != http.StatusNotFound || !strings.Contains(body, "incident list") {
		t.Errorf("an unknown incident was answered %d %s", status, body)
	}
	b.tell(rules.Ops, "resolved", begin)
	b.prolong(begin, "resolved")
	b.arrives("boss@x.example", "Resolved: Alipay")
	if status, body := b.ask(http.MethodPost, "/api/incidents/"+id+"/acknowledge", ""); status != http.StatusConflict {
		t.Errorf("what is over was answered %d %s", status, body)
	}
}

func TestManagementIsHeldBackUntilTheAcknowledgementIsWithdrawn(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(b *bench) { b.hold = true })
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	path := "/api/incidents/" + b.only()
	b.ask(http.MethodPost, path+"/acknowledge", "")
	b.prolong(begin, "firing")
	b.arrives("100", "Alipay payments are failing")
	b.rounds()
	for _, m := range b.world.Messages() {
		if m.To == "boss@x.example" {
			t.Fatalf("management was told: %s", m.Text)
		}
	}
	if console := b.console(); !strings.Contains(console, "management is not told") {
		t.Errorf("the console says %s", console)
	}
	if status, body := b.ask(http.MethodPost, path+"/withdraw", ""); status != http.StatusOK {
		t.Fatalf("answered %d %s", status, body)
	}
	b.arrives("boss@x.example", "Alipay payments are failing", "10.0.0.9 refused")
}

func TestHeartbeatGoesOutWhileTheWatchdogComesAndStopsWithIt(t *testing.T) {
	t.Parallel()
	var beats atomic.Int64
	far := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/s3cret" {
			beats.Add(1)
		}
	}))
	t.Cleanup(far.Close)
	b := newBenchWith(t, func(b *bench) {
		b.heartbeat = &config.HeartbeatConfig{URL: configfile.NewSecret(far.URL + "/s3cret"), Method: http.MethodGet, Interval: 50 * time.Millisecond, Timeout: 40 * time.Millisecond}
	})
	b.eventually("heartbeats go out", func() bool { return beats.Load() > 2 })
	b.gather(rules.HeartbeatLast.Name)
	b.silent.Store(true)
	b.advance(time.Minute)
	b.arrives("100", "Nobody is judging") // by then a heartbeat that was under way has ended
	stopped := beats.Load()
	b.rounds()
	if now := beats.Load(); now > stopped+1 {
		t.Errorf("%d heartbeats went out while nobody judged", now-stopped)
	}
	b.reload(func(c *config.Config) { c.Heartbeat = nil })
	for _, family := range b.gather(rules.WatchdogLast.Name) {
		if family.GetName() == rules.HeartbeatLast.Name {
			t.Errorf("where no heartbeat is configured any more there still is %v", family)
		}
	}
}
