package web_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"shopwatch/exporter"
	"shopwatch/exporter/web"
	"shopwatch/rules"
)

// canned is a shop whose storefront is in outage since four looks.
func canned(t *testing.T) *web.Web {
	t.Helper()
	service := func(id, zh, en string, status rules.Status) exporter.State {
		return exporter.State{
			Service: exporter.Service{Shop: "main", ID: id, Name: rules.Text{ZH: zh, EN: en}, Group: rules.Text{ZH: "商城", EN: "Shop"}},
			Status:  status, LastLook: noon.Add(-9 * time.Second), LastSuccess: noon.Add(-9 * time.Second),
		}
	}
	down := service("storefront", "商城首页", "Storefront", rules.Outage)
	down.LastSuccess = noon.Add(-70 * time.Second)
	down.Readings = []exporter.Reading{{Target: "https://shop.example.com/", Reason: rules.ReasonStatus, Detail: `got status 502, want 2xx <b>"x"</b>`}}
	slow := service("alipay", "支付宝网关", "Alipay gateway", rules.Degraded)
	child := service("pay", "收银台", "Checkout", rules.Operational)
	child.Affected = true
	states := []exporter.State{
		down, slow, child, service("database", "数据库", "Database", rules.Operational),
		{Service: exporter.Service{Shop: "main", ID: "a b/c"}},
		{Service: exporter.Service{Shop: "second", ID: "storefront", Name: rules.Text{ZH: "第二家店", EN: "Second shop"}}, Status: rules.Operational},
	}
	return made(t, web.Config{
		Zone:   time.FixedZone("CST", 8*3600),
		States: func() []exporter.State { return states },
		History: func(shop, service string) ([]exporter.Past, bool) {
			if shop != "main" || service != "storefront" {
				return nil, true
			}
			return cannedLooks(), true
		},
	})
}

// cannedLooks are 50 looks, oldest first; the last four failed.
func cannedLooks() []exporter.Past {
	var looks []exporter.Past
	for i := range 50 {
		look := exporter.Past{
			Target: "https://shop.example.com/", Start: noon.Add(time.Duration(i-50) * 15 * time.Second), Success: true,
			Phases: []exporter.Phase{
				{Name: "resolve", Took: 2300 * time.Microsecond}, {Name: "connect", Took: 21 * time.Millisecond},
				{Name: "tls", Took: 44 * time.Millisecond}, {Name: "processing", Took: time.Duration(80+i*2) * time.Millisecond}, {Name: "transfer", Took: 3 * time.Millisecond},
			},
		}
		switch {
		case i == 49:
			look.Success, look.Reason, look.Detail = false, rules.ReasonStatus, `got status 502, want 2xx <script>alert("x")</script>`
		case i == 48:
			look.Success, look.Reason, look.Detail = false, rules.ReasonTimeout, "not done within 10s, still waiting for the answer"
			look.Phases = look.Phases[:3]
		case i == 47:
			look.Success, look.Reason, look.Detail = false, rules.ReasonDNS, "lookup shop-with-a-very-long-name-that-nobody-would-choose-but-somebody-has.example.com on 10.0.0.2:53: no such host"
			look.Phases = []exporter.Phase{{Name: "resolve", Took: 40 * time.Millisecond}}
		case i == 46:
			look.Success, look.Reason, look.Phases = false, "stranger", nil
		}
		for _, phase := range look.Phases {
			look.Took += phase.Took
		}
		looks = append(looks, look)
	}
	return looks
}

// text is what a reader sees of a page, which must be well-formed and keep its
// own content security policy.
func text(t *testing.T, header http.Header, page string) string {
	t.Helper()
	if !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'self'") {
		t.Errorf("policy is %q", header.Get("Content-Security-Policy"))
	}
	for _, forbidden := range []string{"<script", "<style", " style=", " onclick", "javascript:"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("%s is in the page", forbidden)
		}
	}
	var seen strings.Builder
	for tokens := html.NewTokenizer(strings.NewReader(page)); ; {
		switch tokens.Next() {
		case html.ErrorToken:
			if !errors.Is(tokens.Err(), io.EOF) {
				t.Error(tokens.Err())
			}
			return strings.Join(strings.Fields(seen.String()), " ")
		case html.TextToken:
			seen.Write(tokens.Text())
			seen.WriteByte(' ')
		}
	}
}

func TestAServicesPageSaysWhyItIsRed(t *testing.T) {
	t.Parallel()
	handler := canned(t)
	for language, want := range map[string][]string{
		"en": {"Storefront", "✕ outage", "Why it fails", "wrong status code", "got status 502", "failing since 19:59:00 (60 s ago)", "Last looks", "50 · failed 4", "processing 178 ms", "times in CST +08:00"},
		"zh": {"商城首页", "✕ 故障", "为什么失败", "状态码不对", "got status 502", "连续失败起于 19:59:00（60 秒前）", "最近的探测", "50 · 失败 4", "等待应答 178 ms", "时区 CST +08:00"},
	} {
		answer := get(handler, "/looks/main/storefront?lang="+language)
		if answer.Code != http.StatusOK {
			t.Fatalf("got %d: %s", answer.Code, answer.Body)
		}
		seen := text(t, answer.Header(), answer.Body.String())
		for _, part := range want {
			if !strings.Contains(seen, part) {
				t.Errorf("%s: %q is not there:\n%s", language, part, seen)
			}
		}
		if got := strings.Count(answer.Body.String(), "<svg"); got != 49 { // all but the look without phases
			t.Errorf("%d bars", got)
		}
	}
}

func TestOneTargetOfSeveralThatFailsIsTheOneThatIsExplained(t *testing.T) {
	t.Parallel()
	look := func(target string, ago time.Duration, success bool) exporter.Past {
		past := exporter.Past{Target: target, Start: noon.Add(-ago), Success: success}
		if !success {
			past.Reason, past.Detail = rules.ReasonConnect, target+" refused"
		}
		return past
	}
	for name, c := range map[string]struct {
		looks []exporter.Past
		want  string // "" for no explanation
	}{
		"one fails since two days": {
			[]exporter.Past{
				look("a", 72*time.Hour, true), look("a", 50*time.Hour, false), look("b", 49*time.Hour, true),
				look("a", time.Minute, false), look("b", time.Second, true),
			}, "a refused failing since 11-20 10:00:00 (2 d ago)",
		},
		"all are good again": {[]exporter.Past{look("a", time.Hour, false), look("a", time.Minute, true), look("b", time.Second, true)}, ""},
		"never looked at":    {nil, ""},
	} {
		handler := made(t, web.Config{
			States:  func() []exporter.State { return []exporter.State{{Service: exporter.Service{Shop: "s", ID: "w"}}} },
			History: func(string, string) ([]exporter.Past, bool) { return c.looks, true },
		})
		answer := get(handler, "/looks/s/w")
		seen := text(t, answer.Header(), answer.Body.String())
		if c.want != "" && !strings.Contains(seen, c.want) || c.want == "" && strings.Contains(seen, "Why it fails") {
			t.Errorf("%s: got %s", name, seen)
		}
	}
}

func TestTheIndexLinksEveryService(t *testing.T) {
	t.Parallel()
	handler := canned(t)
	answer := get(handler, "/looks", "Accept-Language", "zh-TW,zh;q=0.9,en;q=0.5")
	seen := text(t, answer.Header(), answer.Body.String())
	for _, part := range []string{"商城首页", "✕ 故障", "▲ 偏慢", "受它所依赖的服务影响", "? 未知", "从未", "9 秒前", "第二家店"} {
		if !strings.Contains(seen, part) {
			t.Errorf("%q is not there:\n%s", part, seen)
		}
	}
	links := regexp.MustCompile(`href="(/looks/[^"]*/[^"]*)"`).FindAllStringSubmatch(answer.Body.String(), -1)
	if len(links) != 6 {
		t.Fatalf("%d links", len(links))
	}
	for _, link := range links {
		if got := get(handler, link[1]); got.Code != http.StatusOK {
			t.Errorf("%s: got %d", link[1], got.Code)
		}
	}
	if got := get(handler, "/looks?lang=zh").Body.String(); !strings.Contains(got, `href="/looks/main/storefront?lang=zh"`) || !strings.Contains(got, `href="/looks?lang=en"`) {
		t.Errorf("links don't keep the language that was chosen:\n%s", got)
	}
	if got := get(handler, "/looks/main/nothing").Code; got != http.StatusNotFound {
		t.Errorf("a service that isn't there: got %d", got)
	}
	if got := get(made(t, web.Config{}), "/looks?lang=en"); !strings.Contains(got.Body.String(), "no services are configured") {
		t.Errorf("nothing configured:\n%s", got.Body)
	}
	if got := get(handler, "/looks/style.css").Header().Get("Content-Type"); !strings.HasPrefix(got, "text/css") {
		t.Errorf("the stylesheet is %s", got)
	}
}

func TestLooksAreThereAsJSON(t *testing.T) {
	t.Parallel()
	handler := canned(t)
	for _, answer := range []struct {
		url    string
		header []string
	}{{"/looks/main/storefront?format=json", nil}, {"/looks/main/storefront", []string{"Accept", "application/json"}}} {
		var got struct {
			Shop, Service, Status string
			LastLook              time.Time `json:"last_look"`
			Looks                 []struct {
				Target, Reason, Detail string
				Start                  time.Time
				Seconds                float64
				Success                bool
				Phases                 []struct {
					Name    string
					Seconds float64
				}
			}
		}
		if err := json.Unmarshal(get(handler, answer.url, answer.header...).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Status != "outage" || len(got.Looks) != 50 || got.Looks[0].Reason != "status" || got.Looks[4].Success != true ||
			got.Looks[0].Phases[1].Seconds != 0.021 || !got.LastLook.Equal(noon.Add(-9*time.Second)) {
			t.Errorf("got %+v", got)
		}
	}
	var all []map[string]any
	if err := json.Unmarshal(get(handler, "/looks?format=json").Body.Bytes(), &all); err != nil || len(all) != 6 {
		t.Errorf("got %v, %v", all, err)
	}
	if all[4]["status"] != "unknown" || all[4]["last_look"] != nil {
		t.Errorf("one that was never looked at is %v", all[4])
	}
	browser := get(handler, "/looks", "Accept", "text/html,application/json;q=0.9")
	if !strings.HasPrefix(browser.Header().Get("Content-Type"), "text/html") {
		t.Error("a browser gets JSON")
	}
}
