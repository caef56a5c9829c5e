package dispatch

import (
	"sync"
	"time"
)

// outage is how long the store was away or full. Leases that ended meanwhile are
// of others who couldn't renew them, and who have yet to record what they sent:
// they are left alone until whoever lives has had time for that.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero: there is none, nor was there just now
	until time.Time // when what ended meanwhile may be taken; zero: it isn't over
}

// afterwards is how long an end of an outage is waited for, and what is recorded
// then: a try to record and the pause before it take recordWithin each.
const afterwards = 2*recordWithin + 5*time.Second

// note hears what the store answered. A refusal after the first answer prolongs
// nothing: a single thing that the store always refuses must hold up no takeover.
func (o *outage) note(now time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.until.IsZero() && now.After(o.until) {
		o.since, o.until = time.Time{}, time.Time{}
	}
	switch {
	case err != nil && o.since.IsZero():
		o.since = now.Add(-lease) // a full disk is noticed when a lease has ended: until then there is nothing to write
	case err == nil && !o.since.IsZero() && o.until.IsZero():
		o.until = now.Add(afterwards)
	}
}

// lapsed is the moment until which a lease must have ended to be taken over.
func (o *outage) lapsed(now time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() || !o.until.IsZero() && now.After(o.until) {
		return now
	}
	return o.since
}

// follow knows what a former dispatcher of this process knew.
func (o *outage) follow(former *outage) {
	former.mu.Lock()
	defer former.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since, o.until = former.since, former.until
}
