package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// incidentPage shows one incident, and all that can be done to it.
type incidentPage struct {
	page
	Incident

	Can     can
	Typed   url.Values // what a form held whose mistake is told
	Mistake string
	Firing  []notifier.ActiveAlert
}

// Runbook reports whether there is one of an alert's name: a stranger's has none.
func (p incidentPage) Runbook(alert string) bool {
	_, ok := rules.Runbook(alert, p.Language)
	return ok
}

// can is what can be done to an incident as it stands.
type can struct {
	Publish    bool
	Hold       bool
	Postmortem bool
	Statuses   []notifier.IncidentStatus
}

func canDo(i notifier.Incident) can {
	if !i.Open() {
		return can{Postmortem: true}
	}
	return can{
		Publish: !i.Public && i.Service.Public, Hold: !i.Public && !i.Publication.Held,
		Statuses: []notifier.IncidentStatus{notifier.Investigating, notifier.Identified, notifier.Monitoring},
	}
}

func (c *console) incidentPage(w http.ResponseWriter, r *http.Request) { c.showIncident(w, r, nil) }

func (c *console) showIncident(w http.ResponseWriter, r *http.Request, mistake *notifier.Error) {
	i, err := c.cfg.Source.Incident(r.Context(), r.PathValue("id"))
	if err != nil {
		c.broken(w, err)
		return
	}
	p := incidentPage{page: c.base(r), Incident: i, Can: canDo(i.Incident), Typed: r.PostForm}
	for _, a := range i.Alerts {
		if a.Ended.IsZero() {
			p.Firing = append(p.Firing, a)
		}
	}
	status := http.StatusOK
	if mistake != nil {
		status, p.Mistake = statuses[mistake.Code], mistake.Message
	}
	c.show(w, status, "incident.html", p)
}

// form does a deed that a page's form asks for, and leads back to the incident.
func (c *console) form(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		c.broken(w, &notifier.Error{Code: notifier.Invalid, Message: "the form is too long, or broke off"})
		return
	}
	deed, err := deedOf(r.PathValue("deed"))
	if err != nil {
		c.broken(w, err)
		return
	}
	wish, err := c.wishOf(r.PostForm)
	wish.By, wish.Way = named(r), WayConsole
	if err == nil {
		_, err = c.cfg.Source.Do(r.Context(), r.PathValue("id"), deed, wish)
	}
	if err != nil {
		c.mistaken(w, err, func(mistake *notifier.Error) { c.showIncident(w, r, mistake) })
		return
	}
	http.Redirect(w, r, "/console/incidents/"+url.PathEscape(r.PathValue("id")), http.StatusSeeOther)
}

// wishOf reads a form. An ETA, and how long to be silent, are minutes from now.
func (c *console) wishOf(form url.Values) (Wish, error) {
	text := func(name string) rules.Text {
		return rules.Text{ZH: form.Get(name + "_zh"), EN: form.Get(name + "_en")}
	}
	w := Wish{
		Status: notifier.IncidentStatus(form.Get("status")), Text: text("text"), Scope: text("scope"), Workaround: text("workaround"),
		Silent: form.Get("silent") != "", Force: form.Get("force") != "",
	}
	eta, err := minutes(form.Get("eta"))
	if err != nil {
		return w, err
	}
	if eta > 0 {
		w.ETA = c.cfg.Now().Add(eta)
	}
	silent, err := minutes(form.Get("for"))
	w.For = Span(silent)
	return w, err
}

func minutes(typed string) (time.Duration, error) {
	if typed == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(typed, 10, 20)
	if err != nil {
		return 0, &notifier.Error{Code: notifier.Invalid, Message: "give a number of minutes, as in 30"}
	}
	return time.Duration(n) * time.Minute, nil
}
