package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// How long what is done with is kept. Incidents and the audit log are kept for good.
const (
	keepSent     = 90 * 24 * time.Hour // notices, and who got them
	keepDead     = 30 * 24 * time.Hour // what was given up, to be sent again by a person
	keepDeparted = 30 * 24 * time.Hour // who left: the row with the address, and what was sent to it
	keepPending  = 3 * 24 * time.Hour  // who signed up and never confirmed
	keepPace     = 2 * 24 * time.Hour  // of a chat, number or domain that is spoken to no more; no zone's day is longer
)

// mostErased is how many people one transaction forgets: each costs a look at
// every notice.
const mostErased = 20

// Prune forgets what is old, about limit rows in one transaction, and reports
// whether there is more to forget: notices and their deliveries after 90 days
// (those of open incidents stay, since a recovery goes to whoever was told), dead
// letters after 30 days, people who departed after 30 days, sign-ups that
// nobody confirmed after 3 days, paces that were idle for 2, and limits that are
// whole again.
func (s *Store) Prune(ctx context.Context, now time.Time, limit int) (more bool, err error) {
	scopes, err := s.idleScopes(ctx, now, limit)
	if err != nil {
		return false, wrap("prune", err)
	}
	err = s.Change(ctx, func(tx *Tx) error {
		more = len(scopes) == limit
		if err := tx.prunePaces(now, scopes); err != nil {
			return err
		}
		for _, prune := range []func(time.Time, int) (bool, error){tx.pruneNotices, tx.pruneDead, tx.prunePeople, tx.pruneLimits} {
			rest, err := prune(now, limit)
			if err != nil {
				return err
			}
			more = more || rest
		}
		return nil
	})
	if err == nil && s.residue.Load() {
		s.emptyLog(ctx)
	}
	return more, wrap("prune", err)
}

// idle is a pace that says nothing any more: with it, its scope would be as free.
const idle = `next_at < ? AND blocked_until < ? AND day < ?`

func idleSince(now time.Time) []any {
	past := now.Add(-keepPace)
	return []any{past.UnixMicro(), millis(past), past.Format(dayForm)}
}

// idleScopes finds them without the lock that a look at every row would hold for long.
func (s *Store) idleScopes(ctx context.Context, now time.Time, limit int) ([]any, error) {
	rows, err := s.look.query(ctx, `SELECT scope FROM paces WHERE `+idle+` LIMIT ?`, append(idleSince(now), limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var scopes []any
	for rows.Next() {
		var scope string
		if err := rows.Scan(&scope); err != nil {
			return nil, err
		}
		scopes = append(scopes, scope)
	}
	return scopes, rows.Err()
}

func (t *Tx) prunePaces(now time.Time, scopes []any) error {
	if len(scopes) == 0 {
		return nil
	}
	_, err := t.exec(t.ctx, `DELETE FROM paces WHERE scope IN (`+marksOf(len(scopes))+`) AND `+idle, append(scopes, idleSince(now)...)...)
	return err
}

// pruneNotices forgets deliveries of the oldest notice that may go, then itself.
func (t *Tx) pruneNotices(now time.Time, limit int) (more bool, err error) {
	var id int64
	err = t.row(t.ctx, `SELECT id FROM notices WHERE at < ? AND incident_id NOT IN (SELECT id FROM incidents WHERE closed_at = 0)
		ORDER BY at LIMIT 1`, millis(now.Add(-keepSent))).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	result, err := t.exec(t.ctx, `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE notice_id = ? LIMIT ?)`, id, limit)
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == int64(limit) {
		return true, err
	}
	_, err = t.exec(t.ctx, `DELETE FROM notices WHERE id = ?`, id)
	return true, err
}

func (t *Tx) pruneDead(now time.Time, limit int) (more bool, err error) {
	result, err := t.exec(t.ctx, `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE state = 'dead' AND done_at < ? LIMIT ?)`,
		millis(now.Add(-keepDead)), limit)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == int64(limit), err
}

// prunePeople forgets people. Nobody says when they departed but the first
// pruning after it.
func (t *Tx) prunePeople(now time.Time, limit int) (more bool, err error) {
	_, err = t.exec(t.ctx, `UPDATE recipients SET departed_at = ? WHERE state = 'departed' AND departed_at = 0`, millis(now))
	if err != nil {
		return false, err
	}
	limit = min(limit, mostErased)
	rows, err := t.query(t.ctx, `SELECT id FROM recipients WHERE state = 'pending' AND created_at < ?
		UNION ALL SELECT id FROM recipients WHERE state = 'departed' AND departed_at < ? LIMIT ?`,
		millis(now.Add(-keepPending)), millis(now.Add(-keepDeparted)), limit)
	if err != nil {
		return false, err
	}
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return false, errors.Join(err, rows.Close())
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return false, err
	}
	for _, id := range ids {
		if err := t.erase(id); err != nil {
			return false, err
		}
	}
	return len(ids) == limit, nil
}
