package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/notifier/store"
)

// hearIn takes the Watchdogs among alerts into what all replicas know, inside
// the transaction that keeps the alerts, and gives what is then known.
func (d *desk) hearIn(tx *store.Tx, alerts []notifier.Alert) (incident.Watchdog, error) {
	value, err := tx.Mark(markWatchdog)
	if err != nil {
		return incident.Watchdog{}, err
	}
	known := d.watchdogOf(value)
	newest := d.newest(known, alerts)
	if !newest.Evaluated.After(known.Evaluated) {
		return known, nil
	}
	return newest, tx.SetMark(markWatchdog, fmt.Sprint(unixMilli(newest.Evaluated), unixMilli(newest.Since)))
}

// hear takes up which Watchdogs came, to whichever replica.
func (d *desk) hear(ctx context.Context) error {
	value, err := d.store.Mark(ctx, markWatchdog)
	if err != nil {
		return err
	}
	d.heard(d.watchdogOf(value))
	return nil
}

func (d *desk) heard(watchdog incident.Watchdog) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if watchdog.Evaluated.After(d.watchdog.Evaluated) {
		d.watchdog = watchdog
	}
}

// lastWatchdog is when Prometheus last evaluated, as far as we heard.
func (d *desk) lastWatchdog() incident.Watchdog {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.watchdog
}

// watchdogOf reads the mark of the Watchdog.
func (d *desk) watchdogOf(value string) incident.Watchdog {
	evaluated, since, _ := strings.Cut(value, " ")
	return incident.Watchdog{Evaluated: d.momentOf(evaluated), Since: d.momentOf(since)}
}

// timeMark reads a moment that the last process kept, zero if there is none. One
// of the future was kept by a clock that was wrong.
func (d *desk) timeMark(ctx context.Context, name string) (time.Time, error) {
	value, err := d.store.Mark(ctx, name)
	if err != nil {
		return time.Time{}, err
	}
	return d.momentOf(value), nil
}

func (d *desk) momentOf(ms string) time.Time {
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || at <= 0 || at > unixMilli(d.cfg.Now().Add(clockSkew)) {
		return time.Time{} // what can't be read is as good as none
	}
	return time.UnixMilli(at)
}
