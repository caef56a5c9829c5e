package statuspage

import (
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// What people make known of an incident: updates in their own words, who is
// affected, when they expect it to be over, and what to do meanwhile. Who they
// are never leaves the house.

// written is what a person wrote, as one reader gets it.
type written struct {
	Lines []string
	Lang  string // attribute lang where it is not the page's; "" otherwise
	Aside string // says in the page's language that it is in the other; "" otherwise
}

// read gives a text in the reader's language, or else in the one in which it was
// written, and says so.
func (c composer) read(t rules.Text) written {
	if own := t.In(c.lang); own != "" {
		return written{Lines: strings.Split(own, "\n")}
	}
	other := map[string]string{"zh": "en", "en": "zh"}[c.lang]
	if t.In(other) == "" {
		return written{}
	}
	return written{Lines: strings.Split(t.In(other), "\n"), Lang: tags[other], Aside: c.say(asides)}
}

// plain is the text alone.
func (w written) plain() string { return strings.Join(w.Lines, "\n") }

// note is one thing that people made known, behind its name; a whole sentence has none.
type note struct {
	Label string
	Text  written
}

// standing is what people last made known of an incident that runs. Of one that
// is over it is history, which the timeline tells.
func (c composer) standing(i notifier.Incident) []note {
	if !i.Open() {
		return nil
	}
	return c.notes(i.Scope, c.promise(i), i.Workaround)
}

// notes names what there is of a scope, a sentence about the ETA and a workaround.
func (c composer) notes(scope rules.Text, promise string, workaround rules.Text) []note {
	var notes []note
	if w := c.read(scope); len(w.Lines) > 0 {
		notes = append(notes, note{c.say(labels["scope"]), w})
	}
	if promise != "" {
		notes = append(notes, note{Text: written{Lines: []string{promise}}})
	}
	if w := c.read(workaround); len(w.Lines) > 0 {
		notes = append(notes, note{c.say(labels["workaround"]), w})
	}
	return notes
}

// promises reports whether a note is the sentence about the ETA: it has no label.
func (n note) promises() bool { return n.Label == "" }

// mostPromises is how many earlier ETAs a page repeats.
const mostPromises = 3

// promise says when an incident is expected to be over, and what was said before;
// one that passed is called so. It is empty where nobody says.
func (c composer) promise(i notifier.Incident) string {
	if i.ETA.At.IsZero() {
		return ""
	}
	if !i.ETA.At.After(c.asOf) {
		return c.say(sayOverdue, c.minute(i.ETA.At))
	}
	var earlier []string
	for _, at := range i.ETA.Earlier[max(0, len(i.ETA.Earlier)-mostPromises):] {
		earlier = append(earlier, c.minute(at))
	}
	if len(earlier) == 0 {
		return c.say(sayExpected, c.minute(i.ETA.At))
	}
	return c.say(sayExpectedBefore, c.minute(i.ETA.At), strings.Join(earlier, c.say(comma)))
}

// updateViews is the timeline, newest first. Beside what stands it needs not
// tell the same again.
func (c composer) updateViews(i notifier.Incident, besideStanding bool) []updateView {
	var views []updateView
	for n := len(i.Updates) - 1; n >= 0; n-- {
		u := i.Updates[n]
		if besideStanding && u.Scope == i.Scope {
			u.Scope = rules.Text{}
		}
		if besideStanding && u.ETA.Equal(i.ETA.At) {
			u.ETA = time.Time{}
		}
		if besideStanding && u.Workaround == i.Workaround {
			u.Workaround = rules.Text{}
		}
		views = append(views, updateView{
			At: c.moment(u.At), Word: c.say(incidentWords[u.Status]), Text: c.read(u.Text), Notes: c.notes(u.Scope, c.promised(u.ETA), u.Workaround),
		})
	}
	return views
}

// promised says which ETA an update gave.
func (c composer) promised(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return c.say(sayExpected, c.minute(at))
}

// minute says a moment that was given in minutes.
func (v voice) minute(t time.Time) string {
	return strings.TrimSuffix(v.clock(t), t.In(v.zone).Format(":05"))
}

// body is an update in plain text, never empty: its words, then what else it made known.
func (c composer) body(u notifier.Update) string {
	if said := c.plain(c.read(u.Text), c.notes(u.Scope, c.promised(u.ETA), u.Workaround)); said != "" {
		return said
	}
	return c.say(incidentWords[u.Status])
}

// plain is a text with its notes, without marks.
func (c composer) plain(text written, notes []note) string {
	var lines []string
	if said := text.plain(); said != "" {
		lines = append(lines, said)
	}
	for _, n := range notes {
		if n.Label != "" {
			n.Label += c.say(colon)
		}
		lines = append(lines, n.Label+n.Text.plain())
	}
	return strings.Join(lines, "\n")
}

// colon stands between a name and what it names.
var colon = text("：", ": ")

// private takes from an incident what only its own people may know.
func private(i *notifier.Incident) {
	i.Alerts, i.Acts, i.Held = nil, nil, nil
	i.Acknowledged, i.Publication, i.Parent = notifier.Acknowledgement{}, notifier.Publication{}, ""
	for n := range i.Updates {
		i.Updates[n].By = ""
	}
}
