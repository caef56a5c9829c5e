package app

import (
	"context"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/notifier/query"
	"shopwatch/notifier/statuspage"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// What the page shows of the past.
const (
	bars          = 90
	pastIncidents = 30 * 24 * time.Hour
	mostIncidents = 200
)

// watch looks at Prometheus every round, ticks the incidents and redraws the
// page; a change of incidents redraws it at once.
func (a *App) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var sight query.Sight
	for {
		asked, due := true, true
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
			asked, due = false, false
		case <-a.chosen:
			asked = false
		case <-a.due:
			asked = false
		case <-timer.C:
			timer.Reset(a.clocks.round)
		}
		if asked {
			sight = a.look(ctx, sight)
		}
		if due {
			a.round(ctx, asked)
		}
		a.draw(ctx, sight)
	}
}

// round takes up what other replicas heard, and ticks the incidents where no
// other replica does. Alertmanagers are polled where poll says so.
func (a *App) round(ctx context.Context, poll bool) {
	err := a.hear(ctx)
	if err == nil && a.leading() {
		err = a.tick(ctx, poll)
	}
	if err != nil && ctx.Err() == nil {
		a.cfg.Logger.Error("incidents not looked at", "err", err)
	}
}

// look asks Prometheus for the present. Where it can't be asked, or knows no
// service, the last sight stands and ages.
func (a *App) look(ctx context.Context, last query.Sight) query.Sight {
	now := a.cfg.Now()
	sight, err := a.querier.Look(ctx, now)
	if err != nil {
		// One that is only starting is no news.
		if ctx.Err() == nil && now.Sub(a.started) > a.clocks.lag {
			a.unasked.note(a.cfg.Logger, now, err)
		}
		return last
	}
	a.unasked.note(a.cfg.Logger, now, nil)
	if len(sight.Services) == 0 {
		return last
	}
	list := make([]notifier.Service, len(sight.Services))
	for i, s := range sight.Services {
		list[i] = s.Service
	}
	a.setServices(list)
	a.setSeen(sight.At)
	if err := a.saveServices(ctx, list); err != nil && ctx.Err() == nil {
		a.cfg.Logger.Error("services not kept", "err", err)
	}
	if a.drawn.IsZero() || now.Sub(a.drawn) >= a.clocks.historyAge || a.clocks.bar < time.Minute {
		history, err := a.querier.History(ctx, now.In(a.cfg.Notifier.Page.Zone), a.clocks.bar, bars)
		if ctx.Err() == nil {
			a.unremembered.note(a.cfg.Logger, now, err)
		}
		if err == nil {
			a.history, a.drawn = history, now
		}
	}
	return sight
}

// draw sets the page's snapshot and the metrics of the store.
func (a *App) draw(ctx context.Context, sight query.Sight) {
	now := a.cfg.Now()
	incidents, err := a.store.PublicIncidents(ctx, now.Add(-pastIncidents), mostIncidents)
	if err != nil {
		if ctx.Err() == nil {
			a.cfg.Logger.Error("page not drawn", "err", err)
		}
		return
	}
	snapshot := a.snapshot(now, sight, incidents)
	if snapshot.Maintenances, err = a.Maintenances(ctx); err != nil {
		if ctx.Err() == nil {
			a.cfg.Logger.Error("page not drawn", "err", err)
		}
		return
	}
	a.standing.set(snapshot)
	a.page.Set(snapshot)
	a.measure(ctx)
}

func (a *App) snapshot(now time.Time, sight query.Sight, incidents []notifier.Incident) statuspage.Snapshot {
	snapshot := statuspage.Snapshot{
		At: sight.At, Fresh: a.querier.Fresh(sight, now), BarLength: a.clocks.bar, Incidents: incidents,
	}
	silent, certain := a.silent(now)
	snapshot.Interrupted = silent && certain
	for _, s := range sight.Services {
		if !slices.ContainsFunc(snapshot.Shops, func(shop statuspage.Shop) bool { return shop.ID == s.Shop }) {
			name, known := sight.Shops[s.Shop]
			if !known {
				name = rules.Text{ZH: s.Shop, EN: s.Shop}
			}
			snapshot.Shops = append(snapshot.Shops, statuspage.Shop{ID: s.Shop, Name: name})
		}
		component := statuspage.Component{Service: s.Service, Latency: s.Latency}
		if s.Status == rules.Outage { // a slow look is a success, so a degraded one began at no known moment
			component.Since = s.LastSuccess
		}
		for _, b := range a.history[s.Key()] {
			component.History = append(component.History, statuspage.Bar{Start: b.Start, Up: b.Up, Outage: b.Outage, Status: b.Status})
		}
		snapshot.Services = append(snapshot.Services, component)
	}
	for _, o := range sight.Orders {
		waiting := func(kind rules.Kind) statuspage.Waiting {
			return statuspage.Waiting{Ages: o.Waiting[kind], Oldest: o.Oldest[kind]}
		}
		snapshot.Orders = append(snapshot.Orders, statuspage.Orders{
			Shop: o.Shop, Automatic: waiting(rules.Automatic), Manual: waiting(rules.Manual),
			ShortOfStock: o.ShortOfStock, LedgerFresh: o.Up, LedgerAt: o.LastSuccess,
		})
	}
	return snapshot
}

// Overview tells the console what runs.
func (a *App) Overview(ctx context.Context) (console.Overview, error) {
	o := console.Overview{Watchdog: a.lastWatchdog().Evaluated}
	incidents, err := a.store.RecentIncidents(ctx, a.cfg.Now().Add(-pastIncidents), 20)
	if err != nil {
		return o, err
	}
	for _, i := range incidents {
		told, err := a.toldOf(ctx, i.ID)
		if err != nil {
			return o, err
		}
		shown := console.Incident{Incident: i}
		for _, t := range told {
			if n := len(shown.Told); n == 0 || shown.Told[n-1].Audience != t.Audience {
				shown.Told = append(shown.Told, console.Told{Audience: t.Audience})
			}
			last := &shown.Told[len(shown.Told)-1]
			last.Sent, last.Queued, last.Dead = last.Sent+t.Sent, last.Queued+t.Queued, last.Dead+t.Dead
		}
		o.Incidents = append(o.Incidents, shown)
	}
	outbox, err := a.store.Outbox(ctx)
	if err != nil {
		return o, err
	}
	o.Queued, o.Dead, o.Oldest = outbox.Queued, outbox.Dead, outbox.Oldest
	counts, err := a.store.Recipients(ctx)
	if err != nil {
		return o, err
	}
	o.People, o.Services = people(counts), a.knownServices()
	works, err := a.Maintenances(ctx)
	o.Working = slices.DeleteFunc(works, func(m notifier.Maintenance) bool { return !m.Working() })
	return o, err
}

// Incidents tells the console what runs.
func (a *App) Incidents(ctx context.Context) ([]notifier.Incident, error) {
	return a.store.OpenIncidents(ctx)
}

func people(counts []store.RecipientCount) []console.People {
	var list []console.People
	for _, c := range counts {
		if n := len(list); n == 0 || list[n-1].Audience != c.Audience || list[n-1].Channel != c.Channel {
			list = append(list, console.People{Audience: c.Audience, Channel: c.Channel})
		}
		if last := &list[len(list)-1]; c.State == notifier.Active {
			last.Active += c.N
		} else {
			last.Inactive += c.N
		}
	}
	return list
}
