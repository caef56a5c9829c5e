package subscription

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// base is what every page has.
type base struct {
	Lang                           string // attribute lang
	Title                          string // the shop's name
	Head                           string // what this page says in one line
	Stylesheet, Style              string
	Home                           string
	OtherLang, OtherName, OtherURL string
}

// formPage is Root: the form to sign up.
type formPage struct {
	base
	Action   string
	Stamp    string
	Address  field
	Mail     bool // the address can be a mail address
	Phone    bool // the address can be a phone number
	Choices  choices
	Mistakes []string
	Manage   string // where those go who are subscribed
	Telegram string // the bot, "" where there is none
}

// field is one line to type.
type field struct {
	Value, Mistake string
}

// choices are what somebody wants to hear, as the form shows them.
type choices struct {
	All             bool
	Services        []choice
	ServicesMistake string
	Major           bool
	Language        notifier.Language
	From, To        string // "23:00", "" where there are no quiet hours
	QuietMistake    string
	Zone            string
}

type choice struct {
	Key, Name string
	Chosen    bool
}

// wayBackPage asks for the address of somebody who is subscribed.
type wayBackPage struct {
	base
	Action, Stamp string
	Address       field
	Mail, Phone   bool
	Mistakes      []string
	Back          string
}

// codePage asks for the six digits of a text message.
type codePage struct {
	base
	Action, Envelope string
	Mistake          string
	Again            string
}

// confirmPage asks whether a confirmation link was opened by a person.
type confirmPage struct {
	base
	Action, Address string
	Summary         []string // what was chosen
}

// managePage is one's own subscription.
type managePage struct {
	base
	Address, Said         string // Said: what was just done
	Action, Leave, Export string
	Erase                 string
	Choices               choices
	Mistakes              []string
}

// plainPage says something, and may ask for one press of a button.
type plainPage struct {
	base
	Text   []string
	Button string
	Action string
	Next   string // a link on, "" where there is none
	NextTo string
}

// otherName is the language that the reader can change to, in its own words.
var otherName = map[notifier.Language]string{notifier.Chinese: "English", notifier.English: "中文"}

func (p *pages) base(r *http.Request, head rules.Text) base {
	lang := languageOf(r)
	other := notifier.English
	if lang == notifier.English {
		other = notifier.Chinese
	}
	query := r.URL.Query()
	query.Set("lang", string(other))
	return base{
		Lang: tags[lang], Title: p.cfg.Title.In(string(lang)), Head: head.In(string(lang)),
		Stylesheet: p.cfg.Stylesheet, Style: Root + "/style.css",
		Home: inLanguage(r, "/"), OtherLang: tags[other], OtherName: otherName[lang],
		OtherURL: (&url.URL{Path: r.URL.Path, RawQuery: query.Encode()}).String(),
	}
}

// emptyForm is the form before anything is typed.
func (p *pages) emptyForm(r *http.Request) formPage {
	page := formPage{
		base: p.base(r, labels["signUp"]), Action: inLanguage(r, Root), Stamp: p.signer.stamp(p.cfg.Now()),
		Mail: slices.Contains(p.cfg.Channels, Email), Phone: slices.Contains(p.cfg.Channels, SMS),
		Manage: inLanguage(r, managePath), Telegram: p.cfg.Telegram(),
		Choices: p.choices(languageOf(r), languageOf(r), notifier.Wants{}),
	}
	return page
}

// choices shows wants to a reader of a language.
func (p *pages) choices(reader, language notifier.Language, wants notifier.Wants) choices {
	c := choices{
		All: len(wants.Services) == 0, Major: wants.Least == notifier.ImpactMajor || wants.Least == notifier.ImpactCritical,
		Language: language, Zone: p.cfg.Zone.String(),
	}
	known := make(map[string]bool)
	for _, s := range p.cfg.Services() {
		name := s.Name.In(string(reader))
		if name == "" {
			name = s.ID
		}
		known[s.Key()] = true
		c.Services = append(c.Services, choice{Key: s.Key(), Name: name, Chosen: slices.Contains(wants.Services, s.Key())})
	}
	for _, key := range wants.Services { // one that is away for now stays chosen
		if !known[key] {
			c.Services = append(c.Services, choice{Key: key, Name: key, Chosen: true})
		}
	}
	if wants.Quiet.From != wants.Quiet.To {
		c.From, c.To = clock(wants.Quiet.From), clock(wants.Quiet.To)
	}
	return c
}

// summary tells choices in sentences.
func (p *pages) summary(reader notifier.Language, sub notifier.Subscriber) []string {
	in := func(t rules.Text) string { return t.In(string(reader)) }
	c := p.choices(reader, sub.Language, sub.Wants)
	services := in(labels["allServices"])
	if !c.All {
		services = ""
		for _, s := range c.Services {
			if s.Chosen && services != "" {
				services += in(text("、", ", "))
			}
			if s.Chosen {
				services += s.Name
			}
		}
	}
	lines := []string{services, in(labels["anySeverity"])}
	if c.Major {
		lines[1] = in(labels["majorOnly"])
	}
	if c.From != "" {
		lines = append(lines, in(labels["quiet"])+in(text("：", ": "))+c.From+"–"+c.To)
	}
	return lines
}

// clock tells a minute of the day.
func clock(minutes int) string {
	return time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC).Format("15:04")
}

// plain is what a plain page says.
type plain struct {
	head, next rules.Text
	text       []rules.Text
	button     rules.Text
	action     string // where the button goes; "": there is none
	nextTo     string
}

func (p *pages) plainPage(r *http.Request, what plain) plainPage {
	in := func(t rules.Text) string { return t.In(string(languageOf(r))) }
	page := plainPage{base: p.base(r, what.head), Button: in(what.button), Action: what.action, Next: in(what.next)}
	for _, line := range what.text {
		page.Text = append(page.Text, in(line))
	}
	if what.nextTo != "" {
		page.NextTo = inLanguage(r, what.nextTo)
	}
	return page
}
