package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shopwatch/rules"
)

func TestRulesAreWrittenOneFileASubjectAsCommitted(t *testing.T) {
	t.Parallel()
	committed, err := filepath.Glob("rules/files/*.yml")
	if err != nil || len(committed) == 0 {
		t.Fatalf("no committed rules: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "made", "by", "the", "command")
	names := strings.Fields(printed(t, shopwatch(t, "rules", "--out="+dir)))
	if len(names) != len(committed) {
		t.Errorf("named %v, want %d files", names, len(committed))
	}
	for i, path := range committed {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Base(path))
		if i < len(names) && names[i] != to {
			t.Errorf("named %s, want %s", names[i], to)
		}
		if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from the committed file: %v", to, err)
		}
	}

	objects := filepath.Join(dir, "objects")
	printed(t, shopwatch(t, "rules", "--out="+objects, "--format=prometheusrule", "--metadata.name=cards"))
	for _, path := range committed {
		name := filepath.Base(path)
		got, err := os.ReadFile(filepath.Join(objects, name))
		if want := "kind: PrometheusRule\nmetadata:\n  name: \"cards-" + strings.TrimSuffix(name, ".yml") + "\"\n"; err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %v; want %q in\n%s", name, err, want, got)
		}
	}
}

func TestEachFormIsPrintedAsItsOptionsSay(t *testing.T) {
	t.Parallel()
	named := rules.Object{Name: "cards", Namespace: "watching", Labels: map[string]string{"release": "stack"}}
	metadata := []string{"--metadata.name=cards", "--metadata.namespace=watching", "--metadata.label=release=stack"}
	scrape := rules.PrometheusOptions{Job: "eu", Exporter: "a.example:1", Notifier: "b.example:2"}
	hook := rules.AlertmanagerOptions{WebhookURL: "http://n.example:3", TokenFile: "hook.token"}
	component := func(name string) map[string]string {
		return map[string]string{"app.kubernetes.io/name": "shopwatch", "app.kubernetes.io/component": name}
	}
	for name, tt := range map[string]struct {
		args []string
		want func() ([]byte, error)
	}{
		"rules as one file": {[]string{"rules", "--job=eu"}, func() ([]byte, error) {
			return rules.RenderFile(rules.Options{Job: "eu"})
		}},
		"rules as an object": {append([]string{"rules", "--job=eu", "--format=prometheusrule"}, metadata...), func() ([]byte, error) {
			return rules.PrometheusRule(rules.Options{Job: "eu"}, named)
		}},
		"scrape jobs alone": {[]string{"prometheus", "--fragment", "--job=eu", "--exporter=a.example:1", "--notifier=b.example:2"}, func() ([]byte, error) {
			return rules.PrometheusFragment(scrape)
		}},
		"scrapes of outside as objects": {
			append([]string{"prometheus", "--format=scrapeconfig", "--job=eu", "--exporter=a.example:1", "--notifier=b.example:2"}, metadata...),
			func() ([]byte, error) { return rules.ScrapeConfig(scrape, named) },
		},
		"scrapes of inside as objects": {append([]string{"prometheus", "--format=servicemonitor"}, metadata...), func() ([]byte, error) {
			return rules.ServiceMonitor(rules.ServiceMonitorOptions{
				Object: named, Port: "http", Exporter: component("exporter"), Notifier: component("notifier"),
			})
		}},
		"the exporter's alone, of other labels": {
			append([]string{"prometheus", "--format=servicemonitor", "--exporter.label=app=x", "--service.port=web", "--notifier="}, metadata...),
			func() ([]byte, error) {
				return rules.ServiceMonitor(rules.ServiceMonitorOptions{Object: named, Port: "web", Exporter: map[string]string{"app": "x"}})
			},
		},
		"one route": {
			[]string{"alertmanager", "--fragment", "--webhook.url=http://n.example:3", "--webhook.token-file=hook.token"},
			func() ([]byte, error) { return rules.AlertmanagerFragment(hook) },
		},
		"the routes as an object": {
			append([]string{
				"alertmanager", "--format=alertmanagerconfig", "--webhook.url=http://n.example:3",
				"--webhook.token-secret=hook", "--webhook.token-key=secret",
			}, metadata...),
			func() ([]byte, error) {
				return rules.AlertmanagerConfig(rules.AlertmanagerConfigOptions{
					Object: named, WebhookURL: "http://n.example:3", Secret: "hook", SecretKey: "secret",
				})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := tt.want()
			if err != nil {
				t.Fatal(err)
			}
			if got := printed(t, shopwatch(t, tt.args...)); got != string(want) {
				t.Errorf("printed\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestFilesTakeTheTiersThatNoFlagGivesFromTheConfigurationFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shopwatch.yml")
	// Mistakes elsewhere, such as a secret that this machine hasn't, are no matter here.
	if err := os.WriteFile(file, []byte("escalation: {ops: 10m, management: 1h}\nexporter:\n  shops: ${NOT_HERE}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"rules", "prometheus", "alertmanager"} {
		want := printed(t, shopwatch(t, command, "--tier.ops=10m", "--tier.management=1h"))
		if got := printed(t, shopwatch(t, command, "--config.file="+file)); got != want {
			t.Errorf("%s: the file's tiers gave\n%s\nwant\n%s", command, got, want)
		}
		want = printed(t, shopwatch(t, command, "--tier.ops=7m", "--tier.management=1h", "--tier.pace=0.5"))
		if got := printed(t, shopwatch(t, command, "--config.file="+file, "--tier.ops=7m", "--tier.pace=0.5")); got != want {
			t.Errorf("%s: a flag beside the file gave\n%s\nwant\n%s", command, got, want)
		}
	}
}

func TestFormsThatWouldNotWorkAreRefusedInOneLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a fragment of an object":        {[]string{"alertmanager", "--fragment", "--format=alertmanagerconfig"}, "--fragment goes with --format=plain only"},
		"a scrape's fragment of one":     {[]string{"prometheus", "--fragment", "--format=servicemonitor"}, "--fragment goes with --format=plain only"},
		"rules as another kind":          {[]string{"rules", "--format=servicemonitor"}, "enum value must be one of plain,prometheusrule"},
		"a webhook on a pod's own":       {[]string{"alertmanager", "--format=alertmanagerconfig"}, `webhook url "127.0.0.1:9817": want an address that is reached from inside the cluster`},
		"no such configuration file":     {[]string{"rules", "--config.file=no.yml"}, "config file: open no.yml: no such file"},
		"a folder below a file":          {[]string{"rules", "--out=go.mod/rules"}, "--out: mkdir go.mod: not a directory"},
		"a label that Kubernetes has no": {[]string{"rules", "--format=prometheusrule", "--metadata.label=a b=c"}, `label "a b=c": want NAME=VALUE`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := finished(t, shopwatch(t, tt.args...))
			if code != 1 || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, printed %q, said %q; want 1, nothing, and one line with %q", code, stdout, stderr, tt.want)
			}
		})
	}
}
