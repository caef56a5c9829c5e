package incident

import (
	"cmp"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// hear tells the audience that brought alert number at of the incident, or
// lets it wait, or leaves it out where the audience knows enough.
func (m *Machine) hear(r *Result, now time.Time, alert notifier.Alert, at int) {
	i := &r.Incident
	switch alert.Audience {
	case rules.Subscribers:
		if !i.Wanted {
			i.Wanted, r.Changed = true, true
		}
		if i.Service.Public {
			m.publish(r, now, alert.StartsAt)
		}
	case rules.Ops:
		m.hearOps(r, now, alert, at)
	case rules.Management:
		facts := m.facts(*i, alert)
		_, told := i.Told[rules.Management]
		switch {
		case told: // and hears no more before the end
		case !m.holds(*i, alert):
			m.tell(r, now, rules.Management, facts)
			i.Held = nil
		case i.Held == nil:
			i.Held, r.Changed = &facts, true
		}
	}
}

// hearOps tells ops of the incident's first alert, and has them told of those
// that join it, but for the same trouble's later tier and for what weighs less
// than what they know: that follows from it more often than not.
func (m *Machine) hearOps(r *Result, now time.Time, alert notifier.Alert, at int) {
	i := &r.Incident
	a := &i.Alerts[at]
	if a.Heard || !a.Waiting.IsZero() {
		return
	}
	_, told := i.Told[rules.Ops]
	switch {
	case !told:
		a.Heard = true
		m.tell(r, now, rules.Ops, m.facts(*i, alert))
	case slices.ContainsFunc(i.Alerts, func(known notifier.ActiveAlert) bool { return known.Heard && outweighs(known, *a) || leads(known, *a) }):
		a.Heard = true
	default:
		a.Waiting = now
		m.more(r, now)
	}
	r.Changed = true
}

// leads reports whether b may be the later tier of the very trouble a, of which
// ops know or are about to hear: trouble that buyers feel is never the later
// tier of trouble that they don't. Both tiers can come at once, the later first,
// from a Prometheus that was away.
func leads(a, b notifier.ActiveAlert) bool {
	return b.Tier == rules.Management && (a.Heard || !a.Waiting.IsZero()) && a.Public == b.Public
}

// outweighs reports whether who knows of a needs to hear nothing of b: it is
// lighter, or buyers feel a alone, or a has run into the tier of management,
// which b has not.
func outweighs(a, b notifier.ActiveAlert) bool {
	return gravity(a.Severity) > gravity(b.Severity) ||
		gravity(a.Severity) == gravity(b.Severity) && (a.Public && !b.Public || a.Tier == rules.Management && b.Tier != rules.Management)
}

// heard gives the alerts that ops know of.
func heard(alerts []notifier.ActiveAlert) []notifier.ActiveAlert {
	return slices.DeleteFunc(slices.Clone(alerts), func(a notifier.ActiveAlert) bool { return !a.Heard })
}

// more tells ops what joined an incident that they know of. Graver trouble is
// told at once; the like of what they know is gathered, so that ten products
// that run out make one notice, and a storm one notice a Pause.
func (m *Machine) more(r *Result, now time.Time) {
	i := &r.Incident
	var waiting []int
	var first time.Time
	graver := false
	for at, a := range i.Alerts {
		if a.Waiting.IsZero() || !a.Ended.IsZero() {
			continue
		}
		waiting = append(waiting, at)
		graver = graver || !slices.ContainsFunc(heard(i.Alerts), func(known notifier.ActiveAlert) bool { return !outweighs(a, known) })
		if first.IsZero() || a.Waiting.Before(first) {
			first = a.Waiting
		}
	}
	gathered := now.Sub(first) >= m.cfg.Settle && (i.More.IsZero() || now.Sub(i.More) >= m.cfg.Pause)
	if len(waiting) == 0 || !graver && !gathered {
		return
	}
	facts := m.facts(*i, notifier.Alert{StartsAt: now}) // what was held back on purpose isn't late
	facts.NewsSince = i.Alerts[waiting[0]].Since
	for _, at := range waiting {
		a := &i.Alerts[at]
		a.Heard, a.Waiting = true, time.Time{}
		facts.News = append(facts.News, rules.Text{ZH: cmp.Or(a.Summary.ZH, a.Name), EN: cmp.Or(a.Summary.EN, a.Name)})
	}
	i.More, r.Changed = now, true
	r.Notices = append(r.Notices, notifier.Notice{
		Incident: i.ID, Audience: rules.Ops, Event: notifier.EventJoined, At: now, Facts: facts,
	})
}

// publish makes the incident public and tells subscribers, once. start is of
// the alert that asked for it.
func (m *Machine) publish(r *Result, now, start time.Time) {
	i := &r.Incident
	if !i.Public {
		i.Public, r.Changed = true, true
		m.name(i)
	}
	// Nothing that an alert said leaves the house, nor who works on it.
	facts := m.facts(*i, notifier.Alert{StartsAt: start})
	facts.Acknowledged = notifier.Acknowledgement{}
	m.tell(r, now, rules.Subscribers, facts)
}

func (m *Machine) tell(r *Result, now time.Time, audience rules.Audience, facts notifier.Facts) {
	if _, told := r.Incident.Told[audience]; told {
		return
	}
	event := notifier.EventDown
	if audience == rules.Management {
		event = notifier.EventProlonged
	}
	r.Incident.Told[audience] = now
	r.Changed = true
	r.Notices = append(r.Notices, notifier.Notice{
		Incident: r.Incident.ID, Audience: audience, Event: event, At: now, Facts: facts,
	})
}

func (m *Machine) facts(i notifier.Incident, alert notifier.Alert) notifier.Facts {
	en, zh := alert.Annotations[rules.AnnotationDescription], alert.Annotations[rules.AnnotationDescriptionZH]
	return notifier.Facts{
		Title: i.Title, Service: i.Service, Impact: i.Impact, Since: i.Since,
		Description: rules.Text{ZH: cmp.Or(zh, en), EN: cmp.Or(en, zh)},
		RunbookURL:  alert.Annotations[rules.AnnotationRunbook],
		StatusURL:   m.cfg.StatusURL, AlertStart: alert.StartsAt, Alert: titular(i.Alerts).Name,
		Acknowledged: i.Acknowledged,
		Scope:        either(i.Scope), ETA: i.ETA, Workaround: either(i.Workaround),
	}
}
