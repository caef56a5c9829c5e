package statuspage

import (
	"slices"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// colour is what a reader sees first. It is always joined by a shape and a word.
type colour string

// The colours of the page.
const (
	green  colour = "green"
	yellow colour = "yellow"
	red    colour = "red"
	blue   colour = "blue"
	grey   colour = "grey"
)

var colours = []colour{green, yellow, red, blue, grey}

// colourOf gives a service's colour.
func colourOf(status rules.Status) colour {
	switch status {
	case rules.Operational:
		return green
	case rules.Degraded:
		return yellow
	case rules.Outage:
		return red
	case rules.Maintenance:
		return blue
	}
	return grey
}

// mood is which sentence stands on top of the page.
type mood int

// The moods, in the order in which they win.
const (
	blind      mood = iota // we can't see
	empty                  // nothing is watched
	failing                // an open public incident
	checking               // a service is in outage, no incident yet
	recovering             // open incidents whose services work again
	slow                   // a service is degraded, no incident
	planned                // maintenance goes on
	partly                 // what we see is well, something is unseen
	well                   // all is well
)

// verdict is the page in one thought, before it is put into words.
type verdict struct {
	mood     mood
	colour   colour
	incident *notifier.Incident    // failing and recovering: the worst
	work     *notifier.Maintenance // planned: what goes on, where it is one and covers all of services
	services []Component           // those that the headline names
	others   int                   // further troubles that it doesn't
}

// judge decides what to say first. Worst first; what we can't see is never well.
func (e *edition) judge() verdict {
	if !e.fresh {
		return verdict{mood: blind, colour: grey, others: len(e.open)}
	}
	if len(e.services) == 0 && len(e.open) == 0 {
		return verdict{mood: empty, colour: grey}
	}
	by, open := e.untold(), e.elsewhere()
	down, late := len(by[rules.Outage]), len(by[rules.Degraded])
	troubles := len(e.open) + down + late
	switch {
	case len(open) > 0 && !e.recovering(open[0]):
		return verdict{mood: failing, colour: e.colourOfIncident(open[0]), incident: &open[0], others: troubles - 1}
	case down > 0:
		return verdict{mood: checking, colour: red, services: by[rules.Outage], others: troubles - down}
	case len(open) > 0:
		return verdict{mood: recovering, colour: yellow, incident: &open[0], services: e.servicesOf(open), others: late + len(e.open) - len(open)}
	case late > 0:
		return verdict{mood: slow, colour: yellow, services: by[rules.Degraded], others: len(e.open)}
	case len(by[rules.Maintenance]) > 0:
		return verdict{mood: planned, colour: blue, work: e.only(by[rules.Maintenance]), services: by[rules.Maintenance], others: len(e.open)}
	case len(by[rules.Unknown]) > 0:
		return verdict{mood: partly, colour: grey, services: by[rules.Unknown]}
	}
	return verdict{mood: well, colour: green}
}

// only is the planned work that goes on, if it is one and covers all these services.
func (e *edition) only(services []Component) *notifier.Maintenance {
	if len(e.ongoing) != 1 || len(e.covered(e.ongoing[0])) != len(services) {
		return nil
	}
	return &e.ongoing[0]
}

// untold sorts services without an open incident that leads by what is the matter with them.
func (e *edition) untold() map[rules.Status][]Component {
	told := make(map[string]bool)
	for _, i := range e.elsewhere() {
		told[i.Service.Key()] = true
	}
	by := make(map[rules.Status][]Component)
	for _, c := range e.services {
		if told[c.Key()] {
			continue
		}
		status := c.Status
		if colourOf(status) == grey {
			status = rules.Unknown
		}
		by[status] = append(by[status], c)
	}
	return by
}

// servicesOf lists the services of incidents, each once.
func (e *edition) servicesOf(incidents []notifier.Incident) []Component {
	var services []Component
	seen := make(map[string]bool)
	for _, i := range incidents {
		if c := e.service(i.Service.Key()); c != nil && !seen[c.Key()] {
			seen[c.Key()] = true
			services = append(services, *c)
		}
	}
	return services
}

// colourOfIncident is green once it is over, else as bad as its impact or as its
// service is now, whichever is worse; unseen incidents are grey.
func (e *edition) colourOfIncident(i notifier.Incident) colour {
	switch {
	case !i.Open():
		return green
	case !e.fresh:
		return grey
	case e.recovering(i):
		return yellow
	case i.Impact == notifier.ImpactMajor, i.Impact == notifier.ImpactCritical:
		return red
	}
	if c := e.service(i.Service.Key()); c != nil && c.Status == rules.Outage {
		return red
	}
	return yellow
}

// speaksOfDelivery reports whether the headline is about a shop's late orders,
// so that what it says of them needn't be said twice.
func (v verdict) speaksOfDelivery(shop string) bool {
	about := func(s notifier.Service) bool { return s.Shop == shop && s.Role == rules.RoleDelivery }
	switch v.mood {
	case failing:
		return about(v.incident.Service)
	case checking:
		return slices.ContainsFunc(v.services, func(c Component) bool { return about(c.Service) })
	}
	return false
}
