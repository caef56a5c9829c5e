package incident

import (
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// asks settles how an incident becomes public that buyers begin to feel.
func (m *Machine) asks(i *notifier.Incident) {
	if m.cfg.Publication != nil && !i.Publication.Held { // a person who holds it has the last word
		i.Publication = m.cfg.Publication(i.Key)
	}
}

// ripe reports whether subscribers are to be told now: buyers feel it, its
// service is on the page, and neither its hold time, nor a person, nor a root
// cause of which the public knows speaks for waiting.
func (m *Machine) ripe(i notifier.Incident, now time.Time, parent *notifier.Incident) bool {
	return i.Wanted && i.Service.Public && felt(i.Alerts) && !now.Before(i.Due) && !hides(parent, rules.Subscribers) &&
		(i.Public || !i.Publication.Held && !now.Before(i.Publication.At))
}

// publish makes the incident public and tells subscribers, once. start is of
// the alert that asked for it.
func (m *Machine) publish(r *Result, now, start time.Time) {
	i := &r.Incident
	if !i.Public {
		i.Public, r.Changed = true, true
		m.name(i)
	}
	m.tell(r, now, rules.Subscribers, m.publicFacts(*i, start))
}

// publicFacts are what buyers may read: nothing that an alert said leaves the
// house, nor who works on it.
func (m *Machine) publicFacts(i notifier.Incident, start time.Time) notifier.Facts {
	facts := m.facts(i, notifier.Alert{StartsAt: start})
	facts.Acknowledged = notifier.Acknowledgement{}
	return facts
}
