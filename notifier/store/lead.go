package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// How often a replica asks whether it may lead, and whether it still does. A
// leader whose connection breaks knows it after leadEvery + leadWithin; the
// server lets its lock go later than that (see settings).
const (
	leadEvery  = 2 * time.Second
	leadWithin = 5 * time.Second
)

// Lead waits until this process is the one replica that does what name stands
// for, or ctx ends. held says whether it still is; once it says no it never says
// yes again, and the caller leads anew. release lets another replica lead; it must
// be called, also after ctx has ended, and may be called twice. With SQLite there is one process, and it leads at once.
func (s *Store) Lead(ctx context.Context, name string) (held func() bool, release func(), err error) {
	if s.engine == sqlite {
		return func() bool { return true }, func() {}, ctx.Err()
	}
	for {
		conn, err := s.tryLead(ctx, name)
		if conn != nil {
			held, release = keepLead(context.WithoutCancel(ctx), conn) // whoever stops still ends what it leads
			return held, release, nil
		}
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("store: lead %s: %w", name, ctx.Err())
		}
		if err != nil && !lost(err) && !s.engine.again(err) {
			return nil, nil, wrap("lead "+name, s.engine.explain(err))
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("store: lead %s: %w", name, ctx.Err())
		case <-time.After(leadEvery):
		}
	}
}

// tryLead gives the connection that holds the lock, nil where another has it. It
// asks again and again rather than wait in the server: a waiting statement would
// keep it from tidying up.
func (s *Store) tryLead(ctx context.Context, name string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	conn, err := s.dial.connect(ctx)
	if err != nil {
		return nil, err
	}
	class, object := lockOf("lead " + name)
	mine := false
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, class, object).Scan(&mine); err != nil || !mine {
		conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return conn, nil
}

// keepLead watches the connection that holds a lock.
func keepLead(ctx context.Context, conn *pgx.Conn) (held func() bool, release func()) {
	ctx, cancel := context.WithCancel(ctx)
	var lives atomic.Bool
	lives.Store(true)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer func() {
			lives.Store(false)
			closing, done := context.WithTimeout(context.Background(), leadWithin)
			defer done()
			conn.Close(closing)
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(leadEvery):
			}
			asking, done := context.WithTimeout(ctx, leadWithin)
			err := conn.Ping(asking)
			done()
			if err != nil {
				return
			}
		}
	})
	return lives.Load, func() { cancel(); watching.Wait() }
}
