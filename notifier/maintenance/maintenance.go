// Package maintenance is the life of planned work: scheduled, in progress,
// verified if people say so, completed; or cancelled before it began.
//
// It begins by itself at its time. It ends by itself too, but not before what was
// worked on is measured to work: until then it takes longer than planned, and
// people are told so, since "done" would be a guess. Pure functions with a given
// clock: the room asks nobody, keeps nothing and sends nothing.
package maintenance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The most that a person may plan and write of it, in characters.
const (
	LongestTitle = 80
	LongestText  = 1000

	mostServices = 50
	mostUpdates  = 100 // of one maintenance, which is read as a whole
	shortest     = time.Minute
	longest      = 7 * 24 * time.Hour
	farthest     = 366 * 24 * time.Hour
)

// Config is what a Machine is built of. All fields but StatusURL are required.
type Config struct {
	NewID func() string
	// Services gives all services that are known now, in the page's order.
	Services func() []notifier.Service
	// Remind is how long before it begins people are told again of planned work.
	Remind    time.Duration
	StatusURL string // of the public page, with a slash at its end; empty: it has no public address
	Quiet     bool   // somebody is there to keep still about what is worked on
}

// Machine is the state machine of planned work.
type Machine struct{ cfg Config }

// New gives a Machine.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Result is what one step changed.
type Result struct {
	Maintenance notifier.Maintenance
	Changed     bool
	Notices     []notifier.Notice // without ID
}

// Plan is what a person wants to have announced.
type Plan struct {
	By       string // as they call themselves; may be empty
	Title    rules.Text
	Text     rules.Text // what doesn't work meanwhile; may be empty
	Services []string   // keys: "main/alipay", or "main" for a whole shop
	Window   notifier.Window
	Silent   bool // for the page alone: nobody is sent it; its beginning and end are told
}

// Draft is what a person wants to change or tell of planned work. What it leaves
// out stands as before.
type Draft struct {
	By     string
	Status notifier.MaintenanceStatus // in_progress or verifying, while it goes on
	Text   rules.Text
	Window notifier.Window // either end may be left out
	Silent bool
}

// Schedule plans work. What begins now or began already goes on at once. A plan
// that won't do is [notifier.Invalid].
func (m *Machine) Schedule(now time.Time, p Plan) (Result, error) {
	p, err := m.checked(now, p)
	if err != nil {
		return Result{}, err
	}
	slices.Sort(p.Services)
	r := Result{Changed: true, Maintenance: notifier.Maintenance{
		ID: m.cfg.NewID(), Title: notifier.InBoth(p.Title), Text: notifier.InBoth(p.Text), Services: slices.Compact(p.Services),
		Window: p.Window, Status: notifier.Scheduled, Created: now,
		Acts: []notifier.Act{{At: now, By: p.By, Deed: notifier.DeedSchedule}},
	}}
	i := &r.Maintenance
	if !i.Window.From.After(now) {
		m.begin(&r, now, p.By)
		return r, nil
	}
	m.enter(i, notifier.MaintenanceUpdate{At: now, Text: i.Text, Window: i.Window, By: p.By})
	if i.Window.From.Sub(now) <= m.cfg.Remind {
		i.Reminded = now // it is near already
	}
	if !p.Silent {
		m.tell(&r, now, notifier.EventScheduled, notifier.Window{}, i.Text, p.By)
	}
	return r, nil
}

// Update changes planned work or tells how it stands. Another time of what has
// not begun is told to everybody, the rest to those who know of it.
func (m *Machine) Update(now time.Time, of notifier.Maintenance, d Draft) (Result, error) {
	r := Result{Maintenance: clone(of)}
	d, err := m.checkedDraft(now, of, d)
	if err != nil {
		return r, err
	}
	i := &r.Maintenance
	r.Changed = true
	before := notifier.Window{}
	if d.Window != i.Window {
		before, i.Window, i.Overrun = i.Window, d.Window, time.Time{}
		if i.Status == notifier.Scheduled && i.Window.From.Sub(now) > m.cfg.Remind {
			i.Reminded = time.Time{}
		}
	}
	i.Status = d.Status
	update := notifier.MaintenanceUpdate{At: now, Text: d.Text, By: d.By}
	if before != (notifier.Window{}) {
		update.Window = i.Window
	}
	m.enter(i, update)
	m.act(i, now, d.By, notifier.DeedUpdate)
	if d.Silent {
		return r, nil
	}
	event := notifier.EventProgress
	if i.Status == notifier.Scheduled && before != (notifier.Window{}) {
		event = notifier.EventScheduled
	}
	m.tell(&r, now, event, before, d.Text, d.By)
	return r, nil
}

// Begin begins planned work before its time.
func (m *Machine) Begin(now time.Time, of notifier.Maintenance, by string) (Result, error) {
	r := Result{Maintenance: clone(of)}
	by, err := notifier.PersonName(by)
	if err != nil {
		return r, err
	}
	if of.Status != notifier.Scheduled {
		return r, standing(of, "还没有开始的维护才能提前开始", "only what has not begun can begin")
	}
	m.act(&r.Maintenance, now, by, notifier.DeedBegin)
	m.begin(&r, now, by)
	return r, nil
}

// Complete ends work that goes on.
func (m *Machine) Complete(now time.Time, of notifier.Maintenance, by string, text rules.Text) (Result, error) {
	r := Result{Maintenance: clone(of)}
	by, text, err := said(by, text)
	if err != nil {
		return r, err
	}
	if !of.Working() {
		return r, standing(of, "正在进行的维护才能结束", "only what goes on can be completed")
	}
	m.act(&r.Maintenance, now, by, notifier.DeedComplete)
	m.end(&r, now, notifier.Completed, text, by)
	return r, nil
}

// Cancel takes back a plan that has not begun.
func (m *Machine) Cancel(now time.Time, of notifier.Maintenance, by string, text rules.Text) (Result, error) {
	r := Result{Maintenance: clone(of)}
	by, text, err := said(by, text)
	if err != nil {
		return r, err
	}
	if of.Status != notifier.Scheduled {
		return r, standing(of, "还没有开始的维护才能取消；正在进行的请用“结束”", "only what has not begun can be cancelled; what goes on can be completed")
	}
	m.act(&r.Maintenance, now, by, notifier.DeedCancel)
	m.end(&r, now, notifier.Cancelled, text, by)
	return r, nil
}

// Tick does what the clock asks for. works says whether all that is worked on is
// measured to work now.
func (m *Machine) Tick(now time.Time, of notifier.Maintenance, works bool) Result {
	r := Result{Maintenance: clone(of)}
	i := &r.Maintenance
	switch {
	case !of.Ahead():
	case of.Status == notifier.Scheduled && !now.Before(of.Window.Until): // nobody looked for all of it: that it begins is no news any more
		i.Status, i.Began, r.Changed = notifier.InProgress, i.Window.From, true
	case of.Status == notifier.Scheduled && !now.Before(of.Window.From):
		m.begin(&r, now, "")
	case of.Status == notifier.Scheduled && i.Reminded.IsZero() && i.Window.From.Sub(now) <= m.cfg.Remind:
		i.Reminded, r.Changed = now, true
		m.tell(&r, now, notifier.EventReminder, notifier.Window{}, i.Text, "")
	case of.Working() && !now.Before(of.Window.Until) && works:
		m.end(&r, now, notifier.Completed, rules.Text{}, "")
	case of.Working() && !now.Before(of.Window.Until) && i.Overrun.IsZero():
		i.Overrun, r.Changed = now, true
		m.enter(i, notifier.MaintenanceUpdate{At: now, Text: sayOverrun})
		m.tell(&r, now, notifier.EventProgress, notifier.Window{}, sayOverrun, "")
	}
	return r
}

// sayOverrun is told where nobody says anything and the work is not done in time.
var sayOverrun = rules.Text{
	ZH: "比原计划的时间长，还没有完全恢复。完成后会马上通知。",
	EN: "It takes longer than planned, and not everything works again yet. We'll tell you as soon as it is done.",
}

func (m *Machine) begin(r *Result, now time.Time, by string) {
	i := &r.Maintenance
	i.Status, i.Began, r.Changed = notifier.InProgress, now, true
	text := i.Text
	m.enter(i, notifier.MaintenanceUpdate{At: now, Text: text, By: by})
	m.tell(r, now, notifier.EventBegan, notifier.Window{}, text, by)
}

func (m *Machine) end(r *Result, now time.Time, status notifier.MaintenanceStatus, text rules.Text, by string) {
	i := &r.Maintenance
	i.Status, i.Ended, r.Changed = status, now, true
	m.enter(i, notifier.MaintenanceUpdate{At: now, Text: text, By: by})
	event := notifier.EventCompleted
	if status == notifier.Cancelled {
		event = notifier.EventCancelled
	}
	m.tell(r, now, event, notifier.Window{}, text, by)
}

// enter adds an entry to the timeline.
func (m *Machine) enter(i *notifier.Maintenance, u notifier.MaintenanceUpdate) {
	u.Status = i.Status
	i.Updates = append(i.Updates, u)
}

func (m *Machine) act(i *notifier.Maintenance, now time.Time, by string, deed notifier.Deed) {
	i.Acts = append(i.Acts, notifier.Act{At: now, By: by, Deed: deed})
}

// tell says an event to ops, and to subscribers of what they can see of it.
func (m *Machine) tell(r *Result, now time.Time, event notifier.Event, before notifier.Window, text rules.Text, by string) {
	i := r.Maintenance
	facts := notifier.Facts{
		Title: i.Title, Update: text, By: by, Since: i.Began, AlertStart: now,
		StatusURL: m.url(i),
	}
	if !i.Ended.IsZero() && !i.Began.IsZero() {
		facts.Over = i.Ended
	}
	say := func(audience rules.Audience, services []notifier.Service) {
		planned := &notifier.Planned{Status: i.Status, Window: i.Window, Before: before, Keys: []string{}, Quiet: m.cfg.Quiet}
		for _, s := range services {
			planned.Services, planned.Keys = append(planned.Services, s.Name), append(planned.Keys, s.Key())
		}
		facts.Planned = planned
		r.Notices = append(r.Notices, notifier.Notice{Incident: i.ID, Audience: audience, Event: event, At: now, Facts: facts})
	}
	services := m.covered(i)
	say(rules.Ops, services)
	if services = public(services); len(services) > 0 {
		facts.By = "" // who works on it stays in the house
		say(rules.Subscribers, services)
	}
}

func (m *Machine) url(i notifier.Maintenance) string {
	if m.cfg.StatusURL == "" {
		return ""
	}
	return m.cfg.StatusURL + "maintenances/" + i.ID
}

// covered are the services that are worked on, in the page's order.
func (m *Machine) covered(i notifier.Maintenance) []notifier.Service {
	return slices.DeleteFunc(slices.Clone(m.cfg.Services()), func(s notifier.Service) bool { return !i.Covers(s) })
}

func public(services []notifier.Service) []notifier.Service {
	return slices.DeleteFunc(slices.Clone(services), func(s notifier.Service) bool { return !s.Public })
}

func clone(i notifier.Maintenance) notifier.Maintenance {
	i.Services, i.Updates, i.Acts = slices.Clone(i.Services), slices.Clone(i.Updates), slices.Clone(i.Acts)
	return i
}

// standing is a deed that doesn't fit how the work stands.
func standing(i notifier.Maintenance, zh, en string) error {
	return &notifier.Error{
		Code: notifier.Conflict, Message: fmt.Sprintf("maintenance %s is %s: %s", i.ID, strings.ReplaceAll(string(i.Status), "_", " "), en),
		Chinese: fmt.Sprintf("维护 %s %s：%s", i.ID, inChinese[i.Status], zh),
	}
}

var inChinese = map[notifier.MaintenanceStatus]string{
	notifier.Scheduled: "已计划", notifier.InProgress: "正在进行", notifier.Verifying: "正在验证", notifier.Completed: "已经结束", notifier.Cancelled: "已经取消",
}
