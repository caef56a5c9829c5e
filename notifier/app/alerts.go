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
	markListening = "listening" // Unix milliseconds, see App.listening
	markServices  = "services"  // JSON, the last known services
)

// keep makes alerts durable: each incident's change and its notices in one
// transaction for the whole payload, so that an answer of 200 has lost nothing.
func (a *App) keep(ctx context.Context, alerts []notifier.Alert) error {
	now := a.cfg.Now()
	var watchdog incident.Watchdog
	var due time.Time
	err := a.store.Change(ctx, func(tx *store.Tx) (err error) {
		if watchdog, err = a.hearIn(tx, alerts); err != nil {
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
			scene := a.scene(tx, watchdog, nil)
			r := a.machine.Alert(now, scene.Scene, latest, alert)
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
	a.heard(watchdog)
	a.told()
	a.lookAt(due)
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
func (a *App) told() {
	a.dispatcher.Wake()
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// clockSkew is how far ahead Prometheus's clock may be of ours.
const clockSkew = time.Minute

// newest is the newest evaluation time that a Watchdog among the alerts carries.
// A repeat of an old one proves nothing: what counts is when Prometheus
// evaluated, never when the repeat arrived.
func (a *App) newest(known incident.Watchdog, alerts []notifier.Alert) incident.Watchdog {
	for _, alert := range alerts {
		if alert.Name() != rules.AlertWatchdog || !alert.Firing {
			continue
		}
		seconds, err := strconv.ParseInt(alert.Annotations[rules.AnnotationEvaluated], 10, 64)
		if err != nil || time.Unix(seconds, 0).After(a.cfg.Now().Add(clockSkew)) {
			continue // one from the future would prove for ever that Prometheus lives
		}
		known = known.Next(time.Unix(seconds, 0), a.clocks.fresh)
	}
	return known
}

// reconcile ends alerts whose resolved was lost: over while this process or
// Alertmanager was away, they are told by nobody.
func (a *App) reconcile(ctx context.Context) error {
	if a.reconciler == nil {
		return nil
	}
	open, err := a.store.OpenIncidents(ctx)
	if err != nil {
		return err
	}
	now := a.cfg.Now()
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
	listed, gone, err := a.reconciler.Poll(ctx, active)
	if err != nil {
		if ctx.Err() == nil && now.Sub(a.started) > a.clocks.lag {
			a.unreconciled.note(a.cfg.Logger, now, err)
		}
		return nil // Alertmanager's trouble is no reason to look away from the rest
	}
	a.unreconciled.note(a.cfg.Logger, now, nil)
	if err := a.setListed(ctx, listed, ends); err != nil {
		return err
	}
	var ended []notifier.Alert
	for _, fingerprint := range gone {
		a.cfg.Logger.Info("alert is gone without a word", "incident", ends[fingerprint].Key(), "alert", ends[fingerprint].Name())
		ended = append(ended, ends[fingerprint])
	}
	if len(ended) == 0 {
		return nil
	}
	return a.keep(ctx, ended)
}

// setListed remembers which alerts an Alertmanager listed, across restarts.
func (a *App) setListed(ctx context.Context, fingerprints []string, alerts map[string]notifier.Alert) error {
	if len(fingerprints) == 0 {
		return nil
	}
	return a.store.Change(ctx, func(tx *store.Tx) error {
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
func (a *App) service(key string) (notifier.Service, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.services[key]
	return s, ok
}

// loadMarks takes up what the last process knew, so that an alert that comes
// before Prometheus can be asked is told by its service's name.
func (a *App) loadMarks(ctx context.Context) error {
	if err := a.hear(ctx); err != nil {
		return err
	}
	if err := a.listen(ctx); err != nil {
		return err
	}
	value, err := a.store.Mark(ctx, markServices)
	if err != nil || value == "" {
		return err
	}
	var list []notifier.Service
	if err := json.Unmarshal([]byte(value), &list); err != nil {
		a.cfg.Logger.Warn("the last known services can't be read and are asked for anew", "err", err)
		return nil
	}
	a.setServices(list)
	return nil
}

func (a *App) setServices(list []notifier.Service) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services, a.order = make(map[string]notifier.Service, len(list)), a.order[:0]
	for _, s := range list {
		a.services[s.Key()] = s
		a.order = append(a.order, s.Key())
	}
}

// setSeen keeps when what is known of services was measured.
func (a *App) setSeen(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = at
}

// saveServices keeps the known services if they changed.
func (a *App) saveServices(ctx context.Context, list []notifier.Service) error {
	for i := range list {
		list[i].Status = "" // changes by the minute; the names are what is kept
	}
	value, err := json.Marshal(list)
	if err != nil {
		return err
	}
	have, err := a.store.Mark(ctx, markServices)
	if err != nil || have == string(value) {
		return err
	}
	return a.store.Change(ctx, func(tx *store.Tx) error { return tx.SetMark(markServices, string(value)) })
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
