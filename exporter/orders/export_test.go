package orders

import "time"

// NewLimits, Take and Callers are how often callers may look up, and how many are
// remembered.
var NewLimits = newLimits

func (l *limits) Take(name string, now time.Time) time.Duration { return l.take(name, now) }

func (l *limits) Callers() int {
	if len(l.callers) != l.recent.Len() {
		panic("callers and their order differ")
	}
	return len(l.callers)
}

// MaxCallers is how many callers are remembered at most.
const MaxCallers = maxCallers

// ReadQuestion and ReadSum are what strangers' texts go through.
var ReadQuestion = readQuestion

// ReadSum reads an amount, in units of 10^-8 and with its decimals.
func ReadSum(text string) (units int64, decimals int, ok bool) {
	s, ok := readSum(text)
	return s.units, s.decimals, ok
}
