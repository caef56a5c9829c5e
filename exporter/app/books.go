package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/exporter/ledger"
)

// books are the order books of all shops, each with its follower.
type books struct {
	config   Config
	observer ledger.Observer

	// shown is what others see, who never wait for a reload that waits for a poll.
	shown atomic.Pointer[shown]

	mu    sync.Mutex // guards what follows
	shops []*following
	run   func(*following) // starts a follower; nil before Run
}

// shown are the books of one configuration.
type shown struct {
	shops    []*following
	delivery map[string]exporter.Service
}

// following is one shop's books under way.
type following struct {
	shop     string
	ledger   exporter.Ledger
	follower *ledger.Follower
	stop     context.CancelFunc // nil until it runs
	ended    chan struct{}
}

func newBooks(cfg Config, observer ledger.Observer) (*books, error) {
	b := &books{config: cfg, observer: observer}
	for _, shop := range cfg.Exporter.Shops {
		if shop.Ledger == nil {
			continue
		}
		driver, err := openDriver(*shop.Ledger)
		if err == nil {
			err = b.follow(cfg.Exporter, shop, driver)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("shop %s: %w", shop.ID, err), b.close())
		}
	}
	b.show(cfg.Exporter)
	return b, nil
}

// follow adds a shop; the driver is closed if it can't.
func (b *books) follow(cfg config.Config, shop exporter.Shop, driver ledger.Driver) error {
	follower, err := ledger.New(ledger.Config{
		Shop: shop.ID, Ledger: *shop.Ledger, Driver: driver, Dir: b.config.DataDir,
		// The rules for payments look back by the same deadline.
		Deadline: cfg.Escalation.Scale(15 * time.Minute), StockInterval: cfg.Escalation.Scale(5 * time.Minute),
		Now: b.config.Now, Observer: b.observer, Logger: b.config.Logger,
	})
	if err != nil {
		return errors.Join(err, driver.Close())
	}
	f := &following{shop: shop.ID, ledger: *shop.Ledger, follower: follower, ended: make(chan struct{})}
	b.shops = append(b.shops, f)
	if b.run != nil {
		b.run(f)
	}
	return nil
}

// start runs every follower, now and later, until ctx ends; one that fails is told.
func (b *books) start(ctx context.Context, running *sync.WaitGroup, failed func(error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run = func(f *following) {
		own, stop := context.WithCancel(ctx)
		f.stop = stop
		running.Go(func() {
			defer close(f.ended)
			defer stop()
			if err := f.follower.Run(own); err != nil && own.Err() == nil {
				failed(err)
			}
		})
	}
	for _, f := range b.shops {
		b.run(f)
	}
}

// halt starts no follower from now on: the app waits for those that run.
func (b *books) halt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run = nil
}

// reload follows the shops of another configuration. Books that are read as
// before go on undisturbed. The drivers of all others are opened first: where
// one can't be, nothing changes. After any other error some books may be
// followed and some not; another reload puts that right.
func (b *books) reload(next config.Config) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	type opened struct {
		shop   exporter.Shop
		driver ledger.Driver
	}
	var fresh []opened
	kept := map[string]bool{}
	var problems []error
	for _, shop := range next.Shops {
		if shop.Ledger == nil {
			continue
		}
		if slices.ContainsFunc(b.shops, func(f *following) bool { return f.shop == shop.ID && alike(f.ledger, *shop.Ledger) }) {
			kept[shop.ID] = true
			continue
		}
		driver, err := openDriver(*shop.Ledger)
		if err != nil {
			problems = append(problems, fmt.Errorf("shop %s: %w", shop.ID, err))
			continue
		}
		fresh = append(fresh, opened{shop, driver})
	}
	if len(problems) > 0 {
		for _, o := range fresh {
			problems = append(problems, o.driver.Close())
		}
		return errors.Join(problems...)
	}
	b.shops = slices.DeleteFunc(b.shops, func(f *following) bool {
		if !kept[f.shop] {
			problems = append(problems, f.end())
		}
		return !kept[f.shop]
	})
	for _, o := range fresh {
		if err := b.follow(next, o.shop, o.driver); err != nil {
			problems = append(problems, fmt.Errorf("shop %s: %w", o.shop.ID, err))
		}
	}
	b.show(next)
	return errors.Join(problems...)
}

// alike reports whether two ledgers say the same. A zone is read anew with each
// configuration, so that one of the same name is another pointer.
func alike(a, b exporter.Ledger) bool {
	same := a.Zone.String() == b.Zone.String() // of nil: UTC
	a.Zone, b.Zone = nil, nil
	return same && reflect.DeepEqual(a, b)
}

// end stops a follower and gives its books back.
func (f *following) end() error {
	if f.stop != nil {
		f.stop()
		<-f.ended
	}
	return f.follower.Close()
}

// show lets others see the books as they are followed now.
func (b *books) show(cfg config.Config) {
	b.shown.Store(&shown{slices.Clone(b.shops), cfg.Delivery})
}

// list gives the books of all shops as they are now.
func (b *books) list() []exporter.Books {
	followed := b.shown.Load().shops
	list := make([]exporter.Books, len(followed))
	for i, f := range followed {
		list[i] = f.follower.Books()
	}
	return list
}

// deliveryOf is the service delivery of a shop.
func (b *books) deliveryOf(shop string) exporter.Service { return b.shown.Load().delivery[shop] }

// close gives all books back; the followers have ended.
func (b *books) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var problems []error
	for _, f := range b.shops {
		problems = append(problems, f.follower.Close())
	}
	b.shops = nil
	return errors.Join(problems...)
}
