package orders

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// Formats are the forms in which a List is written.
var Formats = []string{"table", "csv", "json"}

// Write writes a list in one of Formats. An empty list has no table.
func (l List) Write(w io.Writer, format string) error {
	switch format {
	case "csv":
		return l.writeCSV(w)
	case "json":
		return indented(w, l)
	}
	return l.writeTable(w)
}

// Unread are the shops whose books have never been read: of their orders a list
// knows nothing.
func (l List) Unread() (shops []string) {
	for _, shop := range l.Shops {
		if shop.Unread {
			shops = append(shops, shop.Shop)
		}
	}
	return shops
}

// Remarks are sentences about what a list doesn't show.
func (l List) Remarks() []string {
	var remarks []string
	if l.More > 0 {
		remarks = append(remarks, fmt.Sprintf("%d more orders have no room in the list: choose a shop, or a greater age", l.More))
	}
	for _, shop := range l.Shops {
		if shop.Note == "" {
			continue
		}
		remark := fmt.Sprintf("shop %s: %s", shop.Shop, shop.Note)
		if shop.AsOf != nil {
			remark += " (read at " + shop.AsOf.Format(time.DateTime) + ")"
		}
		remarks = append(remarks, printable(remark))
	}
	return remarks
}

func indented(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// writeCSV writes what spreadsheets and scripts read: times by RFC 3339, and no
// cell that a spreadsheet would take for a formula.
func (l List) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"shop", "id", "number", "state", "kind", "products", "payment", "amount", "currency", "created", "since", "waiting_seconds"}}
	for _, r := range l.Orders {
		waiting := ""
		if r.Waiting != nil {
			waiting = strconv.FormatInt(*r.Waiting, 10)
		}
		rows = append(rows, []string{
			r.Shop, strconv.FormatInt(r.ID, 10), r.Number, string(r.State), string(r.Kind), r.products(),
			r.Payment, r.Amount, r.Currency, moment(r.Created, time.RFC3339), moment(r.Since, time.RFC3339), waiting,
		})
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
			if strings.IndexAny(cell, "=+-@＝＋－＠\t\r\n") == 0 { // a spreadsheet may take it for a formula
				row[i] = "'" + row[i]
			}
		}
	}
	return out.WriteAll(rows)
}

// writeTable writes what people read on a terminal: the shop's own time, ages in
// words, columns that stand below one another in any script.
func (l List) writeTable(w io.Writer) error {
	if len(l.Orders) == 0 {
		return nil
	}
	rows := [][]string{{"SHOP", "ID", "NUMBER", "STATE", "KIND", "WAITS", "CREATED", "PRODUCTS", "PAYMENT", "AMOUNT"}}
	for _, r := range l.Orders {
		wait := ""
		if r.Waiting != nil {
			wait = span(time.Duration(*r.Waiting) * time.Second)
		}
		rows = append(rows, []string{
			r.Shop, strconv.FormatInt(r.ID, 10), r.Number, string(r.State), string(r.Kind), wait,
			moment(r.Created, "2006-01-02 15:04"), r.products(), r.Payment, strings.TrimSpace(r.Amount + " " + r.Currency),
		})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				row[i] = "-"
			} else {
				row[i] = printable(cell)
			}
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			text.WriteString(cell)
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-columns(cell)+2))
			}
		}
		text.WriteByte('\n')
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// Write writes an order's progress for its owner.
func (p Progress) Write(w io.Writer) error {
	lines := [][2]string{{"id", strconv.FormatInt(p.ID, 10)}, {"state", string(p.State)}, {"kind", string(p.Kind)}}
	add := func(name, value string) { lines = append(lines, [2]string{name, value}) }
	if p.WaitingMinutes != nil {
		add("waits", fmt.Sprintf("%s (%s)", span(time.Duration(*p.WaitingMinutes)*time.Minute), p.Age))
	}
	if p.Ahead != nil {
		add("ahead", strconv.Itoa(*p.Ahead))
	}
	if p.Typical != nil {
		add("typical", fmt.Sprintf("half within %d s, nine of ten within %d s", p.Typical.P50, p.Typical.P90))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(w, "%-8s %s\n", line[0], printable(line[1])); err != nil {
			return err
		}
	}
	return nil
}

// products are the products of a row as one cell: 12, 15×2.
func (r Row) products() string {
	cells := make([]string, len(r.Products))
	for i, product := range r.Products {
		cells[i] = product.ID
		if product.Quantity > 1 {
			cells[i] += "×" + strconv.Itoa(product.Quantity)
		}
	}
	return strings.Join(cells, ", ")
}

func moment(at *time.Time, layout string) string {
	if at == nil {
		return ""
	}
	return at.Format(layout)
}

// span is a time as people say it, in its two greatest units.
func span(d time.Duration) string {
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd %dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh %dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm", minutes)
	}
	return "<1m"
}

// printable is a text without what would command a terminal: a shop's products
// and payments may be named anything.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, text)
}

// columns is how many columns of a terminal a printable text takes.
func columns(text string) (n int) {
	for _, r := range text {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			if !unicode.Is(unicode.Mn, r) {
				n++
			}
		}
	}
	return n
}
