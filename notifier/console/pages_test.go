package console_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/rules"
)

var update = flag.Bool("update", false, "write the pages to testdata")

// worked is an outage that people work on.
func worked() console.Incident {
	i := outage()
	i.Status, i.Service = notifier.Identified, notifier.Service{Shop: "main", ID: "alipay", Name: rules.Text{ZH: "支付宝", EN: "Alipay"}, Public: true}
	i.Publication.Held = true
	i.Acknowledged = notifier.Acknowledgement{By: "小王", At: now.Add(-50 * time.Second)}
	i.Scope = rules.Text{ZH: "所有买家", EN: "All <buyers>"}
	i.ETA = notifier.ETA{At: now.Add(time.Hour), Earlier: []time.Time{now.Add(20 * time.Minute)}}
	i.Workaround = rules.Text{EN: "Use WeChat.\nhttps://pay.example/"}
	i.Updates = []notifier.Update{
		{At: i.Opened, Status: notifier.Investigating, Text: rules.Text{ZH: "已确认故障。", EN: "We have confirmed it."}},
		{At: now, Status: notifier.Identified, Text: rules.Text{ZH: "证书过期了。"}, By: "小王", ETA: i.ETA.At, Scope: i.Scope, Workaround: i.Workaround},
	}
	i.Acts = []notifier.Act{{At: now.Add(-50 * time.Second), By: "小王", Deed: notifier.DeedAcknowledge}, {At: now, Deed: notifier.DeedUpdate, Detail: "identified"}}
	return console.Incident{Incident: i, Told: []console.Told{
		{Audience: rules.Ops, Channel: "telegram", Sent: 3, Dead: 1}, {Audience: rules.Subscribers, Channel: "email", Sent: 90, Queued: 9910, Dropped: 2, Replaced: 4},
	}}
}

// filled is a bench whose every page has something to show.
func filled(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	over := worked()
	over.ID, over.Closed, over.Over, over.Public = "i2", now, now.Add(-time.Minute), true
	over.Alerts = nil
	b.source.overview = console.Overview{Watchdog: now, Queued: 9911, Dead: 2, Oldest: now, Incidents: []console.Incident{worked(), over}}
	b.source.outbox = console.Outbox{Queued: 9911, Dead: 2, Oldest: now, Channels: []console.Waiting{{Channel: "telegram", Audience: rules.Ops, Dead: 1}, {Channel: "sms", Audience: rules.Subscribers, Queued: 9911, Dead: 1}}}
	b.source.letters = []console.DeadLetter{
		{Delivery: 812, At: now, Incident: "i1", Event: notifier.EventDown, Audience: rules.Ops, Channel: "telegram", Recipient: 17, Attempts: 1, Problem: "403: Forbidden: bot was blocked by the user"},
		{Delivery: 90, At: now.Add(-time.Hour), Event: notifier.EventConfirm, Audience: rules.Subscribers, Channel: "sms", Recipient: 90417, Attempts: 12, Problem: strings.Repeat("isv.MOBILE_NUMBER_ILLEGAL", 6)},
	}
	b.source.record = []notifier.AuditEntry{
		{ID: 2, At: now, By: "小王", Way: console.WayCLI, Deed: "update", Subject: "incident i1", Detail: "identified"},
		{ID: 1, At: now.Add(-time.Minute), Way: "page", Deed: "erase", Subject: "recipient 17"},
		{At: now.Add(-time.Hour), By: "小王", Way: "console", Deed: "update", Subject: "incident i2", Detail: "monitoring, page only"},
		{At: now.Add(-time.Hour), By: "小王", Way: "telegram", Deed: "silence", Subject: "incident gone", Detail: "until 2026-11-22 04:00"},
		{At: now.Add(-time.Hour), Way: "api", Deed: "resend", Subject: "outbox", Detail: "3 deliveries"},
		{At: now.Add(-time.Hour), Way: "cli", Deed: "deactivate", Subject: "recipient 17"},
	}
	b.get("/console/login?code="+b.operator.Code(), "en")
	return b
}

// paths are the pages of a filled console.
var paths = map[string]string{
	"overview": "/console/", "incident": "/console/incidents/i1", "over": "/console/incidents/i2", "outbox": "/console/outbox", "audit": "/console/audit",
}

func TestEveryPageSaysWhatItSaid(t *testing.T) {
	t.Parallel()
	b := filled(t)
	for name, path := range paths {
		for _, language := range []string{"zh", "en"} {
			status, _, got := b.get(path, language)
			file := filepath.Join("testdata", name+"."+language+".html")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: run go test -update", err)
			}
			if status != http.StatusOK || got != string(want) {
				t.Errorf("%s is not as %s; run go test -update and read the difference. It is\n%s", path, file, got)
			}
			if strings.Contains(got, "<buyers>") || strings.Contains(got, `href="https://pay.example`) {
				t.Errorf("%s takes a person's words for more than words", path)
			}
		}
	}
}

func TestEveryFormDoesItsDeedInTheNameOfWhoeverLooks(t *testing.T) {
	t.Parallel()
	b := filled(t)
	post := func(path string, form url.Values) (int, string, string) {
		return b.answer(b.browser.PostForm(b.server.URL+path, form))
	}
	if _, _, page := b.get("/console/incidents/i1", "en"); !strings.Contains(page, "Write your name at the top") {
		t.Error("nobody is asked for a name")
	}
	post("/console/name", url.Values{"name": {" 夜班\u202e小王\n" + strings.Repeat("长", 60)}})
	name := "夜班小王" + strings.Repeat("长", 36)
	if _, _, page := b.get("/console/incidents/i1", "en"); !strings.Contains(page, `value="`+name+`"`) {
		t.Errorf("the name is not kept:\n%s", page)
	}
	if _, _, page := b.get("/console/", "en"); !strings.Contains(page, ": "+name+"</a>") || strings.Contains(page, `name="name"`) {
		t.Errorf("the page that refreshes itself takes a name, or doesn't tell it:\n%s", page)
	}
	for deed, form := range map[string]url.Values{
		"acknowledge": nil, "withdraw": nil, "hold": nil, "publish": nil,
		"silence": {"for": {"90"}},
		"resolve": {"text_en": {"gone"}, "force": {"1"}},
		"updates": {"status": {"monitoring"}, "text_zh": {"修好了"}, "scope_en": {"all"}, "workaround_zh": {"等"}, "eta": {"30"}, "silent": {"1"}},
	} {
		if status, path, _ := post("/console/incidents/i1/"+deed, form); status != http.StatusOK || path != "/console/incidents/i1" {
			t.Errorf("%s led to %s, %d", deed, path, status)
		}
	}
	slices.Sort(b.source.deeds)
	if want := []string{"acknowledge", "hold", "publish", "resolve", "silence", "update", "withdraw"}; !slices.EqualFunc(b.source.deeds, want, func(did, deed string) bool { return did == deed+" by "+name }) {
		t.Errorf("did %q", b.source.deeds)
	}
	wanted := console.Wish{
		By: name, Way: console.WayConsole, Status: notifier.Monitoring, Text: rules.Text{ZH: "修好了"}, Scope: rules.Text{EN: "all"},
		Workaround: rules.Text{ZH: "等"}, ETA: now.Add(30 * time.Minute), Silent: true,
	}
	if !slices.Contains(b.source.wishes, wanted) || !slices.Contains(b.source.wishes, console.Wish{By: name, Way: console.WayConsole, For: console.Span(90 * time.Minute)}) || !slices.Contains(b.source.wishes, console.Wish{By: name, Way: console.WayConsole, Text: rules.Text{EN: "gone"}, Force: true}) {
		t.Errorf("wished %+v", b.source.wishes)
	}
}

func TestAnETAIsMinutesOrATimeOfTheDayInThePagesZone(t *testing.T) {
	t.Parallel()
	b := filled(t)
	local := now.In(time.UTC)
	day := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
	for typed, want := range map[string]time.Time{
		"45":                                   now.Add(45 * time.Minute),
		day.Add(3 * time.Hour).Format("15:04"): day.Add(3 * time.Hour),
		day.Add(11 * time.Hour).Format("15：04"):            day.Add(11 * time.Hour),
		day.Add(30 * time.Hour).Format("2006-01-02 15:04"): day.Add(30 * time.Hour),
		"": {},
	} {
		b.source.wishes = nil
		b.answer(b.browser.PostForm(b.server.URL+"/console/incidents/i1/updates", url.Values{"text_en": {"x"}, "eta": {typed}}))
		if len(b.source.wishes) != 1 || !b.source.wishes[0].ETA.Equal(want) {
			t.Errorf("%q: wished %+v, want %s", typed, b.source.wishes, want)
		}
	}
}

func TestAFormThatWontDoIsShownAgainWithWhatWasTyped(t *testing.T) {
	t.Parallel()
	b := filled(t)
	post := func(form url.Values) (int, string) {
		status, _, page := b.answer(b.browser.PostForm(b.server.URL+"/console/incidents/i1/updates", form))
		return status, page
	}
	b.source.refusal = &notifier.Error{Code: notifier.Invalid, Message: "the scope is <one> line"}
	status, page := post(url.Values{"text_en": {"typed <b>before"}, "status": {"monitoring"}, "eta": {"30"}})
	for _, want := range []string{"the scope is &lt;one&gt; line", "typed &lt;b&gt;before", `<option value="monitoring" selected>`, `value="30"`} {
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, want) {
			t.Errorf("answered %d without %q", status, want)
		}
	}
	b.source.refusal = nil
	if status, page := post(url.Values{"eta": {"soon"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "a number of minutes") {
		t.Errorf("an ETA that is no number: %d", status)
	}
	b.source.refusal = &notifier.Error{Code: notifier.Conflict, Message: "it is over", Chinese: "已经恢复"}
	r, err := http.NewRequest(http.MethodPost, b.server.URL+"/console/incidents/i1/updates", strings.NewReader("text_zh=x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "zh-CN")
	if status, _, page := b.answer(b.browser.Do(r)); status != http.StatusConflict || !strings.Contains(page, "没有做成：</b> 已经恢复") {
		t.Errorf("in Chinese it was answered %d: %s", status, page)
	}
	b.source.refusal = nil
	if status, _ := post(url.Values{"text_en": {strings.Repeat("x", 70_000)}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a form without end: %d", status)
	}
	if len(b.source.deeds) != 0 {
		t.Errorf("did %q", b.source.deeds)
	}
	for _, path := range []string{"/console/incidents/i9", "/console/incidents/i9/updates"} {
		if status, _, _ := b.get(path, "en"); status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
			t.Errorf("%s was answered %d", path, status)
		}
	}
}

// TestTheRecordIsInTheReadersLanguage holds that no word of the record stays in
// the words of the treaty.
func TestTheRecordIsInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	b := filled(t)
	b.source.record = nil
	for _, deed := range []string{"ask", "confirm", "join", "change", "leave", "erase", "add", "deactivate", "export"} {
		b.source.record = append(b.source.record, notifier.AuditEntry{At: now, Way: "email", Deed: deed, Subject: "recipient 17"})
	}
	for _, deed := range []notifier.Deed{
		notifier.DeedAcknowledge, notifier.DeedWithdraw, notifier.DeedPublish, notifier.DeedHold, notifier.DeedUpdate, notifier.DeedSilence, notifier.DeedResolve,
	} {
		b.source.record = append(b.source.record, notifier.AuditEntry{At: now, By: "小王", Way: "cli", Deed: string(deed), Subject: "incident i1", Detail: "identified, page only"})
	}
	_, _, page := b.get("/console/audit", "zh")
	list := page[strings.Index(page, "<ol"):strings.Index(page, "</ol>")]
	if words := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(list, " "); regexp.MustCompile(`[A-Za-z]{2,}`).MatchString(words) || !strings.Contains(words, "订阅者本人") {
		t.Errorf("the record says %s", words)
	}
}

func TestDeadLettersAreSentAgainByHand(t *testing.T) {
	t.Parallel()
	b := filled(t)
	post := func(form url.Values) int {
		status, _, _ := b.answer(b.browser.PostForm(b.server.URL+"/console/outbox/resend", form))
		return status
	}
	if status := post(nil); status != http.StatusUnprocessableEntity {
		t.Errorf("nothing chosen was answered %d", status)
	}
	post(url.Values{"delivery": {"812", "90"}})
	post(url.Values{"all": {"1"}})
	if len(b.source.resent) != 2 || !slices.Equal(b.source.resent[0].Deliveries, []int64{812, 90}) || !b.source.resent[1].All || b.source.resent[0].Way != console.WayConsole {
		t.Errorf("sent again %+v", b.source.resent)
	}
}

func TestALongListGoesOnAtItsLastEntry(t *testing.T) {
	t.Parallel()
	b := filled(t)
	b.source.letters, b.source.record = nil, nil
	for n := int64(250); n > 0; n-- {
		b.source.letters = append(b.source.letters, console.DeadLetter{Delivery: n, Channel: "email"})
		b.source.record = append(b.source.record, notifier.AuditEntry{ID: n, Subject: "incident i1"})
	}
	if _, _, page := b.get("/console/outbox", "en"); !strings.Contains(page, `href="/console/outbox?before=151"`) {
		t.Error("the outbox ends at its first page")
	}
	if _, _, page := b.get("/console/outbox?before=51", "en"); strings.Contains(page, "before=") || !strings.Contains(page, `value="50"`) {
		t.Error("the last page leads on")
	}
	if _, _, page := b.get("/console/audit?subject=incident+i1", "en"); !strings.Contains(page, `href="/console/audit?before=151&amp;subject=incident%20i1"`) {
		t.Errorf("the record ends at its first page")
	}
	if status, _, _ := b.get("/console/outbox?before=x", "en"); status != http.StatusUnprocessableEntity {
		t.Errorf("no number was answered %d", status)
	}
}

func TestTheOperatorLogsOut(t *testing.T) {
	t.Parallel()
	b := filled(t)
	if _, path, _ := b.answer(b.browser.PostForm(b.server.URL+"/console/logout", nil)); path != "/console/login" {
		t.Errorf("logging out led to %s", path)
	}
	for _, path := range paths {
		if _, at, _ := b.get(path, "en"); at != "/console/login" {
			t.Errorf("%s is still shown", path)
		}
	}
}

// TestThePagesFitEveryScreen looks at the pages in a browser. With
// SHOPWATCH_TEST_SCREENSHOTS=folder it keeps what it saw.
func TestThePagesFitEveryScreen(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
			t.Fatal("no Chromium is installed, and SHOPWATCH_TEST_NO_SKIP=1 lets no test skip")
		}
		t.Skip("no Chromium is installed")
	}
	b := filled(t)
	for _, language := range []string{"zh", "en"} {
		allocator, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox,
			chromedp.Flag("disable-background-networking", true), chromedp.Flag("accept-lang", language), chromedp.UserDataDir(t.TempDir()))...)
		defer stop()
		ctx, cancel := chromedp.NewContext(allocator)
		defer cancel()
		if err := chromedp.Do(ctx, chromedp.Navigate(b.server.URL+"/console/login?code="+b.operator.Code())); err != nil {
			t.Fatalf("log in: %v", err)
		}
		for name, path := range paths {
			for _, width := range []int64{360, 1200} {
				fits(ctx, t, b.server.URL+path, fmt.Sprintf("console-%s-%s-%d", name, language, width), width)
			}
		}
	}
}

func fits(ctx context.Context, t *testing.T, address, name string, width int64) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(address)); err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[measured](measure))
	if err != nil || got.Scroll > got.Width || !got.Styled || got.Small != "" || got.Nameless != "" {
		t.Errorf("%s: %+v (%v), want no sideways scrolling, the stylesheet, nothing too small to touch and a name for every field", name, got, err)
	}
	folder := os.Getenv("SHOPWATCH_TEST_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// measured is what a page says of itself in a browser.
type measured struct {
	Scroll, Width   int
	Styled          bool   // the stylesheet was let in
	Small, Nameless string // what is too small to touch, and fields that nothing names
}

const measure = `(() => ({
	Scroll: document.documentElement.scrollWidth, Width: document.documentElement.clientWidth,
	Styled: getComputedStyle(document.querySelector("header")).display === "flex",
	Small: [...document.querySelectorAll("button, select")].filter(e => e.getBoundingClientRect().height < 40).map(e => e.textContent.trim()).join(", "),
	Nameless: [...document.querySelectorAll("input:not([type=hidden]), textarea, select")].filter(e => e.labels.length === 0).map(e => e.name).join(", "),
}))()`

func TestWhatIsForTheBoardIsListedApartAndAsksForNobody(t *testing.T) {
	t.Parallel()
	b := filled(t)
	budget := outage()
	budget.ID, budget.Title, budget.Impact = "i9", rules.Text{EN: "The error budget runs low"}, notifier.ImpactNone
	budget.Alerts = []notifier.ActiveAlert{{Name: "ErrorBudgetLow", Severity: rules.SeverityInfo}}
	b.source.overview.Incidents = []console.Incident{{Incident: budget}}
	_, _, page := b.get("/console/", "en")
	if strings.Contains(page, "<h2>Running</h2>") || !strings.Contains(page, "nobody needs to act now") || !strings.Contains(page, "/console/incidents/i9") || strings.Contains(page, "i9/acknowledge") {
		t.Errorf("the console shows %s", page)
	}
	if _, _, page := b.get("/console/incidents/i9", "en"); strings.Contains(page, "i9/acknowledge") {
		t.Error("its own page asks for somebody")
	}
	b.source.running = []notifier.Incident{budget}
	list, err := b.client("the-token").Incidents(t.Context())
	if err != nil || len(list) != 1 || list[0].Asks {
		t.Fatalf("listed %+v, %v", list, err)
	}
	var out strings.Builder
	if err := console.Write(&out, "table", list, time.UTC); err != nil || !strings.Contains(out.String(), "asks for nobody") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
}
