package statuspage

import (
	"time"

	"shopwatch/notifier"
)

// historyPage is "/history".
type historyPage struct {
	base
	Incidents []incidentView // open
	Ongoing   []maintenanceView
	Planned   []maintenanceView
	Days      []dayView
	Started   bool
}

// dayView is what began on one day and is over: incidents and planned work.
type dayView struct {
	Name    string
	Entries []pastView
}

type pastView struct {
	Title, URL string
	Colour     colour
	Word, Span string
}

// history composes "/history".
func (c composer) history() historyPage {
	page := historyPage{base: c.base("/history", c.say(labels["history"]), c.judge().colour), Days: c.days(c.resolved, c.past), Started: c.started}
	page.Ongoing, page.Planned = c.maintenanceViews(c.ongoing), c.maintenanceViews(c.planned)
	for _, i := range c.open {
		page.Incidents = append(page.Incidents, c.incidentView(i))
	}
	return page
}

// days puts what is over under the days on which it began, newest first.
func (c composer) days(incidents []notifier.Incident, works []notifier.Maintenance) []dayView {
	var days []dayView
	file := func(at time.Time, entry pastView) {
		name := c.day(at)
		if len(days) == 0 || days[len(days)-1].Name != name {
			days = append(days, dayView{Name: name})
		}
		last := &days[len(days)-1]
		last.Entries = append(last.Entries, entry)
	}
	past(incidents, works, func(i notifier.Incident) {
		view := c.incidentView(i)
		file(i.Since, pastView{view.Title, view.URL, view.Colour, view.Word, view.Span})
	}, func(m notifier.Maintenance) {
		file(filed(m), pastView{c.say(m.Title), maintenancePath(m.ID) + c.choice, colourOfMaintenance(m), c.say(pastWork(m)), c.maintenanceSpan(m)})
	})
	return days
}

// past goes through what is over, newest first, as its two lists are.
func past(incidents []notifier.Incident, works []notifier.Maintenance, incident func(notifier.Incident), work func(notifier.Maintenance)) {
	for len(incidents) > 0 || len(works) > 0 {
		if len(works) == 0 || len(incidents) > 0 && !filed(works[0]).After(incidents[0].Since) {
			incident(incidents[0])
			incidents = incidents[1:]
			continue
		}
		work(works[0])
		works = works[1:]
	}
}
