package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/webhook"
)

const (
	token  = "hunter3-token-of-the-robot"
	secret = "SEChunter2hunter2hunter2"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

var message = notifier.Message{
	ID: "n12-r34", Thread: "i7", Event: notifier.EventDown, Language: notifier.Chinese,
	Subject: "🔴 支付宝暂时无法支付", Text: "开始：03:12:05  \n已持续：5 分  ",
	Buttons: [][]notifier.Button{{{Text: "状态页", URL: "https://status.shop.example/incidents/i7"}, {Text: "确认", Data: "ack:i7"}}},
}

// paths are where each kind's addresses keep their token.
var paths = map[webhook.Kind]string{
	webhook.Signed: "/hooks/" + token, webhook.DingTalk: "/robot/send?access_token=" + token,
	webhook.WeCom: "/cgi-bin/webhook/send?key=" + token, webhook.Feishu: "/open-apis/bot/v2/hook/" + token,
}

func connect(t *testing.T, kind webhook.Kind, hostport string) *webhook.Channel {
	t.Helper()
	c, err := webhook.New(webhook.Config{Kind: kind, Now: func() time.Time { return noon }, Targets: []webhook.Target{{
		Name:   "ops-group",
		URL:    func() (string, error) { return "http://" + hostport + paths[kind], nil },
		Secret: func() (string, error) { return secret, nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// says is a far side that gives one answer, in which REQUEST stands for the request's URL.
func says(status int, body string, header ...string) func(*testing.T) string {
	return func(t *testing.T) string {
		return channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
			if len(header) == 2 {
				w.Header().Set(header[0], header[1])
			}
			w.WriteHeader(status)
			quoted, _ := json.Marshal("https://" + r.Host + r.URL.String() + " " + secret)
			fmt.Fprint(w, strings.ReplaceAll(body, "REQUEST", strings.Trim(string(quoted), `"`)))
		})
	}
}

func run(t *testing.T, kind webhook.Kind, success string, status func(int) channeltest.Outcome, answers []channeltest.Answer) {
	t.Helper()
	channeltest.Run(t, channeltest.Subject{
		Name:    string(kind),
		Connect: func(t *testing.T, hostport string) channeltest.Channel { return connect(t, kind, hostport) },
		Address: "ops-group", Invalid: []string{"", "nobody", "https://evil.example/"},
		Private: []string{token, secret, url.QueryEscape(token)},
		Message: message, Status: status, Answers: answers,
		Accepting: func(t *testing.T) (string, func() int) {
			var taken atomic.Int64
			hostport := channeltest.HTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				taken.Add(1)
				fmt.Fprint(w, success)
			})
			return hostport, func() int { return int(taken.Load()) }
		},
	})
}

// nonsense is what an answer means that is none of a robot's.
func nonsense(status int) channeltest.Outcome {
	if status == http.StatusGone {
		return channeltest.Permanent
	}
	return channeltest.Temporary
}

func TestASignedWebhookIsAChannel(t *testing.T) {
	t.Parallel()
	run(t, webhook.Signed, "", func(status int) channeltest.Outcome {
		if status < 300 {
			return channeltest.Accepted
		}
		return nonsense(status)
	}, []channeltest.Answer{
		{Name: "it names when to come back", Serve: says(429, "", "Retry-After", "17"), Want: channeltest.WaitRecipient, After: 17 * time.Second},
		{Name: "it names the moment to come back", Serve: says(503, "", "Retry-After", noon.Add(time.Minute).Format(http.TimeFormat)), Want: channeltest.WaitRecipient, After: time.Minute},
		{Name: "a wait of years is cut to a day", Serve: says(503, "", "Retry-After", "999999999"), Want: channeltest.WaitRecipient, After: 24 * time.Hour},
		{Name: "it is gone", Serve: says(410, "REQUEST"), Want: channeltest.Permanent, Says: "410"},
	})
}

func TestDingTalkIsAChannel(t *testing.T) {
	t.Parallel()
	run(t, webhook.DingTalk, `{"errcode":0,"errmsg":"ok"}`, nonsense, []channeltest.Answer{
		{Name: "200 without a code is a failure", Serve: says(200, `{"errmsg":"ok"}`), Want: channeltest.Temporary},
		{Name: "success in words of an error's status is a failure", Serve: says(502, `{"errcode":0}`), Want: channeltest.Temporary},
		{Name: "more than twenty a minute", Serve: says(200, `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`), Want: channeltest.WaitRecipient, After: 10 * time.Minute},
		{Name: "the signature is wrong", Serve: says(200, `{"errcode":310000,"errmsg":"sign not match, REQUEST"}`), Want: channeltest.WaitRecipient, After: 5 * time.Minute, Says: "check secret"},
		{Name: "a keyword is missing", Serve: says(200, `{"errcode":310000,"errmsg":"keywords not in content"}`), Want: channeltest.WaitRecipient, After: 5 * time.Minute, Says: "choose signing"},
		{Name: "the token is none", Serve: says(200, `{"errcode":300001,"errmsg":"token is not exist"}`), Want: channeltest.WaitRecipient, After: 5 * time.Minute, Says: "check url"},
		{Name: "the group is dissolved", Serve: says(200, `{"errcode":400013,"errmsg":"group disbanded"}`), Want: channeltest.Permanent},
		{Name: "the words are not liked", Serve: says(200, `{"errcode":430102,"errmsg":"inappropriate"}`), Want: channeltest.Unsendable},
		{Name: "it is busy", Serve: says(200, `{"errcode":-1,"errmsg":"REQUEST"}`), Want: channeltest.Temporary},
	})
}

func TestWeComIsAChannel(t *testing.T) {
	t.Parallel()
	run(t, webhook.WeCom, `{"errcode":0,"errmsg":"ok"}`, nonsense, []channeltest.Answer{
		{Name: "more than twenty a minute", Serve: says(200, `{"errcode":45009,"errmsg":"api freq out of limit"}`), Want: channeltest.WaitRecipient, After: time.Minute},
		{Name: "the key is none", Serve: says(200, `{"errcode":93000,"errmsg":"invalid webhook url REQUEST"}`), Want: channeltest.WaitRecipient, After: 5 * time.Minute},
		{Name: "the robot was removed", Serve: says(200, `{"errcode":93004,"errmsg":"removed"}`), Want: channeltest.Permanent},
		{Name: "the text is too long", Serve: says(200, `{"errcode":40058,"errmsg":"markdown.content exceed max length 4096"}`), Want: channeltest.Unsendable},
		{Name: "it is busy", Serve: says(200, `{"errcode":-1,"errmsg":"REQUEST"}`), Want: channeltest.Temporary},
	})
}

func TestFeishuIsAChannel(t *testing.T) {
	t.Parallel()
	run(t, webhook.Feishu, `{"code":0,"msg":"success","data":{}}`, nonsense, []channeltest.Answer{
		{Name: "asked too often", Serve: says(200, `{"code":11232,"msg":"frequency limited psm"}`), Want: channeltest.WaitRecipient, After: time.Minute},
		{Name: "asked too often, and it says for how long", Serve: says(429, `{"code":99991400,"msg":"request trigger frequency limit"}`, "x-ogw-ratelimit-reset", "3"), Want: channeltest.WaitRecipient, After: 3 * time.Second},
		{Name: "the signature is wrong", Serve: says(200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`), Want: channeltest.WaitRecipient, After: 5 * time.Minute, Says: "check secret"},
		{Name: "the token is none", Serve: says(400, `{"code":19001,"msg":"param invalid: incoming webhook access token invalid REQUEST"}`), Want: channeltest.WaitRecipient, After: 5 * time.Minute},
		{Name: "the form is unknown", Serve: says(400, `{"code":9499,"msg":"Bad Request"}`), Want: channeltest.Unsendable},
	})
}

// asked is one request that a far side got.
type asked struct {
	url    *url.URL
	header http.Header
	body   []byte
}

func ask(t *testing.T, kind webhook.Kind, m notifier.Message) asked {
	t.Helper()
	got := make(chan asked, 1)
	hostport := channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- asked{r.URL, r.Header, body}
		fmt.Fprint(w, `{"errcode":0,"code":0}`)
	})
	if err := connect(t, kind, hostport).Send(t.Context(), "ops-group", m); err != nil {
		t.Fatal(err)
	}
	return <-got
}

func mac(key, text string) string {
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(sum.Sum(nil))
}

func TestASignedWebhookIsWhatStandardWebhooksSays(t *testing.T) {
	t.Parallel()
	got := ask(t, webhook.Signed, message)
	want := `{"version":1,"id":"n12-r34","incident":"i7","event":"down","language":"zh","title":"🔴 支付宝暂时无法支付","text":"开始：03:12:05  \n已持续：5 分  ","links":[{"text":"状态页","url":"https://status.shop.example/incidents/i7"}]}`
	if string(got.body) != want {
		t.Errorf("sent %s\nwant %s", got.body, want)
	}
	at := fmt.Sprint(noon.Unix())
	for name, want := range map[string]string{
		"webhook-id": "n12-r34", "webhook-timestamp": at, "webhook-signature": "v1," + mac(secret, "n12-r34."+at+"."+want), "Idempotency-Key": "n12-r34",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	// The example of the specification.
	if got := webhook.Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("the specification's example is signed %s", got)
	}
}

func TestDingTalkGetsACardWithLinksAndASignature(t *testing.T) {
	t.Parallel()
	got := ask(t, webhook.DingTalk, message)
	want := `{"actionCard":{"btnOrientation":"0","btns":[{"title":"状态页","actionURL":"https://status.shop.example/incidents/i7"}],"text":"### 🔴 支付宝暂时无法支付\n\n开始：03:12:05  \n已持续：5 分","title":"🔴 支付宝暂时无法支付"},"msgtype":"actionCard"}`
	if string(got.body) != want {
		t.Errorf("sent %s\nwant %s", got.body, want)
	}
	at := fmt.Sprint(noon.UnixMilli())
	if query := got.url.Query(); query.Get("access_token") != token || query.Get("timestamp") != at || query.Get("sign") != mac(secret, at+"\n"+secret) {
		t.Errorf("asked for %s", got.url)
	}
	m := message
	m.Buttons = nil
	if got := ask(t, webhook.DingTalk, m); !strings.Contains(string(got.body), `"msgtype":"markdown"`) {
		t.Errorf("without buttons: sent %s", got.body)
	}
}

func TestWeComIsCutByBytesAndKeepsItsLinks(t *testing.T) {
	t.Parallel()
	m := message
	m.Subject = "<@all> [点这里](https://evil.example)"
	m.Text = strings.Repeat("支付宝暂时无法支付。", 400)
	var body struct {
		Msgtype  string
		Markdown struct{ Content string }
	}
	got := ask(t, webhook.WeCom, m)
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	content := body.Markdown.Content
	if body.Msgtype != "markdown" || len(content) > 4096 || len(content) < 4080 || !utf8.ValidString(content) {
		t.Errorf("sent %d bytes as %s", len(content), body.Msgtype)
	}
	if !strings.HasSuffix(content, "…\n[状态页](https://status.shop.example/incidents/i7)") || !strings.HasPrefix(content, "### ＜@all＞ ［点这里］(https://evil.example)\n") {
		t.Errorf("sent %.80s … %s", content, content[len(content)-80:])
	}
	if got.url.Query().Get("key") != token {
		t.Errorf("asked for %s", got.url)
	}
}

func TestFeishuGetsACardWithASignature(t *testing.T) {
	t.Parallel()
	got := ask(t, webhook.Feishu, message)
	at := fmt.Sprint(noon.Unix())
	want := `{"card":{"config":{"wide_screen_mode":true},"elements":[{"content":"开始：03:12:05  \n已持续：5 分","tag":"markdown"},{"actions":[{"tag":"button","text":{"content":"状态页","tag":"plain_text"},"type":"default","url":"https://status.shop.example/incidents/i7"}],"tag":"action"}],"header":{"template":"red","title":{"content":"🔴 支付宝暂时无法支付","tag":"plain_text"}}},"msg_type":"interactive","sign":"` + mac(at+"\n"+secret, "") + `","timestamp":"` + at + `"}`
	if string(got.body) != want {
		t.Errorf("sent %s\nwant %s", got.body, want)
	}
}

func TestATargetsFileThatIsGoneIsATroubleThatPasses(t *testing.T) {
	t.Parallel()
	gone := errors.New(`secret file "robot.url": no such file or directory`)
	c, err := webhook.New(webhook.Config{Kind: webhook.WeCom, Now: time.Now, Targets: []webhook.Target{
		{Name: "a", URL: func() (string, error) { return "", gone }}, {Name: "b", URL: func() (string, error) { return "no url " + token, nil }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		err := c.Send(t.Context(), name, message)
		if got, _ := channeltest.Understand(err); got != channeltest.Temporary || channeltest.Leaked(err, token) != "" || !strings.Contains(err.Error(), "wecom "+name) {
			t.Errorf("Send to %s: %v", name, err)
		}
	}
}

func TestAShortTokenThatComesBackIsToldByNoError(t *testing.T) {
	t.Parallel()
	hostport := channeltest.TCP(t, func(conn net.Conn) {
		heard := make([]byte, 64<<10)
		n, _ := conn.Read(heard)
		_, _ = conn.Write(heard[:n])
	})
	const short = "hunter4"
	c, err := webhook.New(webhook.Config{Kind: webhook.WeCom, Now: time.Now, Targets: []webhook.Target{
		{Name: "a", URL: func() (string, error) { return "http://" + hostport + "/cgi-bin/webhook/send?key=" + short, nil }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), "a", message); err == nil || strings.Contains(err.Error(), short) {
		t.Errorf("the error is %v", err)
	}
}

func TestNewRefusesAConfigThatMakesNoSense(t *testing.T) {
	t.Parallel()
	there := func() (string, error) { return "https://x.example", nil }
	good := webhook.Target{Name: "a", URL: there}
	for name, cfg := range map[string]webhook.Config{
		"no kind": {Targets: []webhook.Target{good}, Now: time.Now}, "no target": {Kind: webhook.WeCom, Now: time.Now},
		"no clock": {Kind: webhook.WeCom, Targets: []webhook.Target{good}}, "no name": {Kind: webhook.WeCom, Targets: []webhook.Target{{URL: there}}, Now: time.Now},
		"a name twice": {Kind: webhook.WeCom, Targets: []webhook.Target{good, good}, Now: time.Now}, "no URL": {Kind: webhook.WeCom, Targets: []webhook.Target{{Name: "a"}}, Now: time.Now},
	} {
		if _, err := webhook.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestASignedWebhookIsSaidOnceATryAlsoWhereAKeptConnectionBreaks(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	hostport := channeltest.HTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if asked.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	})
	c := connect(t, webhook.Signed, hostport)
	if err := c.Send(t.Context(), "ops-group", message); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), "ops-group", message); err == nil {
		t.Error("a broken connection was taken for an answer")
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("two tries became %d requests", n)
	}
}
