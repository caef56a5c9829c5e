package rules_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"shopwatch/rules"
)

// What the operator makes of our objects, by its own code of version 0.93: its
// relabelling before ours, and its tree around our routes.

type (
	relabeling struct {
		SourceLabels []string `yaml:"sourceLabels,omitempty"`
		TargetLabel  string   `yaml:"targetLabel,omitempty"`
		Regex        string   `yaml:",omitempty"`
		Replacement  string   `yaml:",omitempty"`
		Action       string   `yaml:",omitempty"`
	}
	serviceMonitor struct {
		objectHead `yaml:",inline"`
		Spec       struct {
			Selector struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
			}
			Endpoints []struct {
				Port, Interval    string
				Relabelings       []relabeling
				MetricRelabelings []relabeling `yaml:"metricRelabelings"`
			}
		}
	}
	scrapeConfig struct {
		objectHead `yaml:",inline"`
		Spec       struct {
			ScrapeInterval    string                       `yaml:"scrapeInterval"`
			StaticConfigs     []struct{ Targets []string } `yaml:"staticConfigs"`
			Relabelings       []relabeling
			MetricRelabelings []relabeling `yaml:"metricRelabelings"`
		}
	}
)

// relabelled passes labels through rules as Prometheus reads them.
func relabelled(t *testing.T, set labels.Labels, all []relabeling) labels.Labels {
	t.Helper()
	b := labels.NewBuilder(set)
	for _, one := range all {
		text := map[string]any{}
		for name, value := range map[string]any{"target_label": one.TargetLabel, "regex": one.Regex, "replacement": one.Replacement, "action": one.Action} {
			if value != "" {
				text[name] = value
			}
		}
		if len(one.SourceLabels) > 0 {
			text["source_labels"] = one.SourceLabels
		}
		content, err := yaml.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var config relabel.Config
		if err := yaml.Unmarshal(content, &config); err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
		if err := config.Validate(model.LegacyValidation); err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
		config.NameValidationScheme = model.LegacyValidation
		if !relabel.ProcessBuilder(b, &config) {
			t.Fatalf("%s drops %s", content, set)
		}
	}
	return b.Labels()
}

// scraped is a sample of ours as Prometheus stores it without honor_labels.
func scraped(sample, target labels.Labels) labels.Labels {
	b := labels.NewBuilder(sample)
	target.Range(func(l labels.Label) {
		if has := sample.Get(l.Name); has != "" {
			b.Set("exported_"+l.Name, has)
		}
		b.Set(l.Name, l.Value)
	})
	return b.Labels()
}

// looked is a series of the exporter's, as it answers.
var looked = labels.FromStrings("__name__", "probe_success", "shop", "main", "service", "storefront", "target", "https://cards.example")

func TestMetricsInAClusterAreCalledAsOutsideOfOne(t *testing.T) {
	t.Parallel()
	component := func(name string) map[string]string { return map[string]string{"app.kubernetes.io/component": name} }
	content := must(rules.ServiceMonitor(rules.ServiceMonitorOptions{
		Object: object, Job: "cards", Port: "private", Exporter: component("exporter"), Notifier: component("notifier"),
	}))
	monitors := decoded(t, content, "monitoring.coreos.com/v1", "ServiceMonitor", func(m serviceMonitor) objectHead { return m.objectHead })
	if len(monitors) != 2 {
		t.Fatalf("got %d monitors, want two", len(monitors))
	}
	for i, want := range []struct{ name, component, job string }{{"cards", "exporter", "cards"}, {"cards-notifier", "notifier", "cards-notifier"}} {
		m := monitors[i]
		if m.Metadata.Name != want.name || !reflect.DeepEqual(m.Spec.Selector.MatchLabels, component(want.component)) || len(m.Spec.Endpoints) != 1 {
			t.Fatalf("got %+v, want %s of component %s with one endpoint", m, want.name, want.component)
		}
		endpoint := m.Spec.Endpoints[0]
		if endpoint.Port != "private" || endpoint.Interval != "15s" {
			t.Errorf("%s: port %q each %s", want.name, endpoint.Port, endpoint.Interval)
		}
		// The labels that the operator gives each target before it comes to our relabelling.
		target := labels.FromStrings("job", "shopwatch-svc", "instance", "10.0.0.7:9816", "namespace", "watching",
			"service", "shopwatch-svc", "pod", "shopwatch-0", "container", "shopwatch", "endpoint", "private")
		target = relabelled(t, target, endpoint.Relabelings)
		if up := labels.FromStrings("job", want.job, "instance", "10.0.0.7:9816", "namespace", "watching"); !labels.Equal(target, up) {
			t.Errorf("%s: the target is %s, want %s", want.name, target, up)
		}
		got := relabelled(t, scraped(looked, target), endpoint.MetricRelabelings)
		stored := labels.FromStrings("__name__", "probe_success", "shop", "main", "service", "storefront", "job", want.job,
			"instance", "https://cards.example", "exporter", "10.0.0.7:9816", "namespace", "watching")
		if !labels.Equal(got, stored) {
			t.Errorf("%s: stored as %s, want %s", want.name, got, stored)
		}
	}
}

func TestMetricsFromOutsideOfTheClusterAreCalledTheSame(t *testing.T) {
	t.Parallel()
	content := must(rules.ScrapeConfig(rules.PrometheusOptions{
		Escalation: rules.DemoEscalation(), Job: "cards", Exporter: "shop.example:9816", Notifier: "shop.example:9817",
	}, object))
	scrapes := decoded(t, content, "monitoring.coreos.com/v1alpha1", "ScrapeConfig", func(s scrapeConfig) objectHead { return s.objectHead })
	if len(scrapes) != 2 {
		t.Fatalf("got %d scrapes, want two", len(scrapes))
	}
	for i, want := range []struct{ name, job, address string }{
		{"cards", "cards", "shop.example:9816"}, {"cards-notifier", "cards-notifier", "shop.example:9817"},
	} {
		spec := scrapes[i].Spec
		if scrapes[i].Metadata.Name != want.name || spec.ScrapeInterval != "750ms" ||
			len(spec.StaticConfigs) != 1 || !slices.Equal(spec.StaticConfigs[0].Targets, []string{want.address}) {
			t.Errorf("got %+v, want %s of %s", scrapes[i], want.name, want.address)
		}
		target := relabelled(t, labels.FromStrings("job", "scrapeConfig/watching/cards", "instance", want.address), spec.Relabelings)
		got := relabelled(t, scraped(looked, target), spec.MetricRelabelings)
		stored := labels.FromStrings("__name__", "probe_success", "shop", "main", "service", "storefront", "job", want.job,
			"instance", "https://cards.example", "exporter", want.address)
		if !labels.Equal(got, stored) {
			t.Errorf("%s: stored as %s, want %s", want.name, got, stored)
		}
	}
}

type (
	secretKeyRef  struct{ Name, Key string }
	operatorRoute struct {
		Receiver       string
		GroupBy        []string `yaml:"groupBy"`
		GroupWait      string   `yaml:"groupWait"`
		GroupInterval  string   `yaml:"groupInterval"`
		RepeatInterval string   `yaml:"repeatInterval"`
		Matchers       []struct {
			Name, Value string
			MatchType   string `yaml:"matchType"`
		}
		Continue            bool
		ActiveTimeIntervals []string `yaml:"activeTimeIntervals"`
		Routes              []operatorRoute
	}
	alertmanagerConfig struct {
		objectHead `yaml:",inline"`
		Spec       struct {
			Route     operatorRoute
			Receivers []struct {
				Name           string
				WebhookConfigs []struct {
					URL          string
					SendResolved bool `yaml:"sendResolved"`
					HTTPConfig   struct {
						Authorization struct {
							Type        string
							Credentials secretKeyRef
						}
					} `yaml:"httpConfig"`
				} `yaml:"webhookConfigs"`
			}
			MuteTimeIntervals []struct {
				Name          string
				TimeIntervals []struct {
					Times []struct {
						StartTime string `yaml:"startTime"`
						EndTime   string `yaml:"endTime"`
					}
				} `yaml:"timeIntervals"`
			} `yaml:"muteTimeIntervals"`
		}
	}
)

// inCluster is the AlertmanagerConfig of the tests.
var inCluster = rules.AlertmanagerConfigOptions{Object: object, WebhookURL: "http://notifier.watching.svc:9817", Secret: "hook", SecretKey: "secret"}

// operated is the alertmanager.yml that the operator makes of an object and of
// the file of the Alertmanager's owner: names get the object's in front, the
// object's route comes first and always lets alerts go on.
func operated(t *testing.T, content []byte, strangers []byte) []byte {
	t.Helper()
	printed := decoded(t, content, "monitoring.coreos.com/v1alpha1", "AlertmanagerConfig", func(c alertmanagerConfig) objectHead { return c.objectHead })
	if len(printed) != 1 {
		t.Fatalf("got %d objects, want one", len(printed))
	}
	spec, first := printed[0].Spec, map[string]any{}
	route := spec.Route.made()
	route["continue"] = true
	first["route"] = map[string]any{"routes": []any{route}}
	var receivers, intervals []any
	for _, r := range spec.Receivers {
		if len(r.WebhookConfigs) != 1 {
			t.Fatalf("receiver %s has %d webhooks, want one", r.Name, len(r.WebhookConfigs))
		}
		hook := r.WebhookConfigs[0]
		auth := hook.HTTPConfig.Authorization
		if (auth.Credentials != secretKeyRef{"hook", "secret"}) {
			t.Errorf("receiver %s: token of %+v", r.Name, auth.Credentials)
		}
		receivers = append(receivers, map[string]any{"name": prefixed + r.Name, "webhook_configs": []any{map[string]any{
			"url": hook.URL, "send_resolved": hook.SendResolved,
			"http_config": map[string]any{"authorization": map[string]any{"type": auth.Type, "credentials": "token"}},
		}}})
	}
	for _, m := range spec.MuteTimeIntervals {
		times := m.TimeIntervals[0].Times[0]
		intervals = append(intervals, map[string]any{"name": prefixed + m.Name, "time_intervals": []any{
			map[string]any{"times": []any{map[string]any{"start_time": times.StartTime, "end_time": times.EndTime}}},
		}})
	}
	first["receivers"], first["time_intervals"] = receivers, intervals
	out, err := yaml.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	return merged(t, out, strangers)
}

const prefixed = "watching/cards/"

func (r operatorRoute) made() map[string]any {
	out := map[string]any{"receiver": prefixed + r.Receiver, "continue": r.Continue}
	for name, value := range map[string]string{"group_wait": r.GroupWait, "group_interval": r.GroupInterval, "repeat_interval": r.RepeatInterval} {
		if value != "" {
			out[name] = value
		}
	}
	if len(r.GroupBy) > 0 {
		out["group_by"] = r.GroupBy
	}
	var matchers, active []string
	for _, m := range r.Matchers {
		matchers = append(matchers, m.Name+m.MatchType+`"`+m.Value+`"`)
	}
	for _, name := range r.ActiveTimeIntervals {
		active = append(active, prefixed+name)
	}
	out["matchers"], out["active_time_intervals"] = matchers, active
	var below []any
	for _, child := range r.Routes {
		below = append(below, child.made())
	}
	out["routes"] = below
	return out
}

func TestAlertmanagerConfigRoutesAsTheWholeFileDoes(t *testing.T) {
	t.Parallel()
	content := must(rules.AlertmanagerConfig(inCluster))
	for _, need := range []string{"alertmanagerConfigMatcherStrategy: {type: None}", `incident=""`, `kubectl create secret generic hook --from-literal=secret="$(cat `} {
		if !strings.Contains(string(content), need) {
			t.Errorf("its head doesn't say %s", need)
		}
	}
	// The owner has done as the head says, and nothing but his catch-all has ours too.
	careful := strings.ReplaceAll(string(stranger(t)), `matchers: [`, `matchers: [incident="", `)
	for name, content := range map[string][]byte{
		"as printed":          content,
		"with business hours": []byte(strings.ReplaceAll(string(content), "#: ", "")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := must(rules.Alertmanager(routing))
			if name == "with business hours" {
				whole = []byte(strings.ReplaceAll(string(whole), "#: ", ""))
			}
			_, own := routes(t, whole)
			_, before := routes(t, stranger(t))
			made := operated(t, content, []byte(careful))
			both, after := routes(t, made)
			for name, labels := range fired(t) {
				want, got := own.Match(labels), after.Match(labels)
				if len(got) != len(want) {
					t.Errorf("%s: reaches %v", name, receivers(after, labels))
					continue
				}
				for i := range want {
					opts, ours := got[i].RouteOpts, want[i].RouteOpts
					opts.Receiver, _ = strings.CutPrefix(opts.Receiver, prefixed)
					if len(opts.ActiveTimeIntervals) == 1 {
						opts.ActiveTimeIntervals = []string{strings.TrimPrefix(opts.ActiveTimeIntervals[0], prefixed)}
					}
					if len(opts.ActiveTimeIntervals) == 0 {
						opts.ActiveTimeIntervals = ours.ActiveTimeIntervals[:0:0]
					}
					if !reflect.DeepEqual(opts, ours) {
						t.Errorf("%s: told by %+v, alone by %+v", name, got[i].RouteOpts, ours)
					}
				}
			}
			for name, labels := range his {
				if labels["incident"] != "" {
					continue // his own incidents have the label that he now leaves to us
				}
				if got, want := receivers(after, labels), receivers(before, labels); !slices.Equal(got, want) {
					t.Errorf("%s: reaches %v, before %v", name, got, want)
				}
			}
			posts := map[string]string{}
			for _, r := range both.Receivers {
				if ours, ok := strings.CutPrefix(r.Name, prefixed); ok {
					posts[ours] = string(r.WebhookConfigs[0].URL)
					if !r.WebhookConfigs[0].SendResolved() {
						t.Errorf("%s isn't told when it is over", r.Name)
					}
				}
			}
			want := map[string]string{"digest": "ops"}
			for _, audience := range rules.Audiences {
				want[string(audience)] = string(audience)
			}
			for name, audience := range want {
				if url := "http://notifier.watching.svc:9817/webhook?audience=" + audience; posts[name] != url {
					t.Errorf("%s posts to %s, want %s", name, posts[name], url)
				}
			}
			path := filepath.Join(t.TempDir(), "alertmanager.yml")
			if err := os.WriteFile(path, made, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, tool := range amtools(t) {
				run(t, tool, "check-config", path)
			}
		})
	}
}

func TestAlertmanagerConfigWouldBeDeafWithTheOperatorsDefault(t *testing.T) {
	t.Parallel()
	// The reason for what its head says: the default adds namespace="watching".
	printed := decoded(t, must(rules.AlertmanagerConfig(inCluster)), "monitoring.coreos.com/v1alpha1", "AlertmanagerConfig",
		func(c alertmanagerConfig) objectHead { return c.objectHead })
	if printed[0].Metadata.Namespace != object.Namespace {
		t.Fatalf("in namespace %q", printed[0].Metadata.Namespace)
	}
	for name, labels := range fired(t) {
		if labels["namespace"] != "" {
			t.Errorf("%s has a namespace: the head of the AlertmanagerConfig says that none has", name)
		}
	}
}
