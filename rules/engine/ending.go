package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
)

// notifyGrace is how long a notification that is on its way may take when
// routing stops.
const notifyGrace = time.Second

// ending lets notifications that are on their way end when routing stops: one
// that is taken by its receiver, but cut off before the notification log knows
// of it, would be told a second time after the restart.
type ending struct {
	next     notify.Stage
	underWay *sync.RWMutex
}

// Exec implements notify.Stage.
func (e ending) Exec(ctx context.Context, logger *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	e.underWay.RLock()
	defer e.underWay.RUnlock()
	if err := ctx.Err(); err != nil {
		return ctx, nil, err
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
			return
		}
		time.AfterFunc(notifyGrace, cancel)
	})()
	return e.next.Exec(own, logger, alerts...)
}
