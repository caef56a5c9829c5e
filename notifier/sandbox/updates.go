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

// update is what a reader said to the bot, as getUpdates tells it.
type update struct {
	ID      int64  `json:"update_id"`
	Message spoken `json:"message"`
}

type spoken struct {
	ID       int64    `json:"message_id"`
	Date     int64    `json:"date"`
	From     person   `json:"from"`
	Chat     chat     `json:"chat"`
	Text     string   `json:"text"`
	Entities []entity `json:"entities,omitempty"`
}

type person struct {
	ID       int64  `json:"id"`
	IsBot    bool   `json:"is_bot"`
	Name     string `json:"first_name"`
	Language string `json:"language_code,omitempty"`
}

type chat struct {
	ID   int64  `json:"id"`
	Type string `json:"type"`
	Name string `json:"first_name"`
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
	changed chan struct{} // closed and replaced at every update
}

func newUpdates() *updates { return &updates{changed: make(chan struct{})} }

// Say makes a reader say something to the bot in their private chat, as
// "/start <token>" is said by following a link to the bot. Language is the
// reader's, "zh" or "en".
func (s *Sandbox) Say(reader int64, language, text string) {
	s.updates.add(s.cfg.Now(), reader, language, text)
}

func (u *updates) add(now time.Time, reader int64, language, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last++
	said := spoken{
		ID: u.last, Date: now.Unix(), Text: text,
		From: person{ID: reader, Name: "Reader", Language: language},
		Chat: chat{ID: reader, Type: "private", Name: "Reader"},
	}
	if command, _, _ := strings.Cut(text, " "); strings.HasPrefix(command, "/") {
		said.Entities = []entity{{Type: "bot_command", Length: len(utf16.Encode([]rune(command)))}}
	}
	u.pending = append(u.pending, update{ID: u.last, Message: said})
	if excess := len(u.pending) - maxUpdates; excess > 0 {
		u.pending = slices.Delete(u.pending, 0, excess)
	}
	close(u.changed)
	u.changed = make(chan struct{})
}

// from forgets the updates before offset, which a poller confirms by asking
// from there, and returns the others.
func (u *updates) from(offset int64) ([]update, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending = slices.DeleteFunc(u.pending, func(p update) bool { return p.ID < offset })
	return slices.Clone(u.pending), u.changed
}
