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
func (d *desk) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		asked, due := true, true
		select {
		case <-ctx.Done():
			return
		case <-d.changed:
			asked, due = false, false
		case <-d.chosen:
			asked = false
		case <-d.due:
			asked = false
		case <-timer.C:
			timer.Reset(d.clocks.round)
		}
		if asked {
			d.sight = d.look(ctx, d.sight)
		}
		if due {
			d.round(ctx, asked)
		}
		if err := d.draw(ctx, d.sight); err != nil && ctx.Err() == nil {
			d.cfg.Logger.Error("page not drawn", "err", err)
		}
	}
}

// round takes up what other replicas heard, and ticks the incidents where no
// other replica does. Alertmanagers are polled where poll says so.
func (d *desk) round(ctx context.Context, poll bool) {
	err := d.hear(ctx)
	if err == nil && d.leading() {
		err = d.tick(ctx, poll)
	}
	if err != nil && ctx.Err() == nil {
		d.cfg.Logger.Error("incidents not looked at", "err", err)
	}
}

// look asks Prometheus for the present. Where it can't be asked, or knows no
// service, the last sight stands and ages.
func (d *desk) look(ctx context.Context, last query.Sight) query.Sight {
	now := d.cfg.Now()
	sight, err := d.querier.Look(ctx, now)
	if err != nil {
		// One that is only starting is no news.
		if ctx.Err() == nil && now.Sub(d.started) > d.clocks.lag {
			d.unasked.note(d.cfg.Logger, now, err)
		}
		return last
	}
	d.unasked.note(d.cfg.Logger, now, nil)
	if len(sight.Services) == 0 {
		return last
	}
	list := make([]notifier.Service, len(sight.Services))
	for i, s := range sight.Services {
		list[i] = s.Service
	}
	d.setServices(list)
	d.setSeen(sight.At)
	if err := d.saveServices(ctx, list); err != nil && ctx.Err() == nil {
		d.cfg.Logger.Error("services not kept", "err", err)
	}
	d.recall(ctx, now)
	return sight
}

// draw sets the page's snapshot and the metrics of the store.
func (d *desk) draw(ctx context.Context, sight query.Sight) error {
	now := d.cfg.Now()
	incidents, err := d.store.PublicIncidents(ctx, now.Add(-pastIncidents), mostIncidents)
	if err != nil {
		return err
	}
	snapshot := d.snapshot(now, sight, incidents)
	if snapshot.Maintenances, err = d.Maintenances(ctx); err != nil {
		return err
	}
	d.standing.set(snapshot)
	d.page.Set(snapshot)
	d.measure(ctx)
	return nil
}

func (d *desk) snapshot(now time.Time, sight query.Sight, incidents []notifier.Incident) statuspage.Snapshot {
	snapshot := statuspage.Snapshot{
		At: sight.At, Fresh: d.querier.Fresh(sight, now), BarLength: d.clocks.bar, Incidents: incidents,
	}
	silent, certain := d.silent(now)
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
		for _, b := range d.history[s.Key()] {
			component.History = append(component.History, statuspage.Bar{Start: b.Start, Up: b.Up, Seen: b.Seen, Outage: b.Outage, Status: b.Status})
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
func (d *desk) Overview(ctx context.Context) (console.Overview, error) {
	o := console.Overview{Watchdog: d.lastWatchdog().Evaluated}
	incidents, err := d.store.RecentIncidents(ctx, d.cfg.Now().Add(-pastIncidents), 20)
	if err != nil {
		return o, err
	}
	for _, i := range incidents {
		told, err := d.toldOf(ctx, i.ID)
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
	outbox, err := d.store.Outbox(ctx)
	if err != nil {
		return o, err
	}
	o.Queued, o.Dead, o.Oldest = outbox.Queued, outbox.Dead, outbox.Oldest
	counts, err := d.store.Recipients(ctx)
	if err != nil {
		return o, err
	}
	o.People, o.Services = people(counts), d.knownServices()
	works, err := d.Maintenances(ctx)
	o.Working = slices.DeleteFunc(works, func(m notifier.Maintenance) bool { return !m.Working() })
	return o, err
}

// Incidents tells the console what runs.
func (d *desk) Incidents(ctx context.Context) ([]notifier.Incident, error) {
	return d.store.OpenIncidents(ctx)
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
