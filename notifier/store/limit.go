package store

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"shopwatch/notifier"
)

// counted is a limit with the name of its row: what is private is there as a
// keyed hash alone.
type counted struct {
	notifier.Limit

	row string
}

// errSpent takes back what was counted in other limits.
var errSpent = errors.New("a limit is used up")

// Take counts one in every limit, or in none where one of them has none left, and
// reports which it was. All replicas count together, and a restart forgets
// nothing. Who is over a limit costs one look: only what is counted is written.
//
// Each is a row that says when the limit will be whole again (GCRA's theoretical
// arrival time); Prune deletes it from then on. So there are at most as many rows
// as were counted in the longest Every and the time between two prunings.
func (s *Store) Take(ctx context.Context, now time.Time, limits ...notifier.Limit) (bool, error) {
	list := make([]counted, len(limits))
	for i, l := range limits {
		list[i] = counted{l, l.Name}
		if l.Private != "" {
			list[i].row += "/" + base64.RawStdEncoding.EncodeToString(s.seal.scope(l.Name, l.Private))
		}
	}
	// In one order everywhere: two that wait for each other's rows would both fail.
	slices.SortFunc(list, func(a, b counted) int { return cmp.Compare(a.row, b.row) })
	spent, err := s.spent(ctx, now, list)
	if err != nil || spent {
		return false, wrap("take", err)
	}
	err = s.Change(ctx, func(tx *Tx) error {
		for _, l := range list {
			if err := tx.count(now, l); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errSpent) {
		return false, nil
	}
	return err == nil, wrap("take", err)
}

// last is the latest row of a limit that has one left.
func (l counted) last(now time.Time) int64 {
	return now.Add(time.Duration(max(1, l.N)-1) * l.Interval()).UnixMicro()
}

// spent reports whether a limit has none left.
func (s *Store) spent(ctx context.Context, now time.Time, list []counted) (bool, error) {
	names := make([]any, len(list))
	last := make(map[string]int64, len(list))
	for i, l := range list {
		names[i], last[l.row] = l.row, l.last(now)
	}
	rows, err := s.look.query(ctx, `SELECT name, full_at FROM limits WHERE name IN (`+marksOf(len(names))+`)`, names...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	spent := false
	for rows.Next() {
		var name string
		var full int64
		if err := rows.Scan(&name, &full); err != nil {
			return false, err
		}
		spent = spent || full > last[name]
	}
	return spent, rows.Err()
}

// count takes one of a limit.
func (t *Tx) count(now time.Time, l counted) error {
	at, interval := now.UnixMicro(), l.Interval().Microseconds()
	done, err := t.exec(t.ctx, `INSERT INTO limits (name, full_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE
		SET full_at = `+t.engine.later("limits.full_at", "CAST(? AS bigint)")+` + ? WHERE limits.full_at <= ?`,
		l.row, at+interval, at, interval, l.last(now))
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		err = errSpent
	}
	return err
}

// pruneLimits forgets those that are whole again.
func (t *Tx) pruneLimits(now time.Time, limit int) (more bool, err error) {
	done, err := t.exec(t.ctx, `DELETE FROM limits WHERE name IN (SELECT name FROM limits WHERE full_at <= ? LIMIT ?) AND full_at <= ?`,
		now.UnixMicro(), limit, now.UnixMicro())
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n == int64(limit), err
}
