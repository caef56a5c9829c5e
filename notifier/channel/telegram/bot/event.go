package bot

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"shopwatch/notifier"
)

// kind is what somebody did.
type kind int

const (
	nothing  kind = iota
	said          // wrote a message
	pressed       // a button under a message of ours
	expelled      // blocked the bot, or took it out of the group
)

// event is an update as far as we read it.
type event struct {
	id   int64
	kind kind
	chat place
	user person

	command, args, to string // said: "start", "payload", and the bot it was said to
	words             bool   // said: something that is no command

	query    string // pressed: to be answered
	data     string
	message  int
	keyboard [][]tgbotapi.InlineKeyboardButton
}

// place is a chat, or a topic of it.
type place struct {
	id       int64
	private  bool
	username string
	topic    int64
}

// number is the chat as the Bot API wants it.
func (p place) number() string { return strconv.FormatInt(p.id, 10) }

// address is the place as a recipient's address.
func (p place) address() string {
	if p.topic != 0 {
		return p.number() + ":" + strconv.FormatInt(p.topic, 10)
	}
	return p.number()
}

// person is who did it.
type person struct {
	id       int64
	name     string
	language notifier.Language
	// asGroup is set for an administrator who speaks in the group's own name.
	asGroup bool
}

// commandShape matches "/start@our_bot payload".
var commandShape = regexp.MustCompile(`(?s)^/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?:\s+(.*))?$`)

// maxArgs is how much is read behind a command, in bytes.
const maxArgs = 200

// topics are what the library's types lack.
type topics struct {
	Message       *topic
	CallbackQuery *struct{ Message *topic } `json:"callback_query"`
}

type topic struct {
	Thread int64 `json:"message_thread_id"`
	Topic  bool  `json:"is_topic_message"`
}

func (t *topic) number() int64 {
	if t == nil || !t.Topic || t.Thread < 0 {
		return 0
	}
	return t.Thread
}

// read understands an update, whatever it is. It is not ok where there is
// nothing in it that anybody could answer; then only id may be of use.
func read(raw json.RawMessage) (event, bool) {
	var update tgbotapi.Update
	var more topics
	if json.Unmarshal(raw, &update) != nil || json.Unmarshal(raw, &more) != nil {
		var known struct {
			ID int64 `json:"update_id"`
		}
		_ = json.Unmarshal(raw, &known) // of what can't be read nothing but the number matters
		return event{id: known.ID}, false
	}
	e := event{id: int64(update.UpdateID)}
	switch {
	case update.Message != nil:
		e.said(update.Message, more.Message.number())
	case update.CallbackQuery != nil:
		var number int64
		if more.CallbackQuery != nil {
			number = more.CallbackQuery.Message.number()
		}
		e.pressed(update.CallbackQuery, number)
	case update.MyChatMember != nil:
		e.expelled(update.MyChatMember)
	}
	return e, e.kind != nothing
}

func (e *event) said(m *tgbotapi.Message, topic int64) {
	if m.Chat == nil || m.From == nil || m.Chat.ID == 0 || m.ViaBot != nil || m.ForwardDate != 0 {
		return
	}
	e.chat, e.user = placeOf(m.Chat, topic), personOf(m.From)
	if m.SenderChat != nil {
		// Somebody speaks in a channel's name, or in the group's own, which only its administrators can.
		e.user.asGroup = m.SenderChat.ID == m.Chat.ID
	}
	if m.From.IsBot && !e.user.asGroup || m.Chat.IsChannel() {
		return
	}
	if found := commandShape.FindStringSubmatch(m.Text); found != nil {
		e.kind, e.command, e.to = said, strings.ToLower(found[1]), found[2]
		e.args = strings.TrimSpace(found[3][:min(len(found[3]), maxArgs)])
		return
	}
	if m.Text != "" {
		e.kind, e.words = said, true
	}
}

func (e *event) pressed(q *tgbotapi.CallbackQuery, topic int64) {
	if q.ID == "" || q.From == nil || q.From.IsBot || q.Message == nil || q.Message.Chat == nil || q.Message.Chat.ID == 0 {
		return
	}
	e.kind, e.query, e.data, e.message = pressed, q.ID, q.Data, q.Message.MessageID
	e.chat, e.user = placeOf(q.Message.Chat, topic), personOf(q.From)
	if q.Message.ReplyMarkup != nil {
		e.keyboard = q.Message.ReplyMarkup.InlineKeyboard
	}
}

func (e *event) expelled(m *tgbotapi.ChatMemberUpdated) {
	if status := m.NewChatMember.Status; m.Chat.ID == 0 || status != "kicked" && status != "left" {
		return
	}
	e.kind, e.chat, e.user = expelled, placeOf(&m.Chat, 0), personOf(&m.From)
}

func placeOf(c *tgbotapi.Chat, topic int64) place {
	return place{id: c.ID, private: c.IsPrivate(), username: c.UserName, topic: topic}
}

func personOf(u *tgbotapi.User) person {
	p := person{id: u.ID, language: notifier.English}
	if strings.HasPrefix(strings.ToLower(u.LanguageCode), "zh") {
		p.language = notifier.Chinese
	}
	p.name = nameOf(u)
	return p
}

// longestName is how long the name may be by which somebody acts, in runes.
const longestName = 40

// nameOf is how a user is called in notices: without what would move the words
// around it, and never empty.
func nameOf(u *tgbotapi.User) string {
	tidy := func(name string) string {
		name = strings.Map(func(r rune) rune {
			if r == utf8.RuneError || !unicode.IsPrint(r) || unicode.In(r, unicode.Bidi_Control) {
				return -1
			}
			return r
		}, name)
		if runes := []rune(strings.TrimSpace(name)); len(runes) > longestName {
			return strings.TrimSpace(string(runes[:longestName]))
		}
		return strings.TrimSpace(name)
	}
	if name := tidy(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	if name := tidy(u.UserName); name != "" {
		return "@" + name
	}
	return "Telegram " + strconv.FormatInt(u.ID%10_000, 10)
}
