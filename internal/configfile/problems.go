package configfile

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"
)

// Mistake is one thing that is wrong in the file, and what would be right.
type Mistake struct {
	File string
	Line int    // from 1; 0: the whole file
	Path string // exporter.shops[0].id; empty: the file's own form
	Got  string // as written in the file; never a secret nor a value of the environment
	Want string
}

// Error is the mistake in one line.
func (m Mistake) Error() string {
	var line strings.Builder
	line.WriteString(oneLine(m.File))
	if m.Line > 0 {
		fmt.Fprintf(&line, ":%d", m.Line)
	}
	if m.Path != "" {
		line.WriteString(": " + m.Path)
	}
	fmt.Fprintf(&line, ": got %s, want %s", m.Got, m.Want)
	return line.String()
}

// Mistakes is every mistake of a file, in the order of its lines.
type Mistakes []Mistake

// Error is one mistake a line.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.Error()
	}
	return strings.Join(lines, "\n")
}

// Join makes one error of several: the Mistakes of all in the order of their
// lines, each once, and before them whatever else went wrong. It is nil where
// all are nil.
func Join(errs ...error) error {
	var all Mistakes
	var others []error
	for _, err := range errs {
		var mistakes Mistakes
		switch {
		case err == nil:
		case errors.As(err, &mistakes):
			all = append(all, mistakes...)
		default:
			others = append(others, err)
		}
	}
	if len(all) > 0 {
		others = append(others, all.sorted())
	}
	if len(others) == 1 {
		return others[0]
	}
	return errors.Join(others...)
}

// sorted is a copy in order, each mistake once.
func (m Mistakes) sorted() Mistakes {
	sorted := slices.Clone(m)
	slices.SortStableFunc(sorted, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	seen := make(map[Mistake]bool)
	return slices.DeleteFunc(sorted, func(mistake Mistake) bool {
		again := seen[mistake]
		seen[mistake] = true
		return again
	})
}

// Problems collects the mistakes of one document while it is decoded and validated.
type Problems struct {
	doc    *Document
	found  Mistakes
	doubts Mistakes        // what works, and is hardly meant
	broken map[string]bool // paths whose value could not be decoded
}

// Doubts is what the decoding met that works, but hardly as it was meant, in the
// order of lines: secrets that everybody on this machine can read, or that were
// left as the sample has them.
func (p *Problems) Doubts() Mistakes { return p.doubts.sorted() }

// Phrase is a got of [Problems.Add] that is shown as it is: words rather than a
// value of the file. Whoever makes it answers for what it shows.
type Phrase string

// Add adds the mistake that the place at path has got where it should have
// want. The line is that of the place, or of what should hold it. Nothing is
// added below a place that could not be decoded: that is a mistake already, and
// the value there is not the file's.
//
// Got is the value, or a [Phrase]. An empty text or nil reads "nothing" where
// the file has no such place; a value from the environment is shown as written.
func (p *Problems) Add(path string, got any, want string) {
	for at := path; ; at = parent(at) {
		if p.broken[at] {
			return
		}
		if at == "" {
			break
		}
	}
	at, given := p.doc.index[path]
	if !given {
		at, given = p.doc.index[path+fileSuffix]
	}
	p.put(path, p.doc.line(path), p.show(got, at, given), want)
}

// Err is nil, or the Mistakes found so far.
func (p *Problems) Err() error {
	if len(p.found) == 0 {
		return nil
	}
	return p.found.sorted()
}

// fail adds a mistake at a place whose value cannot be used.
func (p *Problems) fail(path string, got, want string) {
	p.broken[path] = true
	p.broken[strings.TrimSuffix(path, fileSuffix)] = true
	p.put(path, p.doc.line(path), got, want)
}

func (p *Problems) put(path string, line int, got, want string) {
	p.found = append(p.found, Mistake{File: p.doc.name, Line: line, Path: path, Got: got, Want: want})
}

func (p *Problems) doubt(path, got, want string) {
	p.doubts = append(p.doubts, Mistake{File: p.doc.name, Line: p.doc.line(path), Path: path, Got: got, Want: want})
}

// show writes a value for a mistake.
func (p *Problems) show(got any, at *entry, given bool) string {
	if phrase, ok := got.(Phrase); ok {
		return oneLine(string(phrase))
	}
	if given && !p.doc.foreign && at.value.kind == scalar && strings.Contains(at.value.text, "${") {
		if _, secret := got.(Secret); !secret {
			return asWritten(at.value)
		}
	}
	switch got := got.(type) {
	case nil:
		return "nothing"
	case time.Duration:
		return showDuration(got)
	case Secret:
		if !got.IsSet() {
			return "nothing"
		}
		return got.String()
	}
	if value := reflect.ValueOf(got); value.Kind() == reflect.String {
		if value.Len() == 0 && (!given || at.value.kind == null) {
			return "nothing"
		}
		return quote(value.String())
	}
	return quote(fmt.Sprint(got))
}

// asWritten shows a scalar as it stands in the file.
func asWritten(value *node) string {
	text := quote(value.text)
	if !value.plain {
		text = fmt.Sprintf("%q", clip(value.text))
	}
	if strings.Contains(value.text, "${") {
		text += " of the environment"
	}
	return text
}

// simple matches values that need no quotes to be told from the words around them.
var simple = regexp.MustCompile(`^[\pL\pN_./:@+${}-]+$`)

func quote(text string) string {
	if simple.MatchString(text) {
		return clip(text)
	}
	return fmt.Sprintf("%q", clip(text))
}

// clip keeps a line readable.
func clip(text string) string {
	const longest = 80
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// oneLine keeps a mistake on its line, and a terminal from being steered by it.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

func showDuration(d time.Duration) string {
	if d > 0 && d%time.Millisecond == 0 {
		return model.Duration(d).String()
	}
	return d.String()
}
