package engine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/rules/engine"
)

// folder writes files beside a shopwatch.yml and parses that.
func folder(t *testing.T, shopwatch string, files map[string]string) (*configfile.Document, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, filepath.Join(dir, name), content)
	}
	doc, err := configfile.Parse(filepath.Join(dir, "shopwatch.yml"), []byte(shopwatch), func(name string) (string, bool) {
		return "hidden-by-the-environment", name == "TOKEN"
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc, dir
}

func TestEveryMistakeInTheSectionIsToldWithItsLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, section string
		want          []string
	}{
		{"unknown field", "engine:\n  retentoin: {}\n", []string{":2: engine.retentoin: got an unknown field"}},
		{"retention", "engine:\n  retention:\n    time: 1h\n    size: 4 bananas\n", []string{
			":3: engine.retention.time: got 1h, want 2h to 3650d", `:4: engine.retention.size: got "4 bananas", want at least 64MB`,
		}},
		{"too small", "engine: {retention: {size: 1MB}}\n", []string{":1: engine.retention.size: got 1MB"}},
		{"files that aren't there", "engine:\n  rule_files: [none.yml, 'none-*.yml']\n  scrape_config_files:\n  - none.yml\n", []string{
			":2: engine.rule_files[0]: got", "none.yml (no such file), want a readable file", ":4: engine.scrape_config_files[0]: got",
		}},
		{"rules that aren't", "engine:\n  rule_files:\n  - broken.rules.yml\n", []string{":3: engine.rule_files[0]: got", "broken.rules.yml (", "want a rule file of Prometheus"}},
		{"scrapes that aren't", "engine:\n  scrape_config_files:\n  - broken.scrape.yml\n", []string{":3: engine.scrape_config_files[0]: got", "jobname not found"}},
		{"own files that aren't right", "engine:\n  prometheus_file: broken.scrape.yml\n  alertmanager_file: broken.rules.yml\n", []string{
			":2: engine.prometheus_file: got", "want a configuration file of Prometheus", ":3: engine.alertmanager_file: got", "want a configuration file of Alertmanager",
		}},
		{"both a file of one's own and additions to ours", "engine:\n  prometheus_file: own.yml\n  rule_files: [own.rules.yml]\n  retention: {time: 3d}\n", []string{
			":3: engine.rule_files: got both prometheus_file and rule_files", ":4: engine.retention: got both",
		}},
		{"field of remote write", "engine:\n  remote_write:\n  - url: http://127.0.0.1:1/\n    basic_auth:\n      usr: me\n", []string{
			":5: engine.remote_write: got field usr not found, want remote_write as Prometheus documents it",
		}},
		{"value of remote write", "engine:\n  remote_write:\n  - url: http://127.0.0.1:1/\n    remote_timeout: ${TOKEN}\n", []string{
			":", "engine.remote_write: got not a valid duration string",
		}},
		{"file of remote write", "engine:\n  remote_write:\n  - url: http://127.0.0.1:1/\n    authorization:\n      credentials_file: none\n", []string{
			":5: engine.remote_write[0].authorization.credentials_file: got none (not readable), want a readable file",
		}},
		{"no address", "engine:\n  remote_write: [{name: far}]\n", []string{":2: engine.remote_write: got url for remote_write is empty"}},
		{"password in the address", "engine:\n  remote_write: [{url: 'http://me:hidden-by-the-environment@x/'}]\n", []string{":2: engine.remote_write: got", "basic_auth"}},
		{"mapping instead of a list", "engine:\n  remote_write: {url: 'http://x/'}\n", []string{":2: engine.remote_write: got"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, _ := folder(t, c.section, map[string]string{
				"own.yml": "global: {scrape_interval: 1s}", "own.rules.yml": "groups: []",
				"broken.rules.yml": "groups: [{name: g, rules: [{alert: A, expr: 'sum('}]}]", "broken.scrape.yml": "scrape_configs: [{jobname: x}]",
			})
			_, err := engine.LoadSettings(doc)
			var mistakes configfile.Mistakes
			if !errors.As(err, &mistakes) {
				t.Fatalf("got %v, want mistakes", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got\n%v\nwant %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "hidden-by") {
				t.Errorf("a secret is told: %v", err)
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.Contains(line, "shopwatch.yml:") || strings.Contains(line, "in type") {
					t.Errorf("got the line %q, want file and line and no type of Go's", line)
				}
			}
		})
	}
}

func TestWhatTheSectionAddsIsWhatAPrometheusLoads(t *testing.T) {
	t.Parallel()
	doc, dir := folder(t, `engine:
  retention: {time: 60d, size: 2GB}
  rule_files: [own.rules.yml]
  scrape_config_files: ["nodes/*.yml"]
  remote_write:
  - url: https://far.example/api/v1/push
    authorization: {credentials: "${TOKEN}"}
    write_relabel_configs:
    - {source_labels: [__name__], regex: "(go)_.*", replacement: "${1}", action: drop}
  - url: https://elsewhere.example/write
    basic_auth: {username: me, password_file: secrets/far}
`, map[string]string{
		"own.rules.yml": "groups: [{name: own, rules: [{record: own, expr: vector(1)}]}]", "secrets/far": "x",
		"nodes/one.yml": "scrape_configs: [{job_name: node, static_configs: [{targets: ['127.0.0.1:1']}]}]",
	})
	settings, err := engine.LoadSettings(doc)
	if err != nil {
		t.Fatal(err)
	}
	if settings.Retention != 60*24*time.Hour || settings.RetentionSize != 2<<30 {
		t.Errorf("retention: got %s and %d", settings.Retention, settings.RetentionSize)
	}
	extended, err := settings.Extend([]byte("global: {scrape_interval: 1s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		filepath.Join(dir, "nodes/*.yml"), filepath.Join(dir, "secrets/far"), "hidden-by-the-environment", `replacement: "${1}"`,
	} {
		if !strings.Contains(string(extended), want) {
			t.Errorf("got\n%s\nwant %s in it", extended, want)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", settings, settings, settings, settings); strings.Contains(shown, "hidden") {
		t.Errorf("printed settings tell a secret: %s", shown)
	}
	config := engine.Config{
		DataDir: t.TempDir(), PrometheusConfig: filepath.Join(dir, "prometheus.yml"), AlertmanagerConfig: filepath.Join(dir, "alertmanager.yml"),
		ExternalURL: "http://127.0.0.1:9816", Logger: slog.New(slog.DiscardHandler),
	}
	put(t, config.PrometheusConfig, string(extended))
	put(t, config.AlertmanagerConfig, "route: {receiver: ops}\nreceivers: [{name: ops}]\n")
	if err := engine.Check(config); err != nil {
		t.Error(err)
	}
	put(t, filepath.Join(dir, "nodes", "two.yml"), "scrape_configs: [{job_name: node}]")
	if err := engine.Check(config); err == nil || !strings.Contains(err.Error(), "node") {
		t.Errorf("two jobs of one name: got %v, want an error naming it", err)
	}
	if entries, err := os.ReadDir(config.DataDir); err != nil || len(entries) > 0 {
		t.Errorf("a check has written %v (%v)", entries, err)
	}
}

func TestWithoutTheSectionNothingIsAdded(t *testing.T) {
	t.Parallel()
	doc, _ := folder(t, "exporter: {}\n", nil)
	settings, err := engine.LoadSettings(doc)
	if err != nil {
		t.Fatal(err)
	}
	const ours = "global: {scrape_interval: 1s}\n"
	if extended, err := settings.Extend([]byte(ours)); err != nil || string(extended) != ours {
		t.Errorf("got %q (%v), want it as it was", extended, err)
	}
}
