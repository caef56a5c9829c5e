package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func TestMain(m *testing.M) {
	if helper() {
		return
	}
	os.Exit(servertest.Main(m))
}

// taken is one message that the far side accepted.
type taken struct {
	address, id string
	at          time.Time
}

// farSide is a channel whose answers a test gives: nil accepts.
type farSide struct {
	answer func(ctx context.Context, address string, try int) error

	mu    sync.Mutex
	took  []taken
	tries map[string]int
	began []time.Time // of every try
}

func (f *farSide) Name() string { return "telegram" }

func (f *farSide) Send(ctx context.Context, address string, m notifier.Message) error {
	f.mu.Lock()
	try := f.tries[address]
	f.tries[address]++
	f.began = append(f.began, time.Now())
	f.mu.Unlock()
	if f.answer != nil {
		if err := f.answer(ctx, address, try); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, taken{address, m.ID, time.Now()})
	return nil
}

// all gives what was accepted, in order.
func (f *farSide) all() []taken {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]taken(nil), f.took...)
}

// script answers each address by a list of errors, and then accepts.
func script(lines map[string][]error) func(context.Context, string, int) error {
	return func(_ context.Context, address string, try int) error {
		if try < len(lines[address]) {
			return lines[address][try]
		}
		return nil
	}
}

type recorder struct {
	mu      sync.Mutex
	results map[dispatch.Result]int
}

func (r *recorder) Noticed(_ string, _ rules.Audience, result dispatch.Result, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[result]++
}

func (r *recorder) of(result dispatch.Result) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[result]
}

// world is a store, a far side and dispatchers between them, in a bubble whose
// clock goes on as soon as all of it waits.
type world struct {
	t        *testing.T
	place    storetest.Place
	store    *store.Store
	outboxOf dispatch.Outbox // default: the store
	far      *farSide
	line     dispatch.Line
	recorder *recorder
	running  *dispatch.Dispatcher // the last that was started
	wake     []func()
	stop     func()
}

// inWorld runs a test in a world.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, place: storetest.SQLite(t), far: &farSide{tries: map[string]int{}}, recorder: &recorder{results: map[dispatch.Result]int{}}}
		w.line = dispatch.Line{Channel: w.far, Senders: 64}
		w.store = w.place.Open(t)
		t.Cleanup(func() {
			if w.stop != nil {
				w.stop()
			}
		})
		test(t, w)
	})
}

func address(i int) string { return fmt.Sprint("a", i) }

func (w *world) onCall(n int) {
	w.t.Helper()
	var people []notifier.Recipient
	for i := range n {
		people = append(people, notifier.Recipient{Audience: rules.Ops, Channel: "telegram", Address: address(i), Language: notifier.Chinese})
	}
	if err := w.store.SyncPeople(w.t.Context(), people, nil); err != nil {
		w.t.Fatal(err)
	}
}

// subscribers signs up n, s0, s1, …
func (w *world) subscribers(n int, state notifier.RecipientState, wants notifier.Wants) []notifier.Subscriber {
	w.t.Helper()
	var list []notifier.Subscriber
	err := w.store.Change(w.t.Context(), func(tx *store.Tx) error {
		for i := range n {
			s := notifier.Subscriber{Recipient: notifier.Recipient{
				Audience: rules.Subscribers, Channel: "telegram", Address: fmt.Sprint("s", i), Language: notifier.English, State: state, Wants: wants,
			}}
			if err := tx.KeepSubscriber(&s); err != nil {
				return err
			}
			list = append(list, s)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// start runs a dispatcher; a second one is another replica.
func (w *world) start() {
	w.t.Helper()
	d, err := dispatch.New(w.config(w.line))
	if err != nil {
		w.t.Fatal(err)
	}
	w.run(d)
}

// run runs a dispatcher until stop.
func (w *world) run(d *dispatch.Dispatcher) {
	w.running = d
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	before := w.stop
	w.wake = append(w.wake, d.Wake)
	w.stop = func() {
		cancel()
		<-done
		if before != nil {
			before()
		}
		w.stop, w.wake = nil, nil
	}
}

func (w *world) config(line dispatch.Line) dispatch.Config {
	outbox := w.outboxOf
	if outbox == nil {
		outbox = w.store
	}
	return dispatch.Config{
		Outbox: outbox, Lines: []dispatch.Line{line}, Compose: compose, Zone: time.UTC,
		Recorder: w.recorder, Now: time.Now, Jitter: func() float64 { return 0.5 }, Logger: slog.New(slog.DiscardHandler),
	}
}

func compose(d notifier.Delivery) (notifier.Message, error) {
	if d.Notice.Facts.Title.EN == "unwordable" {
		return notifier.Message{}, errors.New("no words")
	}
	return notifier.Message{ID: d.Identity(), Event: d.Notice.Event, Language: notifier.English, Subject: "Alipay payments are failing", Text: text}, nil
}

// notify tells of an incident, or of none where its id is empty.
func (w *world) notify(incident string, notices ...notifier.Notice) {
	w.t.Helper()
	for i := range notices {
		notices[i].Incident, notices[i].At = incident, time.Now()
	}
	err := w.store.Change(w.t.Context(), func(tx *store.Tx) error {
		if incident != "" {
			return tx.Save(notifier.Incident{ID: incident, Key: "demo/" + incident, Opened: time.Now()}, notices)
		}
		for _, n := range notices {
			if err := tx.Notify(n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, wake := range w.wake {
		wake()
	}
}

func ops(event notifier.Event) notifier.Notice {
	return notifier.Notice{Audience: rules.Ops, Event: event}
}

func public(event notifier.Event) notifier.Notice {
	return notifier.Notice{Audience: rules.Subscribers, Event: event}
}

// outbox is what waits and what was given up.
func (w *world) outbox() store.Outbox {
	w.t.Helper()
	o, err := w.store.Outbox(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// each counts how often every address got a message.
func each(list []taken) map[string]int {
	counts := map[string]int{}
	for _, m := range list {
		counts[m.address]++
	}
	return counts
}
