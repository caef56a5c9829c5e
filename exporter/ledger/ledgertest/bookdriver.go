package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// bookDriver reads a Book.
type bookDriver struct {
	book *Book
	away bool
}

func (d *bookDriver) called(ctx context.Context, call string) error {
	if call != "Claim" && call != "Lag" { // as in every poll
		d.book.calls = append(d.book.calls, call)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.away {
		return errors.New("nobody is there")
	}
	if d.book.fail != nil {
		return d.book.fail(call)
	}
	return nil
}

// from gives at most limit visible orders whose key is id or greater, by key.
func (d *bookDriver) from(id int64, limit int) []exporter.Order {
	var orders []exporter.Order
	place, _ := slices.BinarySearch(d.book.keys, id)
	for _, key := range d.book.keys[place:] {
		if len(orders) == limit {
			break
		}
		if !d.book.hidden[key] {
			orders = append(orders, d.book.rows[key])
		}
	}
	return orders
}

// these gives the visible orders of some keys.
func (d *bookDriver) these(ids []int64) []exporter.Order {
	var orders []exporter.Order
	for _, id := range ids {
		if o, there := d.book.rows[id]; there && !d.book.hidden[id] {
			orders = append(orders, o)
		}
	}
	return orders
}

func (d *bookDriver) Check(ctx context.Context) ([]string, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	return nil, d.called(ctx, "Check")
}

func (d *bookDriver) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "After"); err != nil {
		return nil, err
	}
	if limit < 1 || limit > ledger.MaxBatch {
		return nil, fmt.Errorf("page of %d", limit)
	}
	return d.from(id+1, limit), nil
}

func (d *bookDriver) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "ByID"); err != nil {
		return nil, err
	}
	if len(ids) > ledger.MaxBatch {
		return nil, fmt.Errorf("batch of %d", len(ids))
	}
	return d.these(ids), nil
}

func (d *bookDriver) At(ctx context.Context, id int64) (ledger.Place, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "At"); err != nil {
		return ledger.Place{}, err
	}
	for _, o := range d.from(id, 1) {
		return ledger.Place{ID: o.ID, Created: o.Created}, nil
	}
	return ledger.Place{}, nil
}

func (d *bookDriver) Last(ctx context.Context) (ledger.Place, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "Last"); err != nil {
		return ledger.Place{}, err
	}
	for _, key := range slices.Backward(d.book.keys) {
		if !d.book.hidden[key] {
			return ledger.Place{ID: key, Created: d.book.rows[key].Created}, nil
		}
	}
	return ledger.Place{}, nil
}

func (d *bookDriver) Stock(ctx context.Context) ([]exporter.Stock, int, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "Stock"); err != nil {
		return nil, 0, err
	}
	stock := slices.Clone(d.book.stock)
	shown := min(len(stock), exporter.MaxProducts)
	return stock[:shown], len(stock) - shown, nil
}

// Lag tells what SetLag said.
func (d *bookDriver) Lag(ctx context.Context) (time.Duration, bool, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "Lag"); err != nil || d.book.lag == nil {
		return 0, false, err
	}
	return *d.book.lag, true, nil
}

// Claim fails while there is a rival.
func (d *bookDriver) Claim(ctx context.Context) error {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "Claim"); err != nil {
		return err
	}
	if d.book.rival {
		return &ledger.Error{Reason: rules.LedgerClaimed, Err: errors.New("another exporter follows this book")}
	}
	return nil
}

// Jobs tells what SetJobs said.
func (d *bookDriver) Jobs(ctx context.Context) ([]exporter.Queue, int, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "Jobs"); err != nil {
		return nil, 0, err
	}
	return slices.Clone(d.book.queues), d.book.failed, nil
}

// number is the form of a book's order numbers: N and the key.
var number = regexp.MustCompile(`^N\d{1,18}$`)

func (d *bookDriver) Traits() ledger.Traits {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	moments := exporter.Moments{Paid: rules.BasisUpdated, Delivered: rules.BasisObserved}
	if d.book.StoresMoments {
		moments = exporter.Moments{Paid: rules.BasisStored, Delivered: rules.BasisStored}
	}
	if d.book.Untimed {
		moments.Delivered = rules.BasisNone
	}
	return ledger.Traits{Moments: moments, Number: number, Guessable: d.book.Guessable, ShortageEnds: d.book.ShortageEnds}
}

func (d *bookDriver) Find(ctx context.Context, number string) (exporter.Order, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "Find"); err != nil {
		return exporter.Order{}, err
	}
	key, err := strconv.ParseInt(strings.TrimPrefix(number, "N"), 10, 64)
	if err != nil {
		return exporter.Order{}, err
	}
	for _, o := range d.these([]int64{key}) {
		if o.State != exporter.Removed {
			return o, nil
		}
	}
	return exporter.Order{}, nil
}

func (d *bookDriver) Numbers(ctx context.Context, ids []int64) (map[int64]string, error) {
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if err := d.called(ctx, "Numbers"); err != nil {
		return nil, err
	}
	if len(ids) > ledger.MaxBatch {
		return nil, fmt.Errorf("batch of %d", len(ids))
	}
	numbers := map[int64]string{}
	for _, o := range d.these(ids) {
		numbers[o.ID] = fmt.Sprint("N", o.ID)
	}
	return numbers, nil
}

func (d *bookDriver) Close() error { return nil }
