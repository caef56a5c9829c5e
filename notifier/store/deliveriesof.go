package store

import (
	"context"
	"time"

	"shopwatch/notifier"
)

// DeliveryOf is what became of one notice to one recipient, without its words.
type DeliveryOf struct {
	At       time.Time // when the notice was decided
	Event    notifier.Event
	Incident string // empty: of none
	State    notifier.DeliveryState
	Done     time.Time // zero: not yet
}

// DeliveriesOf gives a recipient's deliveries, newest first, at most limit. It
// goes by way of the notices, as erase does.
func (s *Store) DeliveriesOf(ctx context.Context, recipient int64, limit int) ([]DeliveryOf, error) {
	rows, err := s.look.query(ctx, `SELECT n.at, n.event, n.incident_id, d.state, d.done_at
		FROM notices n JOIN deliveries d ON d.notice_id = n.id AND d.recipient_id = ? ORDER BY n.id DESC LIMIT ?`, recipient, limit)
	if err != nil {
		return nil, wrap("deliveries of a recipient", err)
	}
	defer rows.Close()
	var list []DeliveryOf
	for rows.Next() {
		var d DeliveryOf
		var at, done int64
		if err := rows.Scan(&at, &d.Event, &d.Incident, &d.State, &done); err != nil {
			return nil, wrap("deliveries of a recipient", err)
		}
		d.At, d.Done = fromMillis(at), fromMillis(done)
		list = append(list, d)
	}
	return list, wrap("deliveries of a recipient", rows.Err())
}
