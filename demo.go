package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/common/model"

	"shopwatch/exporter"
	exporterconfig "shopwatch/exporter/config"
	"shopwatch/exporter/demo"
	"shopwatch/internal/configfile"
	"shopwatch/internal/guard"
	"shopwatch/notifier"
	notifierapp "shopwatch/notifier/app"
	notifierconfig "shopwatch/notifier/config"
	"shopwatch/notifier/console"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// demoWorld is the demo shop, and the sandbox that takes what is told of it. A
// nil demoWorld is none: `up` on a configuration file.
type demoWorld struct {
	shop    *demo.Shop
	sandbox *sandbox.Sandbox
	control http.Handler
	// breaks and heals are commands to paste.
	breaks, heals string
}

const sandboxPath = "/sandbox"

func newDemoWorld(f flags, private string, logger *slog.Logger) (*demoWorld, error) {
	shop, err := demo.New(demo.Config{
		Dir: filepath.Join(f.dataDir, "demo"), Escalation: rules.DemoEscalation(), Now: clock, Logger: logger,
		Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	})
	if err != nil {
		return nil, err
	}
	control, err := shop.Control()
	if err != nil {
		return nil, err
	}
	breaks, heals := f.pasted(private, "demo", "break", "alipay"), f.pasted(private, "demo", "heal", "alipay")
	messages, err := sandbox.New(sandbox.Config{
		Now: func() time.Time { return clock().In(shanghai()) }, Logger: logger, Path: filepath.Join(f.dataDir, "demo", "messages.jsonl"), Prefix: sandboxPath,
		SignName: shop.Shop().Name.ZH, // one signature is registered, whoever reads
		Try:      breaks,
	})
	if err != nil {
		return nil, err
	}
	return &demoWorld{shop: shop, sandbox: messages, control: control, breaks: breaks, heals: heals}, nil
}

// shanghai is the demo shop's zone: it has no daylight saving, so it needs no
// zone files.
func shanghai() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// exporter is what the configuration file would say of the demo shop.
func (d *demoWorld) exporter() exporterconfig.Config {
	shop := d.shop.Shop()
	return exporterconfig.Config{
		Shops: []exporter.Shop{shop}, Escalation: rules.DemoEscalation(),
		Delivery: map[string]exporter.Service{shop.ID: d.shop.Delivery()},
		Modules:  exporterconfig.ShippedModules(), Probe: exporterconfig.Probe{Targets: []string{d.host()}},
	}
}

// host is host:port of the shop's pages.
func (d *demoWorld) host() string {
	return strings.TrimSuffix(strings.TrimPrefix(d.shop.URL(), "http://"), "/")
}

// notifier is what the configuration file would say of the sandbox.
func (d *demoWorld) notifier() notifierconfig.Config {
	credentials := d.sandbox.Credentials()
	host, port, _ := net.SplitHostPort(d.sandbox.SMTPAddr()) // of a listener: always well-formed
	number, _ := strconv.Atoi(port)
	person := func(audience rules.Audience, channel, address string, language notifier.Language) notifier.Recipient {
		return notifier.Recipient{Audience: audience, Channel: channel, Address: address, Language: language}
	}
	name := d.shop.Shop().Name // one sender has one name: in both languages
	return notifierconfig.Config{
		Page: notifierconfig.PageConfig{Title: name, Zone: shanghai()},
		Telegram: &notifierconfig.TelegramConfig{
			Token: configfile.NewSecret(credentials.TelegramToken), APIURL: d.sandbox.TelegramURL(),
		},
		Email: &notifierconfig.EmailConfig{
			Host: host, Port: number, Username: credentials.SMTPUsername, Password: configfile.NewSecret(credentials.SMTPPassword),
			From: name.ZH + " " + name.EN + " <alerts@demo.example>", TLS: notifierconfig.TLSNone,
		},
		SMS: &notifierconfig.SMSConfig{
			Providers: []string{notifierconfig.Aliyun}, AllowedPrefixes: []string{"+86"}, DailyLimit: 1000, PerNumberDailyLimit: 1000,
			Aliyun: &notifierconfig.AliyunConfig{
				AccessKeyID: credentials.SMSAccessKeyID, AccessKeySecret: configfile.NewSecret(credentials.SMSAccessKeySecret),
				SignName: credentials.SMSSignName, Endpoint: "http://" + d.sandbox.SMSEndpoint(), Templates: d.sandbox.SMSTemplates(),
			},
		},
		Subscriptions: d.subscriptions(),
		Audiences: map[rules.Audience][]notifier.Recipient{
			rules.Ops: {
				person(rules.Ops, notifierconfig.Telegram, "-1001000000001", notifier.Chinese),
				person(rules.Ops, notifierconfig.Email, "ops@demo.example", notifier.Chinese),
				person(rules.Ops, notifierconfig.SMS, "+8613800000001", notifier.Chinese),
			},
			rules.Management: {
				person(rules.Management, notifierconfig.Telegram, "2000000002", notifier.Chinese),
				person(rules.Management, notifierconfig.Email, "boss@demo.example", notifier.English),
			},
		},
		Escalation: rules.DemoEscalation(),
	}
}

// subscriptions are open.
func (d *demoWorld) subscriptions() notifierconfig.SubscriptionsConfig {
	open := notifierconfig.DefaultSubscriptions()
	open.Email, open.SMS, open.Telegram = true, true, true
	return open
}

// audience is the seeded subscribers of the demo.
func (d *demoWorld) audience(private string) *notifierapp.Demo {
	if d == nil {
		return nil
	}
	subscriber := func(channel, address string, language notifier.Language) notifier.Recipient {
		return notifier.Recipient{Audience: rules.Subscribers, Channel: channel, Address: address, Language: language}
	}
	return &notifierapp.Demo{
		Bot: func(said string) string {
			newcomer := url.Values{"channel": {sandbox.Telegram}, "to": {"3000000009"}, "refresh": {"off"}, "say": {said}}
			return private + sandboxPath + "/?" + newcomer.Encode()
		},
		Hint: rules.Text{
			ZH: "弄坏一个服务：" + d.breaks + " （修好它：把 break 换成 heal）",
			EN: "Break a service with: " + d.breaks + " (and mend it with heal in place of break)",
		},
		Subscribers: []notifier.Recipient{
			subscriber(notifierconfig.Telegram, "3000000001", notifier.Chinese),
			subscriber(notifierconfig.Telegram, "3000000002", notifier.English),
			subscriber(notifierconfig.Email, "xiaoming@buyers.example", notifier.Chinese),
			subscriber(notifierconfig.Email, "alice@buyers.example", notifier.English),
			subscriber(notifierconfig.SMS, "+8613900000002", notifier.Chinese),
		},
	}
}

// mount puts the switchboard and the sandbox on the private address.
func (d *demoWorld) mount(mux *http.ServeMux, operator *guard.Operator) {
	if d == nil {
		return
	}
	mux.Handle(demo.ControlRoot, operator.Only(d.control, console.Root))
	mux.Handle(demo.ControlAPI, operator.Only(d.control, ""))
	mux.Handle(sandboxPath+"/", operator.ChangesOr(d.sandbox.Handler(), d.sandbox.Refused())) // a press acknowledges what runs
}

// add runs the shop and the sandbox in the group.
func (d *demoWorld) add(group *run.Group) {
	if d == nil {
		return
	}
	addRun(group, d.shop.Run)
	addRun(group, d.sandbox.Run)
}

func (d *demoWorld) close() {
	if d != nil {
		d.shop.Close()
		d.sandbox.Close()
	}
}

func (d *demoWorld) links() []console.Link {
	if d == nil {
		return nil
	}
	return []console.Link{
		{Name: rules.Text{ZH: "弄坏与修好", EN: "Break and heal"}, URL: demo.ControlRoot},
		{Name: rules.Text{ZH: "消息沙盒", EN: "Sandbox"}, URL: sandboxPath + "/"},
	}
}

// greet says what runs, where, and how to break it.
func (d *demoWorld) greet(w io.Writer, page, console, private string) {
	e := rules.DemoEscalation()
	fmt.Fprintf(w, `shopwatch watches the demo shop %s; its time runs %.0f times faster: operations are told after %s, management after %s.
  Public page  %s
  Console      %s
  Sandbox      %s%s/    Prometheus API  %s/prometheus/api/v1/
  Break it:    %s
  Mend it:     %s
`, d.shop.URL(), 1/e.Pace, model.Duration(e.Ops), model.Duration(e.Management), page, console, private, sandboxPath, private, d.breaks, d.heals)
}

// askDemo has the running process break or heal a service of its demo shop.
func askDemo(ctx context.Context, f flags, verb string, stdout io.Writer) error {
	door, err := f.door()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	target := door.url(f.privateOr("127.0.0.1:9816")) + demo.ControlAPI + verb
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(url.Values{"service": {f.service}}.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set(guard.TokenHeader, door.token)
	response, err := door.client.Do(r)
	if err != nil {
		return fmt.Errorf("ask the running shopwatch (start it with `%s`; if it listens elsewhere, name it with --private.listen-address): %w", program(), err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("ask the running shopwatch: %w", err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		fmt.Fprintf(stdout, "demo %s %s: done\n", verb, f.service)
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("the shopwatch at %s does not run the demo shop", target)
	}
	return fmt.Errorf("demo %s %s: %s", verb, f.service, strings.TrimSpace(string(answer)))
}
