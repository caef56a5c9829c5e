package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/rules"
)

// stage is a shop whose pages answer as they are told to.
type stage struct {
	*httptest.Server
	mu    sync.Mutex
	plays map[string][]int // the status codes to come, by path; the last one stays
}

func openStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{plays: map[string][]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP answers 200 where nothing else is played. The page /crawling takes
// longer than the services of these tests may.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/crawling" {
		<-time.After(50 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	play := s.plays[r.URL.Path]
	if len(play) > 1 {
		s.plays[r.URL.Path] = play[1:]
	}
	if len(play) > 0 {
		w.WriteHeader(play[0])
	}
}

func (s *stage) play(path string, statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plays[path] = statuses
}

// measuring is a program that measures, on a configuration of its own folder.
type measuring struct {
	*process
	dir, private string // folder; URL of the private address
}

// settle writes a configuration of testdata, and what it names, to a folder.
func settle(t testing.TB, files ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		if i == 0 {
			name = "shopwatch.yml"
		}
		put(t, filepath.Join(dir, name), string(content))
	}
	return dir
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// measure starts `shopwatch exporter` on a folder, with further environment.
func measure(t testing.TB, dir string, env ...string) *measuring {
	t.Helper()
	m := &measuring{dir: dir, process: start(t, "the exporter", exporterOf(t, dir, env...))}
	m.private = "http://" + m.says(t, saysMetrics)[1]
	return m
}

func exporterOf(t testing.TB, dir string, env ...string) *exec.Cmd {
	t.Helper()
	command := shopwatch(t, "exporter", "--config.file="+filepath.Join(dir, "shopwatch.yml"),
		"--data.dir="+filepath.Join(dir, "data"), "--private.listen-address=127.0.0.1:0", "--log.level=debug")
	command.Env = append(command.Env, env...)
	return command
}

func (m *measuring) eventually(t testing.TB, what string, check func(series) error) {
	t.Helper()
	eventually(t, what, func() error {
		now, err := scrape(m.private)
		if err != nil {
			return err
		}
		return check(now)
	}, m.process)
}

// series are the samples of one scrape, by name and labels as they are written.
type series map[string]float64

func scrape(private string) (series, error) {
	status, answer, err := ask(http.MethodGet, private+"/metrics", "")
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("/metrics was answered %d: %.300s", status, answer)
	}
	return samplesOf(answer)
}

// samplesOf reads the text format.
func samplesOf(text string) (series, error) {
	all := series{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("no sample: %s", line)
		}
		all[line[:at]] = value
	}
	return all, nil
}

// of is the value of a series of a service of the shop kiosk; labels are those
// before service and those after shop, as they are written.
func (s series) of(metric, service, labels string) (float64, bool) {
	before, after, _ := strings.Cut(labels, "…")
	value, ok := s[metric+"{"+before+`service="`+service+`",shop="kiosk"`+after+"}"]
	return value, ok
}

// status is what a service is held for, "" where that isn't told.
func (s series) status(service string) rules.Status {
	for _, status := range rules.MeasuredStatuses {
		if value, _ := s.of(rules.ServiceStatus.Name, service, `…,status="`+string(status)+`"`); value == 1 {
			return status
		}
	}
	return ""
}

// is objects unless a service is held for something.
func (s series) is(service string, want rules.Status) error {
	if got := s.status(service); got != want {
		return fmt.Errorf("%s is %s, want %s", service, got, want)
	}
	return nil
}

func (s series) failures(service string, reason rules.Reason) float64 {
	value, _ := s.of(rules.ServiceFailures.Name, service, `reason="`+string(reason)+`",…`)
	return value
}

// has objects unless some series begins with a name.
func (s series) has(prefixes ...string) error {
	var objections []error
	for _, prefix := range prefixes {
		found := false
		for name := range s {
			found = found || strings.HasPrefix(name, prefix)
		}
		if !found {
			objections = append(objections, fmt.Errorf("no series begins with %s", prefix))
		}
	}
	return errors.Join(objections...)
}
