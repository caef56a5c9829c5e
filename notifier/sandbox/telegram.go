package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

const (
	telegramToken = "1000000001:sandbox-bot-that-works-nowhere-else"
	botName       = "shopwatch_sandbox_bot"
	botID         = 1000000001
	// requestLimit is the most that one request may hold.
	requestLimit = 64 << 10
	// maxText is the longest message, in UTF-16 code units after its entities were parsed.
	maxText = 4096
)

// answer is what the Bot API answers to everything.
type answer struct {
	OK          bool        `json:"ok"`
	Result      any         `json:"result,omitempty"`
	ErrorCode   int         `json:"error_code,omitempty"`
	Description string      `json:"description,omitempty"`
	Parameters  *parameters `json:"parameters,omitempty"`
}

type parameters struct {
	RetryAfter      int   `json:"retry_after,omitempty"`
	MigrateToChatID int64 `json:"migrate_to_chat_id,omitempty"`
}

func (a answer) write(w http.ResponseWriter) {
	status := http.StatusOK
	if !a.OK {
		status = a.ErrorCode
	}
	writeJSON(w, status, a)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the reader has gone where it fails
}

func refuse(status int, description string) answer {
	return answer{ErrorCode: status, Description: description}
}

// serveTelegram is the Bot API: /bot<token>/<method>.
func (s *Sandbox) serveTelegram(w http.ResponseWriter, r *http.Request) {
	token, method, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	if !ok || !strings.HasPrefix(r.URL.Path, "/bot") {
		refuse(http.StatusNotFound, "Not Found").write(w)
		return
	}
	if token != telegramToken {
		refuse(http.StatusUnauthorized, "Unauthorized").write(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, requestLimit)
	params, err := readParams(r)
	if err != nil {
		refuse(http.StatusBadRequest, "Bad Request: "+err.Error()).write(w)
		return
	}
	switch strings.ToLower(method) {
	case "getme":
		answer{OK: true, Result: map[string]any{
			"id": botID, "is_bot": true, "first_name": "shopwatch", "username": botName,
			"can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": false,
		}}.write(w)
	case "sendmessage":
		s.sendMessage(w, r, params)
	case "getupdates":
		s.getUpdates(w, r, params)
	case "answercallbackquery":
		s.answerPress(params).write(w)
	case "editmessagetext":
		s.edit(params, true).write(w)
	case "editmessagereplymarkup":
		s.edit(params, false).write(w)
	case "getchatmember":
		s.chatMember(params).write(w)
	case "setmycommands":
		s.setCommands(params).write(w)
	case "setwebhook":
		s.setWebhook(params).write(w)
	case "deletewebhook":
		s.deleteWebhook().write(w)
	case "getwebhookinfo":
		s.webhookInfo().write(w)
	default:
		refuse(http.StatusNotFound, "Not Found: method not found").write(w)
	}
}

// readParams reads a call's parameters as the Bot API does: query, form,
// multipart or JSON. What isn't a string in JSON stays JSON.
func readParams(r *http.Request) (url.Values, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" {
		err := r.ParseMultipartForm(requestLimit)
		if err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return nil, fmt.Errorf("can't read the request")
		}
		return r.Form, nil
	}
	var object map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
		return nil, fmt.Errorf("can't parse JSON object")
	}
	params := r.URL.Query()
	for name, value := range object {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		params.Set(name, text)
	}
	return params, nil
}

var chatShape = regexp.MustCompile(`^(?:-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31})$`)

func (s *Sandbox) sendMessage(w http.ResponseWriter, r *http.Request, params url.Values) {
	chat, to := params.Get("chat_id"), params.Get("chat_id")
	if topic := params.Get("message_thread_id"); topic != "" {
		to += ":" + topic
	}
	m := Message{Channel: Telegram, From: "@" + botName, To: to, Raw: rawParams(params)}
	switch {
	case chat == "":
		refuse(http.StatusBadRequest, "Bad Request: chat_id is empty").write(w)
		return
	case !chatShape.MatchString(chat):
		refuse(http.StatusBadRequest, "Bad Request: chat not found").write(w)
		return
	}
	if refusal, ok := m.word(params); !ok {
		refusal.write(w)
		return
	}
	keyboard, err := readMarkup(params.Get("reply_markup"))
	if err != nil {
		refuse(http.StatusBadRequest, "Bad Request: "+err.Error()).write(w)
		return
	}
	if keyboard != nil {
		m.Buttons = keyboard.Rows
	}
	if s.dialogue.isBlocked(chat) {
		refuse(http.StatusForbidden, "Forbidden: bot was blocked by the user").write(w)
		return
	}
	if fault, met := s.faults.meet(Telegram, to); met {
		if fault.Taken {
			s.take(m)
		}
		if fail(w, r, fault) {
			return
		}
		fault.telegram().write(w)
		return
	}
	answer{OK: true, Result: s.sent(s.take(m))}.write(w)
}

// word gives a message the words of a call, or says why the Bot API would refuse them.
func (m *Message) word(params url.Values) (answer, bool) {
	m.Text, m.HTML = params.Get("text"), ""
	switch mode := params.Get("parse_mode"); {
	case strings.EqualFold(mode, "HTML"):
		parsed, err := parseEntities(m.Text)
		if err != nil {
			return refuse(http.StatusBadRequest, "Bad Request: can't parse entities: "+err.Error()), false
		}
		m.HTML, m.Text = m.Text, parsed.visible
	case mode != "":
		return refuse(http.StatusBadRequest, "Bad Request: unsupported parse_mode"), false
	}
	switch {
	case strings.TrimSpace(m.Text) == "":
		return refuse(http.StatusBadRequest, "Bad Request: message text is empty"), false
	case len(utf16.Encode([]rune(m.Text))) > maxText:
		return refuse(http.StatusBadRequest, "Bad Request: message is too long"), false
	}
	return answer{}, true
}

// sent is a message of the bot's as the Bot API answers it.
func (s *Sandbox) sent(m Message) spoken {
	said := s.spoken(person{ID: botID, IsBot: true, Name: "shopwatch", Username: botName}, m.To, m.Text)
	said.ID, said.Date = m.ID, m.At.Unix()
	if len(m.Buttons) > 0 {
		said.Markup = &markup{m.Buttons}
	}
	return said
}

// fail hangs up or keeps silent where the fault says so, and reports whether it did.
func fail(w http.ResponseWriter, r *http.Request, f Fault) bool {
	if f.Silent {
		<-r.Context().Done()
		return true
	}
	if !f.Drop {
		return false
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
	return true
}

// telegram is the fault as the Bot API words it.
func (f Fault) telegram() answer {
	a := refuse(f.Status, f.Text)
	usual, words := http.StatusInternalServerError, "Internal Server Error"
	if f.RetryAfter > 0 {
		seconds := int((f.RetryAfter + time.Second - 1) / time.Second)
		a.Parameters = &parameters{RetryAfter: seconds}
		usual, words = http.StatusTooManyRequests, fmt.Sprintf("Too Many Requests: retry after %d", seconds)
	}
	if f.MigrateTo != 0 {
		a.Parameters = &parameters{MigrateToChatID: f.MigrateTo}
		usual, words = http.StatusBadRequest, "Bad Request: group chat was upgraded to a supergroup chat"
	}
	if a.ErrorCode == 0 {
		a.ErrorCode = usual
	}
	if a.Description == "" && a.ErrorCode == usual {
		a.Description = words
	} else if a.Description == "" {
		a.Description = http.StatusText(a.ErrorCode)
	}
	return a
}

// rawParams shows a call's parameters, one a line.
func rawParams(params url.Values) string {
	object := map[string]string{}
	for name := range params {
		object[name] = params.Get(name)
	}
	raw, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// chatOf is a private chat's number.
func chatOf(reader int64) string { return strconv.FormatInt(reader, 10) }

// placeOf takes an address apart into a chat's number or name and a topic.
func placeOf(address string) (chat string, topic int64) {
	chat, thread, _ := strings.Cut(address, ":")
	topic, _ = strconv.ParseInt(thread, 10, 64)
	return chat, topic
}

// describe is a chat as updates tell it. A public channel is asked for by its
// name and has a number all the same.
func describe(number, reader string) chat {
	id, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil:
		return chat{ID: -1000000000001, Type: "channel", Title: "Channel", Username: strings.TrimPrefix(number, "@")}
	case id < 0:
		return chat{ID: id, Type: "supergroup", Title: "Group"}
	}
	return chat{ID: id, Type: "private", Name: reader}
}

// getUpdates answers what readers did, and waits for it up to the call's timeout.
func (s *Sandbox) getUpdates(w http.ResponseWriter, r *http.Request, params url.Values) {
	offset, _ := strconv.ParseInt(params.Get("offset"), 10, 64)
	seconds, _ := strconv.Atoi(params.Get("timeout"))
	limit, err := strconv.Atoi(params.Get("limit"))
	if err != nil || limit < 1 || limit > maxUpdates {
		limit = maxUpdates
	}
	if said, ok := s.poll(r.Context().Done(), offset, limit, time.Duration(min(max(seconds, 0), 50))*time.Second); ok {
		said.write(w)
	}
}
