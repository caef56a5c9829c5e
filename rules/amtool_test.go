package rules_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shopwatch/rules"
)

// debianAmtool is that of Alertmanager 0.25, which Debian stable carries.
const debianAmtool = "/usr/bin/amtool"

// amtools finds Debian's amtool and a newer one: $AMTOOL, the one that .ci/run
// installs, or one on the PATH.
func amtools(t *testing.T) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, candidate := range []string{os.Getenv("AMTOOL"), filepath.Join(cache, "shopwatch-ci", "amtool"), "amtool"} {
		if candidate == "" {
			continue
		}
		path, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		// One that was built from source prints no version at all.
		version, err := exec.Command(path, "--version").CombinedOutput()
		if err == nil && !bytes.Contains(version, []byte("version 0.25")) {
			found = append(found, path)
			break
		}
	}
	if _, err := os.Stat(debianAmtool); err == nil {
		found = append(found, debianAmtool)
	}
	if len(found) == 2 {
		return found
	}
	const why = "want amtool of Alertmanager 0.25 and of a newer one: install prometheus-alertmanager, and go install github.com/prometheus/alertmanager/cmd/amtool@v0.34.2"
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
	return nil
}

func TestAmtoolRoutesEachAlertAsTheCommittedListSays(t *testing.T) {
	t.Parallel()
	tools := amtools(t)
	list, err := os.ReadFile("testdata/routing.txt")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][]string{}
	for line := range strings.Lines(string(list)) {
		alert, receivers, _ := strings.Cut(strings.TrimSpace(line), ": ")
		told[alert] = strings.Split(receivers, ", ")
	}
	alerts := fired(t)
	if len(alerts) != len(told) {
		t.Errorf("%d alerts, %d in the list", len(alerts), len(told))
	}
	for name, tt := range map[string]struct {
		content []byte
		prefix  string
	}{
		"whole":    {must(rules.Alertmanager(routing)), ""},
		"fragment": {merged(t, fragment(t, routing), stranger(t)), "shopwatch-"},
	} {
		path := filepath.Join(t.TempDir(), "alertmanager.yml")
		if err := os.WriteFile(path, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			t.Run(name+" by "+tool, func(t *testing.T) {
				t.Parallel()
				run(t, tool, "check-config", path)
				for alert, labels := range alerts {
					args := []string{"config", "routes", "test", "--config.file=" + path}
					for label, value := range labels {
						args = append(args, string(label)+"="+string(value))
					}
					out, err := exec.Command(tool, args...).Output()
					if err != nil {
						t.Fatalf("%v: %v", args, err)
					}
					var want []string
					for _, receiver := range told[alert] {
						want = append(want, tt.prefix+receiver)
					}
					got := strings.Split(strings.TrimSpace(string(out)), ",")
					if slices.Sort(got); !slices.Equal(got, want) {
						t.Errorf("%s: reaches %v, want %v", alert, got, want)
					}
				}
			})
		}
	}
}
