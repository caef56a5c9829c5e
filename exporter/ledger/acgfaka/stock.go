package acgfaka

import (
	"context"
	"database/sql"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// Stock counts the unsold cards of the products on sale. Of goods that a person
// or an upstream shop delivers the shop keeps a number; those without one are
// left out, because nobody knows. What orders say of their products and channels
// is read again on the way, since this is called seldom.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	if err := d.products.again(ctx); err != nil {
		return nil, 0, err
	}
	if err := d.channels.again(ctx); err != nil {
		return nil, 0, err
	}
	at := map[int64]int{} // place in stock of those of which the cards are counted
	const most = 10 * exporter.MaxProducts
	err = d.Each(ctx, database.Short, "SELECT id, delivery_way, shared_id, stock FROM "+d.Table("commodity")+
		" WHERE status = 1 ORDER BY id LIMIT ?", []any{most}, func(rows *sql.Rows) error {
		var id int64
		var way, upstream, count sql.NullInt64
		if err := rows.Scan(&id, &way, &upstream, &count); err != nil {
			return err
		}
		byCards := product{there: true, way: way.Int64, local: upstream.Int64 == 0}.byCards()
		switch {
		case !byCards && !count.Valid:
			return nil
		case len(stock) == exporter.MaxProducts:
			hidden++
			return nil
		case byCards:
			at[id], count.Int64 = len(stock), 0
		}
		stock = append(stock, exporter.Stock{Product: strconv.FormatInt(id, 10), Cards: int(max(0, count.Int64))})
		return nil
	})
	if err != nil || len(at) == 0 {
		return stock, hidden, err
	}
	// By status alone it costs what there is unsold; with a list of products the
	// planner may read all cards that were ever sold.
	err = d.Each(ctx, database.Long, "SELECT commodity_id, COUNT(*) FROM "+d.Table("card")+" WHERE status = 0 GROUP BY commodity_id", nil,
		func(rows *sql.Rows) error {
			var id int64
			var count int
			if err := rows.Scan(&id, &count); err != nil {
				return err
			}
			if i, shown := at[id]; shown {
				stock[i].Cards = count
			}
			return nil
		})
	return stock, hidden, err
}
