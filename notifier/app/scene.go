package app

import (
	"context"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/notifier/store"
)

// scene is what the machine may ask of other incidents, within a transaction or
// of what was seen before it.
type scene struct {
	incident.Scene

	err error // of the store, the first
}

// incidents finds one by its key or its ID, nil where there is none.
type incidents interface {
	Latest(key string) (*notifier.Incident, error)
	Incident(id string) (*notifier.Incident, error)
}

func (d *desk) scene(known incidents, watchdog incident.Watchdog, open []notifier.Incident) *scene {
	s := &scene{Scene: incident.Scene{Watchdog: watchdog, Open: open}}
	find := func(look func(string) (*notifier.Incident, error)) func(string) *notifier.Incident {
		return func(name string) *notifier.Incident {
			found, err := look(name)
			if s.err == nil {
				s.err = err
			}
			return found
		}
	}
	s.Latest, s.ByID = find(known.Latest), find(known.Incident)
	return s
}

// seen are incidents as they stand outside any transaction, each read once.
type seen struct {
	ctx   context.Context
	store *store.Store
	byKey map[string]*notifier.Incident
	byID  map[string]*notifier.Incident
}

// newSeen knows the open ones, and asks for others as they are wanted.
func newSeen(ctx context.Context, s *store.Store, open []notifier.Incident) *seen {
	known := &seen{ctx, s, make(map[string]*notifier.Incident, len(open)), make(map[string]*notifier.Incident, len(open))}
	for n := range open {
		known.byKey[open[n].Key], known.byID[open[n].ID] = &open[n], &open[n]
	}
	return known
}

// Latest gives the incident of a key that is open, or else was closed last.
func (s *seen) Latest(key string) (*notifier.Incident, error) {
	return once(s.ctx, s.byKey, key, s.store.Latest)
}

// Incident gives one by its ID.
func (s *seen) Incident(id string) (*notifier.Incident, error) {
	return once(s.ctx, s.byID, id, s.store.Incident)
}

func once(ctx context.Context, known map[string]*notifier.Incident, name string, ask func(context.Context, string) (*notifier.Incident, error)) (*notifier.Incident, error) {
	if i, ok := known[name]; ok {
		return i, nil
	}
	i, err := ask(ctx, name)
	if err == nil {
		known[name] = i
	}
	return i, err
}

// peers gives the other services of a shop with the same role.
func (d *desk) peers(service notifier.Service) []notifier.Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []notifier.Service
	for _, key := range d.order {
		if s := d.services[key]; s.Shop == service.Shop && s.Role == service.Role && s.ID != service.ID {
			list = append(list, s)
		}
	}
	return list
}

// publication is how an incident of a key becomes public that begins to ask for
// it now: as its service is configured, whatever of the service it is about.
func (d *desk) publication(key string) notifier.Publication {
	configured := d.cfg.Notifier.Publish.Of(serviceOf(key))
	p := notifier.Publication{Held: configured.Held}
	if configured.After > 0 {
		p.At = d.cfg.Now().Add(configured.After)
	}
	return p
}

// serviceOf is the service's part of an incident's key: "main/alipay" of "main/alipay/certificate".
func serviceOf(key string) string {
	shop, rest, _ := strings.Cut(key, "/")
	id, _, _ := strings.Cut(rest, "/")
	return shop + "/" + id
}

// sooner is the sooner of a moment and the next at which an incident waits to be
// looked at; zero is none.
func sooner(at time.Time, i notifier.Incident) time.Time {
	for _, next := range []time.Time{i.Due, i.Publication.At} {
		waits := len(i.Pending) > 0 || i.Wanted && !i.Public
		if waits && i.Open() && !next.IsZero() && (at.IsZero() || next.Before(at)) {
			at = next
		}
	}
	return at
}

// lookAt has the incidents looked at again at a moment between two rounds.
func (d *desk) lookAt(at time.Time) {
	if wait := at.Sub(d.cfg.Now()); !at.IsZero() && wait >= 0 && wait < d.clocks.round+d.clocks.parentWait {
		time.AfterFunc(wait, func() {
			select {
			case d.due <- struct{}{}:
			default:
			}
		})
	}
}
