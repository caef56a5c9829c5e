package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// mostSteps bounds a journey: each step is two series.
const mostSteps = 50

type journeyFields struct {
	Budget time.Duration
	Steps  []stepFields
	TLS    configfile.Tree `yaml:"tls_config"`
}

type stepFields struct {
	Name            string
	Method          string
	URL             configfile.Template
	Headers         map[string]configfile.Template
	Body            configfile.Template
	ValidStatus     []int `yaml:"valid_status"`
	Contains        []string
	NotContains     []string `yaml:"not_contains"`
	Extract         []extractFields
	FollowRedirects bool `yaml:"follow_redirects"`
	Budget          time.Duration
}

// SetDefaults is called before the file's values.
func (f *stepFields) SetDefaults() {
	f.Method = "GET"
	f.FollowRedirects = true
}

type extractFields struct {
	Name   string
	Regexp string
	JSON   string
	Header string
}

// extractName matches names that can stand in ${…}.
var extractName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

func (b builder) journey(path string, fields journeyFields) *exporter.Journey {
	at := configfile.Field(path, "steps")
	switch {
	case len(fields.Steps) == 0:
		b.problems.Add(at, configfile.Phrase("no step"), "at least one")
	case len(fields.Steps) > mostSteps:
		b.problems.Add(at, configfile.Phrase(fmt.Sprintf("%d steps", len(fields.Steps))), fmt.Sprintf("at most %d", mostSteps))
		return nil
	}
	b.notNegative(path, "budget", fields.Budget)
	made := &exporter.Journey{Budget: fields.Budget, TLS: b.tlsWords(fields.TLS)}
	known, names := make(map[string]bool), make(map[string]bool)
	for i, step := range fields.Steps {
		where := configfile.Item(at, i)
		switch {
		case !idForm.MatchString(step.Name):
			b.add(where, "name", step.Name, "1 to 40 of a–z, 0–9, _ and -")
		case names[step.Name]:
			b.add(where, "name", configfile.Phrase("a second step "+step.Name), "a name of its own")
		}
		names[step.Name] = true
		made.Steps = append(made.Steps, b.step(where, step, known))
	}
	return made
}

// step makes one step. Known are the names that the steps before it extract; it
// adds its own.
func (b builder) step(path string, fields stepFields, known map[string]bool) exporter.Step {
	extracted := func(name string) bool { return known[name] }
	step := exporter.Step{
		Name: fields.Name, Method: fields.Method, URL: fields.URL.Expand(b.problems, extracted), Body: fields.Body.Expand(b.problems, extracted),
		Headers: make(map[string]string, len(fields.Headers)), ValidStatus: fields.ValidStatus,
		Contains: fields.Contains, NotContains: fields.NotContains, FollowRedirects: fields.FollowRedirects, Budget: fields.Budget,
	}
	for name, value := range fields.Headers {
		step.Headers[name] = value.Expand(b.problems, extracted)
	}
	if len(step.Headers) == 0 {
		step.Headers = nil
	}
	b.method(path, step.Method)
	b.stepURL(path, step.URL)
	b.headers(path, step.Headers)
	b.statuses(path, step.ValidStatus)
	b.notNegative(path, "budget", step.Budget)
	if step.Method == "HEAD" && len(step.Contains) > 0 {
		b.add(path, "contains", configfile.Phrase("texts to look for"), "none: HEAD brings no page to look into")
	}
	for i, text := range slices.Concat(step.Contains, step.NotContains) {
		if text == "" {
			b.problems.Add(path, configfile.Phrase(fmt.Sprintf("an empty text as number %d to look for", i+1)), "a text")
		}
	}
	for i, fields := range fields.Extract {
		step.Extract = append(step.Extract, b.extract(configfile.Item(configfile.Field(path, "extract"), i), fields))
		known[fields.Name] = true
	}
	return step
}

// stepURL checks the URL of a step as far as it is known before values are in it.
func (b builder) stepURL(path, written string) {
	plain := strings.NewReplacer("${", "x", "}", "x").Replace(written)
	parsed, err := url.Parse(plain)
	switch {
	case userinfo.MatchString(written):
		b.add(path, "url", configfile.Phrase("a URL with a user name or password"), "one without: put them into headers")
	case written == "", err != nil, !oneWord(written),
		parsed.Scheme != "" && (parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == ""):
		b.add(path, "url", written, wantURL+", or a path such as /buy/1")
	case strings.Contains(written, "://") && strings.Contains(strings.SplitN(written+"/", "/", 4)[2], "${"):
		b.add(path, "url", written, "no ${…} in the host: that is not for a page to say")
	}
}

func (b builder) extract(path string, fields extractFields) exporter.Extraction {
	if !extractName.MatchString(fields.Name) {
		b.add(path, "name", fields.Name, "a name such as order_id, to be written ${order_id} later")
	}
	var given []string
	for _, way := range []struct{ name, value string }{{"regexp", fields.Regexp}, {"json", fields.JSON}, {"header", fields.Header}} {
		if way.value != "" {
			given = append(given, way.name)
		}
	}
	switch {
	case len(given) != 1:
		got := "none of regexp, json and header"
		if len(given) > 1 {
			got = strings.Join(given, " and ")
		}
		b.problems.Add(path, configfile.Phrase(got), "one of regexp, json, header")
	case fields.Regexp != "":
		pattern, err := regexp.Compile(fields.Regexp)
		if err != nil {
			b.add(path, "regexp", fields.Regexp, wantPattern(fields.Regexp))
		} else if pattern.NumSubexp() == 0 {
			b.add(path, "regexp", fields.Regexp, "a group ( ) around what to take")
		}
	case fields.JSON != "" && slices.Contains(strings.Split(fields.JSON, "."), ""):
		b.add(path, "json", fields.JSON, "keys and indexes with dots between, such as data.items.0.id")
	case fields.Header != "" && !headerName.MatchString(fields.Header):
		b.add(path, "header", fields.Header, "the name of a header")
	}
	return exporter.Extraction{Name: fields.Name, Regexp: fields.Regexp, JSON: fields.JSON, Header: fields.Header}
}
