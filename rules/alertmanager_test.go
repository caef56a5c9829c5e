package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"

	"shopwatch/rules"
)

var routing = rules.AlertmanagerOptions{
	WebhookURL: "http://127.0.0.1:9817", TokenFile: "/etc/shopwatch/webhook.token",
}

func load(t *testing.T, o rules.AlertmanagerOptions) (*config.Config, *dispatch.Route) {
	t.Helper()
	content, err := rules.Alertmanager(o)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(string(content))
	if err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	return loaded, dispatch.NewRoute(loaded.Route, nil)
}

func receivers(route *dispatch.Route, labels model.LabelSet) []string {
	var names []string
	for _, matched := range route.Match(labels) {
		names = append(names, matched.RouteOpts.Receiver)
	}
	slices.Sort(names)
	return names
}

func TestAlertmanagerFileIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	content, err := rules.Alertmanager(routing)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/alertmanager.yml", content)
}

func TestWhoIsToldOfEachAlert(t *testing.T) {
	t.Parallel()
	_, route := load(t, routing)
	var told strings.Builder
	for _, alert := range alertsOf(parseAll(t, rules.DefaultEscalation())) {
		labels := model.LabelSet{model.AlertNameLabel: model.LabelValue(alert.Alert)}
		for name, value := range alert.Labels {
			labels[model.LabelName(name)] = model.LabelValue(value)
		}
		fmt.Fprintf(&told, "%s: %s\n", alert.Alert, strings.Join(receivers(route, labels), ", "))
	}
	golden(t, "testdata/routing.txt", []byte(told.String()))
}

func TestAlertsOfStrangersReachOperations(t *testing.T) {
	t.Parallel()
	_, route := load(t, routing)
	for name, tt := range map[string]struct {
		labels model.LabelSet
		want   []string
	}{
		"without any of our labels":    {model.LabelSet{"alertname": "DiskFull"}, []string{"ops"}},
		"of a tier that we don't know": {model.LabelSet{"tier": "night"}, []string{"ops"}},
		"public and without a tier":    {model.LabelSet{"public": "true"}, []string{"ops", "subscribers"}},
		"public in other words":        {model.LabelSet{"public": "yes", "tier": "ops"}, []string{"ops"}},
		"public, of the deadman":       {model.LabelSet{"public": "true", "tier": "deadman"}, []string{"deadman"}},
	} {
		if got := receivers(route, tt.labels); !slices.Equal(got, tt.want) {
			t.Errorf("%s: reaches %v, want %v", name, got, tt.want)
		}
	}
}

func TestRoutesGroupByIncidentAndTierWithoutWaiting(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		escalation                           rules.Escalation
		interval, repeat, deadman, heartbeat time.Duration
	}{
		"in production": {rules.Escalation{}, 10 * time.Second, 4 * time.Hour, 30 * time.Second, 20 * time.Second},
		"in the demo":   {rules.DemoEscalation(), 500 * time.Millisecond, 12 * time.Minute, 1500 * time.Millisecond, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := routing
			o.Escalation = tt.escalation
			_, route := load(t, o)
			visited := map[string]bool{}
			route.Walk(func(r *dispatch.Route) {
				opts := r.RouteOpts
				visited[opts.Receiver] = true
				interval, repeat := tt.interval, tt.repeat
				switch opts.Receiver {
				case string(rules.Deadman):
					interval, repeat = tt.deadman, tt.heartbeat
				case rules.ReceiverDigest: // has a test of its own
					return
				}
				if opts.GroupWait != 0 || opts.GroupInterval != interval || opts.RepeatInterval != repeat {
					t.Errorf("%s: waits %v, interval %v, repeats %v; want 0s, %v, %v",
						opts.Receiver, opts.GroupWait, opts.GroupInterval, opts.RepeatInterval, interval, repeat)
				}
				_, incident := opts.GroupBy[rules.LabelIncident]
				_, tier := opts.GroupBy[rules.LabelTier]
				if !incident || !tier || len(opts.GroupBy) != 2 {
					t.Errorf("%s: groups by %v", opts.Receiver, opts.GroupBy)
				}
			})
			for _, audience := range rules.Audiences {
				if !visited[string(audience)] {
					t.Errorf("no route leads to %s", audience)
				}
			}
		})
	}
}

func TestEveryReceiverPostsToTheWebhookWithTheToken(t *testing.T) {
	t.Parallel()
	o := routing
	o.WebhookURL = "https://[2001:db8::1]:9817/shopwatch/"
	loaded, _ := load(t, o)
	// The digest is for the console of operations.
	want := map[string]string{rules.ReceiverDigest: string(rules.Ops)}
	for _, audience := range rules.Audiences {
		want[string(audience)] = string(audience)
	}
	if len(loaded.Receivers) != len(want) {
		t.Fatalf("got %d receivers, want %d", len(loaded.Receivers), len(want))
	}
	for _, receiver := range loaded.Receivers {
		if want[receiver.Name] == "" || len(receiver.WebhookConfigs) != 1 {
			t.Fatalf("receiver %q has %d webhooks, want one of %v with one", receiver.Name, len(receiver.WebhookConfigs), want)
		}
		webhook := receiver.WebhookConfigs[0]
		want := "https://[2001:db8::1]:9817/shopwatch/webhook?audience=" + want[receiver.Name]
		if got := string(webhook.URL); got != want {
			t.Errorf("posts to %s, want %s", got, want)
		}
		if !webhook.SendResolved() || webhook.MaxAlerts != 0 {
			t.Errorf("%s: sends resolved %v, at most %d alerts", receiver.Name, webhook.SendResolved(), webhook.MaxAlerts)
		}
		auth := webhook.HTTPConfig.Authorization
		if auth == nil || auth.Type != "Bearer" || auth.CredentialsFile != routing.TokenFile || auth.Credentials != "" {
			t.Errorf("%s: authorizes with %+v", receiver.Name, auth)
		}
	}
}

func TestAlertmanagerOptionsThatWouldNotLoadAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*rules.AlertmanagerOptions)
		want   string
	}{
		"no webhook":               {func(o *rules.AlertmanagerOptions) { o.WebhookURL = "" }, "webhook url"},
		"a webhook with a query":   {func(o *rules.AlertmanagerOptions) { o.WebhookURL += "/?a=b" }, "webhook url: want no query"},
		"a webhook with a token":   {func(o *rules.AlertmanagerOptions) { o.WebhookURL = "http://u:p@a" }, "want no user or password"},
		"no token file":            {func(o *rules.AlertmanagerOptions) { o.TokenFile = "" }, "token file: want a path"},
		"a token file of two rows": {func(o *rules.AlertmanagerOptions) { o.TokenFile = "a\nb" }, "control characters"},
		"a bad escalation":         {func(o *rules.AlertmanagerOptions) { o.Escalation.Pace = 1 }, "escalation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := routing
			tt.change(&o)
			if _, err := rules.Alertmanager(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestInformationIsCollectedAndNobodyElseLosesByIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		escalation             rules.Escalation
		wait, interval, repeat time.Duration
	}{
		"in production": {rules.Escalation{}, 30 * time.Minute, 6 * time.Hour, 24 * time.Hour},
		"in the demo":   {rules.DemoEscalation(), 90 * time.Second, 18 * time.Minute, 72 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := routing
			o.Escalation = tt.escalation
			_, route := load(t, o)
			for name, tt := range map[string]struct {
				labels model.LabelSet
				want   []string
			}{
				"of operations":    {model.LabelSet{"severity": "info", "tier": "ops"}, []string{"digest"}},
				"that buyers feel": {model.LabelSet{"severity": "info", "tier": "ops", "public": "true"}, []string{"digest", "subscribers"}},
				"of management":    {model.LabelSet{"severity": "info", "tier": "management"}, []string{"digest", "management"}},
				"of the deadman":   {model.LabelSet{"severity": "info", "tier": "deadman"}, []string{"deadman"}},
			} {
				if got := receivers(route, tt.labels); !slices.Equal(got, tt.want) {
					t.Errorf("information %s reaches %v, want %v", name, got, tt.want)
				}
			}
			opts := route.Match(model.LabelSet{"severity": "info"})[0].RouteOpts
			if opts.GroupWait != tt.wait || opts.GroupInterval != tt.interval || opts.RepeatInterval != tt.repeat {
				t.Errorf("waits %v, interval %v, repeats %v; want %v, %v, %v",
					opts.GroupWait, opts.GroupInterval, opts.RepeatInterval, tt.wait, tt.interval, tt.repeat)
			}
			if _, tier := opts.GroupBy[rules.LabelTier]; !tier || len(opts.GroupBy) != 1 {
				t.Errorf("groups by %v, want one group a tier", opts.GroupBy)
			}
		})
	}
}

func TestInformationIsNeitherForManagementNorForBuyers(t *testing.T) {
	t.Parallel()
	for _, alert := range alertsOf(parseAll(t, rules.DefaultEscalation())) {
		if alert.Labels[rules.LabelSeverity] != string(rules.SeverityInfo) {
			continue
		}
		if alert.Labels[rules.LabelTier] != string(rules.Ops) || alert.Labels[rules.LabelPublic] != "" {
			t.Errorf("%s: informs tier %q, public %q", alert.Alert, alert.Labels[rules.LabelTier], alert.Labels[rules.LabelPublic])
		}
	}
}
