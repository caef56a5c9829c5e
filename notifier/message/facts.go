package message

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The most runes that a notice takes of what comes from outside: names and
// titles, what an alert describes, what people write.
const (
	maxName        = 200
	maxDescription = 1500
	maxUpdate      = 3000
)

// maxHand is how many runes a text message takes of who has trouble in hand.
const maxHand = 12

// maxNews is how many of those that joined a notice names, and of those that a
// digest tells.
const maxNews = 10

// Facts is what the words of a notice may use: everything is in its language,
// and empty where it isn't known. Times are in the page's zone, with their date
// where that isn't the notice's.
type Facts struct {
	Event    notifier.Event
	Channel  string
	Language notifier.Language
	First    bool // recovered only: its reader never heard of the trouble
	Longer   bool // planned work that goes on takes longer than people were told
	Late     bool // it is delivered long after it was decided, at At: the trouble may be over
	Orders   bool // it is about orders that wait: Since is when the oldest was paid

	Shop       string // the page's title
	Title      string // what is wrong
	Service    string
	At         string // when the notice was decided
	Since      string // when it began; down: when it last did; planned work: empty before
	Again      string // when it began again; empty: it never did
	Over       string // recovered and completed only: when it ended
	Lasted     string // so far, or in all once it is over
	Scope      string // who is affected, as people say
	ETA        string // when it should be over, as people say, with what they said before
	Workaround string // what to do meanwhile, as people say
	Advice     string // what to do meanwhile, by what is wrong, briefly by SMS; on call: empty, and where there is a Workaround
	Afterwards string // what to do once it is over, by what was wrong; on call: empty
	Status     string // updated only: where the work stands; planned work: that it is done, and looked at
	Update     string // updated and planned work only: what people say

	Services string // planned work only: the names of what is worked on
	Window   string // planned work only: "11月23日 02:00 至 04:00（约 2 小时）"
	Before   string // planned work only: the window that people were told before, where it changed
	Until    string // planned work that is ahead or goes on only: when it should, with what people were told before

	StatusURL  string // the public page
	Leave      string // one-click leave, subscribers' e-mail only
	Manage     string // the subscription, subscribers' e-mail only
	ConfirmURL string // confirm and code only
	Code       string // confirm and code only, by SMS

	Digest   []Told // digest only: what happened, an entry an incident or a planned work, oldest first
	Problems int    // digest only: how many of these are incidents
	Works    int    // digest only: how many are planned work
	Open     int    // digest only: how many of the incidents still run

	OnCall *OnCall // what only those on call may read; nil for subscribers
}

// OnCall is what only ops and management may read.
type OnCall struct {
	Where        string // the service, and its key as in the configuration file; planned work: each
	Key          string // the key alone; planned work on several services: empty
	Hand         string // who has it in hand, or that nobody has: a few words, for a text message
	Impact       string
	Publication  string // how it is to become public that isn't yet; empty: it is, or never will be
	Acknowledged string // who has it in hand, and since when; empty: nobody said so
	Description  string // what the alert says
	RunbookURL   string
	By           string   // updated and planned work only: who says it
	Quiet        bool     // planned work only: its alerts are told to nobody meanwhile
	News         []string // joined only: what joined
	NewsSince    string   // joined only: when the first of News began
	NewsLasted   string   // joined only: how long that is ago
}

// Told is what a digest says of one incident, or of one planned work.
type Told struct {
	Title   string
	Course  string // from when to when, or since when
	Planned bool   // it is planned work
}

// public reports whether a delivery is for subscribers, who read nothing that an
// alert said. Whoever isn't known to be on call is one of them.
func public(d notifier.Delivery) bool {
	onCall := []rules.Audience{rules.Ops, rules.Management}
	return !slices.Contains(onCall, d.Notice.Audience) || d.Recipient.Audience == rules.Subscribers
}

func (w *Writer) facts(d notifier.Delivery, links recipientLinks) Facts {
	n, language := d.Notice.Facts, d.Recipient.Language
	say := wordsOf[language]
	in := func(t rules.Text, most int) string { return clean(t.In(string(language)), most) }
	f := Facts{
		Event: d.Notice.Event, Channel: d.Recipient.Channel, Language: language, First: d.First && d.Notice.Event == notifier.EventRecovered, Late: late(d),
		Orders: n.Alert == rules.AlertOrdersDelayed || n.Alert == rules.AlertOrdersStuck,
		Shop:   in(w.cfg.Page, maxName), Title: oneLine(in(n.Title, maxName)), Service: oneLine(in(n.Service.Name, maxName)),
		Scope: in(n.Scope, maxName), Workaround: in(n.Workaround, maxUpdate),
		Status: say.status[n.Status], Update: in(n.Update, maxUpdate), StatusURL: webURL(n.StatusURL),
		Leave: links.leave, Manage: links.manage, ConfirmURL: links.confirm, Code: links.code,
	}
	clock := clock{zone: w.cfg.Zone, now: d.Notice.At, language: language, brief: d.Recipient.Channel == SMS}
	if len(d.Digest) > 0 { // it is decided with its oldest
		clock.now = d.Digest[len(d.Digest)-1].At
	}
	f.digest(d.Digest, clock)
	if n.Planned != nil {
		f.planned(d, clock)
	} else {
		f.Title = cmp.Or(f.Title, f.Service, say.trouble)
		f.when(n, clock)
	}
	if !public(d) {
		f.OnCall = onCall(d, clock)
		return f
	}
	if n.Planned != nil {
		f.adviceOnWork()
	} else if !n.Over.IsZero() {
		f.Afterwards = say.afterwards[roleOf(n)]
	} else if f.Workaround == "" && n.Title != (rules.Text{}) {
		f.Advice = cmp.Or(say.adviceOf[n.Alert], say.advice[roleOf(n)])
		if f.Channel == SMS {
			f.Advice = say.brief[roleOf(n)]
		}
	}
	return f
}

// when tells the times.
func (f *Facts) when(n notifier.Facts, clock clock) {
	f.At = clock.moment(clock.now)
	if n.Since.IsZero() {
		return
	}
	since := n.Since
	if !n.Resumed.IsZero() {
		f.Again = clock.moment(n.Resumed)
		if f.Event == notifier.EventDown { // to its reader nothing was before
			since = n.Resumed
		}
	}
	f.Since, f.Lasted = clock.zoned(since), clock.duration(clock.now.Sub(since))
	if n.Over.IsZero() {
		f.ETA = clock.expected(n.ETA)
	} else {
		f.Over, f.Lasted = clock.moment(n.Over), clock.duration(n.Lasted())
	}
}

// late reports whether a notice of trouble that runs is told so late, as after
// quiet hours, that how long it has lasted is no longer so; or one of planned
// work, when that should have begun meanwhile.
func late(d notifier.Delivery) bool {
	if n := d.Notice.Facts; n.Planned != nil && n.Since.IsZero() {
		return d.At.After(n.Planned.Window.From)
	}
	return d.Notice.Facts.Over.IsZero() && d.At.Sub(d.Notice.At) > 10*time.Minute
}

// roleOf is what is wrong, by the alert where that says more than the service:
// a payment method need not be a service.
func roleOf(n notifier.Facts) rules.Role {
	switch n.Alert {
	case rules.AlertPaymentFailing, rules.AlertPaymentFailingProlonged:
		return rules.RolePayment
	case rules.AlertOrdersDelayed, rules.AlertOrdersStuck:
		return rules.RoleDelivery
	}
	return cmp.Or(n.Service.Role, rules.RoleOther)
}

func onCall(d notifier.Delivery, clock clock) *OnCall {
	n, language := d.Notice.Facts, d.Recipient.Language
	say := wordsOf[language]
	o := &OnCall{
		Impact: say.impact[n.Impact], Description: clean(n.Description.In(string(language)), maxDescription),
		RunbookURL: webURL(n.RunbookURL), By: oneLine(clean(n.By, maxName)),
	}
	if key := n.Service.Key(); key != "" {
		o.Key = clean(key, maxName)
		o.Where = fmt.Sprintf(say.where, oneLine(clean(n.Service.Name.In(string(language)), maxName)), o.Key)
	}
	if n.Planned != nil {
		o.where(*n.Planned, language)
		o.Quiet = n.Planned.Quiet
	}
	o.Hand = say.untaken
	if n.Acknowledged.Given() {
		by := cmp.Or(oneLine(clean(n.Acknowledged.By, maxName)), say.somebody)
		o.Acknowledged = fmt.Sprintf(say.inHand, by, clock.moment(n.Acknowledged.At))
		o.Hand = fmt.Sprintf(say.taken, clamp(by, maxHand, "…"))
	}
	switch {
	case n.Publication.Held:
		o.Publication = say.publicHeld
	case !n.Publication.At.IsZero():
		o.Publication = fmt.Sprintf(say.publicAt, clock.moment(n.Publication.At))
	}
	if !n.NewsSince.IsZero() {
		o.NewsSince, o.NewsLasted = clock.moment(n.NewsSince), clock.duration(clock.now.Sub(n.NewsSince))
	}
	for _, joined := range n.News {
		o.News = append(o.News, oneLine(clean(joined.In(string(language)), maxName)))
	}
	if left := len(o.News) - maxNews; left > 0 {
		o.News = append(o.News[:maxNews], fmt.Sprintf(say.left, left))
	}
	return o
}

// digest tells each incident and planned work once, as the last of its notices leaves it.
func (f *Facts) digest(notices []notifier.Notice, clock clock) {
	last := map[string]notifier.Notice{}
	var order []string
	for _, n := range notices {
		if _, known := last[n.Incident]; !known {
			order = append(order, n.Incident)
		}
		last[n.Incident] = n
	}
	say := wordsOf[f.Language]
	for _, incident := range order {
		if n := last[incident]; n.Facts.Planned != nil {
			f.Works++
			f.Digest = append(f.Digest, toldPlanned(n, clock))
			continue
		}
		n := last[incident].Facts
		f.Problems++
		told := Told{Title: oneLine(clean(n.Title.In(string(f.Language)), maxName))}
		if n.Over.IsZero() {
			f.Open++
			told.Course = fmt.Sprintf(say.stillOpen, clock.moment(n.Since))
		} else {
			told.Course = fmt.Sprintf(say.wasOpen, clock.moment(n.Since), clock.moment(n.Over), clock.duration(n.Lasted()))
		}
		f.Digest = append(f.Digest, told)
		f.StatusURL = cmp.Or(f.StatusURL, webURL(n.StatusURL))
	}
	for _, incident := range order { // a page of one work goes after that of all
		f.StatusURL = cmp.Or(f.StatusURL, webURL(last[incident].Facts.StatusURL))
	}
}

// clean takes out what would change how the rest is read: control characters but
// line breaks, and those that turn the direction of writing. It cuts at runes.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
	return clamp(strings.TrimSpace(s), most, "…")
}

// webURL is an address that may become a link, and "" where it may not: an
// alert's runbook comes from outside.
func webURL(address string) string {
	const longest = 2000 // what browsers and messengers take
	parsed, err := url.Parse(address)
	if err != nil || len(address) > longest || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return ""
	}
	return parsed.String()
}

// oneLine is s without line breaks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// clamp cuts at runes, never inside one, and ends what it cut with mark.
func clamp(s string, runes int, mark string) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes-len([]rune(mark))]) + mark
}
