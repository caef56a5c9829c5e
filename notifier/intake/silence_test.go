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
	has    []map[string]any // silences
	hides  bool             // … which it doesn't list
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
		if r.Method == http.MethodGet {
			if a.hides {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			json.NewEncoder(w).Encode(a.has)
			return
		}
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
	if _, missed, err := silencer(t, alone).Silence(t.Context(), anHour); err != nil || len(missed) > 0 {
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
	_, missed, err := silencer(t, first, second, third, alone, other).Silence(t.Context(), anHour)
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
	_, missed, err := silencer(t, &silenced{away: true}, &silenced{}).Silence(t.Context(), anHour)
	if err != nil || len(missed) != 1 {
		t.Errorf("missed %v, %v; want one and no error", missed, err)
	}
	_, _, err = silencer(t, &silenced{away: true}, &silenced{status: 401}).Silence(t.Context(), anHour)
	if err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "502") {
		t.Errorf("error %v, want what each answered", err)
	}
	if _, _, err := silencer(t, &silenced{}).Silence(t.Context(), intake.Silence{From: noon, Until: noon.Add(time.Hour)}); err == nil {
		t.Error("a silence of everything was posted")
	}
}

func TestASilenceOfOursThatRunsIsProlongedAndNoOther(t *testing.T) {
	t.Parallel()
	has := func(id, state, comment, value string, ends time.Time) map[string]any {
		return map[string]any{
			"id": id, "status": map[string]string{"state": state}, "comment": comment, "createdBy": "Li", "startsAt": noon.Add(-time.Minute), "endsAt": ends, "updatedAt": noon,
			"matchers": []map[string]any{{"name": "incident", "value": value, "isRegex": false, "isEqual": true}},
		}
	}
	half, day := noon.Add(30*time.Minute), noon.Add(24*time.Hour)
	for _, c := range []struct {
		name      string
		has       []map[string]any
		hides     bool
		prolonged bool
		until     time.Time
	}{
		{name: "there is none", until: anHour.Until},
		{name: "ours runs", has: []map[string]any{has("s0", "active", anHour.Comment, "main/alipay", half)}, prolonged: true, until: anHour.Until},
		{name: "ours runs longer", has: []map[string]any{has("s0", "active", anHour.Comment, "main/alipay", day)}, prolonged: true, until: day},
		{name: "ours is over", has: []map[string]any{has("s0", "expired", anHour.Comment, "main/alipay", half)}, until: anHour.Until},
		{name: "of another incident", has: []map[string]any{has("s0", "active", "shopwatch incident k2", "main/alipay", half)}, until: anHour.Until},
		{name: "of other alerts", has: []map[string]any{has("s0", "active", anHour.Comment, "main/wechat", half)}, until: anHour.Until},
		{name: "a person's own", has: []map[string]any{has("s0", "active", "lunch", "main/alipay", day)}, until: anHour.Until},
		{name: "it doesn't say", hides: true, until: anHour.Until},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := &silenced{has: c.has, hides: c.hides}
			until, _, err := silencer(t, server).Silence(t.Context(), anHour)
			if err != nil || !until.Equal(c.until) || len(server.took) != 1 || strings.Contains(server.took[0], `"id":"s0"`) != c.prolonged {
				t.Errorf("until %s (%v), it took %s", until, err, server.took)
			}
		})
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
	if _, missed, err := s.Silence(t.Context(), want); err != nil || len(missed) > 0 {
		t.Fatal(missed, err)
	}
	for _, url := range []string{first.URL, second.URL} {
		for deadline := time.Now().Add(30 * time.Second); !slices.Equal(suppressed(t, url), []string{"ServiceDown"}); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("silent are %v, want the incident's alert alone", suppressed(t, url))
			}
		}
	}
	// Pressed again, at whichever of the two: the first answer may never have come.
	want.From, want.Until = want.From.Add(time.Minute), want.Until.Add(time.Minute)
	for _, url := range []string{second.URL, first.URL} {
		again, err := intake.NewSilencer([]intake.Alertmanager{{URL: url, Client: http.DefaultClient}})
		if err != nil {
			t.Fatal(err)
		}
		if until, _, err := again.Silence(t.Context(), want); err != nil || !until.Equal(want.Until) {
			t.Fatal(until, err)
		}
		for deadline := time.Now().Add(30 * time.Second); silences(t, first.URL) != 1 || silences(t, second.URL) != 1; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d and %d silences run, want one for the cluster", silences(t, first.URL), silences(t, second.URL))
			}
		}
	}
}

// silences counts those that run.
func silences(t *testing.T, url string) (n int) {
	t.Helper()
	response, err := http.Get(url + "/api/v2/silences")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list []struct{ Status struct{ State string } }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Status.State != "expired" {
			n++
		}
	}
	return n
}
