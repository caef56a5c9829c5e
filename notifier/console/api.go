package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Running is an incident that runs, as the API and the command line tell it.
type Running struct {
	ID           string                    `json:"id"`
	Key          string                    `json:"key"`
	Title        rules.Text                `json:"title"`
	Service      rules.Text                `json:"service"`
	Impact       notifier.Impact           `json:"impact"`
	Public       bool                      `json:"public"`
	Since        time.Time                 `json:"since"`
	Opened       time.Time                 `json:"opened"`
	Alerts       []string                  `json:"alerts"` // that fire, by name
	Acknowledged *notifier.Acknowledgement `json:"acknowledged"`
	Acts         []notifier.Act            `json:"acts"`
}

// list is the answer to GET /api/incidents.
type list struct {
	Incidents []Running `json:"incidents"`
}

// who is what POST /api/incidents/{id}/acknowledge and …/withdraw take.
type who struct {
	By string `json:"by"`
}

// trouble is every answer that isn't what was asked for.
type trouble struct {
	Error string `json:"error"`
}

func running(i notifier.Incident) Running {
	r := Running{
		ID: i.ID, Key: i.Key, Title: i.Title, Service: i.Service.Name, Impact: i.Impact, Public: i.Public,
		Since: i.Since.UTC(), Opened: i.Opened.UTC(), Alerts: []string{}, Acts: append([]notifier.Act{}, i.Acts...),
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

// list answers GET /api/incidents: those that run.
func (c *console) list(w http.ResponseWriter, r *http.Request) {
	incidents, err := c.cfg.Source.Incidents(r.Context())
	if err != nil {
		c.refuse(w, err)
		return
	}
	answer := list{Incidents: []Running{}}
	for _, i := range incidents {
		answer.Incidents = append(answer.Incidents, running(i))
	}
	reply(w, http.StatusOK, answer)
}

// act answers POST /api/incidents/{id}/{deed}; a body is optional.
func (c *console) act(w http.ResponseWriter, r *http.Request) {
	var body who
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&body)
	if err != nil && !errors.Is(err, io.EOF) {
		c.refuse(w, &notifier.Error{Code: notifier.Invalid, Message: `the body is not {"by": "who you are"}`})
		return
	}
	i, err := c.do(r, body.By)
	if err != nil {
		c.refuse(w, err)
		return
	}
	reply(w, http.StatusOK, running(i))
}

// form answers the overview's buttons. A mistake of a button is that the page
// was old: the page it leads back to is not.
func (c *console) form(w http.ResponseWriter, r *http.Request) {
	_, err := c.do(r, "")
	if mistake, ok := errors.AsType[*notifier.Error](err); err != nil && (!ok || mistake.Code == notifier.NotFound) {
		c.refuse(w, err)
		return
	}
	http.Redirect(w, r, Root, http.StatusSeeOther)
}

// do does the deed of the path.
func (c *console) do(r *http.Request, by string) (notifier.Incident, error) {
	switch notifier.Deed(r.PathValue("deed")) {
	case notifier.DeedAcknowledge:
		return c.cfg.Source.Acknowledge(r.Context(), r.PathValue("id"), by)
	case notifier.DeedWithdraw:
		return c.cfg.Source.Withdraw(r.Context(), r.PathValue("id"), by)
	}
	return notifier.Incident{}, &notifier.Error{Code: notifier.NotFound, Message: "an incident can be acknowledged, and an acknowledgement withdrawn; nothing else"}
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
	c.cfg.Logger.Error("console incidents", "err", err)
	reply(w, http.StatusInternalServerError, trouble{"something went wrong; the log says what"})
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}
