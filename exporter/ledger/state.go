package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/statefile"
	"shopwatch/rules"
)

const (
	overlap      = 200             // keys below the mark that every poll reads again
	overlapTime  = 2 * time.Minute // likewise: a slow transaction shows its key late
	overlapLimit = 5000            // however many came within overlapTime
	maxOpen      = 100_000         // orders that are followed at once, about 200 bytes each
)

// state is all that the follower knows and a restart must not forget.
type state struct {
	success time.Time // when the last poll succeeded
	started bool      // base and mark are set
	changed bool      // since it was stored

	// Every order with a key above base that was ever read is in seen, with the
	// moment. mark is the greatest key read.
	base, mark int64
	seen       map[int64]time.Time
	// quiet is the key up to which a first sight is not counted: see goneBack.
	quiet int64

	open map[int64]*tracked
	tally
}

func newState() *state {
	return &state{seen: map[int64]time.Time{}, open: map[int64]*tracked{}, tally: newTally()}
}

// start makes the next delta begin with key first.
func (s *state) start(first int64) {
	s.started, s.changed = true, true
	s.base, s.mark = first-1, first-1
	clear(s.seen)
}

// advance forgets the keys that are far enough below the mark, in number and in
// time: a key that was given within overlapTime is above all that were seen before.
func (s *state) advance(now time.Time) {
	base := s.base
	for id, at := range s.seen {
		if now.Sub(at) >= overlapTime {
			base = max(base, id)
		}
	}
	base = max(min(base, s.mark-overlap), s.mark-overlapLimit)
	if base <= s.base {
		return
	}
	s.base, s.changed = base, true
	maps.DeleteFunc(s.seen, func(id int64, _ time.Time) bool { return id <= base })
}

// trim keeps the open set within most: the oldest orders that nobody waits for
// go first, then the youngest that somebody waits for, since the old ones tell
// how bad it is. It reports how many went.
func (s *state) trim(most int) int {
	excess := len(s.open) - most
	if excess <= 0 {
		return 0
	}
	ids := slices.SortedFunc(maps.Keys(s.open), func(a, b int64) int {
		_, aWaits := s.open[a].State.Waiting()
		_, bWaits := s.open[b].State.Waiting()
		switch {
		case aWaits != bWaits && aWaits:
			return 1
		case aWaits != bWaits:
			return -1
		case aWaits:
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	})
	for _, id := range ids[:excess] {
		delete(s.open, id)
	}
	s.changed = true
	return excess
}

// file is the state as it is stored.
type file struct {
	Shop     string             `json:"shop"`
	Software string             `json:"software"`
	Saved    time.Time          `json:"saved"`
	Success  time.Time          `json:"last_success,omitzero"`
	Base     int64              `json:"base"`
	Mark     int64              `json:"mark"`
	Quiet    int64              `json:"quiet,omitzero"`
	Seen     map[int64]int64    `json:"seen"` // key: Unix seconds of the first sight
	Open     map[int64]*tracked `json:"open"`
	Orders   []orderCount       `json:"orders"`
	Late     uint64             `json:"late"`
	Items    map[string]uint64  `json:"items"`
	Revenue  []revenue          `json:"revenue"`
	Unknown  uint64             `json:"unknown_statuses"`
}

type orderCount struct {
	Payment string           `json:"payment"`
	Event   rules.OrderEvent `json:"event"`
	Count   uint64           `json:"count"`
}

type revenue struct {
	Payment  string  `json:"payment"`
	Currency string  `json:"currency"`
	Amount   float64 `json:"amount"`
}

func (s *state) encode(shop, software string, now time.Time) ([]byte, error) {
	f := file{
		Shop: shop, Software: software, Saved: now, Success: s.success,
		Base: s.base, Mark: s.mark, Quiet: s.quiet, Seen: make(map[int64]int64, len(s.seen)), Open: s.open,
		Late: s.late, Items: s.items, Unknown: s.unknown,
	}
	for id, at := range s.seen {
		f.Seen[id] = at.Unix()
	}
	for key, n := range s.orders {
		f.Orders = append(f.Orders, orderCount{key.Payment, key.Event, n})
	}
	for key, sum := range s.revenue {
		f.Revenue = append(f.Revenue, revenue{key.Payment, key.Currency, sum})
	}
	return json.Marshal(f)
}

func decode(data []byte, shop, software string) (*state, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.Shop != shop || f.Software != software {
		return nil, fmt.Errorf("it is of shop %q with software %q", f.Shop, f.Software)
	}
	if f.Base > f.Mark {
		return nil, fmt.Errorf("base %d is above mark %d", f.Base, f.Mark)
	}
	s := newState()
	s.started, s.success, s.base, s.mark, s.quiet = true, f.Success, f.Base, f.Mark, f.Quiet
	for id, at := range f.Seen {
		s.seen[id] = time.Unix(at, 0)
	}
	for id, t := range f.Open {
		if t == nil {
			return nil, fmt.Errorf("order %d is empty", id)
		}
		t.looked = f.Saved
		s.open[id] = t
	}
	for _, c := range f.Orders {
		s.payments[c.Payment] = true
		s.orders[exporter.OrderCount{Payment: c.Payment, Event: c.Event}] += c.Count
	}
	for product, n := range f.Items {
		s.products[product] = true
		s.items[product] = n
	}
	for _, r := range f.Revenue {
		s.payments[r.Payment], s.currencies[r.Currency] = true, true
		s.tally.revenue[exporter.Money{Payment: r.Payment, Currency: r.Currency}] += r.Amount
	}
	s.late, s.unknown = f.Late, f.Unknown
	return s, nil
}

// load reads the state file. No file is a fresh state. A file that can't be
// understood is moved aside, and its new place is in damaged with the reason.
func load(path, shop, software string, now time.Time) (s *state, damaged, err error) {
	aside := fmt.Sprintf("%s.damaged-%d", path, now.Unix())
	reason, err := statefile.Load(path, aside, func(data []byte) (err error) {
		s, err = decode(data, shop, software)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if reason != nil {
		damaged = fmt.Errorf("state file moved to %q: %w", aside, reason)
	}
	if s == nil {
		s = newState()
	}
	return s, damaged, nil
}
