package telegram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/telegram"
)

const (
	token = "7000000001:AAH-secret_Secret-secret_Secret-sec"
	chat  = "-1001234567890"
)

var message = notifier.Message{
	ID:     "n12-r34",
	Thread: "i7",
	Text:   "Alipay payments are failing",
	HTML:   "<b>Alipay payments</b> are failing",
}

func fixed(token string) func() (string, error) {
	return func() (string, error) { return token, nil }
}

func connect(t *testing.T, cfg telegram.Config) *telegram.Channel {
	t.Helper()
	if cfg.Token == nil {
		cfg.Token = fixed(token)
	}
	c, err := telegram.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

// answering is a far side that gives one answer, in which REQUEST stands for
// the URL and the body of the request.
func answering(status int, body string) func(*testing.T) string {
	return func(t *testing.T) string {
		return channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, strings.ReplaceAll(body, "REQUEST", r.URL.String()+" "+r.Form.Encode()))
		})
	}
}

func refusal(status int, description string) func(*testing.T) string {
	return answering(status, fmt.Sprintf(`{"ok":false,"error_code":%d,"description":%q}`, status, description))
}

func TestChannel(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, channeltest.Subject{
		Name: "telegram",
		Connect: func(t *testing.T, hostport string) channeltest.Channel {
			return connect(t, telegram.Config{APIURL: "http://" + hostport, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
		},
		Address: chat,
		Invalid: []string{"", "somebody", "12 34", "-100123:", "@x", "-1001234567890:45:6", "12\r\n34", "https://t.me/x"},
		Private: []string{token, strings.SplitN(token, ":", 2)[1], chat, strings.TrimPrefix(chat, "-")},
		Message: message,
		Accepting: func(t *testing.T) (string, func() int) {
			var taken atomic.Int64
			hostport := channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
				taken.Add(1)
				fmt.Fprint(w, `{"ok":true,"result":{"message_id":1}}`)
			})
			return hostport, func() int { return int(taken.Load()) }
		},
		Answers: []channeltest.Answer{
			{Name: "the reader blocked the bot", Serve: refusal(403, "Forbidden: bot was blocked by the user"), Want: channeltest.Permanent, Says: "blocked by the user"},
			{Name: "the bot was kicked from the group", Serve: refusal(403, "Forbidden: bot was kicked from the supergroup chat"), Want: channeltest.Permanent},
			{Name: "the chat does not exist", Serve: refusal(400, "Bad Request: chat not found"), Want: channeltest.Permanent},
			{Name: "the topic is gone", Serve: refusal(400, "Bad Request: message thread not found"), Want: channeltest.Permanent},
			{Name: "the group does not let the bot write", Serve: refusal(400, "Bad Request: not enough rights to send text messages to the chat"), Want: channeltest.Permanent},
			{Name: "another mistake in the request is for a person", Serve: refusal(400, "Bad Request: message is too long"), Want: channeltest.Unsendable, Says: "message is too long"},
			{Name: "the token was revoked", Serve: refusal(401, "Unauthorized"), Want: channeltest.WaitChannel, After: 15 * time.Second, Says: "token"},
			{Name: "the token is of no bot", Serve: refusal(404, "Not Found"), Want: channeltest.WaitChannel, After: 15 * time.Second, Says: "token"},
			{Name: "the api url leads to another server", Serve: answering(404, "<html>404 REQUEST</html>"), Want: channeltest.WaitChannel, After: 15 * time.Second, Says: "api url"},
			{
				Name: "a group's limit is met", Want: channeltest.WaitRecipient, After: 17 * time.Second,
				Serve: answering(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 17","parameters":{"retry_after":17}}`),
			},
			{Name: "a limit is met and nobody says for how long", Serve: refusal(429, "Too Many Requests"), Want: channeltest.WaitRecipient, After: 30 * time.Second},
			{Name: "a proxy on the way limits us", Serve: answering(429, "slow down"), Want: channeltest.WaitChannel, After: 30 * time.Second},
			{
				Name: "the group became a supergroup", Want: channeltest.Moved, Says: "supergroup",
				Serve: answering(400, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009876543210}}`),
			},
			{Name: "Telegram is broken", Serve: refusal(500, "Internal Server Error"), Want: channeltest.Temporary, Says: "500"},
			{Name: "a gateway on the way is broken", Serve: answering(502, "<html>REQUEST</html>"), Want: channeltest.Temporary, Says: "502"},
			{Name: "the answer quotes the request", Serve: answering(400, `{"ok":false,"error_code":400,"description":"bad: REQUEST"}`), Want: channeltest.Unsendable},
			{Name: "the answer is empty", Serve: answering(200, ""), Want: channeltest.Temporary},
			{Name: "a redirect is not followed", Want: channeltest.Temporary, Says: "302", Serve: func(t *testing.T) string {
				elsewhere := channeltest.HTTP(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
				return channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "http://"+elsewhere+"/", http.StatusFound)
				})
			}},
		},
	})
}

func TestALimitInAPrivateChatStopsTheWholeBot(t *testing.T) {
	t.Parallel()
	hostport := answering(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 3","parameters":{"retry_after":3}}`)(t)
	err := connect(t, telegram.Config{APIURL: "http://" + hostport}).Send(t.Context(), "42424242", message)
	if got, after := channeltest.Understand(err); got != channeltest.WaitChannel || after != 3*time.Second {
		t.Errorf("understood as %q after %s, want %q after 3s", got, after, channeltest.WaitChannel)
	}
}

func TestAMovedGroupTellsItsNewNumberOnlyToWhoAsks(t *testing.T) {
	t.Parallel()
	hostport := answering(400, `{"ok":false,"error_code":400,"description":"upgraded","parameters":{"migrate_to_chat_id":-1009876543210}}`)(t)
	err := connect(t, telegram.Config{APIURL: "http://" + hostport}).Send(t.Context(), chat, message)
	var moved *notifier.MovedError
	if !errors.As(err, &moved) {
		t.Fatalf("error %v, want a *notifier.MovedError", err)
	}
	if moved.To != "-1009876543210" {
		t.Errorf("To = %q, want the new chat id", moved.To)
	}
	if strings.Contains(err.Error(), "9876543210") {
		t.Errorf("the error says the new chat id: %v", err)
	}
	if errors.Is(err, notifier.ErrPermanent) {
		t.Error("the reader is called gone")
	}
}

// recording accepts everything except what refuse refuses, and keeps the requests.
type recording struct {
	mu     sync.Mutex
	paths  []string
	forms  []url.Values
	refuse func(url.Values) string // a description, or empty
}

func (r *recording) start(t *testing.T) string {
	return channeltest.HTTP(t, func(w http.ResponseWriter, request *http.Request) {
		_ = request.ParseForm()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paths = append(r.paths, request.URL.Path)
		r.forms = append(r.forms, request.PostForm)
		if r.refuse != nil {
			if description := r.refuse(request.PostForm); description != "" {
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]any{"ok": false, "error_code": 400, "description": description})
				return
			}
		}
		fmt.Fprint(w, `{"ok":true,"result":{}}`)
	})
}

func (r *recording) texts() []string {
	var texts []string
	for _, form := range r.forms {
		texts = append(texts, form.Get("text"))
	}
	return texts
}

func TestSendSaysExactlyWhatTheBotAPIWants(t *testing.T) {
	t.Parallel()
	var far recording
	c := connect(t, telegram.Config{APIURL: "http://" + far.start(t) + "/mirror%20of%20it/"})
	if err := c.Send(t.Context(), chat+":45", message); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if want := "/mirror of it/bot" + token + "/sendMessage"; far.paths[0] != want {
		t.Errorf("path %q, want %q", far.paths[0], want)
	}
	want := url.Values{
		"chat_id": {chat}, "message_thread_id": {"45"}, "text": {message.HTML},
		"parse_mode": {"HTML"}, "link_preview_options": {`{"is_disabled":true}`},
	}
	if got := far.forms[0].Encode(); got != want.Encode() {
		t.Errorf("sent %s\nwant %s", got, want.Encode())
	}
}

func TestUnreadableHTMLIsSentOnceAsPlainText(t *testing.T) {
	t.Parallel()
	far := recording{refuse: func(form url.Values) string {
		if form.Get("parse_mode") != "" {
			return "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0"
		}
		return ""
	}}
	var log bytes.Buffer
	c := connect(t, telegram.Config{APIURL: "http://" + far.start(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err := c.Send(t.Context(), chat, message); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if got := far.texts(); len(got) != 2 || got[1] != message.Text {
		t.Errorf("sent %q, want the HTML and then the plain text", got)
	}
	if !strings.Contains(log.String(), "notice=n12-r34") || strings.Contains(log.String(), chat) {
		t.Errorf("log %q, want one that names the notice and not the chat", log.String())
	}
}

func TestUnreadablePlainTextIsNotSentForEver(t *testing.T) {
	t.Parallel()
	far := recording{refuse: func(url.Values) string { return "Bad Request: can't parse entities: why ever" }}
	err := connect(t, telegram.Config{APIURL: "http://" + far.start(t)}).Send(t.Context(), chat, message)
	if !errors.Is(err, notifier.ErrUnsendable) || errors.Is(err, notifier.ErrPermanent) {
		t.Errorf("error %v, want one of the message and not of the chat", err)
	}
	if len(far.forms) != 2 {
		t.Errorf("%d requests, want 2", len(far.forms))
	}
}

func TestAMessageWithoutTextIsAnError(t *testing.T) {
	t.Parallel()
	var far recording
	err := connect(t, telegram.Config{APIURL: "http://" + far.start(t)}).Send(t.Context(), chat, notifier.Message{ID: "n1-r1", HTML: "<b> </b>", Text: " \n"})
	if !errors.Is(err, notifier.ErrUnsendable) || len(far.forms) != 0 {
		t.Errorf("error %v after %d requests, want one of the message and none", err, len(far.forms))
	}
}

func TestAWrongTokenStopsTheBotBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func() (string, error){
		"cannot be read":      func() (string, error) { return "", errors.New("open token: permission denied") },
		"is empty":            fixed(""),
		"is no token":         fixed("hunter2-hunter2"),
		"climbs out of a URL": fixed("1:../../x?y=hunter2-hunter2"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var far recording
			err := connect(t, telegram.Config{APIURL: "http://" + far.start(t), Token: read}).Send(t.Context(), chat, message)
			if got, _ := channeltest.Understand(err); got != channeltest.WaitChannel {
				t.Errorf("understood as %q (%v), want %q", got, err, channeltest.WaitChannel)
			}
			if len(far.forms) != 0 || channeltest.Leaked(err, "hunter2") != "" {
				t.Errorf("%d requests and error %v, want no request and no token", len(far.forms), err)
			}
		})
	}
}

func TestAReplacedTokenIsUsedAtTheNextMessage(t *testing.T) {
	t.Parallel()
	var far recording
	current := "1:first"
	c := connect(t, telegram.Config{APIURL: "http://" + far.start(t), Token: func() (string, error) { return current, nil }})
	for _, next := range []string{"1:first", "1:second"} {
		current = next
		if err := c.Send(t.Context(), chat, message); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	if far.paths[1] != "/bot1:second/sendMessage" {
		t.Errorf("second request went to %q", far.paths[1])
	}
}

func TestNewRefusesAWrongConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]telegram.Config{
		"no token":                  {},
		"no scheme":                 {Token: fixed(token), APIURL: "api.telegram.org"},
		"another scheme":            {Token: fixed(token), APIURL: "ftp://api.telegram.org"},
		"a query":                   {Token: fixed(token), APIURL: "https://api.telegram.org?x=1"},
		"a password in the api url": {Token: fixed(token), APIURL: "https://user:hunter2@api.telegram.org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := telegram.New(cfg)
			if err == nil {
				t.Fatal("New accepted it")
			}
			if channeltest.Leaked(err, "hunter2") != "" {
				t.Errorf("error holds the password: %v", err)
			}
		})
	}
}

func TestNewAsksTelegramNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("New asked Telegram") }))
	defer server.Close()
	connect(t, telegram.Config{APIURL: server.URL})
}

func TestAClientsOwnTimeoutIsNotTheCallersDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hostport := channeltest.HTTP(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	c := connect(t, telegram.Config{APIURL: "http://" + hostport, HTTPClient: &http.Client{Timeout: 50 * time.Millisecond}})
	err := c.Send(t.Context(), chat, message)
	if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "timed out") {
		t.Errorf("error %v, want one that says that the request timed out", err)
	}
}
