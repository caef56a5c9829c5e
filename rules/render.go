package rules

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"text/template"
)

//go:embed templates
var templates embed.FS

// Render returns the rule files by name, one a subject (availability.yml,
// orders.yml, …), as Prometheus 2.42 and later, Thanos and Mimir rulers load
// them. The zero Options give the committed files under rules/files.
func Render(o Options) (map[string][]byte, error) {
	subjects, err := renderSubjects(o)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(subjects))
	for _, s := range subjects {
		files[s.file] = join(s)
	}
	return files, nil
}

// RenderFile returns the same groups as Render in one file.
func RenderFile(o Options) ([]byte, error) {
	subjects, err := renderSubjects(o)
	if err != nil {
		return nil, err
	}
	return join(subjects...), nil
}

// subject is what one rule file is about: the groups of templates/rules/<file>.
type subject struct {
	file   string
	groups []byte
}

func renderSubjects(o Options) ([]subject, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	page := struct {
		Options
		clocks
	}{o, clocksOf(o.Escalation)}
	entries, err := templates.ReadDir("templates/rules")
	if err != nil {
		return nil, err
	}
	subjects := make([]subject, len(entries))
	for i, entry := range entries {
		subjects[i].file = entry.Name()
		if subjects[i].groups, err = execute("rules/"+entry.Name(), o.Escalation, page); err != nil {
			return nil, err
		}
	}
	return subjects, nil
}

func join(subjects ...subject) []byte {
	const head = "# Printed by `shopwatch rules`; a change by hand is lost at the next print.\ngroups:\n"
	return append([]byte(head), groups(subjects...)...)
}

func groups(subjects ...subject) []byte {
	var all [][]byte
	for _, s := range subjects {
		all = append(all, s.groups)
	}
	return bytes.Join(all, []byte("\n"))
}

// execute fills one file of templates/. Its delimiters are [[ ]], since {{ }}
// belongs to Prometheus, which fills annotations when an alert is evaluated.
func execute(name string, e Escalation, data any) ([]byte, error) {
	parsed, err := template.New(path.Base(name)).Delims("[[", "]]").Funcs(functions(e)).
		ParseFS(templates, "templates/partials.tmpl", path.Join("templates", name))
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	return out.Bytes(), nil
}

//go:embed runbooks
var runbooks embed.FS

// Runbook is what an operator reads when the alert reaches them, in Markdown:
// what it means, who feels it, what to do first, how to test it. Language is
// "zh" or "en"; false means that the alert has none in that language.
func Runbook(alert, language string) ([]byte, bool) {
	// Not path.Join: what would leave the directory is no valid name and is not found.
	text, err := runbooks.ReadFile("runbooks/" + alert + "." + language + ".md")
	return text, err == nil
}
