package console

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"shopwatch/notifier"
)

// WriteWorks writes planned work in one of Formats. Times that people read are in
// zone, in RFC 3339.
func WriteWorks(w io.Writer, format string, list []notifier.Maintenance, zone *time.Location) error {
	if format == "json" {
		return JSON(w, Works{append([]notifier.Maintenance{}, list...)})
	}
	if len(list) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSTATUS\tFROM\tUNTIL\tSERVICES\tTITLE")
	for _, m := range list {
		from, until := m.Window.From, m.Window.Until
		if !m.Ahead() {
			until = m.Ended
		}
		if !m.Began.IsZero() {
			from = m.Began
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, m.Status, from.In(zone).Format(time.RFC3339), until.In(zone).Format(time.RFC3339),
			printable(strings.Join(m.Services, " ")), printable(cmp.Or(m.Title.EN, m.Title.ZH)))
	}
	return table.Flush()
}

// WriteWork writes in one line how planned work stands after a deed.
func WriteWork(w io.Writer, m notifier.Maintenance, zone *time.Location) error {
	said := fmt.Sprintf("%s, from %s until %s", m.Status, m.Window.From.In(zone).Format(time.RFC3339), m.Window.Until.In(zone).Format(time.RFC3339))
	if !m.Ahead() {
		said = string(m.Status)
	}
	_, err := fmt.Fprintf(w, "maintenance %s (%s) is %s\n", m.ID, printable(cmp.Or(m.Title.EN, m.Title.ZH)), said)
	return err
}
