package app_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/rules"
)

const interrupted = "Our monitoring is interrupted"

// eventually waits until what is so.
func (b *bench) eventually(what string, so func() bool) {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	for !so() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			b.t.Fatalf("it never came to it that %s", what)
		}
	}
}

// untold objects to a message with the words to anybody.
func (b *bench) untold(words string) {
	b.t.Helper()
	for _, m := range b.world.Messages() {
		if strings.Contains(m.Subject+m.Text, words) {
			b.t.Errorf("%s was told: %s", m.To, m.Text)
		}
	}
}

// rounds waits until the incidents were looked at at least twice more.
func (b *bench) rounds() {
	b.t.Helper()
	b.listed()
}

// console gives the operator's overview.
func (b *bench) console() string {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/console/", nil)
	r.Header.Set("Authorization", "Bearer operator")
	w := httptest.NewRecorder()
	b.app.Private().ServeHTTP(w, r)
	return w.Body.String()
}

func (b *bench) advance(d time.Duration) { b.ahead.Add(int64(d)) }

func TestSilentWatchdogIsToldShownAndItsEndSaysHowLongWeWereBlind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if strings.Contains(b.page("/"), interrupted) {
		t.Error("the page calls the monitoring interrupted while it works")
	}
	b.silent.Store(true)
	b.advance(10 * time.Minute)
	b.arrives("100", "Nobody is judging", "watchdog", "http://127.0.0.1:9/runbooks/WatchdogSilent")
	b.eventually("the page says so", func() bool { return strings.Contains(b.page("/"), interrupted) })
	if page := b.page("/api/v2/status.json"); !strings.Contains(page, `"interrupted":true`) {
		t.Errorf("the page's JSON says %s", page)
	}
	if console := b.console(); !strings.Contains(console, "judging may have stopped") || !strings.Contains(console, "WatchdogSilent") {
		t.Errorf("the console says %s", console)
	}
	b.silent.Store(false)
	b.arrives("100", "Resolved: Nobody is judging", "Lasted: 10 min")
	b.eventually("the page no longer says so", func() bool { return !strings.Contains(b.page("/"), interrupted) })
	for _, m := range b.world.Messages() {
		if m.To != "100" {
			t.Errorf("%s was told of our own trouble", m.To)
		}
	}
}

// Time is a hundredth of production's: silence is 3 s, a fresh start has 0.6 s.
func TestNotifierThatIsRestartedAgainAndAgainStillAlarms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.eventually("a Watchdog came", func() bool { return strings.Contains(b.console(), "✓ fresh") })
	b.silent.Store(true)
	for range 3 {
		b.stop()
		b.advance(2400 * time.Millisecond)
		b.start()
		b.rounds()
	}
	b.advance(600 * time.Millisecond)
	b.arrives("100", "Nobody is judging: Prometheus's Watchdog no longer arrives")
	lasted := regexp.MustCompile(`\((\d+) s so far\)`)
	for _, m := range b.world.Messages() {
		told := lasted.FindStringSubmatch(m.Text)
		if seconds := 0; told == nil {
			t.Errorf("it tells no time: %s", m.Text)
		} else if seconds, _ = strconv.Atoi(told[1]); seconds < 4 { // 2.4 s until the first restart, 3 s of silence after it, and its stamp may be a second ahead
			t.Errorf("it tells %d s, want the time since the last evaluation, over all restarts", seconds)
		}
	}
}

func TestMachineThatWasOffIsNoSilentPrometheus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.eventually("a Watchdog came", func() bool { return strings.Contains(b.console(), "✓ fresh") })
	b.stop()
	b.advance(35 * time.Minute)
	b.start()
	b.rounds()
	b.eventually("a Watchdog came again", func() bool { return strings.Contains(b.console(), "✓ fresh") })
	b.rounds()
	b.untold("Nobody is judging")
	if strings.Contains(b.page("/"), interrupted) {
		t.Error("the page calls the monitoring interrupted")
	}
}

func TestPrometheusThatNeverSpokeIsToldInItsOwnWords(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(b *bench) { b.silent.Store(true) })
	b.untold("Nobody is judging")
	if console := b.console(); !strings.Contains(console, "never came: nobody judges") {
		t.Errorf("the console says %s", console)
	}
	b.advance(10 * time.Second)
	b.arrives("100", "Nobody is judging yet: no Watchdog of Prometheus has ever arrived", "webhook's address and token")
	b.silent.Store(false)
	b.arrives("100", "Resolved: Nobody is judging yet")
}

func TestOurOwnAlertHasARunbookInBothLanguages(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile("silence.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`alertSilence += "(\w+)"`).FindSubmatch(own)
	if name == nil {
		t.Fatal("the alert has no name")
	}
	for language, parts := range map[string][]string{
		"en": {"**What it means.**", "**Who feels it.**", "**First three things**", "\n1. ", "\n2. ", "\n3. ", "**How to test it.**"},
		"zh": {"**含义。**", "**谁会受影响。**", "**先做三件事**", "\n1. ", "\n2. ", "\n3. ", "**如何演练。**"},
	} {
		text, ok := rules.Runbook(string(name[1]), language)
		if !ok || !strings.HasPrefix(string(text), "# "+string(name[1])) {
			t.Fatalf("%s has no runbook in %s", name[1], language)
		}
		for _, part := range parts {
			if !strings.Contains(string(text), part) {
				t.Errorf("the runbook in %s lacks %q", language, part)
			}
		}
	}
}
