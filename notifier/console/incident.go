package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
		status, p.Mistake = statuses[mistake.Code], p.Said(mistake)
	}
	c.show(w, status, "incident.html", p)
}

// form does a deed that a page's form asks for, and leads back to the incident.
func (c *console) form(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		c.broken(w, &notifier.Error{Code: notifier.Invalid, Message: "the form is too long, or broke off", Chinese: "表单太长，或没有传完"})
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

// wishOf reads a form. How long to be silent is minutes from now.
func (c *console) wishOf(form url.Values) (Wish, error) {
	text := func(name string) rules.Text {
		return rules.Text{ZH: form.Get(name + "_zh"), EN: form.Get(name + "_en")}
	}
	w := Wish{
		Status: notifier.IncidentStatus(form.Get("status")), Text: text("text"), Scope: text("scope"), Workaround: text("workaround"),
		Silent: form.Get("silent") != "", Force: form.Get("force") != "",
	}
	var err error
	if w.ETA, err = c.moment(form.Get("eta")); err != nil {
		return w, err
	}
	silent, err := minutes(form.Get("for"))
	w.For = Span(silent)
	return w, err
}

// moment reads when something is expected: minutes from now ("30"), a time of
// the day in the page's zone ("22:30"), or a date too ("2026-11-22 22:30"). A
// time of the day is the next one within half a day; else it is today's, past.
func (c *console) moment(typed string) (time.Time, error) {
	typed = strings.ReplaceAll(strings.TrimSpace(typed), "：", ":")
	if typed == "" {
		return time.Time{}, nil
	}
	now := c.cfg.Now().In(c.cfg.Zone)
	if !strings.Contains(typed, ":") {
		n, err := minutes(typed)
		if err != nil || n == 0 {
			return time.Time{}, unreadableTime
		}
		return c.cfg.Now().Add(n), nil
	}
	if at, err := time.ParseInLocation("2006-01-02 15:04", typed, c.cfg.Zone); err == nil {
		return at, nil
	}
	clock, err := time.Parse("15:04", typed)
	if err != nil {
		return time.Time{}, unreadableTime
	}
	at := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, c.cfg.Zone)
	if next := at.AddDate(0, 0, 1); !at.After(now) && next.Sub(now) <= 12*time.Hour {
		at = next
	}
	return at, nil
}

var unreadableTime = &notifier.Error{
	Code: notifier.Invalid, Message: "give a number of minutes, as in 30, or a time, as in 22:30",
	Chinese: "请填多少分钟后，如 30；或几点，如 22:30",
}

func minutes(typed string) (time.Duration, error) {
	if typed == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(typed, 10, 20)
	if err != nil {
		return 0, &notifier.Error{Code: notifier.Invalid, Message: "give a number of minutes, as in 30", Chinese: "请填分钟数，如 30"}
	}
	return time.Duration(n) * time.Minute, nil
}
