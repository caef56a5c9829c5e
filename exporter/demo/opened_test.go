package demo_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/demo"
)

// clock is a given clock: it moves when a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// opened is a shop whose doors are open and whose life stands still until
// passed moves it: Run gets a clock of its own that never moves.
type opened struct {
	*demo.Shop
	t     *testing.T
	clock *clock
	books *sql.DB
	log   *bytes.Buffer
	stop  func() error
}

func open(t *testing.T, dir string) *opened {
	t.Helper()
	return openAt(t, dir, start)
}

func openAt(t *testing.T, dir string, at time.Time) *opened {
	t.Helper()
	o := &opened{t: t, clock: &clock{now: at}, log: &bytes.Buffer{}}
	shop, err := demo.New(demo.Config{
		Dir: dir, Now: o.clock.Now, Rand: rand.New(rand.NewPCG(1, 2)),
		Logger: slog.New(slog.NewTextHandler(&locked{w: o.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Shop = shop
	demo.HoldBeat(shop)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- shop.Run(ctx) }()
	o.stop = sync.OnceValue(func() error {
		began := time.Now()
		cancel()
		err := errors.Join(<-ended, shop.Close())
		// A second is promised; the rest is for a machine that has other work.
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the shop took %v to stop, want about a second at most", took)
		}
		return err
	})
	t.Cleanup(func() {
		if err := o.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	books, err := sql.Open("sqlite", "file:"+shop.Shop().Ledger.DSN+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { books.Close() })
	o.books = books
	until(t, "the shop opens", func() bool { return demo.Serving(shop) })
	return o
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("not within 30 seconds: " + what)
		}
	}
}

// passed lets shop time pass, beat by beat.
func (o *opened) passed(d time.Duration) {
	o.t.Helper()
	for end := o.clock.Now().Add(d); o.clock.Now().Before(end); {
		o.clock.add(100 * time.Millisecond)
		demo.Step(o.t.Context(), o.Shop)
	}
}

// count runs a counting query on the books, read-only and from outside.
func (o *opened) count(query string, values ...any) int {
	o.t.Helper()
	var n int
	if err := o.books.QueryRow(query, values...).Scan(&n); err != nil {
		o.t.Fatalf("%s: %v", query, err)
	}
	return n
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// look does what a watcher does with a service: nil when it is well. Only who
// hangs by intent is given up as early as a watcher would: a busy machine is not
// a broken shop.
func look(t *testing.T, service exporter.Service, hangs bool) error {
	t.Helper()
	timeout := 15 * time.Second
	if hangs {
		timeout = service.Timeout
	}
	if service.Module.Kind == exporter.KindTCP {
		conn, err := net.DialTimeout("tcp", service.Targets[0], timeout)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	request, err := http.NewRequest(service.Module.Blackbox.HTTP.Method, service.Targets[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status + ": " + string(body))
	}
	wanted := service.Module.Blackbox.HTTP.FailIfBodyNotMatchesRegexp
	if len(wanted) == 0 {
		t.Fatalf("service %s asks nothing of its page", service.ID)
	}
	for _, pattern := range wanted {
		if !pattern.Match(body) {
			return errors.New("body lacks " + pattern.String() + ": " + string(body))
		}
	}
	return nil
}

func looks(t *testing.T, o *opened) map[string]error {
	t.Helper()
	found := map[string]error{}
	for _, service := range o.Shop.Shop().Services {
		found[service.ID] = look(t, service, service.ID == "alipay" && slices.Contains(o.Broken(), "alipay"))
	}
	return found
}
