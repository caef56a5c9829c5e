package app

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/config"
	"shopwatch/notifier/query"
	"shopwatch/rules"
)

func TestDaysThatHaveEndedAreAskedForOnceADay(t *testing.T) {
	t.Parallel()
	services := []string{"web"}
	whole, running := 0, 0
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		moment := func(field string) int64 { at, _ := strconv.ParseFloat(r.FormValue(field), 64); return int64(at) }
		result := []map[string]any{}
		kind := "vector"
		if strings.HasSuffix(r.URL.Path, "query_range") {
			kind = "matrix"
			days := (moment("end") - moment("start")) / 86400
			switch isShare := strings.Contains(r.FormValue("query"), "avg_over_time"); {
			case isShare && days == 0:
				running++
			case isShare:
				whole++
			}
			for _, service := range services {
				values := [][]any{}
				for day := range days + 1 {
					values = append(values, []any{moment("start") + day*86400, "1"})
				}
				result = append(result, map[string]any{"metric": map[string]string{"shop": "main", "service": service, "status": string(rules.Operational)}, "values": values})
			}
		} else {
			for _, service := range services {
				result = append(result, map[string]any{"metric": map[string]string{"shop": "main", "service": service}, "value": []any{moment("time"), "60"}})
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": kind, "result": result}})
	}))
	t.Cleanup(prometheus.Close)
	d := &desk{clocks: clocksOf(config.Config{Escalation: rules.DefaultEscalation()}), cfg: Config{Logger: slog.New(slog.DiscardHandler)}}
	d.cfg.Notifier.Page.Zone = time.UTC
	var err error
	if d.querier, err = query.New(query.Config{URL: prometheus.URL, Lag: time.Minute}); err != nil {
		t.Fatal(err)
	}
	asked := func(step string, wantWhole, wantRunning int) {
		t.Helper()
		if whole != wantWhole || running != wantRunning {
			t.Errorf("%s: all days were asked for %d times and the running one %d times, want %d and %d", step, whole, running, wantWhole, wantRunning)
		}
		whole, running = 0, 0
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d.recall(t.Context(), noon)
	asked("at first", 1, 0)
	d.recall(t.Context(), noon.Add(time.Minute))
	asked("a minute later", 0, 0)
	for n := range 10 {
		d.recall(t.Context(), noon.Add(time.Duration(n+1)*10*time.Minute))
	}
	asked("until the day ends", 0, 10)
	if bars := d.history["main/web"]; len(bars) != 90 || bars[89].Seen != time.Hour || !bars[89].Start.Equal(noon.Add(-12*time.Hour)) {
		t.Errorf("the running day is %+v of %d", bars[len(bars)-1], len(bars))
	}
	services = append(services, "alipay")
	d.recall(t.Context(), noon.Add(3*time.Hour))
	asked("with another service", 1, 1)
	services = services[1:]
	d.recall(t.Context(), noon.Add(4*time.Hour))
	asked("with a service less", 0, 1)
	d.recall(t.Context(), noon.Add(13*time.Hour))
	asked("on another day", 1, 1)
	if bars := d.history["main/alipay"]; len(bars) != 90 || !bars[89].Start.Equal(noon.Add(12*time.Hour)) {
		t.Errorf("the next day is %+v of %d", bars[len(bars)-1], len(bars))
	}
}
