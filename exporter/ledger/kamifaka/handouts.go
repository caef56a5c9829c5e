package kamifaka

import (
	"cmp"
	"context"
	"database/sql"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

const (
	overlap      = 200     // keys below the newest that are read again: a slow transaction shows its key late
	mostHandouts = 100_000 // that are remembered, about 50 bytes each
)

// handouts is what table order says, by the number of an attempt. The table has
// no index on numbers, so it is read once, in the order of its key, from where
// the oldest attempt that is left was made, and then only what is new, and only
// while an attempt is open. Handouts that an owner deletes stay known.
type handouts struct {
	mu     sync.Mutex // held while reading: two readers would read the same
	loaded bool
	mark   int64     // the greatest key that was read
	since  time.Time // handouts of older attempts were not all read, or forgotten
	most   int
	seed   maphash.Seed
	all    map[uint64]handout // by hash of the number, which must not lie about in memory
}

type handout struct {
	id     int64
	at     int64 // Unix microseconds
	state  byte
	edited bool // it wasn't full before, so at isn't when it was filled
}

// The states of a handout.
const (
	unclear byte = iota // the shop says NULL
	empty               // the shop had no card
	full
	gone // it was empty, and somebody deleted it
)

func newHandouts() handouts {
	return handouts{most: mostHandouts, seed: maphash.MakeSeed(), all: map[uint64]handout{}}
}

func (h handout) moment() time.Time {
	if h.at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(h.at).UTC()
}

// match judges the paid attempts among those that were just read. The handouts
// are read after the attempts, because the shop writes them in that order.
func (d *Driver) match(ctx context.Context, list []attempt) error {
	h := &d.handouts
	h.mu.Lock()
	defer h.mu.Unlock()
	open := func(a attempt) bool { return a.paid && h.of(a).state != full }
	if slices.ContainsFunc(list, open) {
		if err := d.readHandouts(ctx); err != nil {
			return err
		}
		again := map[int64]uint64{}
		for _, a := range list {
			number := h.hash(a.number)
			if m, is := h.all[number]; is && a.paid && m.state != full && m.state != gone {
				again[m.id] = number
			}
		}
		if err := d.readAgain(ctx, again); err != nil {
			return err
		}
	}
	for i := range list {
		if a := &list[i]; a.paid {
			m, is := h.all[h.hash(a.number)]
			a.judge(m, is, h.since)
		}
	}
	return nil
}

func (h *handouts) hash(number string) uint64 { return maphash.String(h.seed, number) }

func (h *handouts) of(a attempt) handout { return h.all[h.hash(a.number)] }

// readHandouts reads what is new.
func (d *Driver) readHandouts(ctx context.Context) error {
	h := &d.handouts
	last, err := d.last(ctx, handed)
	if err != nil {
		return err
	}
	if last.ID < h.mark { // rows were deleted, or restored, and keys may be given again
		h.loaded = false
	}
	from := h.mark - overlap
	if !h.loaded {
		if from, err = d.floor(ctx, last); err != nil {
			return err
		}
		h.mark = 0
	}
	for {
		n := 0
		query := d.selection() + " WHERE id > ? ORDER BY id LIMIT ?"
		err := d.Each(ctx, database.Short, query, []any{from, ledger.MaxBatch}, func(rows *sql.Rows) error {
			number, m, err := d.scan(rows)
			if err != nil {
				return err
			}
			h.take(h.hash(number), m)
			from, n = max(from, m.id), n+1
			return nil
		})
		if err != nil {
			return err
		}
		h.mark = max(h.mark, from)
		h.forget()
		if n < ledger.MaxBatch {
			h.loaded = true
			return nil
		}
	}
}

// floor gives the key behind which the first reading begins.
func (d *Driver) floor(ctx context.Context, last ledger.Place) (int64, error) {
	oldest, err := d.at(ctx, attempts, 0)
	if err != nil {
		return 0, err
	}
	if oldest.ID == 0 {
		return last.ID, nil
	}
	first, err := d.since(ctx, handed, oldest.Created.Add(-clocks))
	if err != nil {
		return 0, err
	}
	most := last.ID - int64(d.handouts.most)
	if most < first {
		return first - 1, nil
	}
	place, err := d.at(ctx, handed, most)
	d.handouts.lose(place.Created)
	return most, err
}

// readAgain looks whether a person filled handouts that aren't full, or deleted
// them. They are given by key, with the number that each was for: a key may be
// given again.
func (d *Driver) readAgain(ctx context.Context, open map[int64]uint64) error {
	h := &d.handouts
	for batch := range slices.Chunk(slices.Sorted(maps.Keys(open)), ledger.MaxBatch) {
		keys, arguments := database.Keys(batch)
		there := map[int64]bool{}
		err := d.Each(ctx, database.Short, d.selection()+" WHERE id IN ("+keys+")", arguments, func(rows *sql.Rows) error {
			number, m, err := d.scan(rows)
			if err != nil {
				return err
			}
			there[m.id] = open[m.id] == h.hash(number)
			h.take(h.hash(number), m)
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range batch {
			if m := h.all[open[id]]; !there[id] && m.id == id {
				m.state = gone
				h.all[open[id]] = m
			}
		}
	}
	return nil
}

func (d *Driver) selection() string {
	return "SELECT id, out_order_id, " + flag("status") + ", " + d.Wall("updatetime") + " FROM " + d.Table(handed)
}

func (d *Driver) scan(rows *sql.Rows) (number string, m handout, err error) {
	var status sql.NullBool
	var name, at sql.NullString
	err = rows.Scan(&m.id, &name, &status, &at)
	if moment := d.Moment(at); !moment.IsZero() {
		m.at = moment.UnixMicro()
	}
	switch {
	case status.Valid && status.Bool:
		m.state = full
	case status.Valid:
		m.state = empty
	}
	return name.String, m, err
}

// take remembers a handout. The first full one for a number counts.
func (h *handouts) take(number uint64, m handout) {
	before, is := h.all[number]
	if is && before.state == full {
		return
	}
	m.edited = is && m.state == full && before.id == m.id
	h.all[number] = m
}

// forget keeps the memory bounded: the oldest go.
func (h *handouts) forget() {
	if len(h.all) <= h.most {
		return
	}
	numbers := slices.SortedFunc(maps.Keys(h.all), func(a, b uint64) int { return cmp.Compare(h.all[a].id, h.all[b].id) })
	for _, number := range numbers[:len(numbers)-h.most*9/10] {
		h.lose(h.all[number].moment())
		delete(h.all, number)
	}
}

// lose notes that handouts up to a moment aren't all known.
func (h *handouts) lose(until time.Time) {
	if until.After(h.since) {
		h.since = until
	}
}
