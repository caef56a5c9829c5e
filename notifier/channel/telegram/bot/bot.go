// Package bot answers what people say to the Telegram bot: readers sign up,
// choose and leave; people on call take incidents in hand and silence them.
//
// Whatever comes in was written by anybody. So a deed to an incident is done only
// from a chat that the configuration names, and only by the operators it names,
// if it names any; in a group a subscription is an administrator's alone; and an
// answer tells a stranger nothing but what the public page says. The room hears
// updates by long polling or by webhook, one process at a time, and keeps nothing
// but how far it has read. What it does, others do for it: the interfaces below.
package bot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram"
	"shopwatch/rules"
)

// channel is the name under which chats are subscribed, and the way that acts take.
const channel = "telegram"

// Subscriptions keeps who is told, as notifier/subscription does. Its mistakes
// are [notifier.Error]s.
type Subscriptions interface {
	// Join subscribes a chat at once, with these wants.
	Join(ctx context.Context, channel, address string, language notifier.Language, wants notifier.Wants) (notifier.Subscriber, error)
	// Of finds a subscriber, whatever their state; nil: there is none.
	Of(ctx context.Context, channel, address string) (*notifier.Subscriber, error)
	Change(ctx context.Context, id int64, way string, change func(*notifier.Subscriber)) (notifier.Subscriber, error)
	Leave(ctx context.Context, id int64, way string) error
}

// Incidents are what people on call have in hand. Its mistakes are [notifier.Error]s.
type Incidents interface {
	// Incidents gives those that run and ask to be taken in hand, or are, the oldest first.
	Incidents(context.Context) ([]notifier.Incident, error)
	Acknowledge(ctx context.Context, id, by string) (notifier.Incident, error)
	Withdraw(ctx context.Context, id, by string) (notifier.Incident, error)
}

// Silencer keeps an incident's alerts silent for a while.
type Silencer interface {
	Silence(ctx context.Context, incidentID, by, way string, d time.Duration) (until time.Time, err error)
}

// Statuses tells what the public page tells.
type Statuses interface {
	Status(context.Context) (Status, error)
}

// Status is how things stand, in words that anybody may read.
type Status struct {
	Fresh     bool                // false: nobody has measured for a while
	Services  []notifier.Service  // public ones, in the page's order
	Incidents []notifier.Incident // public ones that run, the oldest first
}

// Marks keeps single values across restarts.
type Marks interface {
	Mark(ctx context.Context, name string) (string, error) // "" where there is none
	SetMark(ctx context.Context, name, value string) error
}

// Leader makes sure that one process at a time does a thing. Held tells whether
// it is still ours.
type Leader interface {
	Lead(ctx context.Context, name string) (held func() bool, release func(), err error)
}

// OnCall is a chat of people on call.
type OnCall struct {
	Address  string // as the configuration has it
	Language notifier.Language
}

// Config is what a Bot is built of.
type Config struct {
	API       *telegram.API
	Incidents Incidents
	Statuses  Statuses
	Marks     Marks
	Leader    Leader
	// Subscriptions takes sign-ups; nil: there are none by Telegram.
	Subscriptions Subscriptions
	// Silencer is nil where there is no Alertmanager to silence.
	Silencer  Silencer
	OnCall    []OnCall
	Operators []int64 // users who may act on incidents; empty: whoever is in the chats of OnCall
	Title     rules.Text
	// PageURL is where the public page is, without a slash at its end; "": unknown.
	PageURL string
	// Webhook makes Telegram post updates to PageURL instead of being asked for them.
	Webhook bool
	// Secret is 32 random bytes that all replicas share and no other use does: the
	// webhook's path and its header are made of it.
	Secret []byte
	Zone   *time.Location
	Now    func() time.Time
	// Wait sleeps, and returns the context's error if that ends first. Default: it does.
	Wait   func(context.Context, time.Duration) error
	Logger *slog.Logger
}

// Bot is the running dialogue. It is safe for concurrent use.
type Bot struct {
	cfg       Config
	onCall    map[string]notifier.Language
	operators map[int64]bool
	limits    limits
	path      string
	header    string                 // the webhook's secret
	username  atomic.Pointer[string] // nil: not known yet

	mu sync.Mutex // one update at a time, in their order
}

// New gives a Bot; it does not connect.
func New(cfg Config) (*Bot, error) {
	switch {
	case cfg.API == nil || cfg.Incidents == nil || cfg.Statuses == nil || cfg.Marks == nil || cfg.Leader == nil:
		return nil, errors.New("telegram bot: api, incidents, statuses, marks and leader are required")
	case cfg.Zone == nil || cfg.Now == nil || cfg.Logger == nil:
		return nil, errors.New("telegram bot: zone, clock and logger are required")
	case len(cfg.Secret) < 32:
		return nil, errors.New("telegram bot: the secret is shorter than 32 bytes")
	case cfg.Webhook && !strings.HasPrefix(cfg.PageURL, "http"):
		return nil, errors.New("telegram bot: a webhook needs the public page's address")
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	b := &Bot{
		cfg: cfg, onCall: map[string]notifier.Language{}, operators: map[int64]bool{},
		limits: newLimits(cfg.Now),
		path:   "/telegram/" + derived(cfg.Secret, "path"), header: derived(cfg.Secret, "header"),
	}
	for _, chat := range cfg.OnCall {
		b.onCall[strings.ToLower(chat.Address)] = chat.Language
	}
	for _, user := range cfg.Operators {
		b.operators[user] = true
	}
	return b, nil
}

// derived is 128 bits that nobody guesses.
func derived(secret []byte, purpose string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Link leads into the bot's chat, where one press subscribes to the services
// with these keys; none: to all. It is "" until Telegram told us the bot's name.
func (b *Bot) Link(keys []string) string {
	name := b.username.Load()
	if name == nil || b.cfg.Subscriptions == nil {
		return ""
	}
	return "https://t.me/" + *name + "?start=" + payload(keys)
}

// Follow knows what a former bot of this process knew of itself, if it is the same
// one by another configuration. Call it before Run.
func (b *Bot) Follow(former *Bot) {
	id, err := b.cfg.API.ID()
	was, errWas := former.cfg.API.ID()
	if err == nil && errWas == nil && id == was {
		b.username.Store(former.username.Load())
	}
}

// Run answers until ctx ends; what it has read by then it answers, if that takes no
// longer than 5 s. Of several processes one does; another takes over when it ends.
func (b *Bot) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { b.learnName(ctx) })
	b.lead(ctx)
	running.Wait()
}

func (b *Bot) lead(ctx context.Context) {
	troubled := false
	for ctx.Err() == nil {
		held, release, err := b.cfg.Leader.Lead(ctx, "telegram updates")
		if err != nil {
			if !troubled && ctx.Err() == nil {
				b.cfg.Logger.Warn("telegram updates wait: who reads them can't be agreed", "err", err)
			}
			troubled = true
			_ = b.cfg.Wait(ctx, leadAgain)
			continue
		}
		troubled = false
		if held() {
			b.serve(ctx, held)
		}
		release()
		_ = b.cfg.Wait(ctx, leadAgain)
	}
}

// Times between tries.
const (
	leadAgain  = 5 * time.Second
	firstRetry = time.Second
	lastRetry  = time.Minute
	lookAgain  = 10 * time.Minute // at a webhook that stands
)

// serve hears updates as long as this process leads.
func (b *Bot) serve(ctx context.Context, held func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	var introducing sync.WaitGroup
	introducing.Go(func() { b.retrying(ctx, "telegram commands not set", b.setCommands) })
	defer introducing.Wait()
	defer cancel()
	if b.cfg.Webhook {
		b.keepWebhook(ctx, held)
		return
	}
	b.poll(ctx, held)
}

// learnName asks who the bot is, until Telegram says so.
func (b *Bot) learnName(ctx context.Context) {
	b.retrying(ctx, "telegram bot's name not known", func(ctx context.Context) error {
		self, err := b.cfg.API.Self(ctx)
		if err == nil {
			b.username.Store(&self.Username)
		}
		return err
	})
}

// retrying does a thing until it succeeds once, and logs its first trouble.
func (b *Bot) retrying(ctx context.Context, trouble string, do func(context.Context) error) {
	pause := firstRetry
	for tries := 0; ; tries++ {
		err := do(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if tries == 0 {
			b.cfg.Logger.Warn(trouble, "err", err)
		}
		if b.cfg.Wait(ctx, pauseOf(err, pause)) != nil {
			return
		}
		pause = min(2*pause, lastRetry)
	}
}

// pauseOf is how long to wait after an error: what Telegram says, if it does.
func pauseOf(err error, pause time.Duration) time.Duration {
	if later, ok := errors.AsType[*notifier.RetryAfterError](err); ok {
		return max(later.After, pause)
	}
	return pause
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// What one chat may say, and what all strangers together may make us answer:
// the bot's 30 messages a second are for notices. What is more is not answered.
const (
	perChat      = rate.Limit(0.5)
	chatBurst    = 10
	onCallBurst  = 60
	perStrangers = rate.Limit(10)
	maxChats     = 10_000
)

// limits bound what strangers make us do.
type limits struct {
	now       func() time.Time
	strangers *rate.Limiter

	mu    sync.Mutex
	chats map[int64]*rate.Limiter
}

func newLimits(now func() time.Time) limits {
	return limits{now: now, strangers: rate.NewLimiter(perStrangers, 3*int(perStrangers)), chats: map[int64]*rate.Limiter{}}
}

// allow reports whether the chat may say one more thing.
func (l *limits) allow(chat int64, onCall bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, known := l.chats[chat]
	if !known {
		if len(l.chats) >= maxChats { // of a flood; those who come again begin anew
			clear(l.chats)
		}
		one = rate.NewLimiter(perChat, chatBurst)
		if onCall {
			one = rate.NewLimiter(1, onCallBurst)
		}
		l.chats[chat] = one
	}
	return one.AllowN(l.now(), 1)
}
