// Package message words every notice: per event, channel and language.
//
// It is read by a tired person at three in the morning, or by a buyer who fears
// he has been cheated: the first line says whose shop it is and what is wrong,
// the rest since when, who is affected, what to do meanwhile and when it should
// be over, in words of their world. What subscribers read is built from names,
// times and what people made known alone; what an alert said (hosts, SQL errors)
// reaches only those on call. The room sends nothing and decides nothing.
//
// facts.go is what may be said, templates/ says it: words.*.txt and sms.*.txt in
// one language for every event, the others give the form of a channel. draft.go
// joins the two, overrides.go and check.go let an owner replace any of them, and
// kept.go words a notice to 100,000 subscribers once.
package message

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The channels that this room has words for.
const (
	Telegram = "telegram"
	Email    = "email"
	SMS      = "sms"
	Webhook  = "webhook"
	DingTalk = "dingtalk"
	WeCom    = "wecom"
	Feishu   = "feishu"
)

// Channels lists every channel that this room has words for.
var Channels = []string{Telegram, Email, SMS, Webhook, DingTalk, WeCom, Feishu}

// robots are the channels whose messages are a title, a text in Markdown and
// buttons that open links.
var robots = []string{DingTalk, WeCom, Feishu}

// Events lists every event that this room has words for.
var Events = []notifier.Event{
	notifier.EventDown, notifier.EventJoined, notifier.EventProlonged, notifier.EventUpdated, notifier.EventEased,
	notifier.EventReopened, notifier.EventRecovered,
	notifier.EventScheduled, notifier.EventReminder, notifier.EventBegan, notifier.EventProgress, notifier.EventCompleted, notifier.EventCancelled,
	notifier.EventConfirm, notifier.EventWelcome, notifier.EventCode, notifier.EventDigest,
}

var languages = []notifier.Language{notifier.Chinese, notifier.English}

// Config is what a Writer is built of.
type Config struct {
	Page rules.Text     // the name of the shop or page, said first in every notice
	Zone *time.Location // in which times are told
	// Links may be nil: nobody can subscribe then.
	Links Links
	// Templates is a folder of files named as ours that replace them; empty: none.
	Templates string
	Logger    *slog.Logger
}

// Writer composes messages. It may be used by many at once.
type Writer struct {
	cfg       Config
	templates templates
	ours      *templates // where templates are not; nil: they are
	kept      *lru.Cache[keptKey, kept]
}

// New parses the templates. Its error joins every mistake of an owner's
// templates, as Check tells them.
func New(cfg Config) (*Writer, error) {
	if cfg.Zone == nil || cfg.Logger == nil {
		return nil, fmt.Errorf("message: a time zone and a logger are required")
	}
	if cfg.Links == nil {
		cfg.Links = unlinked{}
	}
	cache, err := lru.New[keptKey, kept](maxKept)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	ours, problems := parse(nil)
	if len(problems) > 0 {
		return nil, fmt.Errorf("message: %w", errors.Join(problems...))
	}
	w := &Writer{cfg: cfg, templates: ours, kept: cache}
	if cfg.Templates == "" {
		return w, nil
	}
	w.ours = &ours
	w.templates, err = checked(cfg.Templates)
	return w, err
}

// Compose words a delivery for its recipient's channel and language. What it
// returns shares its parts with other messages: they are to be read only.
func (w *Writer) Compose(d notifier.Delivery) (notifier.Message, error) {
	switch e := d.Notice.Event; {
	case e == notifier.EventWorsened, // whom it goes to has not heard of the trouble
		e == notifier.EventReopened && d.First: // nor has who joined since it was over: "again" would tell them nothing
		d.Notice.Event = notifier.EventDown
	}
	links := w.linksOf(d)
	if !keepable(d) {
		return w.word(d, links)
	}
	key := keyOf(d, links)
	worded, ok := w.kept.Get(key)
	if !ok {
		m, err := w.word(d, links.slots())
		if err != nil {
			return m, err
		}
		worded = keep(m)
		w.kept.Add(key, worded)
	}
	return worded.to(d, links), nil
}

// word words a delivery from scratch. Where an owner's template fails in spite of
// having been checked, ours tell the notice: it must not be lost.
func (w *Writer) word(d notifier.Delivery, links recipientLinks) (notifier.Message, error) {
	m, err := w.wordBy(w.templates, d, links)
	if err != nil && w.ours != nil {
		w.cfg.Logger.Error("a template of yours failed, ours told the notice", "dir", w.cfg.Templates, "notice", d.Notice.ID, "err", err)
		return w.wordBy(*w.ours, d, links)
	}
	return m, err
}

func (w *Writer) wordBy(by templates, d notifier.Delivery, links recipientLinks) (notifier.Message, error) {
	f := w.facts(d, links)
	m := notifier.Message{ID: d.Identity(), Thread: d.Notice.Incident, Event: d.Notice.Event, Language: f.Language}
	if !slices.Contains(Channels, f.Channel) {
		return m, fmt.Errorf("no words for channel %q", f.Channel)
	}
	set, ok := by.languages[f.Language]
	if !ok {
		return m, fmt.Errorf("no words in language %q", f.Language)
	}
	said, err := set.draft(f)
	if err != nil {
		return m, err
	}
	v := w.view(f, said)
	m.Subject = v.Mark + " " + v.Subject
	switch {
	case f.Channel == SMS && !slices.Contains(notifier.Texted, f.Event):
		return m, fmt.Errorf("event %q is not told by text message: %w", f.Event, notifier.ErrUnsendable)
	case f.Channel == SMS:
		m.Text, err = set.text(f)
		m.Template, m.Params = textTemplate(f)
	case slices.Contains(robots, f.Channel):
		m.Text, err = run(by.robot, v.markdown())
		m.Buttons = linkButtons(v.Links)
	default:
		m.Text, err = run(by.text, v)
	}
	if err != nil {
		return m, err
	}
	switch f.Channel {
	case Telegram:
		m.HTML, err = run(by.telegram, v)
		m.Buttons = deedButtons(d, f)
	case Email:
		m.HTML, err = run(by.email, v)
		m.Leave = f.Leave
	}
	return m, err
}
