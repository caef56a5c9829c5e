package statuspage_test

import (
	"encoding/json"
	"encoding/xml"
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
			hasLine(t, s.get("/maintenances/a?lang=zh"), "dd "+test.zh)
			hasLine(t, s.get("/?lang=en"), "p "+test.en)
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

func TestStatuspageClientsUnderstandPlannedWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	list := works(both("搬数据库", "Moving the database"), "star/alipay", "star")
	list[1].Updates = append(list[1].Updates, notifier.MaintenanceUpdate{At: noon.Add(-time.Minute), Status: notifier.InProgress, Window: notifier.Window{From: noon.Add(-time.Hour), Until: noon.Add(2 * time.Hour)}})
	list[1].Window.Until = noon.Add(2 * time.Hour)
	off := maintenance("off", both("取消", "Off"), "star")
	off.Status, off.Ended = notifier.Cancelled, noon
	v := full()
	v.Maintenances = append(list, off)
	s.Set(v)
	type planned struct {
		ID, Name, Status, Impact, Shortlink, Scheduled_For, Scheduled_Until string
		Created_At, Updated_At, Started_At                                  string
		Resolved_At                                                         *string
		Incident_Updates                                                    []struct{ ID, Status, Body, Incident_ID, Created_At string }
		Components                                                          []struct{ Name, Status string }
		Shopwatch                                                           struct {
			Services []rules.Text
			Overdue  bool
		}
	}
	ask := func(path string) (list []planned) {
		var answer struct {
			Page                   struct{ ID string }
			Scheduled_Maintenances []planned
		}
		if err := json.Unmarshal([]byte(s.get("/api/v2/"+path)), &answer); err != nil || answer.Page.ID == "" || answer.Scheduled_Maintenances == nil {
			t.Errorf("%s: %v, %+v", path, err, answer)
		}
		return answer.Scheduled_Maintenances
	}
	for path, want := range map[string]string{
		"scheduled-maintenances.json": "ongoing planned past", "summary.json": "ongoing planned",
		"scheduled-maintenances/upcoming.json": "planned", "scheduled-maintenances/active.json": "ongoing",
	} {
		var ids []string
		for _, m := range ask(path) {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s lists %q, want %q", path, got, want)
		}
	}
	m := ask("scheduled-maintenances/active.json?lang=en")[0]
	if m.Name != "Moving the database" || m.Status != "in_progress" || m.Impact != "maintenance" || m.Shortlink != "https://status.example.com/maintenances/ongoing" ||
		m.Scheduled_For != "2026-07-01T03:00:00.000Z" || m.Scheduled_Until != "2026-07-01T06:00:00.000Z" || m.Started_At != m.Scheduled_For ||
		m.Created_At != "2026-07-01T01:00:00.000Z" || m.Updated_At != "2026-07-01T03:59:00.000Z" || m.Resolved_At != nil || m.Shopwatch.Overdue {
		t.Errorf("got %+v", m)
	}
	if c := m.Components; len(c) != 2 || c[0].Name != "Alipay" || c[0].Status != "under_maintenance" || len(m.Shopwatch.Services) != 1 || m.Shopwatch.Services[0].EN != "the whole shop" {
		t.Errorf("got components %+v and names %+v", c, m.Shopwatch.Services)
	}
	if u := m.Incident_Updates; len(u) != 2 || u[0].Status != "in_progress" || u[0].Body != "New time: Wed, Jul 1, 11:00 to 14:00 (3 h, Beijing time)" || u[1].Body != "Moving the database\nPlanned for: Wed, Jul 1, 11:00 to 13:00 (2 h, Beijing time)" || u[1].ID != "ongoing-1" || u[1].Status != "scheduled" || u[1].Created_At != m.Created_At {
		t.Errorf("got updates %+v, want the newest first and what was announced last", u)
	}
	if done := ask("scheduled-maintenances.json")[2]; done.Status != "completed" || done.Resolved_At == nil || *done.Resolved_At != "2026-07-01T03:50:00.000Z" {
		t.Errorf("got %+v", done)
	}
	if body := s.get("/api/v2/status.json"); !strings.Contains(body, `"indicator":"maintenance","description":"Service Under Maintenance"`) {
		t.Errorf("the status says %s", body)
	}
}

func TestTheFeedsHoldOneEntryAWorkThatMovesAsItIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	title := both("搬<b>数据库</b>", "Moving the <b>database</b>")
	m := maintenance("work", title, "star/alipay")
	begun := m
	begun.Status, begun.Began = notifier.InProgress, m.Window.From
	told := begun
	told.Updates = []notifier.MaintenanceUpdate{{At: m.Window.From.Add(time.Hour), Status: notifier.InProgress, Text: both("<i>过半</i>", "<i>half</i>"), By: "SECRET"}}
	done := told
	done.Status, done.Ended = notifier.Completed, m.Window.From.Add(90*time.Minute)
	off := m
	off.Status, off.Ended = notifier.Cancelled, noon.Add(time.Minute)
	for _, state := range []struct {
		name    string
		work    notifier.Maintenance
		updated string
		title   string
		says    []string
	}{
		{"scheduled", m, "2026-07-01T03:00:00Z", "Maintenance: Moving the <b>database</b>", []string{"<b>Scheduled</b> Thu, Jul 2, 2026, 02:00 to 04:00 (2 h, Beijing time)", "Affects: Alipay"}},
		{"begun", begun, "2026-07-01T18:00:00Z", "Maintenance: Moving the <b>database</b>", []string{"<b>In progress</b> Thu, Jul 2, 2026, 02:00 to 04:00"}},
		{"updated", told, "2026-07-01T19:00:00Z", "Maintenance: Moving the <b>database</b>", []string{"&lt;i&gt;half&lt;/i&gt;"}},
		{"completed", done, "2026-07-01T19:30:00Z", "Maintenance completed: Moving the <b>database</b>", []string{"Jul 2, 2026, 02:00:00 to Jul 2, 2026, 03:30:00, lasted 1 h 30 min"}},
		{"cancelled", off, "2026-07-01T04:01:00Z", "Maintenance cancelled: Moving the <b>database</b>", []string{"It was planned for Thu, Jul 2, 2026, 02:00 to 04:00"}},
	} {
		s.Set(planning(snapshot(alipay), state.work))
		var atom struct {
			Updated string `xml:"updated"`
			Entries []struct {
				ID        string `xml:"id"`
				Title     string `xml:"title"`
				Published string `xml:"published"`
				Updated   string `xml:"updated"`
				Content   string `xml:"content"`
			} `xml:"entry"`
		}
		body := s.get("/history.atom?lang=en")
		if err := xml.Unmarshal([]byte(body), &atom); err != nil || len(atom.Entries) != 1 {
			t.Fatalf("%s: %v, %+v", state.name, err, atom)
		}
		e := atom.Entries[0]
		if e.ID != "tag:status.example.com,2025-01-01:maintenances/work" || e.Published != "2026-07-01T03:00:00Z" || e.Updated != state.updated || atom.Updated != e.Updated || e.Title != state.title {
			t.Errorf("%s: got entry %+v", state.name, e)
		}
		for _, want := range state.says {
			if !strings.Contains(e.Content, want) {
				t.Errorf("%s: no %q in %s", state.name, want, e.Content)
			}
		}
		if strings.Contains(e.Content, "<b>database") || strings.Contains(e.Content, "<i>") {
			t.Errorf("%s: the entry's content is not escaped: %s", state.name, e.Content)
		}
		if rss := s.get("/history.rss?lang=en"); !strings.Contains(rss, `<guid isPermaLink="true">https://status.example.com/maintenances/work</guid>`) || strings.Count(rss, "<item>") != 1 {
			t.Errorf("%s: got %s", state.name, rss)
		}
		s.clock.advance(20 * time.Hour)
		s.Set(planning(snapshot(alipay), state.work))
		if s.get("/history.atom?lang=en") != body {
			t.Errorf("%s: the feed changed though nothing happened", state.name)
		}
	}
}

func TestWhilePaymentsAreWorkedOnTheOnesThatWorkAreNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	m := working("work", both("升级", "Upgrade"), "star/alipay", "star/delivery")
	s.Set(planning(snapshot(alipay, delivery, wechat), m))
	hasLine(t, s.get("/?lang=en"), "li Don't pay with Alipay for now. These work: WeChat Pay.")
	m.Services = []string{"star"}
	s.Set(planning(snapshot(alipay, delivery, wechat), m))
	hasLine(t, s.get("/?lang=zh"), "li 暂时别用支付宝、微信支付付款，等这里显示“正常”再付。")
	m.Services = []string{"star/delivery"}
	s.Set(planning(snapshot(alipay, delivery, wechat), m))
	if body := s.get("/?lang=en"); strings.Contains(body, `class="advice"`) {
		t.Error("the page gives advice on payments that work")
	}
}

func TestWhatStandsAboveATimelineIsNotToldAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	m := working("work", both("搬数据库", "Moving the database"), "star/alipay")
	m.Text = both("不能下单", "No orders meanwhile")
	m.Updates = []notifier.MaintenanceUpdate{
		{At: m.Created, Status: notifier.Scheduled, Text: m.Text, Window: m.Window},
		{At: m.Began, Status: notifier.InProgress, Text: m.Text},
	}
	s.Set(planning(snapshot(alipay), m))
	if body := s.get("/maintenances/work?lang=en"); strings.Count(body, "No orders meanwhile") != 1 {
		t.Error("the page repeats the text in its timeline")
	}
	hasLine(t, s.get("/maintenances/work?lang=en"), "p In progress 11:00:00")
	if body := s.get("/?lang=en"); strings.Count(body, "No orders meanwhile") != 1 || strings.Contains(body, `class="updates"`) {
		t.Error("the home page shows a timeline that tells nothing new")
	}
}

func TestHistoryListsWorkAmongIncidentsByDay(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	moving := both("搬数据库", "Moving the database")
	done := working("done", moving, "star/alipay")
	done.Began, done.Status, done.Ended = noon.Add(-30*time.Hour), notifier.Completed, noon.Add(-29*time.Hour)
	off := maintenance("off", both("断电", "Power work"), "star")
	off.Status, off.Ended = notifier.Cancelled, noon.Add(-2*time.Hour)
	v := full() // with an incident an hour ago
	v.Maintenances = []notifier.Maintenance{done, off}
	s.Set(v)
	_, got, _ := strings.Cut(strings.Join(outline(t, s.get("/history?lang=en")), "\n"), "h2 Past\n")
	got, _, _ = strings.Cut(got, "\np All times")
	want := strings.Join([]string{
		"h3 Wednesday, July 1, 2026",
		"p Alipay payments failed Resolved", "p 11:00:00 to 11:01:30, lasted 1 min 30 s",
		"p Power work Maintenance cancelled", "p It was planned for Thu, Jul 2, 02:00 to 04:00 (2 h, Beijing time)",
		"h3 Tuesday, June 30, 2026",
		"p Moving the database Maintenance completed", "p Jun 30, 06:00:00 to Jun 30, 07:00:00, lasted 1 h",
	}, "\n")
	if got != want {
		t.Errorf("the history says\n%s\nwant\n%s", got, want)
	}
}
