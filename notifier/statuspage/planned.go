package statuspage

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// maintenancePage is "/maintenances/{id}".
type maintenancePage struct {
	base
	Maintenance maintenanceView
	Facts       []fact
}

// maintenanceView is planned work in a list or on its own page.
type maintenanceView struct {
	Title, URL string
	Colour     colour
	Word       string // scheduled, in progress, completed …
	Names      string // of what is worked on
	Span       string // when: as planned, since when, or from when to when
	Extent     string // of a plan: for how long, in which zone
	Due        string // of what goes on: until when, or that it takes longer; "" otherwise
	Text       written
	Updates    []updateView // newest first; in lists without those that tell nothing new
}

// mostPlanned is how much planned work the home page tells; the history tells all.
const mostPlanned = 3

// maintenancePage composes "/maintenances/{id}".
func (c composer) maintenancePage(m notifier.Maintenance) maintenancePage {
	view := c.maintenanceView(m)
	view.Title, view.Updates = c.maintenanceTitle(m), c.maintenanceUpdates(m)
	if !m.Ahead() { // the title says so
		view.Word = ""
	}
	return maintenancePage{base: c.base(maintenancePath(m.ID), view.Title, view.Colour), Maintenance: view, Facts: c.maintenanceFacts(m)}
}

func (c composer) maintenanceViews(list []notifier.Maintenance) []maintenanceView {
	var views []maintenanceView
	for _, m := range list {
		views = append(views, c.maintenanceView(m))
	}
	return views
}

func (c composer) maintenanceView(m notifier.Maintenance) maintenanceView {
	view := maintenanceView{
		Title: c.say(m.Title), URL: maintenancePath(m.ID) + c.choice,
		Colour: colourOfMaintenance(m), Word: c.say(maintenanceWord(m)), Names: c.list(c.workNames(m)),
		Span: c.maintenanceSpan(m), Due: c.due(m), Text: c.read(m.Text), Updates: slices.DeleteFunc(c.maintenanceUpdates(m), updateView.bare),
	}
	if m.Status == notifier.Scheduled {
		view.Span, view.Extent = c.hours(m.Window), c.extent(m.Window)
	}
	return view
}

// colourOfMaintenance is green once the work is done, else blue.
func colourOfMaintenance(m notifier.Maintenance) colour {
	if m.Status == notifier.Completed {
		return green
	}
	return blue
}

// maintenanceTitle is the title with where the work stands, for readers who see
// it among incidents.
func (c composer) maintenanceTitle(m notifier.Maintenance) string {
	switch {
	case m.Status == notifier.Cancelled:
		return c.say(sayCancelledWork, c.say(m.Title))
	case !m.Ahead():
		return c.say(sayCompletedWork, c.say(m.Title))
	}
	return c.say(sayWork, c.say(m.Title))
}

// maintenanceWord is the word for where the work stands.
func maintenanceWord(m notifier.Maintenance) rules.Text {
	if word, known := maintenanceWords[m.Status]; known {
		return word
	}
	return maintenanceWords[notifier.Scheduled]
}

// pastWork is the word for ended work among incidents.
func pastWork(m notifier.Maintenance) rules.Text {
	if m.Status == notifier.Cancelled {
		return sayWorkCancelled
	}
	return sayWorkCompleted
}

// maintenanceSpan says from when to when.
func (c composer) maintenanceSpan(m notifier.Maintenance) string {
	w := stretch(m)
	switch {
	case m.Status == notifier.Cancelled:
		return c.say(sayWasPlanned, c.window(m.Window))
	case !m.Ahead():
		return c.say(sayRan, c.clock(w.From), c.clock(w.Until), c.length(w.Until.Sub(w.From)))
	case !m.Working():
		return c.window(m.Window)
	case !c.fresh || c.asOf.Before(w.From):
		return c.say(sayWorkBegan, c.clock(w.From))
	}
	return c.say(sayWorkRuns, c.clock(w.From), c.length(c.asOf.Sub(w.From)))
}

// due says until when what goes on is planned; past that moment, that it takes
// longer. It is empty for what does not go on.
func (c composer) due(m notifier.Maintenance) string {
	switch {
	case !m.Working():
		return ""
	case c.overdue(m):
		return c.say(sayWorkOverdue, c.appointed(m.Window.Until))
	}
	return c.say(sayWorkUntil, c.appointed(m.Window.Until))
}

// maintenanceFacts are the moments of planned work. What did not happen is left out.
func (c composer) maintenanceFacts(m notifier.Maintenance) []fact {
	facts := []fact{
		{Label: c.say(labels["covers"]), Text: strings.Join(c.workNames(m), c.say(comma))},
		{Label: c.say(labels["window"]), Text: c.window(m.Window)},
	}
	add := func(label string, at time.Time) {
		if !at.IsZero() {
			facts = append(facts, fact{Label: c.say(labels[label]), At: c.moment(at)})
		}
	}
	add("announced", m.Created)
	add("since", m.Began)
	if m.Status == notifier.Cancelled {
		add("cancelled", m.Ended)
		return facts
	}
	add("completed", m.Ended)
	if w := stretch(m); !m.Ahead() {
		facts = append(facts, fact{Label: c.say(labels["lasted"]), Text: c.length(w.Until.Sub(w.From))})
	} else if m.Working() && c.fresh && w.From.Before(c.asOf) {
		facts = append(facts, fact{Label: c.say(labels["lasted"]), Text: c.length(c.asOf.Sub(w.From))})
	}
	return facts
}

// maintenanceUpdates is the timeline, newest first. Beside the text that stands
// above it needs not tell the same again.
func (c composer) maintenanceUpdates(m notifier.Maintenance) []updateView {
	var views []updateView
	for _, u := range slices.Backward(m.Updates) {
		if u.Text == m.Text {
			u.Text = rules.Text{}
		}
		view := updateView{At: c.moment(u.At), Word: c.say(maintenanceWords[u.Status]), Text: c.read(u.Text)}
		if !announces(m, u) || u.Window != m.Window {
			view.Notes = c.replanned(m, u)
		}
		views = append(views, view)
	}
	return views
}

// bare reports whether an update tells no more than where the work stands.
func (u updateView) bare() bool { return len(u.Text.Lines) == 0 && len(u.Notes) == 0 }

// announces reports whether an update is the first word of planned work.
func announces(m notifier.Maintenance, u notifier.MaintenanceUpdate) bool {
	return u.Status == notifier.Scheduled && u.At.Equal(m.Created)
}

// replanned is the note of an update that gave the plan or changed it.
func (c composer) replanned(m notifier.Maintenance, u notifier.MaintenanceUpdate) []note {
	if u.Window == (notifier.Window{}) {
		return nil
	}
	label := "newWindow"
	if announces(m, u) {
		label = "window"
	}
	return []note{{c.say(labels[label]), written{Lines: []string{c.window(u.Window)}}}}
}

// maintenanceBody is an update in plain text, never empty.
func (c composer) maintenanceBody(m notifier.Maintenance, u notifier.MaintenanceUpdate) string {
	if said := c.plain(c.read(u.Text), c.replanned(m, u)); said != "" {
		return said
	}
	return c.say(maintenanceWords[u.Status])
}

// covers names what is worked on: services, or a shop as a whole.
func (e *edition) covers(m notifier.Maintenance) []rules.Text {
	var names []rules.Text
	for _, key := range m.Services {
		switch s, shop := e.service(key), e.shop(key); {
		case s != nil:
			names = append(names, s.Name)
		case len(e.shops) > 1 || shop.Name.ZH != shop.ID:
			names = append(names, shop.Name)
		default:
			names = append(names, sayWholeShop)
		}
	}
	return names
}

// workNames is the same in the reader's language.
func (c composer) workNames(m notifier.Maintenance) []string {
	var names []string
	for _, name := range c.covers(m) {
		names = append(names, c.say(name))
	}
	return names
}

// plannedNames is what the headline says is worked on.
func (c composer) plannedNames(v verdict) string {
	if v.work != nil {
		return c.list(c.workNames(*v.work))
	}
	return c.names(v.services)
}

// plannedLead says what planned work means to a reader, and until when it goes on.
func (c composer) plannedLead(v verdict) []string {
	lead := []string{c.say(sayPlannedLead)}
	if v.work != nil {
		lead = append(lead, c.due(*v.work)+c.say(text("。", ".")))
	}
	return lead
}

// plannedAdvice names, by shop, the payment methods that work while others are
// worked on.
func (c composer) plannedAdvice(services []Component) []string {
	var said []string
	for _, shop := range c.shops {
		away := slices.DeleteFunc(slices.Clone(services), func(s Component) bool { return s.Shop != shop.ID || s.Role != rules.RolePayment })
		if len(away) == 0 {
			continue
		}
		if working := c.working(away[0].Service); len(working) > 0 {
			said = append(said, c.say(adviceElsewhere, c.names(away), c.names(working)))
		} else {
			said = append(said, c.say(adviceNoPayment, c.names(away)))
		}
	}
	return said
}

// window says when work is planned: the day, the hours, for how long, in which zone.
func (v voice) window(w notifier.Window) string {
	return v.say(sayWindow, v.hours(w), v.extent(w))
}

// extent says for how long work is planned, and in which zone its hours are.
func (v voice) extent(w notifier.Window) string {
	return v.say(sayExtent, v.length(w.Until.Sub(w.From)), v.zoneShort())
}

// hours says from when to when work is planned, with the day.
func (v voice) hours(w notifier.Window) string {
	from, until := w.From.In(v.zone), w.Until.In(v.zone)
	hours := "15:04"
	if from.Second() != 0 || until.Second() != 0 {
		hours = time.TimeOnly
	}
	end := until.Format(hours)
	if from.Year() != until.Year() || from.YearDay() != until.YearDay() {
		end = v.weekday(until) + end
	}
	return v.say(sayHours, v.weekday(from)+from.Format(hours), end)
}

// weekday says a day that is yet to come, to stand before its hours.
func (v voice) weekday(t time.Time) string {
	sameYear := t.Year() == v.now.In(v.zone).Year()
	if v.lang == "zh" {
		day := t.Format("1月2日")
		if !sameYear {
			day = t.Format("2006年1月2日")
		}
		return day + "（周" + weekdays[t.Weekday()] + "）"
	}
	if !sameYear {
		return t.Format("Mon, Jan 2, 2006, ")
	}
	return t.Format("Mon, Jan 2, ")
}

// appointed says a moment of a plan: in minutes, as plans are made, unless it has seconds.
func (v voice) appointed(t time.Time) string {
	if t.Second() == 0 {
		return v.minute(t)
	}
	return v.clock(t)
}

// until says next to a service that is worked on until when it is planned; it is
// empty where nobody says, and where that moment has passed.
func (c composer) until(s Component) string {
	if m := c.work(s); m != nil && c.fresh && !c.overdue(*m) {
		return c.say(sayUntil, c.appointed(m.Window.Until))
	}
	return ""
}

func maintenancePath(id string) string { return "/maintenances/" + url.PathEscape(id) }
