package app

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// Names of the store's marks.
const (
	markWatchdog  = "watchdog"  // Unix milliseconds: of its evaluation, and of the first after the last silence
	markListening = "listening" // Unix milliseconds, see desk.listening
	markServices  = "services"  // JSON, the last known services
)

// keep makes alerts durable: each incident's change and its notices in one
// transaction for the whole payload, so that an answer of 200 has lost nothing.
func (d *desk) keep(ctx context.Context, alerts []notifier.Alert) error {
	now := d.cfg.Now()
	var watchdog incident.Watchdog
	var due time.Time
	err := d.store.Change(ctx, func(tx *store.Tx) (err error) {
		if watchdog, err = d.hearIn(tx, alerts); err != nil {
			return err
		}
		for _, alert := range alerts {
			if alert.Name() == rules.AlertWatchdog || alert.Audience == rules.Deadman {
				continue
			}
			latest, err := tx.Latest(alert.Key())
			if err != nil {
				return err
			}
			scene := d.scene(tx, watchdog, nil)
			r := d.machine.Alert(now, scene.Scene, latest, alert)
			if err := errors.Join(scene.err, save(tx, r)); err != nil {
				return err
			}
			due = sooner(due, r.Incident)
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.heard(watchdog)
	d.told()
	d.lookAt(due)
	return nil
}

func save(tx *store.Tx, r incident.Result) error {
	if !r.Changed {
		return nil
	}
	if r.Merged != nil {
		if err := tx.Save(*r.Merged, nil); err != nil {
			return err
		}
	}
	if r.Rest != nil { // opened after the incident that it is left of
		if err := tx.Save(*r.Rest, nil); err != nil {
			return err
		}
	}
	return tx.Save(r.Incident, r.Notices)
}

// told wakes whoever waits for a change.
func (d *desk) told() {
	d.dispatcher.Wake()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// clockSkew is how far ahead Prometheus's clock may be of ours.
const clockSkew = time.Minute

// newest is the newest evaluation time that a Watchdog among the alerts carries.
// A repeat of an old one proves nothing: what counts is when Prometheus
// evaluated, never when the repeat arrived.
func (d *desk) newest(known incident.Watchdog, alerts []notifier.Alert) incident.Watchdog {
	for _, alert := range alerts {
		if alert.Name() != rules.AlertWatchdog || !alert.Firing {
			continue
		}
		seconds, err := strconv.ParseInt(alert.Annotations[rules.AnnotationEvaluated], 10, 64)
		if err != nil || time.Unix(seconds, 0).After(d.cfg.Now().Add(clockSkew)) {
			continue // one from the future would prove for ever that Prometheus lives
		}
		known = known.Next(time.Unix(seconds, 0), d.clocks.fresh)
	}
	return known
}

// reconcile ends alerts whose resolved was lost: over while this process or
// Alertmanager was away, they are told by nobody.
func (d *desk) reconcile(ctx context.Context) error {
	if d.reconciler == nil {
		return nil
	}
	open, err := d.store.OpenIncidents(ctx)
	if err != nil {
		return err
	}
	now := d.cfg.Now()
	active := map[string]bool{}
	ends := map[string]notifier.Alert{}
	for _, i := range open {
		for _, alert := range i.Alerts {
			if alert.Ended.IsZero() && alert.Fingerprint != silenceFingerprint {
				active[alert.Fingerprint] = alert.Listed
				ends[alert.Fingerprint] = notifier.Alert{
					Audience: rules.Ops, Fingerprint: alert.Fingerprint, StartsAt: alert.StartsAt, EndsAt: now,
					Labels: map[string]string{rules.LabelAlert: alert.Name, rules.LabelIncident: i.Key},
				}
			}
		}
	}
	listed, gone, err := d.reconciler.Poll(ctx, active)
	if err != nil {
		if ctx.Err() == nil && now.Sub(d.started) > d.clocks.lag {
			d.unreconciled.note(d.cfg.Logger, now, err)
		}
		return nil // Alertmanager's trouble is no reason to look away from the rest
	}
	d.unreconciled.note(d.cfg.Logger, now, nil)
	if err := d.setListed(ctx, listed, ends); err != nil {
		return err
	}
	var ended []notifier.Alert
	for _, fingerprint := range gone {
		d.cfg.Logger.Info("alert is gone without a word", "incident", ends[fingerprint].Key(), "alert", ends[fingerprint].Name())
		ended = append(ended, ends[fingerprint])
	}
	if len(ended) == 0 {
		return nil
	}
	return d.keep(ctx, ended)
}

// setListed remembers which alerts an Alertmanager listed, across restarts.
func (d *desk) setListed(ctx context.Context, fingerprints []string, alerts map[string]notifier.Alert) error {
	if len(fingerprints) == 0 {
		return nil
	}
	return d.store.Change(ctx, func(tx *store.Tx) error {
		for _, fingerprint := range fingerprints {
			latest, err := tx.Latest(alerts[fingerprint].Key())
			if err != nil {
				return err
			}
			for i := range latest.Alerts {
				if latest.Alerts[i].Fingerprint == fingerprint {
					latest.Alerts[i].Listed = true
				}
			}
			if err := tx.Save(*latest, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// service looks a service up among the last known.
func (d *desk) service(key string) (notifier.Service, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.services[key]
	return s, ok
}

// loadMarks takes up what the last process knew, so that an alert that comes
// before Prometheus can be asked is told by its service's name.
func (d *desk) loadMarks(ctx context.Context) error {
	if err := d.hear(ctx); err != nil {
		return err
	}
	if err := d.listen(ctx); err != nil {
		return err
	}
	value, err := d.store.Mark(ctx, markServices)
	if err != nil || value == "" {
		return err
	}
	var list []notifier.Service
	if err := json.Unmarshal([]byte(value), &list); err != nil {
		d.cfg.Logger.Warn("the last known services can't be read and are asked for anew", "err", err)
		return nil
	}
	d.setServices(list)
	return nil
}

func (d *desk) setServices(list []notifier.Service) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.services, d.order = make(map[string]notifier.Service, len(list)), d.order[:0]
	for _, s := range list {
		d.services[s.Key()] = s
		d.order = append(d.order, s.Key())
	}
}

// setSeen keeps when what is known of services was measured.
func (d *desk) setSeen(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = at
}

// saveServices keeps the known services if they changed.
func (d *desk) saveServices(ctx context.Context, list []notifier.Service) error {
	for i := range list {
		list[i].Status = "" // changes by the minute; the names are what is kept
	}
	value, err := json.Marshal(list)
	if err != nil {
		return err
	}
	have, err := d.store.Mark(ctx, markServices)
	if err != nil || have == string(value) {
		return err
	}
	return d.store.Change(ctx, func(tx *store.Tx) error { return tx.SetMark(markServices, string(value)) })
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
