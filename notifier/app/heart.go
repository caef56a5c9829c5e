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
func (d *desk) newHeart() (*heartbeat.Heart, error) {
	cfg := d.cfg.Notifier.Heartbeat
	if cfg == nil {
		return nil, nil
	}
	return heartbeat.New(heartbeat.Config{
		URL: cfg.URL.Read, Method: cfg.Method, Interval: cfg.Interval, Timeout: cfg.Timeout,
		Client: &http.Client{}, Signs: d.signs, Sent: d.metrics.heartbeat.set, Now: d.cfg.Now, Logger: d.cfg.Logger,
	})
}

// signs tell the heart whether the alarms work.
func (d *desk) signs(ctx context.Context) (heartbeat.Signs, error) {
	untold, err := d.store.Untold(ctx, d.cfg.Now().Add(-tooOld))
	return heartbeat.Signs{
		Evaluated: d.lastWatchdog().Evaluated, Fresh: d.clocks.fresh, OnCall: len(d.cfg.Notifier.Audiences[rules.Ops]),
		Untold: untold, Patience: d.cfg.Notifier.Escalation.Ops,
	}, err
}
