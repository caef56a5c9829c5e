package ledger

import (
	"maps"
	"slices"

	"shopwatch/exporter"
)

// Trim says which of these open orders a limit leaves.
func Trim(states map[int64]exporter.OrderState, most int) []int64 {
	s := newState()
	for id, state := range states {
		s.open[id] = &tracked{State: state}
	}
	s.trim(most)
	return slices.Sorted(maps.Keys(s.open))
}
