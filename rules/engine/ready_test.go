package engine_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"shopwatch/rules/engine"
)

// fill writes series that end now, each minute one sample, as a run before would
// have left them in the write-ahead log.
func fill(t testing.TB, dataDir string, series int, span time.Duration) {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.RetentionDuration = (24 * time.Hour).Milliseconds()
	db, err := tsdb.Open(filepath.Join(dataDir, "prometheus"), nil, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now()
	for at := end.Add(-span); at.Before(end); at = at.Add(time.Minute) {
		app := db.Appender(t.Context())
		for i := range series {
			name := labels.FromStrings("__name__", "filled", "shop", "demo", "n", fmt.Sprint(i))
			if _, err := app.Append(0, name, at.UnixMilli(), float64(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestItIsReadyOnlyWithItsWholePast(t *testing.T) {
	t.Parallel()
	const series = 3000
	w := newWorld(t)
	dir := t.TempDir()
	fill(t, dir, series, 100*time.Minute)

	e, err := engine.New(w.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	w.engine.Store(e)
	select {
	case <-e.Ready():
		t.Error("ready before it runs")
	default:
	}
	for _, path := range []string{"/prometheus/-/ready", "/prometheus/-/healthy", "/alertmanager/-/ready", "/prometheus/api/v1/query?query=1"} {
		if status, _, _ := w.request(t, http.MethodGet, path, ""); status != http.StatusServiceUnavailable {
			t.Errorf("GET %s before it runs: got %d, want 503", path, status)
		}
	}
	// The first answer that says ready is held to the past.
	ended := make(chan error, 1)
	go func() { ended <- e.Run(t.Context()) }()
	eventually(t, "it says that it is ready", func() bool {
		status, _, _ := w.request(t, http.MethodGet, "/prometheus/-/ready", "")
		return status == http.StatusOK
	})
	query := "/prometheus/api/v1/query?query=" + url.QueryEscape("sum(count_over_time(filled[3h]))")
	if body := w.get(t, query); !strings.Contains(body, fmt.Sprintf("%q", fmt.Sprint(series*100))) {
		t.Errorf("when ready: got %s, want %d samples", body, series*100)
	}
	<-e.Ready()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAQueryThatAsksTooMuchIsEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	fill(t, dir, 300, 100*time.Minute)
	w.run(t, dir)
	// 300 series at 100,000 moments: 30 million samples, of which 20 million are allowed.
	greedy := url.QueryEscape("count_over_time(filled[100m:60ms])")
	status, _, body := w.request(t, http.MethodGet, "/prometheus/api/v1/query?query="+greedy, "")
	samples := status == http.StatusUnprocessableEntity && strings.Contains(body, "too many samples")
	late := status == http.StatusServiceUnavailable && strings.Contains(body, "timed out") // on a busy machine
	if !samples && !late {
		t.Errorf("got %d %.300s, want a refusal for its samples or its time", status, body)
	}
	if status, _, body := w.request(t, http.MethodGet, "/prometheus/api/v1/query?query=count(filled)", ""); status != http.StatusOK {
		t.Errorf("the next query: got %d %s", status, body)
	}
}

func TestTheOldestIsDroppedByAgeAndBySize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, t.TempDir())
	told := w.metrics(t)
	for _, want := range []string{
		"prometheus_tsdb_retention_limit_seconds 3.024e+06", // 35 days
		"prometheus_tsdb_retention_limit_bytes 4.294967296e+09",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("metrics: want %s", want)
		}
	}
	config := w.config(t.TempDir())
	config.Retention, config.RetentionSize = 48*time.Hour, 256<<20
	if err := w.engine.Load().Reload(config); err != nil {
		t.Fatal(err)
	}
	told = w.metrics(t)
	for _, want := range []string{"prometheus_tsdb_retention_limit_seconds 172800", "prometheus_tsdb_retention_limit_bytes 2.68435456e+08"} {
		if !strings.Contains(told, want) {
			t.Errorf("metrics after the reload: want %s", want)
		}
	}
}
