package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/rules/engine"
)

// patience is how long a test waits for what should come within a second or two.
const patience = 15 * time.Second

// rulesFile has an alert that follows the target, and a Watchdog that tells
// when it was evaluated.
const rulesFile = `
groups:
- name: shop
  interval: 200ms
  rules:
  - record: shop:up:max
    expr: max(shop_up)
  - alert: ShopDown
    expr: shop_up == 0
    labels: {tier: ops, severity: critical}
    annotations: {since: '{{ $value | printf "%.0f" }}'}
  - alert: Watchdog
    expr: vector(time())
    labels: {tier: deadman, severity: none}
    annotations: {evaluated: '{{ $value | printf "%.0f" }}'}
`

const alertmanagerFile = `
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 0s
  group_interval: 300ms
  repeat_interval: 4h
  routes:
  - matchers: [tier="deadman"]
    receiver: deadman
    repeat_interval: 1s
receivers:
- name: ops
  webhook_configs: [{url: '%[1]s/hook/ops'}]
- name: deadman
  webhook_configs: [{url: '%[1]s/hook/deadman', send_resolved: false}]
`

// payload is the part of Alertmanager's webhook body that the tests read.
type payload struct {
	Status string `json:"status"`
	Alerts []struct {
		Status       string            `json:"status"`
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		GeneratorURL string            `json:"generatorURL"`
	} `json:"alerts"`
}

// world is everything around an engine: the scraped shop, the receivers of
// notifications, and the server on which the engine's handlers are mounted.
type world struct {
	*httptest.Server
	dir          string // configuration
	up           atomic.Int64
	ops, deadman chan payload
	engine       atomic.Pointer[engine.Engine]
	log          *lines
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), ops: make(chan payload, 100), deadman: make(chan payload, 1000), log: &lines{}}
	mux := http.NewServeMux()
	w.Server = httptest.NewServer(mux)
	t.Cleanup(w.Server.Close)
	mux.HandleFunc("/metrics", func(out http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(out, "# TYPE shop_up gauge\nshop_up{shop=\"demo\"} %d\n", w.up.Load())
	})
	hook := func(to chan<- payload) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			var p payload
			if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
				t.Errorf("webhook body: %v", err)
			}
			to <- p
		}
	}
	mux.HandleFunc("POST /hook/ops", hook(w.ops))
	mux.HandleFunc("POST /hook/deadman", hook(w.deadman))
	mux.Handle("/prometheus/", http.StripPrefix("/prometheus", http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.engine.Load().Prometheus().ServeHTTP(out, r)
	})))
	mux.Handle("/alertmanager/", http.StripPrefix("/alertmanager", http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.engine.Load().Alertmanager().ServeHTTP(out, r)
	})))
	w.write(t, "rules.yml", rulesFile)
	w.write(t, "alertmanager.yml", fmt.Sprintf(alertmanagerFile, w.URL))
	w.write(t, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{static_configs: [{targets: ['alertmanager.invalid:9093']}]}]
scrape_configs:
- job_name: shop
  static_configs: [{targets: ['%s']}]
`, strings.TrimPrefix(w.URL, "http://")))
	w.up.Store(1)
	return w
}

func (w *world) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (w *world) config(dataDir string) engine.Config {
	return engine.Config{
		DataDir:            dataDir,
		PrometheusConfig:   filepath.Join(w.dir, "prometheus.yml"),
		AlertmanagerConfig: filepath.Join(w.dir, "alertmanager.yml"),
		ExternalURL:        w.URL,
		ResendDelay:        time.Second,
		Logger:             slog.New(slog.NewTextHandler(w.log, nil)),
	}
}

// run starts an engine on the directory, waits until it is ready, and returns
// a function that stops it and reports how.
func (w *world) run(t *testing.T, dataDir string) (stop func() error) {
	t.Helper()
	e, err := engine.New(w.config(dataDir))
	if err != nil {
		t.Fatal(err)
	}
	w.engine.Store(e)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return fmt.Errorf("engine didn't stop within %s", patience)
		}
	})
	t.Cleanup(func() { _ = stop() })
	select {
	case <-e.Ready():
	case err := <-ended:
		t.Fatalf("engine ended before it was ready: %v", err)
	case <-time.After(patience):
		t.Fatalf("engine isn't ready after %s; log:\n%s", patience, w.log)
	}
	return stop
}

// next waits for a notification.
func next(t *testing.T, from <-chan payload) payload {
	t.Helper()
	select {
	case p := <-from:
		return p
	case <-time.After(patience):
		t.Fatalf("no notification within %s", patience)
		return payload{}
	}
}

// eventually repeats a check until it holds.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

// request returns status, headers and body of a call on the mounted engine.
func (w *world) request(t *testing.T, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := w.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(answer)
}

func (w *world) get(t *testing.T, path string) string {
	t.Helper()
	status, _, body := w.request(t, http.MethodGet, path, "")
	if status != http.StatusOK {
		t.Fatalf("GET %s: got %d %s", path, status, body)
	}
	return body
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
