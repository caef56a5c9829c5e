package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"shopwatch/notifier"
)

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
		AND (expanded = 0 OR EXISTS (SELECT 1 FROM deliveries d WHERE d.notice_id = n.id AND d.state = 'queued')
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
