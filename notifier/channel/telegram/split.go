package telegram

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxUnits is the longest text of one message: 4096 UTF-16 code units, counted
// after Telegram took the tags out.
const maxUnits = 4096

// atom is what a text may not be cut inside of: a tag, a character reference
// or a character.
type atom struct {
	raw   string
	text  string // what the reader sees of it; empty for a tag
	units int    // UTF-16 code units of text
	opens string // for an opening tag its name
	close bool   // for a closing tag
}

var (
	tagShape       = regexp.MustCompile(`^<(/?)([a-zA-Z][a-zA-Z0-9-]*)(?:[^>"']|"[^"]*"|'[^']*')*>`)
	referenceShape = regexp.MustCompile(`^&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});`)
)

// htmlAtoms takes Telegram's HTML apart. What is no tag and no reference is text.
func htmlAtoms(s string) []atom {
	atoms := make([]atom, 0, len(s))
	for len(s) > 0 {
		var next atom
		switch found := tagShape.FindStringSubmatch(s); {
		case found != nil && found[1] == "":
			next = atom{raw: found[0], opens: found[2]}
		case found != nil:
			next = atom{raw: found[0], close: true}
		default:
			next = textAtom(s)
			if reference := referenceShape.FindString(s); reference != "" {
				next.raw, next.text = reference, html.UnescapeString(reference)
				next.units = len(utf16.Encode([]rune(next.text)))
			}
		}
		atoms = append(atoms, next)
		s = s[len(next.raw):]
	}
	return atoms
}

// textAtoms takes a plain text apart into its characters.
func textAtoms(s string) []atom {
	atoms := make([]atom, 0, len(s))
	for len(s) > 0 {
		next := textAtom(s)
		atoms = append(atoms, next)
		s = s[len(next.raw):]
	}
	return atoms
}

func textAtom(s string) atom {
	r, size := utf8.DecodeRuneInString(s)
	return atom{raw: s[:size], text: s[:size], units: max(1, utf16.RuneLen(r))}
}

// splitHTML cuts Telegram's HTML into messages of at most limit units, at the
// end of a line where there is one. Tags that a cut falls into are closed
// before it and opened again behind it. Parts without visible text are left
// out; of more than most parts the rest is cut off and replaced by an ellipsis.
func splitHTML(s string, limit, most int) []string { return split(htmlAtoms(s), limit, most) }

// splitText does the same to a plain text.
func splitText(s string, limit, most int) []string { return split(textAtoms(s), limit, most) }

func split(rest []atom, limit, most int) []string {
	var parts []string
	for !blank(rest) {
		last := len(parts) == most-1
		end, next := cut(rest, limit)
		more := !blank(rest[next:])
		if last && more {
			end, next = cut(rest, limit-1)
		}
		open := openTags(rest[:end])
		if !blank(rest[:end]) {
			part := raw(rest[:end])
			if last && more {
				part += "…"
			}
			parts = append(parts, part+closing(open))
		}
		if last {
			break
		}
		rest = append(open, rest[next:]...)
	}
	return parts
}

// cut says where the first message ends and where the second one begins. The
// break itself, a line's end or a space, belongs to neither.
func cut(atoms []atom, limit int) (end, next int) {
	line, space, units, lineUnits := -1, -1, 0, 0
	for i, a := range atoms {
		if units+a.units > limit {
			switch {
			case line >= 0 && (lineUnits >= limit/2 || space < 0):
				return line, line + 1
			case space >= 0:
				return space, space + 1
			}
			return i, i
		}
		units += a.units
		switch a.text {
		case "\n":
			line, lineUnits = i, units
		case " ":
			space = i
		}
	}
	return len(atoms), len(atoms)
}

// openTags are the opening tags that are not closed within the atoms.
func openTags(atoms []atom) []atom {
	var open []atom
	for _, a := range atoms {
		switch {
		case a.opens != "":
			open = append(open, a)
		case a.close && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	return slices.Clone(open)
}

func closing(open []atom) string {
	var tags strings.Builder
	for _, tag := range slices.Backward(open) {
		tags.WriteString("</" + tag.opens + ">")
	}
	return tags.String()
}

func blank(atoms []atom) bool {
	return !slices.ContainsFunc(atoms, func(a atom) bool { return strings.TrimSpace(a.text) != "" })
}

func raw(atoms []atom) string {
	var joined strings.Builder
	for _, a := range atoms {
		joined.WriteString(a.raw)
	}
	return joined.String()
}

// plain is what a reader would see of the HTML.
func plain(s string) string {
	var joined strings.Builder
	for _, a := range htmlAtoms(s) {
		joined.WriteString(a.text)
	}
	return joined.String()
}
