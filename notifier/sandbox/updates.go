package sandbox

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// maxUpdates is how many updates wait for a poller that doesn't come.
const maxUpdates = 100

// Reader is somebody who speaks to the bot.
type Reader struct {
	ID       int64
	Name     string // default "Reader"
	Language string // "zh" or "en"
}

// update is what a reader did, as getUpdates tells it.
type update struct {
	ID      int64       `json:"update_id"`
	Message *spoken     `json:"message,omitempty"`
	Press   *query      `json:"callback_query,omitempty"`
	Member  *membership `json:"my_chat_member,omitempty"`
}

// spoken is a message, of a reader's or of the bot's.
type spoken struct {
	ID       int64    `json:"message_id"`
	Date     int64    `json:"date"`
	From     person   `json:"from"`
	Chat     chat     `json:"chat"`
	Thread   int64    `json:"message_thread_id,omitempty"`
	Topic    bool     `json:"is_topic_message,omitempty"`
	Text     string   `json:"text"`
	Entities []entity `json:"entities,omitempty"`
	Markup   *markup  `json:"reply_markup,omitempty"`
}

// query is a press of a button.
type query struct {
	ID       string `json:"id"`
	From     person `json:"from"`
	Message  spoken `json:"message"`
	Instance string `json:"chat_instance"`
	Data     string `json:"data"`
}

// membership tells that the bot was let in or thrown out.
type membership struct {
	Chat chat   `json:"chat"`
	From person `json:"from"`
	Date int64  `json:"date"`
	Old  member `json:"old_chat_member"`
	New  member `json:"new_chat_member"`
}

type member struct {
	User   person `json:"user"`
	Status string `json:"status"`
}

type person struct {
	ID       int64  `json:"id"`
	IsBot    bool   `json:"is_bot"`
	Name     string `json:"first_name"`
	Username string `json:"username,omitempty"`
	Language string `json:"language_code,omitempty"`
}

type chat struct {
	ID       int64  `json:"id"`
	Type     string `json:"type"`
	Name     string `json:"first_name,omitempty"`
	Title    string `json:"title,omitempty"`
	Username string `json:"username,omitempty"`
}

type entity struct {
	Type   string `json:"type"`
	Offset int    `json:"offset"`
	Length int    `json:"length"`
}

// updates are those that no poller has confirmed.
type updates struct {
	mu      sync.Mutex
	last    int64
	pending []update
	changed chan struct{} // closed and replaced at every update, and when another poller comes
	poller  int           // the latest, who alone may wait
}

func newUpdates() *updates { return &updates{changed: make(chan struct{})} }

func (r Reader) person() person {
	if r.Name == "" {
		r.Name = "Reader"
	}
	return person{ID: r.ID, Name: r.Name, Language: r.Language}
}

// Say makes a reader say something to the bot in their private chat, as
// "/start <token>" is said by following a link to the bot. Language is the
// reader's, "zh" or "en".
func (s *Sandbox) Say(reader int64, language, text string) {
	s.SayIn(Reader{ID: reader, Language: language}, chatOf(reader), text)
}

// SayIn makes a reader say something in a chat, which is an address as
// Message.To: a number, with a topic or without.
func (s *Sandbox) SayIn(reader Reader, address, text string) {
	said := s.spoken(reader.person(), address, text)
	if command, _, _ := strings.Cut(text, " "); strings.HasPrefix(command, "/") {
		said.Entities = []entity{{Type: "bot_command", Length: len(utf16.Encode([]rune(command)))}}
	}
	s.updates.add(func(id int64) update {
		said.ID = id
		return update{Message: &said}
	})
}

// spoken is a message in a chat.
func (s *Sandbox) spoken(from person, address, text string) spoken {
	number, topic := placeOf(address)
	m := spoken{Date: s.cfg.Now().Unix(), From: from, Text: text, Chat: describe(number, from.Name)}
	if topic != 0 {
		m.Thread, m.Topic = topic, true
	}
	return m
}

// Block makes a reader shut the bot out of their private chat, of which it hears.
func (s *Sandbox) Block(reader Reader) {
	s.dialogue.block(reader.ID)
	who := reader.person()
	self := person{ID: botID, IsBot: true, Name: "shopwatch", Username: botName}
	s.updates.add(func(int64) update {
		return update{Member: &membership{
			Chat: describe(chatOf(reader.ID), who.Name), From: who, Date: s.cfg.Now().Unix(),
			Old: member{self, "member"}, New: member{self, "kicked"},
		}}
	})
}

// add numbers an update and keeps it until a poller confirms it.
func (u *updates) add(made func(id int64) update) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last++
	next := made(u.last)
	next.ID = u.last
	u.pending = append(u.pending, next)
	if excess := len(u.pending) - maxUpdates; excess > 0 {
		u.pending = slices.Delete(u.pending, 0, excess)
	}
	u.wake()
}

func (u *updates) wake() {
	close(u.changed)
	u.changed = make(chan struct{})
}

// arrive is a poller that comes; it sends away the one that waits.
func (u *updates) arrive() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.poller++
	u.wake()
	return u.poller
}

// from forgets the updates before offset, which a poller confirms by asking
// from there, and returns the others; ok is false where another poller has come.
func (u *updates) from(poller int, offset int64) (pending []update, changed <-chan struct{}, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if poller != u.poller {
		return nil, nil, false
	}
	u.forget(offset)
	return slices.Clone(u.pending), u.changed, true
}

func (u *updates) forget(offset int64) {
	u.pending = slices.DeleteFunc(u.pending, func(p update) bool { return p.ID < offset })
}

// first is the oldest update, for a webhook.
func (u *updates) first() (update, bool, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.pending) == 0 {
		return update{}, false, u.changed
	}
	return u.pending[0], true, u.changed
}

func (u *updates) confirm(id int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(id + 1)
}

func (u *updates) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.pending)
}

// poll answers what readers did, and waits for it up to the timeout. It reports
// false where nobody is to be answered any more.
func (s *Sandbox) poll(done <-chan struct{}, offset int64, limit int, timeout time.Duration) (answer, bool) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	poller := s.updates.arrive()
	for {
		if s.hook.address() != "" {
			return refuse(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"), true
		}
		pending, changed, ok := s.updates.from(poller, offset)
		if !ok {
			return refuse(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"), true
		}
		if len(pending) > 0 {
			return answer{OK: true, Result: pending[:min(len(pending), limit)]}, true
		}
		select {
		case <-changed:
		case <-timer.C:
			return answer{OK: true, Result: []update{}}, true
		case <-done: // the poller has gone, or the sandbox is closing
			return answer{}, false
		}
	}
}
