package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/sandbox"
)

// The tiers of the test, 30 and 72 times faster than the default ones; the rest
// of the clocks run as fast as the demo's.
const (
	kioskOps        = 10 * time.Second
	kioskManagement = 25 * time.Second
	kioskPace       = "0.05"
)

var (
	kioskOpsPeople = []reader{
		{sandbox.Telegram, "-1001", "商店首页暂时打不开"}, {sandbox.Email, "ops@kiosk.example", "Storefront cannot be reached"},
		{sandbox.DingTalk, "sandbox-gate-token", "商店首页暂时打不开"}, {sandbox.Webhook, "sandbox-gate-token", "Storefront cannot be reached"},
	}
	kioskBoss   = readers("商店首页暂时打不开", [2]string{sandbox.Email, "boss@kiosk.example"})
	kioskBuyers = readers("Storefront cannot be reached", [2]string{sandbox.Telegram, "@kiosk_status"})
	kioskBlind  = readers("告警链路中断", [2]string{sandbox.Telegram, "-1001"})
)

// mailbox is a sandbox that serves until the test ends.
func mailbox(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	box, err := sandbox.New(sandbox.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return box
}

// taken is what a sandbox in this process has taken, as journal gives it.
func taken(box *sandbox.Sandbox) func() ([]sandbox.Message, error) {
	return func() ([]sandbox.Message, error) { return box.Messages(), nil }
}

// neighbourhood is the two halves as processes of their own between Debian's
// Prometheus and Alertmanager.
type neighbourhood struct {
	dir                  string
	shop                 *httptest.Server
	broken               atomic.Bool // the storefront
	box                  *sandbox.Sandbox
	exporter, notifier   *process
	prometheus           *process
	alertmanager         *process
	prometheusAddr       string
	exporterAddr, page   string
	notifierAddr, amAddr string
	prometheusExe, amExe string
	pace                 string

	database   string   // URL of a PostgreSQL that two notifiers share; empty: there is one, on SQLite
	second     *process // beside notifier
	secondPage string
}

var (
	saysMetrics  = regexp.MustCompile(`metrics at http://(\S+)/metrics\n`)
	everyWebhook = regexp.MustCompile(`(?s)      - url: "[^"]+/webhook.*?credentials_file: "webhook.token"\n`)
	saysWebhook  = regexp.MustCompile(`page at (http://\S+/), webhook at http://(\S+)/webhook,`)
)

func TestHalvesTellThroughAPrometheusAndAnAlertmanagerOfDebian(t *testing.T) {
	compressed(t)
	n := &neighbourhood{
		dir: t.TempDir(), box: mailbox(t), pace: kioskPace,
		prometheusExe: debian(t, "prometheus", "prometheus"), amExe: debian(t, "prometheus-alertmanager", "prometheus-alertmanager"),
	}
	n.openShop(t)
	n.moveIn(t)
	n.eventually(t, "every rule of ours is evaluated without a mistake", n.rulesAreWell)
	n.eventually(t, "the page is green", showing(n.page, "green", "一切正常", "All systems operational"))
	n.eventually(t, "Prometheus scrapes the notifier too", holds(n.prometheusURL(), `up{job="shopwatch-notifier"} == 1`))
	n.eventually(t, "both tell their clocks", holds(n.prometheusURL(), `count(abs(shopwatch_time_seconds - timestamp(shopwatch_time_seconds)) < 10) == 2`))

	broke := time.Now()
	n.broken.Store(true)
	n.eventually(t, "operations and subscribers are told", counted(taken(n.box), 1, 0, kioskOpsPeople, kioskBuyers))
	n.eventually(t, "the page says what fails", showing(n.page, "red", "商店首页暂时打不开", "Storefront cannot be reached"))
	outage, err := incident(n.page, "商店首页暂时打不开")
	if err != nil {
		t.Fatal(err)
	}
	first := n.box.Messages()[0].At
	if age := first.Sub(outage.Shopwatch.Since); age < kioskOps {
		t.Errorf("the first message came %s after the last success, before the tier", age)
	}
	t.Logf("the first message came %s after the break", first.Sub(broke).Round(time.Millisecond))
	n.eventually(t, "management is told", counted(taken(n.box), 1, 0, kioskBoss))

	n.judgesDie(t, outage)

	healed := time.Now()
	n.broken.Store(false)
	n.eventually(t, "everybody is told that it is over", counted(taken(n.box), 1, 1, kioskOpsPeople, kioskBoss, kioskBuyers))
	n.eventually(t, "the page is green again", showing(n.page, "green", "一切正常", "All systems operational"))
	closed, err := incident(n.page, "商店首页暂时打不开")
	if err != nil || closed.ID != outage.ID || closed.Shopwatch.Over == nil {
		t.Fatalf("the incident is %+v (%v), want %s, resolved", closed, err, outage.ID)
	}
	if closed.Shopwatch.Over.Before(healed.Truncate(time.Second)) {
		t.Errorf("the incident was over at %s, before the heal at %s", closed.Shopwatch.Over, healed)
	}
	for _, r := range append(append(kioskOpsPeople[:2:2], kioskBoss...), kioskBuyers...) {
		_, recovered := got(n.box.Messages(), r)
		saysLasted(t, recovered[0], closed.Shopwatch.Over.Sub(closed.Shopwatch.Since))
	}
	for _, p := range []*process{n.exporter, n.notifier} {
		p.keeps(t, "token-of-the-webhook", n.box.Credentials().TelegramToken, n.box.Credentials().SMTPPassword)
		p.stop(t)
	}
}

// judgesDie holds that silence is told as silence and never as recovery:
// Alertmanager calls everything resolved when Prometheus no longer speaks, and
// knows of nothing when it has just begun.
func (n *neighbourhood) judgesDie(t *testing.T, outage told) {
	t.Helper()
	n.prometheus.kill()
	eventually(t, "operations are told that nobody judges", counted(taken(n.box), 1, 0, kioskBlind), n.exporter, n.notifier, n.alertmanager)
	eventually(t, "Alertmanager has let go of the outage", func() error {
		var alerts []struct{ Labels map[string]string }
		if err := decode("http://"+n.amAddr+"/api/v2/alerts", &alerts); err != nil {
			return err
		}
		if len(alerts) > 0 {
			return fmt.Errorf("it holds %v", alerts)
		}
		return nil
	}, n.exporter, n.notifier, n.alertmanager)
	eventually(t, "the page calls nothing fine", showing(n.page, "grey", "暂时看不到最新状态", "We can't see the current state"), n.exporter, n.notifier)
	if p, err := read(n.page, "zh-CN"); err != nil || !strings.Contains(p.text, "监测暂时中断") {
		t.Errorf("the page doesn't say that nobody judges (%v): %s", err, p.text)
	}

	n.alertmanager.kill()
	n.startPrometheus(t)
	eventually(t, "Prometheus sees the outage before there is an Alertmanager", firing(n.prometheusURL(), "ServiceDownProlonged"), n.exporter, n.notifier, n.prometheus)
	n.startAlertmanager(t)
	n.eventually(t, "operations are told that somebody judges again", counted(taken(n.box), 1, 1, kioskBlind))
	n.eventually(t, "the page no longer calls itself blind", func() error {
		if p, err := read(n.page, "zh-CN"); err != nil || strings.Contains(p.text, "监测暂时中断") {
			return fmt.Errorf("it says %s (%w)", p.text, err)
		}
		return nil
	})
	n.eventually(t, "the page still says what fails", showing(n.page, "red", "商店首页暂时打不开", "Storefront cannot be reached"))
	if err := counted(taken(n.box), 1, 0, kioskOpsPeople, kioskBoss, kioskBuyers)(); err != nil {
		t.Errorf("after the two were away: %v", err)
	}
	if same, err := incident(n.page, "商店首页暂时打不开"); err != nil || same.ID != outage.ID || same.ResolvedAt != nil {
		t.Errorf("after the two were away the incident is %+v (%v), want still %+v", same, err, outage)
	}
}

// tiers are the escalation's, as our commands take them.
func (n *neighbourhood) tiers() []string {
	return []string{"--tier.ops=" + kioskOps.String(), "--tier.management=" + kioskManagement.String(), "--tier.pace=" + n.pace}
}

func (n *neighbourhood) prometheusURL() string { return "http://" + n.prometheusAddr }

func (n *neighbourhood) eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	eventually(t, what, check, n.exporter, n.notifier, n.prometheus, n.alertmanager)
}

// openShop opens a shop of two pages, of which one can break.
func (n *neighbourhood) openShop(t *testing.T) {
	t.Helper()
	n.shop = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && n.broken.Load() {
			http.Error(w, "Whoops, looks like something went wrong.", http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "Welcome")
	}))
	t.Cleanup(n.shop.Close)
}

// moveIn starts the four programs, each with the files that ours prints for it.
func (n *neighbourhood) moveIn(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile("testdata/neighbours.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := string(content)
	if n.database != "" {
		config = strings.Replace(config, "notifier:\n", "notifier:\n  store: {postgres: \"${DATABASE}\", contact_key_file: contact.key}\n", 1)
	}
	n.write(t, "shopwatch.yml", config)
	n.write(t, "webhook.token", "token-of-the-webhook\n")
	n.prometheusAddr, n.amAddr = servertest.FreeAddress(t), servertest.FreeAddress(t)
	file := "--config.file=" + filepath.Join(n.dir, "shopwatch.yml")
	printed(t, n.shopwatch(t, "check", file))

	n.exporter = start(t, "the exporter", n.shopwatch(t, "exporter", file, "--data.dir="+filepath.Join(n.dir, "exporter"), "--private.listen-address=127.0.0.1:0"))
	n.exporterAddr = n.exporter.says(t, saysMetrics)[1]
	tells := func(name string) (p *process, page, address string) {
		p = start(t, name, n.shopwatch(t, "notifier", file, "--data.dir="+filepath.Join(n.dir, name),
			"--private.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0"))
		where := p.says(t, saysWebhook)
		return p, where[1], where[2]
	}
	n.notifier, n.page, n.notifierAddr = tells("notifier")
	posts := printed(t, shopwatch(t, append([]string{"alertmanager", "--webhook.url=http://" + n.notifierAddr}, n.tiers()...)...))
	if n.database != "" {
		var address string
		n.second, n.secondPage, address = tells("second")
		posts = everyWebhook.ReplaceAllStringFunc(posts, func(one string) string { return one + strings.ReplaceAll(one, n.notifierAddr, address) })
	}
	n.write(t, "alertmanager.yml", posts)
	n.startAlertmanager(t)
	n.write(t, "shopwatch.rules.yml", printed(t, shopwatch(t, append([]string{"rules"}, n.tiers()...)...)))
	n.write(t, "prometheus.yml", printed(t, shopwatch(t, append([]string{
		"prometheus", "--exporter=" + n.exporterAddr, "--notifier=" + n.notifierAddr, "--alertmanager=http://" + n.amAddr,
	}, n.tiers()...)...)))
	n.startPrometheus(t)
}

// startAlertmanager starts it on what it knows.
func (n *neighbourhood) startAlertmanager(t *testing.T) {
	t.Helper()
	n.alertmanager = start(t, "Alertmanager", exec.Command(n.amExe, "--config.file="+filepath.Join(n.dir, "alertmanager.yml"),
		"--storage.path="+filepath.Join(n.dir, "alertmanager"), "--web.listen-address="+n.amAddr, "--cluster.listen-address="))
}

// startPrometheus starts it on what it knows. Its resend delay is a minute by
// default; where time is compressed it must be, too.
func (n *neighbourhood) startPrometheus(t *testing.T) {
	t.Helper()
	n.prometheus = start(t, "Prometheus", exec.Command(n.prometheusExe, "--config.file="+filepath.Join(n.dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(n.dir, "prometheus"), "--web.listen-address="+n.prometheusAddr, "--rules.alert.resend-delay=3s"))
}

func (n *neighbourhood) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// shopwatch is the program with the environment that the configuration wants.
func (n *neighbourhood) shopwatch(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	command, credentials := shopwatch(t, args...), n.box.Credentials()
	_, port, err := net.SplitHostPort(n.box.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	command.Env = append(command.Env,
		"TELL_OPS_AFTER="+kioskOps.String(), "TELL_MANAGEMENT_AFTER="+kioskManagement.String(), "PACE="+n.pace,
		"SHOP_URL="+n.shop.URL, "PROMETHEUS_URL="+n.prometheusURL(), "DATABASE="+n.database,
		"DINGTALK_URL="+n.box.RobotURL(sandbox.DingTalk), "DESK_URL="+n.box.RobotURL(sandbox.Webhook), "GATE_SECRET="+n.box.GateCredentials().Secret,
		"TELEGRAM_TOKEN="+credentials.TelegramToken, "TELEGRAM_API_URL="+n.box.TelegramURL(),
		"SMTP_PORT="+port, "SMTP_USERNAME="+credentials.SMTPUsername, "SMTP_PASSWORD="+credentials.SMTPPassword)
	return command
}

// rulesAreWell objects to a rule that Prometheus could not evaluate, and to
// rules that are not there.
func (n *neighbourhood) rulesAreWell() error {
	var answer struct {
		Data struct {
			Groups []struct {
				Name  string
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := decode(n.prometheusURL()+"/api/v1/rules", &answer); err != nil {
		return err
	}
	var well []string
	for _, group := range answer.Data.Groups {
		for _, rule := range group.Rules {
			if rule.Health != "ok" {
				return fmt.Errorf("rule %s of group %s is %s: %s", rule.Name, group.Name, rule.Health, rule.LastError)
			}
			well = append(well, rule.Name)
		}
	}
	for _, alert := range []string{"ServiceDown", "ServiceDownProlonged", "OrdersDelayed", "OrdersStuck", "Watchdog"} {
		if !strings.Contains(strings.Join(well, " ")+" ", alert+" ") {
			return fmt.Errorf("no rule %s among %v", alert, well)
		}
	}
	return nil
}
