package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// wire is the look's connection as a client library gets it. It ends with the
// look's context, gives no more bytes than its limit, keeps the first error
// that it met (libraries replace or merely log it), and leaves the deadlines to
// the look.
type wire struct {
	net.Conn
	stop func() bool

	mu   sync.Mutex
	left int
	err  error
}

func newWire(ctx context.Context, conn net.Conn, limit int) *wire {
	raw := conn
	if session, ok := conn.(*tls.Conn); ok {
		raw = session.NetConn() // closing the session would try to say so first
	}
	return &wire{Conn: conn, left: limit, stop: context.AfterFunc(ctx, func() { raw.Close() })}
}

// release ends what watches the context.
func (w *wire) release() { w.stop() }

// met is the first error of the connection, nil if there was none.
func (w *wire) met() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *wire) meet(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		w.err = err
	}
}

// Read reads at most what is left of the limit.
func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	left := w.left
	w.mu.Unlock()
	if left == 0 {
		w.meet(errTooMuch)
		return 0, errTooMuch
	}
	n, err := w.Conn.Read(p[:min(len(p), left)])
	w.mu.Lock()
	w.left -= n
	w.mu.Unlock()
	w.meet(err)
	return n, err
}

// Write writes and keeps the error.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.meet(err)
	return n, err
}

// SetDeadline does nothing: the deadline is the look's, and no library may
// move it.
func (w *wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, as SetDeadline.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as SetDeadline.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// part gives the far side a moment to end the conversation: the verdict is
// known, and what is read or fails from now on doesn't change it.
func (w *wire) part(ctx context.Context) {
	end := time.Now().Add(farewell)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	_ = w.Conn.SetDeadline(end) // a connection that refuses is broken already
}
