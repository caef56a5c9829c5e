package main_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/blackbox_exporter/prober"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"

	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

const officePassword = "s3cret-of-the-back-office"

// neighbour is what a blackbox_exporter looked at before, with the address that it had.
type neighbour struct {
	*measuring
	broken               atomic.Bool
	shop, banner, nobody string
}

func moveInBeside(t *testing.T) *neighbour {
	t.Helper()
	n := &neighbour{nobody: servertest.FreeAddress(t)}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		if n.broken.Load() || r.Header.Get("Accept-Language") != "zh-CN" {
			w.Header().Set("X-Broken", "yes")
		}
		io.WriteString(w, "Welcome")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	mux.HandleFunc("/office", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, password, _ := r.BasicAuth(); password != officePassword || string(body) != `{"ping":true}` {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	shop := httptest.NewServer(mux)
	t.Cleanup(shop.Close)
	n.shop = shop.Listener.Addr().String()
	banner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { banner.Close() })
	n.banner = banner.Addr().String()
	go func() {
		for {
			conn, err := banner.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
			go func() { // until the other side leaves
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	n.measuring = measure(t, settle(t, "testdata/dropin.yml", "testdata/dropin.blackbox.yml"),
		"SHOP_ADDRESS="+n.shop, "BANNER_ADDRESS="+n.banner, "NOBODY_ADDRESS="+n.nobody, "PROBE_TOKEN="+everythingProbe)
	return n
}

func TestBlackboxExportersUsersChangeNothing(t *testing.T) {
	t.Parallel()
	prometheusExe := debian(t, "prometheus", "prometheus")
	n := moveInBeside(t)
	n.answersAsBlackboxExporter(t)
	n.eventually(t, "services look by modules", func(s series) error {
		return errors.Join(s.is("storefront", rules.Operational), s.is("office", rules.Operational), s.is("banner", rules.Operational),
			s.has(`probe_expect_info{service="banner",shop="kiosk",software="OpenSSH_9.2"`))
	})

	elsewhere := answers(t, http.StatusForbidden, http.MethodGet, n.private+"/probe?target=http://"+servertest.FreeAddress(t)+"/", "")
	if !strings.Contains(elsewhere, "may not be probed: list it in exporter.probe.targets") {
		t.Errorf("what is not listed is refused with %q", elsewhere)
	}
	n.isScraped(t, prometheusExe)
	n.keeps(t, officePassword, everythingProbe)
	n.stop(t)
}

// answersAsBlackboxExporter asks /probe and blackbox_exporter, on the same file, the same.
func (n *neighbour) answersAsBlackboxExporter(t *testing.T) {
	t.Helper()
	theirs := blackbox.NewSafeConfig(prometheus.NewRegistry())
	if err := theirs.ReloadConfig(filepath.Join(n.dir, "dropin.blackbox.yml"), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	history := &prober.ResultHistory{MaxResults: 1}
	original := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prober.Handler(w, r, theirs.C, slog.New(slog.DiscardHandler), history, .5, nil, nil,
			&promslog.Config{Writer: io.Discard, Level: promslog.NewLevel(), Format: promslog.NewFormat()})
	}))
	t.Cleanup(original.Close)
	page := url.QueryEscape("http://" + n.shop)
	for _, c := range []struct {
		query  string
		status int
		want   float64 // probe_success
	}{
		{"target=" + page + "/", 200, 1}, // http_2xx
		{"module=http_2xx&target=" + n.shop, 200, 1},
		{"module=shop_page&target=" + page + "/", 200, 1},
		{"module=shop_page&target=" + page + "/moved", 200, 1},
		{"module=shop_page&target=" + page + "/gone", 200, 0},
		{"module=shop_page_moved&target=" + page + "/moved", 200, 1},
		{"module=shop_page_moved&target=" + page + "/", 200, 0},
		{"module=back_office&target=" + page + "/office", 200, 1},
		{"module=tcp_connect&target=" + n.shop, 200, 1},
		{"module=tcp_connect&target=" + n.nobody, 200, 0},
		{"module=http_2xx&target=" + n.nobody, 200, 0},
		{"module=banner&target=" + n.banner, 200, 1},
		{"module=shop_page&hostname=" + n.shop + "&target=" + page + "/", 200, 1},
		{"module=shop_page", 400, 0},
		{"target=", 400, 0},
		{"module=nothing&target=" + page, 400, 0},
	} {
		mine := answers(t, c.status, http.MethodGet, n.private+"/probe?"+c.query, "", "X-Prometheus-Scrape-Timeout-Seconds", "10")
		other := answers(t, c.status, http.MethodGet, original.URL+"/probe?"+c.query, "", "X-Prometheus-Scrape-Timeout-Seconds", "10")
		if c.status != http.StatusOK {
			if mine != other {
				t.Errorf("%s: %q, of blackbox_exporter %q", c.query, mine, other)
			}
			continue
		}
		got, err := samplesOf(mine)
		want, err2 := samplesOf(other)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if got["probe_success"] != c.want || want["probe_success"] != c.want {
			t.Errorf("%s: probe_success is %v, of blackbox_exporter %v, want %v", c.query, got["probe_success"], want["probe_success"], c.want)
		}
		if a, b := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b) {
			t.Errorf("%s: gives\n%s\nblackbox_exporter gives\n%s", c.query, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
}

// isScraped has a Prometheus of Debian's ask /probe by the usual relabelling.
func (n *neighbour) isScraped(t *testing.T, exe string) {
	t.Helper()
	address, dir := servertest.FreeAddress(t), t.TempDir()
	put(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(`
scrape_configs:
  - job_name: blackbox
    scrape_interval: 1s
    scrape_timeout: 1s
    metrics_path: /probe
    params: {module: [shop_page]}
    static_configs: [{targets: ["http://%s/"]}]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "%s"}
`, n.shop, strings.TrimPrefix(n.private, "http://")))
	p := start(t, "Prometheus", exec.Command(exe, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address))
	instance := `{job="blackbox",instance="http://` + n.shop + `/"}`
	eventually(t, "Prometheus scrapes /probe", holds("http://"+address, "probe_success"+instance+" == 1 and probe_http_status_code"+instance+" == 200"), p, n.process)
	n.broken.Store(true)
	eventually(t, "Prometheus sees the page fail", holds("http://"+address, "probe_success"+instance+" == 0 and up"+instance+" == 1"), p, n.process)
}
