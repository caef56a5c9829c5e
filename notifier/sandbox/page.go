package sandbox

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed templates static/style.css
var files embed.FS

var (
	pageTemplate    = template.Must(template.ParseFS(files, "templates/page.html"))
	refusedTemplate = template.Must(template.ParseFS(files, "templates/refused.html"))
)

const (
	// perPage is how many messages one page shows.
	perPage = 30
	// pagePolicy lets nothing into the page but its own stylesheet and the
	// mails' frames.
	pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// mailPolicy lets a mail show its own styles and open its links in a new
	// tab, as a mail program does, and nothing else: no script, no picture from
	// afar, no form.
	mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
	rawPolicy  = "sandbox; default-src 'none'"
)

// page is what the template shows.
type page struct {
	words
	Prefix   string
	Channel  string // the chosen channel, or empty
	Chosen   string // the chosen reader, or empty
	Refresh  bool
	Total    string
	Tabs     []tab
	Readers  []string
	Messages []view
	Kept     int
	Try      string // a command that has something to be told
	Say      string // what is ready to be said to the bot

	SwitchLanguage, SwitchRefresh, NewestLink, OlderLink string       // the last two may be empty
	Query                                                template.URL // of this page, for its forms
	Choice                                               []field
}

type tab struct {
	Name, Link string
	Count      int
	Chosen     bool
}

// field is a hidden field that carries a choice along.
type field struct{ Name, Value string }

// view is a message as the page shows it.
type view struct {
	Message
	ChannelName string
	Bubble      template.HTML // Telegram's HTML, made safe by parseEntities
	Clock, Date string
	Machine     string // the time for machines
	Initial     string // of the sender
}

// Handler is the page, its stylesheet and the mails' bodies, below Config.Prefix.
// It shows readers' addresses, so only who may see them may reach it.
func (s *Sandbox) Handler() http.Handler {
	prefix := s.cfg.Prefix
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/{$}", s.servePage)
	mux.HandleFunc("GET "+prefix+"/style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, "static/style.css")
	})
	mux.HandleFunc("GET "+prefix+"/messages/{id}/html", s.serveBody)
	mux.HandleFunc("GET "+prefix+"/messages/{id}/raw", s.serveRaw)
	mux.HandleFunc("POST "+prefix+"/messages/{id}/press", s.servePress)
	mux.HandleFunc("POST "+prefix+"/say", s.serveSay)
	if prefix != "" {
		mux.Handle("GET "+prefix, http.RedirectHandler(prefix+"/", http.StatusMovedPermanently))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	})
}

func (s *Sandbox) servePage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, pageTemplate)
}

// Refused answers a press or a word of somebody who hasn't logged in: it says
// what to do, in their language.
func (s *Sandbox) Refused() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.show(w, r, http.StatusUnauthorized, refusedTemplate)
	})
}

func (s *Sandbox) show(w http.ResponseWriter, r *http.Request, status int, shown *template.Template) {
	var out bytes.Buffer
	if err := shown.Execute(&out, s.page(r)); err != nil {
		s.cfg.Logger.Error("sandbox cannot render its page", "error", err)
		http.Error(w, "something went wrong", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w)
}

// page gathers what a request chose: ?channel= ?to= ?before= ?lang= ?refresh=off ?say=.
func (s *Sandbox) page(r *http.Request) page {
	query := r.URL.Query()
	p := page{
		words: speak(query.Get("lang"), r.Header.Get("Accept-Language")), Prefix: s.cfg.Prefix, Try: s.cfg.Try,
		Say:     cmp.Or(query.Get("say"), "/start"),
		Channel: query.Get("channel"), Chosen: query.Get("to"), Refresh: query.Get("refresh") != "off",
	}
	before, err := strconv.ParseInt(query.Get("before"), 10, 64)
	if err != nil || before <= 0 {
		before = 0
	}
	messages := s.journal.all()
	slices.Reverse(messages)
	p.Kept, p.Total = len(messages), fmt.Sprintf(p.Count, len(messages))

	// A link keeps every choice but the one that it changes.
	keep := url.Values{}
	for _, name := range []string{"channel", "to", "lang", "refresh"} {
		if value := query.Get(name); value != "" {
			keep.Set(name, value)
			if name != "to" {
				p.Choice = append(p.Choice, field{name, value})
			}
		}
	}
	link := func(name, value string) string {
		changed := url.Values{}
		for other := range keep {
			changed.Set(other, keep.Get(other))
		}
		changed.Del(name)
		if value != "" {
			changed.Set(name, value)
		}
		return p.Prefix + "/?" + changed.Encode()
	}
	p.Query = template.URL(keep.Encode()) // of nothing but what we encoded
	p.SwitchLanguage = link("lang", p.OtherTag)
	p.SwitchRefresh = link("refresh", map[bool]string{true: "off"}[p.Refresh])
	if before > 0 {
		p.NewestLink = link("before", "")
	}

	counts := map[string]int{}
	for _, m := range messages {
		if p.Chosen == "" || m.To == p.Chosen {
			counts[m.Channel]++
			counts[""]++
		}
		if !slices.Contains(p.Readers, m.To) && (p.Channel == "" || m.Channel == p.Channel) {
			p.Readers = append(p.Readers, m.To)
		}
		if p.Channel != "" && m.Channel != p.Channel || p.Chosen != "" && m.To != p.Chosen || before > 0 && m.ID >= before {
			continue
		}
		if len(p.Messages) == perPage {
			p.OlderLink = link("before", strconv.FormatInt(p.Messages[perPage-1].ID, 10))
			continue
		}
		p.Messages = append(p.Messages, s.view(m, p.words))
	}
	if p.Chosen != "" && !slices.Contains(p.Readers, p.Chosen) { // who has got nothing yet
		p.Readers = append(p.Readers, p.Chosen)
	}
	slices.Sort(p.Readers)
	for i, channel := range []string{"", Telegram, Email, SMS, Webhook, DingTalk, WeCom, Feishu} {
		if i > 3 && counts[channel] == 0 && p.Channel != channel {
			continue // the demo has none
		}
		name := p.Everything
		if channel != "" {
			name = p.Channels[channel]
		}
		p.Tabs = append(p.Tabs, tab{Name: name, Link: link("channel", channel), Count: counts[channel], Chosen: p.Channel == channel})
	}
	return p
}

func (s *Sandbox) view(m Message, w words) view {
	at := m.At.In(s.cfg.Now().Location())
	v := view{
		Message: m, ChannelName: w.Channels[m.Channel],
		Clock: at.Format("15:04:05"), Date: at.Format(time.DateOnly), Machine: at.Format(time.RFC3339),
		Initial: strings.ToUpper(string([]rune(strings.TrimLeft(m.From+"?", "@\""))[0])),
	}
	if m.Channel != Telegram {
		return v
	}
	v.Bubble = template.HTML(template.HTMLEscapeString(m.Text))
	if parsed, err := parseEntities(m.HTML); err == nil && m.HTML != "" {
		v.Bubble = template.HTML(parsed.safe)
	}
	return v
}

// find returns the message that the request's path names; it answers 404 where
// there is none.
func (s *Sandbox) find(w http.ResponseWriter, r *http.Request) (Message, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	messages := s.journal.all()
	i := slices.IndexFunc(messages, func(m Message) bool { return m.ID == id })
	if err != nil || i < 0 {
		http.Error(w, "no such message", http.StatusNotFound)
		return Message{}, false
	}
	return messages[i], true
}

// serveBody is a mail's HTML, for the frame that shows it.
func (s *Sandbox) serveBody(w http.ResponseWriter, r *http.Request) {
	m, ok := s.find(w, r)
	if !ok {
		return
	}
	if m.Channel != Email || m.HTML == "" {
		http.Error(w, "this message has no HTML", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(inNewTab(m.HTML)))
}

// inNewTab makes a mail's links open a new tab, as in a mail program: within
// the frame the page behind them would refuse to be shown.
func inNewTab(html string) string {
	const base = `<base target="_blank">`
	if head := strings.Index(strings.ToLower(html), "<head>"); head >= 0 {
		head += len("<head>")
		return html[:head] + base + html[head:]
	}
	return base + html
}

// serveRaw is a message as it came over the wire.
func (s *Sandbox) serveRaw(w http.ResponseWriter, r *http.Request) {
	m, ok := s.find(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Security-Policy", rawPolicy)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(m.Raw))
}
