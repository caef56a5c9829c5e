package ledger

import (
	"fmt"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	aheadLimit  = 2 * time.Minute
	behindLimit = time.Hour
	behindRow   = 3
	clockStep   = 15 * time.Minute // zones differ by it: what is told of one wrong zone stays the same
)

// arrivals watches the creation times of new orders, because many shops store
// wall time without a zone: with the wrong zone configured, every age is hours
// off, and a waiting order would be told too late or every order at once.
type arrivals struct {
	behind int // orders in a row that were old when they appeared
	by     time.Duration
}

func (a *arrivals) add(o exporter.Order, now time.Time) {
	age := now.Sub(o.Created)
	if o.Created.IsZero() || age < behindLimit {
		a.behind = 0
		return
	}
	a.behind++
	a.by = age
}

// misdated says that the shop's clock and ours disagree so much that ages mean nothing.
func (a *arrivals) misdated(newest exporter.Order, now time.Time) error {
	if ahead := newest.Created.Sub(now); !newest.Created.IsZero() && ahead > aheadLimit {
		return &Error{Reason: rules.LedgerClock, Err: fmt.Errorf(
			"the newest order was created %s in the future: set the zone of the shop's clock: %w", ahead.Round(clockStep), ErrUnfit)}
	}
	if a.behind >= behindRow {
		return &Error{Reason: rules.LedgerClock, Err: fmt.Errorf(
			"the last %d orders were already %s old when they appeared: set the zone of the shop's clock: %w", a.behind, a.by.Round(clockStep), ErrUnfit)}
	}
	return nil
}
