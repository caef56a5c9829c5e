// Package message words every notice: per event, channel and language.
//
// It is read by a tired person at three in the morning, or by a buyer who fears
// he has been cheated: the first line says what is wrong and since when, in
// words of their world. Notices to subscribers are built from title, names,
// since and over alone; what an alert said (hosts, SQL errors) reaches only
// those on call. The room sends nothing and decides nothing.
package message

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"text/template"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

//go:embed templates
var files embed.FS

// The channels that this room has words for.
const (
	Telegram = "telegram"
	Email    = "email"
	SMS      = "sms"
)

// maxParam is how many runes an SMS provider takes in one variable (Aliyun's
// limit for general text).
const maxParam = 35

// maxNews is how many of those that joined a notice names.
const maxNews = 10

// Config is what a Writer is built of.
type Config struct {
	Page rules.Text     // the name of the shop or page, signed under every notice
	Zone *time.Location // in which times are told
	// Links may be nil: nobody can subscribe then.
	Links Links
}

// Writer composes messages.
type Writer struct {
	cfg   Config
	plain *template.Template
	html  *htmltemplate.Template
}

// New parses the templates; it fails only where one of them is broken.
func New(cfg Config) (*Writer, error) {
	if cfg.Zone == nil {
		return nil, fmt.Errorf("message: a time zone is required")
	}
	if cfg.Links == nil {
		cfg.Links = unlinked{}
	}
	plain, err := template.ParseFS(files, "templates/*.txt")
	if err != nil {
		return nil, fmt.Errorf("message templates: %w", err)
	}
	html, err := htmltemplate.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("message templates: %w", err)
	}
	return &Writer{cfg: cfg, plain: plain, html: html}, nil
}

// facts is what the templates see: everything in one language.
type facts struct {
	Event        notifier.Event
	Public       bool
	Mark         string // shape and colour of the state: never colour alone
	Word         string // 故障 / 恢复 …
	Title        string
	Shop         string
	Service      string
	Key          string // <shop>/<service>, as in the configuration file
	Since        string
	Over         string
	Lasted       string   // so far, or in all once it is over
	News         []string // joined only: what joined
	Acknowledged string   // who has it in hand and since when, a sentence; empty: nobody said so
	Description  string
	Advice       string
	RunbookURL   string
	StatusURL    string
	Language     notifier.Language
}

// Compose words a delivery for its recipient's channel and language.
func (w *Writer) Compose(d notifier.Delivery) (notifier.Message, error) {
	f := w.facts(d)
	m := notifier.Message{
		ID: d.Identity(), Thread: d.Notice.Incident, Event: d.Notice.Event, Language: d.Recipient.Language,
		Subject: f.Mark + " " + subject(f),
	}
	language := string(d.Recipient.Language)
	var err error
	switch d.Recipient.Channel {
	case Telegram:
		if m.HTML, err = execute(w.html, "telegram."+language+".html", f); err == nil {
			m.Text, err = execute(w.plain, "text."+language+".txt", f)
		}
	case Email:
		if m.HTML, err = execute(w.html, "email."+language+".html", f); err == nil {
			m.Text, err = execute(w.plain, "text."+language+".txt", f)
		}
	case SMS:
		m.Text, err = execute(w.plain, "sms."+language+".txt", f)
		m.Template = string(templateOf(d.Notice.Event))
		m.Params = params(f)
	default:
		return m, fmt.Errorf("no words for channel %q", d.Recipient.Channel)
	}
	return m, err
}

// executor is what text/template and html/template have in common.
type executor interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

func execute(t executor, name string, f facts) (string, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, f); err != nil {
		return "", fmt.Errorf("message template %s: %w", name, err)
	}
	return strings.TrimSpace(b.String()), nil
}

func (w *Writer) facts(d notifier.Delivery) facts {
	n, language := d.Notice.Facts, string(d.Recipient.Language)
	f := facts{
		Event: d.Notice.Event, Public: d.Notice.Audience == rules.Subscribers,
		Title: n.Title.In(language), Shop: w.cfg.Page.In(language), Service: n.Service.Name.In(language), Key: n.Service.Key(),
		Since: w.clock(n.Since, d.Notice.At, language), Lasted: Duration(d.Notice.At.Sub(n.Since), language),
		StatusURL: n.StatusURL, Language: d.Recipient.Language,
	}
	words := wordsOf[d.Recipient.Language]
	f.Mark, f.Word = words.mark(d.Notice.Event)
	if !n.Over.IsZero() {
		f.Over, f.Lasted = w.clock(n.Over, d.Notice.At, language), Duration(n.Lasted(), language)
	}
	if f.Public {
		f.Advice = words.advice[n.Service.Role]
		return f
	}
	f.Description, f.RunbookURL = n.Description.In(language), n.RunbookURL
	if n.Acknowledged.Given() {
		f.Acknowledged = words.acknowledged(n.Acknowledged.By, w.clock(n.Acknowledged.At, d.Notice.At, language))
	}
	if d.Recipient.Channel == SMS && !n.NewsSince.IsZero() { // it has room for the first of them alone
		f.Since, f.Lasted = w.clock(n.NewsSince, d.Notice.At, language), Duration(d.Notice.At.Sub(n.NewsSince), language)
	}
	for _, joined := range n.News {
		f.News = append(f.News, joined.In(language))
	}
	if left := len(f.News) - maxNews; left > 0 {
		f.News = append(f.News[:maxNews], fmt.Sprintf(words.left, left))
	}
	return f
}

// templateOf is the provider's registered template that tells an event: what
// joined a trouble is told as a trouble of its own, since nobody registered more.
func templateOf(event notifier.Event) notifier.Event {
	if event == notifier.EventJoined {
		return notifier.EventDown
	}
	return event
}

// clock tells a time in the page's zone, with its date only where that isn't today's.
func (w *Writer) clock(at, now time.Time, language string) string {
	at, now = at.In(w.cfg.Zone), now.In(w.cfg.Zone)
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	if language == "zh" {
		return at.Format("1月2日 15:04:05")
	}
	return at.Format("2 Jan 15:04:05")
}

func subject(f facts) string {
	switch {
	case f.Event != notifier.EventRecovered && f.Event != notifier.EventJoined:
		return f.Title
	case f.Language == notifier.Chinese:
		return f.Word + "：" + f.Title
	}
	return f.Word + ": " + f.Title
}

// params are the variables of the provider's registered template, in its order.
// It has none for who has the trouble in hand: a text message doesn't tell.
func params(f facts) []notifier.Param {
	title := f.Title
	if len(f.News) > 0 {
		title = f.News[0]
	}
	list := []notifier.Param{{Name: "title", Value: title}, {Name: "since", Value: f.Since}, {Name: "lasted", Value: f.Lasted}}
	for i := range list {
		list[i].Value = clamp(list[i].Value, maxParam)
	}
	return list
}

// clamp cuts at runes, never inside one.
func clamp(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes-1]) + "…"
}

// Duration tells a length of time in words: "3 分 20 秒", "3 min 20 s". It names
// the two largest units, and seconds only below an hour.
func Duration(d time.Duration, language string) string {
	if d < 0 {
		d = 0
	}
	d = d.Round(time.Second)
	days, hours := int(d.Hours())/24, int(d.Hours())%24
	minutes, seconds := int(d.Minutes())%60, int(d.Seconds())%60
	units := [4]string{" d", " h", " min", " s"}
	if language == "zh" {
		units = [4]string{" 天", " 小时", " 分", " 秒"}
	}
	two := func(a int, au string, b int, bu string) string {
		if b == 0 {
			return fmt.Sprint(a, au)
		}
		return fmt.Sprint(a, au, " ", b, bu)
	}
	switch {
	case days > 0:
		return two(days, units[0], hours, units[1])
	case hours > 0:
		return two(hours, units[1], minutes, units[2])
	case minutes > 0:
		return two(minutes, units[2], seconds, units[3])
	}
	return fmt.Sprint(seconds, units[3])
}
