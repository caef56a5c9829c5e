// Package configfile reads one strict YAML file and reports every mistake in
// it at once, each with its line:
//
//	shopwatch.yml:12: notifier.email.port: got 0, want 1–65535
//
// It knows YAML, durations, secrets in files and ${NAME} from the environment,
// and it knows no field: which sections and fields there are is decided by the
// config rooms of the two halves, which decode their own section into their own
// structs and add their own mistakes by path. It is the one leaf besides rules
// that both halves share, so it imports nothing of ours.
//
// Three decisions made it so. A section is expanded and its secret files are
// opened only when it is decoded, so the process of the public page never
// touches the secrets of the exporter's section. Values from the environment
// are shown as the file writes them (${NAME}) and secrets not at all, so a
// mistake can be printed anywhere. Anchors, aliases, merge keys, tags and
// directives are refused: a file that is read line by line by a person in a
// hurry says each thing where it applies, and cannot grow while it is read.
package configfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// MaxSize is the size of the largest file that is read, in bytes.
const MaxSize = 1 << 20

// Lookup gives a variable of the environment and whether it is set;
// os.LookupEnv is one. A nil Lookup knows none.
type Lookup func(name string) (value string, set bool)

// Document is a parsed file: a mapping of sections whose fields nobody has looked at yet.
type Document struct {
	name  string
	env   Lookup
	root  *node
	index map[string]*entry

	foreign bool // another program's file
}

// entry is one place in the file, found by its path.
type entry struct {
	line  int
	value *node
}

// Read parses the file. Its errors are those of opening it, and Mistakes.
func Read(path string, env Lookup) (*Document, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	return Parse(path, data, env)
}

// Parse parses data. The name stands before each mistake; relative paths of
// secrets and other files in the document start at the name's folder. Every
// error is Mistakes: a file that is no YAML mapping or breaks a limit. What
// only one section does wrong is reported when it is decoded.
func Parse(name string, data []byte, env Lookup) (*Document, error) {
	root, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	doc := &Document{name: name, env: env, root: root, index: make(map[string]*entry)}
	doc.enter("", 1, root)
	return doc, nil
}

// enter writes the value and all below it into the index.
func (d *Document) enter(path string, line int, value *node) {
	d.index[path] = &entry{line, value}
	for _, field := range value.fields {
		d.enter(Field(path, field.key), field.line, field.value)
	}
	for i, item := range value.items {
		d.enter(Item(path, i), item.line, item)
	}
}

// Name is the file's name as it was given.
func (d *Document) Name() string { return d.name }

// Has reports whether the file has the section, and more in it than nothing.
func (d *Document) Has(section string) bool {
	value := d.root.field(section)
	return value != nil && value.kind != null
}

// Only reports every top-level key that is none of the sections, as Mistakes.
func (d *Document) Only(sections ...string) error {
	problems := d.Problems()
	decoder := decoder{doc: d, problems: problems}
	decoder.structure("", d.root)
	for _, field := range d.root.fields {
		if !slices.Contains(sections, field.key) {
			decoder.unknown(Field("", field.key), field, sections)
		}
	}
	return problems.Err()
}

// Problems gives an empty list for mistakes in this document.
func (d *Document) Problems() *Problems {
	return &Problems{doc: d, broken: make(map[string]bool)}
}

// Decode decodes a section into the struct that into points to, and adds every
// mistake to problems. An absent section leaves the struct as it is: what it
// holds before are its defaults.
//
// A field's name in the file is that of its tag `yaml:"name"`, or its own in
// lower case; fields tagged "-" are skipped, and those of an embedded struct
// stand among the others. A field may be a bool, a number, a
// string, a time.Duration ("15s", "1d"), a [Secret] (fields name and
// name_file), a [Path], a [Tree], a [Template], a struct, a pointer, a slice or a map by string of
// these, or an encoding.TextUnmarshaler, which is given scalars and whose error
// says what is wanted. A struct with a method SetDefaults() has it called
// before it is decoded as an element of a slice or map or behind a pointer.
// Slices and maps replace what was there. A null leaves the default.
func (d *Document) Decode(section string, into any, problems *Problems) {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("configfile: decode into %T, want a pointer to a struct", into))
	}
	value := d.root.field(section)
	if value == nil {
		return
	}
	decoder := decoder{doc: d, problems: problems}
	decoder.value(Field("", section), value, target.Elem())
}

// line is that of the place, or of the nearest place around it that the file has.
func (d *Document) line(path string) int {
	for {
		if at, ok := d.index[path]; ok {
			return at.line
		}
		if at, ok := d.index[path+fileSuffix]; ok {
			return at.line
		}
		path = parent(path)
	}
}

// resolve makes a path of the document one of this process.
func (d *Document) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.name), path)
}

// Field is the path of a key of the mapping at path.
func Field(path, key string) string {
	if !plainKey.MatchString(key) {
		key = fmt.Sprintf("%q", clip(key))
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Item is the path of an item, counted from 0, of the list at path.
func Item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// parent is the path of the mapping or list that holds the path.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}
