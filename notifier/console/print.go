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
)

// Formats are the forms in which incidents are written.
var Formats = []string{"table", "json"}

// Write writes incidents in one of Formats; times of a table are in zone.
func Write(w io.Writer, format string, incidents []Running, zone *time.Location) error {
	if format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(list{append([]Running{}, incidents...)})
	}
	if len(incidents) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSINCE\tIMPACT\tINCIDENT\tTITLE\tALERTS\tIN HAND")
	for _, r := range incidents {
		hand := "-"
		if r.Acknowledged != nil {
			hand = fmt.Sprintf("%s, %s", cmp.Or(r.Acknowledged.By, "somebody"), r.Acknowledged.At.In(zone).Format(time.DateTime))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Since.In(zone).Format(time.DateTime), r.Impact,
			printable(r.Key), printable(r.Title.EN), printable(strings.Join(r.Alerts, " ")), printable(hand))
	}
	return table.Flush()
}

// WriteHand writes in whose hand an incident is: perhaps of somebody who was first.
func WriteHand(w io.Writer, r Running, zone *time.Location) error {
	hand := "in nobody's hand"
	if a := r.Acknowledged; a != nil {
		hand = fmt.Sprintf("in hand of %s since %s", cmp.Or(a.By, "the people on call"), a.At.In(zone).Format(time.DateTime))
	}
	_, err := fmt.Fprintf(w, "incident %s (%s): %s\n", r.ID, printable(r.Title.EN), printable(hand))
	return err
}

// printable keeps a stranger's label from moving the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, text)
}
