package console

import (
	"bytes"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/yuin/goldmark"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Overview is all that the first page shows.
type Overview struct {
	Incidents []Incident // open ones first, then the newest
	Services  []notifier.Service
	Watchdog  time.Time // evaluation time of the last one, zero if none came
	Queued    int
	Dead      int
	Oldest    time.Time // of the queued, zero if none
	People    []People
	Working   []notifier.Maintenance // planned work that goes on
}

// People counts recipients.
type People struct {
	Audience, Channel string
	Active, Inactive  int
}

type overviewPage struct {
	page
	Overview

	WatchdogLate bool
	Now          time.Time
}

// Running are the incidents that run and ask to be taken in hand, or are, those
// that weigh most first.
func (p overviewPage) Running() []incidentPage {
	list := p.those(asks)
	slices.SortStableFunc(list, func(a, b incidentPage) int {
		return slices.Index(notifier.Impacts, b.Impact) - slices.Index(notifier.Impacts, a.Impact)
	})
	return list
}

// Over are those that don't.
func (p overviewPage) Over() []incidentPage {
	return p.those(func(i notifier.Incident) bool { return !i.Open() })
}

// Board are those that run and ask for nobody.
func (p overviewPage) Board() []incidentPage {
	return p.those(func(i notifier.Incident) bool { return i.Open() && !asks(i) })
}

func asks(i notifier.Incident) bool { return i.Asks() || i.Open() && i.Acknowledged.Given() }

func (p overviewPage) those(fit func(notifier.Incident) bool) (list []incidentPage) {
	for _, i := range p.Incidents {
		if fit(i.Incident) {
			list = append(list, incidentPage{page: p.page, Incident: i})
		}
	}
	return list
}

func (c *console) overview(w http.ResponseWriter, r *http.Request) {
	overview, err := c.cfg.Source.Overview(r.Context())
	if err != nil {
		c.broken(w, err)
		return
	}
	p := overviewPage{page: c.base(r), Overview: overview, Now: c.cfg.Now()}
	p.Refresh = 5
	p.WatchdogLate = p.Now.Sub(overview.Watchdog) > c.cfg.Fresh
	c.show(w, http.StatusOK, "overview.html", p)
}

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
		c.broken(w, err)
		return
	}
	p.Text = template.HTML(shown.String())
	c.show(w, http.StatusOK, "runbook.html", p)
}
