package dujiaonext

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// Find gives the purchase with a number. That of one of its products is as good.
func (d *Driver) Find(ctx context.Context, number string) (exporter.Order, error) {
	which, key := "id = (SELECT COALESCE(n.parent_id, n.id) FROM "+d.Table("orders")+" n WHERE n.order_no = ? AND "+unset("n.deleted_at")+")", any(number)
	if d.scans.Load() {
		id, err := d.keyOf(ctx, number)
		if err != nil || id == 0 {
			return exporter.Order{}, err
		}
		which, key = "id = ?", id
	}
	orders, err := d.purchases(ctx, which, key)
	if err != nil || len(orders) == 0 || orders[0].State == exporter.Removed {
		return exporter.Order{}, err
	}
	return orders[0], nil
}

// Numbers gives the purchases' numbers, if the account may read them.
func (d *Driver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	numbers := map[int64]string{}
	if err := database.BatchSize(ids); err != nil || len(ids) == 0 || !d.Has("orders", "order_no") {
		return numbers, err
	}
	list, keys := database.Keys(ids)
	err := d.Each(ctx, database.Short, "SELECT id, order_no FROM "+d.Table("orders")+" WHERE id IN ("+list+") AND "+unset("parent_id"), keys,
		func(rows *sql.Rows) error {
			var id int64
			var number string
			err := rows.Scan(&id, &number)
			numbers[id] = number
			return err
		})
	return numbers, err
}

// lookAtIndex finds out whether order_no can be searched. The shop's ORM makes
// it a longtext on MySQL, which MariaDB keeps unique by a hash of its own: every
// search for a value reads the whole table.
func (d *Driver) lookAtIndex(ctx context.Context) error {
	if d.Engine() != database.MySQL {
		return nil
	}
	trees := 0
	err := d.Each(ctx, database.Short, `SELECT COUNT(*) FROM information_schema.statistics
		WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'order_no' AND seq_in_index = 1 AND index_type = 'BTREE'`, nil,
		func(rows *sql.Rows) error { return rows.Scan(&trees) })
	d.scans.Store(trees == 0)
	return err
}

// A number is written a moment before its row, by the same clock.
const (
	numberBefore = 10 * time.Second
	numberAfter  = 2 * time.Minute // the row may have waited for a lock
)

// keyOf finds the purchase with a number by the second that the number names:
// it bisects the key on the creation time and searches the rows of that minute.
func (d *Driver) keyOf(ctx context.Context, number string) (int64, error) {
	digits := number[len("DJ"):]
	named := d.Moment(sql.NullString{Valid: true, String: fmt.Sprintf("%s-%s-%s %s:%s:%s",
		digits[:4], digits[4:6], digits[6:8], digits[8:10], digits[10:12], digits[12:14])})
	if named.IsZero() { // no such second, and no such order
		return 0, nil
	}
	from, err := d.firstSince(ctx, named.Add(-numberBefore))
	if err != nil {
		return 0, err
	}
	to, err := d.firstSince(ctx, named.Add(numberAfter))
	if err != nil {
		return 0, err
	}
	var key int64
	err = d.Each(ctx, database.Short, "SELECT COALESCE(parent_id, id) FROM "+d.orders()+
		" WHERE id >= ? AND id < ? AND order_no = ? AND "+unset("deleted_at")+" ORDER BY id LIMIT 1", []any{from, to, number},
		func(rows *sql.Rows) error { return rows.Scan(&key) })
	return key, err
}

// firstSince gives the key of the first purchase that was made at or after a
// moment, and one behind all keys if there is none.
func (d *Driver) firstSince(ctx context.Context, since time.Time) (int64, error) {
	last, err := d.Last(ctx)
	if err != nil || last.Created.Before(since) {
		return math.MaxInt64, err
	}
	first := last.ID
	for older, young := int64(0), last.ID; older+1 < young; {
		middle := older + (young-older)/2
		place, err := d.At(ctx, middle)
		switch {
		case err != nil:
			return 0, err
		case place.ID == 0 || place.ID >= young: // only children are left there
			young = middle
		case place.Created.Before(since):
			older = place.ID
		default:
			young, first = middle, place.ID
		}
	}
	return first, nil
}
