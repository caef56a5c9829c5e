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
func (a *App) hearIn(tx *store.Tx, alerts []notifier.Alert) (incident.Watchdog, error) {
	value, err := tx.Mark(markWatchdog)
	if err != nil {
		return incident.Watchdog{}, err
	}
	known := a.watchdogOf(value)
	newest := a.newest(known, alerts)
	if !newest.Evaluated.After(known.Evaluated) {
		return known, nil
	}
	return newest, tx.SetMark(markWatchdog, fmt.Sprint(unixMilli(newest.Evaluated), unixMilli(newest.Since)))
}

// hear takes up which Watchdogs came, to whichever replica.
func (a *App) hear(ctx context.Context) error {
	value, err := a.store.Mark(ctx, markWatchdog)
	if err != nil {
		return err
	}
	a.heard(a.watchdogOf(value))
	return nil
}

func (a *App) heard(watchdog incident.Watchdog) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if watchdog.Evaluated.After(a.watchdog.Evaluated) {
		a.watchdog = watchdog
	}
}

// lastWatchdog is when Prometheus last evaluated, as far as we heard.
func (a *App) lastWatchdog() incident.Watchdog {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.watchdog
}

// watchdogOf reads the mark of the Watchdog.
func (a *App) watchdogOf(value string) incident.Watchdog {
	evaluated, since, _ := strings.Cut(value, " ")
	return incident.Watchdog{Evaluated: a.momentOf(evaluated), Since: a.momentOf(since)}
}

// timeMark reads a moment that the last process kept, zero if there is none. One
// of the future was kept by a clock that was wrong.
func (a *App) timeMark(ctx context.Context, name string) (time.Time, error) {
	value, err := a.store.Mark(ctx, name)
	if err != nil {
		return time.Time{}, err
	}
	return a.momentOf(value), nil
}

func (a *App) momentOf(ms string) time.Time {
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || at <= 0 || at > unixMilli(a.cfg.Now().Add(clockSkew)) {
		return time.Time{} // what can't be read is as good as none
	}
	return time.UnixMilli(at)
}
