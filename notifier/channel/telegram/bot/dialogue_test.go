package bot_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram/bot"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

var update = flag.Bool("update", false, "write the golden files anew")

// script is a reader who tries everything, and somebody on call.
func script(w *world, language, address string) string {
	var told strings.Builder
	say := func(text string) {
		told.WriteString("> " + text + "\n" + w.say(42, language, "42", text) + "\n")
	}
	last := func() sandbox.Message {
		messages := w.sandbox.Messages()
		return messages[len(messages)-1]
	}
	press := func(data string) {
		told.WriteString("> [" + data + "]\n" + shown([]sandbox.Message{w.press(42, last(), data)}) + "\n")
	}
	for _, text := range []string{"hello", "/services", "/start " + bot.Payload([]string{"main/shop"}), "/help", "/status", "/id"} {
		say(text)
	}
	say("/start")
	for _, data := range []string{"services:0", "service:0:all", "severity:", "severity:major", "quiet:", "quiet:23:00-07:00", "lang:", "menu", "ack:k3abc", "nonsense"} {
		press(data)
	}
	w.mu.Lock()
	w.status.Services[0].Status, w.status.Incidents = rules.Outage, w.incidents
	w.mu.Unlock()
	say("/status")
	say("/quiet off")
	say("/lang " + language)
	press("leave")
	onCall := func(text string) {
		told.WriteString("> " + text + "\n" + w.say(7, "en", address, text) + "\n")
	}
	for _, text := range []string{"/help", "/id", "/incidents", "/unack", "/ack", "/ack", "/ack nosuch", "/ack k3abc", "/unack"} {
		onCall(text)
	}
	onCall("/incidents")
	for _, data := range []string{"who:k3abc", "ack:k3abc", "mute:k3abc", "mute:nosuch"} {
		told.WriteString("> [" + data + "]\n" + shown([]sandbox.Message{w.press(7, last(), data)}) + "\n")
	}
	w.mu.Lock()
	w.incidents = nil
	w.mu.Unlock()
	onCall("/incidents")
	return told.String()
}

func TestTheBotSpeaksPlainly(t *testing.T) {
	t.Parallel()
	for language, address := range map[string]string{"en": ops, "zh": "-100501:7"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			got := script(newWorld(t, nil), language, address)
			path := filepath.Join("testdata", "dialogue."+language+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; run with -update and read what changed. It is now\n%s", path, got)
			}
		})
	}
}

func TestAnAcknowledgementIsDoneOnlyByWhomTheConfigurationNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address   string
		user      int64
		operators []int64
		want      string // who has it then
	}{
		"anybody in the chat of people on call":          {ops, 7, nil, "Wang"},
		"somebody who is no operator there":              {ops, 8, []int64{7}, ""},
		"an operator there":                              {ops, 7, []int64{7}, "Wang"},
		"an operator elsewhere":                          {"7", 7, []int64{7}, ""},
		"the right topic":                                {"-100501:7", 7, nil, "Wang"},
		"another topic of the group":                     {"-100501:8", 7, nil, ""},
		"the group's general topic":                      {"-100501", 7, nil, ""},
		"a topic of a group that is named as a whole":    {ops + ":3", 7, nil, "Wang"},
		"a private chat with the number of no configure": {"100500", 7, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(cfg *bot.Config) { cfg.Operators = c.operators })
			notice := sandbox.Message{ID: 5, Channel: sandbox.Telegram, To: c.address, At: noon, Buttons: [][]sandbox.Button{{{Text: "Acknowledge", Data: "ack:k3abc"}}}}
			w.press(c.user, notice, "ack:k3abc")
			w.say(c.user, "en", c.address, "/ack k3abc")
			w.mu.Lock()
			defer w.mu.Unlock()
			if got := w.incidents[0].Acknowledged.By; got != c.want {
				t.Errorf("in hand of %q, want %q", got, c.want)
			}
		})
	}
}

func TestInAGroupOnlyAnAdministratorSubscribes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if said := w.say(8, "en", "-100900", "/start"); !strings.Contains(said, "only an administrator") || w.subscriber("-100900").ID != 0 {
		t.Errorf("a member was told %q", said)
	}
	w.sandbox.Promote(7, "-100900")
	if said := w.say(7, "zh", "-100900", "/start@shopwatch_sandbox_bot"); !strings.Contains(said, "以后出了故障") {
		t.Errorf("an administrator was told %q", said)
	}
	messages := w.sandbox.Messages()
	if menu := w.press(8, messages[len(messages)-1], "leave"); w.subscriber("-100900").State != notifier.Active || !strings.Contains(menu.Toast, "管理员") {
		t.Errorf("a member made the group leave: %q", menu.Toast)
	}
	anonymous := `"message":{"message_id":1,"date":1,"from":{"id":1087968824,"is_bot":true,"first_name":"Group"},"sender_chat":{"id":-100900,"type":"supergroup"},"chat":{"id":-100900,"type":"supergroup"},"text":"/stop"}`
	w.take(strings.Replace(anonymous, `"sender_chat":{"id":-100900`, `"sender_chat":{"id":-100777`, 1))
	if w.subscriber("-100900").State != notifier.Active {
		t.Error("somebody in a channel's name made the group leave")
	}
	w.take(anonymous)
	if w.subscriber("-100900").State != notifier.Departed {
		t.Error("an administrator who speaks in the group's name was not heard")
	}
	for _, text := range []string{"hello", "/unknown", "/weather"} {
		if said := w.say(7, "en", "-100900", text); said != "" {
			t.Errorf("in a group %q was answered %q", text, said)
		}
	}
}

func TestWhatIsWrittenBehindACommandIsDoneOrAskedForAgain(t *testing.T) {
	t.Parallel()
	night := notifier.Quiet{From: 23 * 60, To: 8 * 60}
	for text, want := range map[string]notifier.Wants{
		"/quiet 23:00-8:00": {Quiet: night}, "/quiet 23:00–08:00": {Quiet: night}, "/quiet ２３：００－８：００": {Quiet: night},
		"/quiet 23：00～8：00": {Quiet: night}, "/quiet 2300-800": {Quiet: night}, "/quiet 23-8": {Quiet: night}, "/quiet 22:00-24:00": {Quiet: notifier.Quiet{From: 22 * 60}},
		"/quiet none": {}, "/quiet OFF": {}, "/quiet 关": {},
		"/services alipay": {Services: []string{"main/alipay"}}, "/services 支付宝、网站": {Services: []string{"main/alipay", "main/shop"}},
		"/services Website, main/alipay": {Services: []string{"main/shop", "main/alipay"}}, "/services all": {},
		"/severity major": {Least: notifier.ImpactMajor}, "/severity 全部": {}, "/severity 严重": {Least: notifier.ImpactMajor},
	} {
		w := newWorld(t, nil)
		w.say(42, "en", "42", "/start")
		if said := w.say(42, "en", "42", text); !strings.HasPrefix(said, "You are told about") || !reflect.DeepEqual(w.subscriber("42").Wants, want) {
			t.Errorf("%s: %+v, and said %q", text, w.subscriber("42").Wants, said)
		}
	}
	for _, text := range []string{"/quiet 8:00", "/quiet 25:00-8:00", "/quiet 8:00-8:00", "/services paypal", "/services alipay, paypal", "/severity critical", "/lang fr"} {
		w := newWorld(t, nil)
		w.say(42, "en", "42", "/start")
		said := w.say(42, "en", "42", text)
		if !strings.HasPrefix(said, "I couldn't read that") || !strings.Contains(said, "[") || !reflect.DeepEqual(w.subscriber("42").Wants, notifier.Wants{}) {
			t.Errorf("%s: %+v, and said %q", text, w.subscriber("42").Wants, said)
		}
	}
}

func TestAChatIsSpokenToInItsLanguageAlsoOnceItLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.say(42, "en", "42", "/start")
	w.say(42, "en", "42", "/lang 中文")
	for _, c := range [][2]string{{"/stop", "不会再打扰您"}, {"/services", "这里还没有订阅"}, {"/help", "我会在服务出故障"}} {
		if said := w.say(42, "en", "42", c[0]); !strings.Contains(said, c[1]) {
			t.Errorf("%s was answered %q", c[0], said)
		}
	}
	if said := w.say(42, "en", "42", "/start"); !strings.Contains(said, "以后出了故障") || w.subscriber("42").Language != notifier.Chinese {
		t.Errorf("who comes back is told %q", said)
	}
}

func TestAnOpsCommandIsUnknownToStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, text := range []string{"/incidents", "/ack k3abc", "/unack k3abc", "/whatever"} {
		if said := w.say(42, "en", "42", text); said != "Sorry, I didn't understand that. Send /help to see what I can do.\n" {
			t.Errorf("%s was answered %q", text, said)
		}
	}
	if len(w.acts) > 0 {
		t.Errorf("done: %v", w.acts)
	}
}

func TestWhoBlocksTheBotHasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.say(42, "en", "42", "/start")
	w.sandbox.Block(sandbox.Reader{ID: 42})
	w.deliver()
	if got := w.subscriber("42").State; got != notifier.Departed {
		t.Errorf("is %s", got)
	}
}

func TestAFloodIsNotAnsweredAndStillHeardWhereItMatters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.say(42, "en", "42", "/start")
	before := len(w.sandbox.Messages())
	var flood []string
	for i := range 200 {
		chat, _ := chatOf("1000")
		flood = append(flood, `{"update_id":`+strings.Repeat("9", 3)+pad(i)+`,"message":{"message_id":1,"date":1,"from":`+user(int64(1000+i), "en")+`,"chat":`+strings.Replace(chat, "1000", "1"+pad(i), 1)+`,"text":"/help"}}`)
	}
	chat, _ := chatOf("42")
	flood = append(flood, `{"update_id":9999999,"message":{"message_id":1,"date":1,"from":`+user(42, "en")+`,"chat":`+chat+`,"text":"/stop"}}`)
	if err := w.bot.Take(t.Context(), flood...); err != nil {
		t.Fatal(err)
	}
	if answers := len(w.sandbox.Messages()) - before; answers > 60 {
		t.Errorf("%d answers to a flood in one instant", answers)
	}
	if got := w.subscriber("42").State; got != notifier.Departed {
		t.Errorf("who wanted to leave amid the flood is %s", got)
	}
}

func pad(i int) string {
	return string([]byte{'0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10)})
}

func TestAnUpdateThatComesTwiceIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	chat, _ := chatOf("42")
	one := `{"update_id":7,"message":{"message_id":1,"date":1,"from":` + user(42, "en") + `,"chat":` + chat + `,"text":"/help"}}`
	for range 3 {
		if err := w.bot.Take(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.sandbox.Messages()); n != 1 {
		t.Errorf("%d answers", n)
	}
	w.mu.Lock()
	w.now = w.now.Add(8 * 24 * time.Hour) // by then Telegram numbers anew
	w.mu.Unlock()
	if err := w.bot.Take(t.Context(), strings.Replace(one, ":7,", ":3,", 1)); err != nil || len(w.sandbox.Messages()) != 2 {
		t.Errorf("after a week without updates the next one was taken for an old one (%v)", err)
	}
}

func TestTroubleOfOursIsToldWithoutDetailAndLoggedWithoutTheChat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.broken = errBroken{}
	if said := w.say(4242424, "en", "4242424", "/start"); !strings.Contains(said, "Something went wrong") || strings.Contains(said, "disk") {
		t.Errorf("said %q", said)
	}
	if log := w.logged(); !strings.Contains(log, "disk full") || strings.Contains(log, "4242424") {
		t.Errorf("logged %q", log)
	}
}

type errBroken struct{}

func (errBroken) Error() string { return "disk full at 10.0.0.9" }
