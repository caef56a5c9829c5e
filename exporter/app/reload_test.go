package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/exporter/app"
	"shopwatch/exporter/config"
	"shopwatch/exporter/demo"
	"shopwatch/internal/configfile"
)

// half is a measuring half with its private address.
type half struct {
	*app.App
	data string
	mux  *http.ServeMux
}

// newHalf runs one on the shop.yml's text until the test ends.
func newHalf(t *testing.T, text string) *half {
	t.Helper()
	h := &half{data: t.TempDir(), mux: http.NewServeMux()}
	var err error
	h.App, err = app.New(app.Config{
		Exporter: load(t, text), DataDir: h.data, Version: "test", Registerer: prometheus.NewRegistry(),
		Operator: func(*http.Request) bool { return false }, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.mux.Handle("GET /metrics", h.Metrics())
	h.Mount(h.mux)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

func load(t *testing.T, text string) config.Config {
	t.Helper()
	doc, err := configfile.Parse("shopwatch.yml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(doc)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// get asks the private address.
func (h *half) get(path string) (status int, body string) {
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// shows reports whether a line begins a scrape's line.
func (h *half) shows(line string) bool {
	_, metrics := h.get("/metrics")
	return strings.Contains(metrics, "\n"+line)
}

// waits waits until a scrape shows a line.
func (h *half) waits(t *testing.T, line string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !h.shows(line); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			_, metrics := h.get("/metrics")
			t.Fatalf("no scrape shows %s:\n%s", line, metrics)
		}
	}
}

// books is the file of a shop's books, made by the demo shop.
func books(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shop, err := demo.New(demo.Config{Dir: dir, Rand: rand.New(rand.NewPCG(1, 1))})
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "shop.db")
}

// followed is a configuration of one shop whose books are followed.
const followed = `
exporter:
  anchors: []
  host: {collectors: []}
  probe: {targets: [%[2]s]}
  shops:
    - id: main
      ledger: {software: dujiaonext, dsn: %[1]s, timezone: Asia/Shanghai, interval: %[3]s}
      services:
        - {id: worker, name: {zh: 工人, en: Worker}, push: {token: abcdefghijklmnop, within: 1h}}
`

func TestBooksThatAreReadAsBeforeGoOnUndisturbed(t *testing.T) {
	t.Parallel()
	file := books(t)
	text := fmt.Sprintf(followed, file, "127.0.0.1", "1h")
	h := newHalf(t, text)
	h.waits(t, `shopwatch_ledger_up{shop="main"} 1`)
	if err := os.Rename(file, file+".away"); err != nil { // whoever begins anew finds nothing
		t.Fatal(err)
	}
	if err := h.Reload(load(t, text)); err != nil {
		t.Fatal(err)
	}
	if !h.shows(`shopwatch_ledger_up{shop="main"} 1`) {
		t.Error("a reload of the same configuration began to follow the books anew")
	}
}

func TestReloadThatFailsLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	file := books(t)
	h := newHalf(t, fmt.Sprintf(followed, file, "127.0.0.1", "1h"))
	if status, _ := h.get("/push/abcdefghijklmnop"); status != http.StatusOK {
		t.Fatalf("a call was answered %d", status)
	}
	h.waits(t, `shopwatch_ledger_up{shop="main"} 1`)
	// The other shop's books can't be followed: a folder is in the lock's place.
	if err := os.Mkdir(filepath.Join(h.data, "ledger-other.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	next := strings.ReplaceAll(fmt.Sprintf(followed, file, "127.0.0.2", "2h"), "abcdefghijklmnop", "ponmlkjihgfedcba") +
		"    - {id: other, ledger: {software: dujiaonext, dsn: " + file + "}}\n"
	if err := h.Reload(load(t, next)); err == nil {
		t.Fatal("a shop whose books can't be followed was taken")
	}

	h.waits(t, `shopwatch_ledger_up{shop="main"} 1`)
	if h.shows(`shopwatch_ledger_up{shop="other"}`) {
		t.Error("the shop that could not be followed is shown")
	}
	if status, _ := h.get("/push/abcdefghijklmnop"); status != http.StatusOK {
		t.Errorf("the former token was answered %d", status)
	}
	if status, _ := h.get("/push/ponmlkjihgfedcba"); status != http.StatusNotFound {
		t.Errorf("the token that didn't come into force was answered %d", status)
	}
	if status, _ := h.get("/probe?target=127.0.0.1:1"); status != http.StatusOK {
		t.Errorf("a target of the former allow-list was answered %d", status)
	}
	if status, _ := h.get("/probe?target=127.0.0.2:1"); status != http.StatusForbidden {
		t.Errorf("a target that didn't come into force was answered %d", status)
	}
}

// TestReloadsInARowDisturbNeitherLooksNorScrapes is for the race detector, and
// holds that what is there at the end is the last configuration and no more.
func TestReloadsInARowDisturbNeitherLooksNorScrapes(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "open") }))
	defer shop.Close()
	file := books(t)
	// Every configuration has other services, modules, books and guards.
	text := func(i int) string {
		text := fmt.Sprintf(followed, file, []string{"127.0.0.1", "127.0.0.0/8"}[i%2], []string{"1h", "2h"}[i%2])
		for n := range 1 + i%7 {
			text += fmt.Sprintf("        - {id: page%d, target: %q, interval: 1s, timeout: 900ms, http: {contains: open, not_contains: closed%d}}\n", n, shop.URL, i%3)
		}
		return text
	}
	h := newHalf(t, text(0))
	done := make(chan struct{})
	var asking sync.WaitGroup
	for _, path := range []string{"/metrics", "/looks", "/looks/main/page0", "/push/abcdefghijklmnop", "/probe?target=" + shop.URL} {
		asking.Go(func() {
			for {
				if status, body := h.get(path); status != http.StatusOK {
					t.Errorf("%s was answered %d: %.200s", path, status, body)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	const reloads = 30
	for i := range reloads {
		if err := h.Reload(load(t, text(i))); err != nil {
			t.Errorf("reload %d: %v", i, err)
		}
	}
	close(done)
	asking.Wait()
	last := 1 + (reloads-1)%7
	for n := range 8 {
		if shown := h.shows(fmt.Sprintf(`shopwatch_service_status{service="page%d",shop="main",status="outage"} 0`, n)); shown != (n < last) {
			t.Errorf("page%d is shown: %t, want %t", n, shown, n < last)
		}
	}
	h.waits(t, `shopwatch_ledger_up{shop="main"} 1`)
}
