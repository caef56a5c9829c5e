package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shopwatch/notifier"
)

// Maintenance gives planned work by its id, nil where there is none. It keeps
// other replicas out as Latest does.
func (t *Tx) Maintenance(id string) (*notifier.Maintenance, error) {
	if err := t.lock(lockIncidents); err != nil {
		return nil, err
	}
	return maintenance(t.ctx, t.bound, id)
}

// Maintenance gives planned work by its id as it stands, nil where there is none.
func (s *Store) Maintenance(ctx context.Context, id string) (*notifier.Maintenance, error) {
	return maintenance(ctx, s.look, id)
}

func maintenance(ctx context.Context, on bound, id string) (*notifier.Maintenance, error) {
	var body string
	err := on.row(ctx, `SELECT body FROM maintenances WHERE id = ?`, id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: maintenance %s: %w", id, err)
	}
	var m notifier.Maintenance
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return nil, fmt.Errorf("store: maintenance %s: %w", id, err)
	}
	return &m, nil
}

// SaveMaintenance keeps planned work and the notices that its change causes.
func (t *Tx) SaveMaintenance(m notifier.Maintenance, notices []notifier.Notice) error {
	if err := t.lock(lockIncidents); err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err == nil {
		_, err = t.exec(t.ctx, `INSERT INTO maintenances (id, from_at, ended_at, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET from_at = excluded.from_at, ended_at = excluded.ended_at, body = excluded.body`,
			m.ID, millis(m.Window.From), millis(m.Ended), string(body))
	}
	if err != nil {
		return fmt.Errorf("store: maintenance %s: %w", m.ID, err)
	}
	for _, n := range notices {
		if err := t.Notify(n); err != nil {
			return err
		}
	}
	return nil
}

// Maintenances gives planned work that has not ended, and what ended after
// since: the former first, the next to begin before the others, then what ended
// last; at most limit.
func (s *Store) Maintenances(ctx context.Context, since time.Time, limit int) ([]notifier.Maintenance, error) {
	rows, err := s.look.query(ctx, `SELECT body FROM maintenances WHERE ended_at = 0 OR ended_at >= ?
		ORDER BY ended_at = 0 DESC, ended_at DESC, from_at, id LIMIT ?`, millis(since), limit)
	if err != nil {
		return nil, wrap("maintenances", err)
	}
	defer rows.Close()
	var list []notifier.Maintenance
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, wrap("maintenances", err)
		}
		var m notifier.Maintenance
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			return nil, wrap("maintenances", err)
		}
		list = append(list, m)
	}
	return list, wrap("maintenances", rows.Err())
}
