package incident

import (
	"time"

	"shopwatch/notifier"
)

// Scene is what else is known at the moment in which an incident is looked at.
type Scene struct {
	Watchdog Watchdog
	// Latest gives the incident of a key that is open, or else was closed last,
	// and ByID the one of an ID, as they are within the transaction; nil where
	// there is none. Either may be nil: then no other incident is known.
	Latest func(key string) *notifier.Incident
	ByID   func(id string) *notifier.Incident
	// Open are the open incidents, among which those that follow from the one
	// looked at are sought; only a Tick asks for them.
	Open []notifier.Incident
}

func (s Scene) latest(key string) *notifier.Incident {
	if s.Latest == nil {
		return nil
	}
	return s.Latest(key)
}

func (s Scene) incident(id string) *notifier.Incident {
	if s.ByID == nil || id == "" {
		return nil
	}
	return s.ByID(id)
}

// Watchdog is what the newest Watchdog that arrived proves.
type Watchdog struct {
	// Evaluated is when Prometheus evaluated it; zero: none ever arrived.
	Evaluated time.Time
	// Since is the first evaluation after the last silence. Prometheus's groups
	// of rules run one after the other: for a while after it is back, it has
	// said that it lives and not yet what it sees.
	Since time.Time
}

// Next is w after a Watchdog that was evaluated at a moment. Two that lie
// further apart than fresh have a silence between them.
func (w Watchdog) Next(evaluated time.Time, fresh time.Duration) Watchdog {
	if !evaluated.After(w.Evaluated) {
		return w
	}
	if w.Evaluated.IsZero() || evaluated.Sub(w.Evaluated) >= fresh {
		w.Since = evaluated
	}
	w.Evaluated = evaluated
	return w
}
