// Package notifier holds the nouns of telling: Alert, Incident, Update,
// Notice, Recipient, Message. Its children tell; they meet in notifier/app.
//
// The room knows no HTTP, no SQL and no clock. Nothing here measures anything,
// and nothing imports the measuring half: what both share is package rules.
package notifier

import (
	"time"

	"shopwatch/rules"
)

// Alert is one alert as Alertmanager told it through one receiver.
type Alert struct {
	Audience    rules.Audience // the receiver that brought it
	Fingerprint string         // 16 hex digits over the label set
	Firing      bool           // false: resolved
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
	EndsAt      time.Time // zero while firing
	// Direct is set where whoever measured it tells it, without Prometheus and
	// Alertmanager between: its end needs no Watchdog to be believed.
	Direct bool
}

// Name is the alert's alertname.
func (a Alert) Name() string { return a.Labels[rules.LabelAlert] }

// Key is what correlates alerts of one outage: label incident, or, for a
// stranger's alert without one, its fingerprint.
func (a Alert) Key() string {
	if key := a.Labels[rules.LabelIncident]; key != "" {
		return key
	}
	return a.Fingerprint
}

// Since is when the trouble began: annotation since (the last success), and
// StartsAt where the alert has none. It never comes from startsAt otherwise,
// which is new after a restart of Prometheus.
func (a Alert) Since() time.Time {
	if at, ok := unixAnnotation(a.Annotations[rules.AnnotationSince]); ok {
		return at
	}
	return a.StartsAt
}

// Over is when the trouble of a resolved alert ended: EndsAt less the time for
// which the rule keeps firing after its condition ended; never before Since.
func (a Alert) Over() time.Time {
	over := a.EndsAt
	if held, ok := secondsAnnotation(a.Annotations[rules.AnnotationKeepFiringFor]); ok {
		over = over.Add(-held)
	}
	if since := a.Since(); over.Before(since) {
		return since
	}
	return over
}

// Service is a service as the telling half knows it, read from
// shopwatch_service_info and shopwatch_service_status.
type Service struct {
	Shop, ID string
	Name     rules.Text
	Group    rules.Text
	Role     rules.Role
	Position int
	Critical bool
	Public   bool
	Status   rules.Status // Unknown where nobody measures
	// DependsOn are the keys of the services without which this one can't work.
	DependsOn []string `json:",omitempty"`
}

// Key is the correlation key of the service's incidents.
func (s Service) Key() string {
	if s.Shop == "" { // a stranger's alert names none
		return s.ID
	}
	return s.Shop + "/" + s.ID
}

// IncidentStatus is where the work on an incident stands, in Statuspage's words.
type IncidentStatus string

// The statuses of an incident.
const (
	Investigating IncidentStatus = "investigating"
	Identified    IncidentStatus = "identified"
	Monitoring    IncidentStatus = "monitoring"
	Resolved      IncidentStatus = "resolved"
	Postmortem    IncidentStatus = "postmortem"
)

// Impact is how bad an incident is, in Statuspage's words.
type Impact string

// The impacts, harmless first.
const (
	ImpactNone     Impact = "none"
	ImpactMinor    Impact = "minor"
	ImpactMajor    Impact = "major"
	ImpactCritical Impact = "critical"
)

// Impacts lists every impact, harmless first.
var Impacts = []Impact{ImpactNone, ImpactMinor, ImpactMajor, ImpactCritical}

// Incident is one outage as people are told of it: opened by the first alert
// with its key, closed when the last of its gravest ends.
type Incident struct {
	ID      string // opaque, stable, safe in a URL
	Key     string // <shop>/<service>, or a fingerprint
	Service Service
	Title   rules.Text // plain words: "Alipay payments are failing"
	Status  IncidentStatus
	Impact  Impact
	Public  bool
	Wanted  bool      // an alert of it came through subscribers: public as soon as its service is known to be
	Since   time.Time // when the trouble began, not when we noticed
	Opened  time.Time // when the first alert came
	Over    time.Time // when the trouble ended; zero while open
	Closed  time.Time // when we knew that it ended; zero while open
	Alerts  []ActiveAlert
	Told    map[rules.Audience]time.Time // to whom a notice of the trouble went out, and when
	More    time.Time                    // when ops were last told what had joined the incident; zero: never
	Updates []Update                     // oldest first

	// Parent is the incident that is this one's root cause; empty: none is known.
	// While the parent runs, nobody is told that this one began or ended.
	Parent string `json:",omitempty"`
	// Due is when the first notices may go out, if no parent shows up until then; zero: they may.
	Due time.Time `json:",omitzero"`
	// Publication is when the incident becomes public by itself, and whether it
	// waits for a person instead.
	Publication Publication `json:",omitzero"`
	// What people have made known, as the last update left it.
	Scope      rules.Text `json:",omitzero"` // who is affected: all users, some, which products or channels
	ETA        ETA        `json:",omitzero"`
	Workaround rules.Text `json:",omitzero"`
	Reopened   time.Time  `json:",omitzero"` // when we last heard that it began again within the quiet time; zero: never
	Resumed    time.Time  `json:",omitzero"` // when it last began again, not when we noticed; zero: never

	// Again is to whom a notice went out that it began again, since Reopened.
	Again map[rules.Audience]time.Time `json:",omitempty"`
	// Pending is what audiences are to be told once nothing speaks for waiting: Due
	// has passed, and no Parent that they know of runs.
	Pending map[rules.Audience]Facts `json:",omitempty"`
	// Children are the incidents that follow from this one, as far as ops were told.
	Children []string `json:",omitempty"`
	// After is the incident that this one is left of: lighter trouble that outlived
	// it. Former are the alerts that had ended with that one.
	After  string        `json:",omitempty"`
	Former []ActiveAlert `json:",omitempty"`
	Worst  Impact        `json:",omitempty"` // that it had at any time; Impact is that again once it is over
	Eased  time.Time     `json:",omitzero"`  // when people were last told that it is lighter; zero: never

	Acknowledged Acknowledgement // who has it in hand; zero: nobody said so
	Held         *Facts          // what management isn't told while somebody has it in hand; nil: nothing is held back
	Acts         []Act           // all that people did to it, oldest first
}

// Open reports whether the incident is still running.
func (i Incident) Open() bool { return i.Closed.IsZero() }

// Acknowledgement says that somebody of ops has an incident in hand.
type Acknowledgement struct {
	By string    `json:"by,omitempty"` // as they call themselves; empty: they gave no name
	At time.Time `json:"at,omitzero"`  // zero: nobody has
}

// Given reports whether there is one.
func (a Acknowledgement) Given() bool { return !a.At.IsZero() }

// Deed is what a person can do to an incident.
type Deed string

// The deeds.
const (
	DeedAcknowledge Deed = "acknowledge"
	DeedWithdraw    Deed = "withdraw" // an acknowledgement
	DeedPublish     Deed = "publish"  // make an incident public
	DeedHold        Deed = "hold"     // keep it from becoming public by itself
	DeedUpdate      Deed = "update"   // tell how it stands
	DeedSilence     Deed = "silence"  // its alerts in Alertmanager, for a while
	DeedResolve     Deed = "resolve"  // call it over, where nothing else will
)

// Act is one deed: who did what, when. It is kept with its incident and never changed.
type Act struct {
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
	Deed   Deed      `json:"deed"`
	Detail string    `json:"detail,omitempty"` // "until 03:40"; no personal data
}

// Publication says how an incident becomes public that asks for it.
type Publication struct {
	At   time.Time `json:"at,omitzero"`    // by itself; zero: at once
	Held bool      `json:"held,omitempty"` // waits for a person
}

// ETA is when people expect an incident to be over, and what they expected before.
type ETA struct {
	At      time.Time   `json:"at,omitzero"`       // zero: nobody says
	Earlier []time.Time `json:"earlier,omitempty"` // as promised before, oldest first
}

// ActiveAlert is an alert of an open incident.
type ActiveAlert struct {
	Fingerprint string
	Name        string
	Tier        rules.Audience
	Severity    rules.Severity
	Public      bool       // of the kinds that buyers feel
	Summary     rules.Text // as the alert says it: for ops, never for the public
	StartsAt    time.Time
	Since       time.Time
	// Heard is set once ops know of the alert, or need not be told beside what they know.
	Heard bool
	// Waiting is since when ops are to be told of the alert; zero: they aren't.
	Waiting time.Time
	// Over is set once Alertmanager called the alert resolved. Until the
	// Watchdog confirms that Prometheus lives, that is doubtful and closes nothing.
	Over   time.Time
	Ended  time.Time // when the resolved came in; zero while firing
	Direct bool      `json:",omitempty"` // see Alert.Direct
	// Listed is set once an Alertmanager that we ask listed the alert: only then
	// does its absence there mean anything.
	Listed bool
}

// Update is one entry of an incident's timeline. One that a person wrote may
// carry more than words; what it leaves out stands as before.
type Update struct {
	At         time.Time
	Status     IncidentStatus
	Text       rules.Text
	By         string     `json:",omitempty"` // who wrote it; never shown to the public
	Scope      rules.Text `json:",omitzero"`
	ETA        time.Time  `json:",omitzero"`
	Workaround rules.Text `json:",omitzero"`
}
