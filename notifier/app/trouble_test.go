package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestTroubleThatLastsIsLoggedWhenItBeginsAndWhenItEnds(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&said, nil))
	what := trouble{begins: "prometheus can't be asked", ends: "prometheus can be asked again"}
	now := time.Now()
	for n, err := range []error{nil, errors.New("refused"), errors.New("refused"), errors.New("reset"), nil, nil, errors.New("refused")} {
		what.note(logger, now.Add(time.Duration(n)*15*time.Second), err)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("got\n%s\nwant a line when trouble begins, one when it ends, and one when it begins again", &said)
	}
	for n, want := range []string{`level=WARN msg="prometheus can't be asked" err=refused`, `level=INFO msg="prometheus can be asked again" after=45s`, "level=WARN"} {
		if !strings.Contains(lines[n], want) {
			t.Errorf("line %d is %s, want %s", n, lines[n], want)
		}
	}
}
