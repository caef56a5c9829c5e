package configfile

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// decoder writes one section of a document into Go values, mistake by mistake:
// it goes on after each, and leaves the default where a value is wrong.
type decoder struct {
	doc      *Document
	problems *Problems
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[Secret]()
	pathType     = reflect.TypeFor[Path]()
)

// What the kinds of values want, in the words of a mistake.
const (
	wantMapping  = "a mapping"
	wantList     = "a list"
	wantText     = "a text"
	wantNumber   = "a number"
	wantWhole    = "a whole number"
	wantBool     = "true or false"
	wantDuration = "a duration such as 15s, 5m or 1d"
)

// value decodes a node into target.
func (d decoder) value(path string, from *node, target reflect.Value) {
	switch {
	case target.Type() == treeType:
		target.Set(reflect.ValueOf(Tree{d.doc, path, from}))
		return
	case from.kind == null:
		return
	case from.kind == refused:
		d.problems.fail(path, from.refusal, "the value itself")
		return
	case target.Kind() == reflect.Pointer:
		// Also a value that fails is there: a validator must not call it missing.
		element := fresh(target.Type().Elem())
		target.Set(element.Addr())
		d.value(path, from, element)
		return
	case from.kind == scalar:
		d.scalar(path, from, target)
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		if target.Type() != secretType && target.Type() != templateType {
			d.structFields(path, from, target)
			return
		}
	case reflect.Map:
		d.mapEntries(path, from, target)
		return
	case reflect.Slice:
		d.listItems(path, from, target)
		return
	}
	d.problems.fail(path, from.describe(), wantOf(target.Type()))
}

// fresh makes a settable value with its type's defaults.
func fresh(of reflect.Type) reflect.Value {
	made := reflect.New(of)
	if with, ok := made.Interface().(interface{ SetDefaults() }); ok {
		with.SetDefaults()
	}
	return made.Elem()
}

func (d decoder) structFields(path string, from *node, target reflect.Value) {
	if from.kind != mapping {
		d.problems.fail(path, from.describe(), wantOf(target.Type()))
		return
	}
	d.structure(path, from)
	fields := make(map[string]reflect.Value)
	collectFields(target, fields)
	known := slices.Collect(maps.Keys(fields))
	for name, field := range fields {
		if field.Type() == secretType {
			known = append(known, name+fileSuffix)
			d.secretFile(path, name, from, field)
		}
	}
	for _, field := range from.fields {
		if into, ok := fields[field.key]; ok {
			d.value(Field(path, field.key), field.value, into)
		} else if !slices.Contains(known, field.key) {
			d.unknown(Field(path, field.key), field, known)
		}
	}
}

// collectFields finds the fields of a struct by their names in the file, those
// of embedded structs among them.
func collectFields(target reflect.Value, found map[string]reflect.Value) {
	for i := range target.NumField() {
		field := target.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			collectFields(target.Field(i), found)
		} else if name := fieldName(field); name != "" {
			found[name] = target.Field(i)
		}
	}
}

// fieldName is the name of a Go field in the file, empty if it has none there.
func fieldName(field reflect.StructField) string {
	name, tagged := field.Tag.Lookup("yaml")
	switch {
	case !field.IsExported() || name == "-":
		return ""
	case !tagged:
		return strings.ToLower(field.Name)
	}
	return name
}

// structure reports what YAML allows in a mapping and we refuse.
func (d decoder) structure(path string, from *node) {
	for _, odd := range from.oddities {
		at := path
		if odd.key != "" {
			at = Field(path, odd.key)
		}
		d.problems.put(at, odd.line, odd.got, odd.want)
	}
}

// unknown reports a field that nobody decodes.
func (d decoder) unknown(path string, field field, known []string) {
	d.problems.put(path, field.line, "an unknown field", OneOf(field.key, slices.Sorted(slices.Values(known))))
}

// secretFile reads the secret named by name_file.
func (d decoder) secretFile(path, name string, from *node, target reflect.Value) {
	file := from.field(name + fileSuffix)
	if file == nil || file.kind == null {
		return
	}
	at := Field(path, name+fileSuffix)
	if inline := from.field(name); inline != nil && inline.kind != null {
		d.problems.fail(at, "both "+name+" and "+name+fileSuffix, "one of the two")
		return
	}
	var where Path
	before := len(d.problems.found)
	d.value(at, file, reflect.ValueOf(&where).Elem())
	if len(d.problems.found) > before {
		return
	}
	secret, trouble := readSecret(string(where))
	if trouble != "" {
		d.problems.fail(at, asWritten(file)+" ("+trouble+")", "a readable file that holds the secret")
		return
	}
	if mode, open := openToAll(string(where)); open {
		d.problems.doubt(at, fmt.Sprintf("%s (mode %04o: everybody on this machine can open it)", asWritten(file), mode), wantOwnFile)
	}
	target.Set(reflect.ValueOf(secret))
}

// inTheOpen doubts a secret that is the sample's, or that stands, not taken from the
// environment, in a file that everybody can open; that once a file.
func (d decoder) inTheOpen(path, written, value string) {
	if strings.Contains(value, sampleSecret) {
		d.problems.doubt(path, "the sample's value", "your own")
	}
	if written == "" || written != value || slices.ContainsFunc(d.problems.doubts, func(m Mistake) bool { return m.Want == wantOwnConfig }) {
		return
	}
	if mode, open := openToAll(d.doc.name); open {
		d.problems.doubt(path, fmt.Sprintf("a secret in a file of mode %04o, which everybody on this machine can open", mode), wantOwnConfig)
	}
}

// sampleSecret is in every secret of the examples that must be replaced.
const sampleSecret = "replace-with-"

// What is wanted where a secret lies open.
const (
	wantOwnFile   = "a file of the one user who runs shopwatch: chmod 600 it, or mount it with mode 0440"
	wantOwnConfig = "chmod 600 of this file, or the secret in one of its own (" + fileSuffix + ") or in a variable"
)

func (d decoder) mapEntries(path string, from *node, target reflect.Value) {
	if from.kind != mapping {
		d.problems.fail(path, from.describe(), wantMapping)
		return
	}
	d.structure(path, from)
	made := reflect.MakeMap(target.Type())
	for _, field := range from.fields {
		element := fresh(target.Type().Elem())
		d.value(Field(path, field.key), field.value, element)
		made.SetMapIndex(reflect.ValueOf(field.key).Convert(target.Type().Key()), element)
	}
	target.Set(made)
}

func (d decoder) listItems(path string, from *node, target reflect.Value) {
	if from.kind != list {
		d.problems.fail(path, from.describe(), wantList)
		return
	}
	made := reflect.MakeSlice(target.Type(), 0, len(from.items))
	for i, item := range from.items {
		element := fresh(target.Type().Elem())
		d.value(Item(path, i), item, element)
		made = reflect.Append(made, element)
	}
	target.Set(made)
}

// scalar decodes a text into whatever target is.
func (d decoder) scalar(path string, from *node, target reflect.Value) {
	if target.Type() == templateType {
		target.Set(reflect.ValueOf(Template{d.doc, path, from.text}))
		return
	}
	text, got, want := expand(from.text, d.doc.env, nil)
	if want != "" {
		d.problems.fail(path, got, want)
		return
	}
	if target.Type() == secretType {
		d.inTheOpen(path, from.text, text)
		target.Set(reflect.ValueOf(NewSecret(text)))
		return
	}
	// A number or bool in quotes is a text; from the environment all are texts.
	bare := from.plain || text != from.text
	want, ok := setScalar(target, text, bare, d.doc)
	if ok {
		return
	}
	d.problems.fail(path, asWritten(from), want)
}

// wholeNumber matches the one notation of whole numbers: YAML's others (0x1F,
// 1_000, 017) say different things to different readers.
var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

func setScalar(target reflect.Value, text string, bare bool, doc *Document) (want string, ok bool) {
	switch target.Type() {
	case durationType:
		parsed, err := model.ParseDuration(text)
		if err != nil {
			return wantDuration, false
		}
		target.SetInt(int64(parsed))
		return "", true
	case pathType:
		target.SetString(doc.resolve(text))
		return "", true
	}
	if unmarshaler, is := target.Addr().Interface().(encoding.TextUnmarshaler); is {
		if err := unmarshaler.UnmarshalText([]byte(text)); err != nil {
			return oneLine(err.Error()), false
		}
		return "", true
	}
	switch target.Kind() {
	case reflect.String:
		target.SetString(text)
		return "", true
	case reflect.Bool:
		if bare && (text == "true" || text == "false") {
			target.SetBool(text == "true")
			return "", true
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		number, err := strconv.ParseInt(text, 10, target.Type().Bits())
		if bare && err == nil && wholeNumber.MatchString(text) {
			target.SetInt(number)
			return "", true
		}
	case reflect.Float32, reflect.Float64:
		number, err := strconv.ParseFloat(text, target.Type().Bits())
		if bare && err == nil && number-number == 0 { // neither infinite nor NaN
			target.SetFloat(number)
			return "", true
		}
	}
	return wantOf(target.Type()), false
}

// wantOf says what a value of the type looks like in the file.
func wantOf(of reflect.Type) string {
	switch {
	case of == durationType:
		return wantDuration
	case of == secretType || of == pathType || of == templateType:
		return wantText
	case reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		if of.Kind() == reflect.Struct {
			return "a text or a mapping"
		}
		return wantText
	}
	switch of.Kind() {
	case reflect.Struct, reflect.Map:
		return wantMapping
	case reflect.Slice:
		return wantList
	case reflect.String:
		return wantText
	case reflect.Bool:
		return wantBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return wantWhole
	case reflect.Float32, reflect.Float64:
		return wantNumber
	}
	panic(fmt.Sprintf("configfile: cannot decode into %s", of))
}
