package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram"
	"shopwatch/notifier/channel/telegram/bot"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

const ops = "-100500"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is a bot, the Telegram that it speaks to, and all that it asks for.
type world struct {
	t       *testing.T
	sandbox *sandbox.Sandbox
	bot     *bot.Bot
	log     *strings.Builder
	sending func() // nil: nobody wants to know; set before the bot runs

	mu          sync.Mutex
	now         time.Time
	last        int64
	subscribers map[string]*notifier.Subscriber
	incidents   []notifier.Incident
	silences    []string
	acts        []string // of people on call
	marks       map[string]string
	status      bot.Status
	broken      error // of everything that it asks for
}

func newWorld(t *testing.T, change func(*bot.Config)) *world {
	t.Helper()
	w := &world{
		t: t, now: noon, log: new(strings.Builder), subscribers: map[string]*notifier.Subscriber{}, marks: map[string]string{},
		status: bot.Status{Fresh: true, Services: []notifier.Service{
			{Shop: "main", ID: "alipay", Name: rules.Text{ZH: "支付宝", EN: "Alipay"}, Public: true, Status: rules.Operational},
			{Shop: "main", ID: "shop", Name: rules.Text{ZH: "网站", EN: "Website"}, Public: true, Status: rules.Operational},
		}},
		incidents: []notifier.Incident{{ID: "k3abc", Title: rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"}, Since: noon.Add(-10 * time.Minute), Public: true}},
	}
	var err error
	if w.sandbox, err = sandbox.New(sandbox.Config{Now: w.clock, Keep: 10_000}); err != nil {
		t.Fatal(err)
	}
	go w.sandbox.Run(context.Background())
	t.Cleanup(func() { w.sandbox.Close() })
	api, err := telegram.NewAPI(telegram.Config{
		Token: func() (string, error) { return w.sandbox.Credentials().TelegramToken, nil }, APIURL: w.sandbox.TelegramURL(),
		HTTPClient: &http.Client{Transport: line{w}},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := bot.Config{
		API: api, Incidents: w, Statuses: w, Marks: w, Leader: w, Subscriptions: subscriptions{w}, Silencer: w,
		OnCall: []bot.OnCall{{Address: ops, Language: notifier.English}, {Address: "-100501:7", Language: notifier.Chinese}},
		Title:  rules.Text{ZH: "我的小店", EN: "My shop"}, PageURL: "https://status.example.com", Secret: make([]byte, 32),
		Zone: time.FixedZone("Asia/Shanghai", 8*3600), Now: w.clock, Logger: slog.New(slog.NewTextHandler(locked{w}, nil)),
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	if change != nil {
		change(&cfg)
	}
	if w.bot, err = bot.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// line carries the bot's requests, and says when a message is about to be sent.
type line struct{ w *world }

// RoundTrip implements http.RoundTripper.
func (l line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.w.sending != nil && strings.HasSuffix(r.URL.Path, "/sendMessage") {
		l.w.sending()
	}
	return http.DefaultTransport.RoundTrip(r)
}

type locked struct{ w *world }

// Write keeps what was logged.
func (l locked) Write(p []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(p)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Incidents, Acknowledge and Withdraw are what is in hand.
func (w *world) Incidents(context.Context) ([]notifier.Incident, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.incidents), w.broken
}

func (w *world) find(id string) (*notifier.Incident, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	for i := range w.incidents {
		if w.incidents[i].ID == id {
			return &w.incidents[i], nil
		}
	}
	return nil, &notifier.Error{Code: notifier.NotFound, Message: "no such incident"}
}

func (w *world) Acknowledge(_ context.Context, id, by string) (notifier.Incident, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, err := w.find(id)
	if err != nil {
		return notifier.Incident{}, err
	}
	w.acts = append(w.acts, "ack "+by)
	if !i.Acknowledged.Given() {
		i.Acknowledged = notifier.Acknowledgement{By: by, At: w.now}
	}
	return *i, nil
}

func (w *world) Withdraw(_ context.Context, id, by string) (notifier.Incident, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, err := w.find(id)
	if err != nil {
		return notifier.Incident{}, err
	}
	if !i.Acknowledged.Given() {
		return *i, &notifier.Error{Code: notifier.Conflict, Message: "nobody has it"}
	}
	w.acts = append(w.acts, "unack "+by)
	i.Acknowledged = notifier.Acknowledgement{}
	return *i, nil
}

func (w *world) Silence(_ context.Context, id, by, way string, d time.Duration) (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.find(id); err != nil {
		return time.Time{}, err
	}
	w.acts = append(w.acts, "mute "+by)
	w.silences = append(w.silences, fmt.Sprint(id, " ", by, " ", way, " ", d))
	return w.now.Add(d), nil
}

func (w *world) Status(context.Context) (bot.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status, w.broken
}

func (w *world) Mark(_ context.Context, name string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.marks[name], nil
}

func (w *world) SetMark(_ context.Context, name, value string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks[name] = value
	return nil
}

func (w *world) Lead(ctx context.Context, _ string) (func() bool, func(), error) {
	return func() bool { return true }, func() {}, ctx.Err()
}

// subscriptions is who is told.
type subscriptions struct{ w *world }

func (s subscriptions) Join(_ context.Context, channel, address string, language notifier.Language, wants notifier.Wants) (notifier.Subscriber, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.broken != nil {
		return notifier.Subscriber{}, s.w.broken
	}
	sub := &notifier.Subscriber{Recipient: notifier.Recipient{ID: int64(len(s.w.subscribers) + 1), Channel: channel, Address: address, Language: language, State: notifier.Active, Wants: wants}}
	if old := s.w.subscribers[address]; old != nil {
		sub.ID = old.ID
	}
	s.w.subscribers[address] = sub
	return *sub, nil
}

func (s subscriptions) Of(_ context.Context, _, address string) (*notifier.Subscriber, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.broken != nil || s.w.subscribers[address] == nil {
		return nil, s.w.broken
	}
	found := *s.w.subscribers[address]
	return &found, nil
}

func (s subscriptions) Change(_ context.Context, id int64, _ string, change func(*notifier.Subscriber)) (notifier.Subscriber, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, sub := range s.w.subscribers {
		if sub.ID == id && sub.State == notifier.Active {
			change(sub)
			return *sub, nil
		}
	}
	return notifier.Subscriber{}, errors.Join(s.w.broken, &notifier.Error{Code: notifier.NotFound, Message: "gone"})
}

func (s subscriptions) Leave(_ context.Context, id int64, _ string) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, sub := range s.w.subscribers {
		if sub.ID == id {
			sub.State = notifier.Departed
		}
	}
	return s.w.broken
}

func (w *world) subscriber(address string) notifier.Subscriber {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sub := w.subscribers[address]; sub != nil {
		return *sub
	}
	return notifier.Subscriber{}
}

// take answers an update made of a part, "message": {…}, a moment after the last.
func (w *world) take(part string) {
	w.t.Helper()
	w.mu.Lock()
	w.last++
	w.now = w.now.Add(2 * time.Second)
	update := fmt.Sprintf(`{"update_id":%d,%s}`, w.last, part)
	w.mu.Unlock()
	if err := w.bot.Take(w.t.Context(), update); err != nil {
		w.t.Fatalf("%s: %v", update, err)
	}
}

// user is somebody as an update tells them.
func user(id int64, language string) string {
	return fmt.Sprintf(`{"id":%d,"is_bot":false,"first_name":"Wang","language_code":%q}`, id, language)
}

// chatOf is a chat as an update tells it: "42", "-100500", "-100501:7".
func chatOf(address string) (chat, topic string) {
	number, thread, forum := strings.Cut(address, ":")
	if forum {
		topic = fmt.Sprintf(`"is_topic_message":true,"message_thread_id":%s,`, thread)
	}
	kind := "private"
	if strings.HasPrefix(number, "-") {
		kind = "supergroup"
	}
	return fmt.Sprintf(`{"id":%s,"type":%q}`, number, kind), topic
}

// say makes a user say something, and gives what the bot then said there.
func (w *world) say(from int64, language, address, text string) string {
	w.t.Helper()
	before := len(w.sandbox.Messages())
	chat, topic := chatOf(address)
	quoted, _ := json.Marshal(text)
	w.take(fmt.Sprintf(`"message":{"message_id":1,"date":1,%s"from":%s,"chat":%s,"text":%s}`, topic, user(from, language), chat, quoted))
	return shown(w.sandbox.Messages()[before:])
}

// press makes a user press a button under a message of the bot's, and gives the message as it then is.
func (w *world) press(from int64, m sandbox.Message, data string) sandbox.Message {
	w.t.Helper()
	w.sandbox.PressAny(sandbox.Reader{ID: from, Name: "Wang", Language: "en"}, m, data)
	w.deliver()
	for _, now := range w.sandbox.Messages() {
		if now.ID == m.ID {
			return now
		}
	}
	return m
}

// deliver hands over what waits in the sandbox.
func (w *world) deliver() {
	w.t.Helper()
	for _, part := range waiting(w.t, w.sandbox) {
		w.take(part)
	}
}

// shown is what readers see.
func shown(messages []sandbox.Message) string {
	var out strings.Builder
	for _, m := range messages {
		fmt.Fprintf(&out, "%s\n", m.Text)
		for _, row := range m.Buttons {
			for _, b := range row {
				fmt.Fprintf(&out, "[%s]", b.Text)
			}
			out.WriteString("\n")
		}
		if m.Toast != "" {
			fmt.Fprintf(&out, "(%s)\n", m.Toast)
		}
	}
	return out.String()
}
