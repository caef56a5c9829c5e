package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/config"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

var stamps = regexp.MustCompile(`name="stamp" value="([^"]+)"`)

// visit asks the public address.
func (b *bench) visit(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, strings.TrimPrefix(path, "https://status.example.com"), strings.NewReader(form.Encode()))
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	b.app.Public().ServeHTTP(w, r)
	return w
}

// mailed are the mails to a reader, in the order in which they came.
func (b *bench) mailed(to string) []sandbox.Message {
	var list []sandbox.Message
	for _, m := range b.world.Messages() {
		if m.To == to {
			list = append([]sandbox.Message{m}, list...)
		}
	}
	return list
}

func TestAReaderSignsUpOnThePageIsToldAndLeaves(t *testing.T) {
	t.Parallel()
	const reader = "reader@x.example"
	b := newBenchWith(t, func(b *bench) {
		b.subscriptions = config.SubscriptionsConfig{Email: true, PerAddressDaily: 3, PerNetworkHourly: 20, Hourly: 300}
	})
	if page := b.page("/"); !strings.Contains(page, `href="/subscribe"`) {
		t.Fatal("the page doesn't lead to signing up")
	}
	form := b.visit(http.MethodGet, "/subscribe", nil).Body.String()
	stamp := stamps.FindStringSubmatch(form)
	if stamp == nil || !strings.Contains(form, "Alipay") {
		t.Fatalf("the form is %s", form)
	}
	b.ahead.Add(int64(3 * time.Second))
	w := b.visit(http.MethodPost, "/subscribe", url.Values{"stamp": {stamp[1]}, "address": {reader}, "scope": {"some"}, "service": {"main/alipay"}, "language": {"en"}, "severity": {"all"}})
	if w.Code != http.StatusSeeOther {
		t.Fatalf("signing up was answered %d %s", w.Code, w.Body)
	}
	b.arrives(reader, "https://status.example.com/subscribe/confirm/")
	link := regexp.MustCompile(`https://status\.example\.com/subscribe/confirm/[A-Za-z0-9_-]+`).FindString(b.mailed(reader)[0].Text)

	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	b.tell(rules.Subscribers, "firing", begin)
	b.arrives("buyer@x.example", "Alipay")
	if n := len(b.mailed(reader)); n != 1 {
		t.Fatalf("who hasn't confirmed was sent %d mails, want the question alone", n)
	}
	b.tell(rules.Ops, "resolved", begin)
	b.tell(rules.Subscribers, "resolved", begin)
	b.arrives("buyer@x.example", "Resolved")

	if w := b.visit(http.MethodPost, link, nil); w.Code != http.StatusSeeOther {
		t.Fatalf("confirming was answered %d", w.Code)
	}
	b.arrives(reader, "/subscribe/manage/")
	if _, body := b.ask(http.MethodPost, "/api/subscribers/find", `{"address":"Reader@X.example"}`); !strings.Contains(body, `"state":"active"`) || strings.Contains(body, "reader@") {
		t.Errorf("the operator finds %s", body)
	}
	again := time.Now().Add(-4 * time.Second)
	b.tell(rules.Ops, "firing", again)
	b.tell(rules.Subscribers, "firing", again)
	b.arrives(reader, "payments are failing")
	heard := len(b.mailed(reader))

	var raw strings.Builder
	for _, m := range b.mailed(reader) {
		raw.WriteString(m.Raw)
	}
	found := regexp.MustCompile(`List-Unsubscribe:\s+<https://status\.example\.com(/subscribe/leave/[A-Za-z0-9_-]+)`).FindStringSubmatch(raw.String())
	if found == nil {
		t.Fatalf("no mail can be left by one click: %s", &raw)
	}
	leave := found[1]
	if w := b.visit(http.MethodPost, leave, url.Values{"List-Unsubscribe": {"One-Click"}}); w.Code != http.StatusOK {
		t.Fatalf("leaving by %q was answered %d", leave, w.Code)
	}
	if _, body := b.ask(http.MethodPost, "/api/subscribers/find", `{"address":"reader@x.example"}`); !strings.Contains(body, `"state":"departed"`) {
		t.Errorf("who left is found as %s", body)
	}
	b.tell(rules.Ops, "resolved", again)
	b.tell(rules.Subscribers, "resolved", again)
	b.eventually("the others hear that it is over", func() bool {
		over := 0
		for _, m := range b.mailed("buyer@x.example") {
			if strings.Contains(m.Subject, "Resolved") {
				over++
			}
		}
		return over == 2
	})
	if n := len(b.mailed(reader)); n != heard {
		t.Errorf("who left was sent %d mails more", n-heard)
	}
	b.stop()
	b.start() // links outlive the process
	if w := b.visit(http.MethodPost, leave, nil); w.Code != http.StatusOK {
		t.Errorf("leaving after a restart was answered %d", w.Code)
	}
}

func TestWhoSignsUpAmidATroubleHearsOfItAndOfItsEnd(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(b *bench) {
		b.subscriptions = config.SubscriptionsConfig{Telegram: true, Email: true, PerAddressDaily: 3, PerNetworkHourly: 20, Hourly: 300}
	})
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	b.tell(rules.Subscribers, "firing", begin)
	b.arrives("buyer@x.example", "Alipay payments are failing")
	b.world.Say(4242, "en", "/start")
	b.arrives("4242", "You will be told here")
	for address, wants := range map[string]string{"late@x.example": `{}`, "else@x.example": `{"services":["main/wechat"]}`} {
		if status, body := b.ask(http.MethodPost, "/api/subscribers", `{"address":"`+address+`","language":"en","consented":true,"wants":`+wants+`}`); status != http.StatusOK {
			t.Fatalf("adding somebody was answered %d %s", status, body)
		}
	}
	for _, reader := range []string{"4242", "late@x.example"} {
		b.arrives(reader, "Alipay payments are failing")
	}
	b.tell(rules.Ops, "resolved", begin)
	b.tell(rules.Subscribers, "resolved", begin)
	for _, reader := range []string{"4242", "late@x.example"} {
		b.arrives(reader, "Resolved", "Lasted")
	}
	if n := len(b.mailed("late@x.example")); n != 2 {
		t.Errorf("who joined was sent %d mails, want the trouble and its end", n)
	}
	if n := len(b.mailed("else@x.example")); n != 0 {
		t.Errorf("who wants to hear of another service was sent %d mails", n)
	}
}
