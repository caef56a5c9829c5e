package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/sandbox"
)

// get asks the sandbox's page; header is the Accept-Language.
func get(t *testing.T, s *sandbox.Sandbox, path, language string) *http.Response {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("Accept-Language", language)
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, request)
	return recorder.Result()
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shown returns the ids of the messages on a page, in its order.
func shown(page string) string {
	var ids []string
	for _, found := range regexp.MustCompile(`id="m([0-9]+)"`).FindAllStringSubmatch(page, -1) {
		ids = append(ids, found[1])
	}
	return strings.Join(ids, " ")
}

// filled is a sandbox with one message on each channel: 1 telegram, 2 email, 3 sms.
func filled(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	s := open(t, sandbox.Config{Prefix: "/sandbox", SignName: "小明卡铺"})
	senders := channels(t, s)
	for _, channel := range []string{sandbox.Telegram, sandbox.Email, sandbox.SMS} {
		if err := senders[channel].Send(t.Context(), addresses[channel], notice(channel)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestThePageShowsEveryMessageAsItsReaderWouldSeeIt(t *testing.T) {
	t.Parallel()
	page := body(t, get(t, filled(t), "/sandbox/", "zh-CN,zh;q=0.9"))
	for _, want := range []string{
		`<html lang="zh">`, "没有任何消息离开这台机器", `<meta http-equiv="refresh" content="5">`, `href="/sandbox/style.css"`,
		"<strong>支付宝暂时无法支付</strong>\n我们正在处理 &lt;3",
		"<h2>🔴 支付宝暂时无法支付</h2>", "小明卡铺 &lt;status@shop.example&gt;",
		`<iframe src="/sandbox/messages/2/html" sandbox="allow-popups allow-popups-to-escape-sandbox"`,
		"【小明卡铺】服务通知：支付宝暂时无法支付", "&#43;8613800138000", `<time datetime="2026-03-04T12:00:00&#43;08:00">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := shown(page); got != "3 2 1" {
		t.Errorf("messages %s, want the newest first", got)
	}
	for _, forbidden := range []string{"<script", "style=", "onclick"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page holds %q, which its policy forbids", forbidden)
		}
	}
}

func TestThePageSpeaksTheReadersLanguage(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	for _, c := range []struct{ path, accept, want string }{
		{"/", "zh-TW,en;q=0.5", "zh"}, {"/", "en-GB,zh;q=0.5", "en"}, {"/", "", "en"}, {"/", "fr", "en"}, {"/", "not a;;language", "en"},
		{"/?lang=zh", "en", "zh"}, {"/?lang=en", "zh", "en"}, {"/?lang=xx", "zh", "zh"},
	} {
		if page := body(t, get(t, s, c.path, c.accept)); !strings.Contains(page, `<html lang="`+c.want+`">`) {
			t.Errorf("%s with %q is not in %s", c.path, c.accept, c.want)
		}
	}
}

func TestThePageIsFilteredByChannelAndReader(t *testing.T) {
	t.Parallel()
	s := filled(t)
	for query, want := range map[string]string{
		"channel=telegram": "1", "channel=email": "2", "channel=sms": "3", "channel=pigeon": "",
		"to=alice%40reader.example": "2", "to=%2B8613800138000": "3", "to=nobody": "", "channel=sms&to=alice%40reader.example": "",
	} {
		page := body(t, get(t, s, "/sandbox/?refresh=off&"+query, "en"))
		if got := shown(page); got != want {
			t.Errorf("%s shows %q, want %q", query, got, want)
		}
		if strings.Contains(page, "http-equiv") {
			t.Errorf("%s is refreshed though it was paused", query)
		}
		if want == "" && !strings.Contains(page, "No message fits") {
			t.Errorf("%s doesn't say that nothing fits", query)
		}
	}
	page := body(t, get(t, s, "/sandbox/?channel=email&to=alice%40reader.example&lang=en", "zh"))
	for _, want := range []string{
		`href="/sandbox/?channel=email&amp;lang=zh&amp;to=alice%40reader.example"`, `href="/sandbox/?lang=en&amp;to=alice%40reader.example"`,
		`aria-current="page">Mail`, `<option selected>alice@reader.example`, `name="channel" value="email"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestManyMessagesAreTurnedPageByPage(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	bot := channels(t, s)[sandbox.Telegram]
	for range 31 {
		if err := bot.Send(t.Context(), "1", notice(sandbox.Telegram)); err != nil {
			t.Fatal(err)
		}
	}
	first := body(t, get(t, s, "/", "en"))
	if got := shown(first); !strings.HasPrefix(got, "31 30") || !strings.HasSuffix(got, " 3 2") || !strings.Contains(first, `href="/?before=2"`) {
		t.Errorf("the first page shows %s", got)
	}
	if second := body(t, get(t, s, "/?before=2", "en")); shown(second) != "1" || !strings.Contains(second, "Newest") || strings.Contains(second, "Older") {
		t.Errorf("the second page shows %s", shown(second))
	}
	if !strings.Contains(first, `<span class="count">31</span>`) {
		t.Error("the tab doesn't count every message")
	}
}

func TestAnEmptyPageSaysWhatToDo(t *testing.T) {
	t.Parallel()
	if page := body(t, get(t, open(t, sandbox.Config{}), "/", "en")); !strings.Contains(page, "Break something") {
		t.Error("the page doesn't say what to do")
	}
}

func TestNothingInAMessageBecomesPartOfThePage(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	senders := channels(t, s)
	evil := `<script>alert(1)</script><img src=x onerror=alert(1)>`
	for channel, m := range map[string]notifier.Message{
		sandbox.Telegram: {ID: "n1-r1", Text: evil},
		sandbox.Email:    {ID: "n1-r2", Subject: evil, Text: evil, HTML: evil},
	} {
		if err := senders[channel].Send(t.Context(), addresses[channel], m); err != nil {
			t.Fatal(err)
		}
	}
	linked := notice(sandbox.Telegram)
	linked.HTML = `<a href="javascript:alert(1)">x</a> <a href='https://x.example/"onmouseover="alert(1)'>y</a>`
	if err := senders[sandbox.Telegram].Send(t.Context(), addresses[sandbox.Telegram], linked); err != nil {
		t.Fatal(err)
	}
	page := body(t, get(t, s, `/?to=%22%3E%3Cscript%3Ealert(1)%3C/script%3E`, "en")) + body(t, get(t, s, "/", "en"))
	for _, forbidden := range []string{"<script", "<img", "javascript:", `"onmouseover`} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page holds %q", forbidden)
		}
	}
}

func TestAMailsBodyIsServedInASandbox(t *testing.T) {
	t.Parallel()
	s := filled(t)
	response := get(t, s, "/sandbox/messages/2/html", "en")
	policy := response.Header.Get("Content-Security-Policy")
	if response.StatusCode != 200 || !strings.HasPrefix(policy, "sandbox ") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'self'") || strings.Contains(policy, "allow-scripts") {
		t.Errorf("HTTP %d with policy %q", response.StatusCode, policy)
	}
	if mail := body(t, response); !strings.Contains(mail, `<head><base target="_blank"><title>`) {
		t.Errorf("links would not open in a new tab: %s", mail)
	}
	raw := get(t, s, "/sandbox/messages/2/raw", "en")
	if kind := raw.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" || !strings.Contains(body(t, raw), "Message-ID: <n12-r34.i7@shop.example>") {
		t.Errorf("raw as %s", kind)
	}
	for path, want := range map[string]int{
		"/sandbox/messages/1/html": 404, "/sandbox/messages/99/raw": 404, "/sandbox/messages/x/raw": 404, "/sandbox/other": 404, "/": 404,
		"/sandbox": 301, "/sandbox/style.css": 200, "/sandbox/messages/3/raw": 200,
	} {
		if got := get(t, s, path, "en").StatusCode; got != want {
			t.Errorf("%s: HTTP %d, want %d", path, got, want)
		}
	}
}

func TestThePagesPolicyLetsNothingIn(t *testing.T) {
	t.Parallel()
	response := get(t, open(t, sandbox.Config{}), "/", "en")
	policy := response.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy %q", policy)
	}
	if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", response.Header)
	}
}

func TestAPressWithoutLoginSaysWhatToDoInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	s := filled(t)
	for language, want := range map[string]string{"zh": "请先打开终端里显示的控制台链接", "en": "Open the console"} {
		r := httptest.NewRequest(http.MethodPost, "/sandbox/messages/1/press?channel=telegram", nil)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		s.Refused().ServeHTTP(w, r)
		if page := w.Body.String(); w.Code != http.StatusUnauthorized || !strings.Contains(page, want) || !strings.Contains(page, `href="/sandbox/?channel=telegram"`) {
			t.Errorf("in %s: HTTP %d %s", language, w.Code, page)
		}
	}
}
