package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shopwatch/rules"
)

func TestJobsThatCallAreRememberedThoughTheExporterIsKilled(t *testing.T) {
	t.Parallel()
	const worker, backup, report = "s3cret-word-of-the-worker", "s3cret-word-of-the-backup", "s3cret-word-of-the-report"
	dir, env := settle(t, "testdata/pushing.yml"), []string{"WORKER_TOKEN=" + worker, "BACKUP_TOKEN=" + backup, "REPORT_TOKEN=" + report}
	m := measure(t, dir, env...)
	call := func(method, what, body string) {
		t.Helper()
		if said := answers(t, http.StatusOK, method, m.private+"/push/"+what, body); said != "ok\n" && method != http.MethodHead {
			t.Errorf("%s of a job was answered %q", method, said)
		}
	}

	m.eventually(t, "silence is an outage", func(s series) error {
		// Nobody can be late whose time has not come.
		if status := s.status("backup"); status != rules.Unknown {
			t.Fatalf("a job that may be silent for a day is %s at the start", status)
		}
		if s.failures("worker", rules.ReasonTimeout) == 0 {
			return errors.New("no look failed for silence")
		}
		return s.is("worker", rules.Outage)
	})
	call(http.MethodGet, report, "")
	m.eventually(t, "calls are operational", func(s series) error {
		call(http.MethodGet, worker, "")
		return errors.Join(s.is("worker", rules.Operational), s.is("report", rules.Operational),
			s.has(`shopwatch_push_last_timestamp_seconds{service="worker",shop="kiosk"`))
	})
	call(http.MethodPost, backup+"/fail", "disk\nfull")
	m.eventually(t, "a job that reports a failure is an outage", func(s series) error {
		if s.failures("backup", rules.ReasonStatus) == 0 {
			return errors.New("no look failed for what the job said")
		}
		return s.is("backup", rules.Outage)
	})
	page := answers(t, http.StatusOK, http.MethodGet, m.private+"/looks/kiosk/backup", "")
	if !strings.Contains(page, "reported a failure") || !strings.Contains(page, "disk full") {
		t.Errorf("the page of looks does not say what the job said:\n%s", page)
	}
	answers(t, http.StatusNotFound, http.MethodGet, m.private+"/push/"+backup+"x", "")
	answers(t, http.StatusNotFound, http.MethodGet, m.private+"/push/", "")
	answers(t, http.StatusMethodNotAllowed, http.MethodDelete, m.private+"/push/"+backup, "")

	state := filepath.Join(dir, "data", "pushes.json")
	eventually(t, "the calls are kept", func() error {
		content, err := os.ReadFile(state)
		if err == nil && (!strings.Contains(string(content), "disk full") || strings.Count(string(content), `"last"`) < 2) {
			err = fmt.Errorf("kept: %s", content)
		}
		for _, secret := range []string{worker, backup, report} {
			if strings.Contains(string(content), secret) {
				t.Fatalf("the state file tells a token: %s", content)
			}
		}
		return err
	}, m.process)
	m.keeps(t, worker, backup, report)
	m.kill()

	m = measure(t, dir, env...)
	m.eventually(t, "what jobs said before the kill still holds", func(s series) error {
		backup, report := s.status("backup"), s.status("report")
		if backup == rules.Operational || report == rules.Outage {
			t.Fatalf("after the kill the failed job is %s, and the good one %s", backup, report)
		}
		return errors.Join(s.is("backup", rules.Outage), s.is("report", rules.Operational))
	})
	call(http.MethodHead, worker, "")
	call(http.MethodGet, backup+"/0", "")
	m.eventually(t, "a failed job that calls is operational", func(s series) error { return s.is("backup", rules.Operational) })
	m.keeps(t, worker, backup, report)
	m.stop(t)
}
