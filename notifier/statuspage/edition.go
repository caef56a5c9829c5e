package statuspage

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The most that one edition holds: a page stays readable, and a store that went
// wild can't make it grow without bound.
const (
	maxOpen     = 50
	maxResolved = 200
	maxBars     = 90
)

// edition is the public part of one snapshot, in the order of the page. What is
// not public, or not known, is gone before any document is rendered: templates,
// JSON and feeds read editions alone.
type edition struct {
	at          time.Time // when the services were last seen
	asOf        time.Time // when the edition came out; lengths of open trouble run to here
	fresh       bool
	interrupted bool // nobody judges: a quiet banner says so
	started     bool // false until the first snapshot: an empty past then means nothing
	barLength   time.Duration
	shops       []Shop      // those that have something to show
	services    []Component // by shop and position; Status is the one to show
	orders      []Orders    // by shop
	open        []notifier.Incident
	resolved    []notifier.Incident    // newest first
	ongoing     []notifier.Maintenance // goes on, longest first
	planned     []notifier.Maintenance // next first
	past        []notifier.Maintenance // completed and cancelled, newest first

	documents sync.Map // documentKey -> func() (*document, error)
}

func newEdition(s Snapshot, now time.Time, fresh bool) *edition {
	e := &edition{at: s.At, asOf: now, fresh: fresh, interrupted: s.Interrupted, barLength: s.BarLength, started: !s.At.IsZero() || len(s.Incidents) > 0}
	order := shopOrder(s)
	hidden := make(map[string]bool)
	for _, c := range s.Services {
		if !c.Public {
			hidden[c.Key()] = true
			continue
		}
		c.History = slices.Clone(c.History[max(0, len(c.History)-maxBars):])
		c.Status = e.shown(c, s.Orders)
		if c.Name.ZH == "" || c.Name.EN == "" {
			c.Name = rules.Text{ZH: c.ID, EN: c.ID}
		}
		e.services = append(e.services, c)
	}
	slices.SortStableFunc(e.services, func(a, b Component) int {
		return cmp.Or(cmp.Compare(order[a.Shop], order[b.Shop]), cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID))
	})
	for _, o := range s.Orders {
		if e.service(o.Shop+"/"+rules.ServiceDelivery) == nil {
			continue
		}
		o.Automatic.Ages, o.Manual.Ages = maps.Clone(o.Automatic.Ages), maps.Clone(o.Manual.Ages)
		o.LedgerFresh = o.LedgerFresh && fresh
		e.orders = append(e.orders, o)
	}
	slices.SortStableFunc(e.orders, func(a, b Orders) int { return cmp.Compare(order[a.Shop], order[b.Shop]) })
	e.nameShops(s.Shops)
	e.takeMaintenances(s.Maintenances)
	e.takeIncidents(s.Incidents, hidden)
	return e
}

// shopOrder ranks shops as the snapshot names them, strangers after them by id.
func shopOrder(s Snapshot) map[string]int {
	order := make(map[string]int)
	for _, shop := range s.Shops {
		order[shop.ID] = len(order)
	}
	var strangers []string
	for _, c := range s.Services {
		if _, known := order[c.Shop]; !known {
			strangers = append(strangers, c.Shop)
		}
	}
	slices.Sort(strangers)
	for _, id := range slices.Compact(strangers) {
		order[id] = len(order)
	}
	return order
}

// shown is the status to show for a service: unknown when we can't see, also for
// a delivery that claims to be well while the order book can't be read.
func (e *edition) shown(c Component, orders []Orders) rules.Status {
	if !e.fresh || c.Status == "" {
		return rules.Unknown
	}
	if c.ID == rules.ServiceDelivery && (c.Status == rules.Operational || c.Status == rules.Degraded) {
		for _, o := range orders {
			if o.Shop == c.Shop && !o.LedgerFresh {
				return rules.Unknown
			}
		}
	}
	return c.Status
}

// nameShops keeps the shops that have a service on the page, named by their id
// where nobody named them.
func (e *edition) nameShops(named []Shop) {
	for _, c := range e.services {
		if slices.ContainsFunc(e.shops, func(s Shop) bool { return s.ID == c.Shop }) {
			continue
		}
		shop := Shop{ID: c.Shop, Name: rules.Text{ZH: c.Shop, EN: c.Shop}}
		if i := slices.IndexFunc(named, func(s Shop) bool { return s.ID == c.Shop && s.Name.ZH != "" }); i >= 0 {
			shop = named[i]
		}
		e.shops = append(e.shops, shop)
	}
}

// takeIncidents keeps incidents that are public, of a service that was public
// when they opened and is not private now. What only their people may know stays behind.
func (e *edition) takeIncidents(all []notifier.Incident, hidden map[string]bool) {
	for _, i := range all {
		if !i.Public || !i.Service.Public || hidden[i.Key] || hidden[i.Service.Key()] || i.ID == "" {
			continue
		}
		if !i.Open() && i.Over.IsZero() {
			i.Over = i.Closed
		}
		i.Told = maps.Clone(i.Told)
		i.Updates = slices.Clone(i.Updates)
		i.ETA.Earlier = slices.Clone(i.ETA.Earlier)
		private(&i)
		slices.SortStableFunc(i.Updates, func(a, b notifier.Update) int { return a.At.Compare(b.At) })
		if i.Open() {
			e.open = append(e.open, i)
		} else {
			e.resolved = append(e.resolved, i)
		}
	}
	slices.SortStableFunc(e.open, func(a, b notifier.Incident) int {
		return cmp.Or(
			cmp.Compare(rank(e.underWork(a)), rank(e.underWork(b))),
			cmp.Compare(rank(e.recovering(a)), rank(e.recovering(b))),
			cmp.Compare(slices.Index(notifier.Impacts, b.Impact), slices.Index(notifier.Impacts, a.Impact)),
			a.Since.Compare(b.Since))
	})
	slices.SortStableFunc(e.resolved, func(a, b notifier.Incident) int { return b.Since.Compare(a.Since) })
	e.open = e.open[:min(len(e.open), maxOpen)]
	e.resolved = e.resolved[:min(len(e.resolved), maxResolved)]
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

// service finds a public service by its key, nil if there is none.
func (e *edition) service(key string) *Component {
	for i := range e.services {
		if e.services[i].Key() == key {
			return &e.services[i]
		}
	}
	return nil
}

// recovering reports whether an open incident's service works again, so that
// only the confirmation is missing.
func (e *edition) recovering(i notifier.Incident) bool {
	if !i.Open() {
		return false
	}
	c := e.service(i.Service.Key())
	return c != nil && c.Status == rules.Operational
}

// underWork reports whether an incident's service is being worked on as planned:
// then that is told first.
func (e *edition) underWork(i notifier.Incident) bool {
	c := e.service(i.Service.Key())
	return c != nil && c.Status == rules.Maintenance
}

// elsewhere lists the open incidents of services that are not being worked on, worst first.
func (e *edition) elsewhere() []notifier.Incident {
	if n := slices.IndexFunc(e.open, e.underWork); n >= 0 {
		return e.open[:n]
	}
	return e.open
}

// incident finds a public incident, nil if there is none.
func (e *edition) incident(id string) *notifier.Incident {
	for _, list := range [][]notifier.Incident{e.open, e.resolved} {
		for i := range list {
			if list[i].ID == id {
				return &list[i]
			}
		}
	}
	return nil
}

// ordersOf finds what is known of a shop's waiting orders, nil if nothing is.
func (e *edition) ordersOf(shop string) *Orders {
	for i := range e.orders {
		if e.orders[i].Shop == shop {
			return &e.orders[i]
		}
	}
	return nil
}

// newest is when any incident or planned work last changed, zero if there is none.
func (e *edition) newest() time.Time {
	var newest time.Time
	for _, list := range [][]notifier.Incident{e.open, e.resolved} {
		for _, i := range list {
			if at := lastTold(i); at.After(newest) {
				newest = at
			}
		}
	}
	for _, list := range [][]notifier.Maintenance{e.ongoing, e.planned, e.past} {
		for _, m := range list {
			if at := lastToldOfWork(m); at.After(newest) {
				newest = at
			}
		}
	}
	return newest
}

// lastTold is when an incident was last told anything new about.
func lastTold(i notifier.Incident) time.Time {
	at := i.Opened
	if i.Closed.After(at) {
		at = i.Closed
	}
	for _, u := range i.Updates {
		if u.At.After(at) {
			at = u.At
		}
	}
	return at
}
