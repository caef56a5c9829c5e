package incident

import (
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Newcomer gives the notices that tell somebody who has just become a subscriber
// of the public incidents that run, as they stand, as far as they want to hear of
// them. With them they have been told, and so hear how those go on and end. Of one
// that began again, and of which nobody was told so yet, they hear with the others.
func (m *Machine) Newcomer(now time.Time, open []notifier.Incident, to notifier.Recipient) []notifier.Notice {
	var notices []notifier.Notice
	for _, i := range open {
		if !wasTold(i, rules.Subscribers) || !i.Open() || !i.Public || !to.Wants.Hear(i.Service.Key(), i.Impact) {
			continue
		}
		facts := m.facts(i, notifier.Alert{StartsAt: now}) // the notice isn't late: its reader is
		facts.Acknowledged = notifier.Acknowledgement{}
		notices = append(notices, notifier.Notice{
			Incident: i.ID, Audience: rules.Subscribers, To: to.ID, Event: notifier.EventDown, At: now, Facts: facts,
		})
	}
	return notices
}
