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

// groupFiles are the rule files, each with one group, in the order in which
// RenderFile joins them.
var groupFiles = []string{"availability.yml", "orders.yml", "pipeline.yml"}

// Render returns the rule files by name (availability.yml, orders.yml,
// pipeline.yml) as Prometheus 2.42 and later, Thanos and Mimir rulers load
// them. The zero Options give the committed files under rules/files.
func Render(o Options) (map[string][]byte, error) {
	groups, err := renderGroups(o)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(groups))
	for i, group := range groups {
		files[groupFiles[i]] = join(group)
	}
	return files, nil
}

// RenderFile returns the same groups as Render in one file.
func RenderFile(o Options) ([]byte, error) {
	groups, err := renderGroups(o)
	if err != nil {
		return nil, err
	}
	return join(groups...), nil
}

func renderGroups(o Options) ([][]byte, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	page := struct {
		Options
		clocks
	}{o, clocksOf(o.Escalation)}
	groups := make([][]byte, len(groupFiles))
	for i, name := range groupFiles {
		if groups[i], err = execute(name, o.Escalation, page); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

func join(groups ...[]byte) []byte {
	var file bytes.Buffer
	file.WriteString("# Printed by `shopwatch rules`; a change by hand is lost at the next print.\ngroups:\n")
	for i, group := range groups {
		if i > 0 {
			file.WriteByte('\n')
		}
		file.Write(group)
	}
	return file.Bytes()
}

// execute fills one file of templates/. Its delimiters are [[ ]], since {{ }}
// belongs to Prometheus, which fills annotations when an alert is evaluated.
func execute(name string, e Escalation, data any) ([]byte, error) {
	parsed, err := template.New(name).Delims("[[", "]]").Funcs(functions(e)).
		ParseFS(templates, "templates/partials.tmpl", path.Join("templates", name))
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := parsed.ExecuteTemplate(&out, name, data); err != nil {
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
