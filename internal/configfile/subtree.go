package configfile

import (
	"reflect"
	"regexp"

	"go.yaml.in/yaml/v3"
)

var (
	treeType     = reflect.TypeFor[Tree]()
	templateType = reflect.TypeFor[Template]()
)

// Tree is a part of the file that is decoded later, when it is known by whose
// rules. A field of this type takes whatever stands there.
type Tree struct {
	doc  *Document
	path string
	from *node
}

// IsSet reports whether the file has the part, and more in it than nothing.
func (t Tree) IsSet() bool { return t.from != nil && t.from.kind != null }

// Path is where the part stands, for mistakes.
func (t Tree) Path() string { return t.path }

// String hides the part, which may hold secrets.
func (t Tree) String() string { return t.path }

// Text is the text at a key of the part, its environment expanded; empty where
// there is none or it isn't one. Whoever wants it for good decodes it.
func (t Tree) Text(key string) string {
	if t.from == nil {
		return ""
	}
	value := t.from.field(key)
	if value == nil || value.kind != scalar {
		return ""
	}
	text, _, want := expand(value.text, t.doc.env, nil)
	if want != "" {
		return ""
	}
	return text
}

// Has reports whether the part is a mapping with this key, also if nothing is in it.
func (t Tree) Has(key string) bool { return t.from != nil && t.from.field(key) != nil }

// Decode decodes the part as [Document.Decode] does a section.
func (t Tree) Decode(into any, problems *Problems) {
	if t.from != nil {
		decoder{doc: t.doc, problems: problems}.value(t.path, t.from, reflect.ValueOf(into).Elem())
	}
}

// groupName is what a ${…} of other people's grammars names: a group of a pattern.
var groupName = regexp.MustCompile(`^[0-9]+$`)

// YAML gives the part to a decoder of the common YAML library, with the
// environment expanded and the lines of the file. A ${1} stays as it is: it
// names a group of a pattern. What this package refuses is a mistake here too,
// and false is returned.
func (t Tree) YAML(problems *Problems) (*yaml.Node, bool) {
	before := len(problems.found)
	made := t.yaml(t.path, t.from, decoder{doc: t.doc, problems: problems})
	return made, len(problems.found) == before
}

func (t Tree) yaml(path string, from *node, d decoder) *yaml.Node {
	made := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	if from == nil {
		return made
	}
	made.Line = from.line
	switch from.kind {
	case refused:
		d.problems.fail(path, from.refusal, "the value itself")
	case scalar:
		text, got, want := expand(from.text, t.doc.env, groupName.MatchString)
		if want != "" {
			d.problems.fail(path, got, want)
		}
		made.Value, made.Tag = text, ""
		if !from.plain {
			made.Tag, made.Style = "!!str", yaml.DoubleQuotedStyle
		} else if tag := made.ShortTag(); text != from.text && tag != "!!int" && tag != "!!float" && tag != "!!bool" {
			// What comes from the environment is a text, were it "null" or a date.
			made.Tag, made.Style = "!!str", yaml.DoubleQuotedStyle
		}
	case mapping:
		made.Kind, made.Tag = yaml.MappingNode, "!!map"
		d.structure(path, from)
		for _, field := range from.fields {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: field.key, Line: field.line}
			made.Content = append(made.Content, key, t.yaml(Field(path, field.key), field.value, d))
		}
	case list:
		made.Kind, made.Tag = yaml.SequenceNode, "!!seq"
		for i, item := range from.items {
			made.Content = append(made.Content, t.yaml(Item(path, i), item, d))
		}
	}
	return made
}

// Template is a text with ${names} that are not all of the environment: which
// are is known only when it is expanded.
type Template struct {
	doc  *Document
	path string
	text string
}

// IsSet reports whether there is a text.
func (t Template) IsSet() bool { return t.text != "" }

// Expand replaces the ${NAME} of the environment, as everywhere in the file,
// but leaves those that keep claims.
func (t Template) Expand(problems *Problems, keep func(name string) bool) string {
	if t.doc == nil {
		return t.text
	}
	text, got, want := expand(t.text, t.doc.env, keep)
	if want != "" {
		problems.fail(t.path, got, want)
	}
	return text
}

// String hides the text, which may become a secret.
func (t Template) String() string { return t.path }

// Bool is the part's truth value, if it is one.
func (t Tree) Bool() (value, is bool) {
	if t.from == nil || t.from.kind != scalar || !t.from.plain {
		return false, false
	}
	return t.from.text == "true", t.from.text == "true" || t.from.text == "false"
}
