package orders

import (
	"cmp"
	"net/http"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// Progress is what is said of an order that was looked up; of one that wasn't
// found, Found alone.
type Progress struct {
	Found bool                `json:"found"`
	ID    int64               `json:"id,omitempty"` // for the owner alone
	State exporter.OrderState `json:"state,omitempty"`
	Kind  rules.Kind          `json:"kind,omitempty"`
	// WaitingMinutes are those since the payment, rounded down; like Age, only of
	// an order that waits.
	WaitingMinutes *int      `json:"waiting_minutes,omitempty"`
	Age            rules.Age `json:"age,omitempty"`
	Ahead          *int      `json:"ahead,omitempty"`   // manual orders that wait longer
	Typical        *Typical  `json:"typical,omitempty"` // of automatic orders, where it is known
}

// Typical is how long the machine takes these days: half of the orders at most
// P50, nine of ten at most P90.
type Typical struct {
	P50 int `json:"p50_seconds"`
	P90 int `json:"p90_seconds"`
}

// Away is the answer of books that can't be asked now.
type Away struct {
	Available bool       `json:"available"`
	AsOf      *time.Time `json:"as_of,omitempty"`   // when they were last read; nil: never
	Waiting   *int       `json:"waiting,omitempty"` // paid orders that waited then
	Problem   string     `json:"problem,omitempty"` // for the owner alone
}

// none is the one answer for orders that aren't there, numbers that are none,
// and amounts that are wrong.
var none = answer{status: http.StatusOK, body: Progress{}}

// progress is what is said of an order that was found.
func (s Shop) progress(found exporter.Found, typical exporter.Typical, now time.Time) Progress {
	p := Progress{Found: true, State: found.Order.State, Kind: kind(found.Order.State, found.Order.Automatic)}
	_, waits := found.Order.State.Waiting()
	if waits && !found.Since.IsZero() {
		wait := max(0, now.Sub(found.Since))
		minutes := int(wait / time.Minute)
		p.WaitingMinutes, p.Age = &minutes, s.tier(wait)
	}
	if waits && p.Kind == rules.Manual {
		p.Ahead = &found.Ahead
	}
	if p.Kind == rules.Automatic && typical.Orders > 0 {
		p.Typical = &Typical{P50: seconds(typical.P50), P90: seconds(typical.P90)}
	}
	return p
}

// seconds rounds up: nobody is promised less than it takes.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func kind(state exporter.OrderState, automatic bool) rules.Kind {
	if kind, waits := state.Waiting(); waits {
		return kind
	}
	if automatic {
		return rules.Automatic
	}
	return rules.Manual
}

func (s Shop) tier(wait time.Duration) rules.Age {
	switch {
	case wait < s.Late:
		return rules.AgeUnder5m
	case wait < s.Stuck:
		return rules.Age5to30m
	}
	return rules.AgeOver30m
}

// away says when the books were last read, and how many orders waited then.
func (s Shop) away(books exporter.Books, owner bool) answer {
	body := Away{}
	if !books.Unread && !books.LastSuccess.IsZero() {
		waiting := 0
		for _, ages := range books.Waiting {
			for _, n := range ages {
				waiting += n
			}
		}
		body.AsOf, body.Waiting = s.told(books.LastSuccess), &waiting
	}
	if owner {
		body.Problem = cmp.Or(books.Problem, "the database didn't answer in time")
	}
	return answer{status: http.StatusServiceUnavailable, body: body}
}
