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

// Expand makes deliveries, one a recipient, of the most urgent notice that
// still lacks some: at most limit in one transaction, so that a notice to many
// never holds the database. It reports whether there is more to do. A recovery
// goes to those who have a delivery of the incident's trouble.
func (s *Store) Expand(ctx context.Context, now time.Time, limit int) (more bool, err error) {
	waiting := false
	if err := s.look.row(ctx, `SELECT EXISTS (SELECT 1 FROM notices WHERE expanded = 0)`).Scan(&waiting); err != nil || !waiting {
		return false, wrap("expand", err)
	}
	err = s.Change(ctx, func(tx *Tx) error {
		var id, from int64
		var incident, audience, event string
		var lane int
		row := tx.row(ctx, `SELECT id, incident_id, audience, event, lane, expanded_to FROM notices
			WHERE expanded = 0 ORDER BY lane, id LIMIT 1`)
		if err := row.Scan(&id, &incident, &audience, &event, &lane, &from); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		}
		more = true
		const whoever = `SELECT r.id FROM recipients r WHERE r.state = 'active' AND r.audience = ? AND r.id > ?
			AND (? <> 'recovered' OR EXISTS (SELECT 1 FROM deliveries d WHERE d.incident_id = ? AND d.recipient_id = r.id AND d.state <> 'dead'))
			ORDER BY r.id LIMIT ?`
		var last sql.NullInt64
		var found int
		if err := tx.row(ctx, `SELECT max(id), count(*) FROM (`+whoever+`) found`, audience, from, event, incident, limit).Scan(&last, &found); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `INSERT INTO deliveries (notice_id, recipient_id, incident_id, channel, lane, state, created_at, next_at)
			SELECT ?, id, ?, channel, ?, 'queued', ?, ? FROM recipients WHERE id IN (`+whoever+`) ORDER BY id`,
			id, incident, lane, millis(now), millis(now), audience, from, event, incident, limit)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE notices SET expanded_to = ?, expanded = ? WHERE id = ?`, max(last.Int64, from), flag(found < limit), id)
		return err
	})
	return more, wrap("expand", err)
}

// first keeps a recipient's deliveries of one incident in order: none is due
// while an earlier one is queued.
const first = `NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.incident_id = d.incident_id AND e.recipient_id = d.recipient_id AND e.id < d.id AND e.state = 'queued')`

// Claim takes at most limit due deliveries of a channel for a sender: nobody
// else gets them until the lease ends. Within one incident a recipient's
// deliveries keep their order: the second is not due before the first is done.
func (s *Store) Claim(ctx context.Context, channel string, now time.Time, lease time.Duration, limit int) ([]notifier.Delivery, error) {
	const due = `SELECT d.id FROM deliveries d WHERE d.state = 'queued' AND d.channel = ? AND d.next_at <= ? AND d.lease_until <= ?
		AND ` + first + `
		ORDER BY d.lane, d.next_at, d.id LIMIT ?`
	waiting := false
	row := s.look.row(ctx, `SELECT EXISTS (`+due+`)`, channel, millis(now), millis(now), 1)
	if err := row.Scan(&waiting); err != nil || !waiting {
		return nil, wrap("claim", err)
	}
	var list []notifier.Delivery
	err := s.Change(ctx, func(tx *Tx) error {
		rows, err := tx.query(ctx, `UPDATE deliveries SET lease_until = ? WHERE id IN (`+due+`) RETURNING id`,
			millis(now.Add(lease)), channel, millis(now), millis(now), limit)
		if err != nil {
			return err
		}
		var ids []any
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return errors.Join(err, rows.Close())
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		list, err = tx.deliveries(ids)
		return err
	})
	return list, wrap("claim", err)
}

func (t *Tx) deliveries(ids []any) ([]notifier.Delivery, error) {
	rows, err := t.query(t.ctx, `SELECT d.id, d.attempts, n.id, n.incident_id, n.audience, n.event, n.at, n.facts,
		r.id, r.audience, r.channel, r.language, r.state, r.address, r.address_key
		FROM deliveries d JOIN notices n ON n.id = d.notice_id JOIN recipients r ON r.id = d.recipient_id
		WHERE d.id IN (`+marksOf(len(ids))+`) ORDER BY d.lane, d.next_at, d.id`, ids...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []notifier.Delivery
	for rows.Next() {
		var d notifier.Delivery
		var at int64
		var facts, keyID string
		var sealed []byte
		if err := rows.Scan(&d.ID, &d.Attempts, &d.Notice.ID, &d.Notice.Incident, &d.Notice.Audience, &d.Notice.Event, &at, &facts,
			&d.Recipient.ID, &d.Recipient.Audience, &d.Recipient.Channel, &d.Recipient.Language, &d.Recipient.State, &sealed, &keyID); err != nil {
			return nil, err
		}
		d.Notice.At = fromMillis(at)
		if err := json.Unmarshal([]byte(facts), &d.Notice.Facts); err != nil {
			return nil, fmt.Errorf("notice %d: %w", d.Notice.ID, err)
		}
		if d.Recipient.Address, err = t.seal.open(d.Recipient.ID, keyID, sealed); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

// Finish records what became of tries, all in one transaction.
func (s *Store) Finish(ctx context.Context, outcomes []notifier.Outcome) error {
	err := s.Change(ctx, func(tx *Tx) error {
		for _, o := range outcomes {
			done := o.At
			if o.State == notifier.Queued {
				done = time.Time{}
			}
			if _, err := tx.exec(ctx, `UPDATE deliveries SET state = ?, attempts = attempts + 1, next_at = ?, lease_until = 0, done_at = ?, problem = ? WHERE id = ?`,
				string(o.State), millis(o.Next), millis(done), o.Problem, o.Delivery); err != nil {
				return err
			}
			if !o.Deactivate {
				continue
			}
			if _, err := tx.exec(ctx, `UPDATE recipients SET state = 'refused' WHERE origin = ? AND id = (SELECT recipient_id FROM deliveries WHERE id = ?)`,
				fromSubscription, o.Delivery); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("finish", err)
}

// ReleaseLeases makes due again what a process that is no more had claimed. Only
// the one process that holds the database may call it, before it claims.
func (s *Store) ReleaseLeases(ctx context.Context) error {
	return wrap("release leases", s.Change(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE deliveries SET lease_until = 0 WHERE state = 'queued' AND lease_until > 0`)
		return err
	}))
}

// NextDue is when the channel's next delivery is due, zero if nothing is queued.
func (s *Store) NextDue(ctx context.Context, channel string) (time.Time, error) {
	var at sql.NullInt64
	err := s.look.row(ctx, `SELECT min(`+s.engine.later("next_at", "lease_until")+`) FROM deliveries d WHERE state = 'queued' AND channel = ? AND `+first, channel).Scan(&at)
	return fromMillis(at.Int64), wrap("next due", err)
}

// Outbox is the state of what is to be sent.
type Outbox struct {
	Queued, Dead int
	// Oldest is when the oldest queued delivery was made, of those to people on
	// call and those that were never tried; zero if there is none. A subscriber
	// whose mail server refuses for hours is no outbox that stands still.
	Oldest time.Time
	Open   map[notifier.Impact]int
}

// Outbox counts what waits, what was given up, and what runs.
func (s *Store) Outbox(ctx context.Context) (Outbox, error) {
	o := Outbox{Open: map[notifier.Impact]int{}}
	var oldest sql.NullInt64
	err := s.look.row(ctx, `SELECT count(*), min(created_at) FILTER (WHERE lane = 0 OR attempts = 0), (SELECT count(*) FROM deliveries WHERE state = 'dead')
		FROM deliveries WHERE state = 'queued'`).Scan(&o.Queued, &oldest, &o.Dead)
	if err != nil {
		return o, wrap("outbox", err)
	}
	o.Oldest = fromMillis(oldest.Int64)
	rows, err := s.look.query(ctx, `SELECT impact, count(*) FROM incidents WHERE closed_at = 0 GROUP BY impact`)
	if err != nil {
		return o, wrap("outbox", err)
	}
	defer rows.Close()
	for rows.Next() {
		var impact notifier.Impact
		var n int
		if err := rows.Scan(&impact, &n); err != nil {
			return o, wrap("outbox", err)
		}
		o.Open[impact] = n
	}
	return o, wrap("outbox", rows.Err())
}

// Untold is when the oldest notice to people on call was decided that has
// reached none of them, zero if there is none: it is still on its way, or was
// given up by every address and nothing has got through to that audience since.
// Those of before a moment don't count: they wait for a channel that is no
// longer configured. Nor do addresses that the configuration no longer names.
func (s *Store) Untold(ctx context.Context, before time.Time) (time.Time, error) {
	var at sql.NullInt64
	err := s.look.row(ctx, `SELECT min(at) FROM notices n WHERE lane = 0 AND at >= ?
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.notice_id = n.id AND d.state = 'sent')
		AND (expanded = 0 OR id IN (SELECT notice_id FROM deliveries WHERE state = 'queued')
			OR EXISTS (SELECT 1 FROM deliveries d JOIN recipients r ON r.id = d.recipient_id WHERE d.notice_id = n.id AND d.state = 'dead' AND r.state = 'active')
			AND NOT EXISTS (SELECT 1 FROM deliveries d JOIN notices later ON later.id = d.notice_id
				WHERE later.id > n.id AND later.audience = n.audience AND d.state = 'sent'))`, millis(before)).Scan(&at)
	return fromMillis(at.Int64), wrap("untold", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: %s: %w", what, err)
}
