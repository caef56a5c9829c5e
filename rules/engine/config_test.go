package engine_test

import (
	"strings"
	"testing"

	"shopwatch/rules/engine"
)

func TestAWrongConfigurationIsRefusedByTheNameOfItsFile(t *testing.T) {
	t.Parallel()
	const prometheus = "global: {scrape_interval: 1s}\n"
	const route = "route: {receiver: ops}\nreceivers: [{name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/'"
	for _, c := range []struct {
		name, file, content string
		want                []string
	}{
		{"yaml", "prometheus.yml", "global: [", []string{"prometheus.yml", "line 1"}},
		{"unknown field", "prometheus.yml", prometheus + "scrapes: []", []string{"prometheus.yml", "scrapes"}},
		{"discovery that isn't compiled in", "prometheus.yml",
			prometheus + "scrape_configs: [{job_name: x, kubernetes_sd_configs: [{role: pod}]}]", []string{"prometheus.yml", "kubernetes_sd_configs"}},
		{"missing rule file", "prometheus.yml", prometheus + "rule_files: [none.yml]", []string{"prometheus.yml", "none.yml", "doesn't exist"}},
		{"certificate of a receiver that isn't there", "prometheus.yml",
			prometheus + "remote_write: [{url: 'http://x/', tls_config: {ca_file: none.pem}}]", []string{"prometheus.yml", "remote_write", "none.pem"}},
		{"a password in a receiver's URL", "prometheus.yml",
			prometheus + "remote_write: [{url: 'http://me:secret@x/'}]", []string{"prometheus.yml", "remote_write", "basic_auth"}},
		{"a receiver twice", "prometheus.yml",
			prometheus + "remote_write: [{url: 'http://x/'}, {url: 'http://x/'}]", []string{"prometheus.yml", "remote_write: the same receiver twice"}},
		{"remote read", "prometheus.yml", prometheus + "remote_read: [{url: 'http://x/'}]", []string{"prometheus.yml", "remote_read isn't supported"}},
		{"expression", "rules.yml", "groups: [{name: g, rules: [{alert: A, expr: 'sum('}]}]", []string{"prometheus.yml", "rules.yml"}},
		{"annotation template", "rules.yml", "groups: [{name: g, rules: [{alert: A, expr: up, annotations: {x: '{{ $nope }}'}}]}]", []string{"rules.yml", "nope"}},
		{"receiver that isn't there", "alertmanager.yml", "route: {receiver: nobody}", []string{"alertmanager.yml", "nobody"}},
		{"certificate that isn't there", "alertmanager.yml", route + ", http_config: {tls_config: {ca_file: none.pem}}}]}]", []string{"alertmanager.yml", "none.pem"}},
		{"template", "alertmanager.yml", "templates: [broken.tmpl]\n" + route + "}]}]", []string{"alertmanager.yml", "templates"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write(t, "broken.tmpl", "{{ define")
			w.write(t, c.file, c.content)
			_, err := engine.New(w.config(t.TempDir()))
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestAllWrongFilesAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(t, "prometheus.yml", "[")
	w.write(t, "alertmanager.yml", "[")
	_, err := engine.New(w.config(t.TempDir()))
	if err == nil || !strings.Contains(err.Error(), "prometheus.yml") || !strings.Contains(err.Error(), "alertmanager.yml") {
		t.Errorf("got %v, want both files named", err)
	}
}

func TestARulePatternWithoutMatchesIsAWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(t, "prometheus.yml", "rule_files: ['none-*.yml']")
	e, err := engine.New(w.config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if log := w.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "none-*.yml") {
		t.Errorf("log: got %q, want a warning naming the pattern", log)
	}
}

func TestAnEngineRefusesToBeBuiltWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		want  string
		spoil func(*engine.Config)
	}{
		{"DataDir is empty", func(c *engine.Config) { c.DataDir = "" }},
		{"PrometheusConfig is empty", func(c *engine.Config) { c.PrometheusConfig = "" }},
		{"AlertmanagerConfig is empty", func(c *engine.Config) { c.AlertmanagerConfig = "" }},
		{"ExternalURL is empty", func(c *engine.Config) { c.ExternalURL = "" }},
		{"ExternalURL", func(c *engine.Config) { c.ExternalURL = "127.0.0.1:9816" }},
		{"Logger is nil", func(c *engine.Config) { c.Logger = nil }},
		{"Retention", func(c *engine.Config) { c.Retention = -1 }},
		{"RetentionSize", func(c *engine.Config) { c.RetentionSize = -1 }},
		{"ResendDelay", func(c *engine.Config) { c.ResendDelay = -1 }},
	} {
		config := w.config(t.TempDir())
		c.spoil(&config)
		if _, err := engine.New(config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}
