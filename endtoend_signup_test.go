package main_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shopwatch/notifier/sandbox"
)

var (
	saysBreak   = regexp.MustCompile(`Break it: +(.+)\n`)
	saysMend    = regexp.MustCompile(`Mend it: +(.+)\n`)
	stampField  = regexp.MustCompile(`name="stamp" value="([^"]+)"`)
	confirmLink = regexp.MustCompile(`http://\S+/subscribe/confirm/[A-Za-z0-9_-]+`)
	leaveLink   = regexp.MustCompile(`http://\S+/subscribe/leave/[A-Za-z0-9_-]+`)
	sixDigits   = regexp.MustCompile(`\b\d{6}\b`)
	botLink     = regexp.MustCompile(`href="(http://[^"]+/sandbox/[^"]*)"`)
)

// newcomer is somebody who signs up in the demo.
type newcomer struct {
	*demonstration
	address string
	manage  string // the page of their own subscription
}

// pasted runs what the demo printed, as a person would in another shell.
func (d *demonstration) pasted(t *testing.T, line *regexp.Regexp) {
	t.Helper()
	command := exec.Command("sh", "-c", d.says(t, line)[1])
	command.Env = append(os.Environ(), "SHOPWATCH_MAIN=1")
	if said := printed(t, command); !strings.HasSuffix(said, ": done\n") {
		t.Errorf("%s says %q", line, said)
	}
}

// post sends a form and gives where it leads.
func (d *demonstration) post(t *testing.T, address string, form url.Values) (status int, to string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if to = response.Header.Get("Location"); strings.HasPrefix(to, "/") {
		to = strings.TrimSuffix(d.page, "/") + to
	}
	return response.StatusCode, to
}

// signUp fills the page's form in, in a language, and gives where it leads.
func (d *demonstration) signUp(t *testing.T, address, language string) (to string) {
	t.Helper()
	form := answers(t, http.StatusOK, http.MethodGet, d.page+"subscribe", "", "Accept-Language", language)
	stamp := stampField.FindStringSubmatch(form)
	if stamp == nil {
		t.Fatalf("the page has no form: %.300s", form)
	}
	fields := url.Values{"stamp": {html.UnescapeString(stamp[1])}, "address": {address}, "scope": {"some"}, "service": {"demo/alipay"}, "severity": {"all"}, "language": {language}}
	d.eventually(t, "the form is taken of "+address, func() error { // too fast for a person at first
		var status int
		if status, to = d.post(t, d.page+"subscribe", fields); status != http.StatusSeeOther {
			return fmt.Errorf("answered %d", status)
		}
		return nil
	})
	return to
}

// got gives the messages to somebody that hold all the words, oldest first.
func (n newcomer) got(t *testing.T, words ...string) (found []sandbox.Message) {
	t.Helper()
	messages, err := n.messages()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		lacks := func(word string) bool { return !strings.Contains(m.Subject+m.Text, word) }
		if m.To == n.address && !slices.ContainsFunc(words, lacks) {
			found = append(found, m)
		}
	}
	return found
}

// gets waits for the first such message.
func (n newcomer) gets(t *testing.T, words ...string) sandbox.Message {
	t.Helper()
	n.eventually(t, fmt.Sprintf("%s gets %q", n.address, words), func() error {
		if len(n.got(t, words...)) == 0 {
			return fmt.Errorf("not among %d messages", len(n.got(t)))
		}
		return nil
	})
	return n.got(t, words...)[0]
}

// speaks says something to the bot where the page's link leads.
func (n newcomer) speaks(t *testing.T, said, language string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(n.dir, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	answers(t, http.StatusSeeOther, http.MethodPost, n.private+"/sandbox/say?lang="+language, url.Values{"chat": {n.address}, "text": {said}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded", "Authorization", "Bearer "+strings.TrimSpace(string(token)))
}

func (d *demonstration) byMail(t *testing.T) newcomer {
	t.Helper()
	n := newcomer{demonstration: d, address: "mei@buyers.example"}
	d.signUp(t, n.address, "en")
	link := confirmLink.FindString(n.gets(t, "/subscribe/confirm/").Text)
	answers(t, http.StatusOK, http.MethodGet, link, "") // a scanner's look changes nothing
	answers(t, http.StatusOK, http.MethodGet, link, "")
	status, manage := d.post(t, link, nil)
	if status != http.StatusSeeOther {
		t.Fatalf("confirming by mail was answered %d", status)
	}
	n.manage, _, _ = strings.Cut(manage, "?")
	return n
}

func (d *demonstration) byText(t *testing.T) newcomer {
	t.Helper()
	n := newcomer{demonstration: d, address: "+8613900000123"}
	to := d.signUp(t, "139 0000 0123", "zh")
	answers(t, http.StatusOK, http.MethodGet, to, "")
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	code := sixDigits.FindString(n.gets(t).Text)
	status, manage := d.post(t, d.page+"subscribe/code", url.Values{"t": at.Query()["t"], "code": {code}})
	if status != http.StatusSeeOther {
		t.Fatalf("the code %q was answered %d", code, status)
	}
	n.manage, _, _ = strings.Cut(manage, "?")
	return n
}

func (d *demonstration) byTelegram(t *testing.T) newcomer {
	t.Helper()
	var link []string
	d.eventually(t, "the page leads to the bot", func() error {
		if link = botLink.FindStringSubmatch(answers(t, http.StatusOK, http.MethodGet, d.page+"subscribe", "")); link == nil {
			return fmt.Errorf("no link")
		}
		return nil
	})
	at, err := url.Parse(html.UnescapeString(link[1]))
	if err != nil {
		t.Fatal(err)
	}
	if page := answers(t, http.StatusOK, http.MethodGet, at.String(), ""); !strings.Contains(page, `value="/start all"`) {
		t.Errorf("the sandbox has nothing ready to be said: %.300s", page)
	}
	n := newcomer{demonstration: d, address: at.Query().Get("to")}
	n.speaks(t, at.Query().Get("say"), "en")
	n.gets(t) // the bot answers
	return n
}

func TestWhoSignsUpInTheDemoIsToldOnceInTheirLanguageAndNoMoreWhenTheyLeave(t *testing.T) {
	compressed(t)
	d := demonstrate(t, filepath.Join(t.TempDir(), "my data"), "127.0.0.1:0", "127.0.0.1:0")
	mail, text, chat := d.byMail(t), d.byText(t), d.byTelegram(t)

	d.pasted(t, saysBreak)
	const en, zh = "Alipay payments are failing", "支付宝暂时无法支付"
	mail.gets(t, en)
	text.gets(t, zh)
	chat.gets(t, en)

	// The mail's reader changes to Chinese, the text's reader has all erased.
	change := url.Values{"scope": {"all"}, "severity": {"all"}, "language": {"zh"}}
	if status, _ := d.post(t, mail.manage, change); status != http.StatusSeeOther {
		t.Errorf("a change was answered %d", status)
	}
	if shown := answers(t, http.StatusOK, http.MethodGet, mail.manage+"/export", ""); !strings.Contains(shown, `"address": "mei@buyers.example"`) || !strings.Contains(shown, `"event": "down"`) {
		t.Errorf("what is held of the mail's reader is %s", shown)
	}
	if status, to := d.post(t, text.manage+"/erase", nil); status != http.StatusSeeOther || !strings.Contains(to, "/subscribe/erased") {
		t.Errorf("erasing was answered %d, %s", status, to)
	}
	answers(t, http.StatusNotFound, http.MethodGet, text.manage, "")
	leave := leaveLink.FindString(mail.gets(t, en).Text)

	d.pasted(t, saysMend)
	mail.gets(t, zh, "✅")
	chat.gets(t, en, "✅")
	for _, c := range []struct {
		who         newcomer
		words       string
		times, over int
	}{{mail, en, 1, 0}, {mail, zh, 1, 1}, {text, zh, 1, 0}, {chat, en, 2, 1}} {
		all := c.who.got(t, c.words)
		ends := slices.DeleteFunc(slices.Clone(all), func(m sandbox.Message) bool { return !over(m) })
		if len(all) != c.times || len(ends) != c.over {
			t.Errorf("%s was told %q %d times, %d of them that it is over; want %d and %d", c.who.address, c.words, len(all), len(ends), c.times, c.over)
		}
	}

	// One click, as a mail program makes it; once more is as good.
	for range 2 {
		if said := answers(t, http.StatusOK, http.MethodPost, leave, "List-Unsubscribe=One-Click", "Content-Type", "application/x-www-form-urlencoded"); said == "" {
			t.Error("leaving says nothing")
		}
	}
	find := func(address string) string {
		found, _, _ := finished(t, shopwatch(t, "subscriber", "find", address, "--format=json", "--data.dir="+d.dir, "--private.listen-address="+strings.TrimPrefix(d.private, "http://")))
		return found
	}
	if found := find(mail.address); !strings.Contains(found, `"state": "departed"`) {
		t.Errorf("who left by one click is %s", found)
	}
	if found := find(text.address); strings.Contains(found, `"id"`) {
		t.Errorf("who was erased is found: %s", found)
	}
	chat.speaks(t, "/stop", "en")
	d.keeps(t, mail.address, text.address)
	d.stop(t)
}
