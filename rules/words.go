// Package rules is the treaty and the judgement of shopwatch.
//
// The treaty (this file and metrics.go) is every name that both sides of
// Prometheus speak: metrics, labels, statuses, tiers, audiences. The measuring
// half exports exactly these series, the telling half reads exactly these
// labels, and neither imports the other. The judgement is the rule files,
// alertmanager.yml and runbooks that this package renders.
//
// The room measures nothing, tells nobody, and imports nothing of ours.
package rules

import (
	"fmt"
	"time"
)

// Label names of metrics and alerts.
const (
	LabelShop     = "shop"
	LabelService  = "service"
	LabelTarget   = "target"
	LabelExporter = "exporter" // the scraped address, set by the scrape snippet
	LabelStatus   = "status"
	LabelReason   = "reason"
	LabelKind     = "kind"
	LabelAge      = "age"
	LabelPayment  = "payment"
	LabelEvent    = "event"
	LabelProduct  = "product"
	LabelCurrency = "currency"
	LabelSeverity = "severity"
	LabelTier     = "tier"
	LabelPublic   = "public"
	LabelIncident = "incident"
	LabelAlert    = "alertname"
)

// Annotation names of alerts.
const (
	AnnotationSummary       = "summary"
	AnnotationSummaryZH     = "summary_zh"
	AnnotationDescription   = "description"
	AnnotationDescriptionZH = "description_zh"
	AnnotationSince         = "since"           // Unix seconds, to the millisecond, of the last success: when it began
	AnnotationKeepFiringFor = "keep_firing_for" // seconds that Prometheus keeps the alert firing after the condition ended
	AnnotationEvaluated     = "evaluated"       // Watchdog only: Unix seconds of the evaluation
	AnnotationRunbook       = "runbook_url"
	AnnotationDashboard     = "dashboard_url"
)

// Status is what a service is, after hysteresis.
type Status string

// The statuses of a service in metric shopwatch_service_status. Maintenance is
// the fifth word of the page; it is a plan, not a measurement, and no metric carries it.
const (
	Operational Status = "operational"
	Degraded    Status = "degraded"
	Outage      Status = "outage"
	Unknown     Status = "unknown"
	Maintenance Status = "maintenance"
)

// MeasuredStatuses are the values of label status, from good to unknowable.
var MeasuredStatuses = []Status{Operational, Degraded, Outage, Unknown}

// Reason says in one bounded word why a look failed.
type Reason string

// The reasons of metric shopwatch_service_failures_total.
const (
	ReasonDNS         Reason = "dns"
	ReasonConnect     Reason = "connect"
	ReasonTLS         Reason = "tls"
	ReasonTimeout     Reason = "timeout"
	ReasonStatus      Reason = "status"
	ReasonBody        Reason = "body"
	ReasonAuth        Reason = "auth"
	ReasonQuery       Reason = "query"
	ReasonCertificate Reason = "certificate"
	ReasonVantage     Reason = "vantage" // we could not look: our own connectivity is gone
	ReasonOther       Reason = "other"
)

// Reasons lists every value of label reason.
var Reasons = []Reason{
	ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonStatus, ReasonBody,
	ReasonAuth, ReasonQuery, ReasonCertificate, ReasonVantage, ReasonOther,
}

// Role says what a service is for, so that a buyer can be told what fails in
// words ("Alipay payments are failing") rather than in names of machines.
type Role string

// The roles of label role in metric shopwatch_service_info.
const (
	RoleStorefront Role = "storefront"
	RolePayment    Role = "payment"
	RoleDelivery   Role = "delivery"
	RoleDatabase   Role = "database"
	RoleSMS        Role = "sms"
	RoleAPI        Role = "api"
	RoleOther      Role = "other"
)

// Roles lists every value of label role.
var Roles = []Role{RoleStorefront, RolePayment, RoleDelivery, RoleDatabase, RoleSMS, RoleAPI, RoleOther}

// ServiceDelivery is the service that order alerts belong to. A shop whose
// books are followed always has it; its status is judged from the orders.
const ServiceDelivery = "delivery"

// Kind of an order: delivered by the machine, or by a person.
type Kind string

// The values of label kind. They are never mixed: a person may be slow, the machine may not.
const (
	Automatic Kind = "automatic"
	Manual    Kind = "manual"
)

// Age is how long an order waits, in three tiers. The names are those of the
// default tiers (5 and 30 minutes) also where other tiers are configured.
type Age string

// The values of label age.
const (
	AgeUnder5m Age = "lt5m"
	Age5to30m  Age = "5to30m"
	AgeOver30m Age = "gt30m"
)

// Ages lists every value of label age, youngest first.
var Ages = []Age{AgeUnder5m, Age5to30m, AgeOver30m}

// OrderEvent is a transition of an order; one order passes several.
type OrderEvent string

// The values of label event.
const (
	OrderCreated          OrderEvent = "created"
	OrderPaid             OrderEvent = "paid"
	OrderUnpaidAtDeadline OrderEvent = "unpaid_at_deadline"
	OrderDelivered        OrderEvent = "delivered"
	OrderFailed           OrderEvent = "failed"
	OrderExpired          OrderEvent = "expired"
	OrderRefunded         OrderEvent = "refunded"
	OrderRemoved          OrderEvent = "removed"
)

// OrderEvents lists every value of label event.
var OrderEvents = []OrderEvent{
	OrderCreated, OrderPaid, OrderUnpaidAtDeadline, OrderDelivered,
	OrderFailed, OrderExpired, OrderRefunded, OrderRemoved,
}

// Basis says how a moment in an order's life is known.
type Basis string

// The values of labels paid and delivered in metric shopwatch_ledger_info.
const (
	BasisStored   Basis = "stored"   // the shop writes it down
	BasisUpdated  Basis = "updated"  // when the row was last touched, unless we saw it happen
	BasisObserved Basis = "observed" // when we saw it, to the interval of polls
	BasisNone     Basis = "none"     // the shop doesn't tell at all
)

// LedgerReason says in one bounded word why a poll of the books failed.
type LedgerReason string

// The reasons of metric shopwatch_ledger_failures_total.
const (
	LedgerAway        LedgerReason = "away"        // no connection, or it was lost
	LedgerAccess      LedgerReason = "access"      // account or grants
	LedgerSchema      LedgerReason = "schema"      // tables, columns or statuses are not the driver's
	LedgerClock       LedgerReason = "clock"       // the zone, or one of the clocks, is wrong
	LedgerSlow        LedgerReason = "slow"        // a statement took too long and was ended
	LedgerLocked      LedgerReason = "locked"      // a table is locked, for instance while it is altered
	LedgerConnections LedgerReason = "connections" // the server takes no more of them
	LedgerReplica     LedgerReason = "replica"     // the replica is so far behind that ages would lie
	LedgerClaimed     LedgerReason = "claimed"     // another exporter follows these books
	LedgerState       LedgerReason = "state"       // our own state file can't be written
	LedgerOther       LedgerReason = "other"
)

// LedgerReasons lists every value of label reason of that metric.
var LedgerReasons = []LedgerReason{
	LedgerAway, LedgerAccess, LedgerSchema, LedgerClock, LedgerSlow, LedgerLocked,
	LedgerConnections, LedgerReplica, LedgerClaimed, LedgerState, LedgerOther,
}

// Severity of an alert.
type Severity string

// The values of label severity.
const (
	SeverityCritical Severity = "critical"
	SeverityWarning  Severity = "warning"
	SeverityInfo     Severity = "info"
	SeverityNone     Severity = "none"
)

// Audience is who hears of an alert. The first two and Deadman are also the
// tiers (label tier) that rules carry; Subscribers is reached by label public.
type Audience string

// The audiences, which are also the names of Alertmanager's receivers and the
// values of query parameter audience on /webhook.
const (
	Ops         Audience = "ops"
	Management  Audience = "management"
	Subscribers Audience = "subscribers"
	Deadman     Audience = "deadman"
)

// Audiences lists every audience in the order in which they are told.
var Audiences = []Audience{Ops, Management, Subscribers, Deadman}

// Alert names that the telling half knows by name.
const (
	AlertWatchdog             = "Watchdog"
	AlertServiceDown          = "ServiceDown"
	AlertServiceDownProlonged = "ServiceDownProlonged"
	AlertOrdersDelayed        = "OrdersDelayed"
	AlertOrdersStuck          = "OrdersStuck"

	AlertPaymentFailing          = "PaymentFailing"
	AlertPaymentFailingProlonged = "PaymentFailingProlonged"
)

// Text is a name or a sentence in both languages of the house. It is never
// empty in one language only: constructors of configuration fill one from the other.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// In returns the text in the language, Chinese for "zh" and English otherwise.
func (t Text) In(language string) string {
	if language == "zh" {
		return t.ZH
	}
	return t.EN
}

// Escalation is when an outage reaches whom, and how fast all other clocks run.
type Escalation struct {
	// Ops and Management are ages of an outage: default 5 and 30 minutes.
	Ops, Management time.Duration
	// Pace multiplies every other duration of rules and routing: 1 in
	// production, 1/20 in the demo, whose time is compressed.
	Pace float64
}

// DefaultEscalation is 5 minutes to operations and 30 minutes to management.
func DefaultEscalation() Escalation {
	return Escalation{Ops: 5 * time.Minute, Management: 30 * time.Minute, Pace: 1}
}

// DemoEscalation is the default, twenty times as fast: 15 s and 90 s.
func DemoEscalation() Escalation {
	return Escalation{Ops: 15 * time.Second, Management: 90 * time.Second, Pace: 1.0 / 20}
}

// Check reports each field that makes no sense, by its name in shopwatch.yml,
// so that both halves refuse the same files and what they accept can be rendered.
func (e Escalation) Check(report func(field string, got any, want string)) {
	pace := e.Pace > 0 && e.Pace <= 1
	if !pace {
		report("pace", e.Pace, "more than 0 and at most 1")
	}
	switch least := e.Scale(settle + Interval); {
	case e.Ops <= 0:
		report("ops", e.Ops, "more than 0")
	case pace && e.Ops < least:
		report("ops", e.Ops, fmt.Sprintf("at least %v, which is a minute and a look at this pace", least))
	}
	if e.Management <= e.Ops {
		report("management", e.Management, "more than escalation.ops")
	}
}

// Scale is d at this escalation's pace.
func (e Escalation) Scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) * e.Pace)
}
