package store

import "context"

// emptyLog moves all that is committed from SQLite's write-ahead log into the
// file and cuts the log off: it holds every page as it was written, and so who was
// erased. Where somebody reads just then, such as a backup, writers don't wait for
// the reader, and the next pruning or erasure does it.
func (s *Store) emptyLog(ctx context.Context) {
	if s.engine != sqlite {
		return
	}
	s.residue.Store(true)
	ctx = context.WithoutCancel(ctx) // who asked may have gone; what they asked for has not
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	defer func() { _, _ = conn.ExecContext(ctx, `PRAGMA busy_timeout(`+busyTimeout+`)`) }()
	if _, err := conn.ExecContext(ctx, `PRAGMA busy_timeout(100)`); err != nil {
		return
	}
	var busy, pages, moved int
	err = conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
	s.residue.Store(err != nil || busy != 0)
}
