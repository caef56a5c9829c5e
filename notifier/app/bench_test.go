package app_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"shopwatch/internal/configfile"
	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/notifier/app"
	"shopwatch/notifier/config"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

const token = "webhook-token-of-the-test"

// neighbours are a Prometheus that knows one service, and an Alertmanager whose
// alerts the test sets. Time is a hundredth of production's: a tick is 150 ms.
type neighbours struct {
	mu     sync.Mutex
	alerts map[string]string // fingerprint -> alertname
	polls  int               // of the alerts

	silences []string // as they were posted
	ended    int      // silences that were ended
	status   rules.Status
	now      func() time.Time
}

func (n *neighbours) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r.URL.Path {
	case "/api/v2/status":
		json.NewEncoder(w).Encode(map[string]any{"uptime": time.Now().Add(-time.Hour)})
	case "/api/v2/silences":
		if r.Header.Get("Authorization") != "Bearer operator" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodGet {
			listed := []map[string]any{}
			for _, posted := range n.silences {
				one := map[string]any{}
				json.Unmarshal([]byte(posted), &one)
				one["id"], one["status"] = "s1", map[string]string{"state": "active"}
				listed = append(listed, one)
			}
			json.NewEncoder(w).Encode(listed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		n.silences = append(n.silences, string(body))
		fmt.Fprint(w, `{"silenceID":"s1"}`)
	case "/api/v2/silence/s1":
		n.ended, n.silences = n.ended+len(n.silences), nil
	case "/api/v2/alerts":
		n.polls++
		list := []map[string]any{}
		for fingerprint, name := range n.alerts {
			list = append(list, map[string]any{"fingerprint": fingerprint, "labels": map[string]string{"alertname": name}})
		}
		json.NewEncoder(w).Encode(list)
	default:
		result := []map[string]any{}
		if r.FormValue("query") == rules.ServiceInfo.Name {
			result = append(result, map[string]any{"value": []any{time.Now().Unix(), "1"}, "metric": map[string]string{
				"shop": "main", "service": "alipay", "role": "payment", "name_zh": "支付宝", "name_en": "Alipay", "position": "1", "critical": "true", "public": "true",
			}})
		}
		measured := func(labels map[string]string) {
			result = append(result, map[string]any{"value": []any{n.now().Unix(), strconv.FormatInt(n.now().Unix(), 10)}, "metric": labels})
		}
		switch query := r.FormValue("query"); {
		case n.status == "":
		case strings.HasPrefix(query, "max(timestamp("):
			measured(map[string]string{})
		case strings.Contains(query, rules.ServiceStatus.Name):
			measured(map[string]string{"shop": "main", "service": "alipay", "status": string(n.status)})
		}
		json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}})
	}
}

// measure has Prometheus know the service's status.
func (n *neighbours) measure(status rules.Status) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = status
}

// silenced are the silences that Alertmanager took.
func (n *neighbours) silenced() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.silences)
}

func (n *neighbours) set(alerts map[string]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alerts = alerts
}

type bench struct {
	t       testing.TB
	dir     string
	world   *sandbox.Sandbox
	near    *neighbours
	nearURL string
	app     *app.App
	metrics *prometheus.Registry
	stop    func()

	ahead     atomic.Int64 // how far our clock is ahead of the machine's
	silent    atomic.Bool  // Prometheus is dead: no Watchdog comes
	hold      bool
	alone     bool // no Alertmanager can be asked
	heartbeat *config.HeartbeatConfig
	store     config.StoreConfig
	operator  *guard.Operator

	subscriptions config.SubscriptionsConfig
	botToken      string // default: the sandbox's
	edit          func(*config.Config)
	log           io.Writer // default: nobody reads it
}

func (b *bench) now() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }

func newBench(t *testing.T) *bench { return newBenchWith(t, nil) }

// newBenchWith is a bench that is changed before it starts.
func newBenchWith(t testing.TB, change func(*bench)) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), near: &neighbours{alerts: map[string]string{"w": rules.AlertWatchdog}}}
	b.near.now = b.now
	if change != nil {
		change(b)
	}
	server := httptest.NewServer(b.near)
	t.Cleanup(server.Close)
	b.nearURL = server.URL
	var err error
	if b.world, err = sandbox.New(sandbox.Config{Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	go b.world.Run(t.Context())
	t.Cleanup(func() { b.world.Close() })
	b.start()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(b.page("/"), "Alipay") { // Prometheus was asked for the names
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("the page never showed the service")
		}
	}
	return b
}

// config is the bench's configuration, as edit leaves it.
func (b *bench) config() config.Config {
	credentials := b.world.Credentials()
	host, port, _ := net.SplitHostPort(b.world.SMTPAddr())
	number, _ := strconv.Atoi(port)
	person := func(audience rules.Audience, channel, address string) []notifier.Recipient {
		return []notifier.Recipient{{Audience: audience, Channel: channel, Address: address, Language: notifier.English}}
	}
	cfg := config.Config{
		Page:     config.PageConfig{Title: rules.Text{ZH: "店", EN: "Shop"}, URL: "https://status.example.com", Zone: time.UTC},
		Telegram: &config.TelegramConfig{Token: configfile.NewSecret(cmp.Or(b.botToken, credentials.TelegramToken)), APIURL: b.world.TelegramURL()},
		Email: &config.EmailConfig{
			Host: host, Port: number, Username: credentials.SMTPUsername, Password: configfile.NewSecret(credentials.SMTPPassword),
			From: "Shop <alerts@shop.example>", TLS: config.TLSNone,
		},
		Audiences: map[rules.Audience][]notifier.Recipient{
			rules.Ops: person(rules.Ops, config.Telegram, "100"), rules.Subscribers: person(rules.Subscribers, config.Email, "buyer@x.example"),
			rules.Management: person(rules.Management, config.Email, "boss@x.example"),
		},
		Subscriptions: b.subscriptions, HoldAcknowledged: b.hold, Heartbeat: b.heartbeat, Store: b.store,
		Escalation: rules.Escalation{Ops: 3 * time.Second, Management: 18 * time.Second, Pace: 0.01},
	}
	if b.edit != nil {
		b.edit(&cfg)
	}
	return cfg
}

func (b *bench) start() {
	b.t.Helper()
	b.metrics, b.operator = prometheus.NewRegistry(), guard.NewOperator("operator", time.Now)
	alertmanager := b.nearURL
	if b.alone {
		alertmanager = ""
	}
	var err error
	b.app, err = app.New(b.t.Context(), app.Config{
		Notifier: b.config(), DataDir: b.dir, PrometheusURL: b.nearURL, AlertmanagerURL: alertmanager, WebhookToken: token,
		RunbookURL: "http://127.0.0.1:9/runbooks",
		Operator:   b.operator, Version: "test", Registerer: b.metrics, Now: b.now, Logger: slog.New(slog.NewTextHandler(cmp.Or[io.Writer](b.log, io.Discard), nil)),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.app.Run(ctx) })
	running.Go(func() { b.judge(ctx) })
	b.stop = sync.OnceFunc(func() { cancel(); running.Wait(); b.app.Close() })
	b.t.Cleanup(b.stop)
}

// tell posts one alert as Alertmanager would.
func (b *bench) tell(audience rules.Audience, status string, startsAt time.Time) int {
	b.t.Helper()
	ends := "0001-01-01T00:00:00Z"
	if status == "resolved" {
		ends = time.Now().Format(time.RFC3339Nano)
	}
	return b.post(audience, fmt.Sprintf(`{"alerts":[{"status":%q,"labels":{"alertname":"ServiceDown","incident":"main/alipay","shop":"main","service":"alipay","tier":"ops","severity":"critical","public":"true"},
		 "annotations":{"since":"%d","description":"10.0.0.9 refused"},"startsAt":%q,"endsAt":%q,"fingerprint":"a1"}]}`,
		status, startsAt.Unix(), startsAt.Format(time.RFC3339Nano), ends))
}

// judge sends a Watchdog of every moment, as a Prometheus that evaluates does.
func (b *bench) judge(ctx context.Context) {
	for {
		if !b.silent.Load() {
			b.post(rules.Deadman, fmt.Sprintf(`{"alerts":[{"status":"firing","labels":{"alertname":"Watchdog"},"annotations":{"evaluated":"%d"},
			"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"w"}]}`, b.now().Unix()+1))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (b *bench) post(audience rules.Audience, body string) int {
	r := httptest.NewRequest(http.MethodPost, "/webhook?audience="+string(audience), strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	b.app.Private().ServeHTTP(w, r)
	return w.Code
}

// arrives waits until a message with all the words has come to the reader.
func (b *bench) arrives(to string, words ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	_, err := b.world.Wait(ctx, func(m sandbox.Message) bool {
		for _, word := range words {
			if !strings.Contains(m.Subject+m.Text+m.HTML, word) {
				return false
			}
		}
		return m.To == to
	})
	if err != nil {
		b.t.Fatalf("%s was never told %q: %v", to, words, err)
	}
}

// listed waits until Alertmanager was asked twice more: by then it has listed
// what it has, and that is kept.
func (b *bench) listed() {
	b.t.Helper()
	b.near.mu.Lock()
	from := b.near.polls
	b.near.mu.Unlock()
	deadline := time.After(20 * time.Second)
	for {
		b.near.mu.Lock()
		polls := b.near.polls
		b.near.mu.Unlock()
		if polls >= from+2 {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			b.t.Fatal("Alertmanager is not asked")
		}
	}
}

// gather waits until a metric is there, and gives all.
func (b *bench) gather(name string) []*dto.MetricFamily {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		families, err := b.metrics.Gather()
		if err != nil {
			b.t.Fatal(err)
		}
		if slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name }) {
			return families
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			b.t.Fatalf("%s was never there", name)
		}
	}
}

func (b *bench) page(path string) string {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Language", "en")
	w := httptest.NewRecorder()
	b.app.Public().ServeHTTP(w, r)
	return w.Body.String()
}
