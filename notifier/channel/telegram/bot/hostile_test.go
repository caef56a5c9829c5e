package bot_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram/bot"
)

// hostile draws an update: of every kind there is, and of none.
func hostile(r *rapid.T, id int) string {
	chats := []string{`{"id":-100500,"type":"supergroup"}`, `{"id":42,"type":"private"}`, `{"id":-100900,"type":"supergroup"}`, `{"id":0}`, `null`, `{"id":-100500,"type":"channel"}`, `{"id":"x"}`}
	users := []string{user(7, "en"), user(666, "zh"), `{"id":666,"is_bot":true,"first_name":"Bot"}`, `null`, `{"id":-7,"first_name":"` + strings.Repeat("长", 300) + `"}`, `{"id":666,"first_name":"\u202e\n\u0000"}`}
	texts := []string{"/ack k3abc", "/ack", "/unack", "/incidents", "/start", "/start " + strings.Repeat("A", 64), "/start ????", "/stop", "/lang zh", "/quiet 99:99-00:00", "/quiet 22:00-07:00", "/services", "/status", "/help@another_bot", "/", "hello", "", "/ack@shopwatch_sandbox_bot k3abc", "/start\n\n\u0000"}
	datas := []string{"ack:k3abc", "mute:k3abc", "who:k3abc", "ack:../../x", "ack:", "menu", "leave", "services:999", "services:-1", "service:0:all", "service:0:xxxxxx", "severity:major", "quiet:off", "quiet:2200-0700", "lang:fr", "lang:zh", "", strings.Repeat("x", 64)}
	chat, from := rapid.SampledFrom(chats).Draw(r, "chat"), rapid.SampledFrom(users).Draw(r, "user")
	text, _ := json.Marshal(rapid.OneOf(rapid.SampledFrom(texts), rapid.String()).Draw(r, "text"))
	data, _ := json.Marshal(rapid.OneOf(rapid.SampledFrom(datas), rapid.String()).Draw(r, "data"))
	forwarded := rapid.SampledFrom([]string{"", `,"forward_date":1`, `,"via_bot":{"id":1}`, `,"sender_chat":{"id":-100900}`, `,"entities":[{"type":"bot_command","offset":-1,"length":99999}]`, `,"is_topic_message":true,"message_thread_id":-5`}).Draw(r, "extra")
	message := fmt.Sprintf(`{"message_id":1,"date":1,"from":%s,"chat":%s,"text":%s%s}`, from, chat, text, forwarded)
	return fmt.Sprintf(rapid.SampledFrom([]string{
		`{"update_id":%d,"message":` + esc(message) + `}`,
		`{"update_id":%d,"callback_query":{"id":"1","from":` + esc(from) + `,"message":` + esc(message) + `,"data":` + esc(string(data)) + `}}`,
		`{"update_id":%d,"callback_query":{"id":"1","from":` + esc(from) + `,"inline_message_id":"5","data":` + esc(string(data)) + `}}`,
		`{"update_id":%d,"my_chat_member":{"chat":{"id":42,"type":"private"},"from":{"id":42},"new_chat_member":{"status":"kicked"}}}`,
		`{"update_id":%d,"my_chat_member":` + esc(message) + `}`,
		`{"update_id":%d,"edited_message":` + esc(message) + `}`,
		`{"update_id":%d,"channel_post":` + esc(message) + `}`,
		`{"update_id":%d,"poll_answer":{"x":[1,2]}}`,
		`{"update_id":%d}`, `{"update_id":"%d"}`, `[%d]`, `%d`, `{"update_id":%d,"message":[]}`, `{"update_id":%d,"message":null,"callback_query":null}`,
	}).Draw(r, "kind"), id)
}

// esc keeps a text from being read as a format.
func esc(text string) string { return strings.ReplaceAll(text, "%", "%%") }

func TestWhateverComesNothingPanicsAndNoStrangerActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *bot.Config) { cfg.Operators = []int64{7} })
	id := 0
	rapid.Check(t, func(r *rapid.T) {
		w.mu.Lock()
		w.acts = nil
		w.mu.Unlock()
		var batch []string
		operator := false
		for range rapid.IntRange(1, 4).Draw(r, "updates") {
			id += rapid.IntRange(0, 1).Draw(r, "duplicate")
			one := hostile(r, id)
			operator = operator || strings.Contains(one, `"from":{"id":7,`)
			batch = append(batch, one)
		}
		if err := w.bot.Take(t.Context(), batch...); err != nil {
			r.Fatal(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now = w.now.Add(60 * 1e9)
		if !operator && len(w.acts) > 0 {
			r.Fatalf("without an operator: %v of %v", w.acts, batch)
		}
		for _, act := range w.acts {
			if !strings.HasSuffix(act, " Wang") {
				r.Fatalf("done by another than the operator: %q", act)
			}
		}
	})
}

func FuzzAButtonsDataIsReadAsItWasWrittenOrNotAtAll(f *testing.F) {
	for _, data := range []string{"ack:k3", "service:3:all", "quiet:23:00-07:00", "lang:zh", "menu", "services:12", "severity:major", "ack:\x00", "::::", "service:-1:all"} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		once := bot.Data(data)
		if once == "" {
			return
		}
		if again := bot.Data(once); again != once {
			t.Errorf("%q was read as %q and that as %q", data, once, again)
		}
		if len(data) <= 64 && (len(once) > 64 || !utf8.ValidString(once)) {
			t.Errorf("%q became %q, which Telegram refuses", data, once)
		}
	})
}

func FuzzALinksPayloadChoosesKnownServicesAlone(f *testing.F) {
	services := []notifier.Service{{Shop: "main", ID: "alipay"}, {Shop: "main", ID: "shop"}, {Shop: "b", ID: "支付"}}
	f.Add(bot.Payload([]string{"main/alipay", "b/支付"}))
	f.Add("all")
	f.Add(strings.Repeat("x", 66))
	f.Fuzz(func(t *testing.T, payload string) {
		for _, key := range bot.ReadPayload(payload, services) {
			if !slices.ContainsFunc(services, func(s notifier.Service) bool { return s.Key() == key }) {
				t.Errorf("%q chose %q", payload, key)
			}
		}
	})
}

func TestALinkCarriesItsServicesAndNothingThatCanBeRead(t *testing.T) {
	t.Parallel()
	services := []notifier.Service{}
	var keys []string
	for i := range 12 {
		services = append(services, notifier.Service{Shop: "main", ID: fmt.Sprint("payment", i)})
		keys = append(keys, services[i].Key())
	}
	for n := range 11 {
		text := bot.Payload(keys[:n])
		if len(text) > 64 || strings.ContainsAny(text, "/+= ") || strings.Contains(text, "payment") {
			t.Errorf("%d services are %q", n, text)
		}
		if got := bot.ReadPayload(text, services); !slices.Equal(got, keys[:n]) && n > 0 {
			t.Errorf("%d services came back as %v", n, got)
		}
	}
	if got := bot.Payload(keys[:11]); got != "all" {
		t.Errorf("more than there is room for is %q, want all", got)
	}
}

func TestWhoTakesANameThatAGroupGaveUpIsNotOnCall(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"supergroup": "Wang", "private": ""} {
		w := newWorld(t, func(cfg *bot.Config) { cfg.OnCall = []bot.OnCall{{Address: "@Shop_ops", Language: notifier.English}} })
		chat := fmt.Sprintf(`{"id":-100700,"type":%q,"username":"shop_OPS"}`, kind)
		if kind == "private" {
			chat = `{"id":666,"type":"private","username":"shop_OPS"}`
		}
		w.take(`"callback_query":{"id":"1","from":` + user(666, "en") + `,"message":{"message_id":5,"date":1,"chat":` + chat + `},"data":"ack:k3abc"}`)
		w.take(`"message":{"message_id":6,"date":1,"from":` + user(666, "en") + `,"chat":` + chat + `,"text":"/ack k3abc"}`)
		w.mu.Lock()
		if got := w.incidents[0].Acknowledged.By; got != want {
			t.Errorf("from a %s chat: in hand of %q, want %q", kind, got, want)
		}
		w.mu.Unlock()
	}
}
