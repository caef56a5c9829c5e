package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// mostOfModules bounds a file of modules, in bytes.
const mostOfModules = 4 << 20

// modulesFile is a file of blackbox_exporter, read by its own types.
type modulesFile struct {
	modules  map[string]blackbox.Module
	problems *configfile.Problems // of that file
	warnings *configfile.Problems
}

// readModules reads a file of blackbox_exporter's. A file that can't be read at
// all is a mistake at the place that names it.
func (b builder) readModules(at, path string) (modulesFile, bool) {
	data, why := readBounded(path, mostOfModules)
	if why != "" {
		b.problems.Add(at, configfile.Phrase(path+" ("+why+")"), "a readable configuration file of blackbox_exporter")
		return modulesFile{}, false
	}
	var root yaml.Node
	if err := guarded(func() error { return yaml.Unmarshal(data, &root) }); err != nil || root.Kind == 0 {
		empty := configfile.Foreign(path, nil)
		read := modulesFile{problems: empty.Problems(), warnings: empty.Problems()}
		if err == nil {
			read.problems.AddAt("", 1, "nothing", "modules")
		} else {
			line, text := yamlError(err)
			read.problems.AddAt("", line, configfile.Phrase("a slip of YAML ("+text+")"), "well-formed YAML")
		}
		return read, true
	}
	doc := configfile.Foreign(path, &root)
	read := modulesFile{problems: doc.Problems(), warnings: doc.Problems()}
	values := mostValues
	if line, what := beyond(&root, &values); line > 0 {
		read.problems.AddAt("", line, configfile.Phrase(what), "fewer, in several files")
		return read, true
	}
	var config blackbox.Config
	err := guarded(func() error {
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		return decoder.Decode(&config)
	})
	if err != nil {
		explain(read.problems, "", root.Content[0], reflect.TypeFor[blackbox.Config](), err)
	}
	read.modules = config.Modules
	return read, true
}

const (
	// mostKeys bounds a mapping: the library compares each key with each other.
	mostKeys = 5000
	// mostValues bounds a file: each takes a few hundred bytes while it is read.
	mostValues = 200_000
)

// beyond is the line of what the library would take minutes for, and what it
// is; 0 where there is none. Values are how many more there may be.
func beyond(node *yaml.Node, values *int) (line int, what string) {
	switch *values--; {
	case *values < 0:
		return max(1, node.Line), fmt.Sprintf("more than %d values", mostValues)
	case node.Kind == yaml.MappingNode && len(node.Content) > 2*mostKeys:
		return max(1, node.Line), fmt.Sprintf("a mapping of more than %d keys", mostKeys)
	}
	for _, below := range node.Content {
		if line, what := beyond(below, values); line > 0 {
			return line, what
		}
	}
	return 0, ""
}

// readBounded reads a regular file, or says in a few words why it can't.
func readBounded(path string, most int64) (data []byte, why string) {
	if why := trouble(path); why != "" {
		return nil, why
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, "not readable"
	}
	defer file.Close()
	data, err = io.ReadAll(io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return nil, "not readable"
	case int64(len(data)) > most:
		return nil, fmt.Sprintf("larger than %d MiB", most>>20)
	}
	return data, ""
}

// guarded runs somebody else's decoder: should it panic on some malformed file,
// that is an error like any other.
func guarded(decode func() error) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = errors.New("unreadable")
		}
	}()
	return decode()
}

var yamlErrorForm = regexp.MustCompile(`^yaml: (?:line (\d+): )?([^\n]*)`)

// yamlError gives line and text of an error of the library's parser. Its texts
// hold nothing of the file but names of anchors.
func yamlError(err error) (line int, text string) {
	parts := yamlErrorForm.FindStringSubmatch(err.Error())
	if parts == nil {
		return 1, "unreadable"
	}
	line, err = strconv.Atoi(parts[1])
	if err != nil {
		line = 1
	}
	return line, parts[2]
}

// foreign decodes a part of shopwatch.yml by the types of others, and reports
// whether it could.
func (b builder) foreign(tree configfile.Tree, into any) bool {
	node, ok := tree.YAML(b.problems)
	if !ok {
		return false
	}
	if err := guarded(func() error { return strictly(node, into) }); err != nil {
		explain(b.problems, tree.Path(), node, reflect.TypeOf(into).Elem(), err)
		return false
	}
	return true
}

// tlsWords decodes blackbox_exporter's words for TLS. Its files are beside shopwatch.yml.
func (b builder) tlsWords(tree configfile.Tree) promconfig.TLSConfig {
	var options promconfig.TLSConfig
	if !tree.IsSet() || !b.foreign(tree, &options) {
		return promconfig.TLSConfig{}
	}
	parent, name := tree.Path(), ""
	if at := strings.LastIndexByte(parent, '.'); at >= 0 {
		parent, name = parent[:at], parent[at+1:]
	}
	check := doubter{path: parent}
	check.tls(name, &options)
	b.files(tree.Path(), reflect.ValueOf(&options))
	b.doubted(check.found)
	return options
}

// maybeTLS is tlsWords where TLS itself is a choice: true and false are taken too.
func (b builder) maybeTLS(tree configfile.Tree) *promconfig.TLSConfig {
	if !tree.IsSet() {
		return nil
	}
	if on, is := tree.Bool(); is {
		if on {
			return new(promconfig.TLSConfig)
		}
		return nil
	}
	options := b.tlsWords(tree)
	return &options
}

// files makes the files that are named in shopwatch.yml those of this process,
// and reports which aren't there.
func (b builder) files(path string, value reflect.Value) {
	eachFile(path, value, func(at string, file *string) {
		written := *file
		*file = beside(b.file, written)
		if why := trouble(*file); why != "" {
			b.problems.Add(b.stand(at), configfile.Phrase(written+" ("+why+")"), "a readable file")
		}
	})
}

// stand is where the value of a path stands: a bearer_token_file is kept as
// credentials_file of the authorization that it means.
func (b builder) stand(path string) string {
	return standIn(b.problems, path)
}

func standIn(problems *configfile.Problems, path string) string {
	if before, is := strings.CutSuffix(path, ".authorization.credentials_file"); is && !problems.Has(path) {
		return before + ".bearer_token_file"
	}
	return path
}

// doubted reports doubts about what stands in shopwatch.yml as mistakes: who
// writes it there writes it anew, and can write it well.
func (b builder) doubted(doubts []doubt) {
	for _, doubt := range doubts {
		b.problems.Add(b.stand(doubt.path), doubt.got, doubt.want)
	}
}

// ofBlackbox makes our noun of a module of blackbox_exporter's.
func ofBlackbox(name string, module blackbox.Module) exporter.Module {
	// There a timeout of 0 or less counts as none.
	return exporter.Module{
		Name: name, Kind: exporter.Kind(module.Prober), Timeout: max(0, module.Timeout), Blackbox: &module,
	}
}
