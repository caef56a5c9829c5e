package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shopwatch/exporter"
)

const (
	stockLimit = 30 * time.Second // a count never lasts longer
	// A count of the stock reads far more than a poll: it pauses so many times as
	// long as it took, and so costs at most 0.2 % of a core.
	stockShare = 500
	// jobsShare is how many times in an interval of the stock the jobs are counted.
	jobsShare = 5
)

// beside is what is read beside the polls, each on its own slower clock.
type beside struct {
	stock   []exporter.Stock
	hidden  int       // products on sale that stock leaves out
	counted time.Time // zero: never
	queues  []exporter.Queue
	failed  int // jobs that the shop gave up; -1 where nobody knows

	trouble map[string]string // that was told, by what it is with
}

// Count counts the stock. It is slow, and the book of orders needn't wait for
// it. A count that fails leaves the last one standing, whose age Books tells.
func (f *Follower) Count(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stockLimit)
	defer cancel()
	return f.use(func(d Driver) error {
		stock, hidden, err := d.Stock(ctx)
		f.told("stock not counted", err)
		if err != nil {
			return fmt.Errorf("count the stock: %w", err)
		}
		f.reading.Lock()
		defer f.reading.Unlock()
		f.beside.stock, f.beside.hidden, f.beside.counted = stock, hidden, f.now()
		return nil
	})
}

// CountJobs counts what the shop does in the background, where the driver knows
// of it. Jobs have no age that Books could tell, so a count that fails leaves
// none.
func (f *Follower) CountJobs(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stockLimit)
	defer cancel()
	return f.use(func(d Driver) error {
		worker, ok := d.(Worker)
		if !ok {
			return nil
		}
		queues, failed, err := worker.Jobs(ctx)
		f.told("jobs not counted", err)
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err() // told to stop: that says nothing about the shop
		}
		if err != nil {
			queues, failed, err = nil, -1, fmt.Errorf("count the jobs: %w", err)
		}
		f.reading.Lock()
		defer f.reading.Unlock()
		f.beside.queues, f.beside.failed = queues, failed
		return err
	})
}

// use lends the driver for something beside the polls. Close waits for it.
func (f *Follower) use(do func(Driver) error) error {
	f.using.RLock()
	defer f.using.RUnlock()
	if f.closed {
		return errClosed
	}
	return do(f.driver)
}

// told logs trouble when it begins, or changes.
func (f *Follower) told(what string, err error) {
	text := ""
	if err != nil && !errors.Is(err, context.Canceled) {
		text = problem(err, f.ledger.DSN)
	}
	f.reading.Lock()
	was := f.beside.trouble[what]
	f.beside.trouble[what] = text
	f.reading.Unlock()
	if text != "" && text != was {
		f.logger.Warn(what, "err", text)
	}
}

// show completes books with what is known beside the polls. The caller holds reading.
func (k *beside) show(b *exporter.Books) {
	b.Stock, b.StockHidden, b.StockCounted = slices.Clone(k.stock), k.hidden, k.counted
	b.Queues, b.FailedJobs = slices.Clone(k.queues), k.failed
}

// countOften counts the stock and says when the next count is due.
func (f *Follower) countOften(ctx context.Context) time.Duration {
	began := time.Now() // how long it takes, not when: no business of the given clock
	_ = f.Count(ctx)    // it was told
	return stockPause(f.stockInterval, time.Since(began))
}

func stockPause(interval, took time.Duration) time.Duration { return max(interval, stockShare*took) }

// repeat does a step again and again until ctx ends, pausing as long as the step
// says. It begins after the first good poll, and is left out for an idle while
// whenever polls fail: they say what is wrong.
func (f *Follower) repeat(ctx context.Context, idle time.Duration, step func(context.Context) (pause time.Duration)) {
	select {
	case <-ctx.Done():
		return
	case <-f.good:
	}
	for {
		pause := idle
		if f.up() {
			pause = step(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (f *Follower) up() bool {
	f.reading.RLock()
	defer f.reading.RUnlock()
	return f.view.books.Up
}
