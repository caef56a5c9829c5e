package engine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"

	"shopwatch/internal/configfile"
)

// Section is the part of shopwatch.yml that LoadSettings reads.
const Section = "engine"

// Settings is what the owner of a shop adds to the configuration files of an
// engine, or has it read instead of ours. All paths are those of this process.
type Settings struct {
	// PrometheusFile and AlertmanagerFile are files of the owner's own; empty: ours.
	PrometheusFile, AlertmanagerFile string
	// RuleFiles are paths or patterns, to be judged beside ours.
	RuleFiles []string
	// Retention and RetentionSize are as in Config; 0: its default.
	Retention     time.Duration
	RetentionSize int64

	scrapeConfigFiles []string
	remoteWrite       *yaml.Node // as Prometheus reads it; may hold secrets
}

// String says nothing: remote_write may hold secrets.
func (s Settings) String() string { return Section }

// GoString is String, for %#v.
func (s Settings) GoString() string { return Section }

// sectionFields are the fields as the file has them.
type sectionFields struct {
	PrometheusFile    configfile.Path   `yaml:"prometheus_file"`
	AlertmanagerFile  configfile.Path   `yaml:"alertmanager_file"`
	ScrapeConfigFiles []configfile.Path `yaml:"scrape_config_files"`
	RuleFiles         []configfile.Path `yaml:"rule_files"`
	RemoteWrite       configfile.Tree   `yaml:"remote_write"`
	Retention         retentionFields
}

type retentionFields struct {
	Time time.Duration
	Size string
}

// LoadSettings decodes and validates the section. It reads every file that the
// section names as Prometheus and Alertmanager would, and connects to nothing.
// Its error is [configfile.Mistakes] with every mistake.
func LoadSettings(doc *configfile.Document) (Settings, error) {
	problems := doc.Problems()
	var fields sectionFields
	doc.Decode(Section, &fields, problems)
	b := settingsBuilder{doc: doc, problems: problems}
	s := Settings{
		PrometheusFile: absolute(string(fields.PrometheusFile)), AlertmanagerFile: absolute(string(fields.AlertmanagerFile)),
		RuleFiles:         b.ruleFiles(fields.RuleFiles),
		scrapeConfigFiles: b.scrapeConfigFiles(fields.ScrapeConfigFiles),
		remoteWrite:       b.remoteWrite(fields.RemoteWrite),
	}
	s.Retention, s.RetentionSize = b.retention(fields.Retention)
	b.ownFiles(s, fields)
	if err := problems.Err(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// Extend adds to a prometheus.yml, whose rule_files name the settings' own
// already, what else the settings say.
func (s Settings) Extend(prometheus []byte) ([]byte, error) {
	more := struct {
		ScrapeConfigFiles []string   `yaml:"scrape_config_files,omitempty"`
		RemoteWrite       *yaml.Node `yaml:"remote_write,omitempty"`
	}{s.scrapeConfigFiles, s.remoteWrite}
	if len(more.ScrapeConfigFiles) == 0 && more.RemoteWrite == nil {
		return prometheus, nil
	}
	added, err := yaml.Marshal(more)
	if err != nil {
		return nil, fmt.Errorf("write section %s: %w", Section, err)
	}
	return bytes.Join([][]byte{prometheus, added}, []byte("\n# From section engine of shopwatch.yml.\n")), nil
}

// settingsBuilder turns the section's fields into Settings, mistake by mistake.
type settingsBuilder struct {
	doc      *configfile.Document
	problems *configfile.Problems
}

// absolute is a path of this process that also stands in files elsewhere.
func absolute(path string) string {
	if found, err := filepath.Abs(path); err == nil && path != "" {
		return found
	}
	return path
}

func path(field string) string { return configfile.Field(Section, field) }

// ownFiles checks the files that stand in for ours. What else the section says
// of Prometheus has no place then: nobody would see it in his file.
func (b settingsBuilder) ownFiles(s Settings, fields sectionFields) {
	c := Config{PrometheusConfig: s.PrometheusFile, AlertmanagerConfig: s.AlertmanagerFile, Logger: slog.New(slog.DiscardHandler)}
	if s.PrometheusFile != "" {
		if _, err := loadPrometheus(c, &url.URL{Scheme: "http"}); err != nil {
			b.problems.Add(path("prometheus_file"), phrase(s.PrometheusFile, err), "a configuration file of Prometheus")
		}
		for _, other := range []struct {
			field string
			given bool
		}{
			{"scrape_config_files", len(fields.ScrapeConfigFiles) > 0}, {"rule_files", len(fields.RuleFiles) > 0},
			{"remote_write", fields.RemoteWrite.IsSet()}, {"retention", fields.Retention != retentionFields{}},
		} {
			if other.given {
				b.problems.Add(path(other.field), configfile.Phrase("both prometheus_file and "+other.field), "it in that file, as Prometheus writes it")
			}
		}
	}
	if s.AlertmanagerFile != "" {
		if _, err := loadAlertmanager(c); err != nil {
			b.problems.Add(path("alertmanager_file"), phrase(s.AlertmanagerFile, err), "a configuration file of Alertmanager")
		}
	}
}

// ruleFiles checks files of rules. A name without a file behind it is a
// mistake; a pattern may match nothing yet.
func (b settingsBuilder) ruleFiles(files []configfile.Path) (paths []string) {
	for i, file := range files {
		at, pattern := configfile.Item(path("rule_files"), i), absolute(string(file))
		paths = append(paths, pattern)
		if !b.exists(at, pattern) {
			continue
		}
		if err := rules.ParseFiles([]string{pattern}, model.UTF8Validation, newParser(), slog.New(slog.DiscardHandler)); err != nil {
			b.problems.Add(at, phrase(pattern, err), "a rule file of Prometheus")
		}
	}
	return paths
}

// scrapeConfigFiles checks files that hold nothing but scrape_configs.
func (b settingsBuilder) scrapeConfigFiles(files []configfile.Path) (paths []string) {
	for i, file := range files {
		at, pattern := configfile.Item(path("scrape_config_files"), i), absolute(string(file))
		paths = append(paths, pattern)
		if !b.exists(at, pattern) {
			continue
		}
		text, err := yaml.Marshal(map[string][]string{"scrape_config_files": {pattern}})
		var conf *config.Config
		if err == nil {
			conf, err = config.Load(string(text), slog.New(slog.DiscardHandler))
		}
		if err == nil {
			_, err = conf.GetScrapeConfigs() // reads the files
		}
		if err != nil {
			b.problems.Add(at, phrase(pattern, err), "a file with scrape_configs as Prometheus reads it")
		}
	}
	return paths
}

func (b settingsBuilder) exists(at, pattern string) bool {
	matches, err := filepath.Glob(pattern)
	switch {
	case err != nil:
		b.problems.Add(at, pattern, "a path or a pattern such as rules/*.yml")
	case len(matches) == 0 && !strings.ContainsAny(pattern, `*?[`):
		b.problems.Add(at, configfile.Phrase(pattern+" (no such file)"), "a readable file")
	}
	return err == nil && len(matches) > 0
}

// Least and most of a retention.
const (
	leastRetention = 2 * time.Hour // what the database holds in memory
	mostRetention  = 10 * 365 * 24 * time.Hour
	leastSize      = 64 << 20 // bytes; less would drop what was written a moment ago
)

func (b settingsBuilder) retention(fields retentionFields) (time.Duration, int64) {
	at := path("retention")
	if d := fields.Time; d != 0 && (d < leastRetention || d > mostRetention) {
		b.problems.Add(configfile.Field(at, "time"), d, "2h to 3650d; 35d keeps the whole error budget of 30 days")
	}
	if fields.Size == "" {
		return fields.Time, 0
	}
	size, err := units.ParseBase2Bytes(fields.Size)
	if err != nil || size < leastSize {
		b.problems.Add(configfile.Field(at, "size"), fields.Size, "at least 64MB, written as in 512MB or 4GB")
	}
	return fields.Time, int64(size)
}

// remoteWrite checks Prometheus's own list, and makes the files that it names
// those of this process.
func (b settingsBuilder) remoteWrite(tree configfile.Tree) *yaml.Node {
	if !tree.IsSet() {
		return nil
	}
	node, ok := tree.YAML(b.problems)
	if !ok {
		return nil
	}
	b.files(tree.Path(), node)
	text, err := yaml.Marshal(map[string]*yaml.Node{"remote_write": node})
	if err != nil {
		b.problems.Add(tree.Path(), configfile.Phrase("what can't be written as YAML"), "Prometheus's list")
		return nil
	}
	conf, err := config.Load(string(text), slog.New(slog.DiscardHandler))
	if err == nil {
		err = checkRemoteWrite(conf.RemoteWriteConfigs)
	}
	if err != nil {
		b.explain(tree.Path(), node, text, err)
	}
	return node
}

// files resolves each path of a file as everywhere in shopwatch.yml, and
// reports those that can't be read: Prometheus would find out when it sends.
func (b settingsBuilder) files(at string, node *yaml.Node) {
	switch node.Kind {
	case yaml.SequenceNode:
		for i, item := range node.Content {
			b.files(configfile.Item(at, i), item)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i].Value, node.Content[i+1]
			below := configfile.Field(at, key)
			if value.Kind != yaml.ScalarNode || !strings.HasSuffix(key, "_file") || value.Value == "" {
				b.files(below, value)
				continue
			}
			written := value.Value
			if !filepath.IsAbs(written) {
				value.Value = filepath.Join(filepath.Dir(b.doc.Name()), written)
			}
			value.Value = absolute(value.Value)
			if file, err := os.Open(value.Value); err != nil {
				b.problems.Add(below, configfile.Phrase(written+" (not readable)"), "a readable file")
			} else {
				file.Close()
			}
		}
	}
}

var yamlLine = regexp.MustCompile(`^line (\d+): (.*)$`)

// explain turns what Prometheus says of the written text into mistakes on the
// lines of shopwatch.yml.
func (b settingsBuilder) explain(at string, node *yaml.Node, text []byte, err error) {
	const want = "remote_write as Prometheus documents it"
	lines := linesOf(node, text)
	for part := range strings.Lines(err.Error()) {
		part = strings.TrimPrefix(strings.TrimSpace(part), "yaml: ")
		found := yamlLine.FindStringSubmatch(part)
		switch {
		case part == "unmarshal errors:":
		case found == nil:
			b.problems.Add(at, phrase("", errors.New(part)), want)
		default:
			line, _ := strconv.Atoi(found[1]) // digits
			b.problems.AddAt(at, lines[line], phrase("", errors.New(found[2])), want)
		}
	}
}

// linesOf tells for each line of the text, which was written of the node, the
// line of shopwatch.yml.
func linesOf(node *yaml.Node, text []byte) map[int]int {
	lines := make(map[int]int)
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil || len(root.Content) == 0 || len(root.Content[0].Content) < 2 {
		return lines
	}
	var walk func(from, to *yaml.Node)
	walk = func(written, original *yaml.Node) {
		if _, known := lines[written.Line]; !known {
			lines[written.Line] = original.Line
		}
		for i := range min(len(written.Content), len(original.Content)) {
			walk(written.Content[i], original.Content[i])
		}
	}
	walk(root.Content[0].Content[1], node)
	return lines
}

// quoted matches what others quote of a file in their errors: it may be a password.
var quoted = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|'[^']*'")

// goType matches a name of Go's that says nothing to who wrote the file.
var goType = regexp.MustCompile(` in type \S+| into \S+$`)

// phrase is what others say of a file, without what they quote of it.
func phrase(file string, err error) configfile.Phrase {
	text := goType.ReplaceAllString(quoted.ReplaceAllString(strings.ReplaceAll(err.Error(), "\n", "; "), "…"), "")
	if file == "" {
		return configfile.Phrase(text)
	}
	text = strings.TrimPrefix(text, "parsing YAML file "+file+": ")
	return configfile.Phrase(file + " (" + text + ")")
}
