package ledgertest

import (
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

// What more a Shop may be able to do.
type (
	// Slow is a Shop that can book an order in a transaction that lasts: its key is
	// given at once, and nobody sees it until commit.
	Slow interface {
		CreateSlowly(t testing.TB, at time.Time) (id int64, commit func())
	}
	// Gapped is a Shop in whose keys there can be gaps.
	Gapped interface {
		// Gap lets the next order's key be n greater than it would have been.
		Gap(t testing.TB, n int)
	}
	// Expirer is a Shop that gives up on an order that nobody pays. A payment may
	// reach it still.
	Expirer interface {
		Expire(t testing.TB, id int64, at time.Time)
	}
	// Refunder is a Shop that gives back the money of a paid order that waits.
	Refunder interface {
		Refund(t testing.TB, id int64, at time.Time)
	}
	// Remover is a Shop that deletes an order softly.
	Remover interface {
		Remove(t testing.TB, id int64, at time.Time)
	}
)

// history is a random life of a shop and its follower, with a census of both.
type history struct {
	census
	t        *testing.T
	shop     Shop
	root     string
	config   ledger.Config
	driver   *stumbling
	follower *ledger.Follower
	now      time.Time
	gaps     int64 // at least as many keys were lost since the newest order
	told     map[exporter.OrderCount]uint64
	untrue   error // a duration that no order took
}

// deadline is short, so that histories pass it.
const deadline = 6 * time.Minute

// countsHistories lets random histories happen to one shop, each with a follower
// of its own.
func countsHistories(t *testing.T, f Fixture) {
	shop := f.Open(t, Now.Add(-30*24*time.Hour)) // its own rows are beyond every lookback
	moments := driver(t, shop).Traits().Moments
	root := t.TempDir()
	// rapid would make a hundred, for which a real database takes a minute.
	const histories, budget = 6, 3 * time.Second
	began := time.Now()
	lived, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if !failed && (lived >= histories || lived > 0 && time.Since(began) > budget) {
			return
		}
		lived++
		h := &history{t: t, shop: shop, root: root, now: Now, told: map[exporter.OrderCount]uint64{}}
		h.census = census{moments: moments, ledger: Ledger(shop.Ledger()), deadline: deadline}
		good := false
		defer func() {
			failed = failed || !good
			h.end()
		}()
		h.begin(h.newDir())
		h.poll(rt)
		rt.Repeat(h.actions())
		rt.Repeat(h.actions())
		h.commit()
		h.poll(rt)
		good = true
	})
}

func (h *history) newDir() string {
	dir, err := os.MkdirTemp(h.root, "")
	if err != nil {
		h.t.Fatal(err)
	}
	return dir
}

// begin is a new process with a state directory.
func (h *history) begin(dir string) {
	d, err := h.shop.Open(h.ledger)
	if err != nil {
		h.t.Fatal(err)
	}
	h.driver = &stumbling{Driver: d, t: h.t}
	h.config = ledger.Config{Shop: "shop", Ledger: h.ledger, Driver: h.driver, Dir: dir, Deadline: deadline, Observer: h,
		Now: func() time.Time { return h.now }}
	if h.follower, err = ledger.New(h.config); err != nil {
		h.t.Fatal(err)
	}
}

// end leaves the shop as it was before the history.
func (h *history) end() {
	h.commit()
	if err := h.follower.Close(); err != nil {
		h.t.Error(err)
	}
	for _, p := range h.purchases {
		if !p.gone {
			h.shop.Delete(h.t, p.id)
		}
	}
}

// actions are what can happen.
func (h *history) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"create": h.create, "create more": h.create, "pay": h.pay, "pay more": h.pay, "deliver": h.deliver, "deliver more": h.deliver,
		"pay and deliver": func(rt *rapid.T) { h.settle(h.pick(rt, exporter.Unpaid)) }, "delete": h.delete,
		"poll": h.poll, "poll more": h.poll, "wait": h.wait, "wait more": h.wait, "wait long": h.waitLong,
		"stumble": h.stumble, "stumble more": h.stumble, "die": h.die, "restart": h.restart,
	}
	gapped, canGap := h.shop.(Gapped)
	gap := func(rt *rapid.T) {
		if n := rapid.SampledFrom([]int{0, 1, 300, 3000}).Draw(rt, "gap"); canGap && n > 0 {
			h.gap(gapped, n)
		}
	}
	actions["create behind a gap"] = func(rt *rapid.T) {
		gap(rt)
		h.create(rt)
	}
	if slow, can := h.shop.(Slow); can {
		actions["create slowly"] = func(rt *rapid.T) {
			id, commit := slow.CreateSlowly(h.t, h.now)
			h.add(id).commit = commit
			gap(rt)
			h.create(rt)
		}
		actions["commit"] = func(*rapid.T) { h.commit() }
	}
	become := func(name string, able bool, do func(*purchase), state exporter.OrderState, from ...exporter.OrderState) {
		if able {
			actions[name] = func(rt *rapid.T) {
				p := h.pick(rt, from...)
				do(p)
				p.state = state
			}
		}
	}
	expirer, can := h.shop.(Expirer)
	become("expire", can, func(p *purchase) { expirer.Expire(h.t, p.id, h.now) }, exporter.Expired, exporter.Unpaid)
	refunder, can := h.shop.(Refunder)
	become("refund", can, func(p *purchase) { refunder.Refund(h.t, p.id, h.now) }, exporter.Refunded, exporter.PaidAutoWaiting)
	remover, can := h.shop.(Remover)
	become("remove", can, func(p *purchase) { remover.Remove(h.t, p.id, h.now) }, exporter.Removed,
		exporter.Unpaid, exporter.Expired, exporter.PaidAutoWaiting, exporter.Delivered)
	return actions
}

// gap leaves a gap of n keys. There is an end to how far below the newest key a
// poll looks for what slow transactions have held.
func (h *history) gap(shop Gapped, n int) {
	newest := int64(0)
	for _, p := range h.purchases {
		newest = max(newest, p.id)
	}
	h.gaps += int64(n)
	for _, p := range h.purchases {
		if p.commit != nil && newest+h.gaps-p.id > 4500 {
			h.commit()
		}
	}
	shop.Gap(h.t, n)
}

func (h *history) add(id int64) *purchase {
	p := &purchase{id: id, state: exporter.Unpaid, created: h.now, known: []sight{{}}}
	h.purchases, h.gaps = append(h.purchases, p), 0
	return p
}

func (h *history) create(rt *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(rt, "orders") {
		h.add(h.shop.Create(h.t, h.now))
	}
}

// pick draws an order that everybody sees and that is in one of the states.
func (h *history) pick(rt *rapid.T, states ...exporter.OrderState) *purchase {
	var some []*purchase
	for _, p := range h.purchases {
		if p.commit == nil && !p.gone && slices.Contains(states, p.state) {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		rt.Skip("no such order")
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(rt, "order")]
}

func (h *history) pay(rt *rapid.T) {
	p := h.pick(rt, exporter.Unpaid, exporter.Expired)
	h.shop.Pay(h.t, p.id, h.now)
	p.state, p.paid = exporter.PaidAutoWaiting, h.now
}

func (h *history) deliver(rt *rapid.T) {
	p := h.pick(rt, exporter.PaidAutoWaiting)
	h.shop.Deliver(h.t, p.id, h.now)
	p.state, p.delivered = exporter.Delivered, h.now
}

func (h *history) settle(p *purchase) {
	h.shop.Pay(h.t, p.id, h.now)
	h.shop.Deliver(h.t, p.id, h.now)
	p.state, p.paid, p.delivered = exporter.Delivered, h.now, h.now
}

// delete deletes any order but the newest: keys that go back are another test's business.
func (h *history) delete(rt *rapid.T) {
	p := h.pick(rt, exporter.Unpaid, exporter.Expired, exporter.PaidAutoWaiting, exporter.Delivered, exporter.Refunded, exporter.Removed)
	for _, other := range h.purchases {
		if other.id > p.id && !other.gone && other.commit == nil {
			h.shop.Delete(h.t, p.id)
			p.gone = true
			return
		}
	}
	rt.Skip("it is the newest")
}

// commit ends the slow transactions.
func (h *history) commit() {
	for _, p := range h.purchases {
		if p.commit != nil {
			p.commit()
			p.commit = nil
		}
	}
}

// wait lets less time pass than the overlap covers, and no transaction last longer.
func (h *history) wait(rt *rapid.T) {
	h.pass(time.Duration(rapid.IntRange(1, 100).Draw(rt, "seconds")) * time.Second)
}

func (h *history) waitLong(rt *rapid.T) {
	if h.now.Sub(Now) > 20*time.Hour {
		rt.Skip("after a day nobody looks at an unpaid order any more")
	}
	h.pass(time.Duration(rapid.IntRange(2, 45).Draw(rt, "minutes")) * time.Minute)
}

func (h *history) pass(d time.Duration) {
	for _, p := range h.purchases {
		if p.commit != nil && h.now.Add(d).Sub(p.created) > 110*time.Second {
			h.commit()
		}
	}
	h.now = h.now.Add(d)
}
