package statuspage_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/statuspage"
	"shopwatch/rules"
)

// documents are all addresses that show what a snapshot holds.
var documents = []string{
	"/?lang=zh", "/?lang=en", "/history?lang=zh", "/history?lang=en", "/incidents/open", "/incidents/old",
	"/maintenances/planned", "/maintenances/ongoing?lang=en", "/maintenances/past",
	"/history.atom", "/history.rss", "/maintenances.ics", "/badge/star/alipay.svg",
	"/api/v2/summary.json", "/api/v2/status.json", "/api/v2/components.json", "/api/v2/incidents.json", "/api/v2/incidents/unresolved.json",
	"/api/v2/scheduled-maintenances.json", "/api/v2/scheduled-maintenances/upcoming.json", "/api/v2/scheduled-maintenances/active.json",
}

func TestNothingPrivateAppearsAnywhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	v := full()
	secret := service("ledger-db", both("秘密数据库", "SECRET database"), rules.RoleDatabase, rules.Outage)
	secret.Public, secret.Group = false, both("秘密组", "SECRET group")
	v.Services = append(v.Services, secret)

	// A public incident of a service that was made private, a private incident of
	// a public service, one whose service never was public, and one of a
	// stranger's alert.
	hidden := secret
	hidden.Public = true
	private := incident("hidden-b", alipay, both("秘密乙", "SECRET b"), time.Minute)
	private.Public = false
	v.Incidents = append(v.Incidents,
		incident("hidden-a", hidden, both("秘密甲", "SECRET a"), time.Minute), private,
		over(incident("hidden-c", secret, both("秘密丙", "SECRET c"), time.Minute), time.Second),
		notifier.Incident{ID: "hidden-d", Key: "0123456789abcdef", Public: true, Title: both("秘密丁", "SECRET d"), Since: noon, Opened: noon})
	shown := incident("open", alipay, both("支付宝暂时无法支付", "Alipay payments are failing"), time.Minute)
	shown.Alerts = []notifier.ActiveAlert{{Fingerprint: "SECRETfingerprint", Name: "SECRETAlert"}}
	v.Incidents = append(v.Incidents, shown)

	// Work on public and private services, and work on private ones alone.
	v.Maintenances = works(both("搬数据库", "Moving the database"), "star/ledger-db", "star/alipay", "SECRETshop", "star/hidden-service")
	v.Maintenances = append(v.Maintenances, maintenance("hidden-e", both("秘密戊", "SECRET e"), "star/ledger-db", "SECRETshop"))

	// Another shop whose delivery is private: its orders stay private too.
	v.Services = append(v.Services, statuspage.Component{Service: notifier.Service{Shop: "SECRETshop", ID: rules.ServiceDelivery, Name: both("秘密", "SECRET")}})
	v.Shops = []statuspage.Shop{{ID: "SECRETshop", Name: both("秘密店", "SECRET shop")}}
	v.Orders = append(v.Orders, statuspage.Orders{Shop: "SECRETshop", LedgerFresh: true, Automatic: statuspage.Waiting{Ages: map[rules.Age]int{rules.AgeOver30m: 987654}}})
	s.Set(v)

	for _, path := range documents {
		body := s.get(path)
		for _, word := range []string{"SECRET", "秘密", "hidden-", "ledger-db", "987654"} {
			if strings.Contains(body, word) {
				t.Errorf("%s holds %q", path, word)
			}
		}
	}
	for _, path := range []string{"/incidents/hidden-a", "/incidents/hidden-b", "/incidents/hidden-c", "/incidents/hidden-d", "/maintenances/hidden-e", "/badge/star/ledger-db.svg", "/badge/SECRETshop/delivery.svg"} {
		if response, body := s.do("GET", path); response.StatusCode != 404 || strings.Contains(body, "SECRET") {
			t.Errorf("GET %s: got %s, want 404", path, response.Status)
		}
	}
	// A private outage doesn't colour the public page either.
	v.Incidents, v.Maintenances = v.Incidents[:1], nil
	s.Set(v)
	if got := first(t, s.get("/?lang=en"), "h1"); got != "All systems operational" {
		t.Errorf("a private outage shows in the headline: %q", got)
	}
}

func TestHostileNamesAreText(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script>&'` + "\x01"
	evilText := both(evil, evil)
	s := newSite(t, func(c *statuspage.Config) { c.Title = evilText })
	c := service("alipay", evilText, rules.RolePayment, rules.Outage)
	c.Group, c.Since = evilText, noon
	c.History = []statuspage.Bar{{Start: noon, Up: 0.5, Outage: time.Second, Status: rules.Outage}}
	open := incident("open", c, evilText, time.Minute)
	open.Updates = []notifier.Update{{At: noon, Status: notifier.Investigating, Text: evilText}}
	odd := over(incident(`../a?b"><script>`, c, evilText, time.Hour), time.Minute)
	old := over(incident("old", c, evilText, time.Hour), time.Minute)
	s.Set(statuspage.Snapshot{At: noon, Fresh: true, Services: []statuspage.Component{c}, BarLength: time.Minute, Incidents: []notifier.Incident{open, odd, old}, Maintenances: works(evilText, "star/alipay")})
	for _, path := range documents {
		body := s.get(path)
		if strings.Contains(body, "<script") && path != "/maintenances.ics" { // which is plain text
			t.Errorf("%s holds a script element", path)
		}
		switch {
		case path == "/maintenances.ics":
			if events := calendarOf(t, body); len(events) != 3 || events[0]["DESCRIPTION"] == "" || strings.Contains(body, "\x01") {
				t.Errorf("%s lost something: %s", path, body)
			}
		case strings.HasSuffix(path, ".json"):
			if !json.Valid([]byte(body)) {
				t.Errorf("%s is not JSON", path)
			}
		case strings.Contains(path, ".atom"), strings.Contains(path, ".rss"):
			wellFormed(t, path, body)
		case !strings.HasSuffix(path, ".svg"):
			if !strings.Contains(strings.Join(outline(t, strings.ReplaceAll(body, "\x01", "")), "\n"), "<script>alert(1)</script>") {
				t.Errorf("%s lost the name", path)
			}
		}
	}
	if body := s.get("/incidents/..%2Fa%3Fb%22%3E%3Cscript%3E?lang=en"); !strings.Contains(body, "Resolved") {
		t.Error("an incident with an odd id can't be reached")
	}
}

func wellFormed(t *testing.T, path, body string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%s is not XML: %v\n%s", path, err, body)
		}
	}
}

func TestSetCopiesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	v := full()
	v.Incidents = append(v.Incidents, incident("open", alipay, both("支付宝暂时无法支付", "Alipay payments are failing"), time.Minute))
	v.Incidents[1].Told = map[rules.Audience]time.Time{}
	v.Incidents[1].Updates = []notifier.Update{{At: noon, Text: both("原话", "as said")}}
	v.Maintenances = works(both("搬数据库", "Moving the database"), "star/alipay")
	s.Set(v)
	for n := range v.Maintenances {
		v.Maintenances[n].Services[0], v.Maintenances[n].Updates[0].Text = "star", both("改了", "changed")
	}
	v.Orders[0].Automatic.Ages[rules.AgeUnder5m] = 777
	v.Incidents[1].Told[rules.Ops] = noon
	v.Incidents[1].Updates[0].Text = both("改了", "changed")
	v.Services[0].Name = both("改了", "changed")
	body := s.get("/?lang=en") + s.get("/incidents/open?lang=en") + s.get("/maintenances/ongoing?lang=en")
	for _, word := range []string{"777", "changed", "Alert to people on duty", "the whole shop"} {
		if strings.Contains(body, word) {
			t.Errorf("the page shows %q, which came after Set", word)
		}
	}
}

func TestAStripTellsItsTrueRange(t *testing.T) {
	t.Parallel()
	up := func(status rules.Status, share float64, outage time.Duration) statuspage.Bar {
		return statuspage.Bar{Up: share, Outage: outage, Status: status}
	}
	day := slices.Repeat([]statuspage.Bar{up(rules.Operational, 1, 0)}, 90)
	gap := slices.Clone(day)
	for n := range 87 {
		gap[n] = up("", math.NaN(), 0)
	}
	tests := map[string]struct {
		length time.Duration
		bars   []statuspage.Bar
		want   []string
	}{
		"ninety good days": {24 * time.Hour, day, []string{"img Last 90 days: Uptime 100%, no outage", "p 90 days agoUptime 100%now"}},
		"ten minutes of the demo with an outage": {10 * time.Second, append(slices.Clone(day[:59]), up(rules.Outage, 0.5, 5*time.Second)),
			[]string{"img Last 10 min: Uptime 99.16%, in outage for 5 s", "p 10 min agoUptime 99.16%now"}},
		"three days of data":                {24 * time.Hour, gap, []string{"p 90 days agoUptime 100% over 3 daysnow"}},
		"one bar":                           {24 * time.Hour, day[:1], []string{"p 1 day agoUptime 100%now"}},
		"never rounded up to perfection":    {24 * time.Hour, append(slices.Clone(day[:89]), up(rules.Outage, 0.99999, time.Second)), []string{"p 90 days agoUptime 99.99%now"}},
		"a share that is out of its bounds": {time.Minute, []statuspage.Bar{up(rules.Operational, 7, 0), up(rules.Operational, -3, 0)}, []string{"p 2 min agoUptime 50.00%now"}},
		"half a minute since the start": {24 * time.Hour, append(slices.Clone(gap[:89-2]), statuspage.Bar{Up: 0.5, Seen: 30 * time.Second, Outage: 15 * time.Second, Status: rules.Outage}),
			[]string{"img Last 88 days: Uptime 50.00% over 30 s, in outage for 15 s"}},
		"nobody ever looked": {time.Minute, gap[:2], []string{"img No history yet", "p 2 min agoNo history yetnow"}},
		"more bars than fit": {time.Minute, slices.Repeat(day, 3), []string{"p 90 min agoUptime 100%now"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			c := alipay
			for n, bar := range test.bars {
				bar.Start = noon.Add(time.Duration(n-len(test.bars)) * test.length)
				if bar.Seen == 0 && !math.IsNaN(bar.Up) {
					bar.Seen = test.length
				}
				c.History = append(c.History, bar)
			}
			v := snapshot(c)
			v.BarLength = test.length
			s.Set(v)
			for _, line := range test.want {
				hasLine(t, s.get("/?lang=en"), line)
			}
		})
	}
}

func TestLengthsAreSaidInTwoUnits(t *testing.T) {
	t.Parallel()
	for _, d := range slices.Sorted(maps.Keys(lengths)) {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			s.Set(with(snapshot(alipay), over(incident("old", alipay, both("甲", "A"), 24*30*time.Hour), d)))
			hasLine(t, s.get("/incidents/old?lang=zh"), "dd "+lengths[d][0])
			hasLine(t, s.get("/incidents/old?lang=en"), "dd "+lengths[d][1])
		})
	}
}

var lengths = map[time.Duration][2]string{
	0:                             {"不到 1 秒", "under 1 s"},
	59 * time.Second:              {"59 秒", "59 s"},
	3 * time.Minute:               {"3 分钟", "3 min"},
	200 * time.Second:             {"3 分 20 秒", "3 min 20 s"},
	267*time.Second + 6e8:         {"4 分 28 秒", "4 min 28 s"}, // rounded, as messages do
	time.Hour + 59*time.Second:    {"1 小时", "1 h"},
	65 * time.Minute:              {"1 小时 5 分", "1 h 5 min"},
	24 * time.Hour:                {"1 天", "1 day"},
	51*time.Hour + 40*time.Minute: {"2 天 3 小时", "2 d 3 h"},
	72 * time.Hour:                {"3 天", "3 days"},
}
