package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/rules/engine"
)

func TestAnAlertTravelsFromTheTargetToTheWebhookAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.run(t, t.TempDir())

	w.up.Store(0)
	firing := next(t, w.ops)
	if firing.Status != "firing" || len(firing.Alerts) != 1 || firing.Alerts[0].Labels["alertname"] != "ShopDown" {
		t.Fatalf("first notification: got %+v, want ShopDown firing", firing)
	}
	if got := firing.Alerts[0].Annotations["since"]; got != "0" {
		t.Errorf("annotation since: got %q, want the value 0", got)
	}
	link := firing.Alerts[0].GeneratorURL
	if !strings.HasPrefix(link, w.URL+"/prometheus/graph?") {
		t.Errorf("generatorURL: got %q, want a link below %s/prometheus", link, w.URL)
	}
	if body := w.get(t, strings.TrimPrefix(link, w.URL)); !strings.Contains(body, `"resultType":"vector"`) {
		t.Errorf("link of the alert: got %s, want the answer of its query", body)
	}

	w.up.Store(1)
	if resolved := next(t, w.ops); resolved.Status != "resolved" || resolved.Alerts[0].Labels["alertname"] != "ShopDown" {
		t.Errorf("second notification: got %+v, want ShopDown resolved", resolved)
	}

	before := time.Now()
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("stop took %s, want less than 2s", took)
	}
	if log := w.log.String(); log != "" {
		t.Errorf("a healthy run logged:\n%s", log)
	}
}

func TestRepeatsOfTheWatchdogTellLaterEvaluations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, t.TempDir())
	evaluated := func() int64 {
		p := next(t, w.deadman)
		at, err := strconv.ParseInt(p.Alerts[0].Annotations["evaluated"], 10, 64)
		if err != nil {
			t.Fatalf("annotation evaluated of %+v: %v", p, err)
		}
		return at
	}
	first := evaluated()
	if now := time.Now().Unix(); first < now-10 || first > now+1 {
		t.Errorf("evaluated: got %d, want about now, %d", first, now)
	}
	// A repeat may come just before Prometheus resends, and then tells the same
	// as the one before it; it never tells less.
	for second := first; second == first; {
		if second = evaluated(); second < first {
			t.Errorf("evaluated: got %d after %d, want the same or later", second, first)
		}
	}
}

func TestBothAPIsAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up.Store(0)
	w.run(t, t.TempDir())
	next(t, w.ops) // from here on there is a series, an alert and a group

	now := time.Now().Unix()
	span := fmt.Sprintf("start=%d&end=%d&step=1", now-60, now+60)
	for _, c := range []struct{ path, want string }{
		{"/prometheus/api/v1/query?query=shop_up", `"shop":"demo"`},
		{"/prometheus/api/v1/query_range?query=shop_up&" + span, `"resultType":"matrix"`},
		{"/prometheus/api/v1/query?query=shop:up:max", `"__name__":"shop:up:max"`},
		{"/prometheus/api/v1/query_exemplars?query=shop_up&" + span, `"status":"success"`},
		{"/prometheus/api/v1/rules", `"name":"ShopDown"`},
		{"/prometheus/api/v1/alerts", `"state":"firing"`},
		{"/prometheus/api/v1/targets", `"health":"up"`},
		{"/prometheus/api/v1/alertmanagers", w.URL + "/alertmanager/api/v2/alerts"},
		{"/prometheus/api/v1/labels", `"shop"`},
		{"/prometheus/api/v1/label/shop/values", `"demo"`},
		{"/prometheus/api/v1/series?match[]=shop_up", `"job":"shop"`},
		{"/prometheus/api/v1/metadata", `"shop_up"`},
		{"/prometheus/api/v1/status/config", `scrape_interval: 200ms`},
		{"/prometheus/api/v1/status/flags", `"storage.tsdb.retention.time":"5w"`},
		{"/prometheus/api/v1/status/runtimeinfo", `"reloadConfigSuccess":true`},
		{"/prometheus/api/v1/status/buildinfo", `"goVersion":"go`},
		{"/prometheus/api/v1/status/tsdb", `"headStats"`},
		{"/prometheus/api/v1/status/tsdb/blocks", `"success"`},
		{"/prometheus/api/v1/status/walreplay", `"success"`},
		{"/prometheus/api/v1/features", `"success"`},
		{"/prometheus/-/ready", "OK"},
		{"/alertmanager/api/v2/alerts?active=true", `"alertname":"ShopDown"`},
		{"/alertmanager/api/v2/alerts/groups", `"name":"ops"`},
		{"/alertmanager/api/v2/silences", `[]`},
		{"/alertmanager/api/v2/status", `"cluster":`},
		{"/alertmanager/api/v2/receivers", `"deadman"`},
		{"/alertmanager/-/ready", "OK"},
	} {
		eventually(t, "GET "+c.path+" has "+c.want, func() bool { return strings.Contains(w.get(t, c.path), c.want) })
	}
}

func TestAnAlertFallsSilentUnderAPostedSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up.Store(0)
	w.run(t, t.TempDir())
	next(t, w.ops)
	id := w.silence(t)
	eventually(t, "ShopDown is suppressed by the silence", func() bool {
		var alerts []struct {
			Labels map[string]string
			Status struct{ SilencedBy []string }
		}
		if err := json.Unmarshal([]byte(w.get(t, "/alertmanager/api/v2/alerts?filter=alertname%3DShopDown")), &alerts); err != nil {
			t.Fatal(err)
		}
		return len(alerts) == 1 && len(alerts[0].Status.SilencedBy) == 1 && alerts[0].Status.SilencedBy[0] == id
	})
	w.expire(t, id)
}

// silence posts one of an hour over ShopDown and returns its id.
func (w *world) silence(t *testing.T) string {
	t.Helper()
	now := time.Now().UTC()
	status, _, body := w.request(t, http.MethodPost, "/alertmanager/api/v2/silences", fmt.Sprintf(
		`{"matchers":[{"name":"alertname","value":"ShopDown","isRegex":false,"isEqual":true}],
		  "startsAt":%q,"endsAt":%q,"createdBy":"test","comment":"planned"}`,
		now.Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)))
	var answer struct{ SilenceID string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.SilenceID == "" {
		t.Fatalf("post silence: got %d %s", status, body)
	}
	return answer.SilenceID
}

func TestWhatIsOffStaysOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, t.TempDir())
	for _, c := range []struct {
		name, method, path string
		want               int
	}{
		{"admin API", http.MethodPost, "/prometheus/api/v1/admin/tsdb/snapshot", http.StatusInternalServerError},
		{"deleting series", http.MethodPost, "/prometheus/api/v1/admin/tsdb/delete_series?match[]=shop_up", http.StatusInternalServerError},
		{"remote-write receiver", http.MethodPost, "/prometheus/api/v1/write", http.StatusNotFound},
		{"OTLP receiver", http.MethodPost, "/prometheus/api/v1/otlp/v1/metrics", http.StatusNotFound},
		{"lifecycle of Prometheus", http.MethodPost, "/prometheus/-/quit", http.StatusNotFound},
		{"lifecycle of Alertmanager", http.MethodPost, "/alertmanager/-/reload", http.StatusNotFound},
		{"description that would lie", http.MethodGet, "/prometheus/api/v1/openapi.yaml", http.StatusNotFound},
		{"pprof", http.MethodGet, "/alertmanager/debug/pprof/", http.StatusNotFound},
		{"live notifications", http.MethodGet, "/prometheus/api/v1/notifications/live", http.StatusNoContent},
		{"search", http.MethodGet, "/prometheus/api/v1/search/metric_names", http.StatusInternalServerError},
	} {
		status, _, body := w.request(t, c.method, c.path, "")
		if status != c.want || (c.want == http.StatusInternalServerError && !strings.Contains(body, "disabled")) {
			t.Errorf("%s: got %d %s, want %d", c.name, status, body, c.want)
		}
	}
	for _, path := range []string{"/prometheus/api/v1/query?query=1", "/alertmanager/api/v2/status"} {
		_, header, _ := w.request(t, http.MethodGet, path, "", "Origin", "https://elsewhere.example")
		if got := header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("GET %s from another origin: allowed %q, want none", path, got)
		}
	}
	huge := `[{"labels":{"alertname":"` + strings.Repeat("x", 5<<20) + `"}}]`
	if status, _, _ := w.request(t, http.MethodPost, "/alertmanager/api/v2/alerts", huge); status < 400 {
		t.Errorf("a body of 5 MiB: got %d, want a refusal", status)
	}
	form := url.Values{"query": {"1 + " + strings.Repeat("1 + ", 2<<20)}}.Encode()
	status, _, _ := w.request(t, http.MethodPost, "/prometheus/api/v1/query", form, "Content-Type", "application/x-www-form-urlencoded")
	if status < 400 {
		t.Errorf("a query of 8 MiB: got %d, want a refusal", status)
	}
}

func TestItsOwnMetricsAreGathered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, t.TempDir())
	next(t, w.deadman)
	families, err := w.engine.Load().Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool, len(families))
	for _, f := range families {
		got[f.GetName()] = true
	}
	for _, want := range []string{
		"prometheus_tsdb_head_series", "prometheus_rule_evaluations_total", "prometheus_notifications_sent_total",
		"prometheus_engine_queries", "prometheus_target_scrape_pools_total", "prometheus_config_last_reload_successful",
		"alertmanager_notifications_total", "alertmanager_silences", "alertmanager_alerts_received_total", "alertmanager_config_last_reload_successful",
	} {
		if !got[want] {
			t.Errorf("metric %s is missing", want)
		}
	}
}

func TestReloadTakesNewRulesAndRefusesWrongOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	stop := w.run(t, dir)
	e, config := w.engine.Load(), w.config(dir)

	w.write(t, "rules.yml", strings.ReplaceAll(rulesFile, "ShopDown", "ShopGone"))
	if err := e.Reload(config); err != nil {
		t.Fatal(err)
	}
	w.up.Store(0)
	if p := next(t, w.ops); p.Alerts[0].Labels["alertname"] != "ShopGone" {
		t.Errorf("after the reload: got %+v, want ShopGone", p)
	}

	bad := w.write(t, "rules.yml", "groups: [{name: x, rules: [{alert: A, expr: 'sum('}]}]")
	if err := e.Reload(config); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("reload of a wrong rule: got %v, want an error naming %s", err, bad)
	}
	w.write(t, "rules.yml", rulesFile)
	w.write(t, "alertmanager.yml", "route: {receiver: nobody}")
	if err := e.Reload(config); err == nil || !strings.Contains(err.Error(), "alertmanager.yml") {
		t.Errorf("reload of a wrong alertmanager.yml: got %v, want an error naming it", err)
	}
	if body := w.get(t, "/prometheus/api/v1/rules"); !strings.Contains(body, "ShopGone") {
		t.Errorf("rules after refused reloads: got %s, want the ones before", body)
	}
	w.up.Store(1)
	if p := next(t, w.ops); p.Status != "resolved" {
		t.Errorf("after refused reloads: got %+v, want the routing before to tell of the resolution", p)
	}
	_ = stop()
	if err := e.Reload(config); !errors.Is(err, engine.ErrNotRunning) {
		t.Errorf("reload after the end: got %v, want ErrNotRunning", err)
	}
}

func TestClosingIsSafeAtAnyTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()

	early, err := engine.New(w.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	w.engine.Store(early)
	for _, path := range []string{"/prometheus/api/v1/query?query=1", "/alertmanager/api/v2/status"} {
		if status, _, _ := w.request(t, http.MethodGet, path, ""); status != http.StatusServiceUnavailable {
			t.Errorf("GET %s before the run: got %d, want 503", path, status)
		}
	}
	if _, err := engine.New(w.config(dir)); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second engine on the directory: got %v, want an error naming it as in use", err)
	}
	for range 2 {
		if err := early.Close(); err != nil {
			t.Errorf("close before the run: %v", err)
		}
	}
	if err := early.Run(t.Context()); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("run after close: got %v, want ErrClosed", err)
	}

	w.run(t, dir) // the directory is free again
	e := w.engine.Load()
	if err := e.Run(t.Context()); !errors.Is(err, engine.ErrRunning) {
		t.Errorf("second run: got %v, want ErrRunning", err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			response, err := w.Client().Get(w.URL + "/prometheus/api/v1/query?query=count_over_time(shop_up[1h:10ms])")
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
		all.Go(func() {
			if err := e.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	all.Wait()
	if status, _, _ := w.request(t, http.MethodGet, "/prometheus/api/v1/query?query=1", ""); status != http.StatusServiceUnavailable {
		t.Errorf("query after the end: got %d, want 503", status)
	}
}
