package message

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// The template packages say what is wrong in words for whoever programs. Those
// who change a notice read here what stands there, and what could stand there.

var (
	// prefixShape is how the template packages begin their errors.
	prefixShape = regexp.MustCompile(`^(?:html/)?template: ?`)
	// ranShape is an error of a template that was executed, and readShape of one
	// that could not be read: file, line, and more.
	ranShape  = regexp.MustCompile(`(?s)^([^:]+:\d+):\d+: executing "([^"]*)" at <(.*?)>: (.*)$`)
	readShape = regexp.MustCompile(`(?s)^([^:]+(?::\d+)?)(?::\d+)?: (.*)$`)
)

// builtins are the functions that every template has.
const builtins = "and, eq, ge, gt, html, index, js, le, len, lt, ne, not, or, print, printf, println, slice, urlquery"

// syntax are mistakes in how a template is written, by what the packages say of
// them; $1 and so on are what stands there.
var syntax = []struct {
	said      *regexp.Regexp
	got, want string
}{
	{regexp.MustCompile(`^unexpected EOF`), "the end of the file", "an {{end}} for each {{define}}, {{if}}, {{with}} and {{range}} before it"},
	{regexp.MustCompile(`^unexpected \{\{(end|else)\}\}`), "an {{$1}} that belongs to nothing", "one for each {{if}}, {{with}} or {{range}}, and an {{end}} for each {{define}}"},
	{regexp.MustCompile(`^unclosed (action|left paren|comment)`), "{{ without its end", "}} on the same line, and */}} after a comment"},
	{regexp.MustCompile(`^bad character U\+007D`), "a single }", "}} behind what stands in {{"},
	{regexp.MustCompile(`^unterminated quoted string`), `a text without its second "`, `both on one line: "…"`},
	{regexp.MustCompile(`^unrecognized character in action: U\+201[CD]`), "Chinese quotation marks in {{ }}", `straight ones: "…"`},
	{regexp.MustCompile(`^(?:unrecognized|bad|unexpected bad) character(?: in action:)? U\+[0-9A-F]+ '(.*)'`), "the sign $1 in {{ }}", `a fact such as .Title, a function, or a text in straight quotation marks "…"`},
	{regexp.MustCompile(`^missing value for (if|with|range)`), "{{$1}} with nothing behind it", "a fact, such as {{$1 .Scope}}"},
	{regexp.MustCompile(`^unexpected "(.*)" in define clause`), "a block's name without quotation marks", `{{define "$1"}}`},
	{regexp.MustCompile(`^template: multiple definition of template "(.*)"`), `the block "$1" a second time`, "it once"},
	{regexp.MustCompile(`^undefined variable "(.*)"`), "the variable $1, which has no value", "a {{$1 := …}} before it in the same block"},
	{regexp.MustCompile(`^wrong number of args for (\S+): want (.+) got (\d+)`), "$1 with $3 values behind it", "$2"},
	{regexp.MustCompile(`has arguments but cannot be invoked as function`), "a fact with values behind it", "each in braces of its own, or a function such as print before them"},
	{regexp.MustCompile(`incompatible types for comparison: (\w+) and (\w+)`), "a comparison of $1 and $2", "two of a kind: .First, .Late and .Orders are true or false by themselves, as in {{if .Late}}"},
	{regexp.MustCompile(`^ends in a non-text context`), "a tag or an attribute without its end", "a > for each <, and quotation marks in pairs"},
	{regexp.MustCompile(`in (attribute name|unquoted attr)`), "a sign in a tag that HTML doesn't allow there", `attributes such as href="{{.URL}}", in quotation marks and with a space between them`},
	{regexp.MustCompile(`^range can't iterate over`), "{{range}} of what is no list", "one of .Digest and .OnCall.News"},
	{regexp.MustCompile(`^wrong type for value; expected string; got \[\]`), "a list where a text must be", "{{range …}}{{.}}{{end}} around it"},
	{regexp.MustCompile(`^wrong type for value; expected string; got (\w+)`), "a number, or true or false, where a text must be", "(print …) around it"},
}

// inFile is a template's error that begins with its file and line, and says what
// is there and what was expected.
func inFile(err error) error {
	if err == nil {
		return nil
	}
	text := prefixShape.ReplaceAllString(err.Error(), "")
	place, got, want := text, "", ""
	if ran := ranShape.FindStringSubmatch(text); ran != nil {
		place = ran[1]
		got, want = inRun(ran[3], ran[4])
		if got == "" {
			got, want = unknown(fmt.Sprintf("%s (%s)", ran[3], ran[4]))
		}
		if !strings.HasPrefix(place, ran[2]+":") { // a form is one block, of the file's name
			place += fmt.Sprintf(": block %q", ran[2])
		}
	} else if read := readShape.FindStringSubmatch(text); read != nil && !strings.HasPrefix(read[2], "got ") {
		place = read[1]
		if got, want = inText(read[2], strings.HasPrefix(place, "words.")); got == "" {
			got, want = unknown(read[2])
		}
	}
	if got == "" {
		return fmt.Errorf("%s", text)
	}
	return fmt.Errorf("%s: got %s, want %s", place, got, want)
}

// unknown is a mistake for which there are no better words.
func unknown(said string) (got, want string) {
	return said, "a template as https://pkg.go.dev/text/template explains"
}

// written are the words for a mistake in how a template is written, or none.
func written(said string) (got, want string) {
	for _, s := range syntax {
		if at := s.said.FindStringSubmatchIndex(said); at != nil {
			fill := func(form string) string { return string(s.said.ExpandString(nil, form, said, at)) }
			return fill(s.got), fill(s.want)
		}
	}
	return "", ""
}

var (
	noFunction = regexp.MustCompile(`^function "(.*)" not defined`)
	noBlock    = regexp.MustCompile(`(?:^|: )(?:no such template "(.*)"|template "(.*)" not defined)$`)
	noField    = regexp.MustCompile(`^can't evaluate field (\S+) in type (\S+)$`)
	noOnCall   = regexp.MustCompile(`^nil pointer evaluating \*message\.OnCall\.`)
)

// inText is what is wrong in a file that could not be read: words have functions
// of their own.
func inText(said string, words bool) (got, want string) {
	if name := noFunction.FindStringSubmatch(said); name != nil {
		if _, fact := reflect.TypeFor[Facts]().FieldByName(name[1]); fact {
			return "the fact " + name[1] + " without a point", "." + name[1]
		}
		want := "one of those that every template has: " + builtins
		if words {
			want = "one of " + strings.Join(slices.Sorted(maps.Keys(wordFuncs)), ", ") + ", or " + want
		}
		return "the function " + name[1], want
	}
	if name := noBlock.FindStringSubmatch(said); name != nil {
		return noSuchBlock(name)
	}
	return written(said)
}

func noSuchBlock(name []string) (got, want string) {
	return fmt.Sprintf("the block %q, which there is none of", name[1]+name[2]), "one that this file defines, or that ours does"
}

// inRun is what is wrong at a place of a template that was executed.
func inRun(at, said string) (got, want string) {
	if noOnCall.MatchString(said) {
		return at + " also where subscribers read it, for whom .OnCall is empty", "it behind {{with .OnCall}}, without the .OnCall: {{with .OnCall}}{{.Key}}{{end}}"
	}
	if name := noBlock.FindStringSubmatch(said); name != nil {
		return noSuchBlock(name)
	}
	field := noField.FindStringSubmatch(said)
	if field == nil {
		return written(said)
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[Facts](), reflect.TypeFor[OnCall](), reflect.TypeFor[Told](),
		reflect.TypeFor[View](), reflect.TypeFor[Block](), reflect.TypeFor[Fact](), reflect.TypeFor[Link](),
	} {
		if strings.TrimPrefix(field[2], "*") == of.String() {
			return at, "one of " + strings.Join(facts(of), ", ")
		}
	}
	return at, strings.TrimSuffix(at, "."+field[1]) + ": it is a text, a number or a list, and has no facts in it"
}

// facts are the fields of a type as a template writes them.
func facts(of reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(of) {
		names = append(names, "."+field.Name)
	}
	return names
}
