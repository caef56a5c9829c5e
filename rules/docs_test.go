package rules_test

import (
	"os"
	"regexp"
	"testing"

	"shopwatch/rules"
)

func TestTheDocumentsNameEveryAlert(t *testing.T) {
	t.Parallel()
	alerts := map[string]bool{}
	for _, alert := range alertsOf(parseAll(t, rules.DefaultEscalation())) {
		alerts[alert.Alert] = true
	}
	row := regexp.MustCompile(`(?m)^\| ([A-Z][A-Za-z0-9]+(?:(?:, |、)[A-Z][A-Za-z0-9]+)*) \| `)
	name := regexp.MustCompile(`[A-Z][A-Za-z0-9]+`)
	for _, path := range []string{"../docs/alerts.en.md", "../docs/alerts.zh-CN.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{}
		for _, line := range row.FindAllSubmatch(text, -1) {
			for _, alert := range name.FindAllString(string(line[1]), -1) {
				named[alert] = true
			}
		}
		for alert := range alerts {
			if !named[alert] {
				t.Errorf("%s: nothing of %s", path, alert)
			}
		}
		for alert := range named {
			if !alerts[alert] {
				t.Errorf("%s: %s is no alert", path, alert)
			}
		}
	}
}
