package main

import (
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

func TestALengthOfTimeIsReadAsPeopleTypeItAndRefusedByTheNameOfItsFlag(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "2d": 48 * time.Hour, "0": 0,
	} {
		var got time.Duration
		app := kingpin.New("shopwatch", "")
		lengthFlag(app.Flag("older-than", ""), &got)
		if _, err := app.Parse([]string{"--older-than=" + typed}); err != nil || got != want {
			t.Errorf("%q: got %s (%v), want %s", typed, got, err, want)
		}
	}
	for _, typed := range []string{"", "soon", "-5m", "5 minutes", "5"} {
		got := time.Minute
		app := kingpin.New("shopwatch", "")
		lengthFlag(app.Flag("older-than", ""), &got)
		if _, err := app.Parse([]string{"--older-than=" + typed}); err == nil || !strings.Contains(err.Error(), "--older-than") || got != time.Minute {
			t.Errorf("%q: got %s and %v, want an error that names the flag", typed, got, err)
		}
	}
}

func TestTheEndOfAnOutageIsExpectedInSoLongOrAtAMomentThatHasNotPassed(t *testing.T) {
	t.Parallel()
	in, err := readAhead("eta", "1h30m")
	if d := time.Until(in); err != nil || d < 89*time.Minute || d > 90*time.Minute {
		t.Errorf("1h30m: got %s (%v)", in, err)
	}
	tomorrow := time.Now().AddDate(0, 0, 1).Truncate(time.Minute)
	for _, typed := range []string{tomorrow.Format("2006-01-02 15:04"), tomorrow.UTC().Format(time.RFC3339)} {
		if at, err := readAhead("eta", typed); err != nil || !at.Equal(tomorrow) {
			t.Errorf("%q: got %s (%v), want %s", typed, at, err, tomorrow)
		}
	}
	if at, err := readAhead("eta", ""); err != nil || !at.IsZero() {
		t.Errorf("nothing: got %s (%v)", at, err)
	}
	for typed, want := range map[string]string{"soon": "want in how long", "-5m": "want in how long", "2020-01-01 00:00": "has passed"} {
		if at, err := readAhead("eta", typed); err == nil || !strings.Contains(err.Error(), `--eta "`+typed+`"`) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %s and %v, want an error that says %q", typed, at, err, want)
		}
	}
}
