package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/notifier/store"
)

// mostPasses is how often one tick looks at the incidents until nothing changes
// any more: a parent's change may be what its children wait for.
const mostPasses = 4

// tick looks at planned work and the open incidents again, and alarms ops where the Watchdog is
// silent: then nobody judges, and no alert of Prometheus can say so. Alertmanagers
// are polled once a round, not when an incident waits to be looked at between two.
func (d *desk) tick(ctx context.Context, poll bool) error {
	if poll {
		if err := d.reconcile(ctx); err != nil {
			return err
		}
	}
	if err := d.workAhead(ctx); err != nil {
		return err
	}
	for range mostPasses {
		if changed, err := d.pass(ctx); err != nil || !changed {
			return err
		}
	}
	return nil
}

// pass looks at each open incident once. It seeks those that change outside any
// transaction, and changes them in one, which decides anew: so an alert that
// comes meanwhile waits for what changes, and not for all that runs.
func (d *desk) pass(ctx context.Context) (changed bool, err error) {
	open, err := d.store.OpenIncidents(ctx)
	if err != nil {
		return false, err
	}
	now, watchdog := d.cfg.Now(), d.lastWatchdog()
	alarm, certain := d.silence(now)
	around := d.scene(newSeen(ctx, d.store, open), watchdog, open)
	var moving []int // of open
	var due time.Time
	for n, i := range open {
		if r := d.machine.Tick(now, around.Scene, i); r.Changed {
			moving = append(moving, n)
		} else {
			due = sooner(due, i)
		}
	}
	var alarms []notifier.Alert
	if certain && d.machine.Alert(now, incident.Scene{Watchdog: watchdog}, around.Latest(alarm.Key()), alarm).Changed {
		alarms = append(alarms, alarm)
	}
	if around.err != nil {
		return false, around.err
	}
	d.lookAt(due)
	if len(moving)+len(alarms) == 0 {
		return false, nil
	}
	return d.move(ctx, now, watchdog, open, moving, alarms)
}

// move changes incidents of the open ones that a look has found to change, and
// takes up alarms of our own.
func (d *desk) move(ctx context.Context, now time.Time, watchdog incident.Watchdog, open []notifier.Incident, moving []int, alarms []notifier.Alert) (changed bool, err error) {
	err = d.store.Change(ctx, func(tx *store.Tx) error {
		changed = false
		open := slices.Clone(open) // of this run alone: it may be undone, and done again
		keep := func(r incident.Result) error {
			changed = changed || r.Changed
			return save(tx, r)
		}
		for _, n := range moving {
			latest, err := tx.Latest(open[n].Key) // as it is inside this transaction
			if err != nil {
				return err
			}
			if latest == nil || latest.ID != open[n].ID {
				continue // it was closed since, or has become part of another
			}
			scene := d.scene(tx, watchdog, open)
			r := d.machine.Tick(now, scene.Scene, *latest)
			if err := errors.Join(scene.err, keep(r)); err != nil {
				return err
			}
			open[n] = r.Incident
		}
		for _, alarm := range alarms {
			latest, err := tx.Latest(alarm.Key())
			if err != nil {
				return err
			}
			if err := keep(d.machine.Alert(now, incident.Scene{Watchdog: watchdog}, latest, alarm)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && changed {
		d.told()
	}
	return changed, err
}
