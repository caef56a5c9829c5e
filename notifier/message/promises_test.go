package message_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/message"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// every words every notice that an audience reads in some channels, in every language.
func every(t *testing.T, channels []string, do func(name string, d notifier.Delivery, m notifier.Message)) {
	t.Helper()
	w := writer(t)
	for _, channel := range channels {
		for _, language := range []notifier.Language{notifier.Chinese, notifier.English} {
			for audience, notices := range told {
				for _, notice := range notices {
					if !tells(channel, notice.event) {
						continue
					}
					d := delivery(channel, language, audience, notice.event)
					if notice.with != nil {
						notice.with(&d)
					}
					d.Notice.ID = 0
					m, err := w.Compose(d)
					if err != nil {
						t.Fatal(err)
					}
					do(fmt.Sprintf("%s.%s.%s %s", channel, audience, language, notice.name), d, m)
				}
			}
		}
	}
}

// all is everything that a reader of a message, or its provider, finds.
func all(m notifier.Message) string {
	return fmt.Sprintf("%s\n%s\n%s\n%v\n%v", m.Subject, m.Text, m.HTML, m.Params, m.Buttons)
}

func TestSubscribersReadNothingThatAnAlertOrAPersonOnCallSaid(t *testing.T) {
	t.Parallel()
	w := writer(t)
	for _, channel := range message.Channels {
		for _, language := range []notifier.Language{notifier.Chinese, notifier.English} {
			for _, event := range message.Events {
				if !tells(channel, event) {
					continue
				}
				d := delivery(channel, language, rules.Subscribers, event)
				secret := func(what string) rules.Text { return rules.Text{ZH: "10.0.0.9 " + what, EN: "10.0.0.9 " + what} }
				f := &d.Notice.Facts
				f.Description, f.RunbookURL, f.By = secret("refused"), "https://runbooks.example/10.0.0.9", "10.0.0.9 Wang"
				f.News, f.NewsSince = []rules.Text{secret("is down")}, since
				f.Acknowledged = notifier.Acknowledgement{By: "10.0.0.9 Wang", At: since}
				f.Publication = notifier.Publication{Held: true}
				f.Service.ID = "10.0.0.9"
				if f.Planned != nil {
					f.Planned.Keys = []string{"10.0.0.9/db"}
				}
				m, err := w.Compose(d)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(all(m), "10.0.0.9") || strings.Contains(all(m), "ack:") {
					t.Errorf("%s.%s.%s tells it:\n%s", channel, event, language, all(m))
				}
			}
		}
	}
}

func TestWhoIsNotKnownToBeOnCallReadsWhatThePublicReads(t *testing.T) {
	t.Parallel()
	for _, readers := range [][2]rules.Audience{{"", rules.Ops}, {rules.Deadman, rules.Ops}, {rules.Ops, rules.Subscribers}} {
		d := delivery(message.Telegram, notifier.English, readers[0], notifier.EventDown)
		d.Recipient.Audience = readers[1]
		m, err := writer(t).Compose(d)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(all(m), "openapi.example") {
			t.Errorf("a notice to %q told to one of %q holds what the alert said", readers[0], readers[1])
		}
	}
}

func TestTelegramTakesEveryNotice(t *testing.T) {
	t.Parallel()
	s, err := sandbox.New(sandbox.Config{Now: func() time.Time { return since }})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	every(t, []string{message.Telegram}, func(name string, _ notifier.Delivery, m notifier.Message) {
		answer, err := http.PostForm(s.TelegramURL()+"/bot"+s.Credentials().TelegramToken+"/sendMessage",
			url.Values{"chat_id": {"1"}, "parse_mode": {"HTML"}, "text": {m.HTML}})
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var said struct {
			OK          bool
			Description string
		}
		if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || !said.OK {
			t.Errorf("%s: %s %v\n%s", name, said.Description, err, m.HTML)
		}
		for _, row := range m.Buttons {
			for _, button := range row {
				if len(button.Data) > 64 {
					t.Errorf("%s: %q is more than Telegram takes", name, button.Data)
				}
			}
		}
	})
}

func TestOrdinaryTextMessagesFitIntoOneAndEveryVariableIsOneThatProvidersTake(t *testing.T) {
	t.Parallel()
	every(t, []string{message.SMS}, func(name string, d notifier.Delivery, m notifier.Message) {
		most := 70 // of UCS-2
		if !strings.ContainsFunc(m.Text, func(r rune) bool { return r > 127 }) {
			most = 160 // of GSM-7
		} else if d.Recipient.Language == notifier.English {
			most = 2 * 67 // a Chinese name in an English text: it is told all the same
		}
		if n := len(utf16.Encode([]rune(m.Text))); n > most {
			t.Errorf("%s: %d characters: %s", name, n, m.Text)
		}
		if m.Template == "" || len(m.Params) == 0 {
			t.Errorf("%s: template %q with %q", name, m.Template, m.Params)
		}
		for _, p := range m.Params {
			if p.Value == "" || utf8.RuneCountInString(p.Value) > 35 {
				t.Errorf("%s: %s is %q", name, p.Name, p.Value)
			}
		}
	})
}

func TestVariablesHoldNoLinkAndNoSignThatAProviderRefuses(t *testing.T) {
	t.Parallel()
	d := delivery(message.SMS, notifier.Chinese, rules.Subscribers, notifier.EventDown)
	d.Notice.Facts.Title.ZH = "【小店】★ https://evil.example/x 与 shop.example.com 断开 → 10.0.0.9 •①"
	m, err := writer(t).Compose(d)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Params[0].Value, "小店 与 shop example com 断开 10.0.0.9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheSameEventHasTheSameVariablesWhateverItTells(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	every(t, []string{message.SMS}, func(name string, _ notifier.Delivery, m notifier.Message) {
		var names []string
		for _, p := range m.Params {
			names = append(names, p.Name)
		}
		got := strings.Join(names, " ")
		if want[m.Template] == "" {
			want[m.Template] = got
		}
		if got != want[m.Template] {
			t.Errorf("%s: template %s takes %q elsewhere, and %q here", name, m.Template, want[m.Template], got)
		}
	})
}

func TestEveryAlertThatBuyersFeelHasPlainWords(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../rules/files/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	found := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var parsed struct {
			Groups []struct {
				Rules []struct {
					Alert  string
					Labels map[string]string
				}
			}
		}
		if err := yaml.Unmarshal(content, &parsed); err != nil {
			t.Fatal(err)
		}
		for _, group := range parsed.Groups {
			for _, rule := range group.Rules {
				if rule.Alert == "" || rule.Labels[rules.LabelPublic] != "true" {
					continue
				}
				found++
				for _, role := range rules.Roles {
					service := notifier.Service{Name: rules.Text{ZH: "某项", EN: "Thing"}, Role: role, Position: 1}
					words := title(rule.Alert, service)
					other := title("NoSuchAlert", service)
					if words.ZH == "" || words.EN == "" || role != rules.RoleOther && words == other {
						t.Errorf("%s of a service for %s has no plain words: %v", rule.Alert, role, words)
					}
				}
			}
		}
	}
	if found < 6 {
		t.Errorf("got %d alerts that buyers feel, want at least 6", found)
	}
}

func TestWhateverIsSaidNoFormBreaks(t *testing.T) {
	t.Parallel()
	w := writer(t)
	some := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"<b>", "</i>", "&amp", "a\x01b\x05c", "\u202e", "[x](http://y)", "<at id=all>", "# x", "* _x_ *", "\n\n", "{{.}}", "\"", "https://leave.invalid/subscription",
	}))
	text := rapid.Custom(func(t *rapid.T) rules.Text { return rules.Text{ZH: some.Draw(t, "zh"), EN: some.Draw(t, "en")} })
	rapid.Check(t, func(t *rapid.T) {
		channel := rapid.SampledFrom(message.Channels).Draw(t, "channel")
		events := message.Events
		if channel == message.SMS {
			events = notifier.Texted
		}
		d := delivery(channel,
			rapid.SampledFrom([]notifier.Language{notifier.Chinese, notifier.English}).Draw(t, "language"),
			rapid.SampledFrom([]rules.Audience{rules.Ops, rules.Management, rules.Subscribers}).Draw(t, "audience"),
			rapid.SampledFrom(events).Draw(t, "event"))
		f := &d.Notice.Facts
		f.Title, f.Description, f.Scope, f.Workaround, f.Update = text.Draw(t, "title"), text.Draw(t, "description"), text.Draw(t, "scope"), text.Draw(t, "workaround"), text.Draw(t, "update")
		f.RunbookURL = rapid.SampledFrom([]string{"", "javascript:alert(1)", "https://x.example/\x05a b", "https://[", "https://x.example/a b\"<&", "http://x.example/"}).Draw(t, "runbook")
		f.Service.Name, f.By = text.Draw(t, "name"), some.Draw(t, "by")
		if f.Planned != nil {
			f.Planned.Services, f.Planned.Keys = []rules.Text{text.Draw(t, "service")}, []string{some.Draw(t, "key")}
		}
		m, err := w.Compose(d)
		if err != nil {
			t.Fatal(err)
		}
		for what, s := range map[string]string{"subject": m.Subject, "text": m.Text, "html": m.HTML} {
			if strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) || !utf8.ValidString(s) {
				t.Errorf("the %s holds a control character: %q", what, s)
			}
		}
		if strings.Contains(all(m), "javascript:") && f.RunbookURL != "" && f.RunbookURL[0] == 'j' {
			t.Errorf("a link runs a script: %s", all(m))
		}
		if strings.Contains(m.Subject, "\n") {
			t.Errorf("the subject has two lines: %q", m.Subject)
		}
		switch d.Recipient.Channel {
		case message.Telegram:
			if trouble := message.TelegramHTML(m.HTML); trouble != "" {
				t.Errorf("Telegram refuses %s in %q", trouble, m.HTML)
			}
		case message.DingTalk, message.WeCom, message.Feishu:
			if strings.ContainsAny(m.Text, "<>[]`*") {
				t.Errorf("Markdown reads a sign in %q", m.Text)
			}
		}
		for _, p := range m.Params {
			if utf8.RuneCountInString(p.Value) > 35 {
				t.Errorf("%s has more than 35 runes: %q", p.Name, p.Value)
			}
		}
	})
}

func TestATextMessageToPeopleOnCallSaysWhereAndWhoHasIt(t *testing.T) {
	t.Parallel()
	for _, event := range []notifier.Event{notifier.EventDown, notifier.EventProlonged, notifier.EventReopened} {
		for language, words := range map[notifier.Language][2]string{notifier.Chinese: {"还没有人接手", "小明已接手"}, notifier.English: {"nobody has it", "小明 has it"}} {
			d := delivery(message.SMS, language, rules.Ops, event)
			for n, hand := range words {
				if n == 1 {
					d.Notice.Facts.Acknowledged = notifier.Acknowledgement{By: "小明", At: d.Notice.At}
				}
				m, err := writer(t).Compose(d)
				if err != nil {
					t.Fatal(err)
				}
				title, lasted := m.Params[0].Value, m.Params[len(m.Params)-1].Value
				for said, parts := range map[string][]string{m.Text: {map[notifier.Language]string{notifier.Chinese: "小明卡铺", notifier.English: "Ming's Cards"}[language], d.Notice.Facts.Service.Key(), "03:12:05", hand}, title: {d.Notice.Facts.Service.Key()}, lasted: {hand}} {
					for _, part := range parts {
						if !strings.Contains(said, part) {
							t.Errorf("%s.%s: %q does not say %q", event, language, said, part)
						}
					}
				}
			}
		}
	}
}

func TestEveryTextMessageOfTroubleNamesTheShopAndIsOneMessage(t *testing.T) {
	t.Parallel()
	for _, audience := range []rules.Audience{rules.Ops, rules.Management, rules.Subscribers} {
		for _, event := range []notifier.Event{notifier.EventDown, notifier.EventProlonged, notifier.EventReopened, notifier.EventRecovered} {
			for language, shop := range map[notifier.Language]string{notifier.Chinese: "小明卡铺：", notifier.English: "Ming's Cards: "} {
				m, err := writer(t).Compose(delivery(message.SMS, language, audience, event))
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(m.Text, shop) {
					t.Errorf("%s.%s to %s doesn't say whose it is: %q", event, language, audience, m.Text)
				}
				if most := map[notifier.Language]int{notifier.Chinese: 70, notifier.English: 160}[language]; utf8.RuneCountInString(m.Text) > most {
					t.Errorf("%s.%s to %s is more than one text message: %q", event, language, audience, m.Text)
				}
			}
		}
	}
}
