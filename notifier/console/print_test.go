package console_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/rules"
)

// TestTheCommandLineSaysWhatItSaid asks as the command line does, and holds what
// it prints to files.
func TestTheCommandLineSaysWhatItSaid(t *testing.T) {
	t.Parallel()
	b := filled(t)
	b.source.overview.Incidents[0].Key = "main/\x1b[31malipay" // moves no cursor
	c := b.client("the-token")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open, err := c.Incident(t.Context(), "i1")
	must(err)
	over, err := c.Incident(t.Context(), "i2")
	must(err)
	outbox, err := c.Outbox(t.Context())
	must(err)
	letters, err := c.DeadLetters(t.Context(), 0)
	must(err)
	record, err := c.Audit(t.Context(), "incident i1", 0)
	must(err)
	if got := b.source.asked[len(b.source.asked)-1]; got != "incident i1 before 0" {
		t.Errorf("asked the record of %q", got)
	}
	zone := time.FixedZone("", 8*60*60)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"show":        func(w *bytes.Buffer) error { return console.WriteAccount(w, open, zone) },
		"show-over":   func(w *bytes.Buffer) error { return console.WriteAccount(w, over, zone) },
		"show-json":   func(w *bytes.Buffer) error { return console.JSON(w, open) },
		"outbox":      func(w *bytes.Buffer) error { return console.WriteOutbox(w, "table", outbox, zone) },
		"dead":        func(w *bytes.Buffer) error { return console.WriteLetters(w, "table", letters, zone) },
		"dead-json":   func(w *bytes.Buffer) error { return console.WriteLetters(w, "json", letters, zone) },
		"record":      func(w *bytes.Buffer) error { return console.WriteRecord(w, "table", record, zone) },
		"record-json": func(w *bytes.Buffer) error { return console.WriteRecord(w, "json", record, zone) },
	} {
		var got bytes.Buffer
		must(write(&got))
		file := filepath.Join("testdata", "cli-"+name+".txt")
		if *update {
			must(os.WriteFile(file, got.Bytes(), 0o644))
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v: run go test -update", err)
		}
		if got.String() != string(want) {
			t.Errorf("%s says other than %s; run go test -update and read the difference. It says\n%s", name, file, got.String())
		}
		if strings.Contains(got.String(), "\x1b") {
			t.Errorf("%s moves the cursor", name)
		}
	}
}

func TestADeedIsAnsweredInOneLine(t *testing.T) {
	t.Parallel()
	r := console.Running{ID: "i1", Title: rules.Text{EN: "Alipay fails"}, Status: notifier.Monitoring, ETA: notifier.ETA{At: now}}
	for deed, want := range map[notifier.Deed]string{
		notifier.DeedPublish: "public", notifier.DeedHold: "not public until somebody publishes it", notifier.DeedResolve: "over",
		notifier.DeedUpdate: "monitoring, expected over at 2026-11-22T03:00:00Z",
	} {
		var out strings.Builder
		if err := console.WriteDeed(&out, deed, r, "Wang", time.UTC); err != nil || out.String() != "incident i1 (Alipay fails): "+want+"\n" {
			t.Errorf("%s says %q (%v)", deed, out.String(), err)
		}
	}
}

func TestWhoTakesInHandWhatSomebodyHasIsToldWhoseItIs(t *testing.T) {
	t.Parallel()
	r := console.Running{ID: "i1", Title: rules.Text{EN: "Alipay fails"}, Acknowledged: &notifier.Acknowledgement{By: "Li", At: now}}
	for by, want := range map[string]string{
		"Wang": "already in hand of Li since 2026-11-22T03:00:00Z; nothing changed", " Li ": "in hand of Li since 2026-11-22T03:00:00Z",
	} {
		var out strings.Builder
		if err := console.WriteDeed(&out, notifier.DeedAcknowledge, r, by, time.UTC); err != nil || out.String() != "incident i1 (Alipay fails): "+want+"\n" {
			t.Errorf("%s is told %q (%v)", by, out.String(), err)
		}
	}
}

func TestTheCommandLineIsNamedAsTheWay(t *testing.T) {
	t.Parallel()
	b := filled(t)
	c := b.client("the-token")
	if _, err := c.Do(t.Context(), notifier.DeedUpdate, "i1", console.Wish{By: "小王", ETA: now, Way: "console"}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Resend(t.Context(), console.Resending{Deliveries: []int64{812}}); err != nil || n != 1 {
		t.Errorf("sent %d again, %v", n, err)
	}
	if b.source.wishes[0].Way != console.WayCLI || !b.source.wishes[0].ETA.Equal(now) || b.source.resent[0].Way != console.WayCLI {
		t.Errorf("wished %+v, %+v", b.source.wishes, b.source.resent)
	}
}
