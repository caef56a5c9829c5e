package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

var t0 = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// farSide is a channel that answers by script: per address, one error a try.
type farSide struct {
	mu     sync.Mutex
	script map[string][]error
	got    []string // identity@address, in order of acceptance
	tries  map[string]int
	change chan struct{}
}

func (f *farSide) Name() string { return "telegram" }

func (f *farSide) Send(_ context.Context, address string, m notifier.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.change <- struct{}{} }()
	n := f.tries[address]
	f.tries[address]++
	if n < len(f.script[address]) && f.script[address][n] != nil {
		return f.script[address][n]
	}
	f.got = append(f.got, m.ID+"@"+address)
	return nil
}

// clock is given to the dispatcher; the test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type recorder struct {
	mu      sync.Mutex
	results map[dispatch.Result]int
	change  chan struct{}
}

func (r *recorder) Noticed(_ string, _ rules.Audience, result dispatch.Result, _ time.Duration) {
	r.mu.Lock()
	r.results[result]++
	r.mu.Unlock()
	r.change <- struct{}{}
}

type bench struct {
	t        *testing.T
	dir      string
	store    *store.Store
	far      *farSide
	clock    *clock
	recorder *recorder
	stop     func()
	dispatch *dispatch.Dispatcher
}

// newBench has n people on call, addresses a0, a1, …, on a real SQLite.
func newBench(t *testing.T, n int) *bench {
	t.Helper()
	b := &bench{
		t: t, dir: t.TempDir(), clock: &clock{now: t0},
		far:      &farSide{script: map[string][]error{}, tries: map[string]int{}, change: make(chan struct{}, 1000)},
		recorder: &recorder{results: map[dispatch.Result]int{}, change: make(chan struct{}, 1000)},
	}
	b.openStore()
	var people []notifier.Recipient
	for i := range n {
		people = append(people, notifier.Recipient{Audience: rules.Ops, Channel: "telegram", Address: fmt.Sprint("a", i), Language: notifier.Chinese})
	}
	if err := b.store.SyncPeople(t.Context(), people); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) openStore() {
	var err error
	b.store, err = store.Open(b.t.Context(), store.Config{Path: filepath.Join(b.dir, "n.db"), KeyFile: filepath.Join(b.dir, "k")})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { b.store.Close() })
}

func (b *bench) start() {
	d, err := dispatch.New(dispatch.Config{
		Outbox: b.store,
		Lines:  []dispatch.Line{{Channel: b.far, Senders: 3}},
		Compose: func(d notifier.Delivery) (notifier.Message, error) {
			if d.Notice.Facts.Title.EN == "unwordable" {
				return notifier.Message{}, errors.New("no words")
			}
			return notifier.Message{ID: d.Identity()}, nil
		},
		Recorder: b.recorder, Now: b.clock.Now, Jitter: func() float64 { return 0.5 }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.dispatch = d
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	b.stop = func() { cancel(); <-done }
	b.t.Cleanup(b.stop)
}

func (b *bench) notify(facts notifier.Facts, event notifier.Event) {
	b.t.Helper()
	i := notifier.Incident{ID: "i1", Key: "demo/alipay", Opened: t0}
	err := b.store.Change(b.t.Context(), func(tx *store.Tx) error {
		return tx.Save(i, []notifier.Notice{{Incident: "i1", Audience: rules.Ops, Event: event, At: b.clock.Now(), Facts: facts}})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.dispatch.Wake()
}

// await waits until n tries in all have been recorded.
func (b *bench) await(n int) {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		b.recorder.mu.Lock()
		sum := 0
		for _, c := range b.recorder.results {
			sum += c
		}
		b.recorder.mu.Unlock()
		if sum >= n {
			return
		}
		select {
		case <-b.recorder.change:
		case <-deadline:
			b.t.Fatalf("%d tries recorded, want %d: %v", sum, n, b.recorder.results)
		}
	}
}

func (b *bench) accepted() []string {
	b.far.mu.Lock()
	defer b.far.mu.Unlock()
	return append([]string(nil), b.far.got...)
}

func TestOneRefusedAddressHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, 20)
	b.far.script["a3"] = []error{fmt.Errorf("blocked: %w", notifier.ErrPermanent)}
	b.start()
	b.notify(notifier.Facts{}, notifier.EventDown)
	b.await(20)
	if got := len(b.accepted()); got != 19 {
		t.Errorf("%d of 19 reached", got)
	}
	if outbox, err := b.store.Outbox(t.Context()); err != nil || outbox.Dead != 1 || outbox.Queued != 0 {
		t.Errorf("outbox %+v, %v", outbox, err)
	}
}

func TestFarSideThatIsBusyIsTriedAgainWithTheSameIdentity(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.far.script["a0"] = []error{errors.New("500"), errors.New("500"), nil}
	b.start()
	b.notify(notifier.Facts{}, notifier.EventDown)
	b.await(1)
	due := func(want time.Duration) {
		t.Helper()
		next, err := b.store.NextDue(t.Context(), "telegram")
		if err != nil || next.Sub(b.clock.Now()) != want {
			t.Fatalf("next try in %s (%v), want in %s", next.Sub(b.clock.Now()), err, want)
		}
		b.clock.Advance(want)
		b.dispatch.Wake()
	}
	due(1125 * time.Millisecond) // 1 s and half of a quarter
	b.await(2)
	due(2250 * time.Millisecond)
	b.await(3)
	if got := b.accepted(); len(got) != 1 || got[0] != "n1-r1@a0" {
		t.Errorf("accepted %v", got)
	}
}

func TestRetryAfterIsObeyedExactlyAndStopsTheWholeChannelOnlyIfItSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	b.far.script["a0"] = []error{&notifier.RetryAfterError{After: 17 * time.Second, Err: errors.New("429")}}
	b.start()
	b.notify(notifier.Facts{}, notifier.EventDown)
	b.await(2)
	if got := b.accepted(); len(got) != 1 {
		t.Fatalf("accepted %v, want the other recipient's", got)
	}
	if next, err := b.store.NextDue(t.Context(), "telegram"); err != nil || !next.Equal(t0.Add(17*time.Second)) {
		t.Errorf("next try at %s (%v), want 17 s later", next, err)
	}

	b = newBench(t, 6)
	for i := range 6 {
		b.far.script[fmt.Sprint("a", i)] = []error{&notifier.RetryAfterError{After: time.Hour, Whole: true, Err: errors.New("429")}}
	}
	b.start()
	b.notify(notifier.Facts{}, notifier.EventDown)
	b.await(3) // at most what was in flight
	b.stop()
	b.far.mu.Lock()
	defer b.far.mu.Unlock()
	tries := 0
	for _, n := range b.far.tries {
		tries += n
	}
	if tries > 3 {
		t.Errorf("%d tries at a far side that stopped the whole channel, want at most the 3 in flight", tries)
	}
}

func TestWhatWasUnsentAtAStopIsSentAfterTheNextStart(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.far.script["a0"] = []error{errors.New("away")}
	b.start()
	b.notify(notifier.Facts{}, notifier.EventDown)
	b.await(1)
	b.stop()
	b.store.Close()
	b.openStore()
	b.clock.Advance(time.Minute)
	b.start()
	b.await(2)
	if got := b.accepted(); len(got) != 1 || got[0] != "n1-r1@a0" {
		t.Errorf("accepted %v", got)
	}
}

func TestUselessNoticesAreGivenUpWithARecord(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.start()
	b.notify(notifier.Facts{Title: rules.Text{EN: "unwordable"}}, notifier.EventDown)
	b.await(1)
	b.stop()
	b.notify(notifier.Facts{}, notifier.EventRecovered)
	b.notify(notifier.Facts{}, notifier.EventDown)
	b.clock.Advance(25 * time.Hour) // the machine was off for a day
	b.start()
	b.await(2)
	if got := b.accepted(); len(got) != 0 {
		t.Errorf("sent %v", got)
	}
	if outbox, err := b.store.Outbox(t.Context()); err != nil || outbox.Dead != 2 || outbox.Queued != 0 {
		t.Errorf("outbox %+v, %v", outbox, err)
	}
}
