// Package statuspage is the public page that buyers read at night: what works,
// what fails and since when, how many paid orders wait, and what to do now, in
// plain Chinese or English, with the same facts as JSON, feeds and badges.
//
// The room asks nobody anything. The app gives it a Snapshot every few seconds;
// visitors read documents rendered at most once a snapshot, so a crowd costs no
// query. Three promises shape it. It never says green about what it can't see:
// old or missing data is grey. It never waits for an incident: a failing service
// turns red as soon as its status does, under the word "checking". And it shows
// public services and public incidents alone, built from names and times, never
// from alert annotations (they hold hosts and SQL errors); edition.go is the one
// place that decides so. It keeps no cookie and runs no script.
package statuspage

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"shopwatch/rules"
)

// Config is what a Page is built from.
type Config struct {
	// Title is the shop's name as buyers know it. Required.
	Title rules.Text
	// BaseURL is the origin under which visitors reach the page, such as
	// "https://status.example.com"; feeds and JSON carry absolute addresses.
	// Required, without a path: the page lives on a host name of its own.
	BaseURL string
	// Zone is the zone of all times shown. Default Asia/Shanghai.
	Zone *time.Location
	// Escalation gives the tiers by which waiting orders are counted. Default
	// rules.DefaultEscalation, rules.DemoEscalation in the demo.
	Escalation rules.Escalation
	// Refresh is how often an open page asks again, in whole seconds. Default 15 s, 2 s in the demo.
	Refresh time.Duration
	// StaleAfter is the age at which the newest snapshot no longer counts as
	// sight: the page turns grey. Default 90 s, 15 s in the demo.
	StaleAfter time.Duration
	// SignUp is the path where people sign up for notices, "" where they can't.
	SignUp string
	// Demo is nil in production. It adds the banner and the storybook.
	Demo *Demo
	// Now is the clock. Required.
	Now func() time.Time
	// Logger hears of documents that could not be rendered. Required.
	Logger *slog.Logger
}

// Demo says that the page belongs to the demo shop, whose time is compressed.
type Demo struct {
	// Hint tells in one sentence how to break and heal something; may be empty.
	Hint rules.Text
}

// Page is the public page. It shows grey until the first Set.
type Page struct {
	config     Config
	base       *url.URL
	stylesheet asset
	templates  map[string]*template.Template // by language
	stories    []told
	started    time.Time
	current    atomic.Pointer[editions]
}

// editions is the newest snapshot in its two editions: as it was seen, and as it
// must be shown once it is too old to count as sight.
type editions struct {
	at           time.Time
	fresh, stale *edition
}

// New builds the page, or says all that is wrong with its configuration.
func New(config Config) (*Page, error) {
	base, err := check(&config)
	if err != nil {
		return nil, err
	}
	p := &Page{config: config, base: base, started: config.Now()}
	if p.stylesheet, err = loadStylesheet(); err != nil {
		return nil, fmt.Errorf("load stylesheet: %w", err)
	}
	if p.templates, err = loadTemplates(); err != nil {
		return nil, fmt.Errorf("load templates: %w", err)
	}
	if config.Demo != nil {
		p.stories = p.tell(p.started)
	}
	p.Set(Snapshot{})
	return p, nil
}

// check fills defaults and reports every mistake at once.
func check(config *Config) (*url.URL, error) {
	var mistakes []error
	if config.Title.ZH == "" || config.Title.EN == "" {
		mistakes = append(mistakes, errors.New("title is empty: give the shop's name in both languages"))
	}
	base, err := url.Parse(config.BaseURL)
	switch {
	case err != nil:
		mistakes = append(mistakes, fmt.Errorf("base URL: %w", err))
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		mistakes = append(mistakes, fmt.Errorf("base URL %q: want http:// or https:// and a host", base.Redacted()))
	case base.User != nil, base.RawQuery != "", base.Fragment != "", base.Path != "" && base.Path != "/":
		mistakes = append(mistakes, fmt.Errorf("base URL %q: want scheme and host alone, the page needs a host name of its own", base.Redacted()))
	}
	if config.Now == nil {
		mistakes = append(mistakes, errors.New("no clock: give Now"))
	}
	if config.Logger == nil {
		mistakes = append(mistakes, errors.New("no logger: give Logger"))
	}
	refresh, stale, escalation := 15*time.Second, 90*time.Second, rules.DefaultEscalation()
	if config.Demo != nil {
		refresh, stale, escalation = 2*time.Second, 15*time.Second, rules.DemoEscalation()
	}
	if config.Zone == nil {
		config.Zone = shanghai
	}
	if config.Escalation == (rules.Escalation{}) {
		config.Escalation = escalation
	}
	if config.Refresh == 0 {
		config.Refresh = refresh
	}
	if config.StaleAfter == 0 {
		config.StaleAfter = stale
	}
	if config.Refresh < time.Second {
		mistakes = append(mistakes, fmt.Errorf("refresh: got %s, want at least 1s", config.Refresh))
	}
	if config.StaleAfter < config.Refresh {
		mistakes = append(mistakes, fmt.Errorf("stale after: got %s, want at least the refresh of %s", config.StaleAfter, config.Refresh))
	}
	if e := config.Escalation; e.Ops <= 0 || e.Management <= e.Ops || e.Pace <= 0 {
		mistakes = append(mistakes, fmt.Errorf("escalation: got %s and %s at pace %g, want 0 < ops < management and a pace above 0", e.Ops, e.Management, e.Pace))
	}
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("status page: %w", errors.Join(mistakes...))
	}
	base.Path = ""
	return base, nil
}

// Set replaces what visitors see, atomically. It copies the public part of the
// snapshot, so the caller may go on changing what it gave. Safe to call while
// the page is being read.
func (p *Page) Set(snapshot Snapshot) {
	now := p.config.Now()
	next := &editions{at: snapshot.At, stale: newEdition(snapshot, now, false)}
	next.fresh = next.stale
	if snapshot.Fresh && !snapshot.At.IsZero() {
		next.fresh = newEdition(snapshot, now, true)
	}
	p.current.Store(next)
}

// edition is what a visitor sees now.
func (p *Page) edition() *edition {
	current := p.current.Load()
	if p.config.Now().Sub(current.at) > p.config.StaleAfter {
		return current.stale
	}
	return current.fresh
}

// Stylesheet is the path of the style sheet, for pages beside this one.
func (p *Page) Stylesheet() string { return p.stylesheet.path }

// Handler serves the page and all that belongs to it. It answers GET and HEAD alone.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	p.routePages(mux)
	p.routeAPI(mux)
	p.routeFeeds(mux)
	p.routeCalendar(mux)
	p.routePictures(mux)
	if p.config.Demo != nil {
		p.routeStorybook(mux)
	}
	return guard(mux)
}
