package statuspage

import (
	"net/url"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// base is what every page has.
type base struct {
	Lang        string // attribute lang
	Title       string // the shop's name
	Head        string // what this page says in one line; browsers show it in the tab
	Colour      colour // of the tab's icon
	Stylesheet  string
	Refresh     int // seconds, 0: the page stands still
	Demo        string
	Interrupted string // what the banner says while nobody judges, "" otherwise
	Home        string // addresses, with the language if the reader chose one
	History     string
	Atom, RSS   string
	Calendar    string
	SignUp      string // "" where nobody can sign up
	OtherLang   string // attribute lang of the other language
	OtherName   string
	OtherURL    string
	Zone        string
	Storybook   string // "" outside the demo
	GeneratedAt moment
}

// homePage is "/".
type homePage struct {
	base
	Verdict   verdictView
	Incidents []incidentView // open
	Ongoing   []maintenanceView
	Planned   []maintenanceView
	Further   string // how much more is planned, "" if Planned is all
	Orders    []ordersView
	Shops     []shopView
	Days      []dayView
	Started   bool // false: no snapshot came yet, so nothing is known of the past
}

// incidentPage is "/incidents/{id}".
type incidentPage struct {
	base
	Incident incidentView
	Facts    []fact
	Advice   []string
}

// missingPage is the answer to an address that has no page.
type missingPage struct{ base }

// storybookPage lists every state of every page.
type storybookPage struct {
	base
	Stories []storyView
}

type storyView struct{ URL, About string }

// verdictView is the top of the home page.
type verdictView struct {
	Colour   colour
	Headline string
	URL      string // of the incident that it speaks of, if any
	Lead     []string
	Advice   []string
	LastLook string
}

// shopView is the services of one shop.
type shopView struct {
	Name   string // "" if the page has one shop only
	Groups []groupView
}

type groupView struct {
	Name       string
	Components []componentView
}

// componentView is one service.
type componentView struct {
	Name, Word string
	Colour     colour
	Since      string // since when it is in outage, or until when it is worked on; "" otherwise
	Latency    string
	Strip      stripView
}

// incidentView is an incident in a list or on its own page.
type incidentView struct {
	Title, URL string
	Colour     colour
	Word       string // ongoing, identified, resolved …
	Span       string
	Service    string
	Standing   []note       // what people last made known of one that runs
	Updates    []updateView // newest first
}

type updateView struct {
	At    moment
	Word  string
	Text  written
	Notes []note
}

// fact is one row of an incident's table.
type fact struct {
	Label string
	At    moment
	Text  string
}

// composer puts one edition into the words and addresses of one reader.
type composer struct {
	voice
	*edition
	page   *Page
	choice string // "?lang=zh" if the reader chose the language by link
	story  string // address of the storybook's page, "" on real ones
}

func (p *Page) composer(e *edition, lang string, chosen bool) composer {
	c := composer{voice: voice{lang: lang, zone: p.config.Zone, now: e.asOf}, edition: e, page: p}
	if chosen {
		c.choice = "?lang=" + lang
	}
	return c
}

func (c composer) base(path, head string, tint colour) base {
	other := map[string]string{"zh": "en", "en": "zh"}[c.lang]
	b := base{
		Lang:  tags[c.lang],
		Title: c.say(c.page.config.Title), Head: head, Colour: tint,
		Stylesheet: c.page.stylesheet.path,
		Refresh:    int(c.page.config.Refresh / time.Second),
		Home:       "/" + c.choice, History: "/history" + c.choice,
		Atom: "/history.atom?lang=" + c.lang, RSS: "/history.rss?lang=" + c.lang, Calendar: "/maintenances.ics?lang=" + c.lang,
		OtherLang: tags[other], OtherName: otherLanguage[c.lang], OtherURL: path + "?lang=" + other,
		Zone:        c.zoneName(),
		GeneratedAt: c.moment(c.asOf),
	}
	if path := c.page.config.SignUp; path != "" {
		b.SignUp = path + c.choice
	}
	if c.story != "" {
		b.Refresh, b.OtherURL = 0, c.story+"?lang="+other
	}
	if c.interrupted {
		b.Interrupted = c.say(sayInterrupted)
	}
	if demo := c.page.config.Demo; demo != nil {
		b.Demo, b.Storybook = c.demo(demo), "/storybook"+c.choice
	}
	return b
}

func (c composer) demo(demo *Demo) string {
	e, real := c.page.config.Escalation, rules.DefaultEscalation()
	banner := c.say(sayDemo, int(1/e.Pace+0.5), c.round(e.Ops), c.round(real.Ops), c.round(e.Management), c.round(real.Management))
	if demo.Hint.ZH == "" {
		return banner
	}
	return c.join(banner, c.say(demo.Hint))
}

// home composes "/".
func (c composer) home() homePage {
	judged := c.judge()
	verdict := c.verdict(judged)
	page := homePage{base: c.base("/", verdict.Headline, verdict.Colour), Verdict: verdict, Shops: c.shopViews(), Started: c.started}
	for _, i := range c.open {
		view := c.incidentView(i)
		if judged.mood == failing && i.ID == judged.incident.ID { // the verdict says when it should be over
			view.Standing = slices.DeleteFunc(view.Standing, note.promises)
		}
		page.Incidents = append(page.Incidents, view)
	}
	for _, o := range c.orders {
		page.Orders = append(page.Orders, c.ordersView(o, judged.speaksOfDelivery(o.Shop)))
	}
	var recent []notifier.Incident
	for _, i := range c.resolved {
		if c.asOf.Sub(i.Since) <= 7*24*time.Hour {
			recent = append(recent, i)
		}
	}
	for _, m := range c.ongoing {
		view := c.maintenanceView(m)
		if judged.work != nil { // the verdict says until when
			view.Due = ""
		}
		page.Ongoing = append(page.Ongoing, view)
	}
	page.Planned = c.maintenanceViews(c.planned[:min(len(c.planned), mostPlanned)])
	if rest := len(c.planned) - mostPlanned; rest > 0 {
		page.Further = c.say(sayFurther, rest)
	}
	page.Days = c.days(recent, nil)
	return page
}

// incidentPage composes "/incidents/{id}".
func (c composer) incidentPage(i notifier.Incident) incidentPage {
	view := c.incidentView(i)
	if !i.Open() {
		view.Title, view.Word = c.say(sayResolved, view.Title), ""
	}
	page := incidentPage{base: c.base(incidentPath(i.ID), view.Title, view.Colour), Incident: view, Facts: c.facts(i)}
	if i.Open() {
		page.Advice = c.advise(i.Service)
	}
	return page
}

// missing composes the page for an address without one.
func (c composer) missing() missingPage {
	b := c.base("/", c.say(labels["missing"]), grey)
	b.Refresh = 0
	return missingPage{b}
}

func (c composer) shopViews() []shopView {
	var shops []shopView
	for _, shop := range c.shops {
		var view shopView
		if len(c.shops) > 1 {
			view.Name = c.say(shop.Name)
		}
		for _, s := range c.services {
			if s.Shop == shop.ID {
				view.add(c.say(s.Group), c.componentView(s))
			}
		}
		shops = append(shops, view)
	}
	return shops
}

// add puts a component into its group; groups stand in the order of their first component.
func (s *shopView) add(group string, component componentView) {
	for i := range s.Groups {
		if s.Groups[i].Name == group {
			s.Groups[i].Components = append(s.Groups[i].Components, component)
			return
		}
	}
	s.Groups = append(s.Groups, groupView{Name: group, Components: []componentView{component}})
}

func (c composer) componentView(s Component) componentView {
	view := componentView{
		Name: c.say(s.Name), Word: c.word(s), Colour: colourOf(s.Status),
		Strip: c.strip(s),
	}
	if s.Latency > 0 && s.Status != rules.Outage && c.fresh {
		view.Latency = c.say(sayLatency, c.response(s.Latency))
	}
	switch {
	case s.Status == rules.Outage && !s.Since.IsZero():
		view.Since = c.say(saySince, c.clock(s.Since))
	case s.Status == rules.Maintenance:
		view.Since = c.until(s)
	}
	return view
}

// word is a service's status in a word.
func (c composer) word(s Component) string {
	if s.Status == rules.Outage && s.Role == rules.RoleDelivery {
		return c.say(deliveryLate)
	}
	if word, known := statusWords[s.Status]; known {
		return c.say(word)
	}
	return c.say(statusWords[rules.Unknown])
}

func (c composer) incidentView(i notifier.Incident) incidentView {
	view := incidentView{
		Title: c.say(i.Title), URL: incidentPath(i.ID) + c.choice,
		Colour: c.colourOfIncident(i), Word: c.say(labels["ongoing"]), Span: c.span(i),
		Service: c.say(i.Service.Name),
	}
	switch word, known := incidentWords[i.Status]; {
	case !i.Open():
		view.Word = c.say(incidentWords[notifier.Resolved])
	case !c.fresh:
		view.Word = c.say(labels["unseen"])
	case known && i.Status != notifier.Resolved && i.Status != notifier.Postmortem:
		view.Word = c.say(word)
	}
	view.Standing, view.Updates = c.standing(i), c.updateViews(i, i.Open())
	return view
}

// span says from when to when.
func (c composer) span(i notifier.Incident) string {
	switch {
	case !i.Open():
		return c.say(sayRan, c.clock(i.Since), c.clock(i.Over), c.length(i.Over.Sub(i.Since)))
	case !c.fresh:
		return c.say(sayOngoing0, c.clock(i.Since))
	}
	return c.say(sayOngoing, c.clock(i.Since), c.length(c.asOf.Sub(i.Since)))
}

// facts are an incident's moments. What did not happen yet is left out.
func (c composer) facts(i notifier.Incident) []fact {
	facts := []fact{{Label: "service", Text: c.say(i.Service.Name)}}
	if word, known := impactWords[i.Impact]; known {
		facts = append(facts, fact{Label: "impact", Text: c.say(word)})
	}
	for _, f := range []struct {
		label string
		at    time.Time
	}{{"since", i.Since}, {"noticed", i.Opened}, {"toldOps", i.Told[rules.Ops]}, {"toldBoss", i.Told[rules.Management]}, {"over", i.Over}} {
		if !f.at.IsZero() {
			facts = append(facts, fact{Label: f.label, At: c.moment(f.at)})
		}
	}
	switch {
	case !i.Open():
		facts = append(facts, fact{Label: "lasted", Text: c.length(i.Over.Sub(i.Since))})
	case c.fresh:
		facts = append(facts, fact{Label: "lasted", Text: c.length(c.asOf.Sub(i.Since))})
	}
	for n := range facts {
		facts[n].Label = c.say(labels[facts[n].Label])
	}
	return facts
}

func incidentPath(id string) string { return "/incidents/" + url.PathEscape(id) }
