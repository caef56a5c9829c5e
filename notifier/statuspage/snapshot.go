package statuspage

import (
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Snapshot is all that the page knows at one moment. It may hold private
// services and incidents; the page shows the public ones alone.
type Snapshot struct {
	// At is when the services were last seen: the moment that their statuses
	// describe. Zero if never.
	At time.Time
	// Fresh is false if Prometheus could not be asked, or its data were old. The
	// page then says that it can't see, whatever Services hold.
	Fresh bool
	// Interrupted is true while nobody judges what is seen: the page then says
	// that its colours may be old and notices late, whatever Fresh says.
	Interrupted bool
	// Shops names the shops, in the order of the page; the names show where the
	// page has more than one.
	Shops    []Shop
	Services []Component
	// BarLength is the length of one bar of every Component's History.
	BarLength time.Duration
	// Incidents are the open and the recent resolved ones, in any order.
	Incidents []notifier.Incident
	// Maintenances are planned, going on and recently ended ones, in any order.
	// Those that cover a public service show.
	Maintenances []notifier.Maintenance
	Orders       []Orders
}

// Shop names a shop.
type Shop struct {
	ID   string
	Name rules.Text
}

// Component is a service with what is known of its past.
type Component struct {
	notifier.Service
	// Since is when the present trouble began (the last success); zero if there is none.
	Since time.Time
	// Latency is the usual response time of late, 0 if nobody measures it.
	Latency time.Duration
	// History holds one bar after another, oldest first, none left out; at most
	// the newest 90 are shown.
	History []Bar
}

// Bar is one stretch of a service's past, Snapshot.BarLength long.
type Bar struct {
	Start time.Time
	// Up is the share of the time that the service worked, 0 to 1, NaN if nobody looked.
	Up float64
	// Seen is for how long somebody looked, and Outage for how long of that the
	// service was in outage.
	Seen, Outage time.Duration
	// Status is the worst one; rules.Unknown or "" if nobody looked.
	Status rules.Status
}

// Orders is what the books of one shop say about paid orders that wait. They
// show only if the shop's delivery service is public.
type Orders struct {
	Shop              string
	Automatic, Manual Waiting
	// ShortOfStock of the automatic ones wait because cards ran out.
	ShortOfStock int
	// LedgerFresh is false if the books can't be read now; the numbers are then
	// those of LedgerAt, and the page says so.
	LedgerFresh bool
	LedgerAt    time.Time // when the books were last read in full; zero if never
}

// Waiting counts orders of one kind that are paid and not delivered.
type Waiting struct {
	Ages   map[rules.Age]int
	Oldest time.Time // since when the oldest waits; zero if none does
}

// Count is how many wait, of any age.
func (w Waiting) Count() int {
	total := 0
	for _, n := range w.Ages {
		total += n
	}
	return total
}

// Late is how many wait longer than the first tier.
func (w Waiting) Late() int { return w.Count() - w.Ages[rules.AgeUnder5m] }
