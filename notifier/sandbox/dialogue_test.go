package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"shopwatch/notifier/sandbox"
)

const keyboard = `{"inline_keyboard":[[{"text":"Acknowledge","callback_data":"ack:k3"},{"text":"Page","url":"https://status.example"}]]}`

// send sends a message with the keyboard and gives it.
func send(t *testing.T, s *sandbox.Sandbox, chat string) sandbox.Message {
	t.Helper()
	number, topic, _ := strings.Cut(chat, ":")
	form := url.Values{"chat_id": {number}, "message_thread_id": {topic}, "text": {"down"}, "reply_markup": {keyboard}}
	if got := ask(t, s, s.Credentials().TelegramToken, "sendMessage", form); !got.OK {
		t.Fatal(got.Description)
	}
	messages := s.Messages()
	return messages[len(messages)-1]
}

// heard is what a poller hears next.
func heard(t *testing.T, s *sandbox.Sandbox) string {
	t.Helper()
	return string(ask(t, s, s.Credentials().TelegramToken, "getUpdates", url.Values{"timeout": {"30"}}).Result)
}

func TestAPressReachesTheBotWithItsMessageAndIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	token := s.Credentials().TelegramToken
	m := send(t, s, "-100123")
	if err := s.Press(sandbox.Reader{ID: 7, Name: "Wang"}, m.ID, "ack:other"); err == nil {
		t.Error("a button that isn't there was pressed")
	}
	if err := s.Press(sandbox.Reader{ID: 7, Name: "Wang", Language: "zh"}, m.ID, "ack:k3"); err != nil {
		t.Fatal(err)
	}
	var updates []struct {
		Press struct {
			ID      string
			From    struct{ ID int64 }
			Message struct {
				ID   int64 `json:"message_id"`
				Chat struct {
					ID   int64
					Type string
				}
				Markup json.RawMessage `json:"reply_markup"`
			}
			Data string
		} `json:"callback_query"`
	}
	if err := json.Unmarshal([]byte(heard(t, s)), &updates); err != nil || len(updates) != 1 {
		t.Fatalf("heard %+v (%v)", updates, err)
	}
	press := updates[0].Press
	if press.From.ID != 7 || press.Message.ID != m.ID || press.Message.Chat.ID != -100123 || press.Message.Chat.Type != "supergroup" || press.Data != "ack:k3" || string(press.Message.Markup) != keyboard {
		t.Errorf("heard %+v", press)
	}
	answers := []string{}
	for range 2 {
		answers = append(answers, ask(t, s, token, "answerCallbackQuery", url.Values{"callback_query_id": {press.ID}, "text": {"Wang has it"}}).Description)
	}
	if answers[0] != "" || !strings.Contains(answers[1], "query is too old") {
		t.Errorf("the two answers: %q", answers)
	}
	edit := url.Values{"chat_id": {"-100123"}, "message_id": {fmt.Sprint(m.ID)}, "reply_markup": {`{"inline_keyboard":[[{"text":"Wang has it","callback_data":"who:k3"}]]}`}}
	for _, want := range []string{"", "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"} {
		if got := ask(t, s, token, "editMessageReplyMarkup", edit).Description; got != want {
			t.Errorf("edit answered %q, want %q", got, want)
		}
	}
	if now := s.Messages()[0]; now.Toast != "Wang has it" || len(now.Buttons) != 1 || now.Buttons[0][0].Data != "who:k3" {
		t.Errorf("the message is now %+v", now)
	}
}

func TestTheBotAPIRefusesTheKeyboardsThatTelegramRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	for markup, want := range map[string]string{
		`{`:                                    "can't parse reply keyboard markup",
		`{"inline_keyboard":[[{"text":"x"}]]}`: "unallowed",
		`{"inline_keyboard":[[{"text":"","callback_data":"x"}]]}`:                                                                  "non-empty",
		`{"inline_keyboard":[[{"text":"x","url":"http://localhost/"}]]}`:                                                           "Wrong HTTP URL",
		`{"inline_keyboard":[[{"text":"x","callback_data":"` + strings.Repeat("x", 65) + `"}]]}`:                                   "BUTTON_DATA_INVALID",
		`{"inline_keyboard":[[` + strings.Repeat(`{"text":"x","callback_data":"x"},`, 100) + `{"text":"x","callback_data":"x"}]]}`: "too long",
	} {
		got := ask(t, s, s.Credentials().TelegramToken, "sendMessage", url.Values{"chat_id": {"1"}, "text": {"x"}, "reply_markup": {markup}})
		if !strings.Contains(got.Description, want) || got.OK {
			t.Errorf("%.80s\nanswered %q, want %q", markup, got.Description, want)
		}
	}
}

func TestOfTwoPollersTheFirstIsSentAway(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	token := s.Credentials().TelegramToken
	first := make(chan reply, 1)
	go func() { first <- ask(t, s, token, "getUpdates", url.Values{"timeout": {"30"}}) }()
	for { // until the first waits, the second may be the first
		ask(t, s, token, "getUpdates", url.Values{"timeout": {"0"}})
		select {
		case got := <-first:
			if got.ErrorCode != 409 || !strings.Contains(got.Description, "terminated by other getUpdates request") {
				t.Errorf("answered %d %s", got.ErrorCode, got.Description)
			}
			return
		default:
		}
	}
}

func TestAWebhookTakesUpdatesInsteadOfAPoller(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	token := s.Credentials().TelegramToken
	taken := make(chan string, 8)
	fails := 1
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if fails > 0 {
			fails--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		taken <- r.Header.Get("X-Telegram-Bot-Api-Secret-Token") + " " + string(body)
	}))
	t.Cleanup(far.Close)
	if got := ask(t, s, token, "setWebhook", url.Values{"url": {"https://example.com/x"}}); got.OK {
		t.Error("updates would leave the machine")
	}
	if got := ask(t, s, token, "setWebhook", url.Values{"url": {far.URL + "/x"}, "secret_token": {"s3cret"}}); !got.OK {
		t.Fatal(got.Description)
	}
	if got := ask(t, s, token, "getUpdates", nil); got.ErrorCode != 409 || !strings.Contains(got.Description, "webhook is active") {
		t.Errorf("a poller was answered %d %s", got.ErrorCode, got.Description)
	}
	s.Say(42, "zh", "/start")
	if got := <-taken; !strings.HasPrefix(got, "s3cret ") || !strings.Contains(got, `"text":"/start"`) {
		t.Errorf("the webhook took %s", got)
	}
	if got := ask(t, s, token, "getWebhookInfo", nil); !strings.Contains(string(got.Result), far.URL+"/x") {
		t.Errorf("getWebhookInfo: %s", got.Result)
	}
	ask(t, s, token, "deleteWebhook", nil)
	s.Say(42, "zh", "/stop")
	if got := heard(t, s); !strings.Contains(got, "/stop") {
		t.Errorf("after deleteWebhook a poller hears %s", got)
	}
}

func TestWhoBlocksTheBotIsHeardOfAndToldNoMore(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	s.Block(sandbox.Reader{ID: 42})
	if got := heard(t, s); !strings.Contains(got, `"my_chat_member"`) || !strings.Contains(got, `"kicked"`) {
		t.Errorf("heard %s", got)
	}
	got := ask(t, s, s.Credentials().TelegramToken, "sendMessage", url.Values{"chat_id": {"42"}, "text": {"x"}})
	if got.ErrorCode != 403 {
		t.Errorf("answered %d %s", got.ErrorCode, got.Description)
	}
}

func TestAdministratorsAndCommandsAreRemembered(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	token := s.Credentials().TelegramToken
	s.Promote(7, "-100123")
	for reader, want := range map[string]string{"7": "administrator", "8": "member"} {
		got := ask(t, s, token, "getChatMember", url.Values{"chat_id": {"-100123"}, "user_id": {reader}})
		if !strings.Contains(string(got.Result), `"status":"`+want+`"`) {
			t.Errorf("%s is %s", reader, got.Result)
		}
	}
	if got := ask(t, s, token, "setMyCommands", url.Values{"commands": {`[{"command":"Start!","description":"x"}]`}}); got.Description != "Bad Request: BOT_COMMAND_INVALID" {
		t.Errorf("a bad command was answered %q", got.Description)
	}
	ask(t, s, token, "setMyCommands", url.Values{"commands": {`[{"command":"start","description":"x"}]`}, "language_code": {"zh"}})
	if got := s.Commands("zh"); len(got) != 1 || got[0] != "start" {
		t.Errorf("commands %v", got)
	}
}

// post posts a form to the page.
func post(t *testing.T, handler http.Handler, target string, form url.Values) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

func TestThePagePressesAndSpeaks(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{Prefix: "/sandbox"})
	m := send(t, s, "-100123:45")
	page := httptest.NewRecorder()
	s.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/sandbox/?lang=en", nil))
	for _, want := range []string{`action="/sandbox/messages/1/press?lang=en"`, `value="ack:k3">Acknowledge</button>`, `href="https://status.example"`} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	press := fmt.Sprintf("/sandbox/messages/%d/press?lang=zh", m.ID)
	if status := post(t, s.Handler(), press, url.Values{"data": {"ack:k3"}}); status != http.StatusSeeOther {
		t.Fatalf("a press was answered %d", status)
	}
	if got := heard(t, s); !strings.Contains(got, `"data":"ack:k3"`) || !strings.Contains(got, `"message_thread_id":45`) || !strings.Contains(got, fmt.Sprint(sandbox.PageReader)) {
		t.Errorf("heard %s", got)
	}
	if status := post(t, s.Handler(), press, url.Values{"data": {"ack:other"}}); status != http.StatusConflict {
		t.Errorf("a button that isn't there was answered %d", status)
	}
	if status := post(t, s.Handler(), "/sandbox/say", url.Values{"chat": {"42"}, "text": {"/start abc"}}); status != http.StatusSeeOther {
		t.Fatalf("saying was answered %d", status)
	}
	if got := heard(t, s); !strings.Contains(got, `"text":"/start abc"`) || !strings.Contains(got, `"type":"private"`) {
		t.Errorf("heard %s", got)
	}
	for _, form := range []url.Values{{"chat": {"nobody"}, "text": {"x"}}, {"chat": {"42"}}, {"chat": {"42"}, "text": {strings.Repeat("x", 5000)}}} {
		if status := post(t, s.Handler(), "/sandbox/say", form); status != http.StatusUnprocessableEntity {
			t.Errorf("%.40v was answered %d", form, status)
		}
	}
}

func TestAChangedMessageOutlivesARestart(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/messages.jsonl"
	s := open(t, sandbox.Config{Path: path})
	m := send(t, s, "42")
	ask(t, s, s.Credentials().TelegramToken, "editMessageText", url.Values{"chat_id": {"42"}, "message_id": {fmt.Sprint(m.ID)}, "text": {"changed"}})
	_ = s.Close()
	again := open(t, sandbox.Config{Path: path})
	if got := again.Messages(); len(got) != 1 || got[0].Text != "changed" || got[0].Buttons != nil {
		t.Errorf("remembered %+v", got)
	}
}
