package app

import (
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/notifier/store"
)

// scene is what the machine may ask of other incidents within a transaction.
type scene struct {
	incident.Scene

	err error // of the store, the first
}

func (a *App) scene(tx *store.Tx, watchdog incident.Watchdog, open []notifier.Incident) *scene {
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
	s.Latest, s.ByID = find(tx.Latest), find(tx.Incident)
	return s
}

// peers gives the other services of a shop with the same role.
func (a *App) peers(service notifier.Service) []notifier.Service {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []notifier.Service
	for _, key := range a.order {
		if s := a.services[key]; s.Shop == service.Shop && s.Role == service.Role && s.ID != service.ID {
			list = append(list, s)
		}
	}
	return list
}

// publication is how an incident of a key becomes public that begins to ask for
// it now: as its service is configured, whatever of the service it is about.
func (a *App) publication(key string) notifier.Publication {
	configured := a.cfg.Notifier.Publish.Of(serviceOf(key))
	p := notifier.Publication{Held: configured.Held}
	if configured.After > 0 {
		p.At = a.cfg.Now().Add(configured.After)
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
func (a *App) lookAt(at time.Time) {
	if wait := at.Sub(a.cfg.Now()); !at.IsZero() && wait >= 0 && wait < a.clocks.round+a.clocks.parentWait {
		time.AfterFunc(wait, func() {
			select {
			case a.due <- struct{}{}:
			default:
			}
		})
	}
}
