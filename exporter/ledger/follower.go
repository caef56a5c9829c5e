package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/statefile"
	"shopwatch/rules"
)

const (
	pollLimit  = 30 * time.Second // a poll never lasts longer; a long cold start goes on in the next
	saveAtMost = time.Minute      // a state in which nothing changed is saved that often
)

// Config is what a Follower is made of.
type Config struct {
	Shop   string // the shop's id, also in the name of the state file
	Ledger exporter.Ledger
	Driver Driver // the follower closes it
	Dir    string // of the state file; made if missing

	// Deadline is the age at which an order without payment counts as
	// unpaid_at_deadline. Zero: 15 min.
	Deadline time.Duration
	// StockInterval is the time between counts of the stock. Zero: 5 min.
	StockInterval time.Duration

	Now      func() time.Time // zero: time.Now
	Observer Observer         // nil: durations are not told
	Logger   *slog.Logger     // nil: nothing is logged
}

// Follower follows the book of one shop. Its methods may be called from
// several goroutines.
type Follower struct {
	shop          string
	ledger        exporter.Ledger
	driver        Driver
	deadline      time.Duration
	stockInterval time.Duration
	now           func() time.Time
	observer      Observer
	logger        *slog.Logger
	path          string // of the state file
	lock          *os.File

	polling    sync.Mutex // one poll at a time; guards what follows
	closed     bool
	checked    bool // the driver's self-check passed
	turn       uint32
	state      *state
	saved      time.Time
	most       int  // open orders
	overfull   bool // open orders are let go, and that was told
	samples    []sample
	deliveries deliveries
	failures   map[rules.LedgerReason]uint64 // polls of this process that failed
	arrivals   arrivals
	lag        *time.Duration // that the last poll was told; nil where nobody knows

	// memory is held for writing, and shortly, while a poll or the sweep changes
	// state. It is taken after polling.
	memory sync.RWMutex
	// using is held for reading while the driver is used beside the polls. It
	// guards closed, as polling does, and is taken before it.
	using sync.RWMutex

	good chan struct{} // closed, once, after the first good poll
	once sync.Once

	reading sync.RWMutex // guards view and beside
	view    view
	beside  beside
}

// New opens the shop's state file in config.Dir and locks it: another process,
// or another Follower, that follows the same shop there is an error. It doesn't
// touch the database. Close the Follower to give lock and driver back; when New
// returns an error, the driver is still the caller's.
func New(config Config) (*Follower, error) {
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("follow the books of shop %q: %w", config.Shop, err)
	}
	f := &Follower{
		shop: config.Shop, ledger: config.Ledger, driver: config.Driver,
		deadline: config.Deadline, stockInterval: config.StockInterval,
		now: config.Now, observer: config.Observer, logger: config.Logger,
		path:     filepath.Join(config.Dir, "ledger-"+config.Shop+".json"),
		failures: map[rules.LedgerReason]uint64{}, most: maxOpen,
		good: make(chan struct{}), beside: beside{failed: -1, trouble: map[string]string{}},
	}
	if f.deadline == 0 {
		f.deadline = 15 * time.Minute
	}
	if f.stockInterval == 0 {
		f.stockInterval = 5 * time.Minute
	}
	if f.now == nil {
		f.now = time.Now
	}
	if f.observer == nil {
		f.observer = deaf{}
	}
	if f.logger == nil {
		f.logger = slog.New(slog.DiscardHandler)
	}
	f.logger = f.logger.With("shop", f.shop)
	if err := f.open(config.Dir); err != nil {
		return nil, fmt.Errorf("follow the books of shop %q: %w", f.shop, err)
	}
	return f, nil
}

func (c Config) check() error {
	var errs []error
	refuse := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	refuse(c.Shop == "" || c.Shop != filepath.Base(c.Shop) || c.Shop == "." || c.Shop == "..", "shop: not an id that can name a file")
	refuse(c.Driver == nil, "driver: missing")
	refuse(c.Dir == "", "dir: missing")
	refuse(c.Ledger.Interval <= 0, "interval: must be positive")
	refuse(c.Ledger.Late <= 0, "late: must be positive")
	refuse(c.Ledger.Stuck <= c.Ledger.Late, "stuck: must be longer than late")
	refuse(c.Ledger.Slow <= 0, "slow: must be positive")
	refuse(c.Ledger.Lookback <= 0, "lookback: must be positive")
	refuse(c.Deadline < 0, "deadline: must not be negative")
	refuse(c.StockInterval < 0, "stock interval: must not be negative")
	return errors.Join(errs...)
}

func (f *Follower) open(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	held, err := lockSoon(filepath.Join(dir, "ledger-"+f.shop+".lock"))
	if err != nil {
		return fmt.Errorf("lock the state in %q (is another exporter following this shop?): %w", dir, err)
	}
	loaded, damaged, err := load(f.path, f.shop, f.ledger, f.now())
	if err != nil {
		held.Close()
		return err
	}
	if damaged != nil {
		f.logger.Error("books are read anew", "err", damaged)
	}
	f.lock, f.state = held, loaded
	f.view = f.look(f.now(), 0, nil)
	return nil
}

// lockSoon gives whoever held the lock before a second to be gone: a process
// that just ended, or a program that is being started and inherited the file
// until it runs.
func lockSoon(path string) (held *os.File, err error) {
	for range 20 {
		if held, err = lock(path); err == nil {
			return held, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, err
}

// Run polls at once and then at the ledger's interval until ctx ends; beside that
// it counts stock and jobs, and sweeps. A poll that fails is told by Books and,
// once, in the log.
func (f *Follower) Run(ctx context.Context) error {
	var aside sync.WaitGroup
	defer aside.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	aside.Go(func() { f.repeat(ctx, f.stockInterval, f.countOften) })
	aside.Go(func() {
		interval := f.stockInterval / jobsShare
		f.repeat(ctx, interval, func(ctx context.Context) time.Duration {
			_ = f.CountJobs(ctx) // it was told
			return interval
		})
	})
	if f.ledger.Sweep {
		aside.Go(func() { f.repeat(ctx, f.ledger.Interval, f.sweepOften) })
	}
	ticker := time.NewTicker(f.ledger.Interval)
	defer ticker.Stop()
	for {
		if err := f.Poll(ctx); errors.Is(err, errClosed) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Close ends the following: it waits for what runs, closes the driver and unlocks
// the state. Books goes on telling what was known.
func (f *Follower) Close() error {
	f.using.Lock()
	defer f.using.Unlock()
	f.polling.Lock()
	defer f.polling.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return errors.Join(f.driver.Close(), f.lock.Close())
}

var errClosed = errors.New("the follower is closed")

// Poll reads the book once: what is new, what is open, and what has come of it.
// Its error is also in Books, as Problem. A poll that fails half-way loses nothing
// and counts nothing twice: the next one goes on.
func (f *Follower) Poll(ctx context.Context) error {
	f.polling.Lock()
	defer f.polling.Unlock()
	if f.closed {
		return errClosed
	}
	began := f.now()
	now, err := f.round(ctx, began)
	if errors.Is(err, ErrUnfit) {
		f.checked = false // what may be read can change: the self-check says it best
	}
	if err == nil {
		f.state.success = now
	}
	if err == nil || f.state.started {
		// Counters are shown only once they are stored: a counter that a crash sets
		// back by one looks like a reset, and doubles itself in every rate.
		if saving := f.save(began, err == nil); saving != nil {
			err = errors.Join(err, saving)
		}
	}
	if ctx.Err() != nil && err != nil {
		return ctx.Err() // told to stop: that says nothing about the book
	}
	f.tell()
	f.publish(began, now, err)
	return err
}

// save stores the state. On a poll that succeeded and changed nothing but the
// time of success, once a minute is enough.
func (f *Follower) save(now time.Time, good bool) error {
	s := f.state
	if !s.changed && good && now.Sub(f.saved) < saveAtMost && !now.Before(f.saved) {
		return nil
	}
	if !s.changed && !good {
		return nil
	}
	err := statefile.Stream(f.path, func(w io.Writer) error { return s.write(w, f.shop, f.ledger, now) })
	if err != nil {
		return &Error{Reason: rules.LedgerState, Err: fmt.Errorf("save the state: %w", err)}
	}
	s.changed, f.saved = false, now
	return nil
}
