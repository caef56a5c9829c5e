package ledger

import (
	"maps"
	"slices"

	"shopwatch/exporter"
)

// Limit sets how many orders are followed at once.
func (f *Follower) Limit(most int) { f.most = most }

// Closing reports whether Close waits for what is read beside the polls.
func (f *Follower) Closing() bool {
	if !f.using.TryRLock() {
		return true
	}
	f.using.RUnlock()
	return false
}

// Save stores the state, whether it changed or not.
func (f *Follower) Save() error {
	f.polling.Lock()
	defer f.polling.Unlock()
	f.state.changed = true
	return f.save(f.now(), true)
}

// StockPause is the time to the next count of the stock, after one that took so long.
var StockPause = stockPause

// Identity says which book a ledger names.
var Identity = identity

// Trim says which of these open orders a limit leaves.
func Trim(states map[int64]exporter.OrderState, most int) []int64 {
	s := newState()
	for id, state := range states {
		s.open[id] = &tracked{code: codeOf(state)}
	}
	s.trim(most)
	return slices.Sorted(maps.Keys(s.open))
}
