package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Formats are the forms in which lists are written.
var Formats = []string{"table", "json"}

// JSON writes an answer as a program reads it.
func JSON(w io.Writer, answer any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(answer)
}

// Write writes incidents in one of Formats. Times that people read are in zone,
// in RFC 3339, which says how far that is from UTC.
func Write(w io.Writer, format string, incidents []Running, zone *time.Location) error {
	if format == "json" {
		return JSON(w, list{append([]Running{}, incidents...)})
	}
	if len(incidents) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSINCE\tSTATUS\tIMPACT\tPUBLIC\tINCIDENT\tTITLE\tALERTS\tIN HAND")
	for _, r := range incidents {
		hand := "-"
		if !r.Asks {
			hand = "asks for nobody"
		}
		if r.Acknowledged != nil {
			hand = fmt.Sprintf("%s, %s", cmp.Or(r.Acknowledged.By, "somebody"), r.Acknowledged.At.In(zone).Format(time.RFC3339))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Since.In(zone).Format(time.RFC3339), r.Status, r.Impact, r.publicity(),
			printable(r.Key), printable(r.Title.EN), printable(strings.Join(r.Alerts, " ")), printable(hand))
	}
	return table.Flush()
}

// publicity is whether the public knows, in a word.
func (r Running) publicity() string {
	switch {
	case r.Public:
		return "yes"
	case r.Publication.Held:
		return "held"
	}
	return "no"
}

// WriteDeed writes in one line how an incident stands after a deed: an
// acknowledgement perhaps of somebody other than by who was first.
func WriteDeed(w io.Writer, deed notifier.Deed, r Running, by string, zone *time.Location) error {
	var stands string
	switch deed {
	case notifier.DeedAcknowledge, notifier.DeedWithdraw:
		stands = "in nobody's hand"
		if a := r.Acknowledged; a != nil {
			said := "in hand of %s since %s"
			if deed == notifier.DeedAcknowledge && a.By != strings.TrimSpace(by) {
				said = "already in hand of %s since %s; nothing changed"
			}
			stands = fmt.Sprintf(said, cmp.Or(a.By, "the people on call"), a.At.In(zone).Format(time.RFC3339))
		}
	case notifier.DeedPublish:
		stands = "public"
	case notifier.DeedHold:
		stands = "not public until somebody publishes it"
	case notifier.DeedUpdate:
		stands = string(r.Status)
		if !r.ETA.At.IsZero() && r.Closed == nil {
			stands += ", expected over at " + r.ETA.At.In(zone).Format(time.RFC3339)
		}
	case notifier.DeedResolve:
		stands = "over"
	default:
		stands = string(deed)
		if n := len(r.Acts); n > 0 && r.Acts[n-1].Deed == deed && r.Acts[n-1].Detail != "" {
			stands += " " + r.Acts[n-1].Detail
		}
	}
	_, err := fmt.Fprintf(w, "incident %s (%s): %s\n", r.ID, printable(r.Title.EN), printable(stands))
	return err
}

// WriteAccount writes all that is known of an incident; times are in zone.
func WriteAccount(w io.Writer, a Account, zone *time.Location) error {
	var b strings.Builder
	at := func(t time.Time) string { return t.In(zone).Format(time.RFC3339) }
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s%s\n", name, printable(value))
		}
	}
	line("incident", a.ID)
	line("title", both(a.Title))
	line("service", both(a.Service)+" ("+a.Key+")")
	line("status", fmt.Sprintf("%s, impact %s, public %s", a.Status, a.Impact, a.publicity()))
	line("since", at(a.Since))
	if a.Over != nil {
		line("over", at(*a.Over))
	}
	line("root cause", a.Parent)
	line("scope", both(a.Scope))
	if !a.ETA.At.IsZero() {
		eta := at(a.ETA.At)
		for n := len(a.ETA.Earlier) - 1; n >= 0; n-- {
			eta += ", before: " + at(a.ETA.Earlier[n])
		}
		line("expected", eta)
	}
	line("workaround", both(a.Workaround))
	line("alerts", strings.Join(a.Alerts, " "))
	if a.Acknowledged != nil {
		line("in hand", cmp.Or(a.Acknowledged.By, "somebody")+", "+at(a.Acknowledged.At))
	}
	for _, t := range a.Told {
		line("told", fmt.Sprintf("%s by %s: %s", t.Audience, t.Channel, t.counts()))
	}
	for _, u := range a.Updates {
		line(at(u.At)+"  ", strings.TrimSpace(fmt.Sprintf("%s  %s  %s", u.Status, both(u.Text), u.By)))
	}
	for _, act := range a.Acts {
		line(at(act.At)+"  ", strings.TrimSpace(fmt.Sprintf("%s %s %s", cmp.Or(act.By, "somebody"), act.Deed, act.Detail)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// counts says how many notices stand where, leaving out where there is none.
func (t Told) counts() string {
	var list []string
	for _, c := range []struct {
		n    int
		what string
	}{{t.Sent, "sent"}, {t.Queued, "waiting"}, {t.Dead, "given up"}, {t.Dropped, "dropped"}, {t.Replaced, "replaced"}} {
		if c.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(list, ", ")
}

// WriteOutbox writes what waits and what was given up, in one of Formats.
func WriteOutbox(w io.Writer, format string, o Outbox, zone *time.Location) error {
	if format == "json" {
		return JSON(w, o)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHANNEL\tAUDIENCE\tWAITING\tGIVEN UP")
	for _, c := range o.Channels {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\n", c.Channel, c.Audience, c.Queued, c.Dead)
	}
	fmt.Fprintf(table, "all\t\t%d\t%d\n", o.Queued, o.Dead)
	if err := table.Flush(); err != nil || o.Oldest.IsZero() {
		return err
	}
	_, err := fmt.Fprintf(w, "the oldest waits since %s\n", o.Oldest.In(zone).Format(time.RFC3339))
	return err
}

// WriteLetters writes dead letters in one of Formats.
func WriteLetters(w io.Writer, format string, letters Letters, zone *time.Location) error {
	if format == "json" {
		return JSON(w, letters)
	}
	if len(letters.Dead) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DELIVERY\tGIVEN UP\tCHANNEL\tAUDIENCE\tRECIPIENT\tINCIDENT\tEVENT\tTRIES\tPROBLEM")
	for _, l := range letters.Dead {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\n", l.Delivery, l.At.In(zone).Format(time.RFC3339), l.Channel, l.Audience,
			l.Recipient, cmp.Or(l.Incident, "-"), l.Event, l.Attempts, printable(l.Problem))
	}
	return table.Flush()
}

// WriteRecord writes what people did, in one of Formats.
func WriteRecord(w io.Writer, format string, record Record, zone *time.Location) error {
	if format == "json" {
		return JSON(w, record)
	}
	if len(record.Entries) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "AT\tWHO\tWAY\tDEED\tSUBJECT\tDETAIL")
	for _, e := range record.Entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.At.In(zone).Format(time.RFC3339), printable(cmp.Or(e.By, "-")), e.Way, e.Deed, printable(e.Subject), printable(e.Detail))
	}
	return table.Flush()
}

// both is a text in its two languages, or in the one that there is.
func both(t rules.Text) string {
	if t.EN == t.ZH || t.ZH == "" {
		return t.EN
	}
	if t.EN == "" {
		return t.ZH
	}
	return t.EN + " / " + t.ZH
}

// printable keeps a stranger's label from moving the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, strings.ReplaceAll(text, "\n", " ⏎ "))
}
