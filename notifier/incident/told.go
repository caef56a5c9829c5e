package incident

import (
	"cmp"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// hear tells the audience that brought an alert of the incident, or lets it
// wait, or leaves it out where the audience knows enough.
func (m *Machine) hear(r *Result, now time.Time, parent *notifier.Incident, alert notifier.Alert) {
	i := &r.Incident
	if !told(alert) {
		return
	}
	if _, was := i.Told[rules.Management]; was && !i.Reopened.IsZero() { // they heard that it was over
		m.say(r, now, parent, rules.Management, m.facts(*i, alert))
	}
	switch alert.Audience {
	case rules.Subscribers:
		if !i.Wanted {
			i.Wanted, r.Changed = true, true
		}
		if m.ripe(*i, now, parent) {
			m.publish(r, now, alert.StartsAt)
		}
	case rules.Ops:
		m.hearOps(r, now, parent, alert)
	case rules.Management:
		facts := m.facts(*i, alert)
		switch {
		case wasTold(*i, rules.Management): // and hears no more before the end
		case !m.holds(*i, alert):
			m.say(r, now, parent, rules.Management, facts)
			i.Held = nil
		case i.Held == nil:
			i.Held, r.Changed = &facts, true
		}
	}
}

// hearOps tells ops of the incident's first alert, and has them told of those
// that join it, but for the same trouble's later tier and for what weighs less
// than what they know: that follows from it more often than not. Once they heard
// that it eases, the later tier is news.
func (m *Machine) hearOps(r *Result, now time.Time, parent *notifier.Incident, alert notifier.Alert) {
	i := &r.Incident
	a := &i.Alerts[indexOf(i.Alerts, alert)]
	if a.Heard || !a.Waiting.IsZero() {
		return
	}
	switch {
	case !knows(i, rules.Ops):
		a.Heard = true
		m.say(r, now, parent, rules.Ops, m.facts(*i, alert))
	case slices.ContainsFunc(i.Alerts, func(known notifier.ActiveAlert) bool {
		return known.Heard && outweighs(known, *a) || i.Eased.IsZero() && leads(known, *a)
	}):
		a.Heard = true
	default:
		a.Waiting = now
	}
	r.Changed = true
}

// say tells an audience of the incident, or keeps what it is to be told until
// its root cause has had time to show up.
func (m *Machine) say(r *Result, now time.Time, parent *notifier.Incident, audience rules.Audience, facts notifier.Facts) {
	i := &r.Incident
	switch {
	case knows(i, audience):
	case !now.Before(i.Due) && !hides(parent, audience):
		m.tell(r, now, audience, facts)
	default:
		if i.Pending == nil {
			i.Pending = map[rules.Audience]notifier.Facts{}
		}
		i.Pending[audience] = facts
		if parent != nil { // which may be about to tell that audience of itself
			i.Due = later(i.Due, now.Add(m.cfg.ParentWait))
		}
		r.Changed = true
	}
}

// release tells whoever had to wait, once they need to no longer.
func (m *Machine) release(r *Result, now time.Time, parent *notifier.Incident) {
	i := &r.Incident
	if over(i.Alerts) || now.Before(i.Due) {
		return
	}
	for _, audience := range rules.Audiences {
		kept, waits := i.Pending[audience]
		if !waits || hides(parent, audience) {
			continue
		}
		delete(i.Pending, audience)
		facts := m.facts(*i, notifier.Alert{StartsAt: now}) // kept back on purpose, so it isn't late
		facts.Description, facts.RunbookURL = kept.Description, kept.RunbookURL
		m.tell(r, now, audience, facts)
		if audience == rules.Ops {
			named(i)
		}
	}
	if m.ripe(*i, now, parent) && !wasTold(*i, rules.Subscribers) {
		m.publish(r, now, now)
	}
}

// named marks as known to ops what the notice of the gravest alert tells, or
// makes needless to tell.
func named(i *notifier.Incident) {
	gravest := titular(i.Alerts)
	for at := range i.Alerts {
		a := &i.Alerts[at]
		if a.Fingerprint == gravest.Fingerprint || outweighs(gravest, *a) {
			a.Heard, a.Waiting = true, time.Time{}
		}
	}
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

// more tells ops what joined an incident that they know of: alerts, and
// incidents that follow from it. Graver trouble is told at once; the like of what
// they know is gathered, so that ten products that run out make one notice, and a
// storm one notice a Pause.
func (m *Machine) more(r *Result, now time.Time, scene Scene) {
	i := &r.Incident
	if !wasTold(*i, rules.Ops) {
		return
	}
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
	children := followers(*i, scene.Open)
	for _, child := range children {
		if first.IsZero() || child.Opened.Before(first) {
			first = child.Opened
		}
	}
	gathered := now.Sub(first) >= m.cfg.Settle && (i.More.IsZero() || now.Sub(i.More) >= m.cfg.Pause)
	if len(waiting)+len(children) == 0 || !graver && !gathered {
		return
	}
	facts := m.facts(*i, notifier.Alert{StartsAt: now}) // what was held back on purpose isn't late
	news := func(text rules.Text, since time.Time) {
		facts.News = append(facts.News, text)
		if facts.NewsSince.IsZero() || since.Before(facts.NewsSince) {
			facts.NewsSince = since
		}
	}
	for _, at := range waiting {
		a := &i.Alerts[at]
		a.Heard, a.Waiting = true, time.Time{}
		news(rules.Text{ZH: cmp.Or(a.Summary.ZH, a.Name), EN: cmp.Or(a.Summary.EN, a.Name)}, a.Since)
	}
	for _, child := range children {
		i.Children = append(i.Children, child.ID)
		news(child.Title, child.Since)
	}
	i.More, r.Changed = now, true
	r.Notices = append(r.Notices, notifier.Notice{
		Incident: i.ID, Audience: rules.Ops, Event: notifier.EventJoined, At: now, Facts: facts,
	})
}

// wasTold reports whether an audience was told that the incident began, or,
// where it has reopened, that it began again.
func wasTold(i notifier.Incident, audience rules.Audience) bool {
	_, told := i.Told[audience]
	if !i.Reopened.IsZero() {
		_, told = i.Again[audience]
	}
	return told
}

// owed lists the audiences that are to hear of the incident's end.
func owed(i notifier.Incident) []rules.Audience {
	return slices.DeleteFunc(slices.Clone(rules.Audiences), func(a rules.Audience) bool { return !wasTold(i, a) })
}

// tell tells an audience that the incident began, or began again, once.
func (m *Machine) tell(r *Result, now time.Time, audience rules.Audience, facts notifier.Facts) {
	i := &r.Incident
	if wasTold(*i, audience) {
		return
	}
	event := notifier.EventDown
	_, before := i.Told[audience]
	switch {
	case before:
		event = notifier.EventReopened
	case audience == rules.Management:
		event = notifier.EventProlonged
	}
	if !before {
		i.Told[audience] = now
	}
	if !i.Reopened.IsZero() {
		if i.Again == nil { // an empty one is not kept
			i.Again = map[rules.Audience]time.Time{}
		}
		i.Again[audience] = now
	}
	r.Changed = true
	r.Notices = append(r.Notices, notifier.Notice{Incident: i.ID, Audience: audience, Event: event, At: now, Facts: facts})
}

// announce tells all who know of the incident, subscribers only what may be public.
func (m *Machine) announce(r *Result, now time.Time, event notifier.Event, facts notifier.Facts) {
	for _, audience := range owed(r.Incident) {
		told := facts
		if audience == rules.Subscribers {
			told.Acknowledged = notifier.Acknowledgement{}
		}
		r.Notices = append(r.Notices, notifier.Notice{Incident: r.Incident.ID, Audience: audience, Event: event, At: now, Facts: told})
	}
}

// untold reports whether nobody was ever told of the incident.
func untold(i notifier.Incident) bool { return len(i.Told) == 0 }

func (m *Machine) facts(i notifier.Incident, alert notifier.Alert) notifier.Facts {
	var publication notifier.Publication
	if !i.Public && i.Service.Public && felt(i.Alerts) {
		publication = i.Publication
	}
	en, zh := alert.Annotations[rules.AnnotationDescription], alert.Annotations[rules.AnnotationDescriptionZH]
	return notifier.Facts{
		Title: i.Title, Service: i.Service, Impact: i.Impact, Since: i.Since, Resumed: i.Resumed,
		Description: rules.Text{ZH: cmp.Or(zh, en), EN: cmp.Or(en, zh)},
		RunbookURL:  alert.Annotations[rules.AnnotationRunbook],
		StatusURL:   m.cfg.StatusURL, AlertStart: alert.StartsAt, Alert: titular(i.Alerts).Name,
		Acknowledged: i.Acknowledged, Publication: publication,
		Scope: notifier.InBoth(i.Scope), ETA: i.ETA, Workaround: notifier.InBoth(i.Workaround),
	}
}
