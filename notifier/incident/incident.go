// Package incident decides which alerts open, worsen and close which incident,
// and which notices follow.
//
// It is pure: the clock is given, there is no I/O and no state of its own. Its
// functions take the latest incident of a key and return it changed, so that
// whoever keeps it can store the change and its notices in one transaction, and
// so that the same alert told twice changes nothing the second time. incident.go
// is what alerts do to an incident, ending.go when it is over, reopen.go when it
// begins again, root.go what it follows from, impact.go how bad it is, told.go who
// hears of it, publication.go when everybody does; acknowledge.go, update.go and publish.go are what people do to it.
package incident

import (
	"cmp"
	"maps"
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
	// Reopened, Watched and Eased are entries between them: it began again soon
	// after it was over; it seems over, and is watched; it runs on, lighter.
	Reopened(notifier.Incident) rules.Text
	Watched(notifier.Incident) rules.Text
	Eased(notifier.Incident) rules.Text
}

// Config is what a Machine is built of. Words, NewID, Service, Fresh, Settle and
// Pause are required.
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
	// Reopen is how long after its end an incident opens again, instead of a new
	// one; 0: never. One that did is over only once it was quiet for as long.
	Reopen time.Duration
	// ParentWait is how long an incident whose service depends on others waits to
	// be told: until then its root cause may show up. A child that outlives its
	// parent for as long is told as its own.
	ParentWait time.Duration
	// Aftermath is how long lighter trouble that outlives an outage may be but its
	// trace: rules look back over an hour. What lasts longer is told to ops.
	Aftermath time.Duration
	// Publication says how an incident of a key becomes public that asks for it,
	// from now on; nil: at once.
	Publication func(key string) notifier.Publication
	// Peers gives the other services of the shop that serve the same purpose, as
	// other ways to pay do; nil: none are known.
	Peers func(notifier.Service) []notifier.Service
	// Hold keeps management out of trouble that somebody has in hand.
	Hold      bool
	StatusURL string // the public page, named in notices
}

// Machine is the state machine of incidents.
type Machine struct{ cfg Config }

// New gives a Machine.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Result is what one step changed.
type Result struct {
	Incident notifier.Incident
	Changed  bool
	Notices  []notifier.Notice // without ID
	// Rest holds what still fires, lighter, once Incident is over; nil where nothing does.
	Rest *notifier.Incident
	// Merged is what was left of Incident, and is part of it again now that it has
	// reopened; nil where nothing was.
	Merged *notifier.Incident
}

// Alert takes one alert as one receiver brought it. latest is the incident with
// the alert's key that is open, or else was closed last; nil if there never was one.
func (m *Machine) Alert(now time.Time, scene Scene, latest *notifier.Incident, alert notifier.Alert) Result {
	if latest == nil && !alert.Firing {
		return Result{} // the end of something we never heard of
	}
	if latest != nil && m.stale(now, *latest, alert) {
		return Result{Incident: *latest}
	}
	r := m.take(now, scene, latest, alert)
	if !alert.Firing {
		m.end(&r, now, scene, alert)
		return r
	}
	m.fire(&r, now, scene, alert)
	parent := m.follow(&r, now, scene)
	m.hear(&r, now, parent, alert)
	m.release(&r, now, parent)
	m.more(&r, now, scene)
	return r
}

// stale reports whether an alert tells what is over, and was known to be.
func (m *Machine) stale(now time.Time, latest notifier.Incident, alert notifier.Alert) bool {
	switch {
	case alert.Firing && m.late(now, latest.Opened, latest.Former, alert):
		return true
	case latest.Open():
		return false
	}
	return !alert.Firing || m.late(now, latest.Closed, latest.Alerts, alert) || calledOver(latest, alert)
}

// take gives the incident that an alert is of: the open one, one that it opens
// again, or a new one. What is left of an outage, of which nobody was told, gives
// way to the outage itself.
func (m *Machine) take(now time.Time, scene Scene, latest *notifier.Incident, alert notifier.Alert) Result {
	if latest == nil {
		return Result{Incident: m.open(now, alert), Changed: true}
	}
	if before := scene.incident(latest.After); before != nil && untold(*latest) && m.again(now, *before, alert) {
		return m.rejoin(now, *before, *latest, alert)
	}
	switch {
	case latest.Open():
		return Result{Incident: clone(*latest)}
	case m.again(now, *latest, alert):
		return Result{Incident: m.reopen(now, *latest, alert), Changed: true}
	}
	r := Result{Incident: m.open(now, alert), Changed: true}
	if now.Sub(latest.Closed) <= m.cfg.Reopen {
		r.Incident.After, r.Incident.Former = latest.ID, latest.Alerts
	}
	return r
}

// Tick looks at one open incident again: it closes it once a doubtful end is
// confirmed, tells of it whoever had to wait, publishes it once that is due, and
// tells ops what joined it and everybody when it eases.
func (m *Machine) Tick(now time.Time, scene Scene, open notifier.Incident) Result {
	r := Result{Incident: clone(open)}
	if !open.Open() {
		return r
	}
	m.describe(&r)
	parent := m.follow(&r, now, scene)
	m.ease(&r, now, scene)
	m.release(&r, now, parent)
	m.more(&r, now, scene)
	if last := lastEnded(r.Incident.Alerts); direct(r.Incident.Alerts) || !scene.Watchdog.Evaluated.Before(last.Add(m.cfg.Settle)) {
		m.settle(&r, now, scene, parent)
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

// titular is the alert that gives an incident its title: the gravest that fires,
// or of all where none does, the first of several; zero of none.
func titular(alerts []notifier.ActiveAlert) notifier.ActiveAlert {
	if firing := running(alerts); len(firing) > 0 {
		alerts = firing
	}
	var found notifier.ActiveAlert
	for at, a := range alerts {
		if at == 0 || gravity(a.Severity) > gravity(found.Severity) {
			found = a
		}
	}
	return found
}

// running gives the alerts that fire, as far as we know.
func running(alerts []notifier.ActiveAlert) []notifier.ActiveAlert {
	return slices.DeleteFunc(slices.Clone(alerts), func(a notifier.ActiveAlert) bool { return !a.Ended.IsZero() })
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
		Status: notifier.Investigating, Impact: notifier.ImpactNone, Worst: notifier.ImpactNone,
		Since: alert.Since(), Opened: now,
		Told: map[rules.Audience]time.Time{},
	}
	incident.Due = m.due(now, incident)
	incident.Updates = []notifier.Update{{At: now, Status: notifier.Investigating, Text: m.cfg.Words.Opened(incident)}}
	return incident
}

// fire takes up an alert that fires.
func (m *Machine) fire(r *Result, now time.Time, scene Scene, alert notifier.Alert) {
	i := &r.Incident
	active := activeOf(alert)
	before := titular(i.Alerts)
	felt := felt(i.Alerts)
	at := indexOf(i.Alerts, alert)
	switch {
	case at < 0:
		if i.After != "" && untold(*i) && told(alert) { // news, which need not wait to be more than a trace
			i.Due = earlier(i.Due, m.due(now, *i))
		}
		i.Alerts = append(i.Alerts, active)
		r.Changed = true
	case !i.Alerts[at].Ended.IsZero() && !active.Direct || i.Alerts[at].StartsAt.Before(active.StartsAt):
		// It fires again, or still: a restarted Prometheus gives a new startsAt.
		last := i.Alerts[at]
		active.Since, active.Listed = earlier(active.Since, last.Since), last.Listed
		active.Heard, active.Waiting, active.Public = last.Heard, last.Waiting, active.Public || last.Public
		i.Alerts[at] = active
		r.Changed = true
	case active.Public && !i.Alerts[at].Public:
		i.Alerts[at].Public, r.Changed = true, true
	}
	if titular(i.Alerts).Name != before.Name {
		m.name(i)
	}
	if active.Public && !felt && !i.Public {
		m.asks(i)
	}
	if active.Since.Before(i.Since) {
		i.Since, r.Changed = active.Since, true
	}
	if i.Status == notifier.Monitoring && !i.Reopened.IsZero() && watched(*i) {
		i.Status, r.Changed = notifier.Investigating, true
	}
	m.weigh(r, now, scene)
}

func indexOf(alerts []notifier.ActiveAlert, alert notifier.Alert) int {
	return slices.IndexFunc(alerts, func(a notifier.ActiveAlert) bool { return a.Fingerprint == alert.Fingerprint })
}

func activeOf(alert notifier.Alert) notifier.ActiveAlert {
	en, zh := alert.Annotations[rules.AnnotationSummary], alert.Annotations[rules.AnnotationSummaryZH]
	return notifier.ActiveAlert{
		Fingerprint: alert.Fingerprint, Name: alert.Name(), Tier: rules.Audience(alert.Labels[rules.LabelTier]),
		Severity: rules.Severity(alert.Labels[rules.LabelSeverity]), Summary: rules.Text{ZH: cmp.Or(zh, en), EN: cmp.Or(en, zh)},
		Public:   alert.Labels[rules.LabelPublic] == "true" || alert.Audience == rules.Subscribers && told(alert),
		StartsAt: alert.StartsAt, Since: alert.Since(), Direct: alert.Direct,
	}
}

// told reports whether anybody is told of such an alert: info is for the board
// and the digest, and none is for machines.
func told(alert notifier.Alert) bool {
	severity := rules.Severity(alert.Labels[rules.LabelSeverity])
	return severity != rules.SeverityInfo && severity != rules.SeverityNone
}

// late reports whether an incident that ended, or what was left of one began,
// just now already held this very firing: a receiver that was busy is told late,
// and must not open it again. Told much later, it is news: Prometheus keeps
// startsAt while a group of rules only stood still. Who measures for itself does not.
func (m *Machine) late(now, ended time.Time, alerts []notifier.ActiveAlert, alert notifier.Alert) bool {
	return (alert.Direct || now.Sub(ended) <= 2*m.cfg.Settle) && slices.ContainsFunc(alerts, func(a notifier.ActiveAlert) bool {
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

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// clone keeps the caller's incident untouched.
func clone(i notifier.Incident) notifier.Incident {
	i.Alerts = slices.Clone(i.Alerts)
	i.Updates = slices.Clone(i.Updates)
	i.Acts = slices.Clone(i.Acts)
	i.Children = slices.Clone(i.Children)
	i.Again, i.Pending = maps.Clone(i.Again), maps.Clone(i.Pending)
	told := make(map[rules.Audience]time.Time, len(i.Told))
	for audience, at := range i.Told {
		told[audience] = at
	}
	i.Told = told
	return i
}
