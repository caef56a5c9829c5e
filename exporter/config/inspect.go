package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/units"
	blackbox "github.com/prometheus/blackbox_exporter/config"
	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"shopwatch/internal/configfile"
)

// mostLooksAround bounds how many values of one file are inspected: its aliases
// could make it grow without end.
const mostLooksAround = 200_000

// mostExplained bounds how many mistakes of one tree are told.
const mostExplained = 100

// deepest bounds how deep values may stand in one another: theirs go to 8.
const deepest = 40

// strictly decodes a node as blackbox_exporter decodes its file: unknown fields
// are errors. [yaml.Node.Decode] alone would let them pass.
func strictly(node *yaml.Node, into any) error {
	text, err := yaml.Marshal(node)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	return decoder.Decode(into)
}

// inspector finds what is wrong in a tree that its types refuse. They stop at
// the first mistake and mostly tell no line; it goes on, value by value, and
// asks of each the type that will hold it. It only explains: what is accepted
// is for the types to say.
type inspector struct {
	problems *configfile.Problems
	left     int // values to inspect before it gives up
	most     int // mistakes to have before it does
	depth    int
}

// explain reports every mistake below path that keeps node from becoming an
// into, and err itself where it finds none.
func explain(problems *configfile.Problems, path string, node *yaml.Node, into reflect.Type, err error) {
	before := problems.Count()
	inspector := inspector{problems: problems, left: mostLooksAround, most: before + mostExplained}
	inspector.value(path, node, into)
	if problems.Count() > before {
		return
	}
	got := "what blackbox_exporter refuses"
	if typeError, ok := errors.AsType[*yaml.TypeError](err); !ok || len(typeError.Errors) == 0 {
		got += " (" + err.Error() + ")" // of a type error the text may hold a value
	}
	problems.Add(path, configfile.Phrase(got), "what it takes")
}

var (
	unmarshalerType = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (i *inspector) value(path string, node *yaml.Node, of reflect.Type) {
	if i.depth++; i.depth > deepest {
		i.left = 0
	}
	defer func() { i.depth-- }()
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if i.left--; i.left < 0 || i.problems.Count() >= i.most || node.ShortTag() == "!!null" {
		return
	}
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case isLeaf(of):
		i.leaf(path, node, of)
	case of.Kind() == reflect.Struct && node.Kind == yaml.MappingNode:
		if i.fields(path, node, of) && reflect.PointerTo(of).Implements(unmarshalerType) {
			i.whole(path, node, of)
		}
	case of.Kind() == reflect.Map && node.Kind == yaml.MappingNode:
		i.pairs(path, node, func(string) (reflect.Type, bool) { return of.Elem(), true }, nil)
	case of.Kind() == reflect.Slice && node.Kind == yaml.SequenceNode:
		for n, item := range node.Content {
			i.value(configfile.Item(path, n), item, of.Elem())
		}
	default:
		i.leaf(path, node, of)
	}
}

// isLeaf reports whether a type is written as one value, whatever it is in Go.
func isLeaf(of reflect.Type) bool {
	switch of {
	case reflect.TypeFor[blackbox.Regexp](), reflect.TypeFor[blackbox.CELProgram](), reflect.TypeFor[promconfig.URL]():
		return true
	}
	return reflect.PointerTo(of).Implements(textType)
}

// fields inspects a mapping that becomes a struct, and reports whether nothing
// is wrong in it.
func (i *inspector) fields(path string, node *yaml.Node, of reflect.Type) bool {
	known := make(map[string]reflect.Type)
	rest := structFields(of, known)
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	before := i.problems.Count()
	i.pairs(path, node, func(key string) (reflect.Type, bool) {
		if field, ok := known[key]; ok {
			return field, true
		}
		return rest, rest != nil
	}, names)
	return i.problems.Count() == before
}

// structFields finds the fields of a struct by their names in YAML. Rest is what
// other keys hold where the struct takes any, nil where it takes none.
func structFields(of reflect.Type, known map[string]reflect.Type) (rest reflect.Type) {
	for n := range of.NumField() {
		field := of.Field(n)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case !field.IsExported() || name == "-":
		case strings.Contains(options, "inline") && field.Type.Kind() == reflect.Map:
			rest = field.Type.Elem()
		case strings.Contains(options, "inline"):
			structFields(field.Type, known)
		case name == "":
			known[strings.ToLower(field.Name)] = field.Type
		default:
			known[name] = field.Type
		}
	}
	return rest
}

// pairs inspects the values of a mapping, those of mappings that it merges among them.
func (i *inspector) pairs(path string, node *yaml.Node, typeOf func(key string) (reflect.Type, bool), known []string) {
	first := make(map[string]int)
	for n := 0; n+1 < len(node.Content); n += 2 {
		key, value := node.Content[n], node.Content[n+1]
		if key.ShortTag() == "!!merge" {
			i.merged(path, value, typeOf, known)
			continue
		}
		at := configfile.Field(path, key.Value)
		of, ok := typeOf(key.Value)
		switch line, again := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			i.problems.Add(path, configfile.Phrase("an odd key"), "plain keys")
		case again:
			i.problems.AddAt(at, key.Line, configfile.Phrase("the key a second time"), fmt.Sprintf("it once (it is on line %d)", line))
		case !ok:
			i.problems.Add(at, configfile.Phrase("an unknown field"), configfile.OneOf(key.Value, known))
		default:
			i.value(at, value, of)
		}
		if _, again := first[key.Value]; !again {
			first[key.Value] = key.Line
		}
	}
}

func (i *inspector) merged(path string, from *yaml.Node, typeOf func(key string) (reflect.Type, bool), known []string) {
	for from.Kind == yaml.AliasNode {
		from = from.Alias
	}
	sources := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		sources = from.Content
	}
	for _, source := range sources {
		for source.Kind == yaml.AliasNode {
			source = source.Alias
		}
		if i.left--; i.left >= 0 && source.Kind == yaml.MappingNode && i.depth < deepest {
			i.depth++
			i.pairs(path, source, typeOf, known)
			i.depth--
		}
	}
}

// leaf asks the type itself about a value.
func (i *inspector) leaf(path string, node *yaml.Node, of reflect.Type) {
	err := node.Decode(reflect.New(of).Interface())
	if err == nil {
		return
	}
	var got any = configfile.Phrase("a list")
	switch {
	case node.Kind == yaml.MappingNode:
		got = configfile.Phrase("a mapping")
	case node.Kind == yaml.ScalarNode && of == reflect.TypeFor[promconfig.URL]():
		got = configfile.Phrase("a text that is no URL") // it may hold a password
	case node.Kind == yaml.ScalarNode && of.Kind() != reflect.Map && of.Kind() != reflect.Struct || isLeaf(of) && node.Kind == yaml.ScalarNode:
		got = node.Value
	case node.Kind == yaml.ScalarNode:
		got = configfile.Phrase("a text")
	}
	i.problems.Add(path, got, wantOf(of, node.Value))
}

// wantOf says what a value of a type looks like.
func wantOf(of reflect.Type, got string) string {
	switch of {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 5s"
	case reflect.TypeFor[units.Base2Bytes]():
		return "a size such as 1MB"
	case reflect.TypeFor[promconfig.URL]():
		return "a URL"
	case reflect.TypeFor[promconfig.TLSVersion]():
		return "one of TLS10, TLS11, TLS12, TLS13"
	case reflect.TypeFor[blackbox.CELProgram]():
		return "a CEL expression of body"
	case reflect.TypeFor[blackbox.Regexp]():
		return wantPattern(got)
	}
	switch of.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	}
	return "a text"
}

// wantPattern says what is wrong with a regular expression.
func wantPattern(pattern string) string {
	_, err := syntax.Parse(pattern, syntax.Perl)
	if broken, ok := errors.AsType[*syntax.Error](err); ok {
		return "a regular expression (" + broken.Code.String() + ")"
	}
	return "a regular expression"
}
