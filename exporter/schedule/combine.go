package schedule

import (
	"fmt"
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Combine makes one reading of the looks at all targets of a service, which
// have at least one. It is what is judged.
//
// It is a success when as many targets answered well as the service asks for
// (all, if it says 0), a failure when so many failed that they can't have, and
// inconclusive when the looks that say something decide neither. Its End is the
// latest. A success took as long as the slowest of the answers that were
// needed: with two of three, the second fastest good one; a failure began with
// the first look. A failure has the reason and detail of the first target that
// failed. Samples and phases stay with the targets.
func Combine(service exporter.Service, readings []exporter.Reading) exporter.Reading {
	if len(readings) == 1 {
		return readings[0]
	}
	need := quorum(&service)
	combined := exporter.Reading{Shop: service.Shop, Service: service.ID, Start: readings[0].Start, End: readings[0].End}
	var good []time.Duration
	var failed, blind []exporter.Reading
	for _, r := range readings {
		if r.Start.Before(combined.Start) {
			combined.Start = r.Start
		}
		if r.End.After(combined.End) {
			combined.End = r.End
		}
		switch {
		case r.Success:
			good = append(good, r.End.Sub(r.Start))
		case r.Conclusive():
			failed = append(failed, r)
		default:
			blind = append(blind, r)
		}
	}
	switch {
	case len(good) >= need:
		slices.Sort(good)
		combined.Success = true
		combined.Start = combined.End.Add(-good[need-1])
	case len(readings)-len(failed) < need:
		combined.Target, combined.Reason = failed[0].Target, failed[0].Reason
		combined.Detail = fmt.Sprintf("%d of %d targets failed: %s", len(failed), len(readings), failed[0].Detail)
	default:
		combined.Target, combined.Reason = blind[0].Target, rules.ReasonVantage
		combined.Detail = fmt.Sprintf("%d of %d targets could not be looked at: %s", len(blind), len(readings), blind[0].Detail)
	}
	return combined
}
