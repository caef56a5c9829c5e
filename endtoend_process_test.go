package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The end-to-end tests wait for what must happen and never for how fast: both
// limits are for machines that are busy with other things.
const (
	patience = 4 * time.Minute
	stopsIn  = 20 * time.Second
)

// process is a program that a test started. It ends with the test at the latest.
type process struct {
	name           string
	command        *exec.Cmd
	stdout, stderr said
	ended          chan struct{}
	err            error // of Wait, once ended
}

// said is what a process has written so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shopwatch is the program with its arguments, not yet started: as instrumented as
// the test is or, in a test of compressed time, as it is released.
func shopwatch(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	program := os.Executable
	if _, is := compressedTests.Load(name); is {
		program = released
	}
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(file, args...)
	command.Env = append(os.Environ(), "SHOPWATCH_MAIN=1")
	return command
}

// compressed has a test in which seconds stand for minutes run beside others. What
// is due every second there takes the race detector half a second and more, so
// that a busy machine would look like trouble: such a test starts the released program.
func compressed(t *testing.T) {
	t.Helper()
	compressedTests.Store(t.Name(), true)
	t.Parallel()
	if _, err := released(); err != nil { // built before anything is waited for
		t.Fatal(err)
	}
}

var compressedTests sync.Map // by name

const envReleased = "SHOPWATCH_TEST_RELEASED" // where the released program is, once it is built

// released builds the program as it is released, once.
var released = sync.OnceValues(func() (string, error) {
	if file := os.Getenv(envReleased); file != "" { // by the process that started this one
		return file, nil
	}
	dir, err := os.MkdirTemp("", "shopwatch-released-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "shopwatch")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, ".")
	build.Env = append(os.Environ(), "GOFLAGS=") // not those of this test
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the released program: %w\n%s", err, said)
	}
	return file, os.Setenv(envReleased, file)
})

// start starts a program. Where the test fails, what it said is in the test's log.
func start(t testing.TB, name string, command *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, command: command, ended: make(chan struct{})}
	command.Stdout, command.Stderr = &p.stdout, &p.stderr
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said on standard output:\n%s\nand on standard error:\n%s", name, tail(p.stdout.String()), tail(p.stderr.String()))
		}
	})
	return p
}

// kill ends the process as a power cut would, and waits until it is gone.
func (p *process) kill() {
	p.command.Process.Kill() // an error says that it has ended already
	<-p.ended
}

// stop asks the process to end, as Ctrl-C does, and holds it to exit code 0.
func (p *process) stop(t testing.TB) {
	t.Helper()
	asked := time.Now()
	if err := p.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("%s ended before it was asked to: %v", p.name, p.err)
	}
	select {
	case <-p.ended:
		t.Logf("%s stopped in %s", p.name, time.Since(asked).Round(time.Millisecond))
	case <-time.After(stopsIn):
		t.Fatalf("%s does not stop within %s", p.name, stopsIn)
	}
	if p.err != nil {
		t.Errorf("%s stopped with %v, want exit code 0", p.name, p.err)
	}
	for _, trouble := range []string{"panic: ", "goroutine ", "DATA RACE"} {
		if strings.Contains(p.stderr.String(), trouble) {
			t.Errorf("%s said %q on standard error", p.name, trouble)
		}
	}
}

// keeps holds that the process has told none of the secrets.
func (p *process) keeps(t testing.TB, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if secret == "" || strings.Contains(p.stdout.String()+p.stderr.String(), secret) {
			t.Errorf("%s told the secret %q", p.name, secret)
		}
	}
}

// finished runs a command that ends by itself, and returns what it said and its exit code.
func finished(t testing.TB, command *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, err said
	command.Stdout, command.Stderr = &out, &err
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(patience, func() { command.Process.Kill() })
	ended := command.Wait()
	if !overdue.Stop() {
		t.Fatalf("%v has not ended after %s: %v", command.Args[1:], patience, ended)
	}
	return out.String(), err.String(), command.ProcessState.ExitCode()
}

// printed runs a command that must succeed, and returns its output.
func printed(t testing.TB, command *exec.Cmd) string {
	t.Helper()
	stdout, stderr, code := finished(t, command)
	if code != 0 || stderr != "" {
		t.Fatalf("%v: exit code %d, on standard error: %s", command.Args[1:], code, stderr)
	}
	return stdout
}

// eventually waits until check has no objection. It gives up when one of the
// processes that must live has ended.
func eventually(t testing.TB, what string, check func() error, alive ...*process) {
	t.Helper()
	began := time.Now()
	deadline, again := time.NewTimer(patience), time.NewTicker(200*time.Millisecond)
	defer deadline.Stop()
	defer again.Stop()
	for {
		objection := check()
		if objection == nil {
			if took := time.Since(began); took > time.Second {
				t.Logf("%s: after %s", what, took.Round(100*time.Millisecond))
			}
			return
		}
		for _, p := range alive {
			select {
			case <-p.ended:
				t.Fatalf("%s: %s ended: %v", what, p.name, errors.Join(p.err, objection))
			default:
			}
		}
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("%s: not after %s: %v", what, patience, objection)
		}
	}
}

// says waits for a line of the process's standard output and returns its parts.
func (p *process) says(t testing.TB, line *regexp.Regexp) []string {
	t.Helper()
	var parts []string
	eventually(t, p.name+" says where it is", func() error {
		if parts = line.FindStringSubmatch(p.stdout.String()); parts == nil {
			return fmt.Errorf("nothing like %s on standard output", line)
		}
		return nil
	}, p)
	return parts
}

// debian finds a program of a Debian package, or skips the test.
func debian(t testing.TB, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	reason := program + " isn't installed (package " + pkg + ")"
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

func tail(text string) string {
	const most = 8 << 10
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}
