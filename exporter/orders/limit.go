package orders

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// perMinute lets n happen a minute, half of them at once.
func perMinute(n int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(n)/60, max(1, n/2))
}

// maxCallers is how many callers are remembered. Whoever has asked least lately
// is forgotten first; that lets nobody ask more often than the limit of all.
const maxCallers = 10_000

// limits hold each caller, and all together, to how often they may look up.
type limits struct {
	each int // a minute

	mu      sync.Mutex
	total   *rate.Limiter
	callers map[[sha256.Size]byte]*list.Element // of *caller
	recent  list.List                           // of *caller, who asked last in front
}

// caller is one who looks up, known by a digest: no address stays in memory.
type caller struct {
	digest  [sha256.Size]byte
	limiter *rate.Limiter
}

func newLimits(each, all int) *limits {
	return &limits{each: each, total: perMinute(all), callers: map[[sha256.Size]byte]*list.Element{}}
}

// take lets a caller look up now, or says after how long to try again.
func (l *limits) take(name string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own, all := l.of(name).ReserveN(now, 1), l.total.ReserveN(now, 1)
	if wait = max(own.DelayFrom(now), all.DelayFrom(now)); wait > 0 {
		own.CancelAt(now)
		all.CancelAt(now)
	}
	return wait
}

// of is the caller's own limiter.
func (l *limits) of(name string) *rate.Limiter {
	digest := sha256.Sum256([]byte(name))
	if known, ok := l.callers[digest]; ok {
		l.recent.MoveToFront(known)
		return known.Value.(*caller).limiter
	}
	if l.recent.Len() >= maxCallers {
		idle := l.recent.Back()
		delete(l.callers, idle.Value.(*caller).digest)
		l.recent.Remove(idle)
	}
	fresh := &caller{digest: digest, limiter: perMinute(l.each)}
	l.callers[digest] = l.recent.PushFront(fresh)
	return fresh.limiter
}
