// Package console is the operator's side: what runs, who was told, what waits
// in the outbox, and where everything is, on the private address.
//
// Its pages are for people who may know hosts and errors, so they are shown to
// the operator alone (guard.Operator). Every form is a POST that the private
// address checks for its origin. The room decides nothing by itself: it shows
// what its Source tells, and hands on what the operator does. overview.go,
// incident.go, maintenance.go and outbox.go are the pages, session.go is who looks at them,
// api.go is the same for programs, client.go and print.go for the command line.
package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/rules"
)

//go:embed templates style.css
var files embed.FS

// Paths that the room answers on the private address.
const (
	Root      = "/console/"
	Runbooks  = "/runbooks/" // then the alert's name; they hold no secret and need no login
	API       = "/api/incidents"
	APIOutbox = "/api/outbox"
	APIAudit  = "/api/audit"

	login      = "/console/login"
	outboxPath = "/console/outbox"
)

// Paths lists the roots of all paths that the room answers, for whoever mounts it.
var Paths = []string{Root, Runbooks, API, API + "/", APIMaintenance, APIMaintenance + "/", APIOutbox, APIOutbox + "/", APIAudit}

// Source tells what the console shows, and does what the operator wants. Its
// mistakes are [notifier.Error]s: of an unknown id NotFound, of words that won't
// do Invalid, of what can't be done as things stand Conflict.
type Source interface {
	Overview(context.Context) (Overview, error)
	// Incidents gives those that run, the oldest first.
	Incidents(context.Context) ([]notifier.Incident, error)
	// Incident gives one, open or over, with what became of its notices on each channel.
	Incident(ctx context.Context, id string) (Incident, error)
	// Do does a deed to an incident, keeps who did it, and gives the incident as it then is.
	Do(ctx context.Context, id string, deed notifier.Deed, w Wish) (notifier.Incident, error)
	// Maintenances gives planned work: what is ahead, the next first, then what ended lately.
	Maintenances(context.Context) ([]notifier.Maintenance, error)
	Maintenance(ctx context.Context, id string) (notifier.Maintenance, error)
	// Schedule plans work; Work does a deed to it. Both keep who did it, and give it as it then is.
	Schedule(context.Context, Work) (notifier.Maintenance, error)
	Work(ctx context.Context, id string, deed notifier.Deed, w Work) (notifier.Maintenance, error)
	Outbox(context.Context) (Outbox, error)
	// DeadLetters gives those before a delivery, the newest first; 0: the newest.
	DeadLetters(ctx context.Context, before int64, limit int) ([]DeadLetter, error)
	// Resend sends dead letters again and tells how many.
	Resend(context.Context, Resending) (int, error)
	// Audit gives what people did before an entry, the newest first: to a subject, or to all if it is empty.
	Audit(ctx context.Context, subject string, before int64, limit int) ([]notifier.AuditEntry, error)
}

// Incident is an incident with what became of its notices.
type Incident struct {
	notifier.Incident

	Told []Told
}

// Told counts deliveries to one audience, on one channel or on all.
type Told struct {
	Audience rules.Audience `json:"audience"`
	Channel  string         `json:"channel,omitempty"` // empty: all
	Sent     int            `json:"sent"`
	Queued   int            `json:"queued"`
	Dead     int            `json:"dead"`
	Dropped  int            `json:"dropped"`  // too old to be of use
	Replaced int            `json:"replaced"` // by a later notice that tells the same and more
}

// Add counts n more deliveries that stand in a state.
func (t *Told) Add(state notifier.DeliveryState, n int) {
	switch state {
	case notifier.Sent:
		t.Sent += n
	case notifier.Queued:
		t.Queued += n
	case notifier.Dead:
		t.Dead += n
	case notifier.Dropped:
		t.Dropped += n
	case notifier.Replaced:
		t.Replaced += n
	}
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

// New gives the handler of everything under Paths.
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
	mux.HandleFunc("POST /console/logout", c.logOut)
	for pattern, show := range map[string]http.HandlerFunc{
		"GET /console/{$}":                         c.overview,
		"GET /console/incidents/{id}":              c.incidentPage,
		"POST /console/incidents/{id}/{deed}":      c.form,
		"GET " + maintenancePath:                   c.maintenances,
		"POST " + maintenancePath:                  c.planForm,
		"POST " + maintenancePath + "/{id}/{deed}": c.workDeed,
		"GET " + outboxPath:                        c.outboxPage,
		"POST " + outboxPath + "/resend":           c.sendAgain,
		"GET /console/audit":                       c.auditPage,
		"POST /console/name":                       c.keepName,
	} {
		mux.Handle(pattern, cfg.Operator.Only(show, login))
	}
	c.routeAPI(mux)
	return mux, nil
}

func (c *console) stylesheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(c.style)
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

// broken says in place of a page why there is none, and logs what isn't the asker's mistake.
func (c *console) broken(w http.ResponseWriter, err error) {
	if mistake, ok := errors.AsType[*notifier.Error](err); ok {
		http.Error(w, mistake.Message, statuses[mistake.Code])
		return
	}
	c.cfg.Logger.Error("console page", "err", err)
	http.Error(w, "something went wrong; the log says what", http.StatusInternalServerError)
}

// mistaken shows the page of a form again, with what was wrong.
func (c *console) mistaken(w http.ResponseWriter, err error, again func(*notifier.Error)) {
	if mistake, ok := errors.AsType[*notifier.Error](err); ok && mistake.Code != notifier.NotFound {
		again(mistake)
		return
	}
	c.broken(w, err)
}
