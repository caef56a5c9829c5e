package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// maxBody bounds what a program sends: the longest update, each of its
// characters written as an escape, fits twice.
const maxBody = 64 << 10

// Running is an incident as the API and the command line tell it.
type Running struct {
	ID           string                    `json:"id"`
	Key          string                    `json:"key"`
	Title        rules.Text                `json:"title"`
	Service      rules.Text                `json:"service"`
	Status       notifier.IncidentStatus   `json:"status"`
	Impact       notifier.Impact           `json:"impact"`
	Public       bool                      `json:"public"`
	Publication  notifier.Publication      `json:"publication,omitzero"` // how it becomes public, where it isn't
	Parent       string                    `json:"parent,omitempty"`     // the incident that is its root cause
	Since        time.Time                 `json:"since"`
	Opened       time.Time                 `json:"opened"`
	Over         *time.Time                `json:"over,omitempty"`
	Closed       *time.Time                `json:"closed,omitempty"`
	Alerts       []string                  `json:"alerts"` // that fire, by name
	Scope        rules.Text                `json:"scope,omitzero"`
	ETA          notifier.ETA              `json:"eta,omitzero"`
	Workaround   rules.Text                `json:"workaround,omitzero"`
	Asks         bool                      `json:"asks"` // to be taken in hand: not what is for the board alone
	Acknowledged *notifier.Acknowledgement `json:"acknowledged"`
	Acts         []notifier.Act            `json:"acts"`
}

// Account is an incident with its timeline, and what became of its notices.
type Account struct {
	Running

	Updates []Entry `json:"updates"` // oldest first
	Told    []Told  `json:"told"`
}

// Entry is one entry of the timeline.
type Entry struct {
	At         time.Time               `json:"at"`
	Status     notifier.IncidentStatus `json:"status"`
	Text       rules.Text              `json:"text"`
	By         string                  `json:"by,omitempty"` // never shown to the public
	Scope      rules.Text              `json:"scope,omitzero"`
	ETA        time.Time               `json:"eta,omitzero"`
	Workaround rules.Text              `json:"workaround,omitzero"`
}

// Wish is what the operator wants of an incident beside the deed itself. Each
// deed takes of it what it needs, and leaves the rest.
type Wish struct {
	By  string `json:"by,omitempty"`  // as they call themselves
	Way string `json:"way,omitempty"` // one of the Way constants

	// Of an update, and of a publication; the text also of a resolution.
	Status     notifier.IncidentStatus `json:"status,omitempty"`
	Text       rules.Text              `json:"text,omitzero"`
	Scope      rules.Text              `json:"scope,omitzero"`
	ETA        time.Time               `json:"eta,omitzero"`
	Workaround rules.Text              `json:"workaround,omitzero"`
	Silent     bool                    `json:"silent,omitempty"` // for the page alone

	Force bool `json:"force,omitempty"` // resolve, though its alerts fire
	For   Span `json:"for,omitempty"`   // silence: for how long
}

// Tells reports whether the wish says anything that an update would tell.
func (w Wish) Tells() bool {
	return w.Status != "" || w.Text != (rules.Text{}) || w.Scope != (rules.Text{}) || w.Workaround != (rules.Text{}) || !w.ETA.IsZero()
}

// The ways by which an operator does something.
const (
	WayConsole = "console"
	WayAPI     = "api"
	WayCLI     = "cli"
)

// Span is a length of time, in JSON as "1h30m".
type Span time.Duration

// MarshalText writes it as Go does.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads it as Go does.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}

// list is the answer to GET /api/incidents.
type list struct {
	Incidents []Running `json:"incidents"`
}

// trouble is every answer that isn't what was asked for.
type trouble struct {
	Error string `json:"error"`
}

func running(i notifier.Incident) Running {
	r := Running{
		ID: i.ID, Key: i.Key, Title: i.Title, Service: i.Service.Name, Status: i.Status, Impact: i.Impact, Public: i.Public,
		Parent: i.Parent, Since: i.Since.UTC(), Opened: i.Opened.UTC(), Over: optional(i.Over), Closed: optional(i.Closed),
		Alerts: []string{}, Scope: i.Scope, ETA: i.ETA, Workaround: i.Workaround, Asks: i.Asks(), Acts: append([]notifier.Act{}, i.Acts...),
	}
	if !i.Public {
		r.Publication = i.Publication
	}
	for _, a := range i.Alerts {
		if a.Ended.IsZero() {
			r.Alerts = append(r.Alerts, a.Name)
		}
	}
	if i.Acknowledged.Given() {
		r.Acknowledged = &i.Acknowledged
	}
	return r
}

func account(i Incident) Account {
	a := Account{Running: running(i.Incident), Updates: []Entry{}, Told: append([]Told{}, i.Told...)}
	for _, u := range i.Updates {
		u.At = u.At.UTC()
		a.Updates = append(a.Updates, Entry(u))
	}
	return a
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// routeAPI mounts what programs ask, who send the operator's token.
func (c *console) routeAPI(mux *http.ServeMux) {
	answer := func(pattern string, compose func(*http.Request) (any, error)) {
		mux.Handle(pattern, c.cfg.Operator.Only(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			said, err := compose(r)
			if err != nil {
				c.refuse(w, err)
				return
			}
			reply(w, http.StatusOK, said)
		}), ""))
	}
	answer("GET "+API, func(r *http.Request) (any, error) {
		incidents, err := c.cfg.Source.Incidents(r.Context())
		said := list{Incidents: []Running{}}
		for _, i := range incidents {
			said.Incidents = append(said.Incidents, running(i))
		}
		return said, err
	})
	answer("GET "+API+"/{id}", func(r *http.Request) (any, error) {
		i, err := c.cfg.Source.Incident(r.Context(), r.PathValue("id"))
		return account(i), err
	})
	answer("POST "+API+"/{id}/{deed}", func(r *http.Request) (any, error) {
		deed, err := deedOf(r.PathValue("deed"))
		if err != nil {
			return nil, err
		}
		var wish Wish
		if err := decode(r, &wish, `{"by": "who you are"}`); err != nil {
			return nil, err
		}
		wish.Way = programs(wish.Way)
		i, err := c.cfg.Source.Do(r.Context(), r.PathValue("id"), deed, wish)
		return running(i), err
	})
	c.routeMaintenanceAPI(answer)
	c.routeOutboxAPI(answer)
}

// decode reads a body of JSON, which may be absent. A field that nobody knows is
// a mistake: what was meant by it would not be told.
func decode(r *http.Request, into any, example string) error {
	var content bytes.Buffer
	if _, err := content.ReadFrom(r.Body); err != nil {
		return &notifier.Error{Code: notifier.Invalid, Message: fmt.Sprintf("the body is longer than %d KiB, or broke off", maxBody>>10)}
	}
	if len(bytes.TrimSpace(content.Bytes())) == 0 {
		return nil
	}
	d := json.NewDecoder(&content)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || d.More() {
		return &notifier.Error{Code: notifier.Invalid, Message: fmt.Sprintf("the body is not JSON as %s with the fields that this deed knows: %.200v", example, err)}
	}
	return nil
}

// programs is the way of a program: the command line says so, all else is the API.
func programs(way string) string {
	if way == WayCLI {
		return WayCLI
	}
	return WayAPI
}

// deeds are the last parts of the paths that do something to an incident.
var deeds = []struct {
	word string
	deed notifier.Deed
}{
	{"acknowledge", notifier.DeedAcknowledge}, {"withdraw", notifier.DeedWithdraw}, {"updates", notifier.DeedUpdate},
	{"publish", notifier.DeedPublish}, {"hold", notifier.DeedHold}, {"silence", notifier.DeedSilence}, {"resolve", notifier.DeedResolve},
}

// wordOf is a deed in a path.
func wordOf(deed notifier.Deed) string {
	for _, d := range deeds {
		if d.deed == deed {
			return d.word
		}
	}
	return string(deed)
}

func deedOf(word string) (notifier.Deed, error) {
	for _, d := range deeds {
		if d.word == word {
			return d.deed, nil
		}
	}
	return "", &notifier.Error{Code: notifier.NotFound, Message: "an incident can be acknowledged, withdrawn, updated (updates), published (publish), held (hold), silenced (silence) and resolved (resolve); nothing else"}
}

// before reads from where on a list goes on; 0 is its beginning.
func before(r *http.Request) (int64, error) {
	value := r.URL.Query().Get("before")
	if value == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil || id < 0 {
		return 0, &notifier.Error{Code: notifier.Invalid, Message: "before is the number of the last one seen"}
	}
	return id, nil
}

// statuses are what a mistake is in HTTP.
var statuses = map[notifier.Code]int{
	notifier.NotFound: http.StatusNotFound, notifier.Invalid: http.StatusUnprocessableEntity, notifier.Conflict: http.StatusConflict,
}

// refuse says a mistake, and logs what isn't the asker's.
func (c *console) refuse(w http.ResponseWriter, err error) {
	if mistake, ok := errors.AsType[*notifier.Error](err); ok {
		reply(w, statuses[mistake.Code], trouble{mistake.Message})
		return
	}
	c.cfg.Logger.Error("console api", "err", err)
	reply(w, http.StatusInternalServerError, trouble{"something went wrong; the log says what"})
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}
