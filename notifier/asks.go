package notifier

import (
	"slices"

	"shopwatch/rules"
)

// Asks reports whether an open incident asks to be taken in hand: not where all
// that fires of it is there to be looked at, as an error budget that runs low.
// Where nothing fires any more and the end is in doubt, all its alerts count.
func (i Incident) Asks() bool {
	fires := func(a ActiveAlert) bool { return a.Ended.IsZero() }
	any := slices.ContainsFunc(i.Alerts, fires)
	return i.Open() && (len(i.Alerts) == 0 || slices.ContainsFunc(i.Alerts, func(a ActiveAlert) bool {
		return (fires(a) || !any) && a.Severity != rules.SeverityInfo && a.Severity != rules.SeverityNone
	}))
}
