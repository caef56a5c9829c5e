package rules_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"shopwatch/rules"
)

// promtool finds a promtool of Prometheus 3: $PROMTOOL, the one built in
// .ci/tools/promtool, or one on the PATH. Debian's 2.42 knows no start_timestamp.
func promtool(t *testing.T) string {
	t.Helper()
	candidates := []string{os.Getenv("PROMTOOL"), "../.ci/tools/promtool/promtool", "promtool"}
	for _, candidate := range candidates {
		if candidate == "" {
			continue
		}
		path, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		// One that was built from source prints no version at all.
		version, err := exec.Command(path, "--version").CombinedOutput()
		if err == nil && !bytes.Contains(version, []byte("version 2.")) {
			return path
		}
	}
	const why = "no promtool of Prometheus 3: build it as .ci/tools/promtool/go.mod says, or set PROMTOOL"
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

func run(t *testing.T, tool string, args ...string) {
	t.Helper()
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", tool, args, err, out)
	}
}

func TestAlertsFireAndStaySilentAsTheirCasesSay(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	cases, err := filepath.Glob("tests/*.yml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range cases {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			run(t, tool, "test", "rules", path)
		})
	}
}

func TestEveryAlertHasCases(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, path := range cases {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	for _, alert := range alertsOf(parseAll(t, rules.DefaultEscalation())) {
		fires := []byte("alertname: " + alert.Alert + "\n")
		silent := []byte("alertname: " + alert.Alert + ", exp_alerts: []")
		if !bytes.Contains(all, fires) {
			t.Errorf("%s: no case says when it fires", alert.Alert)
		}
		if !bytes.Contains(all, silent) && alert.Alert != rules.AlertWatchdog {
			t.Errorf("%s: no case says when it stays silent", alert.Alert)
		}
	}
}

// ruleFiles are the arguments with which promtool checks every rule file.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("files/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rule files: %v", err)
	}
	return append([]string{"check", "rules", "testdata/demo.yml"}, files...)
}

func TestPromtoolAcceptsWhatIsRendered(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	run(t, tool, ruleFiles(t)...)
	run(t, tool, "check", "config", "testdata/prometheus.yml")
	run(t, tool, "check", "config", "testdata/prometheus-demo.yml")
}

// Debian stable carries Prometheus 2.42 and Alertmanager 0.25; people load our files into them.
func TestOldServersAcceptWhatIsRendered(t *testing.T) {
	t.Parallel()
	for tool, checks := range map[string][][]string{
		"/usr/bin/promtool": {
			ruleFiles(t),
			{"check", "config", "testdata/prometheus.yml"},
		},
		"/usr/bin/amtool": {{"check-config", "testdata/alertmanager.yml"}},
	} {
		t.Run(filepath.Base(tool), func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(tool); err != nil {
				if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
					t.Fatalf("%v: install prometheus and prometheus-alertmanager", err)
				}
				t.Skipf("%v: install prometheus and prometheus-alertmanager", err)
			}
			for _, args := range checks {
				run(t, tool, args...)
			}
		})
	}
}
