package statuspage_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/statuspage"
	"shopwatch/rules"
)

// noon is 12:00:00 on a Wednesday in Shanghai.
var noon = time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)

func both(zh, en string) rules.Text { return rules.Text{ZH: zh, EN: en} }

func config(now func() time.Time) statuspage.Config {
	return statuspage.Config{Title: both("星卡小铺", "Star Cards"), BaseURL: "https://status.example.com", Now: now, Logger: slog.New(slog.DiscardHandler)}
}

func service(id string, name rules.Text, role rules.Role, status rules.Status) statuspage.Component {
	return statuspage.Component{Service: notifier.Service{Shop: "star", ID: id, Name: name, Role: role, Public: true, Status: status}}
}

var (
	alipay   = service("alipay", both("支付宝", "Alipay"), rules.RolePayment, rules.Operational)
	wechat   = service("wechat", both("微信支付", "WeChat Pay"), rules.RolePayment, rules.Operational)
	delivery = service(rules.ServiceDelivery, both("自动发货", "Automatic delivery"), rules.RoleDelivery, rules.Operational)
)

func in(c statuspage.Component, status rules.Status, since time.Time) statuspage.Component {
	c.Status, c.Since = status, since
	return c
}

func snapshot(services ...statuspage.Component) statuspage.Snapshot {
	return statuspage.Snapshot{At: noon, Fresh: true, Services: services}
}

// incident is an open one that began some time before noon.
func incident(id string, c statuspage.Component, title rules.Text, before time.Duration) notifier.Incident {
	return notifier.Incident{
		ID: id, Key: c.Key(), Service: c.Service, Title: title, Public: true,
		Status: notifier.Investigating, Impact: notifier.ImpactMajor,
		Since: noon.Add(-before), Opened: noon.Add(-before + time.Minute),
	}
}

func over(i notifier.Incident, lasted time.Duration) notifier.Incident {
	i.Status, i.Over, i.Closed = notifier.Resolved, i.Since.Add(lasted), i.Since.Add(lasted+time.Minute)
	return i
}

func TestTheHeadlineSaysWhatIsWorst(t *testing.T) {
	t.Parallel()
	fails := both("支付宝暂时无法支付", "Alipay payments are failing")
	lateTitle := both("自动发货延迟", "Deliveries are late")
	minor := incident("minor", alipay, fails, time.Hour)
	minor.Impact = notifier.ImpactMinor
	down := in(alipay, rules.Outage, noon.Add(-12*time.Second))
	tests := []struct {
		name           string
		snapshot       statuspage.Snapshot
		zh, en, colour string
	}{
		{"all is well", snapshot(alipay, delivery), "一切正常", "All systems operational", "green"},
		{"an outage without an incident is being checked", snapshot(down, delivery), "正在核实：支付宝", "We are checking: Alipay", "red"},
		{"slow is yellow", snapshot(in(alipay, rules.Degraded, noon)), "比平时慢：支付宝", "Slower than usual: Alipay", "yellow"},
		{"maintenance is blue", snapshot(in(alipay, rules.Maintenance, noon)), "正在维护：支付宝", "Under maintenance: Alipay", "blue"},
		{"one unseen service spoils the green", snapshot(alipay, in(delivery, rules.Unknown, noon)), "其他都正常，暂时看不到：自动发货", "All else is fine, but we can't see: Automatic delivery", "grey"},
		{"a status that nobody named is unseen", snapshot(in(alipay, "", noon)), "其他都正常，暂时看不到：支付宝", "All else is fine, but we can't see: Alipay", "grey"},
		{"nothing is watched", snapshot(), "还没有开始监测", "Nothing is being watched yet", "grey"},
		{"an open incident gives its title", with(snapshot(down), incident("a", alipay, fails, time.Minute)), "支付宝暂时无法支付", "Alipay payments are failing", "red"},
		{"a minor incident of a slow service is yellow", with(snapshot(in(alipay, rules.Degraded, noon)), minor), "支付宝暂时无法支付", "Alipay payments are failing", "yellow"},
		{"an incident of a service that left is told still", with(snapshot(delivery), incident("a", alipay, fails, time.Minute)), "支付宝暂时无法支付", "Alipay payments are failing", "red"},
		{"the worse impact goes first", with(snapshot(in(alipay, rules.Degraded, noon), in(delivery, rules.Outage, noon)), minor, incident("b", delivery, lateTitle, time.Minute)), "自动发货延迟", "Deliveries are late", "red"},
		{"a service that works again is not called recovered at once", with(snapshot(alipay), incident("a", alipay, fails, time.Minute)), "看起来已恢复，正在确认：支付宝", "Looks recovered, making sure: Alipay", "yellow"},
		{"a new outage outranks a recovery", with(snapshot(alipay, in(delivery, rules.Outage, noon)), incident("a", alipay, fails, time.Minute)), "正在核实：自动发货", "We are checking: Automatic delivery", "red"},
		{"four services are not all named", snapshot(down, in(wechat, rules.Outage, noon), in(service("a", both("甲", "A"), rules.RoleAPI, ""), rules.Outage, noon), in(service("b", both("乙", "B"), rules.RoleAPI, ""), rules.Outage, noon)), "正在核实：甲、支付宝、乙等 4 项", "We are checking: A, Alipay, B and 1 more", "red"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			s.Set(test.snapshot)
			for lang, want := range map[string]string{"zh": test.zh, "en": test.en} {
				body := s.get("/?lang=" + lang)
				if got := first(t, body, "h1"); got != want {
					t.Errorf("%s: got headline %q, want %q", lang, got, want)
				}
				if !strings.Contains(body, `<section class="verdict `+test.colour+`"`) {
					t.Errorf("%s: the verdict is not %s", lang, test.colour)
				}
			}
		})
	}
}

func with(s statuspage.Snapshot, incidents ...notifier.Incident) statuspage.Snapshot {
	s.Incidents = incidents
	return s
}

func TestWhatWeCannotSeeIsNeverGreen(t *testing.T) {
	t.Parallel()
	unseen := map[string]func(*site){
		"before the first snapshot":         func(*site) {},
		"Prometheus could not be asked":     func(s *site) { v := full(); v.Fresh = false; s.Set(v) },
		"the snapshot has no moment":        func(s *site) { v := full(); v.At = time.Time{}; s.Set(v) },
		"the snapshot was old when it came": func(s *site) { v := full(); v.At = noon.Add(-91 * time.Second); s.Set(v) },
		"nobody brings a new snapshot":      func(s *site) { s.Set(full()); s.get("/"); s.clock.advance(91 * time.Second) },
	}
	for name, prepare := range unseen {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			prepare(s)
			for _, path := range []string{"/?lang=zh", "/?lang=en", "/history?lang=en"} {
				body := strings.ReplaceAll(s.get(path), `<path class="green"`, "") // bars of the past stay what they were
				body, _, _ = strings.Cut(body, `id="recent"`)                      // as do resolved incidents
				body, _, _ = strings.Cut(body, `id="resolved"`)
				for _, word := range []string{"green", "一切正常", "All systems operational", ">正常<", ">Operational<"} {
					if strings.Contains(body, word) {
						t.Errorf("%s says %q", path, word)
					}
				}
			}
			if got := first(t, s.get("/?lang=zh"), "h1"); got != "暂时看不到最新状态" {
				t.Errorf("got headline %q", got)
			}
			for _, path := range []string{"status.json", "summary.json", "components.json"} {
				body := s.get("/api/v2/" + path)
				if strings.Contains(body, `"operational"`) || strings.Contains(body, `"none"`) || strings.Contains(body, "All Systems Operational") {
					t.Errorf("%s claims to see: %s", path, body)
				}
			}
		})
	}
}

func TestADeliveryWhoseBooksCannotBeReadIsUnseen(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	v := snapshot(alipay, delivery)
	v.Orders = []statuspage.Orders{{Shop: "star", LedgerAt: noon.Add(-20 * time.Minute), Automatic: statuspage.Waiting{Ages: map[rules.Age]int{rules.Age5to30m: 4}}}}
	s.Set(v)
	body := s.get("/?lang=en")
	if got, want := first(t, body, "h1"), "All else is fine, but we can't see: Automatic delivery"; got != want {
		t.Errorf("got headline %q, want %q", got, want)
	}
	hasLine(t, body, "p We can't read the shop's order book now; these are the numbers of 11:40:00.")
}

func TestDelayedOrdersAreCountedAndCalledRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	v := snapshot(alipay, in(delivery, rules.Outage, noon.Add(-40*time.Minute)))
	v.Orders = []statuspage.Orders{{
		Shop: "star", LedgerFresh: true, LedgerAt: noon, ShortOfStock: 2,
		Automatic: statuspage.Waiting{Ages: map[rules.Age]int{rules.AgeUnder5m: 1, rules.Age5to30m: 4, rules.AgeOver30m: 2}, Oldest: noon.Add(-40 * time.Minute)},
		Manual:    statuspage.Waiting{Ages: map[rules.Age]int{rules.AgeUnder5m: 3}, Oldest: noon.Add(-2 * time.Minute)},
	}}
	s.Set(v)
	zh := s.get("/?lang=zh")
	for _, line := range []string{
		"h1 正在核实：自动发货",
		"p 7 笔已付款的订单在等自动发货，最早的一笔从 11:20:00 等到现在（40 分钟）。",
		"p 这些订单在店铺的订单系统里都有记录：已付款，待发货。",
		"li 等了超过 30 分钟还没收到，请带上订单号联系店家。",
		"dt 不到 5 分钟", "dd 1", "dt 5 分钟到 30 分钟", "dd 4", "dt 超过 30 分钟", "dd 2",
		"p 其中 2 笔是因为缺货，要等店家补货。",
		"p 另有 3 笔人工发货的订单在等店家处理，最早的一笔从 11:58:00 开始等。",
	} {
		hasLine(t, zh, line)
	}
	if n := strings.Count(zh, "7 笔已付款"); n != 1 {
		t.Errorf("the page counts the orders %d times, want once", n)
	}
	hasLine(t, s.get("/?lang=en"), "p Each of them is recorded in the shop's order book as paid and not yet delivered.")
}

func TestAFailingPaymentNamesTheOnesThatWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	other := in(wechat, rules.Operational, time.Time{})
	other.Shop = "moon"
	s.Set(snapshot(in(alipay, rules.Outage, noon), wechat, other))
	hasLine(t, s.get("/?lang=zh"), "li 暂时别用支付宝付款。现在正常的付款方式：微信支付。")
	s.Set(snapshot(in(alipay, rules.Outage, noon), in(wechat, rules.Unknown, noon), other))
	hasLine(t, s.get("/?lang=en"), "li Don't pay with Alipay for now; wait until it reads “Operational” here.")
}

func TestWhatJustEndedIsSaidUnderTheGreen(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.Set(with(snapshot(alipay), over(incident("a", alipay, both("支付宝暂时无法支付", "Alipay payments are failing"), 20*time.Minute), 200*time.Second)))
	hasLine(t, s.get("/?lang=zh"), "p 刚刚恢复：支付宝暂时无法支付（11:40:00 至 11:43:20，持续 3 分 20 秒）。")
	hasLine(t, s.get("/?lang=en"), "p Just recovered: Alipay payments are failing (11:40:00 to 11:43:20, lasted 3 min 20 s).")
}

func TestNewSaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*statuspage.Config)
		want   string
	}{
		"no title":               {func(c *statuspage.Config) { c.Title.EN = "" }, "title is empty"},
		"no address":             {func(c *statuspage.Config) { c.BaseURL = "" }, `base URL "": want http`},
		"an address with a path": {func(c *statuspage.Config) { c.BaseURL = "https://example.com/status" }, "want scheme and host alone"},
		"a password in it":       {func(c *statuspage.Config) { c.BaseURL = "https://me:secret@example.com" }, "want scheme and host alone"},
		"no clock":               {func(c *statuspage.Config) { c.Now = nil }, "no clock"},
		"no logger":              {func(c *statuspage.Config) { c.Logger = nil }, "no logger"},
		"a refresh of nothing":   {func(c *statuspage.Config) { c.Refresh = time.Millisecond }, "refresh: got 1ms"},
		"stale before a refresh": {func(c *statuspage.Config) { c.StaleAfter = time.Second }, "stale after: got 1s"},
		"tiers in disorder":      {func(c *statuspage.Config) { c.Escalation = rules.Escalation{Ops: 2, Management: 1, Pace: 1} }, "escalation: got 2ns and 1ns"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(time.Now)
			test.change(&cfg)
			_, err := statuspage.New(cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds a password: %v", err)
			}
		})
	}
	if _, err := statuspage.New(statuspage.Config{}); err == nil || strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("an empty config: got %v, want all mistakes at once", err)
	}
}

// full is a snapshot with something of everything, all well.
func full() statuspage.Snapshot {
	c := alipay
	c.Latency = 240 * time.Millisecond
	for n := range 3 {
		c.History = append(c.History, statuspage.Bar{Start: noon.Add(time.Duration(n-3) * time.Minute), Up: 1, Seen: time.Minute, Status: rules.Operational})
	}
	v := snapshot(c, delivery)
	v.BarLength = time.Minute
	v.Orders = []statuspage.Orders{{Shop: "star", LedgerFresh: true, LedgerAt: noon, Automatic: statuspage.Waiting{Ages: map[rules.Age]int{rules.AgeUnder5m: 2}, Oldest: noon.Add(-10 * time.Second)}}}
	v.Incidents = []notifier.Incident{over(incident("old", alipay, both("支付宝曾无法支付", "Alipay payments failed"), time.Hour), 90*time.Second)}
	return v
}
