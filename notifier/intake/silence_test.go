package intake_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/intake"
)

// silenced is an Alertmanager with peers, which takes silences or refuses them.
type silenced struct {
	peers  []string
	status int // of the answer to a silence; 0: 200
	away   bool
	alerts []map[string]any
	took   []string
}

func (a *silenced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.away {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	switch r.URL.Path {
	case "/am/api/v2/status":
		state, peers := "disabled", []map[string]string{}
		for _, name := range a.peers {
			state, peers = "ready", append(peers, map[string]string{"name": name, "address": "10.0.0.1:9094"})
		}
		json.NewEncoder(w).Encode(map[string]any{"cluster": map[string]any{"status": state, "peers": peers}})
	case "/am/api/v2/alerts":
		json.NewEncoder(w).Encode(a.alerts)
	case "/am/api/v2/silences":
		if a.status != 0 {
			w.WriteHeader(a.status)
			return
		}
		var body map[string]any
		json.NewDecoder(r.Body).Decode(&body)
		wire, _ := json.Marshal(body)
		a.took = append(a.took, string(wire))
		json.NewEncoder(w).Encode(map[string]string{"silenceID": "s1"})
	}
}

func silencer(t *testing.T, servers ...*silenced) *intake.Silencer {
	t.Helper()
	var list []intake.Alertmanager
	for _, a := range servers {
		s := httptest.NewServer(a)
		t.Cleanup(s.Close)
		list = append(list, intake.Alertmanager{URL: s.URL + "/am", Client: s.Client()})
	}
	s, err := intake.NewSilencer(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var anHour = intake.Silence{Matchers: map[string]string{"incident": "main/alipay"}, From: noon, Until: noon.Add(time.Hour), By: "Wang", Comment: "shopwatch incident k3"}

func TestASilenceIsPostedAsAlertmanagerWantsIt(t *testing.T) {
	t.Parallel()
	alone := &silenced{}
	if missed, err := silencer(t, alone).Silence(t.Context(), anHour); err != nil || len(missed) > 0 {
		t.Fatal(missed, err)
	}
	const want = `{"comment":"shopwatch incident k3","createdBy":"Wang","endsAt":"2026-11-22T13:00:00Z","matchers":[{"isEqual":true,"isRegex":false,"name":"incident","value":"main/alipay"}],"startsAt":"2026-11-22T12:00:00Z"}`
	if len(alone.took) != 1 || alone.took[0] != want {
		t.Errorf("took %s\nwant %s", alone.took, want)
	}
}

func TestEachClusterIsToldOnceAndEachThatStandsAloneItself(t *testing.T) {
	t.Parallel()
	first, second := &silenced{peers: []string{"a", "b"}, status: 500}, &silenced{peers: []string{"b", "a"}}
	third, alone, other := &silenced{peers: []string{"a", "b"}}, &silenced{}, &silenced{peers: []string{"x"}}
	missed, err := silencer(t, first, second, third, alone, other).Silence(t.Context(), anHour)
	if err != nil || len(missed) > 0 {
		t.Fatal(missed, err)
	}
	for name, c := range map[string]struct {
		server *silenced
		want   int
	}{"the peer that fails": {first, 0}, "the next peer": {second, 1}, "a peer that hears of it": {third, 0}, "one on its own": {alone, 1}, "another cluster": {other, 1}} {
		if len(c.server.took) != c.want {
			t.Errorf("%s took %d silences, want %d", name, len(c.server.took), c.want)
		}
	}
}

func TestWhoCouldNotBeToldIsNamedAndNobodyAtAllIsAnError(t *testing.T) {
	t.Parallel()
	missed, err := silencer(t, &silenced{away: true}, &silenced{}).Silence(t.Context(), anHour)
	if err != nil || len(missed) != 1 {
		t.Errorf("missed %v, %v; want one and no error", missed, err)
	}
	_, err = silencer(t, &silenced{away: true}, &silenced{status: 401}).Silence(t.Context(), anHour)
	if err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "502") {
		t.Errorf("error %v, want what each answered", err)
	}
	if _, err := silencer(t, &silenced{}).Silence(t.Context(), intake.Silence{From: noon, Until: noon.Add(time.Hour)}); err == nil {
		t.Error("a silence of everything was posted")
	}
}

func TestLabelsAreThoseOfTheAlertsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	listing := &silenced{alerts: []map[string]any{
		{"fingerprint": "f1", "labels": map[string]string{"alertname": "Stranger", "instance": "x"}},
		{"fingerprint": "f2", "labels": map[string]string{"alertname": "Other"}},
	}}
	found, err := silencer(t, &silenced{away: true}, listing).Labels(t.Context(), []string{"f1", "f3"})
	if err != nil || len(found) != 1 || found["f1"]["instance"] != "x" {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := silencer(t, &silenced{away: true}).Labels(t.Context(), []string{"f1"}); err == nil {
		t.Error("nobody could be asked, and there is no error")
	}
}

// suppressed are the names of the alerts that an Alertmanager keeps still.
func suppressed(t *testing.T, url string) (names []string) {
	t.Helper()
	response, err := http.Get(url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var alerts []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	if err := json.NewDecoder(response.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts {
		if a.Status.State == "suppressed" {
			names = append(names, a.Labels["alertname"])
		}
	}
	return names
}

func TestRealPeersKeepAnIncidentStillThatOneOfThemWasTold(t *testing.T) {
	t.Parallel()
	first := servertest.Alertmanager(t)
	second := servertest.Alertmanager(t, first)
	s, err := intake.NewSilencer([]intake.Alertmanager{{URL: first.URL, Client: http.DefaultClient}, {URL: second.URL, Client: http.DefaultClient}})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{first.URL, second.URL} { // as Prometheus tells both
		alerts := `[{"labels":{"alertname":"ServiceDown","incident":"main/alipay"}},{"labels":{"alertname":"Stranger","instance":"x"}}]`
		response, err := http.Post(url+"/api/v2/alerts", "application/json", strings.NewReader(alerts))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
		response.Body.Close()
	}
	now := time.Now()
	want := anHour
	want.From, want.Until = now, now.Add(time.Hour)
	if missed, err := s.Silence(t.Context(), want); err != nil || len(missed) > 0 {
		t.Fatal(missed, err)
	}
	for _, url := range []string{first.URL, second.URL} {
		for deadline := time.Now().Add(30 * time.Second); !slices.Equal(suppressed(t, url), []string{"ServiceDown"}); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("silent are %v, want the incident's alert alone", suppressed(t, url))
			}
		}
	}
	if list := silences(t, first.URL); list != 1 {
		t.Errorf("%d silences, want one for the cluster", list)
	}
}

func silences(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url + "/api/v2/silences")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list []any
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return len(list)
}
