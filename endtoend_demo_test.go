package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/sandbox"
)

// The demo shop's people, with what they are told while Alipay fails.
var (
	demoOps = readers("支付宝暂时无法支付",
		[2]string{sandbox.Telegram, "-1001000000001"}, [2]string{sandbox.Email, "ops@demo.example"}, [2]string{sandbox.SMS, "+8613800000001"})
	demoManagement = slices.Concat(
		readers("支付宝暂时无法支付", [2]string{sandbox.Telegram, "2000000002"}),
		readers("Alipay payments are failing", [2]string{sandbox.Email, "boss@demo.example"}))
	demoSubscribers = slices.Concat(
		readers("支付宝暂时无法支付", [2]string{sandbox.Telegram, "3000000001"}, [2]string{sandbox.Email, "xiaoming@buyers.example"}, [2]string{sandbox.SMS, "+8613900000002"}),
		readers("Alipay payments are failing", [2]string{sandbox.Telegram, "3000000002"}, [2]string{sandbox.Email, "alice@buyers.example"}))
)

// demonstration is `shopwatch up` on the demo shop.
type demonstration struct {
	*process
	dir           string
	page, private string // URLs; the page's with a slash at its end
}

var (
	saysPage    = regexp.MustCompile(`Public page +(http://\S+/)\n`)
	saysConsole = regexp.MustCompile(`Console +(http://(\S+))/console/login\?code=\S+\n`)
)

// demonstrate starts the demo at addresses; the port 0 is any. It is ready once
// it says where it is.
func demonstrate(t *testing.T, dir, public, private string) *demonstration {
	t.Helper()
	started := time.Now()
	d := &demonstration{dir: dir}
	d.process = start(t, "the demo", shopwatch(t, "up", "--data.dir="+dir, "--web.listen-address="+public, "--private.listen-address="+private))
	d.page = d.says(t, saysPage)[1]
	d.private = d.says(t, saysConsole)[1]
	t.Logf("the demo was ready in %s", time.Since(started).Round(time.Millisecond))
	return d
}

// again starts a demo that has ended, on the same data and addresses.
func (d *demonstration) again(t *testing.T) *demonstration {
	t.Helper()
	return demonstrate(t, d.dir, strings.TrimSuffix(strings.TrimPrefix(d.page, "http://"), "/"), strings.TrimPrefix(d.private, "http://"))
}

func (d *demonstration) messages() ([]sandbox.Message, error) {
	return journal(filepath.Join(d.dir, "demo", "messages.jsonl"))
}

// turn breaks or heals a service from the command line, between the two moments that it returns.
func (d *demonstration) turn(t *testing.T, verb, service string) (asked, done time.Time) {
	t.Helper()
	asked = time.Now()
	said := printed(t, shopwatch(t, "demo", verb, service, "--data.dir="+d.dir, "--private.listen-address="+strings.TrimPrefix(d.private, "http://")))
	if said != "demo "+verb+" "+service+": done\n" {
		t.Errorf("demo %s %s says %q", verb, service, said)
	}
	return asked, time.Now()
}

func (d *demonstration) prometheus() string { return d.private + "/prometheus" }

func (d *demonstration) eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	eventually(t, what, check, d.process)
}

func TestDemoTellsOfAnOutageOnceAndOfItsEndThoughItWasKilled(t *testing.T) {
	compressed(t)
	d := demonstrate(t, t.TempDir(), servertest.FreeAddress(t), servertest.FreeAddress(t))
	d.eventually(t, "the page is green", showing(d.page, "green", "一切正常", "All systems operational"))
	apisAnswer(t, d)
	doorsAreShut(t, d)

	_, broke := d.turn(t, "break", "alipay")
	d.checksBeforeItAlarms(t)
	d.eventually(t, "operations and subscribers are told", counted(d.messages, 1, 0, demoOps, demoSubscribers))
	d.eventually(t, "the page says what fails", showing(d.page, "red", "支付宝暂时无法支付", "Alipay payments are failing"))
	outage, err := incident(d.page, "支付宝暂时无法支付")
	if err != nil {
		t.Fatal(err)
	}
	d.toldAtTier(t, broke, outage)
	d.takenInHand(t)
	d.backedUp(t)

	d.kill()
	d = d.again(t)
	d.eventually(t, "the page remembers", showing(d.page, "red", "支付宝暂时无法支付", "Alipay payments are failing"))
	deliveryStandsStillAndDrains(t, d)

	d.eventually(t, "management is told", counted(d.messages, 1, 0, demoManagement))
	d.saysInWhoseHand(t)
	if same, err := incident(d.page, "支付宝暂时无法支付"); err != nil || same.ID != outage.ID || !same.Shopwatch.Since.Equal(outage.Shopwatch.Since) || same.ResolvedAt != nil {
		t.Errorf("after the kill the incident is %+v (%v), want still %+v", same, err, outage)
	}
	healed, _ := d.turn(t, "heal", "alipay")
	d.eventually(t, "everybody is told that it is over", counted(d.messages, 1, 1, demoOps, demoSubscribers, demoManagement))
	d.eventually(t, "the page is green again", showing(d.page, "green", "一切正常", "All systems operational"))
	d.tellsTheTimes(t, outage.ID, broke, healed)

	d.eventually(t, "nothing is left to send", holds(d.prometheus(), `shopwatch_outbox_notices{state="queued"} == 0`))
	d.stop(t)
	if err := counted(d.messages, 1, 1, demoOps, demoSubscribers, demoManagement)(); err != nil {
		t.Errorf("in the end: %v", err)
	}
	for _, file := range []string{"operator.token", "webhook.token"} {
		token, err := os.ReadFile(filepath.Join(d.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		d.keeps(t, strings.TrimSpace(string(token)))
	}
}

// apisAnswer holds that Prometheus's and Alertmanager's own APIs and the
// page's JSON answer.
func apisAnswer(t *testing.T, d *demonstration) {
	t.Helper()
	var summary struct {
		Status     struct{ Indicator string }
		Components []struct {
			Status    string
			Shopwatch struct{ Service string }
		}
	}
	if err := decode(d.page+"api/v2/summary.json", &summary); err != nil {
		t.Fatal(err)
	}
	var public []string
	for _, c := range summary.Components {
		if c.Shopwatch.Service != "" && c.Status == "operational" {
			public = append(public, c.Shopwatch.Service)
		}
	}
	slices.Sort(public)
	if want := []string{"alipay", "api", "delivery", "order", "sms", "storefront", "usdt", "wechat"}; summary.Status.Indicator != "none" || !slices.Equal(public, want) {
		t.Errorf("the page's JSON: indicator %q, operational %v; want none, %v and not the database", summary.Status.Indicator, public, want)
	}

	d.eventually(t, "Prometheus judges", firing(d.prometheus(), "Watchdog"))
	now := time.Now().Unix()
	for path, want := range map[string]string{
		"/prometheus/api/v1/query?query=up": `"__name__":"up"`,
		fmt.Sprintf("/prometheus/api/v1/query_range?query=up&start=%d&end=%d&step=1", now-60, now): `"resultType":"matrix","result":[{`,
		"/prometheus/api/v1/rules":                                    `"name":"ServiceDownProlonged"`,
		"/prometheus/api/v1/alerts":                                   `"alertname":"Watchdog"`,
		"/prometheus/api/v1/targets":                                  `"health":"up"`,
		"/prometheus/api/v1/labels":                                   `"service"`,
		"/prometheus/api/v1/label/service/values":                     `"alipay"`,
		"/prometheus/api/v1/series?match[]=shopwatch_service_status":  `"status":"operational"`,
		"/prometheus/api/v1/metadata?metric=shopwatch_service_status": `"type":"gauge"`,
		"/alertmanager/api/v2/alerts":                                 `"alertname":"Watchdog"`,
		"/alertmanager/api/v2/silences":                               `[]`,
		"/alertmanager/api/v2/status":                                 `"config"`,
		"/alertmanager/api/v2/receivers":                              `"subscribers"`,
		"/metrics":                                                    "shopwatch_service_info{",
		"/runbooks/ServiceDown":                                       "<h1",
		"/sandbox/":                                                   "<title>",
		"/-/healthy":                                                  "healthy",
		"/-/ready":                                                    "ready",
	} {
		if answer := answers(t, http.StatusOK, http.MethodGet, d.private+path, ""); !strings.Contains(answer, want) {
			t.Errorf("%s does not say %s: %.300s", path, want, answer)
		}
	}
}

// doorsAreShut holds who gets in: no other website, no stranger without a
// token, nobody who asks for a name that we don't know, and at the public
// address nothing private.
func doorsAreShut(t *testing.T, d *demonstration) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(d.dir, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + strings.TrimSpace(string(token))
	silence := fmt.Sprintf(`{"matchers":[{"name":"service","value":"nothing","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"operator","comment":"test"}`,
		time.Now().Format(time.RFC3339), time.Now().Add(time.Hour).Format(time.RFC3339))
	silences, form := d.private+"/alertmanager/api/v2/silences", "application/x-www-form-urlencoded"

	answers(t, http.StatusForbidden, http.MethodPost, silences, silence, "Content-Type", "application/json", "Origin", "https://evil.example", "Authorization", bearer)
	answers(t, http.StatusUnauthorized, http.MethodPost, silences, silence, "Content-Type", "application/json")
	if kept := answers(t, http.StatusOK, http.MethodGet, silences, ""); strings.TrimSpace(kept) != "[]" {
		t.Errorf("a foreign silence was kept: %s", kept)
	}
	answers(t, http.StatusOK, http.MethodPost, silences, silence, "Content-Type", "application/json", "Authorization", bearer)
	if kept := answers(t, http.StatusOK, http.MethodGet, silences, ""); !strings.Contains(kept, `"nothing"`) {
		t.Errorf("our own silence was not kept: %s", kept)
	}

	answers(t, http.StatusUnauthorized, http.MethodPost, d.private+"/api/demo/break", "service=alipay", "Content-Type", form)
	answers(t, http.StatusUnauthorized, http.MethodPost, d.private+"/api/demo/break", "service=alipay", "Content-Type", form, "Authorization", bearer+"x")
	answers(t, http.StatusForbidden, http.MethodPost, d.private+"/api/demo/break", "service=alipay", "Content-Type", form, "Authorization", bearer, "Origin", "https://evil.example")
	answers(t, http.StatusUnauthorized, http.MethodPost, d.private+"/webhook?audience=ops", "{}", "Content-Type", "application/json")
	answers(t, http.StatusMisdirectedRequest, http.MethodGet, d.private+"/metrics", "", "Host", "evil.example")
	for _, path := range []string{"prometheus/-/reload", "prometheus/-/quit", "prometheus/api/v1/write", "alertmanager/-/reload"} {
		answers(t, http.StatusNotFound, http.MethodPost, d.private+"/"+path, "", "Authorization", bearer)
	}
	for _, path := range []string{"metrics", "prometheus/api/v1/query?query=up", "alertmanager/api/v2/alerts", "console/", "demo/", "sandbox/", "runbooks/ServiceDown"} {
		answers(t, http.StatusNotFound, http.MethodGet, d.page+path, "")
	}
	answers(t, http.StatusMethodNotAllowed, http.MethodPost, d.page+"webhook?audience=ops", "{}")

	_, stderr, code := finished(t, shopwatch(t, "demo", "break", "paypal", "--data.dir="+d.dir, "--private.listen-address="+strings.TrimPrefix(d.private, "http://")))
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, `"paypal"`) || !strings.Contains(stderr, "alipay") {
		t.Errorf("demo break paypal: exit code %d, want 1, and one line that names the services: %s", code, stderr)
	}
}

// checksBeforeItAlarms holds that the page is honest before anybody is told.
func (d *demonstration) checksBeforeItAlarms(t *testing.T) {
	t.Helper()
	d.eventually(t, "the page says that we check", func() error {
		p, err := read(d.page, "zh-CN")
		if err == nil && p.headline == "支付宝暂时无法支付" {
			t.Fatal("the page names the incident before it ever said that we check")
		}
		if err == nil && (p.colour != "red" || p.headline != "正在核实：支付宝") {
			err = fmt.Errorf("the page shows %s %q", p.colour, p.headline)
		}
		return err
	})
}

// toldAtTier holds that nobody was told before the tier, nor management at all,
// and that the outage is counted from the last success.
func (d *demonstration) toldAtTier(t *testing.T, broke time.Time, outage told) {
	t.Helper()
	if early := broke.Sub(outage.Shopwatch.Since); early < 0 || early > time.Minute {
		t.Errorf("the incident began %s before the break, want at the last success before it", early)
	}
	messages, err := d.messages()
	if err != nil || len(messages) == 0 {
		t.Fatal("no messages: ", err)
	}
	first := slices.MinFunc(messages, func(a, b sandbox.Message) int { return a.At.Compare(b.At) })
	if age := first.At.Sub(outage.Shopwatch.Since); age < 15*time.Second {
		t.Errorf("%s to %s was told %s after the last success, before the tier of 15 s", first.Channel, first.To, age)
	}
	if err := counted(d.messages, 0, 0, demoManagement)(); err != nil && time.Since(outage.Shopwatch.Since) < 90*time.Second {
		t.Errorf("management was told before its tier: %v", err)
	}
	operations := slices.IndexFunc(messages, func(m sandbox.Message) bool { return m.To == demoOps[0].address })
	t.Logf("operations' telegram came %s after the break, %s after the last success",
		messages[operations].At.Sub(broke).Round(time.Millisecond), messages[operations].At.Sub(outage.Shopwatch.Since).Round(time.Millisecond))
}

// deliveryStandsStillAndDrains leaves paid orders undelivered for a while.
func deliveryStandsStillAndDrains(t *testing.T, d *demonstration) {
	t.Helper()
	ops := readers("自动发货延迟，有订单超时未发", [2]string{sandbox.Telegram, "-1001000000001"}, [2]string{sandbox.Email, "ops@demo.example"})
	buyers := readers("Deliveries are delayed", [2]string{sandbox.Telegram, "3000000002"}, [2]string{sandbox.Email, "alice@buyers.example"})
	late := `sum(shopwatch_orders_waiting{kind="automatic",age!="lt5m"})`

	d.turn(t, "break", "delivery")
	d.eventually(t, "orders wait", holds(d.prometheus(), `sum(shopwatch_orders_waiting{kind="automatic"}) >= 2 and `+late+` >= 1`))
	d.eventually(t, "OrdersDelayed fires", firing(d.prometheus(), "OrdersDelayed"))
	d.eventually(t, "operations and subscribers are told of delayed orders", counted(d.messages, 1, 0, ops, buyers))
	d.eventually(t, "the page counts the orders that wait", func() error {
		p, err := read(d.page, "en")
		if err == nil && !regexp.MustCompile(`Paid orders waiting for automatic delivery: [1-9]`).MatchString(p.text) {
			err = fmt.Errorf("the page says no such thing: %s", p.text)
		}
		return err
	})
	d.turn(t, "heal", "delivery")
	d.eventually(t, "the orders are delivered", holds(d.prometheus(), late+" == 0"))
	d.eventually(t, "who was told of delayed orders is told that it is over", counted(d.messages, 1, 1, ops, buyers))
}

// tellsTheTimes holds that each recovery and the incident's page tell how long
// it lasted, from the last success to the first.
func (d *demonstration) tellsTheTimes(t *testing.T, id string, broke, healed time.Time) {
	t.Helper()
	closed, err := incident(d.page, "支付宝暂时无法支付")
	if err != nil || closed.ID != id || closed.ResolvedAt == nil || closed.Shopwatch.Over == nil {
		t.Fatalf("the incident is %+v (%v), want %s, resolved", closed, err, id)
	}
	since, end := closed.Shopwatch.Since, *closed.Shopwatch.Over
	if since.After(broke) || end.Before(healed.Truncate(time.Second)) || end.After(*closed.ResolvedAt) {
		t.Errorf("it lasted from %s to %s, want from before the break at %s to after the heal at %s", since, end, broke, healed)
	}
	messages, err := d.messages()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range slices.Concat(demoOps, demoSubscribers, demoManagement) {
		_, recovered := got(messages, r)
		saysLasted(t, recovered[0], end.Sub(since))
	}
	p, err := read(d.page+"incidents/"+id, "en")
	if err != nil || p.colour != "green" {
		t.Errorf("the incident's page is %s (%v), want green", p.colour, err)
	}
	for what, at := range map[string]time.Time{"Began": since, "Recovered": end} {
		if clock := at.In(time.FixedZone("", 8*60*60)).Format(time.TimeOnly); !regexp.MustCompile(what + `\s+` + clock).MatchString(p.text) {
			t.Errorf("the incident's page does not say %s %s:\n%s", what, clock, p.text)
		}
	}
}
