package message_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"shopwatch/notifier"
	"shopwatch/notifier/message"
	"shopwatch/rules"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	shanghai = time.FixedZone("Asia/Shanghai", 8*3600)
	since    = time.Date(2026, 11, 22, 3, 12, 5, 0, shanghai)
	alipay   = notifier.Service{
		Shop: "demo", ID: "alipay", Name: rules.Text{ZH: "支付宝", EN: "Alipay"},
		Role: rules.RolePayment, Position: 3, Critical: true, Public: true,
	}
)

func writer(t testing.TB) *message.Writer {
	t.Helper()
	return writerIn(t, shanghai)
}

func writerIn(t testing.TB, zone *time.Location) *message.Writer {
	t.Helper()
	w, err := message.New(message.Config{Page: rules.Text{ZH: "小明卡铺", EN: "Ming's Cards"}, Zone: zone, Links: links{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// links are those of a page with a public address.
type links struct{}

func (links) Leave(r notifier.Recipient) string {
	return fmt.Sprintf("https://status.example/leave?r=%d&k=x", r.ID)
}

func (links) Manage(r notifier.Recipient) string {
	return fmt.Sprintf("https://status.example/mine?r=%d&k=x", r.ID)
}

func (links) Confirm(r notifier.Recipient) (url, code string) {
	return fmt.Sprintf("https://status.example/confirm?r=%d&k=x", r.ID), "123456"
}

// title is that of a service's trouble by an alert.
func title(alert string, service notifier.Service) rules.Text {
	return message.Words{}.Title(notifier.Alert{Labels: map[string]string{rules.LabelAlert: alert}}, service)
}

func delivery(channel string, language notifier.Language, audience rules.Audience, event notifier.Event) notifier.Delivery {
	facts := notifier.Facts{
		Title: title(rules.AlertServiceDown, alipay), Alert: rules.AlertServiceDown,
		Service: alipay, Impact: notifier.ImpactMajor, Since: since,
		Description: rules.Text{ZH: "最后一次失败：<timeout> openapi.example:443", EN: "Last failure: <timeout> openapi.example:443"},
		RunbookURL:  "https://runbooks.example/ServiceDown?a=1&b=2", StatusURL: "https://status.example/",
	}
	at := since.Add(5*time.Minute + 4*time.Second)
	switch event {
	case notifier.EventJoined:
		facts.Description, facts.RunbookURL = rules.Text{}, ""
		facts.News = []rules.Text{{ZH: "<b>商品 A 卖完了", EN: "<b>Product A is out of stock"}, {ZH: "商品 B 卖完了", EN: "Product B is out of stock"}}
		facts.NewsSince = since.Add(4 * time.Minute)
	case notifier.EventProlonged:
		at = since.Add(30*time.Minute + 2*time.Second)
	case notifier.EventUpdated:
		at = since.Add(20 * time.Minute)
		facts.Status, facts.By, facts.Impact = notifier.Identified, "小王 <ops>", notifier.ImpactCritical
		facts.Update = rules.Text{ZH: "支付宝的接口证书过期了。\n我们正在换新的。", EN: "The certificate of Alipay's interface has expired.\nWe are replacing it."}
		facts.Scope = rules.Text{ZH: "全部用支付宝付款的买家", EN: "everybody who pays by Alipay"}
		facts.Workaround = rules.Text{ZH: "微信支付可以正常使用。", EN: "WeChat Pay works as usual."}
		facts.ETA = notifier.ETA{At: since.Add(48 * time.Minute), Earlier: []time.Time{since.Add(8 * time.Minute)}}
		facts.Description, facts.RunbookURL = rules.Text{}, ""
	case notifier.EventReopened:
		at = since.Add(58 * time.Minute)
		facts.Resumed = at.Add(-5 * time.Minute)
	case notifier.EventRecovered:
		facts.Over = since.Add(41*time.Minute + 30*time.Second)
		at = facts.Over.Add(time.Minute)
		facts.Description, facts.RunbookURL = rules.Text{}, ""
	case notifier.EventScheduled, notifier.EventReminder, notifier.EventBegan, notifier.EventProgress, notifier.EventCompleted, notifier.EventCancelled:
		facts, at = work(event)
	case notifier.EventConfirm, notifier.EventWelcome, notifier.EventCode, notifier.EventDigest:
		facts = notifier.Facts{StatusURL: "https://status.example/"}
	}
	incident := "i7"
	switch {
	case facts.Planned != nil:
		incident = "m3"
	case facts.Service.ID == "":
		incident = ""
	}
	return notifier.Delivery{
		Notice:    notifier.Notice{ID: 12, Incident: incident, Audience: audience, Event: event, At: at, Facts: facts},
		Recipient: notifier.Recipient{ID: 34, Audience: audience, Channel: channel, Language: language},
	}
}

// waiting makes a delivery one about orders that wait.
func waiting(alert string, zh, en string) func(*notifier.Delivery) {
	return func(d *notifier.Delivery) {
		f := &d.Notice.Facts
		f.Alert, f.Title = alert, title(alert, notifier.Service{})
		f.Service = notifier.Service{Shop: "demo", ID: "delivery", Name: rules.Text{ZH: "自动发货", EN: "Automatic delivery"}, Role: rules.RoleDelivery, Position: 2, Public: true}
		f.Description, f.RunbookURL = rules.Text{ZH: zh, EN: en}, "https://runbooks.example/"+alert
	}
}

var (
	delayed = waiting(rules.AlertOrdersDelayed, "3 笔自动发货订单已付款未发货。", "3 paid orders are not delivered.")
	stuck   = waiting(rules.AlertOrdersStuck, "12 笔自动发货订单已付款未发货。", "12 paid orders are not delivered.")
)

// first lets the recipient hear of the trouble only now.
func first(d *notifier.Delivery) { d.First = true }

// quiet gives a digest: one incident that is over, one that runs, one that
// ended before it was told.
func quiet(d *notifier.Delivery) {
	a := delivery("", "", rules.Subscribers, notifier.EventDown).Notice
	b := delivery("", "", rules.Subscribers, notifier.EventRecovered).Notice
	c := delivery("", "", rules.Subscribers, notifier.EventDown).Notice
	c.Incident, c.Facts.Title = "i8", title(rules.AlertOrdersStuck, notifier.Service{})
	c.Facts.Since = since.Add(-5 * time.Hour)
	d.Digest = []notifier.Notice{a, c, b}
	d.Notice.At = since.Add(5 * time.Hour)
}

// told are the notices that each audience reads.
var told = map[rules.Audience][]struct {
	name  string
	event notifier.Event
	with  func(*notifier.Delivery)
}{
	rules.Ops: {
		{"down", notifier.EventDown, nil},
		{"down, and it waits for a person to be published", notifier.EventDown, func(d *notifier.Delivery) { d.Notice.Facts.Publication.Held = true }},
		{"orders are delayed, and it is about to be published", notifier.EventDown, func(d *notifier.Delivery) {
			delayed(d)
			d.Notice.Facts.Publication.At = since.Add(10 * time.Minute)
		}},
		{"more joined", notifier.EventJoined, nil},
		{"updated", notifier.EventUpdated, nil},
		{"eased", notifier.EventEased, nil},
		{"reopened", notifier.EventReopened, nil},
		{"recovered", notifier.EventRecovered, nil},
		{"work is planned", notifier.EventScheduled, nil},
		{"work is planned for another time", notifier.EventScheduled, moved},
		{"work goes on", notifier.EventBegan, nil},
		{"work goes on, on one service", notifier.EventBegan, alone},
		{"work goes on, and nobody can keep its alerts still", notifier.EventBegan, func(d *notifier.Delivery) { d.Notice.Facts.Planned.Quiet = false }},
		{"work goes on, and everybody hears of it", notifier.EventBegan, func(d *notifier.Delivery) { d.Notice.Facts.Planned.Keys = nil }},
		{"people tell how work stands", notifier.EventProgress, said},
		{"work takes longer", notifier.EventProgress, longer},
		{"work is done", notifier.EventCompleted, nil},
		{"work is cancelled", notifier.EventCancelled, nil},
	},
	rules.Management: {
		{"prolonged, and nobody has it in hand", notifier.EventProlonged, nil},
		{"prolonged, and somebody has it in hand", notifier.EventProlonged, func(d *notifier.Delivery) {
			d.Notice.Facts.Acknowledged = notifier.Acknowledgement{By: "小王 <ops>", At: since.Add(7 * time.Minute)}
		}},
		{"orders are stuck", notifier.EventProlonged, stuck},
		{"recovered, and they never heard of it", notifier.EventRecovered, first},
		{"work is planned", notifier.EventScheduled, said},
		{"work goes on", notifier.EventBegan, said},
		{"work is done", notifier.EventCompleted, nil},
	},
	rules.Subscribers: {
		{"down", notifier.EventDown, nil},
		{"down, and told after quiet hours", notifier.EventDown, func(d *notifier.Delivery) { d.At = d.Notice.At.Add(5 * time.Hour) }},
		{"orders are delayed", notifier.EventDown, delayed},
		{"orders are stuck", notifier.EventDown, stuck},
		{"updated", notifier.EventUpdated, nil},
		{"updated, and what was promised has passed", notifier.EventUpdated, func(d *notifier.Delivery) {
			d.Notice.Facts.ETA = notifier.ETA{At: since.Add(8 * time.Minute)}
		}},
		{"eased", notifier.EventEased, nil},
		{"reopened", notifier.EventReopened, nil},
		{"reopened, and they never heard of it", notifier.EventReopened, first},
		{"prolonged", notifier.EventProlonged, nil},
		{"recovered", notifier.EventRecovered, nil},
		{"recovered, after it had begun again", notifier.EventRecovered, func(d *notifier.Delivery) { d.Notice.Facts.Resumed = since.Add(30 * time.Minute) }},
		{"recovered, and they never heard of it", notifier.EventRecovered, first},
		{"orders are delivered again", notifier.EventRecovered, delayed},
		{"work is planned", notifier.EventScheduled, nil},
		{"work is planned, and people say what it does", notifier.EventScheduled, said},
		{"work is planned for another time", notifier.EventScheduled, moved},
		{"work is near", notifier.EventReminder, nil},
		{"work is near, and told after it should have begun", notifier.EventReminder, func(d *notifier.Delivery) { d.At = window.From.Add(time.Hour) }},
		{"work goes on", notifier.EventBegan, nil},
		{"people tell how work stands", notifier.EventProgress, said},
		{"work is done, and looked at", notifier.EventProgress, func(d *notifier.Delivery) { d.Notice.Facts.Planned.Status = notifier.Verifying }},
		{"work takes longer", notifier.EventProgress, longer},
		{"work is not done in time", notifier.EventProgress, overdue},
		{"work is done", notifier.EventCompleted, nil},
		{"work is cancelled", notifier.EventCancelled, nil},
		{"confirm", notifier.EventConfirm, nil},
		{"welcome", notifier.EventWelcome, nil},
		{"code", notifier.EventCode, nil},
		{"digest", notifier.EventDigest, quiet},
		{"digest of trouble and planned work", notifier.EventDigest, busy},
	},
}

func TestEveryNoticeReadsAsItsGoldenFile(t *testing.T) {
	t.Parallel()
	w := writer(t)
	for _, channel := range message.Channels {
		for _, language := range []notifier.Language{notifier.Chinese, notifier.English} {
			for audience, notices := range told {
				name := fmt.Sprintf("%s.%s.%s", channel, audience, language)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					var b strings.Builder
					for _, notice := range notices {
						if !tells(channel, notice.event) {
							continue
						}
						d := delivery(channel, language, audience, notice.event)
						if notice.with != nil {
							notice.with(&d)
						}
						d.Notice.ID = 0 // each is another
						m, err := w.Compose(d)
						if err != nil {
							t.Fatalf("%s: %v", notice.name, err)
						}
						fmt.Fprintf(&b, "================ %s\n%s", notice.name, show(m))
					}
					golden(t, name, b.String())
				})
			}
		}
	}
}

// tells reports whether a channel tells an event.
func tells(channel string, event notifier.Event) bool {
	return channel != message.SMS || slices.Contains(notifier.Texted, event)
}

func show(m notifier.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ID %s, thread %q\nSubject: %s\n", m.ID, m.Thread, m.Subject)
	if m.Template != "" {
		fmt.Fprintf(&b, "Template: %s %q\n", m.Template, m.Params)
	}
	if m.Leave != "" {
		fmt.Fprintf(&b, "Leave: %s\n", m.Leave)
	}
	for _, row := range m.Buttons {
		for _, button := range row {
			fmt.Fprintf(&b, "[%s](%s%s) ", button.Text, button.URL, button.Data)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "--- text\n%s\n", m.Text)
	if m.HTML != "" {
		fmt.Fprintf(&b, "--- html\n%s\n", m.HTML)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: run the test with -update and read the difference\n%s", path, got)
	}
}

func TestLongNewsIsCutAndWhoGaveNoNameIsThePeopleOnCall(t *testing.T) {
	t.Parallel()
	d := delivery(message.Telegram, notifier.English, rules.Ops, notifier.EventJoined)
	d.Notice.Facts.News = make([]rules.Text, 25)
	d.Notice.Facts.Acknowledged = notifier.Acknowledgement{At: since}
	m, err := writer(t).Compose(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"… and 15 more: see the console", "Acknowledged by the people on call at 03:12:05"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the notice lacks %q: %s", want, m.Text)
		}
	}
}

func TestHostileNamesAreEscaped(t *testing.T) {
	t.Parallel()
	w := writer(t)
	for _, channel := range []string{message.Telegram, message.Email} {
		d := delivery(channel, notifier.English, rules.Ops, notifier.EventDown)
		d.Notice.Facts.Title.EN = `<script>alert(1)</script>`
		d.Notice.Facts.RunbookURL = `javascript:alert(1)`
		m, err := w.Compose(d)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, `"javascript:`) {
			t.Errorf("%s: not escaped:\n%s", channel, m.HTML)
		}
	}
}

func TestWhatIsNotToldByTextMessageHasNoWordsThere(t *testing.T) {
	t.Parallel()
	for _, event := range message.Events {
		_, err := writer(t).Compose(delivery(message.SMS, notifier.Chinese, rules.Subscribers, event))
		if told := slices.Contains(notifier.Texted, event); told != (err == nil) || !told && !errors.Is(err, notifier.ErrUnsendable) {
			t.Errorf("%s: got %v", event, err)
		}
	}
}

func TestSMSVariablesAreCutAtRunesWithinTheProvidersLimit(t *testing.T) {
	t.Parallel()
	d := delivery(message.SMS, notifier.Chinese, rules.Ops, notifier.EventDown)
	d.Notice.Facts.Title.ZH = strings.Repeat("支付宝", 40)
	m, err := writer(t).Compose(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Params {
		if n := utf8.RuneCountInString(p.Value); n > 35 || !utf8.ValidString(p.Value) {
			t.Errorf("%s has %d runes: %q", p.Name, n, p.Value)
		}
	}
}

func TestTitlesSayWhatBuyersFeel(t *testing.T) {
	t.Parallel()
	down := func(name, summary string) notifier.Alert {
		return notifier.Alert{
			Labels:      map[string]string{rules.LabelAlert: name},
			Annotations: map[string]string{rules.AnnotationSummary: summary},
		}
	}
	cases := []struct {
		name    string
		alert   notifier.Alert
		service notifier.Service
		want    rules.Text
	}{
		{"a payment method", down(rules.AlertServiceDown, ""), alipay, rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"}},
		{"late orders, whatever the service", down(rules.AlertOrdersDelayed, ""), notifier.Service{}, rules.Text{ZH: "自动发货延迟，有订单超时未发", EN: "Deliveries are delayed"}},
		{"something that nobody described", down("ExporterGone", "shopwatch exporter is gone"), notifier.Service{}, rules.Text{ZH: "shopwatch exporter is gone", EN: "shopwatch exporter is gone"}},
		{"a service that is down, though the alert has a summary", down(rules.AlertServiceDown, "main/alipay is down"), alipay, rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"}},
		{"a service that works on and off", down("ServiceFlapping", "x"), alipay, rules.Text{ZH: "支付宝时好时坏", EN: "Alipay works on and off"}},
		{"a payment method that is no service", down(rules.AlertPaymentFailing, "x"), notifier.Service{Name: rules.Text{ZH: "usdt", EN: "usdt"}}, rules.Text{ZH: "usdt付款经常不成功", EN: "Many usdt payments fail"}},
		{"a certificate", down("CertificateExpiring", "x"), alipay, rules.Text{ZH: "支付宝的 HTTPS 证书快到期了", EN: "Alipay: its certificate expires soon"}},
		{"a known service's alert without a title of its own", down("ErrorBudgetBurn1x", "Budget burns"), alipay, rules.Text{ZH: "Budget burns", EN: "Budget burns"}},
		{"the same where what alerts say must not be told", down("ErrorBudgetBurn1x", ""), alipay, rules.Text{ZH: "支付宝出现故障", EN: "Alipay is failing"}},
		{"a role that nobody foresaw", down(rules.AlertServiceDown, ""), notifier.Service{Name: rules.Text{ZH: "工单", EN: "Tickets"}, Position: 1}, rules.Text{ZH: "工单出现故障", EN: "Tickets is failing"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := (message.Words{}).Title(c.alert, c.service); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
