package store

import (
	"context"
	"encoding/json"
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
	return body[notifier.Maintenance](ctx, on, "maintenance", `SELECT body FROM maintenances WHERE id = ?`, id)
}

// SaveMaintenance keeps planned work and the notices that its change causes.
func (t *Tx) SaveMaintenance(m notifier.Maintenance, notices []notifier.Notice) error {
	if err := t.lock(lockIncidents); err != nil {
		return err
	}
	content, err := json.Marshal(m)
	if err == nil {
		_, err = t.exec(t.ctx, `INSERT INTO maintenances (id, from_at, ended_at, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET from_at = excluded.from_at, ended_at = excluded.ended_at, body = excluded.body`,
			m.ID, millis(m.Window.From), millis(m.Ended), string(content))
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
	return bodies[notifier.Maintenance](ctx, s.look, "maintenances", `SELECT body FROM maintenances WHERE ended_at = 0 OR ended_at >= ?
		ORDER BY ended_at = 0 DESC, ended_at DESC, from_at, id LIMIT ?`, millis(since), limit)
}
