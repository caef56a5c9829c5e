package statuspage

import (
	"math"
	"net/http"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The storybook shows every page in every state without breaking anything: the
// place to look at a change of words or colours, in both languages. It is served
// in the demo alone.

// told is one story: a snapshot and the page that shows it.
type told struct {
	name    string
	about   rules.Text
	view    string // template, home.html by default
	edition *edition
}

// tell prepares all stories as of now.
func (p *Page) tell(now time.Time) []told {
	var stories []told
	add := func(name, zh, en, view string, fresh bool, change func(*Snapshot)) {
		s := sampleSnapshot(now)
		if change != nil {
			change(&s)
		}
		stories = append(stories, told{name, text(zh, en), view, newEdition(s, now, fresh)})
	}
	const home, incident, history, maintenance = "home.html", "incident.html", "history.html", "maintenance.html"
	add("well", "一切正常", "All is well", home, true, nil)
	add("checking", "刚出故障，还在核实", "A failure, still being checked", home, true, func(s *Snapshot) { strike(s, "alipay", rules.Outage, 12*time.Second) })
	add("outage", "支付宝故障", "Alipay is down", home, true, payment)
	add("told", "店家说了进展", "Told how it stands", home, true, worked)
	add("overdue", "说好的时间过了", "Later than promised", home, true, func(s *Snapshot) { worked(s); s.Incidents[0].ETA.At = now.Add(-4 * time.Minute).Truncate(time.Minute) })
	add("several", "同时多个故障", "Several failures at once", home, true, func(s *Snapshot) { payment(s); late(s); strike(s, "sms", rules.Degraded, time.Minute) })
	add("late", "发货延迟", "Delivery is late", home, true, late)
	add("queue", "正常排队发货", "Orders on their way", home, true, func(s *Snapshot) {
		s.Orders[0].Automatic = Waiting{map[rules.Age]int{rules.AgeUnder5m: 2}, now.Add(-40 * time.Second)}
	})
	add("slow", "偏慢", "Slow", home, true, func(s *Snapshot) { strike(s, "web", rules.Degraded, 3*time.Minute) })
	add("recovering", "看起来恢复了", "Looks recovered", home, true, func(s *Snapshot) { payment(s); strike(s, "alipay", rules.Operational, 0) })
	add("recovered", "已恢复", "Recovered", home, true, resolved)
	add("planned", "维护", "Maintenance", home, true, func(s *Snapshot) { strike(s, "api", rules.Maintenance, 0) })
	add("scheduled", "计划了维护", "Maintenance is planned", home, true, scheduled)
	add("working", "计划的维护正在进行", "Planned maintenance goes on", home, true, func(s *Snapshot) { begun(s, 47*time.Minute) })
	add("working-late", "维护超过了计划的时间", "Maintenance takes longer than planned", home, true, checked)
	add("working-shop", "整个店铺在维护", "The whole shop is under maintenance", home, true, func(s *Snapshot) { begun(s, 47*time.Minute); s.Maintenances[0].Services = []string{"demo"} })
	add("working-blind", "维护期间看不到状态", "Maintenance while we can't see", home, false, func(s *Snapshot) { begun(s, 47*time.Minute) })
	add("working-outage", "维护期间别处出故障", "Maintenance, and a failure elsewhere", home, true, func(s *Snapshot) {
		begun(s, 47*time.Minute)
		s.Maintenances[0].Services = []string{"demo/api"}
		payment(s)
	})
	add("worked", "维护刚刚完成", "Maintenance just completed", home, true, finished)
	add("partly", "有一项看不到", "One service unseen", home, true, func(s *Snapshot) { strike(s, "sms", rules.Unknown, 0) })
	add("books", "读不到订单", "Order book unreadable", home, true, func(s *Snapshot) {
		late(s)
		s.Incidents = nil
		strike(s, rules.ServiceDelivery, rules.Operational, 0)
		s.Orders[0].LedgerFresh, s.Orders[0].LedgerAt = false, now.Add(-20*time.Minute)
	})
	add("blind", "监测中断", "We can't see", home, false, payment)
	add("interrupted", "告警链路中断", "Nobody judges", home, true, func(s *Snapshot) { s.Interrupted = true })
	add("starting", "刚启动", "Just started", home, false, func(s *Snapshot) { *s = Snapshot{} })
	add("shops", "两家店", "Two shops", home, true, secondShop)
	add("incident-open", "故障页：进行中", "Incident page: open", incident, true, payment)
	add("incident-told", "故障页：店家说了进展", "Incident page: told how it stands", incident, true, worked)
	add("incident-over", "故障页：已恢复", "Incident page: over", incident, true, resolved)
	add("maintenance-planned", "维护页：计划中", "Maintenance page: planned", maintenance, true, scheduled)
	add("maintenance-working", "维护页：进行中", "Maintenance page: going on", maintenance, true, func(s *Snapshot) { begun(s, 47*time.Minute) })
	add("maintenance-late", "维护页：超过计划的时间", "Maintenance page: longer than planned", maintenance, true, checked)
	add("maintenance-over", "维护页：已完成", "Maintenance page: completed", maintenance, true, finished)
	add("maintenance-off", "维护页：已取消", "Maintenance page: cancelled", maintenance, true, func(s *Snapshot) { finished(s); s.Maintenances = s.Maintenances[1:]; s.Maintenances[0].ID = "work" })
	add("history", "历史记录", "History", history, true, func(s *Snapshot) { resolved(s); finished(s) })
	add("history-none", "没有记录", "Empty history", history, true, nil)
	add("missing", "没有这个页面", "No such page", "missing.html", true, nil)
	return stories
}

func (p *Page) routeStorybook(mux *http.ServeMux) {
	mux.HandleFunc("/storybook", func(w http.ResponseWriter, r *http.Request) {
		p.page(w, r, p.edition(), "storybook", "storybook.html", func(c composer) any { return c.storybook() })
	})
	for _, story := range p.stories {
		mux.HandleFunc("/storybook/"+story.name, func(w http.ResponseWriter, r *http.Request) {
			p.page(w, r, story.edition, "story", story.view, func(c composer) any {
				c.story = "/storybook/" + story.name
				switch story.view {
				case "incident.html":
					return c.incidentPage(*c.incident("sample"))
				case "maintenance.html":
					return c.maintenancePage(*c.maintenance("work"))
				case "history.html":
					return c.history()
				case "missing.html":
					return c.missing()
				}
				return c.home()
			})
		})
	}
}

func (c composer) storybook() storybookPage {
	page := storybookPage{base: c.base("/storybook", c.say(labels["storybook"]), grey)}
	page.Refresh = 0
	for _, story := range c.page.stories {
		page.Stories = append(page.Stories, storyView{URL: "/storybook/" + story.name + c.choice, About: c.say(story.about)})
	}
	return page
}

// sampleSnapshot is a healthy shop with a past.
func sampleSnapshot(now time.Time) Snapshot {
	const shop = "demo"
	site, pay, goods := text("网站", "Website"), text("付款方式", "Payment methods"), text("发货与通知", "Delivery and messages")
	service := func(id string, name, group rules.Text, role rules.Role, position int, latency time.Duration) Component {
		return Component{
			Service: notifier.Service{
				Shop: shop, ID: id, Name: name, Group: group, Role: role, Position: position,
				Critical: role == rules.RoleDelivery, Public: true, Status: rules.Operational,
			},
			Latency: latency, History: sampleHistory(now, position),
		}
	}
	return Snapshot{
		At: now.Add(-time.Second), Fresh: true, BarLength: 24 * time.Hour,
		Services: []Component{
			service("web", text("店铺网页", "Shop pages"), site, rules.RoleStorefront, 1, 182*time.Millisecond),
			service("api", text("下单接口", "Ordering API"), site, rules.RoleAPI, 2, 46*time.Millisecond),
			service("alipay", text("支付宝", "Alipay"), pay, rules.RolePayment, 3, 240*time.Millisecond),
			service("wechat", text("微信支付", "WeChat Pay"), pay, rules.RolePayment, 4, 310*time.Millisecond),
			service("usdt", text("USDT", "USDT"), pay, rules.RolePayment, 5, 1300*time.Millisecond),
			service(rules.ServiceDelivery, text("自动发货", "Automatic delivery"), goods, rules.RoleDelivery, 6, 0),
			service("sms", text("短信通知", "Text messages"), goods, rules.RoleSMS, 7, 95*time.Millisecond),
		},
		Orders: []Orders{{Shop: shop, LedgerFresh: true, LedgerAt: now.Add(-2 * time.Second)}},
	}
}

// sampleHistory is 90 days, with trouble and a gap on days that differ by service.
func sampleHistory(now time.Time, seed int) []Bar {
	bars := make([]Bar, maxBars)
	for n := range bars {
		bar := Bar{Start: now.Add(time.Duration(n-maxBars) * 24 * time.Hour), Up: 1, Seen: 24 * time.Hour, Status: rules.Operational}
		switch {
		case n < 4*(seed%3):
			bar.Up, bar.Seen, bar.Status = math.NaN(), 0, rules.Unknown
		case (n+11*seed)%41 == 0:
			bar.Outage, bar.Status = 13*time.Minute, rules.Outage
			bar.Up = 1 - bar.Outage.Hours()/24
		case (n+5*seed)%37 == 0:
			bar.Up, bar.Status = 1, rules.Degraded
		}
		bars[n] = bar
	}
	return bars
}

// strike changes a service's status, in trouble for so long.
func strike(s *Snapshot, id string, status rules.Status, lasting time.Duration) {
	for i := range s.Services {
		if c := &s.Services[i]; c.ID == id {
			c.Status, c.Since = status, time.Time{}
			if lasting > 0 {
				c.Since = s.At.Add(-lasting)
			}
			if last := len(c.History) - 1; status == rules.Outage || status == rules.Degraded {
				c.History[last].Status = status
				if status == rules.Outage {
					c.History[last].Outage = lasting
				}
			}
		}
	}
}

// payment is Alipay down for a while, told to the people on duty.
func payment(s *Snapshot) {
	const lasting = 6*time.Minute + 20*time.Second
	strike(s, "alipay", rules.Outage, lasting)
	since := s.At.Add(-lasting)
	s.Incidents = append(s.Incidents, notifier.Incident{
		ID: "sample", Key: "demo/alipay", Service: s.Services[2].Service, Public: true,
		Title:  text("支付宝暂时无法支付", "Alipay payments are failing"),
		Status: notifier.Investigating, Impact: notifier.ImpactMajor,
		Since: since, Opened: since.Add(5 * time.Minute),
		Told: map[rules.Audience]time.Time{rules.Ops: since.Add(5*time.Minute + 3*time.Second)},
		Updates: []notifier.Update{{
			At: since.Add(5 * time.Minute), Status: notifier.Investigating,
			Text: text("支付宝付款从几分钟前开始失败，我们正在查原因。", "Payments by Alipay began to fail some minutes ago. We are looking for the cause."),
		}},
	})
}

// worked is the same, told by people: who is affected, until when, what to do.
func worked(s *Snapshot) {
	payment(s)
	i := &s.Incidents[0]
	full := s.At.Truncate(time.Minute)
	i.Status = notifier.Monitoring
	i.Scope = text("用支付宝付款的买家；微信支付和 USDT 不受影响", "Buyers who pay with Alipay; WeChat Pay and USDT work")
	i.Workaround = text("请先用微信支付付款。\n已经扣款的订单恢复后会自动补发。", "Please pay with WeChat Pay for now.\nOrders that were charged will be delivered once it works again.")
	i.ETA = notifier.ETA{At: full.Add(25 * time.Minute), Earlier: []time.Time{full.Add(5 * time.Minute)}}
	i.Updates = append(i.Updates,
		notifier.Update{
			At: i.Opened.Add(20 * time.Second), Status: notifier.Identified, By: "小王", ETA: i.ETA.Earlier[0], Scope: i.Scope,
			Text: text("支付网关的证书过期了，正在更换。", "The payment gateway's certificate has run out; it is being replaced."),
		},
		notifier.Update{
			At: i.Opened.Add(50 * time.Second), Status: notifier.Monitoring, By: "小王", ETA: i.ETA.At, Workaround: i.Workaround,
			Text: text("证书已更换，等支付平台那边生效。", "The certificate is replaced; the provider has yet to take it up."),
		})
}

// late is delivery that hangs with orders of every age.
func late(s *Snapshot) {
	const lasting = 34*time.Minute + 5*time.Second
	strike(s, rules.ServiceDelivery, rules.Outage, lasting)
	since := s.At.Add(-lasting)
	s.Incidents = append(s.Incidents, notifier.Incident{
		ID: "late", Key: "demo/delivery", Service: s.Services[5].Service, Public: true,
		Title:  text("自动发货延迟", "Automatic delivery is late"),
		Status: notifier.Identified, Impact: notifier.ImpactMajor,
		Since: since, Opened: since.Add(5 * time.Minute),
		Told: map[rules.Audience]time.Time{rules.Ops: since.Add(5 * time.Minute), rules.Management: since.Add(30 * time.Minute)},
		Updates: []notifier.Update{
			{At: since.Add(5 * time.Minute), Status: notifier.Investigating, Text: text("付款成功的订单没有按时发货，正在排查。", "Paid orders are not being delivered in time. We are looking into it.")},
			{At: since.Add(21 * time.Minute), Status: notifier.Identified, Text: text("发货程序卡住了，正在重启。", "The delivery worker hangs; it is being restarted.")},
		},
	})
	s.Orders[0].Automatic = Waiting{map[rules.Age]int{rules.AgeUnder5m: 3, rules.Age5to30m: 8, rules.AgeOver30m: 2}, since}
	s.Orders[0].Manual = Waiting{map[rules.Age]int{rules.AgeOver30m: 1}, s.At.Add(-50 * time.Minute)}
	s.Orders[0].ShortOfStock = 2
}

// resolved is a shop that is well again, with incidents behind it.
func resolved(s *Snapshot) {
	payment(s)
	late(s)
	strike(s, "alipay", rules.Operational, 0)
	strike(s, rules.ServiceDelivery, rules.Operational, 0)
	s.Orders[0] = Orders{Shop: "demo", LedgerFresh: true, LedgerAt: s.At}
	for n := range s.Incidents {
		i := &s.Incidents[n]
		i.Status = notifier.Resolved
		i.Over, i.Closed = s.At.Add(-90*time.Second), s.At.Add(-30*time.Second)
		i.Updates = append(i.Updates, notifier.Update{At: i.Closed, Status: notifier.Resolved, Text: text("已经恢复正常。", "It works again.")})
	}
	old := s.Incidents[1]
	old.ID, old.Updates, old.Told = "older", nil, nil
	old.Since, old.Opened = s.At.Add(-50*time.Hour), s.At.Add(-50*time.Hour+5*time.Minute)
	old.Over, old.Closed = old.Since.Add(13*time.Minute+20*time.Second), old.Since.Add(15*time.Minute)
	s.Incidents = append(s.Incidents, old)
}

// secondShop adds another shop with services of the same ids.
func secondShop(s *Snapshot) {
	s.Shops = []Shop{{"demo", text("星卡小铺", "Star Cards")}, {"moon", text("月卡小铺", "Moon Cards")}}
	for _, c := range s.Services[2:6] {
		c.Shop = "moon"
		s.Services = append(s.Services, c)
	}
	s.Orders = append(s.Orders, Orders{Shop: "moon", LedgerFresh: true, LedgerAt: s.At, Automatic: Waiting{map[rules.Age]int{rules.AgeUnder5m: 1}, s.At.Add(-8 * time.Second)}})
}
