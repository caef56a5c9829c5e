package qsfaka

import (
	"maps"
	"slices"
	"sync"
	"time"

	"shopwatch/exporter"
)

const (
	maxLine  = 500    // buyers of one product in the line
	maxLines = 20_000 // of all products, about 100 bytes each
	// abandoned is how much later somebody must pay to come before one who has not
	// opened the page: who hasn't looked for a day won't take the cards now.
	abandoned = 24 * time.Hour
)

// line is who has paid and not got all cards, as far as the driver has read: so
// whether an order waits doesn't depend on which others are read along with it.
// It is a memory, not the truth: see settle.
type line struct {
	mu       sync.Mutex
	products map[int64]map[int64]claim // by product and order
	product  map[int64]int64           // by order
}

// claim is what an order wants. The shop hands out nothing while the product has
// fewer cards than were bought, however few are still owed.
type claim struct {
	bought, owed int
	paid         time.Time
}

func (r row) claim() claim {
	c := claim{bought: r.quantity, owed: r.quantity - r.handed, paid: r.order.Paid}
	if c.paid.IsZero() {
		c.paid = r.order.Created
	}
	return c
}

// enter takes the paid orders among those read into the line, and the others out.
func (l *line) enter(list []row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.products == nil {
		l.products, l.product = map[int64]map[int64]claim{}, map[int64]int64{}
	}
	for _, r := range list {
		l.remove(r.order.ID)
		if r.order.State != exporter.Ready {
			continue
		}
		if l.products[r.product] == nil {
			l.products[r.product] = map[int64]claim{}
		}
		l.products[r.product][r.order.ID] = r.claim()
		l.product[r.order.ID] = r.product
		if orders := l.products[r.product]; len(orders) > maxLine {
			l.remove(slices.Min(slices.Collect(maps.Keys(orders))))
		}
	}
	if len(l.product) > maxLines {
		ids := slices.Sorted(maps.Keys(l.product))
		for _, id := range ids[:len(ids)-maxLines*9/10] {
			l.remove(id)
		}
	}
}

// leave takes orders out of the line.
func (l *line) leave(ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.remove(id)
	}
}

func (l *line) remove(id int64) {
	product, there := l.product[id]
	if !there {
		return
	}
	delete(l.product, id)
	delete(l.products[product], id)
	if len(l.products[product]) == 0 {
		delete(l.products, product)
	}
}

// wants is how many cards are enough for everybody in a product's line up to an order.
func (l *line) wants(product, last int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for id, c := range l.products[product] {
		if id <= last {
			n += c.bought
		}
	}
	return n
}

// of gives the orders in a product's line up to one.
func (l *line) of(product, last int64) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := slices.Collect(maps.Keys(l.products[product]))
	return slices.DeleteFunc(ids, func(id int64) bool { return id > last })
}

// reaches reports whether the cards of a product suffice for an order, after
// those before it in the line took theirs. One for whom they don't suffice takes
// none, and one who stopped caring doesn't count.
func (l *line) reaches(r row, cards int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := r.claim()
	for _, id := range slices.Sorted(maps.Keys(l.products[r.product])) {
		c := l.products[r.product][id]
		if id < r.order.ID && mine.paid.Sub(c.paid) < abandoned && cards >= c.bought {
			cards -= c.owed
		}
	}
	return cards >= mine.bought
}
