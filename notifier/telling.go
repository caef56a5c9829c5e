package notifier

import (
	"slices"
	"strconv"
	"time"

	"shopwatch/rules"
)

// Event is what a notice tells.
type Event string

// The events.
const (
	EventDown      Event = "down"      // trouble began
	EventJoined    Event = "joined"    // more joined the trouble that ops know of
	EventProlonged Event = "prolonged" // told to an audience that first hears at a later tier
	EventRecovered Event = "recovered" // trouble is over
	EventWorsened  Event = "worsened"  // it weighs more than ever: told as down, to whoever has not heard of it
	EventReopened  Event = "reopened"  // it began again within the quiet time: told as down to whoever has not heard of it
	EventEased     Event = "eased"     // it still runs, and is lighter than it was
	EventUpdated   Event = "updated"   // people tell how it stands
	EventConfirm   Event = "confirm"   // somebody asked to be told: is it you?
	EventWelcome   Event = "welcome"   // a sign-up is confirmed
	EventDigest    Event = "digest"    // what happened in a subscriber's quiet hours
	EventCode      Event = "code"      // a way back to one's own subscription

	EventScheduled Event = "maintenance_scheduled"   // work is planned, or planned for another time
	EventReminder  Event = "maintenance_reminder"    // planned work is near
	EventBegan     Event = "maintenance_in_progress" // planned work goes on
	EventProgress  Event = "maintenance_updated"     // people tell how planned work stands, or that it takes longer
	EventCompleted Event = "maintenance_completed"   // planned work is done
	EventCancelled Event = "maintenance_cancelled"   // it won't be
)

// Texted are the events that are told by text message. One costs money: the
// beginning and the end of trouble are told, the beginning of planned work, and
// codes for signing up.
var Texted = []Event{EventDown, EventProlonged, EventReopened, EventRecovered, EventBegan, EventConfirm, EventCode}

// Lane orders what waits to be sent: what is in a lower one goes first.
type Lane int

// The lanes.
const (
	LaneOnCall       Lane = iota // ops and management
	LanePublic                   // subscribers
	LaneConfirmation             // of sign-ups
)

// Lanes lists every lane, the most urgent first.
var Lanes = []Lane{LaneOnCall, LanePublic, LaneConfirmation}

func (l Lane) String() string { return [...]string{"on_call", "public", "confirmation"}[l] }

// Notice is one thing to be told to one audience, or to one recipient. One row;
// dispatch expands it into one delivery a recipient.
type Notice struct {
	ID       int64
	Incident string // ID of the incident, or of the maintenance; empty: of none
	Audience rules.Audience
	To       int64 // the one recipient; 0: the whole audience
	Event    Event
	At       time.Time // when it was decided
	Facts    Facts
}

// Lane is that of the notice.
func (n Notice) Lane() Lane {
	switch {
	case n.Event == EventConfirm || n.Event == EventWelcome || n.Event == EventCode:
		return LaneConfirmation
	case n.Audience == rules.Subscribers:
		return LanePublic
	}
	return LaneOnCall
}

// Facts is all that the wording of a notice may use. Public notices are built
// from Title, Service, Since and Over alone: the alert's Description may hold
// hosts and SQL errors and goes to ops and management only.
type Facts struct {
	Title       rules.Text `json:"title"`
	Service     Service    `json:"service"`
	Impact      Impact     `json:"impact"`
	Since       time.Time  `json:"since"`
	Resumed     time.Time  `json:"resumed,omitzero"` // when it last began again; zero: never
	Over        time.Time  `json:"over,omitzero"`    // recovered, and of work that began and ended
	Description rules.Text `json:"description"`
	RunbookURL  string     `json:"runbook_url,omitempty"`
	StatusURL   string     `json:"status_url,omitempty"` // public page
	AlertStart  time.Time  `json:"alert_start"`          // for shopwatch_notice_delay_seconds
	Alert       string     `json:"alert,omitempty"`      // name of the alert that gives the title: orders that wait are told by their tier

	// Publication is how the incident is to become public that isn't yet; never told to the public.
	Publication Publication `json:"publication,omitzero"`

	News         []rules.Text    `json:"news,omitempty"`        // joined only: what joined, for ops
	NewsSince    time.Time       `json:"news_since,omitzero"`   // when the first of News began
	Acknowledged Acknowledgement `json:"acknowledged,omitzero"` // never told to the public

	Status     IncidentStatus `json:"status,omitempty"` // updated only
	Update     rules.Text     `json:"update,omitzero"`  // what people say: updated and recovered, and of planned work
	By         string         `json:"by,omitempty"`     // who says so; never told to the public
	Scope      rules.Text     `json:"scope,omitzero"`
	ETA        ETA            `json:"eta,omitzero"`
	Workaround rules.Text     `json:"workaround,omitzero"`

	Planned *Planned `json:"planned,omitempty"` // maintenance only, whose Title is its, and whose Update is what people say
}

// Heard reports whether a subscriber wants to hear of this: of trouble with its
// service, or of planned work on any of several.
func (f Facts) Heard(w Wants) bool {
	if f.Planned == nil {
		return w.Hear(f.Service.Key(), f.Impact)
	}
	return len(f.Planned.Keys) == 0 || slices.ContainsFunc(f.Planned.Keys, func(key string) bool { return w.Hear(key, "") })
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

// RecipientState is whether somebody is told.
type RecipientState string

// The states of a recipient.
const (
	Pending  RecipientState = "pending"  // has signed up, and not yet confirmed
	Active   RecipientState = "active"   // is told
	Refused  RecipientState = "refused"  // the far side takes nothing for the address any more
	Departed RecipientState = "departed" // left, or is no longer in the configuration file
)

// Recipient is somebody who is told: a person on call from the config file, or
// a subscriber. Address is personal data: it is encrypted in the store and
// never stands in a log, an error or a metric.
type Recipient struct {
	ID       int64
	Audience rules.Audience
	Channel  string // telegram, email, sms, webhook, dingtalk, wecom, feishu
	Address  string // chat id, mail address, phone number in E.164, or the name of a configured webhook
	Language Language
	State    RecipientState
	Wants    Wants
	// Nonce makes the words by which a subscriber proves to be the one: a new one
	// at each confirmation that is asked for, so that older words are void.
	Nonce string
}

// Subscriber is a recipient who signed up, with what only sign-up needs.
type Subscriber struct {
	Recipient
	Created    time.Time
	Confirmed  time.Time // zero: never
	NonceUntil time.Time // until when words made with Nonce are good
	NonceTries int       // wrong ones since Nonce was made
	Problem    string    // why the far side refuses; no address
}

// AuditEntry is one human act, kept for good.
type AuditEntry struct {
	ID      int64
	At      time.Time
	By      string // as they call themselves; empty: they gave no name
	Way     string // console, api, cli, telegram, page
	Deed    string
	Subject string // "incident k3…", "recipient 17"; no personal data
	Detail  string
}

// Wants is what a subscriber wants to hear. The zero value is everything, at once.
type Wants struct {
	Services []string `json:"services,omitempty"` // keys; empty: all
	Least    Impact   `json:"least,omitempty"`    // lighter incidents are left out; empty: none are
	Quiet    Quiet    `json:"quiet,omitzero"`
}

// Quiet is when a subscriber wants to be left alone, in minutes of the day in
// the page's zone; it may run over midnight. What happens meanwhile is told in
// one digest at its end. From equal to To: never.
type Quiet struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Until is when the quiet hours end that a moment lies in, in the moment's
// location; zero: it lies in none.
func (q Quiet) Until(at time.Time) time.Time {
	minute := at.Hour()*60 + at.Minute()
	evening := minute >= q.From // of a night that runs over midnight
	switch {
	case q.From == q.To,
		q.From < q.To && (minute < q.From || minute >= q.To),
		q.From > q.To && !evening && minute >= q.To:
		return time.Time{}
	case q.From > q.To && evening:
		at = at.AddDate(0, 0, 1)
	}
	year, month, day := at.Date()
	return time.Date(year, month, day, 0, q.To, 0, 0, at.Location())
}

// Hear reports whether a subscriber wants to hear of trouble with a service. Of
// what nobody knows the impact, everybody does.
func (w Wants) Hear(service string, impact Impact) bool {
	return (len(w.Services) == 0 || slices.Contains(w.Services, service)) &&
		(w.Least == "" || impact == "" || slices.Index(Impacts, impact) >= slices.Index(Impacts, w.Least))
}

// Follows reports whether an event goes on with what was told before: it goes to
// those who were told, whatever they want to hear of now. What began again is a
// beginning to whoever was not.
func (e Event) Follows() bool {
	switch e {
	case EventRecovered, EventEased, EventUpdated, EventProgress, EventCompleted, EventCancelled:
		return true
	}
	return false
}

// Ends reports whether an event ends what was told before: what of that is still
// unsent then gives way to it.
func (e Event) Ends() bool {
	return e == EventRecovered || e == EventCompleted || e == EventCancelled
}

// Delivery is one notice on its way to one recipient.
type Delivery struct {
	ID        int64
	Attempts  int // tries before this one
	Notice    Notice
	Recipient Recipient
	// First is set where the recipient hears of the incident for the first time:
	// a recovery then tells the whole story, and what began again has begun.
	First bool
	// Digest holds the other notices that one message tells, oldest first: those
	// of a subscriber's quiet hours. Notice is then of EventDigest.
	Digest []Notice
	// Together are the IDs of the deliveries besides ID that this one message
	// ends: those of Digest.
	Together []int64
	// At is the moment before which the far side must not hear of it.
	At time.Time
	// Unclear is who may have it from a try before.
	Unclear Unclear
}

// useful is for how long a notice is worth sending.
const useful = 24 * time.Hour

// UsefulUntil is when a notice that was decided at a moment, or that a person
// sent again then, is too old to be sent.
func UsefulUntil(decided time.Time) time.Time { return decided.Add(useful) }

// Identity is the same at every try, so that the far side can tell a doubled
// message from two.
func (d Delivery) Identity() string {
	return "n" + strconv.FormatInt(d.Notice.ID, 10) + "-r" + strconv.FormatInt(d.Recipient.ID, 10)
}

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery.
const (
	Queued   DeliveryState = "queued"
	Sent     DeliveryState = "sent"
	Dead     DeliveryState = "dead"     // given up: refused for good, or for too long; can be sent again
	Dropped  DeliveryState = "dropped"  // too old to be of use, or whom it was for has left
	Replaced DeliveryState = "replaced" // by a later notice that tells the same and more
)

// Outcome is what became of one try.
type Outcome struct {
	Delivery   int64
	State      DeliveryState
	At         time.Time
	Next       time.Time // Queued: when to try again
	Problem    string    // why not sent; no address, no secret
	Deactivate bool      // the recipient's address takes no more messages
	Moved      string    // the recipient's new address; empty: as before
	// Block is the scope that the far side stopped until Next; without a name: none.
	Block Scope
	// BlockRecipient: until Next the far side takes nothing for the recipient.
	BlockRecipient bool
	// Unclear is who may have it all the same, of this try or one before.
	Unclear Unclear
	// Unspent are the scopes whose day's limit the try did not use after all.
	Unspent []Scope
}

// Message is a notice in the words of one language and the form of one channel.
type Message struct {
	// ID is the delivery's identity, the same at every try: "n12-r34".
	ID string
	// Thread groups messages of one incident (e-mail threading).
	Thread   string
	Event    Event
	Language Language
	Subject  string // one line: of an e-mail, a robot's card, a webhook's object
	// Text is plain: e-mail's text part, SMS as its reader sees it, Telegram's
	// fallback, what a webhook says. For dingtalk, wecom and feishu it is what stands
	// below the subject, and holds nothing that their Markdown would take for a sign.
	Text string
	HTML string // Telegram's HTML subset on telegram, a whole document on email
	// Leave is the https address by which an e-mail's reader leaves with one click
	// (RFC 8058); empty where there is none, as for people on call.
	Leave string
	// Buttons are rows of what can be pressed under the message: deeds on telegram,
	// links on dingtalk, wecom and feishu.
	Buttons [][]Button
	// Template and Params are what an SMS provider with registered templates
	// takes instead of text. Values are at most 35 runes.
	Template string
	Params   []Param
	// Unclear is who may have taken it at a try before.
	Unclear Unclear
}

// Param is a named variable of an SMS template, in the template's order.
type Param struct{ Name, Value string }

// Button is one thing to press: it opens URL, or hands Data to the bot.
type Button struct {
	Text string
	URL  string
	Data string // at most 64 bytes
}
