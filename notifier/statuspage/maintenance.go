package statuspage

import (
	"cmp"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// maxMaintenances is the most planned works that an edition holds of a kind:
// planned, going on.
const maxMaintenances = 50

// takeMaintenances keeps planned work that covers a public service, and of what
// it covers the public ones alone. It must come after the services and before
// the incidents: a service that is worked on shows so, whatever is measured.
func (e *edition) takeMaintenances(all []notifier.Maintenance) {
	for _, m := range all {
		m.Services = e.publicKeys(m.Services)
		if m.ID == "" || len(m.Services) == 0 {
			continue
		}
		m.Acts = nil
		m.Updates = slices.Clone(m.Updates)
		for n := range m.Updates {
			m.Updates[n].By = ""
		}
		slices.SortStableFunc(m.Updates, func(a, b notifier.MaintenanceUpdate) int { return a.At.Compare(b.At) })
		switch {
		case !m.Ahead():
			e.past = append(e.past, m)
		case m.Working():
			e.ongoing = append(e.ongoing, m)
		default:
			e.planned = append(e.planned, m)
		}
	}
	soonest := func(a, b notifier.Maintenance) int {
		return cmp.Or(stretch(a).From.Compare(stretch(b).From), cmp.Compare(a.ID, b.ID))
	}
	slices.SortStableFunc(e.ongoing, soonest)
	slices.SortStableFunc(e.planned, soonest)
	slices.SortStableFunc(e.past, func(a, b notifier.Maintenance) int { return filed(b).Compare(filed(a)) })
	e.ongoing = e.ongoing[:min(len(e.ongoing), maxMaintenances)]
	e.planned = e.planned[:min(len(e.planned), maxMaintenances)]
	e.past = e.past[:min(len(e.past), maxResolved)]
	for n := range e.services {
		if c := &e.services[n]; e.fresh && e.work(*c) != nil {
			c.Status = rules.Maintenance
		}
	}
}

// publicKeys keeps the keys of public services and of shops that have one, each
// once, in the order of the page; a service of a shop that is named as a whole is
// not named beside it.
func (e *edition) publicKeys(keys []string) []string {
	var public []string
	for _, c := range e.services {
		key := c.Shop
		if !slices.Contains(keys, key) {
			key = c.Key()
		}
		if slices.Contains(keys, key) && !slices.Contains(public, key) {
			public = append(public, key)
		}
	}
	return public
}

// shop finds a shop that has something to show, nil if there is none.
func (e *edition) shop(id string) *Shop {
	for n := range e.shops {
		if e.shops[n].ID == id {
			return &e.shops[n]
		}
	}
	return nil
}

// work finds what goes on at a service and ends last, nil if nothing does.
func (e *edition) work(c Component) *notifier.Maintenance {
	var last *notifier.Maintenance
	for n := range e.ongoing {
		if m := &e.ongoing[n]; m.Covers(c.Service) && (last == nil || m.Window.Until.After(last.Window.Until)) {
			last = m
		}
	}
	return last
}

// covered lists the public services that a maintenance covers, in the order of the page.
func (e *edition) covered(m notifier.Maintenance) []Component {
	var services []Component
	for _, c := range e.services {
		if m.Covers(c.Service) {
			services = append(services, c)
		}
	}
	return services
}

// maintenance finds planned work, nil if there is none.
func (e *edition) maintenance(id string) *notifier.Maintenance {
	for _, list := range [][]notifier.Maintenance{e.ongoing, e.planned, e.past} {
		for n := range list {
			if list[n].ID == id {
				return &list[n]
			}
		}
	}
	return nil
}

// overdue reports whether the work goes on after its planned end.
func (e *edition) overdue(m notifier.Maintenance) bool {
	return m.Working() && !e.asOf.Before(m.Window.Until)
}

// stretch is when the work goes or went on: as planned where it is not known better.
func stretch(m notifier.Maintenance) notifier.Window {
	w := m.Window
	if !m.Began.IsZero() {
		w.From = m.Began
	}
	if m.Status == notifier.Completed && !m.Ended.IsZero() {
		w.Until = m.Ended
	}
	if w.Until.Before(w.From) {
		w.Until = w.From
	}
	return w
}

// filed is the moment under which the history keeps ended work: when it began, or
// when it was cancelled, for its time may never come.
func filed(m notifier.Maintenance) time.Time {
	if m.Status == notifier.Cancelled {
		return m.Ended
	}
	return stretch(m).From
}

// lastToldOfWork is when people were last told anything new about planned work.
func lastToldOfWork(m notifier.Maintenance) time.Time {
	at := m.Created
	for _, then := range []time.Time{m.Began, m.Ended} {
		if then.After(at) {
			at = then
		}
	}
	for _, u := range m.Updates {
		if u.At.After(at) {
			at = u.At
		}
	}
	return at
}
