package incident

import (
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Newcomer gives the notices that tell somebody of the incidents that run, as they
// stand, of which their audience has been told: a subscriber who has just signed up
// of the public ones that they want to hear of, and whoever is newly on call or of
// the management of all. With them they have been told, and so hear how those go on
// and end. Of one that began again, and of which nobody was told so yet, they hear
// with the others.
func (m *Machine) Newcomer(now time.Time, open []notifier.Incident, to notifier.Recipient) []notifier.Notice {
	inside := to.Audience == rules.Ops || to.Audience == rules.Management
	audience, event := rules.Subscribers, notifier.EventDown
	if inside {
		audience = to.Audience
	}
	if audience == rules.Management {
		event = notifier.EventProlonged
	}
	var notices []notifier.Notice
	for _, i := range open {
		if !wasTold(i, audience) || !i.Open() || !inside && (!i.Public || !to.Wants.Hear(i.Service.Key(), i.Impact)) {
			continue
		}
		facts := m.facts(i, notifier.Alert{StartsAt: now}) // the notice isn't late: its reader is
		if !inside {
			facts.Acknowledged = notifier.Acknowledgement{}
		}
		notices = append(notices, notifier.Notice{Incident: i.ID, Audience: audience, To: to.ID, Event: event, At: now, Facts: facts})
	}
	return notices
}
