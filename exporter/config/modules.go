package config

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"go.yaml.in/yaml/v3"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// mostModuleFiles bounds how many files of modules are read.
const mostModuleFiles = 50

// defaultModule is the module of /probe that names none. Where no module of this
// name is configured, all of shipped are there.
const defaultModule = "http_2xx"

// shipped are the modules that blackbox_exporter's own configuration file has,
// so that what scrapes it can scrape us.
//
//go:embed blackbox.yml
var shipped []byte

// modules are all that a service or /probe can name.
type modules struct {
	known map[string]exporter.Module
	from  map[string]string // the file of each
	// absent are files that aren't there, by the modules of blackbox_exporter's
	// files that name them: a mistake only where a service needs them.
	absent map[string][]doubt
	files  map[string]modulesFile // by module
	read   []modulesFile
}

// modules reads the files of modules and those of shopwatch.yml itself.
func (b builder) modules(section sectionFields) *modules {
	m := &modules{
		known: make(map[string]exporter.Module), from: make(map[string]string),
		absent: make(map[string][]doubt), files: make(map[string]modulesFile),
	}
	path := configfile.Field(Section, "module_files")
	if len(section.ModuleFiles) > mostModuleFiles {
		b.problems.Add(path, len(section.ModuleFiles), fmt.Sprintf("at most %d files", mostModuleFiles))
		section.ModuleFiles = nil
	}
	for i, file := range section.ModuleFiles {
		at := configfile.Item(path, i)
		if slices.Index(section.ModuleFiles, file) < i {
			b.problems.Add(at, configfile.Phrase("a file a second time"), "each file once")
			continue
		}
		if read, ok := b.readModules(at, string(file)); ok {
			m.addFile(string(file), read)
		}
	}
	path = configfile.Field(Section, "modules")
	for _, name := range slices.Sorted(maps.Keys(section.Modules)) {
		at := configfile.Field(path, name)
		if file, again := m.from[name]; again {
			b.problems.Add(at, configfile.Phrase("a second module "+name), "a name of its own: "+file+" has one")
			continue
		}
		if module, ok := b.module(name, section.Modules[name]); ok {
			m.known[name], m.from[name] = module, b.file
		}
	}
	if _, ok := m.known[defaultModule]; !ok {
		m.addShipped()
	}
	for name, module := range m.known {
		module.Fingerprint = fingerprint(module)
		m.known[name] = module
	}
	return m
}

func (m *modules) addFile(path string, read modulesFile) {
	m.read = append(m.read, read)
	for _, name := range slices.Sorted(maps.Keys(read.modules)) {
		at := configfile.Field("modules", name)
		if file, again := m.from[name]; again {
			read.problems.Add(at, configfile.Phrase("a second module "+name), "a name of its own: "+file+" has one")
			continue
		}
		module := read.modules[name]
		for _, doubt := range doubts(at, &module) {
			doubt.path = standIn(read.problems, doubt.path)
			switch doubt.weight {
			case never:
				read.problems.Add(doubt.path, doubt.got, doubt.want)
			case odd:
				read.warnings.Add(doubt.path, doubt.got, doubt.want)
			case absent:
				m.absent[name] = append(m.absent[name], doubt)
			}
		}
		m.known[name], m.from[name], m.files[name] = ofBlackbox(name, module), path, read
	}
}

func (m *modules) addShipped() {
	for name, module := range ShippedModules() {
		if _, given := m.known[name]; !given {
			m.known[name] = module
		}
	}
}

// ShippedModules are those that are known where nobody configures http_2xx.
func ShippedModules() map[string]exporter.Module {
	var config blackbox.Config
	if err := yaml.Unmarshal(shipped, &config); err != nil {
		panic("config: the shipped modules: " + err.Error())
	}
	modules := make(map[string]exporter.Module, len(config.Modules))
	for name, module := range config.Modules {
		modules[name] = ofBlackbox(name, module)
	}
	return modules
}

// module makes a module that stands in shopwatch.yml: of blackbox_exporter's
// probers by its types, of our own kinds by the words of a service's block.
func (b builder) module(name string, tree configfile.Tree) (exporter.Module, bool) {
	if !tree.IsSet() {
		b.problems.Add(tree.Path(), configfile.Phrase("nothing"), "a module: prober and its options")
		return exporter.Module{}, false
	}
	if slices.Contains(ownKinds, exporter.Kind(tree.Text("prober"))) {
		return b.ownModule(name, tree)
	}
	var module blackbox.Module
	if !b.foreign(tree, &module) {
		return exporter.Module{}, false
	}
	b.doubted(slices.DeleteFunc(doubts(tree.Path(), &module), func(d doubt) bool { return d.weight == absent }))
	if block := configfile.Field(tree.Path(), module.Prober); slices.Contains(kinds, exporter.Kind(module.Prober)) {
		b.files(block, blockOf(&module))
	}
	return ofBlackbox(name, module), true
}

// ownModuleFields is a module of a kind of our own.
type ownModuleFields struct {
	Prober  string
	Timeout *time.Duration
	ownFields
}

func (b builder) ownModule(name string, tree configfile.Tree) (exporter.Module, bool) {
	var fields ownModuleFields
	before := b.problems.Count()
	tree.Decode(&fields, b.problems)
	var module exporter.Module
	found := false
	for _, block := range fields.blocks(b, tree.Path()) {
		switch {
		case !block.given:
		case string(block.kind) != fields.Prober:
			b.problems.Add(configfile.Field(tree.Path(), string(block.kind)), configfile.Phrase("options of "+string(block.kind)),
				"none but those of "+fields.Prober+", the prober")
		default:
			module, found = block.build(), true
		}
	}
	if !found && b.problems.Count() == before {
		b.add(tree.Path(), fields.Prober, configfile.Phrase("nothing"), "the options of the prober")
	}
	if fields.Timeout != nil {
		b.positive(tree.Path(), "timeout", *fields.Timeout)
		module.Timeout = *fields.Timeout
	}
	module.Name, module.Kind = name, exporter.Kind(fields.Prober)
	return module, b.problems.Count() == before
}

// use gives a module to the service at path, or reports that it can't be used.
func (b builder) use(path, name string) (exporter.Module, bool) {
	module, ok := b.mods.known[name]
	if !ok {
		if broken := b.problems.Has(configfile.Field(configfile.Field(Section, "modules"), name)); !broken && !b.mods.unreadable() {
			known := slices.Sorted(maps.Keys(b.mods.known))
			b.add(path, "module", name, configfile.OneOf(name, known))
		}
		return exporter.Module{}, false
	}
	if module.Kind == unborn {
		b.add(path, "module", configfile.Phrase(name+", whose prober is "+unborn), "a module whose prober is there")
		return exporter.Module{}, false
	}
	if read, ok := b.mods.files[name]; ok {
		for _, doubt := range b.mods.absent[name] {
			read.problems.Add(doubt.path, doubt.got, doubt.want)
		}
		delete(b.mods.absent, name)
	}
	return module, true
}

// unreadable reports whether some file's modules aren't known: then nobody can
// say that a name is wrong.
func (m *modules) unreadable() bool {
	return slices.ContainsFunc(m.read, func(read modulesFile) bool { return read.problems.Count() > 0 })
}

// warnings are what may be wrong in the files of modules, after all services
// took theirs.
func (m *modules) warnings() configfile.Mistakes {
	for name, doubts := range m.absent {
		for _, doubt := range doubts {
			m.files[name].warnings.Add(doubt.path, doubt.got, doubt.want)
		}
	}
	var all configfile.Mistakes
	for _, read := range m.read {
		all = append(all, read.warnings.Found()...)
	}
	return all
}

// errors are the mistakes in the files of modules.
func (m *modules) errors() []error {
	var all []error
	for _, read := range m.read {
		all = append(all, read.problems.Err())
	}
	return all
}
