// Package incident decides which alerts open, worsen and close which incident,
// and which notices follow.
//
// It is pure: the clock is given, there is no I/O and no state of its own. Its
// functions take the latest incident of a key and return it changed, so that
// whoever keeps it can store the change and its notices in one transaction, and
// so that the same alert told twice changes nothing the second time. incident.go
// is what alerts do to an incident, ending.go when it is over, told.go who hears
// of it; acknowledge.go, update.go and publish.go are what people do to it.
package incident

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Words gives the sentences that an incident carries.
type Words interface {
	// Title names the trouble as a buyer feels it: "Alipay payments are failing".
	// It may quote the annotations that alert has: a public incident gives none.
	Title(alert notifier.Alert, service notifier.Service) rules.Text
	// Opened and Closed are the timeline's first and last entries.
	Opened(notifier.Incident) rules.Text
	Closed(notifier.Incident) rules.Text
}

// Config is what a Machine is built of. All fields are required but StatusURL.
type Config struct {
	Words Words
	NewID func() string
	// Service looks a service up by its key; false while it isn't known (yet).
	Service func(key string) (notifier.Service, bool)
	// Fresh is how old a Watchdog may be for a resolved alert to be believed:
	// a dead Prometheus makes Alertmanager call everything resolved after four
	// minutes, by when the last Watchdog is older than this.
	Fresh time.Duration
	// Settle is how long Prometheus must have been evaluating again before a
	// doubtful resolved is believed: time enough to fire again.
	Settle time.Duration
	// Pause is the least time between two notices of what joined an incident.
	Pause time.Duration
	// Hold keeps management out of trouble that somebody has in hand.
	Hold      bool
	StatusURL string // the public page, named in notices
}

// Machine is the state machine of incidents.
type Machine struct{ cfg Config }

// New gives a Machine.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Watchdog is what the newest Watchdog that arrived proves.
type Watchdog struct {
	// Evaluated is when Prometheus evaluated it; zero: none ever arrived.
	Evaluated time.Time
	// Since is the first evaluation after the last silence. Prometheus's groups
	// of rules run one after the other: for a while after it is back, it has
	// said that it lives and not yet what it sees.
	Since time.Time
}

// Next is w after a Watchdog that was evaluated at a moment. Two that lie
// further apart than fresh have a silence between them.
func (w Watchdog) Next(evaluated time.Time, fresh time.Duration) Watchdog {
	if !evaluated.After(w.Evaluated) {
		return w
	}
	if w.Evaluated.IsZero() || evaluated.Sub(w.Evaluated) >= fresh {
		w.Since = evaluated
	}
	w.Evaluated = evaluated
	return w
}

// Result is what one step changed.
type Result struct {
	Incident notifier.Incident
	Changed  bool
	Notices  []notifier.Notice // without ID
	// Rest holds what still fires, lighter, once Incident is over; nil where nothing does.
	Rest *notifier.Incident
}

// Alert takes one alert as one receiver brought it. latest is the newest
// incident with the alert's key, open or closed, nil if there never was one.
func (m *Machine) Alert(now time.Time, watchdog Watchdog, latest *notifier.Incident, alert notifier.Alert) Result {
	switch {
	case latest == nil && !alert.Firing:
		return Result{} // the end of something we never heard of
	case latest != nil && !latest.Open():
		if !alert.Firing || m.late(now, *latest, alert) || calledOver(*latest, alert) {
			return Result{Incident: *latest} // told again after it was over
		}
		latest = nil
	}
	var incident notifier.Incident
	if latest == nil {
		incident = m.open(now, alert)
	} else {
		incident = clone(*latest)
	}
	r := Result{Incident: incident, Changed: latest == nil}
	if alert.Firing {
		m.fire(&r, now, alert)
	} else {
		m.end(&r, now, watchdog, alert)
	}
	return r
}

// Tick looks at one open incident again: it closes it once a doubtful end is
// confirmed, publishes it once its service is known to be public, and tells ops
// what joined it.
func (m *Machine) Tick(now time.Time, watchdog Watchdog, open notifier.Incident) Result {
	r := Result{Incident: clone(open)}
	if !open.Open() {
		return r
	}
	m.describe(&r)
	if r.Incident.Wanted && !r.Incident.Public && r.Incident.Service.Public {
		m.publish(&r, now, r.Incident.Opened)
	}
	m.more(&r, now)
	if !over(r.Incident.Alerts) {
		return r
	}
	var last time.Time
	for _, a := range r.Incident.Alerts {
		if a.Ended.After(last) {
			last = a.Ended
		}
	}
	if m.settled(now, watchdog) && !watchdog.Evaluated.Before(last.Add(m.cfg.Settle)) {
		m.close(&r, now)
	}
	return r
}

// describe takes up what is known of the service by now. A service that was
// unknown when its alert came also gives the incident its title only now.
func (m *Machine) describe(r *Result) {
	i := &r.Incident
	service, ok := m.service(i.Key, i.Service.Key())
	service.Status = i.Service.Status
	if !ok || reflect.DeepEqual(service, i.Service) {
		return
	}
	renamed := i.Service.Position == 0
	i.Service, r.Changed = service, true
	if renamed {
		m.name(i)
	}
}

// service finds the service of an incident: by its key, or, where that has a
// third part (main/storefront/certificate), by the labels shop and service.
func (m *Machine) service(key, labels string) (notifier.Service, bool) {
	if service, ok := m.cfg.Service(key); ok {
		return service, true
	}
	return m.cfg.Service(labels)
}

// name titles the incident by its gravest alert, the first of several. What an
// alert says of itself stays out of a public title: it may hold hosts and SQL.
func (m *Machine) name(i *notifier.Incident) {
	if len(i.Alerts) == 0 {
		return
	}
	gravest := titular(i.Alerts)
	alert := notifier.Alert{Labels: map[string]string{rules.LabelAlert: gravest.Name}}
	if !i.Public {
		alert.Annotations = map[string]string{rules.AnnotationSummary: gravest.Summary.EN, rules.AnnotationSummaryZH: gravest.Summary.ZH}
	}
	i.Title = m.cfg.Words.Title(alert, i.Service)
}

// titular is the alert that gives an incident its title: the gravest, the first
// of several; zero of none.
func titular(alerts []notifier.ActiveAlert) notifier.ActiveAlert {
	var found notifier.ActiveAlert
	for at, a := range alerts {
		if at == 0 || gravity(a.Severity) > gravity(found.Severity) {
			found = a
		}
	}
	return found
}

func (m *Machine) open(now time.Time, alert notifier.Alert) notifier.Incident {
	shop, id := brief(alert.Labels[rules.LabelShop]), brief(cmp.Or(alert.Labels[rules.LabelService], alert.Name(), alert.Fingerprint))
	stranger := notifier.Service{Shop: shop, ID: id, Name: rules.Text{ZH: id, EN: id}, Role: rules.RoleOther}
	service, ok := m.service(alert.Key(), stranger.Key())
	if !ok {
		service = stranger
	}
	service.Status = "" // an incident tells what is wrong by itself; the status is the page's
	incident := notifier.Incident{
		ID: m.cfg.NewID(), Key: alert.Key(), Service: service,
		Status: notifier.Investigating, Impact: notifier.ImpactNone,
		Since: alert.Since(), Opened: now,
		Told: map[rules.Audience]time.Time{},
	}
	incident.Updates = []notifier.Update{{At: now, Status: notifier.Investigating, Text: m.cfg.Words.Opened(incident)}}
	return incident
}

func (m *Machine) fire(r *Result, now time.Time, alert notifier.Alert) {
	i := &r.Incident
	active := activeOf(alert)
	at := slices.IndexFunc(i.Alerts, func(a notifier.ActiveAlert) bool { return a.Fingerprint == alert.Fingerprint })
	switch {
	case at < 0:
		at = len(i.Alerts)
		i.Alerts = append(i.Alerts, active)
		if at == 0 || gravity(active.Severity) > gravest(i.Alerts[:at]) {
			m.name(i)
		}
		r.Changed = true
	case !i.Alerts[at].Ended.IsZero() || i.Alerts[at].StartsAt.Before(active.StartsAt):
		// It fires again, or still: a restarted Prometheus gives a new startsAt.
		last := i.Alerts[at]
		active.Since, active.Listed = earlier(active.Since, last.Since), last.Listed
		active.Heard, active.Waiting = last.Heard, last.Waiting
		i.Alerts[at] = active
		r.Changed = true
	}
	if active.Since.Before(i.Since) {
		i.Since, r.Changed = active.Since, true
	}
	if impact := impactOf(active, i.Service); worse(impact, i.Impact) {
		i.Impact, r.Changed = impact, true
	}
	if active.Severity != rules.SeverityInfo { // that is for the board and the digest: nobody is told
		m.hear(r, now, alert, at)
	}
}

func activeOf(alert notifier.Alert) notifier.ActiveAlert {
	en, zh := alert.Annotations[rules.AnnotationSummary], alert.Annotations[rules.AnnotationSummaryZH]
	return notifier.ActiveAlert{
		Fingerprint: alert.Fingerprint, Name: alert.Name(), Tier: rules.Audience(alert.Labels[rules.LabelTier]),
		Severity: rules.Severity(alert.Labels[rules.LabelSeverity]), Summary: rules.Text{ZH: cmp.Or(zh, en), EN: cmp.Or(en, zh)},
		Public: alert.Labels[rules.LabelPublic] == "true", StartsAt: alert.StartsAt, Since: alert.Since(),
	}
}

// late reports whether a closed incident already held this very firing and was
// closed just now: a receiver that was busy is told late, and must not open it
// again. Told much later, it is news: Prometheus keeps startsAt while a group of
// rules only stood still.
func (m *Machine) late(now time.Time, closed notifier.Incident, alert notifier.Alert) bool {
	return now.Sub(closed.Closed) <= 2*m.cfg.Settle && slices.ContainsFunc(closed.Alerts, func(a notifier.ActiveAlert) bool {
		return a.Fingerprint == alert.Fingerprint && !alert.StartsAt.After(a.StartsAt)
	})
}

// brief keeps a stranger's label from filling a message.
func brief(label string) string {
	const most = 100
	if r := []rune(label); len(r) > most {
		return string(r[:most]) + "…"
	}
	return label
}

// impactOf is critical only when management must know and buyers can't do
// without the service; a warning is of a service that works.
func impactOf(alert notifier.ActiveAlert, service notifier.Service) notifier.Impact {
	severity, prolonged := alert.Severity, alert.Tier == rules.Management
	switch {
	case severity == rules.SeverityNone || severity == rules.SeverityInfo:
		return notifier.ImpactNone
	case prolonged && service.Critical:
		return notifier.ImpactCritical
	case prolonged || service.Critical && severity != rules.SeverityWarning:
		return notifier.ImpactMajor
	}
	return notifier.ImpactMinor
}

// gravity orders severities. One that a stranger left out, or made up, is a warning.
func gravity(s rules.Severity) int {
	switch s {
	case rules.SeverityNone:
		return 0
	case rules.SeverityInfo:
		return 1
	case rules.SeverityCritical:
		return 3
	}
	return 2
}

// gravest is the gravity of the gravest of alerts, -1 of none.
func gravest(alerts []notifier.ActiveAlert) int {
	most := -1
	for _, a := range alerts {
		most = max(most, gravity(a.Severity))
	}
	return most
}

func worse(a, b notifier.Impact) bool {
	return slices.Index(notifier.Impacts, a) > slices.Index(notifier.Impacts, b)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// clone keeps the caller's incident untouched.
func clone(i notifier.Incident) notifier.Incident {
	i.Alerts = slices.Clone(i.Alerts)
	i.Updates = slices.Clone(i.Updates)
	i.Acts = slices.Clone(i.Acts)
	told := make(map[rules.Audience]time.Time, len(i.Told))
	for audience, at := range i.Told {
		told[audience] = at
	}
	i.Told = told
	return i
}
