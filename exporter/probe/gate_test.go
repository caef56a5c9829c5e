package probe

// What a gate promises can't be seen from outside without a clock, so this test
// lives inside.

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnsAreBoundedAndThoseThatGoOnComeFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		if err := g.enter(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 3)
		wait := func(name string, going bool) {
			go func() {
				_ = g.enter(t.Context(), going)
				order <- name
			}()
			synctest.Wait()
		}
		wait("first", false)
		wait("second", false)
		wait("going on", true)
		for _, want := range []string{"going on", "first", "second"} {
			select {
			case got := <-order:
				t.Fatalf("%s has a turn that nobody gave back", got)
			default:
			}
			g.leave()
			synctest.Wait()
			if got := <-order; got != want {
				t.Errorf("%s got the turn, want %s", got, want)
			}
		}
		g.leave()
		if g.free != 1 {
			t.Errorf("%d turns are free in the end, want 1", g.free)
		}
	})
}

func TestWhoStopsWaitingForATurnLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		_ = g.enter(t.Context(), false)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { failed <- g.enter(ctx, false) }()
		synctest.Wait()
		cancel()
		if err := <-failed; err == nil {
			t.Fatal("a turn was given that nobody gave back")
		}
		g.leave()
		if g.free != 1 || len(g.fresh) != 0 {
			t.Errorf("%d turns are free and %d wait, want one and none", g.free, len(g.fresh))
		}
	})
}

// While a far server lets a handshake wait, another has the turn; while this
// machine's own server does, none has, for a little while.
func TestATurnIsGivenBackWhileTheFarSideIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, near := range map[string]bool{"far": false, "near": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ours, theirs := net.Pipe()
				defer theirs.Close()
				g := newGate(1)
				_ = g.enter(ctx, false)
				c := &gatedConn{Conn: ours, gate: g, ctx: ctx, near: near}
				read := make(chan int, 1)
				go func() {
					n, _ := c.Read(make([]byte, 8))
					read <- n
				}()
				begin := time.Now()
				if err := g.enter(ctx, false); err != nil {
					t.Fatal(err)
				}
				held := time.Since(begin)
				if near && held != patience || !near && held != 0 {
					t.Errorf("the turn was held for %v", held)
				}
				_, _ = theirs.Write([]byte("answer"))
				synctest.Wait()
				select {
				case <-read:
					t.Error("the handshake went on without a turn")
				default:
				}
				g.leave()
				if n := <-read; n != len("answer") {
					t.Errorf("read %d bytes", n)
				}
				c.end()
				if g.free != 1 {
					t.Errorf("%d turns are free in the end, want 1", g.free)
				}
			})
		})
	}
}
