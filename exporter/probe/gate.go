package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// patience is how long a handshake with a server on this very machine keeps
// its turn while it waits: the answer is being computed by the processors that
// the turns are for, and others that began meanwhile would only queue for them.
// Any other server computes elsewhere: the turn is given back at once, and
// taken again when the answer came.
const patience = 10 * time.Millisecond

// near reports whether the far side of a connection is this machine.
func near(conn net.Conn) bool {
	local, here := conn.LocalAddr().(*net.TCPAddr)
	remote, there := conn.RemoteAddr().(*net.TCPAddr)
	return here && there && (remote.IP.IsLoopback() || remote.IP.Equal(local.IP))
}

// gate bounds how many TLS handshakes this process computes at once, so that
// looks that start together don't queue for the processors inside the phase
// that they measure. Those that go on come before those that begin.
type gate struct {
	mu    sync.Mutex
	free  int
	going []chan struct{} // waiting to go on, first come first
	fresh []chan struct{} // waiting to begin
}

func newGate(turns int) *gate { return &gate{free: turns} }

// enter waits for a turn. Its error is ctx's.
func (g *gate) enter(ctx context.Context, going bool) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{}, 1)
	queue := &g.fresh
	if going {
		queue = &g.going
	}
	*queue = append(*queue, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	for i, waiting := range *queue {
		if waiting == turn {
			*queue = append((*queue)[:i], (*queue)[i+1:]...)
			g.mu.Unlock()
			return ctx.Err()
		}
	}
	g.mu.Unlock()
	g.leave() // the turn came in the same moment
	return ctx.Err()
}

// leave gives a turn back.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&g.going, &g.fresh} {
		if len(*queue) > 0 {
			(*queue)[0] <- struct{}{}
			*queue = (*queue)[1:]
			return
		}
	}
	g.free++
}

// gatedConn is a connection during a handshake that has a turn.
type gatedConn struct {
	net.Conn
	gate *gate
	ctx  context.Context
	near bool // the far side answers soon, if at all
	over bool // the handshake is
}

// Read gives the turn back when the far side lets us wait.
func (c *gatedConn) Read(p []byte) (int, error) {
	if c.over {
		return c.Conn.Read(p)
	}
	deadline, bounded := c.ctx.Deadline()
	if soon := time.Now().Add(patience); c.near && (!bounded || soon.Before(deadline)) {
		c.until(soon)
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || c.ctx.Err() != nil {
			return n, err
		}
		c.until(deadline)
	}
	c.gate.leave()
	n, err := c.Conn.Read(p)
	// Whoever holds a turn gives it back within patience: this wait is short.
	_ = c.gate.enter(context.WithoutCancel(c.ctx), true)
	return n, err
}

// end gives the turn back for good.
func (c *gatedConn) end() {
	c.over = true
	deadline, _ := c.ctx.Deadline()
	c.until(deadline)
	c.gate.leave()
}

// until sets the deadline of reads, unless the context's end has set its own:
// whoever of the two comes second sees the other.
func (c *gatedConn) until(deadline time.Time) {
	_ = c.SetReadDeadline(deadline)
	if c.ctx.Err() != nil {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}
