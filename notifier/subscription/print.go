package subscription

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
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

// Write writes subscribers in one of Formats; times of a table are in zone, in RFC 3339.
func Write(w io.Writer, format string, p Page, zone *time.Location) error {
	if format == "json" {
		return JSON(w, p)
	}
	if len(p.Subscribers) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tCHANNEL\tADDRESS\tLANGUAGE\tSTATE\tCONFIRMED\tPROBLEM")
	for _, l := range p.Subscribers {
		confirmed, problem := "-", "-"
		if !l.Confirmed.IsZero() {
			confirmed = l.Confirmed.In(zone).Format(time.RFC3339)
		}
		if l.Problem != "" {
			problem = printable(l.Problem)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Channel, printable(l.Address), l.Language, l.State, confirmed, problem)
	}
	return table.Flush()
}

// printable keeps a stranger's text from moving the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, text)
}
