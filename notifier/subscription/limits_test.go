package subscription_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/subscription"
)

func TestOneAddressIsSentThreeMessagesADay(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for range 10 {
		s.signUp("a@b.example")
	}
	if n := len(s.told(1)); n != 3 {
		t.Errorf("it was sent %d, want 3", n)
	}
	s.advance(24 * time.Hour)
	s.signUp("a@b.example")
	if n := len(s.told(1)); n != 4 {
		t.Errorf("a day later it was sent %d, want 4", n)
	}
}

func TestNetworksAndEverybodyHaveLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *subscription.PagesConfig) {
		c.Limits = subscription.Limits{PerAddressDaily: 3, PerNetworkHourly: 2, Hourly: 7}
	})
	count := 0
	ask := func(from string, header ...string) int {
		count++
		s.from = from
		return s.do(http.MethodPost, "/subscribe", s.filled("/subscribe", fmt.Sprintf("p%d@b.example", count)), header...).Code
	}
	steps := []struct {
		from, forwarded string
		want            int
	}{
		{"203.0.113.7:1", "", 303},
		{"203.0.113.9:1", "198.51.100.1", 303}, // what a stranger forwards is not believed
		{"203.0.113.200:1", "", 429},           // one /24
		{"[2001:db8:0:1::1]:1", "", 303},
		{"[2001:db8:0:1:ffff::2]:1", "", 303},
		{"[2001:db8:0:1::3]:1", "", 429},          // one /64
		{"10.1.2.3:1", "7.7.7.7, 8.8.8.8", 303},   // the proxy that we trust
		{"10.1.2.3:1", "9.9.9.9,8.8.8.9", 303},    // … the nearest counts
		{"10.1.2.3:1", "8.8.8.10, 10.9.9.9", 429}, // … also behind a second proxy of ours
		{"192.0.2.1:1", "", 303},
		{"198.51.100.1:1", "", 429}, // seven in all
	}
	for _, step := range steps {
		var header []string
		if step.forwarded != "" {
			header = append(header, "X-Forwarded-For: "+step.forwarded)
		}
		if got := ask(step.from, header...); got != step.want {
			t.Errorf("from %s (%s): got %d, want %d", step.from, step.forwarded, got, step.want)
		}
	}
	s.advance(time.Hour)
	if got := ask("203.0.113.7:1"); got != 303 {
		t.Errorf("an hour later: got %d", got)
	}
}

func TestARestartForgetsNoLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *subscription.PagesConfig) {
		c.Limits = subscription.Limits{PerAddressDaily: 2, PerNetworkHourly: 5, Hourly: 100}
	})
	for range 4 {
		s.restart()
		s.signUp("a@b.example")
	}
	if n := len(s.told(1)); n != 2 {
		t.Errorf("the address was sent %d, want 2", n)
	}
	u, _ := url.Parse(s.signUp("13800138000").Header().Get("Location"))
	guess := url.Values{"t": u.Query()["t"], "code": {"99999x"}}
	for range 25 {
		s.restart()
		s.work = nil
		s.do(http.MethodPost, "/subscribe/code", guess)
	}
	if s.work != nil {
		t.Errorf("the 25th code was looked at: %v", s.work)
	}
	s.restart()
	if w := s.signUp("c@d.example"); w.Code != http.StatusTooManyRequests {
		t.Errorf("the network's sixth was answered %d, want 429", w.Code)
	}
}

func TestNobodyIsAskedWhileNothingCanBeCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	manage := path(s.links(t).Manage(s.confirmed("a@b.example").Recipient))
	u, _ := url.Parse(s.signUp("13800138000").Header().Get("Location"))
	before := len(s.notices)
	s.uncounted = errors.New("the disk is full")
	for name, w := range map[string]*httptest.ResponseRecorder{
		"signing up": s.signUp("c@d.example"),
		"a code":     s.do(http.MethodPost, "/subscribe/code", url.Values{"t": u.Query()["t"], "code": {"123456"}}),
		"a change":   s.do(http.MethodPost, manage, url.Values{"scope": {"all"}, "severity": {"all"}, "language": {"en"}}),
	} {
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s was answered %d, want 503", name, w.Code)
		}
	}
	if len(s.notices) != before || !strings.Contains(s.log.String(), "the disk is full") {
		t.Errorf("sent %v, logged %s", s.notices[before:], s.log)
	}
	if w := s.do(http.MethodPost, "/subscribe/manage/"+tokenOf(manage)+"/leave", url.Values{}); w.Code != http.StatusSeeOther {
		t.Errorf("leaving was answered %d: it is never counted", w.Code)
	}
}

func TestProgramsAtTheFormGetTheAnswerOfPeopleAndNothingIsSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	form := s.filled("/subscribe", "a@b.example")
	form.Set("website", "https://spam.example")
	if w := s.do(http.MethodPost, "/subscribe", form); w.Header().Get("Location") != "/subscribe/sent" || len(s.notices) != 0 {
		t.Errorf("answered %d, sent %v", w.Code, s.notices)
	}
	bad := map[string]func(url.Values){
		"no stamp":        func(v url.Values) { v.Del("stamp") },
		"a forged stamp":  func(v url.Values) { v.Set("stamp", "AAAAAZKq"+strings.Repeat("A", 24)) },
		"a stamp too old": func(url.Values) { s.advance(25 * time.Hour) },
		"a stamp too new": func(v url.Values) { v.Set("stamp", stamps.FindStringSubmatch(s.get("/subscribe"))[1]) },
	}
	for name, change := range bad {
		form := s.filled("/subscribe", "a@b.example")
		change(form)
		w := s.do(http.MethodPost, "/subscribe", form)
		if w.Code != http.StatusUnprocessableEntity || len(s.notices) != 0 || !strings.Contains(w.Body.String(), `value="a@b.example"`) {
			t.Errorf("%s: answered %d, sent %v", name, w.Code, s.notices)
		}
	}
}

func TestCodesAreNotLookedAtForEver(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	u, _ := url.Parse(s.signUp("13800138000").Header().Get("Location"))
	for range 20 {
		s.do(http.MethodPost, "/subscribe/code", url.Values{"t": u.Query()["t"], "code": {"99999x"}})
	}
	s.work = nil
	if w := s.do(http.MethodPost, "/subscribe/code", url.Values{"t": u.Query()["t"], "code": {"99999x"}}); w.Code != http.StatusUnprocessableEntity || s.work != nil {
		t.Errorf("one more was answered %d, after %v", w.Code, s.work)
	}
}

func TestOneInboxIsNotFilledByOtherSpellingsOfItsAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, spelling := range []string{
		"vic.tim@gmail.com", "victim+1@gmail.com", "Vict.im+2@GoogleMail.com", "v.i.c.t.i.m@gmail.com", "victim+news+3@gmail.com",
		"victim@corp.example", "victim+1@corp.example", "VICTIM+2@Corp.example", "victim+3@corp.example",
		"vic.tim@corp.example", "+victim@corp.example", "+other@corp.example", // of others there
	} {
		if w := s.signUp(spelling); w.Code != http.StatusSeeOther {
			t.Errorf("%s was answered %d, want as all", spelling, w.Code)
		}
	}
	sent := map[string]int{}
	for _, n := range s.notices {
		sent[s.rows[n.To].Address[strings.IndexByte(s.rows[n.To].Address, '@'):]]++
	}
	if sent["@gmail.com"]+sent["@googlemail.com"] != 3 || sent["@corp.example"] != 6 {
		t.Errorf("sent %v, want 3 to the inbox at Gmail, and of the other domain 3 to one and 1 to each of three", sent)
	}
}

func TestNobodyFillsTheRecordWithChangesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	sub := s.confirmed("a@b.example")
	manage := path(s.links(t).Manage(sub.Recipient))
	before, busy := len(s.audit), 0
	for n := range 400 {
		method, to, form := http.MethodGet, "/subscribe/manage/"+tokenOf(manage)+"/export", url.Values(nil)
		if n%2 == 0 {
			method, to, form = http.MethodPost, manage, url.Values{"scope": {"all"}, "severity": {"major"}, "language": {"en"}}
		}
		if w := s.do(method, to, form); w.Code == http.StatusTooManyRequests {
			busy++
		}
	}
	if grown := len(s.audit) - before; grown != 60 || busy != 340 {
		t.Errorf("the record grew by %d, and %d times it was said to be too much; want 60 and 340", grown, busy)
	}
	s.advance(time.Hour)
	if w := s.do(http.MethodPost, manage, url.Values{"scope": {"all"}, "severity": {"all"}, "language": {"en"}}); w.Code != http.StatusSeeOther {
		t.Errorf("an hour later a change was answered %d", w.Code)
	}
	if w := s.do(http.MethodPost, "/subscribe/manage/"+tokenOf(manage)+"/erase", url.Values{}); w.Code != http.StatusSeeOther {
		t.Errorf("who changed too often could not go: %d", w.Code)
	}
}
