package subscription_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/subscription"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestSomebodySignsUpByMailAndIsToldOnlyOnceTheyConfirmed(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	form := s.filled("/subscribe?lang=en", " Alice@BÜCHER.example ")
	form["scope"], form["service"], form["severity"] = []string{"some"}, []string{"main/alipay", "main/private"}, []string{"major"}
	form["language"], form["from"], form["to"] = []string{"en"}, []string{"23:00"}, []string{"07:30"}
	w := s.do(http.MethodPost, "/subscribe?lang=en", form)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/subscribe/sent?lang=en" {
		t.Fatalf("answered %d to %q", w.Code, w.Header().Get("Location"))
	}
	sub := s.row("email", "Alice@xn--bcher-kva.example")
	want := notifier.Wants{Services: []string{"main/alipay"}, Least: notifier.ImpactMajor, Quiet: notifier.Quiet{From: 23 * 60, To: 7*60 + 30}}
	if sub == nil || sub.State != notifier.Pending || sub.Language != notifier.English || fmt.Sprint(sub.Wants) != fmt.Sprint(want) || sub.Audience != "subscribers" {
		t.Fatalf("kept %+v", sub)
	}
	if n := s.notices[0]; n.To != sub.ID || n.Event != notifier.EventConfirm || n.Lane() != notifier.LaneConfirmation {
		t.Errorf("told %+v", n)
	}
	link, _ := s.links(t).Confirm(sub.Recipient)
	for range 2 { // a scanner opens it as well
		if page := s.do(http.MethodGet, path(link), nil); page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "A…@x….example") || !strings.Contains(page.Body.String(), "Alipay") {
			t.Fatalf("the link shows %d %s", page.Code, page.Body)
		}
	}
	if s.row("email", sub.Address).State != notifier.Pending {
		t.Fatal("opening the link confirmed it")
	}
	w = s.do(http.MethodPost, path(link), url.Values{})
	if w.Code != http.StatusSeeOther || s.row("email", sub.Address).State != notifier.Active {
		t.Fatalf("confirming was answered %d", w.Code)
	}
	if page := s.get(w.Header().Get("Location")); !strings.Contains(page, "you are subscribed") || !strings.Contains(page, `value="23:00"`) || !strings.Contains(page, `value="main/alipay" id="service-1" checked`) {
		t.Errorf("the subscription is shown as %s", page)
	}
	if got := s.told(sub.ID); !slices.Equal(got, []notifier.Event{notifier.EventConfirm, notifier.EventWelcome}) {
		t.Errorf("they were sent %v", got)
	}
	if again := s.do(http.MethodPost, path(link), url.Values{}); again.Code != http.StatusNotFound {
		t.Errorf("the link works twice: %d", again.Code)
	}
}

func TestAMailLinkEndsAfterTwoDays(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.signUp("a@b.example")
	link, _ := s.links(t).Confirm(s.row("email", "a@b.example").Recipient)
	s.advance(48 * time.Hour)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if w := s.do(method, path(link), nil); w.Code != http.StatusNotFound {
			t.Errorf("%s was answered %d", method, w.Code)
		}
	}
}

func TestAPhoneIsProvedByACodeOfFiveTriesAndTenMinutes(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	ask := func() (string, string) {
		w := s.signUp("138 0013-8000")
		page := w.Header().Get("Location")
		if !strings.HasPrefix(page, "/subscribe/code?t=") || strings.Contains(page, "13800138000") {
			t.Fatalf("led to %q", page)
		}
		u, _ := url.Parse(page)
		_, code := s.links(t).Confirm(s.row("sms", "+8613800138000").Recipient)
		return u.Query().Get("t"), code
	}
	enter := func(envelope, code string) int {
		return s.do(http.MethodPost, "/subscribe/code", url.Values{"t": {envelope}, "code": {code}}).Code
	}
	wrong := func(code string) string { return string('0'+('9'-code[0])) + code[1:] }
	envelope, code := ask()
	if page := s.get("/subscribe/code?t=" + envelope); !strings.Contains(page, envelope) || strings.Contains(page, "13800138000") {
		t.Errorf("the page shows %s", page)
	}
	for range 5 {
		if got := enter(envelope, wrong(code)); got != http.StatusUnprocessableEntity {
			t.Errorf("a wrong code was answered %d", got)
		}
	}
	if got := enter(envelope, code); got != http.StatusUnprocessableEntity {
		t.Errorf("a sixth try was answered %d", got)
	}
	envelope, code = ask()
	s.advance(10 * time.Minute)
	if got := enter(envelope, code); got == http.StatusSeeOther {
		t.Error("the code worked after ten minutes")
	}
	envelope, code = ask()
	if got := enter(envelope, code[:3]+" "+code[3:]); got != http.StatusSeeOther {
		t.Errorf("the code was answered %d", got)
	}
	if sub := s.row("sms", "+8613800138000"); sub.State != notifier.Active || slices.Contains(s.told(sub.ID), notifier.EventWelcome) {
		t.Errorf("the number is %s and was sent %v", sub.State, s.told(sub.ID))
	}
	if got := enter(envelope, code); got != http.StatusUnprocessableEntity {
		t.Errorf("the code worked twice: %d", got)
	}
}

// volatile are bytes that differ from one answer to the next of the same person too.
var volatile = regexp.MustCompile(`t=[A-Za-z0-9_-]+|name="(t|stamp)" value="[^"]+"|[?&;]t(%3D|=)[A-Za-z0-9_-]+`)

func TestNoAnswerSaysWhoIsSubscribed(t *testing.T) {
	t.Parallel()
	states := []string{"unknown", "pending", "active", "refused", "departed"}
	for _, address := range []string{"someone@shop.example", "13800138000"} {
		channel, kept := "email", address
		if address[0] == '1' {
			channel, kept = "sms", "+86"+address
		}
		var answers, works []string
		for _, state := range states {
			s := newSite(t, nil)
			if state != "unknown" {
				if _, err := s.service.Join(t.Context(), channel, kept, notifier.Chinese, notifier.Wants{}); err != nil {
					t.Fatal(err)
				}
				row := s.row(channel, kept)
				row.State = notifier.RecipientState(state)
				s.rows[row.ID] = *row
			}
			var said strings.Builder
			tell := func(w *httptest.ResponseRecorder) {
				fmt.Fprintln(&said, w.Code, w.Header(), w.Body)
			}
			signed := s.signUp(address)
			tell(signed)
			works = append(works, fmt.Sprint(s.work))
			tell(s.do(http.MethodGet, signed.Header().Get("Location"), nil))
			tell(s.do(http.MethodPost, "/subscribe/manage", s.filled("/subscribe/manage", address)))
			if channel == "sms" {
				u, _ := url.Parse(signed.Header().Get("Location"))
				for range 7 {
					tell(s.do(http.MethodPost, "/subscribe/code", url.Values{"t": u.Query()["t"], "code": {"99999x"}}))
				}
			}
			for range 3 { // beyond what one address is sent
				tell(s.signUp(address))
			}
			answers = append(answers, volatile.ReplaceAllString(said.String(), ""))
		}
		for i := range states {
			if answers[i] != answers[0] {
				t.Errorf("%s: %s is answered otherwise than unknown:\n%s\n%s", channel, states[i], answers[i], answers[0])
			}
			if works[i] != works[0] {
				t.Errorf("%s: %s takes %s, unknown %s", channel, states[i], works[i], works[0])
			}
		}
	}
}

func TestWhoIsSubscribedIsSentAWayBackAndNothingOfTheirsChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	before := s.confirmed("a@b.example")
	form := s.filled("/subscribe", "A@b.example")
	form["language"], form["severity"] = []string{"en"}, []string{"major"}
	s.do(http.MethodPost, "/subscribe", form)
	after := s.row("email", "a@b.example")
	if after.State != notifier.Active || after.Language != before.Language || after.Wants.Least != "" {
		t.Errorf("a stranger made of them %+v", after)
	}
	if got := s.told(after.ID); got[len(got)-1] != notifier.EventCode {
		t.Errorf("they were sent %v", got)
	}
}

func TestOneLeavesWithOneClickAndNeverByOpeningALink(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	sub := s.confirmed("a@b.example")
	link := path(s.links(t).Leave(sub.Recipient))
	s.advance(5 * 365 * 24 * time.Hour) // for ever
	if w := s.do(http.MethodGet, link, nil); w.Code != http.StatusOK || s.row("email", "a@b.example").State != notifier.Active {
		t.Fatalf("opening it was answered %d and left them %s", w.Code, s.row("email", "a@b.example").State)
	}
	var body strings.Builder
	form := multipart.NewWriter(&body)
	form.WriteField("List-Unsubscribe", "One-Click")
	form.Close()
	clicks := []struct{ kind, body string }{
		{"application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"}, {form.FormDataContentType(), body.String()}, {"application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"},
	}
	for i, click := range clicks {
		if i == 1 {
			s.service.Join(t.Context(), "email", "a@b.example", notifier.Chinese, notifier.Wants{})
		}
		r := httptest.NewRequest(http.MethodPost, link, strings.NewReader(click.body))
		r.Header.Set("Content-Type", click.kind)
		r.Header.Set("Sec-Fetch-Site", "cross-site") // a mail program in a browser
		r.Header.Set("Origin", "https://mail.example")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || s.row("email", "a@b.example").State != notifier.Departed {
			t.Errorf("click %d was answered %d and left them %s", i, w.Code, s.row("email", "a@b.example").State)
		}
	}
	if err := s.service.Erase(t.Context(), sub.ID, "cli", ""); err != nil {
		t.Fatal(err)
	}
	if w := s.do(http.MethodPost, link, url.Values{}); w.Code != http.StatusOK {
		t.Errorf("who is gone was answered %d", w.Code)
	}
	if w := s.do(http.MethodPost, link[:len(link)-9]+"A?lang=zh", url.Values{}); w.Code != http.StatusNotFound {
		t.Errorf("a forged link was answered %d", w.Code)
	}
}

func TestOneChangesTakesAlongAndErasesWhatIsHeld(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	sub := s.confirmed("a@b.example")
	link := path(s.links(t).Manage(sub.Recipient))
	manage, _, _ := strings.Cut(link, "?")
	w := s.do(http.MethodPost, manage, url.Values{"scope": {"some"}, "service": {"main/web"}, "severity": {"major"}, "language": {"en"}, "from": {"22:00"}, "to": {"06:00"}})
	if got := s.row("email", "a@b.example"); w.Code != http.StatusSeeOther || got.Language != "en" || got.Wants.Services[0] != "main/web" || got.Wants.Quiet != (notifier.Quiet{From: 1320, To: 360}) {
		t.Errorf("answered %d and kept %+v", w.Code, got)
	}
	for _, bad := range []url.Values{{"scope": {"some"}}, {"scope": {"all"}, "from": {"10:00"}}, {"from": {"25:00"}, "to": {"1:00"}}, {"from": {"08:00"}, "to": {"08:00"}}} {
		if w := s.do(http.MethodPost, manage, bad); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `class="mistakes"`) {
			t.Errorf("%v was answered %d", bad, w.Code)
		}
	}
	var record subscription.Record
	export := s.do(http.MethodGet, manage+"/export", nil)
	if json.Unmarshal(export.Body.Bytes(), &record) != nil || record.Address != "a@b.example" || len(record.Acts) < 3 || record.Wants.Least != notifier.ImpactMajor {
		t.Errorf("they are given %s", export.Body)
	}
	if strings.Contains(export.Body.String(), "onfirm_") || strings.Contains(export.Header().Get("Content-Disposition"), "@") {
		t.Errorf("the export shows too much: %v", export.Header())
	}
	if w := s.do(http.MethodGet, manage+"/erase", nil); w.Code != http.StatusOK || s.row("email", "a@b.example") == nil {
		t.Fatalf("opening the erasure was answered %d", w.Code)
	}
	if w := s.do(http.MethodPost, manage+"/erase", url.Values{}); w.Header().Get("Location") != "/subscribe/erased" || s.row("email", "a@b.example") != nil {
		t.Errorf("erasing was answered %d %s", w.Code, w.Header().Get("Location"))
	}
	if last := s.audit[len(s.audit)-1]; last.Deed != "erase" || last.Subject != "recipient 1" || last.Way != "page" {
		t.Errorf("the audit log says %+v", last)
	}
	if w := s.do(http.MethodGet, link, nil); w.Code != http.StatusNotFound {
		t.Errorf("the link still shows %d", w.Code)
	}
	if told := fmt.Sprint(s.audit); strings.Contains(told, "b.example") || strings.Contains(s.log.String(), "b.example") {
		t.Error("the audit log or the log holds an address")
	}
}

func TestAManageLinkEndsAfterThirtyDaysAndItsOwnerGetsANewOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	sub := s.confirmed("a@b.example")
	link := path(s.links(t).Manage(sub.Recipient))
	s.advance(30*24*time.Hour + time.Minute)
	if w := s.do(http.MethodGet, link, nil); w.Code != http.StatusNotFound {
		t.Fatalf("it is answered %d", w.Code)
	}
	if w := s.do(http.MethodPost, "/subscribe/manage", s.filled("/subscribe/manage", "a@b.example")); w.Header().Get("Location") != "/subscribe/sent" {
		t.Errorf("led to %q", w.Header().Get("Location"))
	}
	if got := s.told(sub.ID); got[len(got)-1] != notifier.EventCode {
		t.Errorf("they were sent %v", got)
	}
	if page := s.get(path(s.links(t).Manage(sub.Recipient))); !strings.Contains(page, "a…@b….example") {
		t.Errorf("the new link shows %s", page)
	}
}

func TestPagesKeepToThemselves(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	sub := s.confirmed("a@b.example")
	for _, at := range []string{"/subscribe", "/subscribe/sent", "/subscribe/manage", path(s.links(t).Manage(sub.Recipient)), path(s.links(t).Leave(sub.Recipient)), "/subscribe/nowhere", "/subscribe/confirm/x"} {
		w := s.do(http.MethodGet, at, nil, "Host: evil.example")
		h := w.Header()
		if h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'") || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: headers %v", at, h)
		}
		if body := w.Body.String(); strings.Contains(body, "evil.example") || strings.Contains(body, "example.com/") || regexp.MustCompile(`<script|<style|\sstyle=|\son[a-z]+=|ZgotmplZ|%!`).MatchString(body) {
			t.Errorf("%s shows %s", at, body)
		}
	}
	foreign := s.do(http.MethodPost, strings.Split(path(s.links(t).Manage(sub.Recipient)), "?")[0]+"/leave", url.Values{}, "Sec-Fetch-Site: cross-site")
	if foreign.Code != http.StatusForbidden || s.row("email", "a@b.example").State != notifier.Active {
		t.Errorf("another website's form was answered %d", foreign.Code)
	}
	if w := s.do(http.MethodPost, "/subscribe", url.Values{"address": {strings.Repeat("a", 100_000)}}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a huge form was answered %d", w.Code)
	}
	if w := s.do(http.MethodGet, "/subscribe?x="+strings.Repeat("a", 2000), nil); w.Code != http.StatusRequestURITooLong {
		t.Errorf("a long address was answered %d", w.Code)
	}
}

func TestTroubleOfOursIsLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.broken = errors.New("disk full")
	if w := s.signUp("a@b.example"); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if log := s.log.String(); !strings.Contains(log, "disk full") || strings.Contains(log, "b.example") {
		t.Errorf("logged %q", log)
	}
}

func TestTwoWhoSignUpTheSameAddressAtOnceAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.taken = 1
	if w := s.signUp("a@b.example"); w.Code != http.StatusSeeOther || len(s.told(1)) != 1 {
		t.Errorf("the second was answered %d, and %v sent", w.Code, s.told(1))
	}
	s.taken = 2
	if w := s.signUp("c@d.example"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("one who lost twice was answered %d", w.Code)
	}
}

func TestWhatCannotBeSignedUpForIsSaid(t *testing.T) {
	t.Parallel()
	only := newSite(t, func(c *subscription.PagesConfig) { c.Channels = []string{subscription.Email} })
	both := newSite(t, nil)
	for address, sites := range map[string]*site{"13800138000": only, "+14155550123": both, "01012345678": both, "a@localhost": both, "": both} {
		if w := sites.signUp(address); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `aria-invalid="true"`) {
			t.Errorf("%q was answered %d", address, w.Code)
		}
	}
}

func TestWithoutAFormThePageLeadsToTheBotOrSaysThatItIsClosed(t *testing.T) {
	t.Parallel()
	for bot, want := range map[string]string{"": "Please come back later", "https://t.me/star_bot?start=x": `href="https://t.me/star_bot?start=x"`} {
		s := newSite(t, func(c *subscription.PagesConfig) { c.Channels, c.Telegram = nil, func() string { return bot } })
		if page := s.get("/subscribe?lang=en"); !strings.Contains(page, want) || strings.Contains(page, "<form") {
			t.Errorf("with bot %q the page shows %s", bot, page)
		}
		if w := s.do(http.MethodPost, "/subscribe", url.Values{"address": {"a@b.example"}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a form that we didn't give was answered %d", w.Code)
		}
	}
}

func TestALeaveLinkUsedAgainSaysThatOneHasLeftAndTheWayBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	sub := s.confirmed("a@x.example")
	leave := path(s.links(t).Leave(sub.Recipient))
	if page := s.get(leave); !strings.Contains(page, "退订通知？") {
		t.Errorf("at first the link shows %s", page)
	}
	s.do(http.MethodPost, leave, url.Values{})
	if page := s.get(leave); !strings.Contains(page, "已退订") || strings.Contains(page, "<button") || !strings.Contains(page, `href="/subscribe?lang=zh"`) {
		t.Errorf("used again it shows %s", page)
	}
	s.confirmed("a@x.example")
	if page := s.get(leave); !strings.Contains(page, "退订通知？") {
		t.Errorf("once its owner is back it shows %s", page)
	}
}
