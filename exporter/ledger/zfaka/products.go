package zfaka

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

// kind is what an order's product says of who delivers it.
type kind int

const (
	gone      kind = iota // there is no such product
	automatic             // auto = 1
	manual                // auto = 0
	other                 // a value that the shop doesn't know of
)

func kindOf(auto sql.NullInt64) kind {
	switch auto.Int64 {
	case 0:
		return manual
	case 1:
		return automatic
	}
	return other
}

// kinds tells of the products with these keys. A product is read when an order
// first names it, whether it is there or not, and again with each count of the
// stock: what the owner changes shows by then.
func (d *Driver) kinds(ctx context.Context, ids []int64) (map[int64]kind, error) {
	kinds := map[int64]kind{}
	var unknown []int64
	d.mu.Lock()
	for _, id := range ids {
		if k, known := d.products[id]; known {
			kinds[id] = k
		} else if !slices.Contains(unknown, id) {
			unknown = append(unknown, id)
		}
	}
	d.mu.Unlock()
	read, err := d.readKinds(ctx, unknown)
	maps.Copy(kinds, read)
	return kinds, err
}

// readAgain reads the products that orders have named once more.
func (d *Driver) readAgain(ctx context.Context) error {
	d.mu.Lock()
	ids := slices.Sorted(maps.Keys(d.products))
	d.mu.Unlock()
	_, err := d.readKinds(ctx, ids)
	return err
}

// readKinds reads products and remembers them.
func (d *Driver) readKinds(ctx context.Context, ids []int64) (map[int64]kind, error) {
	kinds := map[int64]kind{}
	for batch := range slices.Chunk(ids, ledger.MaxBatch) {
		for _, id := range batch {
			kinds[id] = gone
		}
		list, keys := database.Keys(batch)
		err := d.Each(ctx, database.Short, "SELECT id, auto FROM "+d.Table("products")+" WHERE id IN ("+list+")", keys, func(rows *sql.Rows) error {
			var id int64
			var auto sql.NullInt64
			err := rows.Scan(&id, &auto)
			kinds[id] = kindOf(auto)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.Copy(d.products, kinds)
	return kinds, nil
}

// Stock counts the cards of the automatic products on sale; of manual ones the
// shop keeps a number. A product without stock control is sold without end, an
// automatic one as long as it has a card to give to everybody. What orders say
// of their products is read again on the way, since this is called seldom.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	if err := d.readAgain(ctx); err != nil {
		return nil, 0, err
	}
	type place struct {
		index   int // in stock
		endless bool
	}
	at := map[int64]place{} // of those of which the cards are counted
	const most = 10 * exporter.MaxProducts
	err = d.Each(ctx, database.Short, "SELECT id, auto, stockcontrol, qty FROM "+d.Table("products")+
		" WHERE active = 1 AND isdelete = 0 ORDER BY id LIMIT ?", []any{most}, func(rows *sql.Rows) error {
		var id int64
		var auto, control, count sql.NullInt64
		if err := rows.Scan(&id, &auto, &control, &count); err != nil {
			return err
		}
		if len(stock) == exporter.MaxProducts {
			hidden++
			return nil
		}
		s := exporter.Stock{Product: strconv.FormatInt(id, 10)}
		switch endless := control.Int64 == 0; {
		case kindOf(auto) != manual:
			at[id] = place{len(stock), endless}
		case endless:
			s.Looped = true
		default:
			s.Cards = int(max(0, count.Int64))
		}
		stock = append(stock, s)
		return nil
	})
	if err != nil || len(at) == 0 {
		return stock, hidden, err
	}
	err = d.Each(ctx, database.Long, "SELECT pid, COUNT(*) FROM "+d.Table("products_card")+" WHERE active = 0 AND isdelete = 0 GROUP BY pid", nil,
		func(rows *sql.Rows) error {
			var id sql.NullInt64
			var count int
			if err := rows.Scan(&id, &count); err != nil {
				return err
			}
			if p, shown := at[id.Int64]; shown && p.endless {
				stock[p.index].Looped = true
			} else if shown {
				stock[p.index].Cards = count
			}
			return nil
		})
	return stock, hidden, err
}
