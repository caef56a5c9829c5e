package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Button is one thing to press under a message.
type Button struct {
	Text string `json:"text"`
	URL  string `json:"url,omitempty"`
	Data string `json:"callback_data,omitempty"`
}

type markup struct {
	Rows [][]Button `json:"inline_keyboard"`
}

// Limits of core.telegram.org/bots/api.
const (
	maxData        = 64
	maxButtons     = 100
	maxToast       = 200
	maxCommands    = 100
	maxDescription = 256
)

// readMarkup checks a keyboard as the Bot API does.
func readMarkup(text string) (*markup, error) {
	if text == "" {
		return nil, nil
	}
	var m markup
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, errors.New("can't parse reply keyboard markup JSON object")
	}
	count := 0
	for _, row := range m.Rows {
		for _, b := range row {
			count++
			switch address, err := url.Parse(b.URL); {
			case b.Text == "":
				return nil, errors.New("can't parse inline keyboard button: Field \"text\" must be non-empty")
			case (b.URL == "") == (b.Data == ""):
				return nil, errors.New("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
			case len(b.Data) > maxData:
				return nil, errors.New("BUTTON_DATA_INVALID")
			case b.URL != "" && (err != nil || !strings.Contains(address.Hostname(), ".")):
				return nil, fmt.Errorf("inline keyboard button URL '%s' is invalid: Wrong HTTP URL", b.URL)
			}
		}
	}
	if count > maxButtons {
		return nil, errors.New("reply markup is too long")
	}
	return &m, nil
}

// dialogue is what the Bot API knows besides messages.
type dialogue struct {
	mu       sync.Mutex
	queries  map[string]int64           // open presses -> message
	admins   map[string]map[int64]bool  // by chat's number
	blocked  map[int64]bool             // readers
	commands map[string][]commandOfMenu // by scope and language
	last     int64
}

type commandOfMenu struct {
	Command     string `json:"command"`
	Description string `json:"description"`
}

func newDialogue() *dialogue {
	return &dialogue{
		queries: map[string]int64{}, admins: map[string]map[int64]bool{}, blocked: map[int64]bool{}, commands: map[string][]commandOfMenu{},
	}
}

func (d *dialogue) block(reader int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blocked[reader] = true
}

func (d *dialogue) isBlocked(chat string) bool {
	reader, err := strconv.ParseInt(chat, 10, 64)
	d.mu.Lock()
	defer d.mu.Unlock()
	return err == nil && d.blocked[reader]
}

// Promote makes a reader an administrator of a group.
func (s *Sandbox) Promote(reader int64, group string) {
	d := s.dialogue
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.admins[group] == nil {
		d.admins[group] = map[int64]bool{}
	}
	d.admins[group][reader] = true
}

// Commands are the names of the menu that a reader of the language sees.
func (s *Sandbox) Commands(language string) []string {
	d := s.dialogue
	d.mu.Lock()
	defer d.mu.Unlock()
	list, ok := d.commands["/"+language]
	if !ok {
		list = d.commands["/"]
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Command)
	}
	return names
}

// Press makes a reader press the button with the data under a message.
func (s *Sandbox) Press(reader Reader, message int64, data string) error {
	m, found := s.journal.get(message)
	if !found || m.Channel != Telegram {
		return fmt.Errorf("sandbox: there is no Telegram message %d", message)
	}
	if !slices.ContainsFunc(m.Buttons, func(row []Button) bool {
		return slices.ContainsFunc(row, func(b Button) bool { return b.Data == data && data != "" })
	}) {
		return fmt.Errorf("sandbox: message %d has no button with the data %q", message, data)
	}
	s.PressAny(reader, m, data)
	return nil
}

// PressAny hands the bot data that need not stand on any button of the message,
// as a hostile client may.
func (s *Sandbox) PressAny(reader Reader, m Message, data string) {
	under := s.spoken(person{ID: botID, IsBot: true, Name: "shopwatch", Username: botName}, m.To, m.Text)
	if number, _ := placeOf(m.To); !strings.HasPrefix(number, "-") && !strings.HasPrefix(number, "@") {
		under.Chat.Name = reader.person().Name
	}
	under.ID, under.Date = m.ID, m.At.Unix()
	if len(m.Buttons) > 0 {
		under.Markup = &markup{m.Buttons}
	}
	d := s.dialogue
	d.mu.Lock()
	d.last++
	id := strconv.FormatInt(d.last, 10)
	d.queries[id] = m.ID
	d.mu.Unlock()
	s.updates.add(func(int64) update {
		return update{Press: &query{ID: id, From: reader.person(), Message: under, Instance: "1", Data: data}}
	})
}

// answerPress is answerCallbackQuery: each press is answered once.
func (s *Sandbox) answerPress(params url.Values) answer {
	d := s.dialogue
	d.mu.Lock()
	message, open := d.queries[params.Get("callback_query_id")]
	delete(d.queries, params.Get("callback_query_id"))
	d.mu.Unlock()
	text := params.Get("text")
	switch {
	case !open:
		return refuse(http.StatusBadRequest, "Bad Request: query is too old and response timeout expired or query ID is invalid")
	case utf8.RuneCountInString(text) > maxToast:
		return refuse(http.StatusBadRequest, "Bad Request: MESSAGE_TOO_LONG")
	}
	s.journal.change(message, func(m *Message) { m.Toast = text })
	return answer{OK: true, Result: true}
}

// edit is editMessageText and editMessageReplyMarkup.
func (s *Sandbox) edit(params url.Values, words bool) answer {
	id, _ := strconv.ParseInt(params.Get("message_id"), 10, 64)
	m, found := s.journal.get(id)
	if number, _ := placeOf(m.To); !found || m.Channel != Telegram || number != params.Get("chat_id") {
		return refuse(http.StatusBadRequest, "Bad Request: message to edit not found")
	}
	keyboard, err := readMarkup(params.Get("reply_markup"))
	if err != nil {
		return refuse(http.StatusBadRequest, "Bad Request: "+err.Error())
	}
	before, after := m, m
	after.Buttons = nil
	if keyboard != nil {
		after.Buttons = keyboard.Rows
	}
	if words {
		if refusal, ok := after.word(params); !ok {
			return refusal
		}
	}
	if reflect.DeepEqual([]any{before.Text, before.HTML, before.Buttons}, []any{after.Text, after.HTML, after.Buttons}) {
		return refuse(http.StatusBadRequest, "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message")
	}
	s.journal.change(id, func(m *Message) { m.Text, m.HTML, m.Buttons = after.Text, after.HTML, after.Buttons })
	return answer{OK: true, Result: s.sent(after)}
}

// chatMember is getChatMember.
func (s *Sandbox) chatMember(params url.Values) answer {
	reader, err := strconv.ParseInt(params.Get("user_id"), 10, 64)
	if err != nil || reader <= 0 {
		return refuse(http.StatusBadRequest, "Bad Request: invalid user_id specified")
	}
	d := s.dialogue
	d.mu.Lock()
	defer d.mu.Unlock()
	status := "member"
	if reader == PageReader || d.admins[params.Get("chat_id")][reader] {
		status = "administrator"
	}
	return answer{OK: true, Result: member{User: Reader{ID: reader}.person(), Status: status}}
}

var commandShape = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// setCommands is setMyCommands.
func (s *Sandbox) setCommands(params url.Values) answer {
	var list []commandOfMenu
	if err := json.Unmarshal([]byte(params.Get("commands")), &list); err != nil || len(list) > maxCommands {
		return refuse(http.StatusBadRequest, "Bad Request: can't parse commands JSON object")
	}
	for _, c := range list {
		if !commandShape.MatchString(c.Command) {
			return refuse(http.StatusBadRequest, "Bad Request: BOT_COMMAND_INVALID")
		}
		if n := utf8.RuneCountInString(c.Description); n < 1 || n > maxDescription {
			return refuse(http.StatusBadRequest, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
		}
	}
	var scope struct {
		Type string `json:"type"`
		Chat any    `json:"chat_id"`
	}
	if text := params.Get("scope"); text != "" && json.Unmarshal([]byte(text), &scope) != nil {
		return refuse(http.StatusBadRequest, "Bad Request: can't parse BotCommandScope")
	}
	name := ""
	if scope.Type != "" && scope.Type != "default" {
		name = fmt.Sprint(scope.Type, scope.Chat)
	}
	s.dialogue.mu.Lock()
	defer s.dialogue.mu.Unlock()
	s.dialogue.commands[name+"/"+params.Get("language_code")] = list
	return answer{OK: true, Result: true}
}
