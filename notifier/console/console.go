// Package console is the operator's side: what runs, who was told, what waits
// in the outbox, and where everything is, on the private address.
//
// Its pages are for people who may know hosts and errors, so they are shown to
// the operator alone (guard.Operator). Every form is a POST that the private
// address checks for its origin. The room decides nothing by itself: it shows
// what its Source tells, and hands on what the operator does. api.go is the
// same for programs, client.go and print.go for the command line.
package console

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/yuin/goldmark"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/rules"
)

//go:embed templates style.css
var files embed.FS

// Paths that the room answers on the private address.
const (
	Root     = "/console/"
	Runbooks = "/runbooks/" // then the alert's name; they hold no secret and need no login
	API      = "/api/incidents"
	login    = "/console/login"
)

// Source tells what the console shows, and does what the operator wants.
type Source interface {
	Overview(context.Context) (Overview, error)
	// Incidents gives those that run, the oldest first.
	Incidents(context.Context) ([]notifier.Incident, error)
	// Acknowledge notes who has an incident in hand; by may be empty. Its
	// mistakes, as those of Withdraw, are [notifier.Error]s: of an unknown id
	// NotFound, of a name that won't do Invalid, of an incident that is over Conflict.
	Acknowledge(ctx context.Context, id, by string) (notifier.Incident, error)
	// Withdraw takes an acknowledgement back.
	Withdraw(ctx context.Context, id, by string) (notifier.Incident, error)
}

// Overview is all that the first page shows.
type Overview struct {
	Incidents []Incident // open ones first, then the newest
	Services  []notifier.Service
	Watchdog  time.Time // evaluation time of the last one, zero if none came
	Queued    int
	Dead      int
	Oldest    time.Time // of the queued, zero if none
	People    []People
}

// Incident is an incident with what became of its notices.
type Incident struct {
	notifier.Incident
	Told []Told
}

// Told counts deliveries to one audience.
type Told struct {
	Audience           rules.Audience
	Sent, Queued, Dead int
}

// People counts recipients.
type People struct {
	Audience, Channel string
	Active, Inactive  int
}

// Link leads elsewhere: to the page, the sandbox, Prometheus.
type Link struct {
	Name rules.Text
	URL  string
}

// Config is what a Console is built of; Links may be empty.
type Config struct {
	Operator *guard.Operator
	Source   Source
	Links    []Link
	Zone     *time.Location
	Fresh    time.Duration // age at which the Watchdog is late
	Now      func() time.Time
	Logger   *slog.Logger
}

type console struct {
	cfg   Config
	pages *template.Template
	style []byte
}

// New gives the handler of everything under Root and Runbooks.
func New(cfg Config) (http.Handler, error) {
	if cfg.Operator == nil || cfg.Source == nil || cfg.Zone == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("console: operator, source, zone, clock and logger are required")
	}
	pages, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("console templates: %w", err)
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("console style: %w", err)
	}
	c := &console{cfg: cfg, pages: pages, style: style}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/style.css", c.stylesheet)
	mux.HandleFunc("GET /runbooks/{alert}", c.runbook)
	mux.HandleFunc("GET /console/login", c.loginForm)
	mux.HandleFunc("POST /console/login", c.logIn)
	mux.Handle("GET /console/{$}", cfg.Operator.Only(http.HandlerFunc(c.overview), login))
	mux.Handle("POST /console/incidents/{id}/{deed}", cfg.Operator.Only(http.HandlerFunc(c.form), login))
	mux.Handle("GET /api/incidents", cfg.Operator.Only(http.HandlerFunc(c.list), ""))
	mux.Handle("POST /api/incidents/{id}/{deed}", cfg.Operator.Only(http.HandlerFunc(c.act), ""))
	return mux, nil
}

func (c *console) stylesheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(c.style)
}

// page is the base of every page.
type page struct {
	Language string
	Chinese  bool
	Links    []Link
	Refresh  int // seconds, 0: not by itself
}

func (c *console) base(r *http.Request) page {
	p := page{Language: "en", Links: c.cfg.Links}
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "zh") {
		p.Language, p.Chinese = "zh", true
	}
	return p
}

// T gives the sentence of the page's language.
func (p page) T(zh, en string) string {
	if p.Chinese {
		return zh
	}
	return en
}

// In gives a text in the page's language.
func (p page) In(t rules.Text) string { return t.In(p.Language) }

type runbookPage struct {
	page
	Alert string
	Text  template.HTML
}

// runbook shows what an alert means and what to do first.
func (c *console) runbook(w http.ResponseWriter, r *http.Request) {
	p := runbookPage{page: c.base(r), Alert: r.PathValue("alert")}
	text, ok := rules.Runbook(p.Alert, p.Language)
	if !ok {
		http.Error(w, "there is no runbook of that name", http.StatusNotFound)
		return
	}
	var shown bytes.Buffer
	if err := goldmark.Convert(text, &shown); err != nil { // leaves out HTML, of which ours have none
		c.cfg.Logger.Error("runbook", "alert", p.Alert, "err", err)
		http.Error(w, "something went wrong; the log says what", http.StatusInternalServerError)
		return
	}
	p.Text = template.HTML(shown.String())
	c.show(w, http.StatusOK, "runbook.html", p)
}

type loginPage struct {
	page
	Wrong bool
}

// loginForm opens a session at once where the link holds a one-time code, so
// that the link in the terminal is all a newcomer needs.
func (c *console) loginForm(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("code")
	// A HEAD is a preview of the link, which must not use the code up.
	if c.cfg.Operator.Known(r) || r.Method == http.MethodGet && code != "" && c.cfg.Operator.LogIn(w, code) {
		http.Redirect(w, r, Root, http.StatusSeeOther)
		return
	}
	c.show(w, http.StatusOK, "login.html", loginPage{page: c.base(r), Wrong: code != ""})
}

func (c *console) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	if c.cfg.Operator.LogIn(w, strings.TrimSpace(r.PostFormValue("token"))) {
		http.Redirect(w, r, Root, http.StatusSeeOther)
		return
	}
	c.cfg.Logger.Warn("console login refused", "remote", r.RemoteAddr)
	c.show(w, http.StatusUnauthorized, "login.html", loginPage{page: c.base(r), Wrong: true})
}

type overviewPage struct {
	page
	Overview
	WatchdogLate bool
	Now          time.Time
	zone         *time.Location
}

// At tells a time in the page's zone.
func (p overviewPage) At(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.In(p.zone).Format("2006-01-02 15:04:05")
}

// By names who did something.
func (p overviewPage) By(name string) string {
	return cmp.Or(name, p.T("控制台", "console"))
}

// Deed tells what somebody did.
func (p overviewPage) Deed(deed notifier.Deed) string {
	if deed == notifier.DeedWithdraw {
		return p.T("撤回接手", "withdrew it")
	}
	return p.T("接手处理", "acknowledged it")
}

func (c *console) overview(w http.ResponseWriter, r *http.Request) {
	overview, err := c.cfg.Source.Overview(r.Context())
	if err != nil {
		c.cfg.Logger.Error("console overview", "err", err)
		http.Error(w, "something went wrong; the log says what", http.StatusInternalServerError)
		return
	}
	p := overviewPage{page: c.base(r), Overview: overview, Now: c.cfg.Now(), zone: c.cfg.Zone}
	p.Refresh = 5
	p.WatchdogLate = p.Now.Sub(overview.Watchdog) > c.cfg.Fresh
	c.show(w, http.StatusOK, "overview.html", p)
}

func (c *console) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := c.pages.ExecuteTemplate(&b, name, data); err != nil {
		c.cfg.Logger.Error("console page", "page", name, "err", err)
		http.Error(w, "something went wrong; the log says what", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	b.WriteTo(w)
}
