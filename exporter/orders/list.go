package orders

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	maxRows = 10_000
	batch   = 500 // keys that a database is asked for at once
	// listWithin is what the databases are given for the details of a list.
	listWithin = 20 * time.Second
)

// The values of a list's parameter state.
const (
	StateWaiting = "waiting" // paid, and the buyer waits
	StateOpen    = "open"    // everything that isn't final
)

// Selection is which orders a list has.
type Selection struct {
	Shop      string // "": every shop
	State     string // StateWaiting or StateOpen
	OlderThan time.Duration
}

// List is the answer of GET /api/orders: the oldest come first.
type List struct {
	Shops  []Source `json:"shops"`
	Orders []Row    `json:"orders"`
	More   int      `json:"more"` // orders that the list has no room for
}

// Source is how well a shop's orders are known.
type Source struct {
	Shop   string     `json:"shop"`
	Unread bool       `json:"unread,omitempty"` // the books have never been read: the list knows nothing of them
	AsOf   *time.Time `json:"as_of,omitempty"`  // when its books were last read; nil: not yet
	// Note says what the list leaves out of what the database would tell, "" where
	// it has all of it.
	Note string `json:"note,omitempty"`
}

func (s *Source) note(format string, values ...any) {
	if s.Note != "" {
		s.Note += "; "
	}
	s.Note += fmt.Sprintf(format, values...)
}

// Row is an order. Moments are in the shop's zone.
type Row struct {
	Shop     string              `json:"shop"`
	ID       int64               `json:"id"`               // the key in the shop's table
	Number   string              `json:"number,omitempty"` // as the buyer knows it
	State    exporter.OrderState `json:"state"`
	Kind     rules.Kind          `json:"kind"`
	Products []Product           `json:"products,omitempty"`
	Payment  string              `json:"payment,omitempty"`
	Amount   string              `json:"amount,omitempty"` // decimal, at least 2 places
	Currency string              `json:"currency,omitempty"`
	Created  *time.Time          `json:"created,omitempty"`
	Since    *time.Time          `json:"since,omitempty"`           // when the wait began; nil: nobody waits
	Waiting  *int64              `json:"waiting_seconds,omitempty"` // nil: nobody waits
}

// Product is how many of what was bought.
type Product struct {
	ID       string `json:"id"`
	Quantity int    `json:"quantity"`
}

// list answers GET /api/orders, to the owner alone.
func (o *Orders) list(w http.ResponseWriter, r *http.Request) {
	if !o.Operator(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "operator only: send the operator's token as a bearer token", http.StatusUnauthorized)
		return
	}
	selection, err := readSelection(r)
	if err != nil {
		answer{status: http.StatusBadRequest, body: trouble{err.Error()}}.write(w)
		return
	}
	shops := o.Shops()
	if selection.Shop != "" || len(shops) == 0 {
		shop, err := o.shop(selection.Shop)
		if err != nil {
			answer{status: http.StatusBadRequest, body: trouble{err.Error()}}.write(w)
			return
		}
		shops = []Shop{shop}
	}
	ctx, cancel := context.WithTimeout(r.Context(), listWithin)
	defer cancel()
	answer{status: http.StatusOK, body: o.selected(ctx, shops, selection)}.write(w)
}

func readSelection(r *http.Request) (s Selection, err error) {
	query := r.URL.Query()
	if format := query.Get("format"); format != "" && format != "json" {
		return s, fmt.Errorf("format: got %q, want json; tables and CSV are made by `shopwatch orders`", format)
	}
	s.Shop, s.State = query.Get("shop"), cmp.Or(query.Get("state"), StateWaiting)
	if s.State != StateWaiting && s.State != StateOpen {
		return s, fmt.Errorf("state: got %q, want %s or %s", s.State, StateWaiting, StateOpen)
	}
	if text := query.Get("older_than"); text != "" {
		if s.OlderThan, err = time.ParseDuration(text); err != nil || s.OlderThan < 0 {
			return s, fmt.Errorf("older_than: got %q, want a duration such as 30m", text)
		}
	}
	return s, nil
}

// candidate is an order in memory that a selection may have.
type candidate struct {
	exporter.OpenOrder
	shop int       // its place among the shops
	from time.Time // since when its age counts
}

// selected lists the orders of a selection: found in the followers' memory, with
// their details read now.
func (o *Orders) selected(ctx context.Context, shops []Shop, selection Selection) List {
	now := o.Now()
	list := List{Shops: make([]Source, len(shops)), Orders: []Row{}}
	var found []candidate
	for i, shop := range shops {
		for _, order := range shop.Follower.Open() {
			c := candidate{OpenOrder: order, shop: i, from: order.Since}
			if selection.State == StateOpen && c.from.IsZero() {
				c.from = order.Created
			}
			if selection.has(order.State) && now.Sub(c.from) >= selection.OlderThan {
				found = append(found, c)
			}
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.shop, b.shop), cmp.Compare(a.ID, b.ID))
	})
	if len(found) > maxRows {
		list.More = len(found) - maxRows
		found = found[:maxRows]
	}
	details := make([]details, len(shops))
	for i, shop := range shops {
		details[i], list.Shops[i] = shop.read(ctx, i, found)
	}
	for _, c := range found {
		if row, stands := shops[c.shop].row(c, details[c.shop], now); stands && selection.has(row.State) {
			list.Orders = append(list.Orders, row)
		}
	}
	return list
}

// has reports whether a selection has orders of a state.
func (s Selection) has(state exporter.OrderState) bool {
	if s.State == StateOpen {
		return !state.Final()
	}
	_, waits := state.Waiting()
	return waits
}

// details are what the database says of orders.
type details struct {
	asked   map[int64]bool // keys that it was asked for
	orders  map[int64]exporter.Order
	numbers map[int64]string
}

// read asks the shop's database for the details of its candidates, and says how
// far it came. One that is away isn't asked, nor one whose books don't fit.
func (s Shop) read(ctx context.Context, place int, all []candidate) (details, Source) {
	d := details{asked: map[int64]bool{}, orders: map[int64]exporter.Order{}, numbers: map[int64]string{}}
	books := s.Follower.Books()
	source := Source{Shop: s.ID, Unread: books.Unread}
	if books.Unread {
		source.note("the books have never been read, so nobody knows who waits: %s", books.Problem)
		return d, source
	}
	source.AsOf = s.told(books.LastSuccess)
	if books.Unswept > 0 {
		source.note("orders from before the lookback are not in the list: the shop's ledger.sweep would look for them")
	}
	if books.Dropped > 0 {
		source.note("%d open orders are not in the list: there were too many to follow", books.Dropped)
	}
	if !books.Up {
		source.note("the books can't be read now, so the list is what was last known of them: %s", books.Problem)
		return d, source
	}
	var ids []int64
	for _, c := range all {
		if c.shop == place {
			ids = append(ids, c.ID)
		}
	}
	for some := range slices.Chunk(ids, batch) {
		orders, err := s.Follower.Read(ctx, some)
		var numbers map[int64]string
		if err == nil {
			numbers, err = s.Follower.Numbers(ctx, some)
		}
		if err != nil {
			source.note("%d of %d orders are shown as they were last known: %v", len(ids)-len(d.asked), len(ids), err)
			break
		}
		for _, id := range some {
			d.asked[id], d.numbers[id] = true, numbers[id]
		}
		for _, order := range orders {
			d.orders[order.ID] = order
		}
	}
	return d, source
}

// row is what is told of an order; it doesn't stand where the shop has deleted it
// meanwhile.
func (s Shop) row(c candidate, d details, now time.Time) (row Row, stands bool) {
	row = Row{
		Shop: s.ID, ID: c.ID, Number: d.numbers[c.ID], State: c.State, Payment: c.Payment,
		Created: s.told(c.Created), Since: s.told(c.Since),
	}
	automatic := c.Automatic
	if d.asked[c.ID] {
		order, there := d.orders[c.ID]
		if !there {
			return Row{}, false
		}
		row.State, row.Payment, automatic = order.State, order.Payment, order.Automatic
		row.Amount, row.Currency = money(order.Amount), order.Currency
		for _, item := range order.Items {
			row.Products = append(row.Products, Product{ID: item.Product, Quantity: item.Quantity})
		}
	}
	row.Kind = kind(row.State, automatic)
	if _, waits := row.State.Waiting(); waits && !c.Since.IsZero() {
		waited := int64(max(0, now.Sub(c.Since)) / time.Second)
		row.Waiting = &waited
	} else {
		row.Since = nil
	}
	return row, true
}

// money writes an amount with 2 decimals, or as many more as it has.
func money(amount float64) string {
	text := strconv.FormatFloat(amount, 'f', scale, 64)
	for strings.HasSuffix(text, "0") && text[len(text)-3] != '.' {
		text = text[:len(text)-1]
	}
	return text
}
