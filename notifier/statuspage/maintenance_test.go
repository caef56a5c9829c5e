package statuspage_test

import (
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/statuspage"
	"shopwatch/rules"
)

// maintenance is planned for 02:00 to 04:00 of the next day in Shanghai.
func maintenance(id string, title rules.Text, services ...string) notifier.Maintenance {
	return notifier.Maintenance{
		ID: id, Title: title, Text: title, Services: services, Status: notifier.Scheduled, Created: noon.Add(-time.Hour),
		Window: notifier.Window{From: noon.Add(14 * time.Hour), Until: noon.Add(16 * time.Hour)},
	}
}

// working is planned work that began an hour before noon, for two hours.
func working(id string, title rules.Text, services ...string) notifier.Maintenance {
	m := maintenance(id, title, services...)
	m.Window = notifier.Window{From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}
	m.Created, m.Began, m.Status = noon.Add(-3*time.Hour), m.Window.From, notifier.InProgress
	return m
}

// works is one that is planned, one that goes on and one that is over, each with
// what people wrote, who they are and what they did.
func works(title rules.Text, services ...string) []notifier.Maintenance {
	done := working("past", title, services...)
	done.Status, done.Ended = notifier.Completed, noon.Add(-10*time.Minute)
	list := []notifier.Maintenance{maintenance("planned", title, services...), working("ongoing", title, services...), done}
	for n := range list {
		m := &list[n]
		m.Services = append([]string{}, services...)
		m.Updates = []notifier.MaintenanceUpdate{{At: m.Created, Status: notifier.Scheduled, Text: title, By: "SECRET person", Window: m.Window}}
		m.Acts = []notifier.Act{{At: m.Created, By: "SECRET person", Deed: notifier.DeedSchedule, Detail: "SECRET detail"}}
	}
	return list
}

// planning is a snapshot with planned work.
func planning(v statuspage.Snapshot, list ...notifier.Maintenance) statuspage.Snapshot {
	v.Maintenances = list
	return v
}

func lasting(m notifier.Maintenance, until time.Time) notifier.Maintenance {
	m.Window.Until = until
	return m
}

func TestPlannedWorkIsToldWhateverIsMeasured(t *testing.T) {
	t.Parallel()
	moving := both("搬数据库", "Moving the database")
	fails := both("支付宝暂时无法支付", "Alipay payments are failing")
	down, lateDown := in(alipay, rules.Outage, noon.Add(-time.Minute)), in(delivery, rules.Outage, noon.Add(-time.Minute))
	private := delivery
	private.Public = false
	other := alipay
	other.Shop = "moon"
	tests := []struct {
		name           string
		snapshot       statuspage.Snapshot
		zh, en, colour string
	}{
		{"work ahead leaves the headline as it is", planning(snapshot(alipay), maintenance("a", moving, "star/alipay")), "一切正常", "All systems operational", "green"},
		{"a service that fails while it is worked on is under maintenance", planning(snapshot(down), working("a", moving, "star/alipay")), "正在维护：支付宝", "Under maintenance: Alipay", "blue"},
		{"so is one that nobody sees", planning(snapshot(in(alipay, rules.Unknown, noon)), working("a", moving, "star/alipay")), "正在维护：支付宝", "Under maintenance: Alipay", "blue"},
		{"a shop is named as a whole", planning(snapshot(down, delivery), working("a", moving, "star", "star/alipay")), "正在维护：整个店铺", "Under maintenance: the whole shop", "blue"},
		{"and by its name where it has one", planning(statuspage.Snapshot{At: noon, Fresh: true, Shops: []statuspage.Shop{{ID: "star", Name: both("星卡", "Star")}, {ID: "moon", Name: both("月卡", "Moon")}}, Services: []statuspage.Component{alipay, other}}, working("a", moving, "moon")), "正在维护：月卡", "Under maintenance: Moon", "blue"},
		{"a private service that is worked on is not named", planning(snapshot(alipay, private), working("a", moving, "star/delivery", "star/alipay")), "正在维护：支付宝", "Under maintenance: Alipay", "blue"},
		{"work on private services alone is nobody's business", planning(snapshot(alipay, private), working("a", moving, "star/delivery")), "一切正常", "All systems operational", "green"},
		{"two works name their services", planning(snapshot(alipay, delivery), working("a", moving, "star/alipay"), working("b", moving, "star/delivery")), "正在维护：支付宝、自动发货", "Under maintenance: Alipay, Automatic delivery", "blue"},
		{"an incident of what is worked on does not lead", planning(with(snapshot(down), incident("i", alipay, fails, time.Minute)), working("a", moving, "star/alipay")), "正在维护：支付宝", "Under maintenance: Alipay", "blue"},
		{"an incident elsewhere leads", planning(with(snapshot(down, delivery), incident("i", alipay, fails, time.Minute)), working("a", moving, "star/delivery")), "支付宝暂时无法支付", "Alipay payments are failing", "red"},
		{"an outage elsewhere leads", planning(snapshot(alipay, lateDown), working("a", moving, "star/alipay")), "正在核实：自动发货", "We are checking: Automatic delivery", "red"},
		{"a recovery elsewhere leads", planning(with(snapshot(alipay, delivery), incident("i", alipay, fails, time.Minute)), working("a", moving, "star/delivery")), "看起来已恢复，正在确认：支付宝", "Looks recovered, making sure: Alipay", "yellow"},
		{"work that is over leaves what is measured", planning(snapshot(alipay), works(moving, "star/alipay")[2]), "一切正常", "All systems operational", "green"},
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

func TestAWindowIsSaidWithItsDayAndLengthInThePagesZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute, second int) time.Time {
		return time.Date(2026, 10, day, hour, minute, second, 0, time.UTC)
	}
	tests := []struct {
		name        string
		zone        *time.Location
		from, until time.Time
		zh, en      string
	}{
		{"within a day", nil, at(1, 1, 0, 0), at(1, 3, 30, 0), "10月1日（周四）09:00 至 11:30（2 小时 30 分，北京时间）", "Thu, Oct 1, 09:00 to 11:30 (2 h 30 min, Beijing time)"},
		{"over midnight there", nil, at(1, 15, 0, 0), at(1, 17, 0, 0), "10月1日（周四）23:00 至 10月2日（周五）01:00（2 小时，北京时间）", "Thu, Oct 1, 23:00 to Fri, Oct 2, 01:00 (2 h, Beijing time)"},
		{"in another year", nil, at(93, 1, 0, 0), at(93, 2, 0, 0), "2027年1月1日（周五）09:00 至 10:00（1 小时，北京时间）", "Fri, Jan 1, 2027, 09:00 to 10:00 (1 h, Beijing time)"},
		{"to the second, as in the demo", nil, at(1, 1, 0, 0), at(1, 1, 1, 30), "10月1日（周四）09:00:00 至 09:01:30（1 分 30 秒，北京时间）", "Thu, Oct 1, 09:00:00 to 09:01:30 (1 min 30 s, Beijing time)"},
		{"while the clocks go back an hour", berlin, at(24, 23, 0, 0), at(25, 3, 0, 0), "10月25日（周日）01:00 至 04:00（4 小时，Europe/Berlin）", "Sun, Oct 25, 01:00 to 04:00 (4 h, Europe/Berlin)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(c *statuspage.Config) { c.Zone = test.zone })
			m := maintenance("a", both("搬数据库", "Moving the database"), "star/alipay")
			m.Window = notifier.Window{From: test.from, Until: test.until}
			s.Set(planning(snapshot(alipay), m))
			hasLine(t, s.get("/?lang=zh"), "p "+test.zh)
			hasLine(t, s.get("/maintenances/a?lang=en"), "dd "+test.en)
		})
	}
}

func TestWorkThatTakesLongerThanPlannedSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	m := working("a", both("搬数据库", "Moving the database"), "star/alipay")
	s.Set(planning(snapshot(alipay), m))
	hasLine(t, s.get("/?lang=zh"), "p 预计 13:00 结束。")
	hasLine(t, s.get("/maintenances/a?lang=en"), "p Expected to end by 13:00")
	s.clock.advance(time.Hour)
	v := planning(snapshot(alipay), m)
	v.At = s.clock.Now()
	s.Set(v)
	const late = "It was planned to end by 13:00, and takes longer than planned"
	hasLine(t, s.get("/?lang=en"), "p "+late+".")
	for _, path := range []string{"/maintenances/a?lang=en", "/history?lang=en"} {
		hasLine(t, s.get(path), "p "+late)
	}
	if body := s.get("/?lang=en"); strings.Contains(body, "until 13:00") {
		t.Error("the service's row promises an end that has passed")
	}
	v.Fresh = false
	s.Set(v)
	hasLine(t, s.get("/?lang=en"), "p "+late)
}

func TestTheHomePageTellsTheNextWorkFirstAndNotAll(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	var list []notifier.Maintenance
	for n, id := range []string{"E", "C", "A", "D", "B"} {
		m := maintenance(id, both(id, id), "star/alipay")
		shift := []time.Duration{5, 3, 1, 4, 2}[n] * 24 * time.Hour
		m.Window.From, m.Window.Until = m.Window.From.Add(shift), m.Window.Until.Add(shift)
		list = append(list, m)
	}
	s.Set(planning(snapshot(alipay), list...))
	order := func(path string) string {
		var titles string
		for _, line := range outline(t, s.get(path)) {
			if title, found := strings.CutPrefix(line, "h3 "); found && strings.HasSuffix(title, " Scheduled") {
				titles += title[:1]
			}
		}
		return titles
	}
	if got := order("/?lang=en"); got != "ABC" {
		t.Errorf("the home page tells %q, want ABC", got)
	}
	if got := order("/history?lang=en"); got != "ABCDE" {
		t.Errorf("the history tells %q, want ABCDE", got)
	}
	hasLine(t, s.get("/?lang=en"), "p More planned maintenance: 2")
}

func TestAServiceIsExpectedBackWhenItsLastWorkEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	moving := both("搬数据库", "Moving the database")
	s.Set(planning(snapshot(alipay, delivery), working("a", moving, "star/alipay"), lasting(working("b", moving, "star"), noon.Add(3*time.Hour))))
	hasLine(t, s.get("/?lang=en"), "p Alipay Maintenance until 15:00")
	if body := s.get("/badge/star/alipay.svg?lang=en"); !strings.Contains(body, "<title>Alipay: Maintenance</title>") {
		t.Errorf("the badge says %s", body)
	}
}
