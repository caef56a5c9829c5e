package query

import (
	"context"
	"fmt"
	"math"
	"time"

	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"shopwatch/rules"
)

// Bar is one stretch of a service's past.
type Bar struct {
	Start time.Time
	// Up is the share of the looks, 0 to 1, at which the service worked (slowly
	// counts); NaN where nobody looked.
	Up float64
	// Seen is for how long somebody looked, and Outage for how long of that the
	// service was in outage: what nobody saw is neither.
	Seen, Outage time.Duration
	Status       rules.Status // the worst one; Unknown where nobody looked

	good, bad float64 // shares of the samples
}

// History gives n bars of the given length for each service, oldest first, the
// last one holding end. Keys are <shop>/<service>; bars start at whole lengths
// since midnight of end's zone, so that a bar of a day is a day there.
func (q *Querier) History(ctx context.Context, end time.Time, length time.Duration, n int) (map[string][]Bar, error) {
	_, offset := end.Zone()
	shift := time.Duration(offset) * time.Second
	last := end.Add(shift).Truncate(length).Add(-shift) // start of the last bar
	first := last.Add(-time.Duration(n-1) * length)

	history := map[string][]Bar{}
	at := func(labels model.Metric, i int) *Bar {
		bars := history[keyOf(labels)]
		if bars == nil {
			bars = make([]Bar, n)
			for i := range bars {
				bars[i] = Bar{Start: first.Add(time.Duration(i) * length), Up: math.NaN(), Status: rules.Unknown}
			}
			history[keyOf(labels)] = bars
		}
		return &bars[i]
	}
	// A range ends at the evaluation's time, so a bar is evaluated at its end;
	// the last one's is in the future and holds what there is so far.
	shares := fmt.Sprintf(`max by (shop, service, status) (avg_over_time(%s[%s]))`, rules.ServiceStatus.Name, model.Duration(length))
	err := q.overBars(ctx, shares, prometheus.Range{Start: first.Add(length), End: last.Add(length), Step: length}, func(labels model.Metric, i int, share float64) {
		at(labels, i).add(rules.Status(labels[rules.LabelStatus]), share)
	})
	if err != nil {
		return nil, err
	}
	seen := func(labels model.Metric, i int, whole, step time.Duration, samples float64) {
		at(labels, i).see(min(whole, time.Duration(samples)*step))
	}
	if n > 1 {
		step := max(length/finePast, time.Second)
		err = q.overBars(ctx, presence(length, step), prometheus.Range{Start: first.Add(length), End: last, Step: length}, func(labels model.Metric, i int, samples float64) {
			seen(labels, i, length, step, samples)
		})
		if err != nil {
			return nil, err
		}
	}
	// What comes after the present would be filled up with the last sample.
	so, step := end.Sub(last), max(length/fineNow, time.Second)
	return history, q.instant(ctx, presence(max(so, step), step), end, func(labels model.Metric, samples float64) {
		seen(labels, n-1, so, step, samples)
	})
}

// How finely it is found out for how long somebody looked: a day by 5 minutes, the
// running one by the minute.
const finePast, fineNow = 288, 1440

// presence asks at how many of the steps of a range a service was known of: all its
// statuses are told at once, so that one of them stands for it.
func presence(length, step time.Duration) string {
	return fmt.Sprintf(`max by (shop, service) (count_over_time(max by (shop, service) (%s{%s=%q})[%s:%s]))`,
		rules.ServiceStatus.Name, rules.LabelStatus, rules.Outage, model.Duration(length), model.Duration(step))
}

// overBars asks for one value a bar, the first of which ends where the range starts.
func (q *Querier) overBars(ctx context.Context, query string, bars prometheus.Range, take func(labels model.Metric, i int, value float64)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, _, _, err := q.api.QueryRange(ctx, query, bars)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return fmt.Errorf("prometheus answered a %s, want a matrix", value.Type())
	}
	for _, series := range matrix {
		for _, pair := range series.Values {
			if at := pair.Timestamp.Time(); !at.Before(bars.Start) && !at.After(bars.End) {
				take(series.Metric, int(at.Sub(bars.Start)/bars.Step), float64(pair.Value))
			}
		}
	}
	return nil
}

// add takes one status's share of the bar's samples.
func (b *Bar) add(status rules.Status, share float64) {
	switch status {
	case rules.Operational, rules.Degraded:
		b.good += share
	case rules.Outage:
		b.bad += share
	}
	if looked := b.good + b.bad; looked > 0 {
		b.Up = b.good / looked
	}
	if share > 0 && severity(status) > severity(b.Status) {
		b.Status = status
	}
}

// see takes for how long there were samples.
func (b *Bar) see(there time.Duration) {
	b.Seen = time.Duration(min(b.good+b.bad, 1) * float64(there))
	b.Outage = time.Duration(min(b.bad, 1) * float64(there))
}

// severity orders statuses from "nobody looked" to outage.
func severity(s rules.Status) int {
	switch s {
	case rules.Outage:
		return 3
	case rules.Degraded:
		return 2
	case rules.Operational:
		return 1
	}
	return 0
}
