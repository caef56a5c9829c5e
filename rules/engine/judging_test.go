package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/rules"
	"shopwatch/rules/engine"
)

// fast is our rules with tiers of seconds: an evaluation each half second.
var fast = rules.Escalation{Ops: 8 * time.Second, Management: 16 * time.Second, Pace: 1.0 / 30}

// page is what one alert of a webhook's body says.
type page struct {
	Audience    string
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`

	at time.Time // when it came
}

// stage is a shop as its exporter tells it, and everybody who is told of it.
type stage struct {
	*httptest.Server
	tell func(now time.Time) string // what /metrics answers; empty: the exporter is dead

	mu    sync.Mutex
	pages map[string][]page // by who posted
	news  chan page         // as they come

	engine atomic.Pointer[engine.Engine] // the one that runs
}

func newStage(t *testing.T, tell func(now time.Time) string) *stage {
	t.Helper()
	s := &stage{tell: tell, pages: make(map[string][]page), news: make(chan page, 1000)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		text := s.tell(time.Now())
		if text == "" {
			http.Error(w, "dead", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, text)
	})
	mux.Handle("/prometheus/", http.StripPrefix("/prometheus", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.engine.Load().Prometheus().ServeHTTP(w, r)
	})))
	mux.HandleFunc("POST /hooks/{who}/webhook", func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Alerts []page }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("webhook body: %v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range body.Alerts {
			p.Audience, p.at = r.URL.Query().Get(rules.WebhookAudience), time.Now()
			s.pages[r.PathValue("who")] = append(s.pages[r.PathValue("who")], p)
			s.news <- p
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Server.Close)
	return s
}

// files writes what a Prometheus and an Alertmanager need to judge the stage and
// post as who.
func (s *stage) files(t *testing.T, who string, alertmanager string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	judged, err := rules.RenderFile(rules.Options{Escalation: fast})
	if err != nil {
		t.Fatal(err)
	}
	prometheus, err := rules.Prometheus(rules.PrometheusOptions{
		Escalation: fast, Exporter: strings.TrimPrefix(s.URL, "http://"), RuleFiles: []string{"rules.yml"}, Alertmanagers: []string{alertmanager},
	})
	if err != nil {
		t.Fatal(err)
	}
	routes, err := rules.Alertmanager(rules.AlertmanagerOptions{Escalation: fast, WebhookURL: s.URL + "/hooks/" + who, TokenFile: "token"})
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "rules.yml"), string(judged))
	put(t, filepath.Join(dir, "prometheus.yml"), string(prometheus))
	put(t, filepath.Join(dir, "alertmanager.yml"), string(routes))
	put(t, filepath.Join(dir, "token"), "token\n")
	return dir
}

// run starts an engine on the files, waits until it is ready, and returns how to stop it.
func (s *stage) run(t *testing.T, files, dataDir string) (stop func()) {
	t.Helper()
	log := &lines{}
	e, err := engine.New(engine.Config{
		DataDir: dataDir, PrometheusConfig: filepath.Join(files, "prometheus.yml"), AlertmanagerConfig: filepath.Join(files, "alertmanager.yml"),
		ExternalURL: "http://127.0.0.1:9", ResendDelay: fast.Scale(time.Minute), Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.engine.Store(e)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("engine: %v", err)
		}
		if t.Failed() {
			t.Logf("the engine's log:\n%s", log)
		}
	})
	t.Cleanup(stop)
	select {
	case <-e.Ready():
	case <-time.After(patience):
		t.Fatalf("engine isn't ready after %s; log:\n%s", patience, log)
	}
	return stop
}

// service tells of one service: its last success, and its last look now.
func service(text *strings.Builder, shop, id string, lastSuccess, now time.Time, down bool) {
	status := map[bool]int{true: 1}
	fmt.Fprintf(text, "shopwatch_service_info{shop=%q,service=%q,name_zh=\"首页\",name_en=\"Home page\",group_zh=\"\",group_en=\"\",position=\"1\",critical=\"true\",public=\"true\"} 1\n", shop, id)
	fmt.Fprintf(text, "shopwatch_service_status{shop=%q,service=%q,status=\"operational\"} %d\n", shop, id, status[!down])
	fmt.Fprintf(text, "shopwatch_service_status{shop=%q,service=%q,status=\"outage\"} %d\n", shop, id, status[down])
	fmt.Fprintf(text, "shopwatch_service_affected{shop=%q,service=%q} 0\n", shop, id)
	fmt.Fprintf(text, "shopwatch_service_last_look_timestamp_seconds{shop=%q,service=%q} %.3f\n", shop, id, unix(now))
	fmt.Fprintf(text, "shopwatch_service_last_success_timestamp_seconds{shop=%q,service=%q} %.3f\n", shop, id, unix(lastSuccess))
	fmt.Fprintf(text, "shopwatch_service_failures_total{shop=%q,service=%q,reason=\"status\"} %d\n", shop, id, int(now.Sub(lastSuccess).Seconds()))
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
