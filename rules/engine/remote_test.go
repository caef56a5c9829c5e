package engine_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/storage/remote"
)

// far is a receiver of remote write, as Mimir, Thanos or VictoriaMetrics is one.
type far struct {
	*httptest.Server
	away    atomic.Bool
	refused atomic.Int64 // batches, while away

	mu     sync.Mutex
	series map[string]map[int64]float64 // values by moment in Unix milliseconds, by name
}

// bearer is what the receiver wants to be shown.
const bearer = "bearer-that-nobody-may-see"

func newFar(t *testing.T) *far {
	t.Helper()
	f := &far{series: make(map[string]map[int64]float64)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+bearer || r.Header.Get("X-Scope-OrgID") != "shop" {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		if f.away.Load() {
			f.refused.Add(1)
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		batch, err := remote.DecodeWriteRequest(r.Body)
		if err != nil {
			t.Errorf("batch: %v", err)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, s := range batch.Timeseries {
			for _, l := range s.Labels {
				if l.Name != "__name__" {
					continue
				}
				if f.series[l.Value] == nil {
					f.series[l.Value] = make(map[int64]float64)
				}
				for _, sample := range s.Samples {
					f.series[l.Value][sample.Timestamp] = sample.Value
				}
			}
		}
	}))
	t.Cleanup(f.Server.Close)
	return f
}

func (f *far) has(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.series[name])
}

// sends adds a receiver to prometheus.yml.
func (w *world) sends(t *testing.T, f *far) {
	t.Helper()
	conf, err := os.ReadFile(filepath.Join(w.dir, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "bearer", bearer+"\n")
	w.write(t, "prometheus.yml", string(conf)+fmt.Sprintf(`
remote_write:
- url: %s/api/v1/push
  name: far
  headers: {X-Scope-OrgID: shop}
  authorization: {credentials_file: bearer}
  queue_config: {batch_send_deadline: 200ms, max_backoff: 200ms}
`, f.URL))
}

func TestWhatIsWrittenIsSentOnThoughTheReceiverWasAway(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), newFar(t)
	w.sends(t, f)
	dir := t.TempDir()
	stop := w.run(t, dir)
	eventually(t, "scraped and recorded series arrive", func() bool { return f.has("shop_up") > 2 && f.has("shop:up:max") > 2 })

	f.away.Store(true)
	eventually(t, "the receiver was away for a while", func() bool { return f.refused.Load() > 10 })
	away := time.Now()
	f.away.Store(false)
	eventually(t, "it is sent to again", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for at := range f.series["shop_up"] {
			if at > away.UnixMilli() {
				return true
			}
		}
		return false
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()

	stop = w.run(t, dir)
	var own struct {
		Data struct {
			Result []struct{ Values [][2]any }
		}
	}
	body := w.get(t, queryAt("shop_up[1m]", stopped))
	if err := json.Unmarshal([]byte(body), &own); err != nil || len(own.Data.Result) != 1 {
		t.Fatalf("own history: %v in %s", err, body)
	}
	f.mu.Lock()
	first, missing := int64(math.MaxInt64), 0
	for at := range f.series["shop_up"] {
		first = min(first, at)
	}
	for _, v := range own.Data.Result[0].Values {
		at := int64(math.Round(v[0].(float64) * 1000))
		if _, sent := f.series["shop_up"][at]; !sent && at >= first {
			missing++
		}
	}
	f.mu.Unlock()
	if total := len(own.Data.Result[0].Values); missing > 0 || total < 10 {
		t.Errorf("of %d samples until the stop %d were not sent", total, missing)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAReceiverComesAndGoesByReload(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), newFar(t)
	alone, err := os.ReadFile(filepath.Join(w.dir, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w.run(t, dir)
	w.sends(t, f)
	if err := w.engine.Load().Reload(w.config(dir)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "series arrive", func() bool { return f.has("shop_up") > 0 })
	w.write(t, "prometheus.yml", string(alone))
	if err := w.engine.Load().Reload(w.config(dir)); err != nil {
		t.Fatal(err)
	}
	sent := f.has("shop_up")
	for range 2 {
		next(t, w.deadman) // a second each
	}
	if now := f.has("shop_up"); now != sent {
		t.Errorf("%d samples arrived after the receiver was removed", now-sent)
	}
}

func TestAStopDoesNotWaitForAReceiverThatIsAway(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), newFar(t)
	w.sends(t, f)
	f.away.Store(true)
	stop := w.run(t, t.TempDir())
	eventually(t, "the receiver is tried", func() bool { return f.refused.Load() > 1 })
	before := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("stop took %s, want the 2 s of the last try and little more", took)
	}
}

func TestNoSecretOfAReceiverIsToldAnywhere(t *testing.T) {
	t.Parallel()
	const password = "password-that-nobody-may-see"
	nowhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nowhere.Close)
	for name, receiver := range map[string]string{
		"credentials in a file": "url: 'http://127.0.0.1:1/', authorization: {credentials_file: bearer}",
		"credentials":           "url: 'http://127.0.0.1:1/', authorization: {credentials: " + password + "}",
		"basic authentication":  "url: '" + nowhere.URL + "', basic_auth: {username: me, password: " + password + "}",
		"a header":              "url: '" + nowhere.URL + "', http_headers: {X-Key: {secrets: [" + password + "]}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			conf, err := os.ReadFile(filepath.Join(w.dir, "prometheus.yml"))
			if err != nil {
				t.Fatal(err)
			}
			w.write(t, "bearer", bearer+"\n")
			w.write(t, "prometheus.yml", string(conf)+
				"\nremote_write: [{name: far, queue_config: {batch_send_deadline: 200ms}, "+receiver+"}]\n")
			w.run(t, t.TempDir())
			eventually(t, "the log tells that it fails", func() bool {
				return strings.Contains(w.log.String(), "Failed to send batch") || strings.Contains(w.log.String(), "non-recoverable")
			})
			told := w.log.String() + w.get(t, "/prometheus/api/v1/status/config") + w.metrics(t)
			if !strings.Contains(told, `prometheus_remote_storage_samples_failed_total{remote_name="far"`) {
				t.Error("no metric of the receiver is gathered")
			}
			for _, secret := range []string{bearer, password} {
				if at := strings.Index(told, secret); at >= 0 {
					t.Errorf("told: …%s…", told[max(0, at-300):min(len(told), at+100)])
				}
			}
		})
	}
}

// metrics is what the engine tells of itself, as a scrape sees it.
func (w *world) metrics(t *testing.T) string {
	t.Helper()
	families, err := w.engine.Load().Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}
