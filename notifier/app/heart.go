package app

import (
	"context"
	"net/http"
	"time"

	"shopwatch/notifier/heartbeat"
	"shopwatch/rules"
)

// tooOld is the age at which the outbox gives a notice up.
const tooOld = 24 * time.Hour

// newHeart gives nil where no heartbeat is configured.
func (a *App) newHeart() (*heartbeat.Heart, error) {
	cfg := a.cfg.Notifier.Heartbeat
	if cfg == nil {
		return nil, nil
	}
	return heartbeat.New(heartbeat.Config{
		URL: cfg.URL.Read, Method: cfg.Method, Interval: cfg.Interval, Timeout: cfg.Timeout,
		Client: &http.Client{}, Signs: a.signs, Sent: a.metrics.heartbeat.set, Now: a.cfg.Now, Logger: a.cfg.Logger,
	})
}

// signs tell the heart whether the alarms work.
func (a *App) signs(ctx context.Context) (heartbeat.Signs, error) {
	untold, err := a.store.Untold(ctx, a.cfg.Now().Add(-tooOld))
	return heartbeat.Signs{
		Evaluated: a.lastWatchdog().Evaluated, Fresh: a.clocks.fresh, OnCall: len(a.cfg.Notifier.Audiences[rules.Ops]),
		Untold: untold, Patience: a.cfg.Notifier.Escalation.Ops,
	}, err
}
