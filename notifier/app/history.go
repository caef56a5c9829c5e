package app

import (
	"context"
	"time"

	"shopwatch/notifier/query"
)

// recall asks Prometheus for the past where what is known of it is old: for the
// bar that runs and, where that is another one or shows a new service, for all, as
// this desk does at first: a former one may have asked another Prometheus. Bars
// that have ended change no more, and 90 days of them are dear.
func (d *desk) recall(ctx context.Context, now time.Time) {
	every := d.clocks.historyAge
	if d.young() {
		every /= 5
	}
	if now.Sub(d.drawn) < every && d.clocks.bar >= time.Minute {
		return
	}
	there := now.In(d.cfg.Notifier.Page.Zone)
	renewed := false
	var history map[string][]query.Bar
	var err error
	if !d.drawn.IsZero() {
		if history, err = d.querier.History(ctx, there, d.clocks.bar, 1); err == nil {
			renewed = d.renew(history)
		}
	}
	if err == nil && !renewed {
		if history, err = d.querier.History(ctx, there, d.clocks.bar, bars); err == nil {
			d.history = history
		}
	}
	if err == nil {
		d.drawn = now
	}
	if ctx.Err() == nil {
		d.unremembered.note(d.cfg.Logger, now, err)
	}
}

// renew takes the bars that run into what is known, if they are the last of it.
// Services that are watched no more have none.
func (d *desk) renew(latest map[string][]query.Bar) bool {
	if len(latest) == 0 {
		return false
	}
	for key, running := range latest {
		if known := d.history[key]; len(known) == 0 || !known[len(known)-1].Start.Equal(running[0].Start) {
			return false
		}
	}
	for key, running := range latest {
		known := d.history[key]
		known[len(known)-1] = running[0]
	}
	return true
}

// young reports whether hardly anything was seen so far, which changes by the minute.
func (d *desk) young() bool {
	for _, bars := range d.history {
		var seen time.Duration
		for _, bar := range bars {
			seen += bar.Seen
		}
		if seen > 2*d.clocks.historyAge {
			return false
		}
	}
	return true
}
