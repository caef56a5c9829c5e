package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"shopwatch/notifier"
)

// lockIncidents is the name under which one replica at a time changes incidents.
// They are few, and a change of one looks at others (its parent, its children).
const lockIncidents = "incidents"

// Latest gives the incident with the key that is open, or else the one that was
// closed last; nil if there never was one. From then on no other replica changes any, until the
// transaction ends.
func (t *Tx) Latest(key string) (*notifier.Incident, error) {
	if err := t.lock(lockIncidents); err != nil {
		return nil, err
	}
	return one(t.ctx, t.bound, latestIncident, key)
}

const (
	latestIncident = `SELECT body FROM incidents WHERE key = ? ORDER BY closed_at = 0 DESC, closed_at DESC, seq DESC LIMIT 1`
	incidentByID   = `SELECT body FROM incidents WHERE id = ?`
)

// Latest gives the incident of a key as Tx.Latest does, as it stands.
func (s *Store) Latest(ctx context.Context, key string) (*notifier.Incident, error) {
	return one(ctx, s.look, latestIncident, key)
}

// one gives the incident that a statement finds by a key or ID, nil where there is none.
func one(ctx context.Context, on bound, query, name string) (*notifier.Incident, error) {
	return body[notifier.Incident](ctx, on, "incident", query, name)
}

// Incident gives one by its id, nil where there is none. It keeps other replicas
// out as Latest does.
func (t *Tx) Incident(id string) (*notifier.Incident, error) {
	if err := t.lock(lockIncidents); err != nil {
		return nil, err
	}
	return one(t.ctx, t.bound, incidentByID, id)
}

// Incident gives one by its id as it stands, nil where there is none.
func (s *Store) Incident(ctx context.Context, id string) (*notifier.Incident, error) {
	return one(ctx, s.look, incidentByID, id)
}

// Save keeps an incident and the notices that its change causes.
func (t *Tx) Save(i notifier.Incident, notices []notifier.Notice) error {
	if err := t.lock(lockIncidents); err != nil {
		return err
	}
	content, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("store: incident %s: %w", i.ID, err)
	}
	_, err = t.exec(t.ctx, `INSERT INTO incidents (id, key, opened_at, closed_at, impact, public, body) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET closed_at = excluded.closed_at, impact = excluded.impact, public = excluded.public, body = excluded.body`,
		i.ID, i.Key, millis(i.Opened), millis(i.Closed), string(i.Impact), flag(i.Public), string(content))
	if err != nil {
		return fmt.Errorf("store: incident %s: %w", i.ID, err)
	}
	for _, n := range notices {
		if err := t.Notify(n); err != nil {
			return err
		}
	}
	return nil
}

// Notify keeps a notice, of an incident or of none, to an audience or to one
// recipient of it. It is sent once the transaction is committed. Its ID is not asked for.
func (t *Tx) Notify(n notifier.Notice) error {
	facts, err := json.Marshal(n.Facts)
	if err == nil {
		_, err = t.exec(t.ctx, `INSERT INTO notices (incident_id, audience, recipient_id, event, lane, at, facts) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			n.Incident, string(n.Audience), n.To, string(n.Event), int(n.Lane()), millis(n.At), string(facts))
	}
	if err != nil {
		return fmt.Errorf("store: notice %s of incident %q: %w", n.Event, n.Incident, err)
	}
	return nil
}

const openIncidents = `SELECT body FROM incidents WHERE closed_at = 0 ORDER BY opened_at, seq`

// OpenIncidents gives all that run, oldest first.
func (s *Store) OpenIncidents(ctx context.Context) ([]notifier.Incident, error) {
	return incidents(ctx, s.look, openIncidents)
}

// OpenIncidents gives all that run, oldest first. It keeps other replicas out as
// Latest does.
func (t *Tx) OpenIncidents() ([]notifier.Incident, error) {
	if err := t.lock(lockIncidents); err != nil {
		return nil, err
	}
	return incidents(t.ctx, t.bound, openIncidents)
}

// RecentIncidents gives those that are open, however old, and those opened after
// since: open ones first, then newest first, at most limit.
func (s *Store) RecentIncidents(ctx context.Context, since time.Time, limit int) ([]notifier.Incident, error) {
	return s.incidents(ctx, `SELECT body FROM incidents WHERE opened_at >= ? OR closed_at = 0
		ORDER BY closed_at = 0 DESC, opened_at DESC, seq DESC LIMIT ?`, millis(since), limit)
}

// PublicIncidents is RecentIncidents of the public ones alone, so that no number
// of private ones drives one off the page.
func (s *Store) PublicIncidents(ctx context.Context, since time.Time, limit int) ([]notifier.Incident, error) {
	return s.incidents(ctx, `SELECT body FROM incidents WHERE public = 1 AND (opened_at >= ? OR closed_at = 0)
		ORDER BY closed_at = 0 DESC, opened_at DESC, seq DESC LIMIT ?`, millis(since), limit)
}

func (s *Store) incidents(ctx context.Context, query string, args ...any) ([]notifier.Incident, error) {
	return incidents(ctx, s.look, query, args...)
}

func incidents(ctx context.Context, on bound, query string, args ...any) ([]notifier.Incident, error) {
	return bodies[notifier.Incident](ctx, on, "incidents", query, args...)
}
