package statuspage

import (
	"strconv"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// apiMaintenance is planned work in Statuspage's shape: an incident with two
// more times. Cancelled work has no status there, and is left out.
type apiMaintenance struct {
	apiIncident
	ScheduledFor   apiTime             `json:"scheduled_for"`
	ScheduledUntil apiTime             `json:"scheduled_until"`
	Shopwatch      apiMaintenanceExtra `json:"shopwatch"`
}

type apiMaintenanceExtra struct {
	Title    rules.Text   `json:"title"`
	Text     *rules.Text  `json:"text"`
	Services []rules.Text `json:"services"` // the names of what is worked on; a shop may stand for all that it has
	BeganAt  *apiTime     `json:"began_at"`
	EndedAt  *apiTime     `json:"ended_at"`
	Overdue  bool         `json:"overdue"` // it goes on after scheduled_until
}

const impactMaintenance notifier.Impact = "maintenance"

// serveMaintenances serves Statuspage's three lists of planned work.
func serveMaintenances(serve func(path string, compose func(composer) apiAnswer)) {
	list := func(path string, choose func(composer) []notifier.Maintenance) {
		serve("scheduled-maintenances"+path, func(c composer) apiAnswer {
			return apiAnswer{"scheduled_maintenances": c.apiMaintenances(choose(c))}
		})
	}
	list(".json", func(c composer) []notifier.Maintenance { return append(c.ahead(), c.past...) })
	list("/upcoming.json", func(c composer) []notifier.Maintenance { return c.planned })
	list("/active.json", func(c composer) []notifier.Maintenance { return c.ongoing })
}

// ahead lists what goes on and what is planned, in a list of its own.
func (e *edition) ahead() []notifier.Maintenance {
	return append(append([]notifier.Maintenance{}, e.ongoing...), e.planned...)
}

func (c composer) apiMaintenances(list []notifier.Maintenance) []apiMaintenance {
	answer := []apiMaintenance{}
	for _, m := range list {
		if m.Status != notifier.Cancelled && len(answer) < maxAPIIncidents {
			answer = append(answer, c.apiMaintenance(m))
		}
	}
	return answer
}

func (c composer) apiMaintenance(m notifier.Maintenance) apiMaintenance {
	answer := apiMaintenance{
		apiIncident: apiIncident{
			ID: m.ID, Name: c.say(m.Title), Status: string(m.Status), Impact: impactMaintenance, PageID: c.pageID(),
			CreatedAt: apiTime{m.Created}, UpdatedAt: apiTime{lastToldOfWork(m)}, StartedAt: apiTime{stretch(m).From}, ResolvedAt: optional(m.Ended),
			Shortlink: c.absolute(maintenancePath(m.ID)), Updates: c.apiMaintenanceUpdates(m), Components: []apiComponent{},
		},
		ScheduledFor: apiTime{m.Window.From}, ScheduledUntil: apiTime{m.Window.Until},
		Shopwatch: apiMaintenanceExtra{
			Title: m.Title, Text: said(m.Text), Services: c.covers(m),
			BeganAt: optional(m.Began), EndedAt: optional(m.Ended), Overdue: c.overdue(m),
		},
	}
	for _, s := range c.covered(m) {
		answer.Components = append(answer.Components, c.apiComponent(s))
	}
	return answer
}

func (c composer) apiMaintenanceUpdates(m notifier.Maintenance) []apiUpdate {
	updates := []apiUpdate{}
	for n := len(m.Updates) - 1; n >= 0; n-- {
		u := m.Updates[n]
		at := apiTime{u.At}
		updates = append(updates, apiUpdate{
			ID: m.ID + "-" + strconv.Itoa(n+1), Status: string(u.Status), Body: c.maintenanceBody(m, u), IncidentID: m.ID,
			CreatedAt: at, UpdatedAt: at, DisplayAt: at,
			Shopwatch: apiUpdateExtra{Text: said(u.Text), ScheduledFor: optional(u.Window.From), ScheduledUntil: optional(u.Window.Until)},
		})
	}
	return updates
}
