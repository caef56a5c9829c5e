package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"shopwatch/notifier/sandbox"
)

// reply is an answer of the Bot API.
type reply struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
}

func ask(t *testing.T, s *sandbox.Sandbox, token, method string, form url.Values) reply {
	t.Helper()
	response, err := http.PostForm(s.TelegramURL()+"/bot"+token+"/"+method, form)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, response)
}

func decode(t *testing.T, response *http.Response) reply {
	t.Helper()
	defer response.Body.Close()
	var got reply
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if !got.OK && response.StatusCode != got.ErrorCode {
		t.Errorf("HTTP %d with error_code %d", response.StatusCode, got.ErrorCode)
	}
	return got
}

func TestTheBotAPIRefusesWhatTelegramRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	token := s.Credentials().TelegramToken
	for _, c := range []struct {
		name, token, method string
		form                url.Values
		want                string
	}{
		{"another bot's token", "1:other", "getMe", nil, "401 Unauthorized"},
		{"an unknown method", token, "sendCarrierPigeon", nil, "404 Not Found: method not found"},
		{"no chat", token, "sendMessage", url.Values{"text": {"x"}}, "400 Bad Request: chat_id is empty"},
		{"a chat that is none", token, "sendMessage", url.Values{"chat_id": {"somebody"}, "text": {"x"}}, "400 Bad Request: chat not found"},
		{"no text", token, "sendMessage", url.Values{"chat_id": {"1"}}, "400 Bad Request: message text is empty"},
		{"tags alone", token, "sendMessage", url.Values{"chat_id": {"1"}, "text": {"<b> </b>"}, "parse_mode": {"HTML"}}, "400 Bad Request: message text is empty"},
		{"an unknown parse mode", token, "sendMessage", url.Values{"chat_id": {"1"}, "text": {"x"}, "parse_mode": {"RTF"}}, "400 Bad Request: unsupported parse_mode"},
		{"4097 letters", token, "sendMessage", url.Values{"chat_id": {"1"}, "text": {strings.Repeat("x", 4097)}}, "400 Bad Request: message is too long"},
		{"2049 emoji", token, "sendMessage", url.Values{"chat_id": {"1"}, "text": {strings.Repeat("🔥", 2049)}}, "400 Bad Request: message is too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, s, c.token, c.method, c.form)
			if words := fmt.Sprint(got.ErrorCode, " ", got.Description); got.OK || words != c.want {
				t.Errorf("answered %q, want %q", words, c.want)
			}
		})
	}
}

func TestEntitiesAreParsedAsTelegramDoes(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{Keep: 1})
	for text, want := range map[string]string{
		"<b>a</b> &lt;b&gt; &amp;&#33; &nbsp; &":            "a <b> &! &nbsp; &",
		"<B>a</B><strong>b</strong><ins>c</ins>":            "abc",
		`<a href="https://x.example/?a=1&amp;b=2">link</a>`: "link",
		`<a href="javascript:alert(1)">link</a>`:            "link",
		`<span class="tg-spoiler">s</span><tg-spoiler>t</>`: "st",
		"<blockquote expandable>q</blockquote>":             "q",
		"<pre><code class=\"language-go\">x</code></pre>":   "x",
		"表情<tg-emoji emoji-id='5'>👍</tg-emoji>":             "表情👍",
		"a < b":                      `!Unsupported start tag "" at byte offset 2`,
		"字<p>x</p>":                  `!Unsupported start tag "p" at byte offset 3`,
		"<kahn@inbox.example>":       `!Unsupported start tag "kahn@inbox.example" at byte offset 0`,
		"<b>x":                       `!Can't find end tag corresponding to start tag "b"`,
		"<b><i>x</b></i>":            `!Unmatched end tag at byte offset 7, expected "</i>", found "</b>"`,
		"x</b>":                      `!Unexpected end tag at byte offset 1`,
		"<b":                         `!Unclosed start tag at byte offset 0`,
		"<b>x</b":                    `!Unclosed end tag at byte offset 4`,
		`<a href="x>y</a>`:           `!Unclosed start tag at byte offset 0`,
		"<a href>x</a>":              `!Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0`,
		`<span class="red">x</span>`: `!Tag "span" must have class "tg-spoiler" at byte offset 0`,
		`<a ="x">y</a>`:              `!Empty attribute name in the tag "a" at byte offset 0`,
	} {
		got := ask(t, s, s.Credentials().TelegramToken, "sendMessage", url.Values{"chat_id": {"1"}, "text": {text}, "parse_mode": {"HTML"}})
		if mistake, wrong := strings.CutPrefix(want, "!"); wrong {
			if words := "Bad Request: can't parse entities: " + mistake; got.Description != words {
				t.Errorf("%s\nanswered %q\nwant     %q", text, got.Description, words)
			}
			continue
		}
		var sent struct{ Text string }
		if err := json.Unmarshal(got.Result, &sent); err != nil || sent.Text != want {
			t.Errorf("%s\nwas read as %q (%s %v), want %q", text, sent.Text, got.Description, err, want)
		}
	}
}

func TestTheBotAPITakesJSONToo(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	body := `{"chat_id":-100123,"message_thread_id":45,"text":"hello","link_preview_options":{"is_disabled":true}}`
	response, err := http.Post(s.TelegramURL()+"/bot"+s.Credentials().TelegramToken+"/sendMessage", "application/json; charset=utf-8", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, response); !got.OK {
		t.Fatalf("refused: %s", got.Description)
	}
	if m := s.Messages()[0]; m.To != "-100123:45" || m.Text != "hello" || !strings.Contains(m.Raw, `"link_preview_options"`) {
		t.Errorf("took %+v", m)
	}
}

func TestGetMeTellsTheBot(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	got := ask(t, s, s.Credentials().TelegramToken, "getMe", nil)
	if !got.OK || !bytes.Contains(got.Result, []byte(`"username":"shopwatch_sandbox_bot"`)) {
		t.Errorf("answered %s", got.Result)
	}
}

func TestAPollerHearsWhatReadersSayUntilItConfirms(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	token := s.Credentials().TelegramToken
	if got := ask(t, s, token, "getUpdates", url.Values{"timeout": {"0"}}); string(got.Result) != "[]" {
		t.Errorf("with nothing said: %s", got.Result)
	}
	heard := make(chan reply, 1)
	go func() { heard <- ask(t, s, token, "getUpdates", url.Values{"timeout": {"30"}}) }()
	s.Say(42, "zh", "/start abc")
	var updates []struct {
		ID      int64 `json:"update_id"`
		Message struct {
			Text string
			Chat struct{ ID int64 }
			From struct {
				Language string `json:"language_code"`
			}
			Entities []struct {
				Type   string
				Length int
			}
		}
	}
	if err := json.Unmarshal((<-heard).Result, &updates); err != nil || len(updates) != 1 {
		t.Fatalf("heard %+v (%v)", updates, err)
	}
	said := updates[0].Message
	if said.Text != "/start abc" || said.Chat.ID != 42 || said.From.Language != "zh" || said.Entities[0].Type != "bot_command" || said.Entities[0].Length != 6 {
		t.Errorf("heard %+v", said)
	}
	again := ask(t, s, token, "getUpdates", url.Values{"offset": {fmt.Sprint(updates[0].ID)}})
	if string(again.Result) == "[]" {
		t.Error("an update that was not confirmed was forgotten")
	}
	confirmed := ask(t, s, token, "getUpdates", url.Values{"offset": {fmt.Sprint(updates[0].ID + 1)}})
	if string(confirmed.Result) != "[]" {
		t.Errorf("a confirmed update was told again: %s", confirmed.Result)
	}
}

func TestClosingEndsALongPoll(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.TelegramURL()+"/bot"+s.Credentials().TelegramToken+"/getUpdates?timeout=50", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		ended <- err
	}()
	_ = s.Close()
	<-ended // the test's own deadline tells a poll that lasts
}
