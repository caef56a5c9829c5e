package statuspage_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// failer is what can end a test, or a try of a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

var property = regexp.MustCompile(`^([A-Z-]+)((?:;[A-Z-]+=[A-Z0-9-]+)*):([^\x00-\x08\x0a-\x1f\x7f]*)$`)

// calendarOf reads a calendar as RFC 5545 wants it read, strictly, and gives the
// properties of its events with texts as they were before they were escaped.
func calendarOf(t failer, body string) []map[string]string {
	t.Helper()
	if !strings.HasSuffix(body, "\r\n") || strings.Count(body, "\n") != strings.Count(body, "\r\n") || strings.Count(body, "\r") != strings.Count(body, "\r\n") {
		t.Fatalf("a line doesn't end with CR and LF: %q", body)
	}
	for _, line := range strings.Split(body, "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) {
			t.Fatalf("%q has %d octets, want at most 75, and whole characters", line, len(line))
		}
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\;`, `;`, `\,`, `,`, `\n`, "\n")
	var events []map[string]string
	var within []string
	for _, line := range strings.Split(strings.TrimSuffix(strings.ReplaceAll(body, "\r\n ", ""), "\r\n"), "\r\n") {
		p := property.FindStringSubmatch(line)
		if p == nil {
			t.Fatalf("%q is no property", line)
		}
		name, value := p[1], p[3]
		switch {
		case name == "BEGIN":
			within = append(within, value)
			if value == "VEVENT" {
				events = append(events, make(map[string]string))
			}
		case name == "END":
			if len(within) == 0 || within[len(within)-1] != value {
				t.Fatalf("%q ends what did not begin", line)
			}
			within = within[:len(within)-1]
		case within[len(within)-1] == "VEVENT":
			event := events[len(events)-1]
			if _, twice := event[name]; twice {
				t.Fatalf("an event has %s twice", name)
			}
			event[name] = unescape.Replace(value)
		}
	}
	if len(within) != 0 || !strings.HasPrefix(body, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:") || strings.Count(body, "BEGIN:") < 2 {
		t.Fatalf("it is no whole calendar: %q", body)
	}
	return events
}

func TestACalendarFollowsAWorkToItsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	if events := calendarOf(t, s.get("/maintenances.ics")); len(events) != 0 {
		t.Errorf("got events %v where nothing is planned", events)
	}
	m := maintenance("work", both("搬数据库", "Moving; the database, at last"), "star/alipay", "star/delivery")
	m.Text = both("不能下单\n可以浏览", `No orders\nor so`)
	m.Updates = []notifier.MaintenanceUpdate{{At: m.Created, Status: notifier.Scheduled, Text: m.Text, Window: m.Window}}
	moved := m
	moved.Window = notifier.Window{From: m.Window.From.Add(time.Hour), Until: m.Window.Until.Add(time.Hour)}
	moved.Updates = append(moved.Updates[:1:1], notifier.MaintenanceUpdate{At: noon, Status: notifier.Scheduled, Text: both("推迟", "Later"), Window: moved.Window, By: "SECRET"})
	done := moved
	done.Began, done.Status, done.Ended = moved.Window.From, notifier.Completed, moved.Window.From.Add(30*time.Minute)
	done.Updates = append(done.Updates[:2:2], notifier.MaintenanceUpdate{At: done.Began, Status: notifier.InProgress, Text: m.Text}, notifier.MaintenanceUpdate{At: done.Ended, Status: notifier.Completed})
	off := moved
	off.Status, off.Ended = notifier.Cancelled, noon.Add(time.Hour)
	off.Updates = append(off.Updates[:2:2], notifier.MaintenanceUpdate{At: off.Ended, Status: notifier.Cancelled})
	for _, state := range []struct {
		work notifier.Maintenance
		want map[string]string
	}{
		{m, map[string]string{
			"SEQUENCE": "1", "STATUS": "CONFIRMED", "DTSTART": "20260701T180000Z", "DTEND": "20260701T200000Z", "DTSTAMP": "20260701T030000Z", "CREATED": "20260701T030000Z",
			"SUMMARY": "Maintenance: Moving; the database, at last", "DESCRIPTION": "Affects: Alipay, Automatic delivery\n" + `No orders\nor so`,
		}},
		{moved, map[string]string{
			"SEQUENCE": "2", "STATUS": "CONFIRMED", "DTSTART": "20260701T190000Z", "DTEND": "20260701T210000Z", "LAST-MODIFIED": "20260701T040000Z",
			"DESCRIPTION": "Affects: Alipay, Automatic delivery\n" + `No orders\nor so` + "\nJul 1, 2026, 12:00:00 Scheduled: Later\nNew time: Thu, Jul 2, 2026, 03:00 to 05:00 (2 h, Beijing time)",
		}},
		{done, map[string]string{"SEQUENCE": "4", "STATUS": "CONFIRMED", "DTSTART": "20260701T190000Z", "DTEND": "20260701T193000Z", "SUMMARY": "Maintenance completed: Moving; the database, at last"}},
		{off, map[string]string{"SEQUENCE": "3", "STATUS": "CANCELLED", "DTSTART": "20260701T190000Z", "SUMMARY": "Maintenance cancelled: Moving; the database, at last"}},
	} {
		s.Set(planning(snapshot(alipay, delivery), state.work))
		response, body := s.do("GET", "/maintenances.ics?lang=en")
		if got := response.Header.Get("Content-Type"); got != "text/calendar; charset=utf-8" || strings.Contains(body, "SECRET") {
			t.Errorf("got %q with %s", got, body)
		}
		events := calendarOf(t, body)
		if len(events) != 1 || events[0]["UID"] != "maintenance-work@status.example.com" || events[0]["URL"] != "https://status.example.com/maintenances/work?lang=en" {
			t.Fatalf("got %v", events)
		}
		for name, want := range state.want {
			if got := events[0][name]; got != want {
				t.Errorf("%s: got %s %q, want %q", state.work.Status, name, got, want)
			}
		}
	}
}

func TestWhateverPeopleWriteIsACalendar(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	visible := strings.NewReplacer("\r", "", "\t", "")
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.StringOf(rapid.RuneFrom([]rune("王a,;:\\n\n\r\t\"<📅é "))).Draw(rt, "words")
		m := maintenance("work", rules.Text{ZH: "维护", EN: words + "."}, "star/alipay")
		m.Text = rules.Text{ZH: words, EN: words}
		s.Set(planning(snapshot(alipay), m))
		events := calendarOf(rt, s.get("/maintenances.ics?lang=en"))
		if want := "Maintenance: " + visible.Replace(words) + "."; len(events) != 1 || events[0]["SUMMARY"] != want {
			rt.Fatalf("got %q, want summary %q", events, want)
		}
	})
}
