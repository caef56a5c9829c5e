// Package notifier holds the nouns of telling: Alert, Incident, Update,
// Notice, Recipient, Message. Its children tell; they meet in notifier/app.
//
// The room knows no HTTP, no SQL and no clock. Nothing here measures anything,
// and nothing imports the measuring half: what both share is package rules.
package notifier

import (
	"strconv"
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
)

// Act is one deed: who did what, when. It is kept with its incident and never changed.
type Act struct {
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"`
	Deed Deed      `json:"deed"`
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
	Over  time.Time
	Ended time.Time // when the resolved came in; zero while firing
	// Listed is set once an Alertmanager that we ask listed the alert: only then
	// does its absence there mean anything.
	Listed bool
}

// Update is one entry of an incident's timeline.
type Update struct {
	At     time.Time
	Status IncidentStatus
	Text   rules.Text
}

// Event is what a notice tells.
type Event string

// The events.
const (
	EventDown      Event = "down"      // trouble began
	EventUpdated   Event = "updated"   // more joined the trouble that ops know of
	EventProlonged Event = "prolonged" // told to an audience that first hears at a later tier
	EventRecovered Event = "recovered" // trouble is over
)

// Notice is one thing to be told to one audience. One row; dispatch expands it
// into one delivery a recipient.
type Notice struct {
	ID       int64
	Incident string // incident ID
	Audience rules.Audience
	Event    Event
	At       time.Time // when it was decided
	Facts    Facts
}

// Facts is all that the wording of a notice may use. Public notices are built
// from Title, Service, Since and Over alone: the alert's Description may hold
// hosts and SQL errors and goes to ops and management only.
type Facts struct {
	Title       rules.Text `json:"title"`
	Service     Service    `json:"service"`
	Impact      Impact     `json:"impact"`
	Since       time.Time  `json:"since"`
	Over        time.Time  `json:"over,omitzero"` // recovered only
	Description rules.Text `json:"description"`
	RunbookURL  string     `json:"runbook_url,omitempty"`
	StatusURL   string     `json:"status_url,omitempty"` // public page
	AlertStart  time.Time  `json:"alert_start"`          // for shopwatch_notice_delay_seconds

	News         []rules.Text    `json:"news,omitempty"`        // updated only: what joined, for ops
	NewsSince    time.Time       `json:"news_since,omitzero"`   // when the first of News began
	Acknowledged Acknowledgement `json:"acknowledged,omitzero"` // never told to the public
}

// Lasted is how long the trouble lasted, zero while it runs.
func (f Facts) Lasted() time.Duration {
	if f.Over.IsZero() {
		return 0
	}
	return f.Over.Sub(f.Since)
}

// Language is "zh" or "en".
type Language string

// The languages of the house.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// Recipient is somebody who is told: a person on call from the config file, or
// a subscriber. Address is personal data: it is encrypted in the store and
// never stands in a log, an error or a metric.
type Recipient struct {
	ID       int64
	Audience rules.Audience
	Channel  string // telegram, email, sms
	Address  string // chat id, mail address, phone number in E.164
	Language Language
	Active   bool
}

// Delivery is one notice on its way to one recipient.
type Delivery struct {
	ID        int64
	Attempts  int // tries before this one
	Notice    Notice
	Recipient Recipient
}

// Identity is the same at every try, so that the far side can tell a doubled
// message from two.
func (d Delivery) Identity() string {
	return "n" + strconv.FormatInt(d.Notice.ID, 10) + "-r" + strconv.FormatInt(d.Recipient.ID, 10)
}

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery.
const (
	Queued DeliveryState = "queued"
	Sent   DeliveryState = "sent"
	Dead   DeliveryState = "dead" // given up: refused for good, or too old
)

// Outcome is what became of one try.
type Outcome struct {
	Delivery   int64
	State      DeliveryState
	At         time.Time
	Next       time.Time // Queued: when to try again
	Problem    string    // why not sent; no address, no secret
	Deactivate bool      // the recipient's address takes no more messages
}

// Message is a notice in the words of one language and the form of one channel.
type Message struct {
	// ID is the delivery's identity, the same at every try: "n12-r34".
	ID string
	// Thread groups messages of one incident (e-mail threading).
	Thread   string
	Event    Event
	Language Language
	Subject  string // one line, e-mail only
	Text     string // plain text: e-mail's text part, SMS as its reader sees it, Telegram's fallback
	HTML     string // Telegram's HTML subset on telegram, a whole document on email
	// Template and Params are what an SMS provider with registered templates
	// takes instead of text. Values are at most 35 runes.
	Template string
	Params   []Param
}

// Param is a named variable of an SMS template, in the template's order.
type Param struct{ Name, Value string }
