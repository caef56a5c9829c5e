package demo_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter/demo"
)

func TestAVisitorBuysWithABrowser(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	read := func(answer *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s answered %s", answer.Request.URL.Path, answer.Status)
		}
		return string(body)
	}
	has := func(page, what string) {
		t.Helper()
		if !strings.Contains(page, what) {
			t.Fatalf("the page lacks %q:\n%s", what, page)
		}
	}
	has(read(browser.Get(o.URL()+"?lang=zh")), "星海游戏点卡")
	has(read(browser.Get(o.URL()+"?lang=en")), "Starsea game card")
	has(read(browser.Get(o.URL()+"products/game-card-50?lang=en")), "/order?product=game-card-50")
	has(read(browser.Get(o.URL()+"order?product=game-card-50&lang=en")), "In stock:")
	answer, err := browser.PostForm(o.URL()+"order", url.Values{"product": {"game-card-50"}, "payment": {"usdt"}, "mail": {"me@example.com"}, "lang": {"en"}})
	has(read(answer, err), "Pay (a demo: no money moves)")
	cashier := answer.Request.URL.String()

	forged := strings.Replace(cashier, "amount=47.50", "amount=0.01", 1)
	if answer, err := browser.Post(forged, "", nil); err != nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("a forged amount: %v %v, want 403", answer.Status, err)
	}
	answer, err = browser.Post(cashier, "", nil)
	has(read(answer, err), "paid, being delivered")
	mine := answer.Request.URL.String()
	o.passed(2 * time.Second)
	has(read(browser.Get(mine)), "<code>DEMO-")

	stranger, err := http.Get(mine)
	if err != nil {
		t.Fatal(err)
	}
	stranger.Body.Close()
	if stranger.StatusCode != http.StatusNotFound {
		t.Errorf("a stranger who knows the number gets %s, want 404", stranger.Status)
	}
}

func TestAPaymentAfterTheDeadlineIsRefused(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.PostForm(o.URL()+"order", url.Values{"product": {"music-month"}, "payment": {"wechat"}, "mail": {"me@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	o.clock.add(46 * time.Second)
	demo.Step(t.Context(), o.Shop)
	if got := o.count(parents, "canceled"); got != 1 {
		t.Fatalf("%d orders are canceled, want 1", got)
	}
	late, err := browser.Post(answer.Header.Get("Location"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	late.Body.Close()
	if late.StatusCode != http.StatusConflict {
		t.Errorf("a late payment gets %s, want 409", late.Status)
	}
	if got := o.count(`SELECT count(*) FROM payments WHERE status='success'`); got != 0 {
		t.Errorf("%d payments succeeded, want none", got)
	}
	if got := o.count(`SELECT count(*) FROM card_secrets WHERE status='reserved'`); got != 0 {
		t.Errorf("%d cards are still reserved for a canceled order", got)
	}
}
