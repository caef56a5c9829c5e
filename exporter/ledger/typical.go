package ledger

import (
	"slices"
	"time"

	"shopwatch/exporter"
)

const (
	typicalTime = time.Hour
	typicalMost = 2000 // deliveries, the last ones
)

// sample is a duration to be told once what it comes from is stored.
type sample struct {
	took    time.Duration
	paid    bool   // from order to payment, else from payment to delivery
	payment uint16 // of tally.payments
}

// tell hands the samples to the observer.
func (f *Follower) tell() {
	for _, s := range f.samples {
		if s.paid {
			f.observer.Paid(f.shop, f.state.payments.value(s.payment), s.took)
		} else {
			f.observer.Delivered(f.shop, s.took)
		}
	}
	f.samples = nil
}

// deliveries are the last ones of the machine's, in a ring.
type deliveries struct {
	list []delivery
	next int
}

type delivery struct {
	at   moment
	took time.Duration
}

func (d *deliveries) add(at moment, took time.Duration) {
	if len(d.list) < typicalMost {
		d.list = append(d.list, delivery{at, took})
		return
	}
	d.list[d.next] = delivery{at, took}
	d.next = (d.next + 1) % typicalMost
}

// typical tells what was usual in the hour before now.
func (d *deliveries) typical(now time.Time) exporter.Typical {
	var took []time.Duration
	for _, one := range d.list {
		if ago := one.at.ago(now); ago >= -aheadLimit && ago < typicalTime {
			took = append(took, one.took)
		}
	}
	if len(took) == 0 {
		return exporter.Typical{}
	}
	slices.Sort(took)
	rank := func(tenths int) time.Duration { return took[(tenths*len(took)+9)/10-1] }
	return exporter.Typical{P50: rank(5), P90: rank(9), Orders: len(took)}
}
