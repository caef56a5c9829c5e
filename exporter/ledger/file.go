package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/statefile"
	"shopwatch/rules"
)

// head is the stored state but for the open orders.
type head struct {
	Shop     string            `json:"shop"`
	Software string            `json:"software"`
	Book     string            `json:"book"` // its identity
	Saved    time.Time         `json:"saved"`
	Success  time.Time         `json:"last_success,omitzero"`
	Mark     int64             `json:"mark"`
	Marked   moment            `json:"marked"`
	Tail     int64             `json:"tail"`
	Newest   moment            `json:"newest"`
	Gaps     [][3]int64        `json:"gaps,omitzero"` // first, last, noticed
	Older    int64             `json:"older"`
	Swept    int64             `json:"swept"`
	Quiet    int64             `json:"quiet,omitzero"`
	Orders   []orderCount      `json:"orders"`
	Late     uint64            `json:"late"`
	Items    map[string]uint64 `json:"items"`
	Revenue  []revenue         `json:"revenue"`
	Unknown  uint64            `json:"unknown_statuses"`
	Dropped  uint64            `json:"dropped,omitzero"`
	Negative uint64            `json:"negative_ages,omitzero"`

	// What the numbers of an open order are, and what its state and payment mean:
	// places in these lists, of payments from 1.
	Columns  []string              `json:"columns"`
	States   []exporter.OrderState `json:"states"`
	Payments []string              `json:"payments"`
}

// row is an open order as it is stored. Moments are Unix milliseconds, 0 none.
type row [9]int64

var columns = []string{"id", "state", "automatic", "payment", "marks", "first", "created", "since", "looked"}

func (t *tracked) row(id int64) row {
	automatic := int64(0)
	if t.automatic {
		automatic = 1
	}
	return row{id, int64(t.code), automatic, int64(t.payment), int64(t.marks), int64(t.first), int64(t.created), int64(t.since), int64(t.looked)}
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

// write stores the state as JSON, an open order a line, without a second copy in
// memory.
func (s *state) write(w io.Writer, shop string, l exporter.Ledger, now time.Time) error {
	h := head{
		Shop: shop, Software: l.Software, Book: identity(l), Saved: now, Success: s.success,
		Mark: s.mark, Marked: s.marked, Tail: s.tail, Newest: s.newest, Older: s.older, Swept: s.swept, Quiet: s.quiet,
		Late: s.late, Items: s.items, Unknown: s.unknown, Dropped: s.dropped, Negative: s.negative,
		Columns: columns, States: states, Payments: s.payments.list,
	}
	for _, n := range s.gaps.list {
		h.Gaps = append(h.Gaps, [3]int64{n.from, n.to, int64(n.noticed)})
	}
	for key, n := range s.orders {
		h.Orders = append(h.Orders, orderCount{key.Payment, key.Event, n})
	}
	for key, sum := range s.revenue {
		h.Revenue = append(h.Revenue, revenue{key.Payment, key.Currency, sum})
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	line := append(data[:len(data)-1], `,"open":[`...)
	separator := "\n"
	for id, t := range s.open {
		line = append(line, separator...)
		separator = ",\n"
		line = append(line, '[')
		for i, n := range t.row(id) {
			if i > 0 {
				line = append(line, ',')
			}
			line = strconv.AppendInt(line, n, 10)
		}
		line = append(line, ']')
		if _, err := w.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	_, err = w.Write(append(line, "\n]}\n"...))
	return err
}

func read(data []byte, shop string, l exporter.Ledger) (*state, error) {
	var f struct {
		head
		Open []row `json:"open"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	switch {
	case f.Shop != shop || f.Software != l.Software:
		return nil, fmt.Errorf("it is of shop %q with software %q", f.Shop, f.Software)
	case !slices.Equal(f.Columns, columns):
		return nil, errors.New("it is of another version of this program")
	case f.Book != identity(l):
		return nil, errors.New("it is of another database, table prefix or time zone than the ledger names now")
	case f.Tail < 0 || f.Tail > f.Mark:
		return nil, fmt.Errorf("tail %d is above mark %d", f.Tail, f.Mark)
	case f.Swept < 0 || f.Swept > f.Older || f.Older > f.Mark:
		return nil, fmt.Errorf("swept %d, older %d and mark %d don't follow each other", f.Swept, f.Older, f.Mark)
	case len(f.Payments) > maxPayments:
		return nil, fmt.Errorf("it has %d payments", len(f.Payments))
	}
	s := newState()
	s.started, s.success, s.mark, s.marked, s.tail, s.newest, s.quiet = true, f.Success, f.Mark, f.Marked, f.Tail, f.Newest, f.Quiet
	s.older, s.swept = f.Older, f.Swept
	for _, n := range f.Gaps {
		if last := len(s.gaps.list) - 1; n[0] <= 0 || n[0] > n[1] || n[1] >= f.Mark || last >= 0 && n[0] <= s.gaps.list[last].to {
			return nil, fmt.Errorf("the gap of keys %d to %d is out of place", n[0], n[1])
		}
		s.gaps.list = append(s.gaps.list, gap{from: n[0], to: n[1], noticed: moment(n[2])})
	}
	for _, payment := range f.Payments {
		s.payments.intern(payment)
	}
	for _, r := range f.Open {
		if r[0] <= 0 || r[1] < 0 || r[1] >= int64(len(f.States)) || r[3] < 0 || r[3] > int64(len(f.Payments)) {
			return nil, fmt.Errorf("order %d has a state or payment that isn't in the lists", r[0])
		}
		s.open[r[0]] = &tracked{
			code: codeOf(f.States[r[1]]), automatic: r[2] == 1, payment: uint16(r[3]), marks: marks(r[4]),
			first: moment(r[5]), created: moment(r[6]), since: moment(r[7]), looked: moment(r[8]),
		}
	}
	for _, c := range f.Orders {
		if c.Count > maxCount {
			return nil, fmt.Errorf("it has %d orders", c.Count)
		}
		s.orders[exporter.OrderCount{Payment: c.Payment, Event: c.Event}] += c.Count
	}
	for product, n := range f.Items {
		if product != other { // it has no place in the list, and must take none
			s.products.intern(product)
		}
		s.items[product] = n
	}
	for _, r := range f.Revenue {
		if r.Amount < 0 || r.Amount > maxRevenue {
			return nil, fmt.Errorf("it has a revenue of %g", r.Amount)
		}
		if r.Currency != other {
			s.currencies.intern(r.Currency)
		}
		s.revenue[exporter.Money{Payment: r.Payment, Currency: r.Currency}] += r.Amount
	}
	s.late, s.unknown, s.dropped, s.negative = f.Late, f.Unknown, f.Dropped, f.Negative
	return s, nil
}

// load reads the state file. No file is a fresh state. A file that can't be
// understood, or is of another book, is moved aside, and its new place is in damaged with the reason.
func load(path, shop string, l exporter.Ledger, now time.Time) (s *state, damaged, err error) {
	aside := fmt.Sprintf("%s.damaged-%d", path, now.Unix())
	reason, err := statefile.Load(path, aside, func(data []byte) (err error) {
		s, err = read(data, shop, l)
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
