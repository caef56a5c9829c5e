package notifier

import (
	"time"

	"shopwatch/rules"
)

// Pace is how much a far side bears: at most Messages in any stretch of Per, of
// which Burst may come at once and the rest evenly spread. The zero value is no limit.
type Pace struct {
	Messages int
	Per      time.Duration
	Burst    int // 0 is 1: evenly spread from the first on
}

// PerSecond is n messages a second, evenly spread.
func PerSecond(n int) Pace { return Pace{Messages: n, Per: time.Second} }

// Limited reports whether there is a limit at all.
func (p Pace) Limited() bool { return p.Messages > 0 && p.Per > 0 }

// Interval is the time between two messages that no burst covers, zero where
// there is no limit. With it no stretch of Per holds more than Messages: a burst
// and those that follow it evenly.
func (p Pace) Interval() time.Duration {
	if !p.Limited() {
		return 0
	}
	return p.Per / time.Duration(max(1, p.Messages-max(1, p.Burst)+1))
}

// Scope is something that paces and daily limits hold for: a channel, a lane of
// it, one chat, a mail domain.
type Scope struct {
	Name    string // "telegram", "telegram/confirmation", "telegram/on_call/chat/0"
	Private string // an address or a part of one: kept as a keyed hash alone; empty: none
	Pace    Pace
	Daily   int // messages a day; 0: no limit
}

// Claim asks the outbox for what is due on one lane of a channel.
type Claim struct {
	Channel string
	Lane    Lane
	Now     time.Time // its location is the zone in which days begin
	// Horizon is how far ahead a message may be given its moment: what is claimed
	// can't be overtaken any more, so lanes that may wait look less far.
	Horizon time.Duration
	Lease   time.Duration // how long nobody else gets what is claimed
	Lapsed  time.Time     // others' leases that ended later are left alone; zero: Now
	Limit   int           // deliveries
	// Whole is the channel's scope: its block stops every lane. Shared are the
	// others that every message counts in, Own gives those of one address.
	Whole  Scope
	Shared []Scope
	Own    func(address string) []Scope
}

// Claimed is what a claim found.
type Claimed struct {
	// Deliveries are the claimed ones, in the order of their moments (Delivery.At).
	Deliveries []Delivery
	// Ended were due and will never be sent: too old, or whom they were for left.
	Ended []Ended
	// Next is when there may be more to claim; zero: nothing waits.
	Next time.Time
	// Spent names the scopes whose day's limit holds deliveries back; no address.
	Spent []string
}

// Ended counts deliveries that ended without being sent.
type Ended struct {
	Channel  string
	Audience rules.Audience
	State    DeliveryState // Dropped or Replaced
	N        int
}

// Expansion asks the outbox to make deliveries of notices.
type Expansion struct {
	Now   time.Time // its location is the zone of quiet hours
	Limit int       // recipients looked at in one transaction
	// Channels gives those that tell an event. Whoever is on another hears nothing of it.
	Channels func(Event) []string
}

// Expanded is what an expansion did.
type Expanded struct {
	More  bool // there is more to do
	Ended []Ended
}

// Limit is how often something may happen to one thing: N times at once, and then
// as often as N refill evenly in Every. No stretch of Every sees more than 2N-1.
type Limit struct {
	Name    string // "subscribe network"
	Private string // an address or a network: kept as a keyed hash alone; empty: none
	N       int
	Every   time.Duration // at least N microseconds
}

// Interval is the time in which one of them comes back, in whole microseconds:
// no sooner than it should.
func (l Limit) Interval() time.Duration {
	each := time.Duration(max(1, l.N)) * time.Microsecond
	return (l.Every + each - 1) / each * time.Microsecond
}
