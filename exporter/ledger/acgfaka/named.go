package acgfaka

import (
	"context"
	"database/sql"
	"maps"
	"regexp"
	"slices"
	"sync"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

// named keeps rows of a small table that orders name by key. A row is read when
// an order first names it, whether it is there or not, and again with each count
// of the stock: what the owner changes shows by then.
type named[V any] struct {
	read func(ctx context.Context, ids []int64) (map[int64]V, error) // at most ledger.MaxBatch of them

	mu    sync.Mutex
	known map[int64]V // the zero V: there is no such row
}

// of gives the rows with these keys; those that aren't there are the zero V.
func (n *named[V]) of(ctx context.Context, ids []int64) (map[int64]V, error) {
	rows := map[int64]V{}
	n.mu.Lock()
	for _, id := range ids {
		if row, known := n.known[id]; known {
			rows[id] = row
		}
	}
	n.mu.Unlock()
	var unknown []int64
	for _, id := range ids {
		if _, known := rows[id]; !known && !slices.Contains(unknown, id) {
			unknown = append(unknown, id)
		}
	}
	return rows, n.learn(ctx, unknown, rows)
}

// again reads all that is known once more.
func (n *named[V]) again(ctx context.Context) error {
	n.mu.Lock()
	ids := slices.Sorted(maps.Keys(n.known))
	n.mu.Unlock()
	return n.learn(ctx, ids, map[int64]V{})
}

func (n *named[V]) learn(ctx context.Context, ids []int64, rows map[int64]V) error {
	for batch := range slices.Chunk(ids, ledger.MaxBatch) {
		read, err := n.read(ctx, batch)
		if err != nil {
			return err
		}
		n.mu.Lock()
		if n.known == nil {
			n.known = map[int64]V{}
		}
		for _, id := range batch {
			rows[id], n.known[id] = read[id], read[id]
		}
		n.mu.Unlock()
	}
	return nil
}

// product is what an order's product says of it.
type product struct {
	there bool
	way   int64 // delivery_way
	local bool  // the shop's own, and not of an upstream shop
}

// The values of commodity.delivery_way.
const (
	automatic = 0
	manual    = 1
)

// byCards reports whether the shop itself delivers it, by linking its own cards.
func (p product) byCards() bool { return p.there && p.local && p.way == automatic }

func (d *Driver) readProducts(ctx context.Context, ids []int64) (map[int64]product, error) {
	products := map[int64]product{}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, delivery_way, shared_id FROM "+d.Table("commodity")+" WHERE id IN ("+list+")", keys,
		func(rows *sql.Rows) error {
			var id int64
			var way, upstream sql.NullInt64
			err := rows.Scan(&id, &way, &upstream)
			products[id] = product{there: true, way: way.Int64, local: upstream.Int64 == 0}
			return err
		})
	return products, err
}

// system marks the site's own balance among the channels: that money was paid
// earlier, by whichever channel filled the balance.
const system = "#system"

func (d *Driver) readChannels(ctx context.Context, ids []int64) (map[int64]string, error) {
	channels := map[int64]string{}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, handle, code FROM "+d.Table("pay")+" WHERE id IN ("+list+")", keys,
		func(rows *sql.Rows) error {
			var id int64
			var handle, code sql.NullString
			err := rows.Scan(&id, &handle, &code)
			channels[id] = payment(handle.String, code.String)
			return err
		})
	return channels, err
}

var freeText = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

const longestPayment = 64

// payment names a channel by its plugin and the plugin's own code for the way
// to pay, since several plugins offer alipay. What the owner calls it is free
// text and not read.
func payment(handle, code string) string {
	name := handle + "-" + code
	switch {
	case handle == system:
		return system
	case handle == "" && code == "":
		return unknownPayment
	case handle == code || code == "":
		name = handle
	case handle == "":
		name = code
	}
	name = freeText.ReplaceAllLiteralString(name, "_")
	return name[:min(len(name), longestPayment)]
}
