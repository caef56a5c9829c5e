package incident

import (
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

func (m *Machine) end(r *Result, now time.Time, scene Scene, alert notifier.Alert) {
	i := &r.Incident
	at := indexOf(i.Alerts, alert)
	if at < 0 || alert.StartsAt.Before(i.Alerts[at].StartsAt) {
		return // never fired here, or the end of an earlier firing
	}
	if i.Alerts[at].Ended.IsZero() {
		i.Alerts[at].Ended, i.Alerts[at].Over = now, alert.Over()
		i.Alerts[at].Waiting = time.Time{}
		r.Changed = true
	}
	m.settle(r, now, scene, m.follow(r, now, scene))
}

// settle closes the incident if its trouble has ended, that can be believed, and
// nothing speaks for waiting.
func (m *Machine) settle(r *Result, now time.Time, scene Scene, parent *notifier.Incident) {
	i := &r.Incident
	switch {
	case !over(i.Alerts) || !direct(i.Alerts) && !m.settled(now, scene.Watchdog):
	case !m.calm(*i, now):
		m.watch(r, now)
	case !awaits(*i, parent):
		m.close(r, now)
	}
}

// over reports whether the trouble of these alerts has ended: none as grave as
// the gravest fires any more, nor any that buyers feel. What else is lighter often
// looks back over an hour, and would keep everybody from hearing that the outage
// itself is over; where buyers felt the gravest, so would what is only as grave.
func over(alerts []notifier.ActiveAlert) bool {
	most := gravest(alerts)
	if slices.ContainsFunc(alerts, func(a notifier.ActiveAlert) bool { return a.Public && gravity(a.Severity) == most }) {
		most++
	}
	return !slices.ContainsFunc(alerts, func(a notifier.ActiveAlert) bool {
		return a.Ended.IsZero() && (a.Public || gravity(a.Severity) >= most)
	})
}

// direct reports whether all that ended was told to have by whoever measured it.
func direct(alerts []notifier.ActiveAlert) bool {
	return !slices.ContainsFunc(alerts, func(a notifier.ActiveAlert) bool { return !a.Ended.IsZero() && !a.Direct })
}

// lastEnded is when the last of these alerts that have ended did; zero of none.
func lastEnded(alerts []notifier.ActiveAlert) time.Time {
	var last time.Time
	for _, a := range alerts {
		last = later(last, a.Ended)
	}
	return last
}

// split moves what still fires into an incident of its own, which the console
// shows. Ops are told of it if it lasts: for a while it may be but the trace of
// what is over.
func (m *Machine) split(r *Result, now time.Time) {
	i := &r.Incident
	rest := notifier.Incident{
		Key: i.Key, Service: i.Service, Status: notifier.Investigating, Impact: notifier.ImpactNone,
		Since: now, Opened: now, Told: map[rules.Audience]time.Time{}, After: i.ID, Alerts: running(i.Alerts),
	}
	if len(rest.Alerts) == 0 {
		return
	}
	i.Alerts = slices.DeleteFunc(i.Alerts, func(a notifier.ActiveAlert) bool { return a.Ended.IsZero() })
	rest.Former = slices.Clone(i.Alerts)
	news := false
	for at := range rest.Alerts {
		a := &rest.Alerts[at]
		a.Heard, a.Waiting = true, time.Time{}
		rest.Since = earlier(rest.Since, a.Since)
		if impact := impactOf(*a, i.Service.Critical); worse(impact, rest.Impact) {
			rest.Impact = impact
		}
		news = news || gravity(a.Severity) > gravity(rules.SeverityInfo)
	}
	rest.ID, rest.Worst = m.cfg.NewID(), rest.Impact
	m.name(&rest)
	rest.Updates = []notifier.Update{{At: now, Status: notifier.Investigating, Text: m.cfg.Words.Opened(rest)}}
	if news {
		rest.Due = now.Add(m.cfg.Aftermath)
		rest.Pending = map[rules.Audience]notifier.Facts{rules.Ops: m.facts(rest, notifier.Alert{})}
	}
	r.Rest = &rest
}

func (m *Machine) close(r *Result, now time.Time) {
	i := &r.Incident
	m.split(r, now)
	for _, a := range i.Alerts {
		i.Over = later(i.Over, a.Over)
	}
	i.Over = later(i.Over, i.Since)
	i.Closed, i.Status, i.Impact = now, notifier.Resolved, i.Worst
	i.Pending, i.Due, i.Parent = nil, time.Time{}, ""
	if titular(i.Alerts).Name != "" {
		m.name(i)
	}
	i.Updates = append(i.Updates, notifier.Update{At: now, Status: notifier.Resolved, Text: m.cfg.Words.Closed(*i)})
	r.Changed = true
	facts := m.facts(*i, notifier.Alert{StartsAt: now})
	facts.Over = i.Over
	m.announce(r, now, notifier.EventRecovered, facts)
}

// settled reports whether Prometheus evaluates, and has done so for long enough
// to have fired again what it still sees.
func (m *Machine) settled(now time.Time, watchdog Watchdog) bool {
	return !watchdog.Evaluated.IsZero() && now.Sub(watchdog.Evaluated) < m.cfg.Fresh &&
		!watchdog.Evaluated.Before(watchdog.Since.Add(m.cfg.Settle))
}
