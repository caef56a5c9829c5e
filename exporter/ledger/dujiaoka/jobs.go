package dujiaoka

import (
	"context"
	"database/sql"
	"errors"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// MaxFailed bounds the count of jobs that were given up, which nobody clears
// where nobody looks. One more than it means that there are more.
const MaxFailed = 10_000

// Jobs counts what the shop does in the background: expiring orders, sending
// mails, telling the owner. Without a queue's URL there are no queues; failed is
// -1 where the account may not read the table. What can be had is given beside
// the error of what can't.
func (d *Driver) Jobs(ctx context.Context) (queues []exporter.Queue, failed int, err error) {
	failed, err = d.failed(ctx)
	if d.queue != nil {
		var trouble error
		queues, trouble = d.queue.read(ctx)
		err = errors.Join(err, trouble)
	}
	return queues, failed, err
}

func (d *Driver) failed(ctx context.Context) (int, error) {
	if !d.Has("failed_jobs", "") {
		return -1, nil
	}
	failed := -1
	err := d.Each(ctx, database.Short, "SELECT COUNT(*) FROM (SELECT id FROM "+d.Table("failed_jobs")+" LIMIT ?) AS bounded",
		[]any{MaxFailed + 1}, func(rows *sql.Rows) error { return rows.Scan(&failed) })
	if err != nil {
		return -1, err
	}
	return failed, nil
}

// Check looks at tables, columns and rights, and says what their lack costs. A
// queue that can't be read is a doubt: the orders can.
func (d *Driver) Check(ctx context.Context) (doubts []string, err error) {
	doubts, err = d.DB.Check(ctx)
	if err != nil {
		return nil, err
	}
	for column, cost := range map[string]string{
		"order_sn":   "without order_sn, orders can't be looked up by their numbers",
		"buy_amount": "without buy_amount, every order counts as one item",
	} {
		if !d.Has("orders", column) {
			doubts = append(doubts, cost)
		}
	}
	if d.queue == nil {
		return doubts, nil
	}
	queues, err := d.queue.read(ctx)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, err
		}
		return append(doubts, err.Error()), nil
	}
	jobs := 0
	for _, q := range queues {
		jobs += q.Ready + q.Delayed + q.Reserved
	}
	if jobs == 0 {
		doubts = append(doubts, "the shop's queue is empty now: if it stays so when somebody orders, prefix or queue in its URL is wrong")
	}
	return doubts, nil
}
