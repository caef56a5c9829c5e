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
	Up     float64
	Outage time.Duration
	Status rules.Status // the worst one; Unknown where nobody looked
}

// History gives n bars of the given length for each service, oldest first, the
// last one holding end. Keys are <shop>/<service>; bars start at whole lengths
// since midnight of end's zone, so that a bar of a day is a day there.
func (q *Querier) History(ctx context.Context, end time.Time, length time.Duration, n int) (map[string][]Bar, error) {
	_, offset := end.Zone()
	shift := time.Duration(offset) * time.Second
	last := end.Add(shift).Truncate(length).Add(-shift) // start of the last bar
	first := last.Add(-time.Duration(n-1) * length)

	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// A range ends at the evaluation's time, so a bar is evaluated at its end;
	// the last one's is in the future and holds what there is so far.
	query := fmt.Sprintf(`max by (shop, service, status) (avg_over_time(%s[%s]))`, rules.ServiceStatus.Name, model.Duration(length))
	value, _, _, err := q.api.QueryRange(ctx, query, prometheus.Range{Start: first.Add(length), End: last.Add(length), Step: length})
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("prometheus answered a %s, want a matrix", value.Type())
	}
	history := map[string][]Bar{}
	for _, series := range matrix {
		key := keyOf(series.Metric)
		bars := history[key]
		if bars == nil {
			bars = make([]Bar, n)
			for i := range bars {
				bars[i] = Bar{Start: first.Add(time.Duration(i) * length), Up: math.NaN(), Status: rules.Unknown}
			}
			history[key] = bars
		}
		for _, pair := range series.Values {
			i := int(pair.Timestamp.Time().Sub(first)/length) - 1
			if i < 0 || i >= n {
				continue
			}
			bars[i].add(rules.Status(series.Metric[rules.LabelStatus]), float64(pair.Value), min(length, end.Sub(bars[i].Start)))
		}
	}
	return history, nil
}

// add takes one status's share of the bar, whose past part is length long.
func (b *Bar) add(status rules.Status, share float64, length time.Duration) {
	switch status {
	case rules.Operational, rules.Degraded:
		if math.IsNaN(b.Up) {
			b.Up = 0
		}
		b.Up = min(b.Up+share, 1)
	case rules.Outage:
		if math.IsNaN(b.Up) {
			b.Up = 0
		}
		b.Outage = time.Duration(share * float64(length))
	}
	if share > 0 && severity(status) > severity(b.Status) {
		b.Status = status
	}
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
