package intake_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/intake"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// alertmanager is a far side whose state a test sets.
type alertmanager struct {
	up     time.Time
	alerts map[string]string // fingerprint -> alertname
	status int
}

func (a *alertmanager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.status != 0 {
		w.WriteHeader(a.status)
		return
	}
	if r.URL.Path == "/am/api/v2/status" {
		json.NewEncoder(w).Encode(map[string]any{"uptime": a.up})
		return
	}
	list := []map[string]any{}
	for fingerprint, name := range a.alerts {
		list = append(list, map[string]any{"fingerprint": fingerprint, "labels": map[string]string{"alertname": name}})
	}
	json.NewEncoder(w).Encode(list)
}

func reconciler(t *testing.T, servers ...*alertmanager) *intake.Reconciler {
	t.Helper()
	var list []intake.Alertmanager
	for _, a := range servers {
		s := httptest.NewServer(a)
		t.Cleanup(s.Close)
		list = append(list, intake.Alertmanager{URL: s.URL + "/am", Client: s.Client()})
	}
	r, err := intake.NewReconciler(list, 5*time.Minute, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func healthy(fingerprints ...string) *alertmanager {
	a := &alertmanager{up: noon.Add(-time.Hour), alerts: map[string]string{"w": "Watchdog"}}
	for _, f := range fingerprints {
		a.alerts[f] = "ServiceDown"
	}
	return a
}

// polls asks n times and gives the last answer; all before it must be empty.
func polls(t *testing.T, r *intake.Reconciler, n int) []string {
	t.Helper()
	for i := 1; ; i++ {
		_, gone, err := r.Poll(t.Context(), map[string]bool{"a": true, "b": true})
		if err != nil {
			t.Fatal(err)
		}
		if i == n {
			slices.Sort(gone)
			return gone
		}
		if len(gone) > 0 {
			t.Fatalf("poll %d already calls %v gone", i, gone)
		}
	}
}

func TestAlertThatEveryAlertmanagerMissesThreeTimesIsGone(t *testing.T) {
	t.Parallel()
	if gone := polls(t, reconciler(t, healthy("b"), healthy()), 3); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("gone: %v, want a alone: b is still listed by one", gone)
	}
}

func TestAlertIsNotGoneOnTheWordOfWhoCannotKnow(t *testing.T) {
	t.Parallel()
	young := healthy()
	young.up = noon.Add(-4 * time.Minute)
	blind := healthy()
	delete(blind.alerts, "w")
	for name, server := range map[string]*alertmanager{
		"an Alertmanager that began anew":   young,
		"one that hears of no Watchdog":     blind,
		"one that lists the alerts as ever": healthy("a", "b"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if gone := polls(t, reconciler(t, healthy(), server), 6); len(gone) > 0 {
				t.Errorf("gone: %v", gone)
			}
		})
	}
}

func TestAlertThatNoAlertmanagerEverListedIsNotMissed(t *testing.T) {
	t.Parallel()
	r := reconciler(t, healthy("b"))
	for range 5 {
		listed, gone, err := r.Poll(t.Context(), map[string]bool{"grafana": false, "b": false})
		if err != nil || len(gone) > 0 || !slices.Equal(listed, []string{"b"}) {
			t.Fatalf("listed %v, gone %v, %v", listed, gone, err)
		}
	}
}

func TestThreePollsBeginAnewAfterOneThatFailed(t *testing.T) {
	t.Parallel()
	server := healthy()
	r := reconciler(t, server)
	polls(t, r, 2)
	server.status = http.StatusInternalServerError
	if _, gone, err := r.Poll(t.Context(), map[string]bool{"a": true}); err == nil || len(gone) > 0 || !strings.Contains(err.Error(), "500") {
		t.Errorf("a failing Alertmanager: %v, %v", gone, err)
	}
	server.status = 0
	if gone := polls(t, r, 3); len(gone) != 2 {
		t.Errorf("gone after three new polls: %v", gone)
	}
}
