package incident

import (
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// impactOf is critical only when management must know and buyers can't do
// without the service; a warning is of a service that works.
func impactOf(alert notifier.ActiveAlert, essential bool) notifier.Impact {
	severity, prolonged := alert.Severity, alert.Tier == rules.Management
	switch {
	case severity == rules.SeverityNone || severity == rules.SeverityInfo:
		return notifier.ImpactNone
	case prolonged && essential:
		return notifier.ImpactCritical
	case prolonged || essential && severity != rules.SeverityWarning:
		return notifier.ImpactMajor
	}
	return notifier.ImpactMinor
}

// essential reports whether buyers can't do without the service now: it is
// critical, and no other critical one serves the same purpose; or it is the last
// of several ways to pay, or of several storefronts, and the others are down too.
func (m *Machine) essential(service notifier.Service, scene Scene) bool {
	if m.cfg.Peers == nil || service.Role != rules.RolePayment && service.Role != rules.RoleStorefront {
		return service.Critical
	}
	peers, up, instead := 0, 0, false
	for _, peer := range m.cfg.Peers(service) {
		peers++
		if other := scene.latest(peer.Key()); other == nil || !other.Open() || gravest(running(other.Alerts)) < gravity(rules.SeverityCritical) {
			up++
			instead = instead || peer.Critical
		}
	}
	switch {
	case peers > 0 && up == 0:
		return true
	case instead:
		return false
	}
	return service.Critical
}

// weigh raises the incident's impact to that of the gravest alert that fires. It
// never lowers it: that is ease's, which waits until it is certain. Subscribers
// who don't want to hear of lighter trouble hear of it now.
func (m *Machine) weigh(r *Result, now time.Time, scene Scene) {
	i := &r.Incident
	if impact := m.impact(*i, scene); worse(impact, i.Impact) {
		i.Impact, r.Changed = impact, true
	}
	if !worse(i.Impact, i.Worst) {
		return
	}
	i.Worst, r.Changed = i.Impact, true
	if wasTold(*i, rules.Subscribers) {
		r.Notices = append(r.Notices, notifier.Notice{
			Incident: i.ID, Audience: rules.Subscribers, Event: notifier.EventWorsened, At: now, Facts: m.publicFacts(*i, now),
		})
	}
}

func (m *Machine) impact(i notifier.Incident, scene Scene) notifier.Impact {
	firing := running(i.Alerts)
	if len(firing) == 0 {
		return i.Impact
	}
	impact, essential := notifier.ImpactNone, m.essential(i.Service, scene)
	for _, a := range firing {
		if of := impactOf(a, essential); worse(of, impact) {
			impact = of
		}
	}
	return impact
}

// ease lowers the impact once what weighed more has been over for a while, and
// its end can be believed. Whoever was told of the incident hears so while buyers
// feel the rest of it, at most once a Pause; what had ended is news to ops if it
// comes back.
func (m *Machine) ease(r *Result, now time.Time, scene Scene) {
	m.weigh(r, now, scene)
	i := &r.Incident
	impact := m.impact(*i, scene)
	last := lastEnded(i.Alerts)
	if !worse(i.Impact, impact) || now.Sub(last) < m.cfg.Settle || !m.settled(now, scene.Watchdog) {
		return
	}
	others := gravestEnded(i.Alerts) < gravest(running(i.Alerts)) // another service is back, which makes this one matter less
	i.Impact, r.Changed = impact, true
	if others || !felt(i.Alerts) || !i.Eased.IsZero() && now.Sub(i.Eased) < m.cfg.Pause {
		return
	}
	for at := range i.Alerts {
		if a := &i.Alerts[at]; !a.Ended.IsZero() {
			a.Heard = false
		}
	}
	m.name(i)
	i.Eased = now
	i.Updates = append(i.Updates, notifier.Update{At: now, Status: i.Status, Text: m.cfg.Words.Eased(*i)})
	m.announce(r, now, notifier.EventEased, m.facts(*i, notifier.Alert{StartsAt: now}))
}

// gravestEnded is the gravity of the gravest of the alerts that have ended, -1 of none.
func gravestEnded(alerts []notifier.ActiveAlert) int {
	return gravest(slices.DeleteFunc(slices.Clone(alerts), func(a notifier.ActiveAlert) bool { return a.Ended.IsZero() }))
}

// felt reports whether an alert fires of the kinds that buyers feel.
func felt(alerts []notifier.ActiveAlert) bool {
	return slices.ContainsFunc(alerts, func(a notifier.ActiveAlert) bool { return a.Public && a.Ended.IsZero() })
}

func worse(a, b notifier.Impact) bool {
	return slices.Index(notifier.Impacts, a) > slices.Index(notifier.Impacts, b)
}
