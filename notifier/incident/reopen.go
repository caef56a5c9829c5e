package incident

import (
	"slices"
	"time"

	"shopwatch/notifier"
)

// again reports whether an alert is the trouble of an incident that was over a
// moment ago: as grave as that was, or felt by buyers as that was. Lighter
// trouble often follows from it, and nobody should read that it is all back.
func (m *Machine) again(now time.Time, closed notifier.Incident, alert notifier.Alert) bool {
	if !alert.Firing || !told(alert) || closed.Status == notifier.Postmortem || m.cfg.Reopen <= 0 || now.Sub(closed.Closed) > m.cfg.Reopen {
		return false
	}
	active := activeOf(alert)
	return gravity(active.Severity) >= gravest(closed.Alerts) ||
		active.Public && slices.ContainsFunc(closed.Alerts, func(a notifier.ActiveAlert) bool { return a.Public })
}

// reopen gives a closed incident as it begins again. Whoever was told that it is
// over is told so; and who had it in hand has let go of it. Its alert may tell of
// a success that was before the end, as one does that looks back over an hour.
func (m *Machine) reopen(now time.Time, closed notifier.Incident, alert notifier.Alert) notifier.Incident {
	i := clone(closed)
	i.Resumed = earlier(later(alert.Since(), closed.Over), now)
	i.Reopened, i.Closed, i.Over, i.Status = now, time.Time{}, time.Time{}, notifier.Investigating
	i.Again = nil
	i.Due, i.Parent, i.Impact = m.due(now, i), "", notifier.ImpactNone
	i.More, i.Eased = time.Time{}, time.Time{}
	i.Acknowledged, i.Held = notifier.Acknowledgement{}, nil
	if !i.Public && !i.Publication.Held { // whoever held it has not let go
		i.Publication = notifier.Publication{}
	}
	if at := i.ETA.At; !at.IsZero() { // nobody has said since when it will be over now
		i.ETA = notifier.ETA{Earlier: append(slices.Clone(i.ETA.Earlier), at)}
	}
	for at := range i.Alerts {
		i.Alerts[at].Heard, i.Alerts[at].Waiting = false, time.Time{}
	}
	i.Updates = append(i.Updates, notifier.Update{At: now, Status: notifier.Investigating, Text: m.cfg.Words.Reopened(i)})
	return i
}

// rejoin reopens an incident and takes back into it what was left of it, of
// which nobody was told.
func (m *Machine) rejoin(now time.Time, before, rest notifier.Incident, alert notifier.Alert) Result {
	r := Result{Incident: m.reopen(now, before, alert), Changed: true}
	if !rest.Open() {
		return r
	}
	i := &r.Incident
	for _, a := range running(rest.Alerts) {
		i.Alerts = slices.DeleteFunc(i.Alerts, func(old notifier.ActiveAlert) bool { return old.Fingerprint == a.Fingerprint })
		i.Alerts = append(i.Alerts, a)
	}
	merged := clone(rest)
	merged.Alerts = slices.DeleteFunc(merged.Alerts, func(a notifier.ActiveAlert) bool { return a.Ended.IsZero() })
	merged.Closed, merged.Over, merged.Status = now, now, notifier.Resolved
	merged.Pending, merged.Due = nil, time.Time{}
	merged.Updates = append(merged.Updates, notifier.Update{At: now, Status: notifier.Resolved, Text: m.cfg.Words.Closed(merged)})
	r.Merged = &merged
	return r
}

// calm reports whether an incident that began again has been quiet for long
// enough to be called over: one that comes and goes is told once, not each time.
func (m *Machine) calm(i notifier.Incident, now time.Time) bool {
	return i.Reopened.IsZero() || now.Sub(lastEnded(i.Alerts)) >= m.cfg.Reopen
}

// watch notes that an incident seems over, and is watched for a while.
func (m *Machine) watch(r *Result, now time.Time) {
	i := &r.Incident
	if i.Status == notifier.Monitoring {
		return
	}
	i.Status, r.Changed = notifier.Monitoring, true
	if !watched(*i) {
		i.Updates = append(i.Updates, notifier.Update{At: now, Status: notifier.Monitoring, Text: m.cfg.Words.Watched(*i)})
	}
}

// watched reports whether the timeline already says, since the incident began
// again, that it is watched: one that comes and goes doesn't fill it.
func watched(i notifier.Incident) bool {
	return slices.ContainsFunc(i.Updates, func(u notifier.Update) bool {
		return u.Status == notifier.Monitoring && u.By == "" && !u.At.Before(i.Reopened)
	})
}
