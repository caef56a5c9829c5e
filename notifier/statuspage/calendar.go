package statuspage

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shopwatch/notifier"
)

// The calendar is planned work as calendars subscribe to it (RFC 5545): times in
// UTC, one event a work under a UID that never changes, a SEQUENCE that grows
// with its updates. Cancelled work stays for a while and says so, for a calendar
// keeps what merely vanishes.

func (p *Page) routeCalendar(mux *http.ServeMux) {
	p.serveFeed(mux, "/maintenances.ics", "text/calendar; charset=utf-8", composer.calendar)
}

// calendarTime is the form of a time in UTC.
const calendarTime = "20060102T150405Z"

func (c composer) calendar(time.Time) ([]byte, error) {
	var w calendarWriter
	w.line("BEGIN", "VCALENDAR")
	w.line("VERSION", "2.0")
	w.line("PRODID", "-//shopwatch//status page//EN")
	w.line("METHOD", "PUBLISH")
	name := c.say(c.page.config.Title) + " · " + c.say(labels["calendar"])
	w.text("NAME", name) // RFC 7986; older clients know the next
	w.text("X-WR-CALNAME", name)
	w.line("REFRESH-INTERVAL;VALUE=DURATION", "PT1H")
	w.line("X-PUBLISHED-TTL", "PT1H")
	events := append(c.ahead(), c.past...)
	for _, m := range events {
		c.event(&w, m)
	}
	if len(events) == 0 { // a calendar must hold something
		for _, p := range [][2]string{
			{"BEGIN", "VTIMEZONE"}, {"TZID", "UTC"}, {"BEGIN", "STANDARD"}, {"DTSTART", "19700101T000000"},
			{"TZOFFSETFROM", "+0000"}, {"TZOFFSETTO", "+0000"}, {"END", "STANDARD"}, {"END", "VTIMEZONE"},
		} {
			w.line(p[0], p[1])
		}
	}
	w.line("END", "VCALENDAR")
	return w.Bytes(), nil
}

func (c composer) event(w *calendarWriter, m notifier.Maintenance) {
	told, span := lastToldOfWork(m).UTC().Format(calendarTime), stretch(m)
	w.line("BEGIN", "VEVENT")
	w.text("UID", "maintenance-"+m.ID+"@"+c.page.base.Hostname())
	w.line("DTSTAMP", told)
	w.line("CREATED", m.Created.UTC().Format(calendarTime))
	w.line("LAST-MODIFIED", told)
	w.line("SEQUENCE", strconv.Itoa(len(m.Updates)))
	w.line("DTSTART", span.From.UTC().Format(calendarTime))
	if span.Until.Sub(span.From) >= time.Second { // an end must come after its beginning
		w.line("DTEND", span.Until.UTC().Format(calendarTime))
	}
	status := "CONFIRMED"
	if m.Status == notifier.Cancelled {
		status = "CANCELLED"
	}
	w.line("STATUS", status)
	w.line("TRANSP", "TRANSPARENT") // whoever subscribes is not busy
	w.text("SUMMARY", c.maintenanceTitle(m))
	w.text("DESCRIPTION", c.description(m))
	w.line("URL", c.absolute(maintenancePath(m.ID)+c.choice))
	w.line("END", "VEVENT")
}

// description tells what is worked on, what people said of it, and all updates,
// newest first.
func (c composer) description(m notifier.Maintenance) string {
	lines := []string{c.say(labels["covers"]) + c.say(colon) + strings.Join(c.workNames(m), c.say(comma))}
	if said := c.read(m.Text).plain(); said != "" {
		lines = append(lines, said)
	}
	for _, u := range slices.Backward(m.Updates) {
		if u.Text != m.Text {
			lines = append(lines, fmt.Sprintf("%s %s%s%s", c.clock(u.At), c.say(maintenanceWords[u.Status]), c.say(colon), c.maintenanceBody(m, u)))
		}
	}
	return strings.Join(lines, "\n")
}

// calendarWriter writes content lines: at most 75 octets each, ended by CR and
// LF, longer ones folded between two characters (RFC 5545, 3.1).
type calendarWriter struct{ bytes.Buffer }

func (w *calendarWriter) line(name, value string) {
	const most = 75
	line, room := name+":"+value, most
	for len(line) > room {
		cut := room
		for !utf8.RuneStart(line[cut]) {
			cut--
		}
		w.WriteString(line[:cut] + "\r\n ")
		line, room = line[cut:], most-1
	}
	w.WriteString(line + "\r\n")
}

var calendarEscapes = strings.NewReplacer(`\`, `\\`, `;`, `\;`, `,`, `\,`, "\n", `\n`)

// text writes a value of type TEXT (RFC 5545, 3.3.11), without control characters.
func (w *calendarWriter) text(name, value string) {
	value = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(value, "\uFFFD"))
	w.line(name, calendarEscapes.Replace(value))
}
