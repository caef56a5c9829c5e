package push_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter/probe/push"
	"shopwatch/rules"
)

// stopped lets a receiver write its state file as it does when it stops.
func stopped(t *testing.T, r *push.Receiver) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestOurOwnAbsenceIsNotTheCallersSilence(t *testing.T) {
	t.Parallel()
	worker := service("worker", token)
	for _, c := range []struct {
		name string
		live func(*push.Receiver, *clock) // before the stop
		away time.Duration
		// outcomes at the start, just within a period of it, and just after
		start, within, after func(*testing.T, *push.Receiver)
	}{
		{"one that called before and would be late by now", func(r *push.Receiver, _ *clock) { do(r, "GET", "/push/"+token, "") }, time.Hour,
			wants(rules.ReasonVantage, "no call since we listen again, expected every 10m"),
			wants(rules.ReasonVantage, "no call since we listen again, expected every 10m"),
			wants(rules.ReasonTimeout, "no call for 1h10m, expected every 10m")},
		{"one that called a moment before", func(r *push.Receiver, _ *clock) { do(r, "GET", "/push/"+token, "") }, time.Minute,
			wants("", ""),
			wants(rules.ReasonVantage, "no call since we listen again, expected every 10m"),
			wants(rules.ReasonTimeout, "no call for 11m, expected every 10m")},
		{"one that never called", func(*push.Receiver, *clock) {}, time.Hour,
			wants(rules.ReasonVantage, "no call yet, expected every 10m"),
			wants(rules.ReasonVantage, "no call yet, expected every 10m"),
			wants(rules.ReasonTimeout, "no call yet in 1h10m, expected every 10m")},
		{"one that was silent too long already", func(r *push.Receiver, clock *clock) {
			do(r, "GET", "/push/"+token, "")
			clock.advance(15 * time.Minute)
			look(t, r, worker)
		}, time.Minute,
			wants(rules.ReasonTimeout, "no call for 16m, expected every 10m"),
			wants(rules.ReasonTimeout, "no call for 26m, expected every 10m"),
			wants(rules.ReasonTimeout, "no call for 26m, expected every 10m")},
		{"one that reported a failure", func(r *push.Receiver, _ *clock) { do(r, "GET", "/push/"+token+"/fail?msg=disk", "") }, time.Hour,
			wants(rules.ReasonStatus, "reported a failure 1h ago: disk"),
			wants(rules.ReasonStatus, "reported a failure 1h10m ago: disk"),
			wants(rules.ReasonStatus, "reported a failure 1h10m ago: disk")},
		{"a clock that was put back", func(r *push.Receiver, _ *clock) { do(r, "GET", "/push/"+token, "") }, -24 * time.Hour,
			wants("", ""), wants("", ""),
			wants(rules.ReasonTimeout, "no call for 10m, expected every 10m")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := &clock{}
			path := filepath.Join(t.TempDir(), "push.json")
			before := receiver(t, push.Config{Path: path, Now: clock.Now}, worker)
			c.live(before, clock)
			stopped(t, before)

			clock.advance(c.away)
			after := receiver(t, push.Config{Path: path, Now: clock.Now}, worker)
			c.start(t, after)
			clock.advance(10 * time.Minute)
			c.within(t, after)
			clock.advance(1)
			c.after(t, after)
			do(after, "GET", "/push/"+token, "")
			wants("", "")(t, after)
		})
	}
}

// wants is an expected outcome of a look at the worker.
func wants(reason rules.Reason, detail string) func(*testing.T, *push.Receiver) {
	return func(t *testing.T, r *push.Receiver) {
		t.Helper()
		wantOutcome(t, look(t, r, service("worker", token)), reason, detail)
	}
}

func TestTheStateFileHoldsNoToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "push.json")
	r := receiver(t, push.Config{Path: path}, service("worker", token), service("other", second))
	do(r, "POST", "/push/"+token+"/fail", "no cards")
	stopped(t, r)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), token) || !strings.Contains(string(data), "no cards") || strings.Count(string(data), `"shop"`) != 2 {
		t.Errorf("the state file is\n%s", data)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state file's mode is %v, %v", info.Mode(), err)
	}
}

func TestAServiceThatLeftIsForgottenByTheFileToo(t *testing.T) {
	t.Parallel()
	clock := &clock{}
	path := filepath.Join(t.TempDir(), "push.json")
	r := receiver(t, push.Config{Path: path, Now: clock.Now}, service("worker", token), service("other", second))
	do(r, "GET", "/push/"+token, "")
	stopped(t, r)
	r = receiver(t, push.Config{Path: path, Now: clock.Now}, service("other", second))
	stopped(t, r)
	r = receiver(t, push.Config{Path: path, Now: clock.Now}, service("worker", token), service("other", second))
	wants(rules.ReasonVantage, "no call yet, expected every 10m")(t, r)
}

func TestAFileThatCannotBeUnderstoodIsMovedAside(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":           "",
		"broken":          `{"version":1,"services":[`,
		"of the future":   `{"version":2}`,
		"a token too few": `{"version":1,"services":[{"shop":"card","service":"worker","token_sha256":"00"}]}`,
		"no token at all": `{"version":1,"services":[{"shop":"card","service":"worker","token_sha256":"` + strings.Repeat("x", 64) + `"}]}`,
		"far too large":   strings.Repeat(" ", 17<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "push.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var lines bytes.Buffer
			clock := &clock{}
			r := receiver(t, push.Config{Path: path, Now: clock.Now, Logger: slog.New(slog.NewTextHandler(&lines, nil))}, service("worker", token))
			wants(rules.ReasonVantage, "no call yet, expected every 10m")(t, r)
			if !strings.Contains(lines.String(), "heartbeats is unreadable") {
				t.Errorf("the log says %q", lines.String())
			}
			kept, err := os.ReadFile(path + ".unreadable")
			if err != nil || string(kept) != content {
				t.Errorf("what was moved aside is not what was there: %v", err)
			}
			stopped(t, r)
			if _, err := os.Stat(path); err != nil {
				t.Error("no new file was written: ", err)
			}
		})
	}
	if _, err := push.New(push.Config{Path: t.TempDir()}); err == nil {
		t.Error("a folder was taken for a state file")
	}
}

func TestTheFileIsWrittenAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "push.json")
	synctest.Test(t, func(t *testing.T) {
		r := receiver(t, push.Config{Path: path}, service("worker", token))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		var last os.FileInfo
		writings := 0
		for i := range 100 { // ten seconds of a flood that changes its mind with every call
			do(r, "GET", "/push/"+token+[]string{"", "/fail"}[i%2], "")
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if info, err := os.Stat(path); err == nil && (last == nil || !os.SameFile(info, last)) {
				writings++
				last = info
			}
		}
		if writings < 9 || writings > 11 {
			t.Errorf("in ten seconds the file was written %d times", writings)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		settled, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if info, err := os.Stat(path); err != nil || !os.SameFile(info, settled) {
			t.Errorf("without a change the file was written again: %v", err)
		}
		do(r, "GET", "/push/"+token, "")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	again := receiver(t, push.Config{Path: path}, service("worker", token))
	if last := lastCall(look(t, again, service("worker", token))); last == 0 {
		t.Error("the last call before the stop was not kept")
	}
}

func TestAFileThatCannotBeWrittenIsToldOnceAndTriedAgain(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(folder, "push.json")
	var lines bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		r := receiver(t, push.Config{Path: path, Logger: slog.New(slog.NewTextHandler(&lines, nil))}, service("worker", token))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(5500 * time.Millisecond)
		synctest.Wait()
		if got := strings.Count(lines.String(), "heartbeats can't be kept"); got != 1 {
			t.Errorf("it was told %d times: %s", got, lines.String())
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := os.Stat(path); err != nil {
			t.Error("it was not tried again: ", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	gone := receiver(t, push.Config{Path: filepath.Join(t.TempDir(), "no", "push.json")}, service("worker", token))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := gone.Run(ctx); err == nil || !strings.Contains(fmt.Sprint(err), "heartbeats: write state file") {
		t.Errorf("at the end a lost state is told as %v", err)
	}
}
