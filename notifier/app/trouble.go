package app

import (
	"log/slog"
	"time"
)

// trouble is what may fail at every round for hours. The log is told when it
// begins and when it ends, not at every round between.
type trouble struct {
	begins, ends string
	since        time.Time // zero: there is none
}

// note takes what a round met, which is nothing where err is nil.
func (t *trouble) note(logger *slog.Logger, now time.Time, err error) {
	switch {
	case err != nil && t.since.IsZero():
		t.since = now
		logger.Warn(t.begins, "err", err)
	case err == nil && !t.since.IsZero():
		logger.Info(t.ends, "after", now.Sub(t.since).Round(time.Second))
		t.since = time.Time{}
	}
}
