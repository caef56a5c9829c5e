package statuspage

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"shopwatch/notifier"
)

// The feeds hold one entry an incident and one a planned work, under an id that
// never changes: readers show it once and see it move, rather than a new item at
// every update.

// tagDay is the day of the tag URIs (RFC 4151). It names when we began to mint
// them and must never change, or every reader would show every incident again.
const tagDay = "2025-01-01"

// maxFeed is how many entries a feed holds.
const maxFeed = 50

type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Lang    string      `xml:"xml:lang,attr"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Published string   `xml:"published"`
	Updated   string   `xml:"updated"`
	Link      atomLink `xml:"link"`
	Content   atomText `xml:"content"`
}

type atomText struct {
	Type string `xml:"type,attr"`
	Body string `xml:",chardata"`
}

type rssFeed struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Atom    string     `xml:"xmlns:atom,attr"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title         string    `xml:"title"`
	Link          string    `xml:"link"`
	Self          atomLink  `xml:"atom:link"`
	Description   string    `xml:"description"`
	Language      string    `xml:"language"`
	LastBuildDate string    `xml:"lastBuildDate"`
	TTL           int       `xml:"ttl"` // minutes
	Items         []rssItem `xml:"item"`
}

type rssItem struct {
	Title       string  `xml:"title"`
	Link        string  `xml:"link"`
	GUID        rssGUID `xml:"guid"`
	PubDate     string  `xml:"pubDate"`
	Description string  `xml:"description"`
}

type rssGUID struct {
	IsPermaLink bool   `xml:"isPermaLink,attr"`
	Value       string `xml:",chardata"`
}

func (p *Page) routeFeeds(mux *http.ServeMux) {
	p.serveFeed(mux, "/history.atom", "application/atom+xml; charset=utf-8", inXML(composer.atom))
	p.serveFeed(mux, "/history.rss", "application/rss+xml; charset=utf-8", inXML(composer.rss))
}

// serveFeed serves a document that programs fetch again and again: it changes
// only when people are told something, and so it is composed of that alone.
func (p *Page) serveFeed(mux *http.ServeMux, path, contentType string, compose func(composer, time.Time) ([]byte, error)) {
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		lang, chosen := languageOf(r)
		e := p.edition()
		d, err := e.document(documentKey{path, lang, chosen}, func() (*document, error) {
			changed := e.newest()
			if changed.IsZero() {
				changed = p.started
			}
			c := p.composer(e, lang, true)
			c.now = time.Time{} // feeds are read on any day: every moment carries its date
			body, err := compose(c, changed)
			return &document{body: body, contentType: contentType, modified: changed}, err
		})
		p.send(w, r, d, err)
	})
}

func inXML(compose func(composer, time.Time) (any, error)) func(composer, time.Time) ([]byte, error) {
	return func(c composer, changed time.Time) ([]byte, error) {
		feed, err := compose(c, changed)
		if err != nil {
			return nil, err
		}
		body, err := xml.MarshalIndent(feed, "", " ")
		return append([]byte(xml.Header), body...), err
	}
}

// feedEntry is an incident or planned work in a feed.
type feedEntry struct {
	path, title        string
	published, updated time.Time
	template           string
	view               any
}

// entries lists what a feed tells: what is open, goes on or is planned first,
// then the newest of what is over.
func (c composer) entries() []feedEntry {
	var entries []feedEntry
	incident := func(i notifier.Incident) {
		entries = append(entries, feedEntry{incidentPath(i.ID), c.say(i.Title), i.Opened, lastTold(i), "entry", c.entry(i)})
	}
	work := func(m notifier.Maintenance) {
		entries = append(entries, feedEntry{maintenancePath(m.ID), c.maintenanceTitle(m), m.Created, lastToldOfWork(m), "plan", c.plan(m)})
	}
	for _, i := range c.open {
		incident(i)
	}
	for _, m := range c.ahead() {
		work(m)
	}
	past(c.resolved, c.past, incident, work)
	return entries[:min(len(entries), maxFeed)]
}

// html is an entry's content.
func (c composer) html(e feedEntry) (string, error) {
	var body bytes.Buffer
	err := c.page.templates[c.lang].ExecuteTemplate(&body, e.template, e.view)
	return body.String(), err
}

func (c composer) absolute(path string) string { return c.page.base.String() + path }

func (c composer) feedTitle() string {
	return c.say(c.page.config.Title) + " · " + c.say(labels["history"])
}

func (c composer) atom(changed time.Time) (any, error) {
	tag := "tag:" + c.page.base.Hostname() + "," + tagDay + ":"
	feed := atomFeed{
		Lang: tags[c.lang], ID: tag + "history", Title: c.feedTitle(), Updated: changed.UTC().Format(time.RFC3339),
		Author: c.say(c.page.config.Title),
		Links: []atomLink{
			{"self", "application/atom+xml", c.absolute("/history.atom" + c.choice)},
			{"alternate", "text/html", c.absolute("/history" + c.choice)},
		},
	}
	for _, e := range c.entries() {
		content, err := c.html(e)
		if err != nil {
			return nil, err
		}
		feed.Entries = append(feed.Entries, atomEntry{
			ID: tag + strings.TrimPrefix(e.path, "/"), Title: e.title,
			Published: e.published.UTC().Format(time.RFC3339), Updated: e.updated.UTC().Format(time.RFC3339),
			Link:    atomLink{"alternate", "text/html", c.absolute(e.path + c.choice)},
			Content: atomText{"html", content},
		})
	}
	return feed, nil
}

func (c composer) rss(changed time.Time) (any, error) {
	channel := rssChannel{
		Title: c.feedTitle(), Link: c.absolute("/history" + c.choice), Description: c.feedTitle(), Language: tags[c.lang],
		Self:          atomLink{"self", "application/rss+xml", c.absolute("/history.rss" + c.choice)},
		LastBuildDate: changed.In(c.zone).Format(time.RFC1123Z), TTL: 5,
	}
	for _, e := range c.entries() {
		content, err := c.html(e)
		if err != nil {
			return nil, err
		}
		channel.Items = append(channel.Items, rssItem{
			Title: e.title, Link: c.absolute(e.path + c.choice),
			GUID:    rssGUID{true, c.absolute(e.path)},
			PubDate: e.published.In(c.zone).Format(time.RFC1123Z), Description: content,
		})
	}
	return rssFeed{Version: "2.0", Atom: "http://www.w3.org/2005/Atom", Channel: channel}, nil
}

// entry is an incident as a feed tells it: its span, then all updates, newest first. An
// open one's length is left out, so that an entry changes only when it is told anew.
func (c composer) entry(i notifier.Incident) incidentView {
	view := c.incidentView(i)
	view.Word, view.Updates = c.say(incidentWords[i.Status]), c.updateViews(i, false)
	if i.Open() {
		view.Span = c.say(saySince, c.clock(i.Since))
	}
	return view
}

// plan is planned work as a feed tells it. What goes on is told by its plan, not
// by how long it runs, so that an entry changes only when it is told anew.
func (c composer) plan(m notifier.Maintenance) maintenanceView {
	view := c.maintenanceView(m)
	view.Updates = c.maintenanceUpdates(m)
	if m.Working() {
		view.Span, view.Extent, view.Due = c.hours(m.Window), c.extent(m.Window), ""
	}
	return view
}
