package config_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
	"shopwatch/notifier/config"
	"shopwatch/rules"
)

var update = flag.Bool("update", false, "write the .want files of testdata")

// secrets stand in the files of these tests, and in no message: passwords and
// what belongs to people.
var secrets = []string{
	"hunter2", "13912345678", "139 1234", "ops@shop.example", "boss@shop.example",
	"private", "Private", "my boss", "1009876500000",
}

// environment is what the files of testdata find.
func environment(name string) (string, bool) {
	value, set := map[string]string{
		"TELEGRAM_TOKEN":    "123456:hunter2",
		"ACCESS_KEY_SECRET": "hunter2",
	}[name]
	return value, set
}

// read reads a file of testdata.
func read(t *testing.T, path string, env configfile.Lookup) *configfile.Document {
	t.Helper()
	doc, err := configfile.Read(path, env)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryMistakeIsReportedWithItsLine(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/invalid-*.yml")
	if err != nil || len(files) < 50 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			load := config.Load
			if strings.HasPrefix(name, "invalid-standalone-") {
				load = config.LoadStandalone
			}
			got, err := load(read(t, file, environment))
			if err == nil {
				t.Fatalf("got no error, but %v", got)
			}
			if !reflect.DeepEqual(got, config.Config{}) {
				t.Errorf("got %v besides the error", got)
			}
			message := strings.ReplaceAll(err.Error(), "testdata/", "") + "\n"
			for _, secret := range secrets {
				if strings.Contains(message, secret) {
					t.Errorf("%s is in %q", secret, message)
				}
			}
			golden := strings.TrimSuffix(file, ".yml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(message), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if message != string(want) {
				t.Errorf("got\n%swant\n%s", message, want)
			}
		})
	}
}

func TestAnAbsentSectionIsEnoughBesideThePrometheusOfThisProcess(t *testing.T) {
	t.Parallel()
	got, err := config.Load(read(t, "testdata/minimal.yml", nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Prometheus != nil || got.Webhook.Token.IsSet() || got.Telegram != nil || got.Email != nil || got.SMS != nil || len(got.Audiences) != 0 {
		t.Errorf("got %+v", got)
	}
	if want := (rules.Text{ZH: "服务状态", EN: "Service status"}); got.Page.Title != want || got.Page.URL != "" || got.Page.Zone.String() != "Asia/Shanghai" {
		t.Errorf("got page %+v", got.Page)
	}
	if p := got.Publish.Of("main/alipay"); got.Reopen != 10*time.Minute || p.Held || p.After != 0 {
		t.Errorf("incidents open again within %v, and become public so: %+v", got.Reopen, p)
	}
	if got.HoldAcknowledged || got.Heartbeat != nil {
		t.Errorf("got hold %v, heartbeat %+v; want neither by default", got.HoldAcknowledged, got.Heartbeat)
	}
	if got.Escalation != rules.DefaultEscalation() {
		t.Errorf("got escalation %+v", got.Escalation)
	}
}

func TestAFullFileSaysEverything(t *testing.T) {
	t.Parallel()
	got, err := config.LoadStandalone(read(t, "testdata/full.yml", environment))
	if err != nil {
		t.Fatal(err)
	}
	type secret struct{ name, got, want string }
	for _, secret := range []secret{
		{"prometheus", got.Prometheus.Password.Reveal(), "hunter2"},
		{"bearer", got.Prometheus.BearerToken.Reveal(), ""},
		{"alertmanager", got.Alertmanagers[1].BearerToken.Reveal(), "hunter2"},
		{"webhook", got.Webhook.Token.Reveal(), "hunter2"},
		{"store", got.Store.Postgres.Reveal(), "postgres://shopwatch:hunter2@db.example.com/shopwatch?sslmode=verify-full"},
		{"telegram", got.Telegram.Token.Reveal(), "123456:hunter2"},
		{"telegram proxy", got.Telegram.Proxy.Reveal(), "socks5://shop:hunter2@127.0.0.1:1080"},
		{"email", got.Email.Password.Reveal(), "hunter2"},
		{"heartbeat", got.Heartbeat.URL.Reveal(), "https://hc-ping.com/hunter2"},
		{"sms", got.SMS.Aliyun.AccessKeySecret.Reveal(), "hunter2"},
		{"tencent", got.SMS.Tencent.SecretKey.Reveal(), "hunter2"},
		{"twilio", got.SMS.Twilio.KeySecret.Reveal(), "hunter2"},
		{"gateway", got.SMS.Gateway.Secret.Reveal(), "hunter2"},
		{"gateway's address", got.SMS.Gateway.URL.Reveal(), "https://hc-ping.com/hunter2"},
		{"robot's address", got.Webhooks[0].URL.Reveal(), "https://hc-ping.com/hunter2"},
		{"robot", got.Webhooks[0].Secret.Reveal(), "hunter2"},
	} {
		if secret.got != secret.want {
			t.Errorf("secret of %s: got %q, want %q", secret.name, secret.got, secret.want)
		}
	}
	// Secrets hold functions, which nothing compares.
	if got.Webhook.Password.Reveal() != "hunter2" {
		t.Error("the webhook's password is another")
	}
	got.Webhook.Password = configfile.Secret{}
	got.Prometheus.Password, got.Webhook.Token, got.Telegram.Token = configfile.Secret{}, configfile.Secret{}, configfile.Secret{}
	got.Telegram.Proxy = configfile.Secret{}
	for i := range got.Alertmanagers {
		got.Alertmanagers[i].Password, got.Alertmanagers[i].BearerToken = configfile.Secret{}, configfile.Secret{}
	}
	got.Store.Postgres = configfile.Secret{}
	got.Heartbeat.URL = configfile.Secret{}
	got.Email.Password, got.SMS.Aliyun.AccessKeySecret = configfile.Secret{}, configfile.Secret{}
	got.SMS.Tencent.SecretKey, got.SMS.Twilio.KeySecret = configfile.Secret{}, configfile.Secret{}
	got.SMS.Gateway.URL, got.SMS.Gateway.Secret = configfile.Secret{}, configfile.Secret{}
	for i := range got.Webhooks {
		got.Webhooks[i].URL, got.Webhooks[i].Secret = configfile.Secret{}, configfile.Secret{}
	}
	want := config.Config{
		Prometheus: &config.ServerConfig{
			URL: "https://prometheus.example.com/prom", Username: "shopwatch", Tenant: "shop", CAFile: "testdata/ca.pem",
		},
		Alertmanagers: []config.ServerConfig{{URL: "http://127.0.0.1:9093"}, {URL: "https://am.example.com"}},
		Webhook:       config.WebhookConfig{Username: "alertmanager"},
		Publish: config.PublishConfig{
			Publishing: config.Publishing{After: 5 * time.Minute},
			Services:   map[string]config.Publishing{"main/alipay": {After: 10 * time.Minute}, "main/db": {Held: true}},
		},
		Reopen:   15 * time.Minute,
		Page:     config.PageConfig{Title: rules.Text{ZH: "我的小店", EN: "Service status"}, URL: "https://status.example.com", Zone: time.UTC},
		Telegram: &config.TelegramConfig{APIURL: "http://127.0.0.1:8081", Updates: config.UpdatesWebhook, Operators: []int64{4242}},
		Store:    config.StoreConfig{ContactKeyFile: "testdata/new.key", PreviousContactKeyFiles: []string{"testdata/password.txt"}},
		Email: &config.EmailConfig{
			Host: "smtp.example.com", Port: 465, Username: "alerts@example.com",
			From: "小店 <alerts@example.com>", TLS: config.TLSImplicit,
		},
		SMS: &config.SMSConfig{
			Providers: []string{"tencent", "aliyun", "gateway", "twilio"}, AllowedPrefixes: []string{"+86"}, DailyLimit: 200, PerNumberDailyLimit: 5,
			Aliyun: &config.AliyunConfig{
				AccessKeyID: "LTAI5example", SignName: "我的小店", Endpoint: "http://127.0.0.1:8082",
				Templates: map[string]string{"down": "SMS_1", "recovered": "SMS_2"},
			},
			Tencent: &config.TencentConfig{
				SecretID: "AKIDexample", AppID: "1400006666", SignName: "我的小店", Region: "ap-beijing", Endpoint: "sms.tencentcloudapi.com",
				Templates: map[string]string{"down.zh": "449739", "down.en": "449740", "recovered": "449741", "confirm": "449742"},
			},
			Twilio: &config.TwilioConfig{AccountSID: "AC0123456789abcdef0123456789abcdef", From: "+14155550100", Endpoint: "api.twilio.com"},
			Gateway: &config.GatewayConfig{
				Method: "POST", Headers: map[string]string{"Authorization": "Bearer ${secret}", "X-Account": "123456:hunter2"},
				JSON:   `{"to": "${number_home}", "text": "${text}"}`,
				Result: config.GatewayResult{JSON: "data.code", Accepted: []string{"0", "ok"}, Permanent: []string{"21"}},
			},
		},
		Webhooks: []config.OutgoingConfig{{Name: "ops-group", Kind: "dingtalk"}, {Name: "tickets", Kind: "webhook"}},
		Audiences: map[rules.Audience][]notifier.Recipient{
			rules.Ops: {
				{Audience: rules.Ops, Channel: config.Telegram, Address: "-1009876500000:7", Language: notifier.Chinese, State: notifier.Active},
				{Audience: rules.Ops, Channel: config.Telegram, Address: "42", Language: notifier.Chinese, State: notifier.Active},
				{Audience: rules.Ops, Channel: config.Email, Address: "ops@shop.example", Language: notifier.English, State: notifier.Active},
				{Audience: rules.Ops, Channel: config.SMS, Address: "+8613912345678", Language: notifier.Chinese, State: notifier.Active},
				{Audience: rules.Ops, Channel: config.DingTalk, Address: "ops-group", Language: notifier.Chinese, State: notifier.Active},
			},
			rules.Management:  {{Audience: rules.Management, Channel: config.Email, Address: "boss@shop.example", Language: notifier.Chinese, State: notifier.Active}},
			rules.Subscribers: {{Audience: rules.Subscribers, Channel: config.Telegram, Address: "@my_shop_status", Language: notifier.Chinese, State: notifier.Active}},
		},
		HoldAcknowledged: true,
		Subscriptions:    config.SubscriptionsConfig{Email: true, Telegram: true, PerAddressDaily: 3, PerNetworkHourly: 20, Hourly: 300},
		Templates:        "testdata/templates",
		Heartbeat:        &config.HeartbeatConfig{Method: "POST", Interval: 2 * time.Minute, Timeout: 5 * time.Second},
		Escalation:       rules.DemoEscalation(),
	}
	got.Warnings = nil // another test's: everybody may open the files of a checkout
	if !reflect.DeepEqual(got, want) {
		type plain config.Config // without the methods that hide
		gotText, _ := json.MarshalIndent(plain(got), "", " ")
		wantText, _ := json.MarshalIndent(plain(want), "", " ")
		t.Errorf("got  %s\nwant %s", gotText, wantText)
	}
}

func TestThePortOfAMailServerFollowsItsTLS(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]int{
		"": 587, "tls: starttls": 587, "tls: optional": 587, "tls: none": 587, "tls: implicit": 465, "tls: implicit, port: 2465": 2465,
	} {
		doc, err := configfile.Parse("test.yml", []byte("notifier: {email: {host: localhost, from: a@example.com, "+fields+"}}\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := config.Load(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got.Email.Port != want {
			t.Errorf("%s: got port %d, want %d", fields, got.Email.Port, want)
		}
	}
}

func TestAPasswordMayStayInTheClearOnThisMachine(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		text := fmt.Sprintf("notifier: {email: {host: %q, from: a@example.com, tls: none, username: a, password: b}}\n", host)
		doc, err := configfile.Parse("test.yml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(doc); err != nil {
			t.Errorf("%s: got %v", host, err)
		}
	}
}

func TestAConfigIsPrintedWithoutSecretsAndAddresses(t *testing.T) {
	t.Parallel()
	loaded, err := config.Load(read(t, "testdata/full.yml", environment))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("loaded", "config", loaded)
	slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "config", loaded)
	marshalled, err := json.Marshal(loaded)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s", loaded, loaded, loaded, marshalled) + log.String()
	for _, secret := range secrets {
		if strings.Contains(printed, secret) {
			t.Errorf("%s is in %s", secret, printed)
		}
	}
	if want := "5 ops, 1 management, 1 subscribers, telegram true, email true, sms true, 2 webhooks"; loaded.String() != want {
		t.Errorf("got %q, want %q", loaded, want)
	}
}

// sampleEnvironment reads examples/dujiaoka.env, which also a shell can read.
func sampleEnvironment(t *testing.T) configfile.Lookup {
	t.Helper()
	text, err := os.ReadFile("../../examples/dujiaoka.env")
	if err != nil {
		t.Fatal(err)
	}
	env := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			env[name] = strings.Trim(value, "'")
		}
	}
	return func(name string) (string, bool) { value, set := env[name]; return value, set }
}

func TestTheExamplesLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no examples, %v", err)
	}
	for _, file := range files {
		loaded, err := config.Load(read(t, file, sampleEnvironment(t)))
		if err != nil {
			t.Errorf("got\n%v", err)
		}
		if filepath.Base(file) == "dujiaoka.yml" && loaded.String() != "2 ops, 2 management, 0 subscribers, telegram true, email true, sms false, 0 webhooks" {
			t.Errorf("got %v", loaded)
		}
	}
}

func TestAudiencesInWhichNobodyIsAreAWarningWithTheirLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"no section, as of an exporter alone": {"escalation: {ops: 5m}\n", nil},
		"nobody at all": {"notifier:\n  page: {title: Shop}\n", []string{
			"shopwatch.yml:1: notifier.audiences.ops: got nobody, want at least one person, who is told of what has lasted 5m",
			"shopwatch.yml:1: notifier.audiences.management: got nobody, want at least one person, who is told of what has lasted 30m",
		}},
		"nobody of management, and another tier": {
			"notifier:\n  webhooks: [{name: room, kind: wecom, url: \"https://qyapi.example/private\"}]\n  audiences:\n    ops: [{webhook: room}]\n    management: []\nescalation: {management: 1h}\n",
			[]string{"shopwatch.yml:5: notifier.audiences.management: got nobody, want at least one person, who is told of what has lasted 1h"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := configfile.Parse("shopwatch.yml", []byte(tt.file), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := config.Load(doc)
			if err != nil {
				t.Fatal(err)
			}
			said := make([]string, 0, 2)
			for _, warning := range got.Warnings {
				said = append(said, warning.Error())
			}
			if !slices.Equal(said, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
