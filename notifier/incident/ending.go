package incident

import (
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

func (m *Machine) end(r *Result, now time.Time, watchdog Watchdog, alert notifier.Alert) {
	i := &r.Incident
	at := slices.IndexFunc(i.Alerts, func(a notifier.ActiveAlert) bool { return a.Fingerprint == alert.Fingerprint })
	if at < 0 || alert.StartsAt.Before(i.Alerts[at].StartsAt) {
		return // never fired here, or the end of an earlier firing
	}
	if i.Alerts[at].Ended.IsZero() {
		i.Alerts[at].Ended, i.Alerts[at].Over = now, alert.Over()
		r.Changed = true
	}
	if over(i.Alerts) && m.settled(now, watchdog) {
		m.close(r, now)
	}
}

// over reports whether the trouble of these alerts has ended: none as grave as
// the gravest fires any more, nor any that buyers feel. What else is lighter often
// looks back over an hour, and would keep everybody from hearing that the outage
// itself is over.
func over(alerts []notifier.ActiveAlert) bool {
	most := gravest(alerts)
	return !slices.ContainsFunc(alerts, func(a notifier.ActiveAlert) bool {
		return a.Ended.IsZero() && (a.Public || gravity(a.Severity) >= most)
	})
}

// split moves what still fires into an incident of its own, which the console
// shows and nobody is told of: ops know of it, or had graver things to know.
func (m *Machine) split(r *Result, now time.Time) {
	i := &r.Incident
	rest := notifier.Incident{
		Key: i.Key, Service: i.Service, Status: notifier.Investigating, Impact: notifier.ImpactNone,
		Since: now, Opened: now, Told: map[rules.Audience]time.Time{},
	}
	for _, a := range i.Alerts {
		if !a.Ended.IsZero() {
			continue
		}
		a.Heard, a.Waiting = true, time.Time{}
		rest.Alerts = append(rest.Alerts, a)
		rest.Since = earlier(rest.Since, a.Since)
		if impact := impactOf(a, i.Service); worse(impact, rest.Impact) {
			rest.Impact = impact
		}
	}
	if len(rest.Alerts) == 0 {
		return
	}
	i.Alerts = slices.DeleteFunc(i.Alerts, func(a notifier.ActiveAlert) bool { return a.Ended.IsZero() })
	rest.ID = m.cfg.NewID()
	m.name(&rest)
	rest.Updates = []notifier.Update{{At: now, Status: notifier.Investigating, Text: m.cfg.Words.Opened(rest)}}
	r.Rest = &rest
}

func (m *Machine) close(r *Result, now time.Time) {
	i := &r.Incident
	m.split(r, now)
	for _, a := range i.Alerts {
		if a.Over.After(i.Over) {
			i.Over = a.Over
		}
	}
	if i.Over.Before(i.Since) {
		i.Over = i.Since
	}
	i.Closed, i.Status = now, notifier.Resolved
	i.Updates = append(i.Updates, notifier.Update{At: now, Status: notifier.Resolved, Text: m.cfg.Words.Closed(*i)})
	r.Changed = true
	for _, audience := range rules.Audiences {
		if _, told := i.Told[audience]; !told {
			continue
		}
		facts := m.facts(*i, notifier.Alert{StartsAt: now})
		facts.Over = i.Over
		r.Notices = append(r.Notices, notifier.Notice{
			Incident: i.ID, Audience: audience, Event: notifier.EventRecovered, At: now, Facts: facts,
		})
	}
}

// settled reports whether Prometheus evaluates, and has done so for long enough
// to have fired again what it still sees.
func (m *Machine) settled(now time.Time, watchdog Watchdog) bool {
	return !watchdog.Evaluated.IsZero() && now.Sub(watchdog.Evaluated) < m.cfg.Fresh &&
		!watchdog.Evaluated.Before(watchdog.Since.Add(m.cfg.Settle))
}
