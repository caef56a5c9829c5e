package rules_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"go.yaml.in/yaml/v3"

	"shopwatch/rules"
)

func TestPrometheusFragmentIsTheScrapeConfigsAlone(t *testing.T) {
	t.Parallel()
	o := rules.PrometheusOptions{Job: "cards", Exporter: "a:1", Notifier: "b:2", RuleFiles: []string{"rules.yml"}, Alertmanagers: []string{"http://c:3"}}
	var whole, fragment map[string]any
	content := must(rules.PrometheusFragment(o))
	for content, into := range map[string]*map[string]any{
		string(must(rules.Prometheus(o))): &whole, string(content): &fragment,
	} {
		if err := yaml.Unmarshal([]byte(content), into); err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
	}
	// The whole file says how often in its global section, which the fragment leaves to its owner.
	jobs, _ := whole["scrape_configs"].([]any)
	for _, job := range jobs {
		job.(map[string]any)["scrape_interval"] = whole["global"].(map[string]any)["scrape_interval"]
	}
	if len(fragment) != 1 || len(jobs) != 2 || !reflect.DeepEqual(fragment["scrape_configs"], whole["scrape_configs"]) {
		t.Errorf("got %v, want the scrape_configs of %v", fragment, whole)
	}

	tool, dir := promtool(t), t.TempDir()
	for name, content := range map[string][]byte{
		"shopwatch.yml":  content,
		"prometheus.yml": []byte("scrape_configs: [{job_name: his}]\nscrape_config_files: [shopwatch.yml]\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, tool, "check", "config", filepath.Join(dir, "prometheus.yml"))
}
