package schedule

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Verdict is what is held of one service after its looks so far. The zero
// Verdict is that of a service that nobody has looked at.
type Verdict struct {
	// Status is what is shown.
	Status rules.Status
	// Down is true from the failed look that made the outage to the good look
	// that ended it, also while Status is unknown because we can't see.
	Down bool
	// Good and Bad are the looks of the present row; one of them is 0.
	Good, Bad int
}

// Judge gives the verdict after one more look.
//
// FailureThreshold failed looks in a row make an outage, SuccessThreshold good
// ones in a row end it; between them Status stays as it is. Where there is no
// outage to end, one good look suffices. A good look that took longer than
// Slow makes degraded. An inconclusive look makes unknown and neither lengthens
// nor breaks a row; the first failed look after it shows again an outage that
// was there before.
func Judge(before Verdict, service exporter.Service, reading exporter.Reading) Verdict {
	v := before
	if v.Status == "" {
		v.Status = rules.Unknown
	}
	switch {
	case !reading.Conclusive():
		v.Status = rules.Unknown
	case !reading.Success:
		v.Good, v.Bad = 0, v.Bad+1
		if v.Down || v.Bad >= service.FailureThreshold {
			v.Down, v.Status = true, rules.Outage
		}
	default:
		v.Good, v.Bad = v.Good+1, 0
		if v.Down && v.Good < service.SuccessThreshold {
			break
		}
		v.Down, v.Status = false, rules.Operational
		if service.Slow > 0 && reading.End.Sub(reading.Start) > service.Slow {
			v.Status = rules.Degraded
		}
	}
	return v
}

// jump is how far the wall clock and a steady clock may part before the wall
// clock counts as set; slewing stays far below.
const jump = time.Second

// LastSuccess is the time of the last success after a conclusive look; age is
// how old the former one is at the look's end by a clock that nobody sets.
//
// A successful look sets it to its own end. A failed one keeps it, and seeds it
// where there was none. If the wall clock was set since, it is told anew in the
// new time, or an outage would leap to its 30th minute, or have its last success
// in the future and never be told. A success that is in the future by every
// clock (it was remembered across a restart) becomes now.
func LastSuccess(before time.Time, age time.Duration, reading exporter.Reading) time.Time {
	if reading.Success || before.IsZero() || age < 0 {
		return reading.End
	}
	if told := reading.End.Round(0).Sub(before.Round(0)); (told - age).Abs() > jump {
		return reading.End.Add(-age)
	}
	return before
}

// Outage is the outage of one service, as those that depend on it see it.
type Outage struct {
	Down  bool
	Ended time.Time // when Down last became false, zero if it never did
}

// Affected reports whether one of the outages lasts, or ended less than tail
// ago. The tail keeps a service from being told of in the moment in which its
// cause heals and its own next look is still to come.
func Affected(now time.Time, tail time.Duration, causes ...Outage) bool {
	return slices.ContainsFunc(causes, func(o Outage) bool {
		return o.Down || !o.Ended.IsZero() && now.Sub(o.Ended) < tail
	})
}

// Name is how a service is known across shops.
type Name struct{ Shop, Service string }

func (n Name) String() string { return n.Shop + "/" + n.Service }

// Causes gives for each service all services that it depends on, directly or
// through others. Its error names every dependency on a service that the shop
// doesn't have and every service that depends on itself.
func Causes(services []exporter.Service) (map[Name][]Name, error) {
	direct := make(map[Name][]Name, len(services))
	for _, s := range services {
		name := Name{s.Shop, s.ID}
		direct[name] = []Name{}
		for _, id := range s.DependsOn {
			direct[name] = append(direct[name], Name{s.Shop, id})
		}
	}
	var problems []error
	all := make(map[Name][]Name, len(services))
	for _, s := range services {
		name := Name{s.Shop, s.ID}
		for _, cause := range direct[name] {
			if _, ok := direct[cause]; !ok {
				problems = append(problems, fmt.Errorf("service %q depends on %q, which is no service of the shop", name, cause.Service))
			}
		}
		seen := map[Name]bool{}
		for next := slices.Clone(direct[name]); len(next) > 0; next = next[1:] {
			if seen[next[0]] {
				continue
			}
			seen[next[0]] = true
			all[name] = append(all[name], next[0])
			next = append(next, direct[next[0]]...)
		}
		if seen[name] {
			problems = append(problems, fmt.Errorf("service %q depends on itself, directly or through others", name))
		}
	}
	return all, errors.Join(problems...)
}
