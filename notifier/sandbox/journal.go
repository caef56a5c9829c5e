package sandbox

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Message is one message that one reader would have received.
type Message struct {
	ID      int64     `json:"id"` // grows by one
	At      time.Time `json:"at"`
	Channel string    `json:"channel"` // Telegram, Email, SMS, or a robot's
	From    string    `json:"from"`    // the bot, the sender's address, the SMS signature
	To      string    `json:"to"`      // as the channel's address: chat id with its topic, mail address, E.164
	Subject string    `json:"subject,omitempty"`
	Text    string    `json:"text"`           // what the reader reads, without markup
	HTML    string    `json:"html,omitempty"` // as it was sent: Telegram's subset, or the mail's HTML part
	Raw     string    `json:"raw"`            // what came over the wire, without credentials
	// Buttons are rows of what can be pressed under a Telegram message, and Toast
	// is what the bot answered to the last press.
	Buttons [][]Button `json:"buttons,omitempty"`
	Toast   string     `json:"toast,omitempty"`
}

// journal remembers the last messages, in memory and in a file.
type journal struct {
	keep   int
	path   string
	logger *slog.Logger

	mu       sync.Mutex
	messages []Message // oldest first
	last     int64
	changed  chan struct{} // closed and replaced at every message
	file     *os.File      // nil without a path, and once closed
	lines    int           // in the file
}

// openJournal reads what the file holds; without a path there is no file.
func openJournal(path string, keep int, logger *slog.Logger) (*journal, error) {
	j := &journal{keep: keep, path: path, logger: logger, changed: make(chan struct{})}
	if path == "" {
		return j, nil
	}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open messages: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for lines.Scan() {
		var m Message
		// A line that was cut off by a crash is lost, and no reason not to start.
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			logger.Warn("sandbox skips a broken line of its messages", "path", path, "error", err)
			continue
		}
		j.last = max(j.last, m.ID)
		if i := j.index(m.ID); i >= 0 { // changed after it was sent
			j.messages[i] = m
			continue
		}
		j.messages = append(j.messages, m)
	}
	j.trim()
	if err := j.rewrite(); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *journal) trim() {
	if excess := len(j.messages) - j.keep; excess > 0 {
		j.messages = slices.Delete(j.messages, 0, excess)
	}
}

// rewrite replaces the file by one that holds what is remembered.
func (j *journal) rewrite() error {
	var content bytes.Buffer
	lines := json.NewEncoder(&content)
	for _, m := range j.messages {
		if err := lines.Encode(m); err != nil {
			return fmt.Errorf("write message %d: %w", m.ID, err)
		}
	}
	fresh, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*") // mode 0600: it holds addresses
	if err != nil {
		return fmt.Errorf("write messages: %w", err)
	}
	_, err = fresh.Write(content.Bytes())
	if err == nil {
		err = os.Rename(fresh.Name(), j.path)
	}
	if err != nil {
		_ = fresh.Close()
		_ = os.Remove(fresh.Name())
		return fmt.Errorf("write messages: %w", err)
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.lines = fresh, len(j.messages)
	return nil
}

// add gives the message its number and remembers it. A file that cannot be
// written costs the message's life after a restart, not the message.
func (j *journal) add(m Message) Message {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	m.ID = j.last
	j.messages = append(j.messages, m)
	j.trim()
	if err := j.append(m); err != nil {
		j.logger.Error("sandbox cannot write its messages", "path", j.path, "error", err)
	}
	close(j.changed)
	j.changed = make(chan struct{})
	return m
}

// index is where the message stands, below 0 where it is forgotten.
func (j *journal) index(id int64) int {
	i, found := slices.BinarySearchFunc(j.messages, id, func(m Message, id int64) int { return cmp.Compare(m.ID, id) })
	if !found {
		return -1
	}
	return i
}

// get gives a message that is remembered.
func (j *journal) get(id int64) (Message, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := j.index(id); i >= 0 {
		return j.messages[i], true
	}
	return Message{}, false
}

// change changes a message that is remembered; one that is forgotten it leaves so.
func (j *journal) change(id int64, how func(*Message)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := j.index(id)
	if i < 0 {
		return
	}
	m := j.messages[i]
	how(&m)
	j.messages[i] = m
	if err := j.append(m); err != nil {
		j.logger.Error("sandbox cannot write its messages", "path", j.path, "error", err)
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) append(m Message) error {
	if j.file == nil {
		return nil
	}
	if j.lines >= 2*j.keep {
		return j.rewrite()
	}
	j.lines++
	return json.NewEncoder(j.file).Encode(m)
}

func (j *journal) all() []Message {
	messages, _ := j.watch()
	return messages
}

// watch returns the messages, and a channel that is closed when there is a new one.
func (j *journal) watch() ([]Message, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.messages), j.changed
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
