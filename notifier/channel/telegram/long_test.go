package telegram_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/telegram"
)

// long is a notice of three messages with buttons.
func long() notifier.Message {
	line := strings.Repeat("x", 2000) + "\n"
	return notifier.Message{
		ID: "n12-r34", HTML: "<b>one</b> " + strings.Repeat(line, 5), Text: "short",
		Buttons: [][]notifier.Button{{{Text: "Acknowledge", Data: "ack:k3"}, {Text: "too long", Data: strings.Repeat("x", 65)}}, {{Text: "Page", URL: "https://status.example.com"}}, {{Text: "neither"}}},
	}
}

func TestButtonsStandUnderTheLastPartAlone(t *testing.T) {
	t.Parallel()
	var far recording
	if err := connect(t, telegram.Config{APIURL: "http://" + far.start(t)}).Send(t.Context(), chat, long()); err != nil {
		t.Fatal(err)
	}
	if len(far.forms) != 3 || far.forms[0].Has("reply_markup") || far.forms[1].Has("reply_markup") {
		t.Fatalf("%d messages, and buttons not under the last alone", len(far.forms))
	}
	const want = `{"inline_keyboard":[[{"text":"Acknowledge","callback_data":"ack:k3"}],[{"text":"Page","url":"https://status.example.com"}]]}`
	if got := far.forms[2].Get("reply_markup"); got != want {
		t.Errorf("buttons %s\nwant    %s", got, want)
	}
}

func TestAButtonThatTelegramRefusesCostsNoNotice(t *testing.T) {
	t.Parallel()
	far := recording{refuse: func(form url.Values) string {
		if form.Has("reply_markup") {
			return "Bad Request: inline keyboard button URL 'http://localhost/' is invalid: Wrong HTTP URL"
		}
		return ""
	}}
	m := message
	m.Buttons = [][]notifier.Button{{{Text: "Page", URL: "http://localhost/"}}}
	if err := connect(t, telegram.Config{APIURL: "http://" + far.start(t)}).Send(t.Context(), chat, m); err != nil {
		t.Fatal(err)
	}
	if got := far.texts(); len(got) != 2 || got[1] != m.HTML {
		t.Errorf("said %q, want the same words a second time", got)
	}
}

func TestALongNoticeGoesOnWhereItFailed(t *testing.T) {
	t.Parallel()
	limited := true
	far := recording{}
	far.refuse = func(url.Values) string {
		if limited && len(far.forms) == 2 {
			return "Internal Server Error"
		}
		return ""
	}
	c := connect(t, telegram.Config{APIURL: "http://" + far.start(t)})
	if err := c.Send(t.Context(), chat, long()); err == nil {
		t.Fatal("the second part was refused and Send says nothing")
	}
	limited = false
	if err := c.Send(t.Context(), chat, long()); err != nil {
		t.Fatal(err)
	}
	got := far.texts()
	if len(got) != 4 || got[1] != got[2] || !strings.HasPrefix(got[0], "<b>one</b>") || strings.Contains(got[3], "one") {
		t.Errorf("%d messages; want the first once, the second twice, the third once", len(got))
	}
	other := long()
	other.HTML = strings.Replace(other.HTML, "one", "two", 1)
	limited = true
	far.forms = nil
	_ = c.Send(t.Context(), chat, other)
	limited = false
	if err := c.Send(t.Context(), chat, long()); err != nil || !strings.HasPrefix(far.texts()[2], "<b>one</b>") {
		t.Errorf("other words went on where these had failed (%v)", err)
	}
}

func TestRequestsGoThroughTheProxyAndItsPasswordIntoNoError(t *testing.T) {
	t.Parallel()
	var login string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login = r.Header.Get("Proxy-Authorization")
		if r.URL.Host != "api.telegram.example" {
			t.Errorf("the proxy was asked for %s", r.URL)
		}
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": false, "error_code": 400, "description": "login was shop:hunter2-hunter2"})
	}))
	t.Cleanup(proxy.Close)
	through, _ := url.Parse(strings.Replace(proxy.URL, "http://", "http://shop:hunter2-hunter2@", 1))
	err := connect(t, telegram.Config{APIURL: "http://api.telegram.example", Proxy: through}).Send(t.Context(), chat, message)
	if !errors.Is(err, notifier.ErrUnsendable) || login == "" {
		t.Errorf("error %v and login %q, want the proxy's answer", err, login)
	}
	if channeltest.Leaked(err, "hunter2", chat) != "" {
		t.Errorf("error holds the password: %v", err)
	}
}

func TestProbeAsksWhoTheBotIs(t *testing.T) {
	t.Parallel()
	good := connect(t, telegram.Config{APIURL: "http://" + answering(200, `{"ok":true,"result":{"id":7,"is_bot":true,"username":"shop_bot"}}`)(t)})
	if err := good.Probe(t.Context()); err != nil {
		t.Errorf("Probe: %v", err)
	}
	for name, serve := range map[string]func(*testing.T) string{
		"a revoked token": refusal(401, "Unauthorized"), "another server": answering(200, `{"ok":true,"result":{}}`),
	} {
		if err := connect(t, telegram.Config{APIURL: "http://" + serve(t)}).Probe(t.Context()); err == nil || channeltest.Leaked(err, token) != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
