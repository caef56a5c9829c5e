package qsfaka

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
)

// settle finds those among the orders that wait because the cards don't suffice.
//
// A buyer may open the page between two of our questions, and what was read of
// those before them in the line may be long ago. So before an order is said to
// wait, all who were found in the line are read again, after the cards were
// counted: whoever got theirs meanwhile is no longer in it.
func (d *Driver) settle(ctx context.Context, list []row) error {
	d.line.enter(list)
	wanted := map[int64]int{} // cards by product, which are enough for everybody
	newest := map[int64]int64{}
	for _, r := range list {
		if r.order.State == exporter.Ready {
			newest[r.product] = max(newest[r.product], r.order.ID)
			wanted[r.product] += r.quantity
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	for product, id := range newest {
		wanted[product] = max(wanted[product], d.line.wants(product, id))
	}
	cards, err := d.available(ctx, wanted)
	if err != nil {
		return err
	}
	var again []int64
	for product, enough := range wanted {
		if cards[product] < enough {
			again = append(again, d.line.of(product, newest[product])...)
		}
	}
	slices.Sort(again)
	at := map[int64]int{}
	for i, r := range list {
		at[r.order.ID] = i
	}
	for batch := range slices.Chunk(again, ledger.MaxBatch) {
		keys, arguments := database.Keys(batch)
		fresh, err := d.read(ctx, "id IN ("+keys+")", arguments...)
		if err != nil {
			return err
		}
		d.line.leave(batch)
		d.line.enter(fresh)
		for _, r := range fresh {
			if i, asked := at[r.order.ID]; asked {
				list[i] = r
			}
		}
	}
	for i, r := range list {
		if r.order.State == exporter.Ready && cards[r.product] < wanted[r.product] && !d.line.reaches(r, cards[r.product]) {
			list[i].order.State = exporter.PaidAutoWaiting
		}
	}
	return nil
}

// unions is of how many products the cards are counted in one statement.
const unions = 50

// available counts the cards of products that can be handed out, no further than
// to the number that is wanted: a product with many costs no more than one with
// few. A card that the merchant locked is none until its time, by the server's
// clock; of a deleted product nothing is handed out.
func (d *Driver) available(ctx context.Context, wanted map[int64]int) (map[int64]int, error) {
	products := make([]int64, 0, len(wanted))
	for product := range wanted {
		products = append(products, product)
	}
	slices.Sort(products)
	cards := map[int64]int{}
	for batch := range slices.Chunk(products, unions) {
		query := ""
		var arguments []any
		for i, product := range batch {
			if i > 0 {
				query += " UNION ALL "
			}
			query += "SELECT ?, COUNT(*) FROM (SELECT 1 FROM " + d.Table("goods_card") + " c JOIN " + d.Table("goods") + " g ON g.id = c.goods_id" +
				" WHERE c.goods_id = ? AND " + unsold + " AND g.delete_at IS NULL LIMIT ?) counted"
			arguments = append(arguments, product, product, wanted[product])
		}
		err := d.Each(ctx, database.Short, query, arguments, func(rows *sql.Rows) error {
			var product int64
			var n int
			err := rows.Scan(&product, &n)
			cards[product] = n
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return cards, nil
}

// unsold is the condition on goods_card c for a card that can be handed out. Its
// first part and that of the product are a prefix of an index that has the rest too.
const unsold = "c.status = 1 AND c.delete_at IS NULL AND COALESCE(c.unfreeze_at, 0) <= UNIX_TIMESTAMP()"

// Stock counts the cards of the products on sale. The channels' names are read
// again on the way, since this is called seldom.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	if err := d.readPayments(ctx); err != nil {
		return nil, 0, err
	}
	const most = 10 * exporter.MaxProducts // of which the rest is counted as hidden
	at := map[int64]int{}
	var products []int64
	err = d.Each(ctx, database.Short, "SELECT id FROM "+d.Table("goods")+" WHERE status = 1 AND delete_at IS NULL ORDER BY id LIMIT ?",
		[]any{most}, func(rows *sql.Rows) error {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if len(stock) == exporter.MaxProducts {
				hidden++
				return nil
			}
			at[id] = len(stock)
			products = append(products, id)
			stock = append(stock, exporter.Stock{Product: strconv.FormatInt(id, 10)})
			return nil
		})
	if err != nil || len(products) == 0 {
		return stock, hidden, err
	}
	keys, arguments := database.Keys(products)
	err = d.Each(ctx, database.Long, "SELECT c.goods_id, COUNT(*) FROM "+d.Table("goods_card")+" c WHERE c.goods_id IN ("+keys+") AND "+unsold+
		" GROUP BY c.goods_id", arguments, func(rows *sql.Rows) error {
		var id int64
		var cards int
		err := rows.Scan(&id, &cards)
		stock[at[id]].Cards = cards
		return err
	})
	return stock, hidden, err
}
