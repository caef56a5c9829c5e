package configfile

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits on how much of another program's file is known by its place. Its
// aliases could make it grow without end.
const (
	mostPlaces   = 100_000
	deepestPlace = 64
)

// Foreign makes a Document of another program's file, which the common YAML
// library has read by that program's rules: anchors, aliases, merge keys and
// tags are allowed and no environment is expanded. It serves to name mistakes by
// their places; there is nothing in it to decode.
func Foreign(name string, root *yaml.Node) *Document {
	doc := &Document{name: name, root: &node{}, index: make(map[string]*entry), foreign: true}
	visits := mostPlaces
	doc.enterForeign("", 1, root, deepestPlace, &visits)
	return doc
}

// enterForeign writes the value and all below it into the index. What stands
// there twice counts where it stands first, so that what is merged in comes last.
// Depth and visits are how much further it may go.
func (d *Document) enterForeign(path string, line int, value *yaml.Node, depth int, visits *int) {
	if *visits--; value == nil || *visits < 0 || depth < 0 {
		return
	}
	if value.Kind == yaml.AliasNode || value.Kind == yaml.DocumentNode && len(value.Content) > 0 {
		below := value.Alias
		if value.Kind == yaml.DocumentNode {
			below = value.Content[0]
		}
		d.enterForeign(path, line, below, depth-1, visits)
		return
	}
	if _, again := d.index[path]; !again {
		known := &node{kind: scalar, line: line}
		if value.ShortTag() == "!!null" {
			known.kind = null
		}
		d.index[path] = &entry{line, known}
	}
	switch value.Kind {
	case yaml.MappingNode:
		d.enterForeignFields(path, value, depth, visits)
	case yaml.SequenceNode:
		for i, item := range value.Content {
			d.enterForeign(Item(path, i), item.Line, item, depth-1, visits)
		}
	}
}

func (d *Document) enterForeignFields(path string, value *yaml.Node, depth int, visits *int) {
	var merged []*yaml.Node
	for i := 0; i+1 < len(value.Content); i += 2 {
		key, field := value.Content[i], value.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, field)
			continue
		}
		d.enterForeign(Field(path, key.Value), key.Line, field, depth-1, visits)
	}
	for _, from := range merged {
		if from.Kind == yaml.AliasNode {
			from = from.Alias
		}
		sources := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			sources = from.Content
		}
		for _, source := range sources {
			d.enterForeign(path, source.Line, source, depth-1, visits)
		}
	}
}

// Has reports whether the document has a place at the path; nothing may be in it.
func (p *Problems) Has(path string) bool {
	_, given := p.doc.index[path]
	return given
}

// Empty reports whether the document has a place at the path with nothing in it.
func (p *Problems) Empty(path string) bool {
	at, given := p.doc.index[path]
	return given && at.value.kind == null
}

// Count is how many mistakes there are so far.
func (p *Problems) Count() int { return len(p.found) }

// Found is every mistake so far, in the order of lines.
func (p *Problems) Found() Mistakes { return p.found.sorted() }

// AddAt is [Problems.Add] for a place that the file has on another line than
// the path says, such as a key that stands there twice.
func (p *Problems) AddAt(path string, line int, got Phrase, want string) {
	p.put(path, line, oneLine(string(got)), want)
}

// OneOf says which names are known instead of the given one, and which may have
// been meant.
func OneOf(given string, known []string) string {
	want := "one of " + strings.Join(known, ", ")
	if near := nearest(given, known); near != "" {
		want += fmt.Sprintf(" (did you mean %s?)", near)
	}
	return want
}
