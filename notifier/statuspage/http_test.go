package statuspage_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/statuspage"
	"shopwatch/rules"
)

func TestTheReadersLanguage(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.Set(snapshot(alipay))
	tests := []struct{ name, query, header, lang string }{
		{"nothing said is Chinese", "", "", "zh-CN"},
		{"simplified Chinese", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"},
		{"traditional Chinese", "", "zh-TW", "zh-CN"},
		{"English", "", "en-GB,en;q=0.9,zh;q=0.5", "en"},
		{"a language that we don't speak", "", "fr-FR", "en"},
		{"a second choice that we do speak", "", "fr, zh;q=0.5", "zh-CN"},
		{"the link wins over the browser", "?lang=en", "zh-CN", "en"},
		{"a link in no language of ours", "?lang=xx", "en", "en"},
		{"nonsense", "", ";;;q=", "zh-CN"},
		{"far too long", "", strings.Repeat("en,", 200), "zh-CN"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response, body := s.do("GET", "/"+test.query, "Accept-Language: "+test.header)
			if !strings.Contains(body, `<html lang="`+test.lang+`">`) {
				t.Errorf("want lang %s in %.60q", test.lang, body)
			}
			if got := response.Header.Get("Vary"); got != "Accept-Language" {
				t.Errorf("got Vary %q", got)
			}
			if len(response.Cookies()) > 0 {
				t.Error("the page sets a cookie")
			}
		})
	}
	if body := s.get("/?lang=en"); !strings.Contains(body, `href="/history?lang=en"`) || !strings.Contains(body, `href="/?lang=zh" lang="zh-CN"`) {
		t.Error("a chosen language is not kept in the links")
	}
	if body := s.get("/"); !strings.Contains(body, `href="/history"`) {
		t.Error("links name a language that nobody chose")
	}
}

func TestAnUnchangedPageIsNotSentTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.Set(full())
	for _, path := range []string{"/", "/history", "/incidents/old", "/history.atom", "/history.rss", "/api/v2/summary.json", "/badge/star/alipay.svg", "/icon/green.svg", "/robots.txt"} {
		response, body := s.do("GET", path)
		etag := response.Header.Get("ETag")
		if response.StatusCode != 200 || etag == "" || body == "" || !strings.HasPrefix(response.Header.Get("Cache-Control"), "public, max-age=") {
			t.Fatalf("GET %s: got %s, ETag %q, Cache-Control %q", path, response.Status, etag, response.Header.Get("Cache-Control"))
		}
		again, body := s.do("GET", path, "If-None-Match: "+etag)
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("GET %s again: got %s with %d bytes, want 304 with none", path, again.Status, len(body))
		}
		if other, _ := s.do("GET", path+"?lang=en"); strings.HasSuffix(path, "/") && other.Header.Get("ETag") == etag {
			t.Errorf("GET %s: two languages share an ETag", path)
		}
	}
	before, _ := s.do("GET", "/")
	v := full()
	v.Services[0].Status = rules.Outage
	s.Set(v)
	if after, _ := s.do("GET", "/", "If-None-Match: "+before.Header.Get("ETag")); after.StatusCode != http.StatusOK {
		t.Errorf("after a change: got %s, want 200", after.Status)
	}
}

func TestOnlyReadersAreAnswered(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		response, _ := s.do(method, "/")
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %s, Allow %q", method, response.Status, response.Header.Get("Allow"))
		}
	}
	if response, body := s.do("HEAD", "/"); response.StatusCode != 200 || response.ContentLength <= 0 || body != "" {
		t.Errorf("HEAD: got %s, length %d", response.Status, response.ContentLength)
	}
	for _, path := range []string{"/" + strings.Repeat("a", 300), "/?" + strings.Repeat("a", 300)} {
		if response, _ := s.do("GET", path); response.StatusCode != http.StatusRequestURITooLong {
			t.Errorf("GET %.10s…: got %s, want 414", path, response.Status)
		}
	}
	for _, path := range []string{"/nothing", "/incidents/", "/incidents/none", "/api/v2/none.json", "/badge/star/alipay.png", "/storybook", "/storybook/well", "/style.css"} {
		response, body := s.do("GET", path, "Accept-Language: en")
		if response.StatusCode != http.StatusNotFound || first(t, body, "h1") != "There is no such page" {
			t.Errorf("GET %s: got %s", path, response.Status)
		}
	}
}

func TestEveryAnswerKeepsToItself(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.Set(full())
	for _, path := range append([]string{"/missing", "/robots.txt", "/icon/red.svg"}, documents...) {
		response, _ := s.do("GET", path)
		csp := response.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: got policy %q", path, csp)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Referrer-Policy") == "" {
			t.Errorf("GET %s: headers are missing: %v", path, response.Header)
		}
		if cors := response.Header.Get("Access-Control-Allow-Origin"); (cors == "*") != strings.HasPrefix(path, "/api/") {
			t.Errorf("GET %s: got Access-Control-Allow-Origin %q", path, cors)
		}
	}
}

func TestTheStylesheetIsNamedByItsContent(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	link := regexp.MustCompile(`href="(/style\.[0-9a-f]{16}\.css)"`).FindStringSubmatch(s.get("/"))
	if link == nil {
		t.Fatal("the page names no stylesheet")
	}
	response, body := s.do("GET", link[1])
	if response.Header.Get("Content-Type") != "text/css; charset=utf-8" || response.Header.Get("Cache-Control") != "public, max-age=31536000" {
		t.Errorf("got headers %v", response.Header)
	}
	if strings.Contains(body, "url(") || strings.Contains(body, "@import") || strings.Count(body, "\n") > 300 {
		t.Error("the stylesheet asks for more files or is too long")
	}
}

func TestAPageRefreshesAtItsPace(t *testing.T) {
	t.Parallel()
	if body := newSite(t, nil).get("/"); !strings.Contains(body, `http-equiv="refresh" content="15"`) || strings.Contains(body, `class="demo"`) {
		t.Error("a page in production doesn't refresh every 15 s, or calls itself a demo")
	}
	demo := newSite(t, func(c *statuspage.Config) {
		c.Demo = &statuspage.Demo{Hint: both("运行 shopwatch demo break alipay。", "Run shopwatch demo break alipay.")}
	})
	body := demo.get("/?lang=zh")
	if !strings.Contains(body, `http-equiv="refresh" content="2"`) {
		t.Error("the demo doesn't refresh every 2 s")
	}
	hasLine(t, body, "p 演示店铺：时间快 20 倍。出故障 15 秒后通知值班人员（正式环境是 5 分钟），90 秒后通知负责人（正式环境是 30 分钟）。运行 shopwatch demo break alipay。")
}

func TestStatuspageClientsUnderstandTheJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	v := full()
	v.Services[0].Status, v.Services[0].Group = rules.Outage, both("付款", "Payments")
	open := incident("open", alipay, both("支付宝暂时无法支付", "Alipay payments are failing"), time.Minute)
	open.Opened = noon.Add(-55 * time.Second)
	open.Updates = []notifier.Update{
		{At: noon.Add(-50 * time.Second), Status: notifier.Investigating, Text: both("在查", "looking")},
		{At: noon.Add(-20 * time.Second), Status: notifier.Monitoring, Text: both("在看", "watching")},
	}
	v.Incidents = append(v.Incidents, open)
	s.Set(v)
	var summary struct {
		Page   struct{ ID, Name, URL, Time_Zone, Updated_At string }
		Status struct{ Indicator, Description string }
		// The fields as Statuspage's own clients read them.
		Components []struct {
			ID, Name, Status string
			Group            bool
			Group_ID         *string
			Components       []string
		}
		Incidents []struct {
			ID, Name, Status, Impact, Shortlink, Started_At, Created_At, Updated_At string
			Resolved_At, Monitoring_At                                              *string
			Incident_Updates                                                        []struct{ ID, Status, Body, Incident_ID, Display_At string }
			Components                                                              []struct{ ID, Status string }
		}
		Scheduled_Maintenances []any
		Shopwatch              struct {
			Orders []struct {
				Shop      string
				Automatic struct{ Waiting map[string]int }
			}
		}
	}
	response, body := s.do("GET", "/api/v2/summary.json?lang=en")
	if err := json.Unmarshal([]byte(body), &summary); err != nil || response.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%v, %v", err, response.Header)
	}
	if summary.Page.URL != "https://status.example.com" || summary.Page.Name != "Star Cards" || summary.Page.Updated_At != "2026-07-01T04:00:00.000Z" || summary.Page.Time_Zone != "Asia/Shanghai" {
		t.Errorf("got page %+v", summary.Page)
	}
	if summary.Status.Indicator != "major" || summary.Status.Description != "Partial System Outage" {
		t.Errorf("got status %+v", summary.Status)
	}
	c := summary.Components
	if len(c) != 3 || !c[0].Group || c[0].Name != "Payments" || c[0].Status != "major_outage" || len(c[0].Components) != 1 || c[0].Components[0] != c[1].ID || c[1].Group_ID == nil || *c[1].Group_ID != c[0].ID || c[1].Status != "major_outage" || c[2].Status != "operational" {
		t.Errorf("got components %+v", c)
	}
	if len(summary.Incidents) != 1 || summary.Scheduled_Maintenances == nil {
		t.Fatalf("got %d unresolved incidents, want 1, and maintenances %v, want an empty list", len(summary.Incidents), summary.Scheduled_Maintenances)
	}
	i := summary.Incidents[0]
	if i.ID != "open" || i.Name != "Alipay payments are failing" || i.Status != "investigating" || i.Impact != "major" || i.Shortlink != "https://status.example.com/incidents/open" ||
		i.Started_At != "2026-07-01T03:59:00.000Z" || i.Updated_At != "2026-07-01T03:59:40.000Z" || i.Resolved_At != nil || i.Monitoring_At == nil || len(i.Components) != 1 {
		t.Errorf("got incident %+v", i)
	}
	if u := i.Incident_Updates; len(u) != 2 || u[0].Body != "watching" || u[0].ID != "open-2" || u[1].Status != "investigating" || u[1].Incident_ID != "open" {
		t.Errorf("got updates %+v, want the newest first", u)
	}
	if o := summary.Shopwatch.Orders; len(o) != 1 || o[0].Automatic.Waiting["lt5m"] != 2 {
		t.Errorf("got orders %+v", o)
	}
	counts := map[string]int{"incidents.json": 2, "incidents/unresolved.json": 1}
	for path, want := range counts {
		var list struct{ Incidents []struct{ ID string } }
		if err := json.Unmarshal([]byte(s.get("/api/v2/"+path)), &list); err != nil || len(list.Incidents) != want {
			t.Errorf("%s: got %d incidents, want %d (%v)", path, len(list.Incidents), want, err)
		}
	}
}

func TestTheIndicatorFollowsTheServices(t *testing.T) {
	t.Parallel()
	critical := in(delivery, rules.Outage, noon)
	critical.Critical = true
	for want, v := range map[string]statuspage.Snapshot{
		`"none","description":"All Systems Operational"`:            snapshot(alipay),
		`"minor","description":"Minor Service Outage"`:              snapshot(in(alipay, rules.Degraded, noon)),
		`"major","description":"Partial System Outage"`:             snapshot(in(alipay, rules.Outage, noon)),
		`"critical","description":"Major Service Outage"`:           snapshot(critical),
		`"maintenance","description":"Service Under Maintenance"`:   snapshot(in(alipay, rules.Maintenance, noon)),
		`"minor","description":"Status Unknown"`:                    snapshot(alipay, in(delivery, rules.Unknown, noon)),
		`"shopwatch":{"fresh":true,"last_look_at":"2026-07-01T04:`:  snapshot(alipay),
		`"shopwatch":{"fresh":false,"last_look_at":"2026-07-01T04:`: {At: noon},
	} {
		s := newSite(t, nil)
		s.Set(v)
		if body := s.get("/api/v2/status.json"); !strings.Contains(body, want) {
			t.Errorf("got %s, want %s in it", body, want)
		}
	}
}

func TestABadgeSaysTheWord(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.Set(snapshot(in(alipay, rules.Outage, noon)))
	response, body := s.do("GET", "/badge/star/alipay.svg?lang=zh")
	if response.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(body, "<title>支付宝: 故障</title>") {
		t.Errorf("got %s", body)
	}
	wellFormed(t, "badge", body)
	s.clock.advance(time.Hour)
	if body := s.get("/badge/star/alipay.svg?lang=en"); !strings.Contains(body, "Not visible") {
		t.Errorf("an hour later: got %s", body)
	}
}

func TestACrowdReadsWhileSnapshotsCome(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	var crowd sync.WaitGroup
	for range 4 {
		crowd.Go(func() {
			for range 20 {
				for _, path := range documents[:4] {
					if response, body := s.do("GET", path); response.StatusCode != 200 || !strings.HasSuffix(strings.TrimSpace(body), "</html>") {
						t.Errorf("GET %s: got %s and %d bytes", path, response.Status, len(body))
					}
				}
			}
		})
	}
	for range 50 {
		s.Set(full())
	}
	crowd.Wait()
}

func TestThePageLeadsToSigningUpOnlyWhereOneCan(t *testing.T) {
	t.Parallel()
	on := newSite(t, func(c *statuspage.Config) { c.SignUp = "/subscribe" })
	for at, want := range map[string]string{"/": `href="/subscribe">`, "/history?lang=en": `href="/subscribe?lang=en">Get notified</a>`} {
		if body := on.get(at); !strings.Contains(body, want) {
			t.Errorf("%s has no %s", at, want)
		}
	}
	if body := newSite(t, nil).get("/"); strings.Contains(body, "subscribe\"") {
		t.Error("a page without sign-up leads to it")
	}
}
