package store

import (
	"context"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// DeliveryCount is how many deliveries to an audience stand in a state on a channel.
type DeliveryCount struct {
	Audience rules.Audience
	Channel  string
	State    notifier.DeliveryState
	N        int
}

// Told counts an incident's deliveries by audience, channel and state.
func (s *Store) Told(ctx context.Context, incident string) ([]DeliveryCount, error) {
	return s.countDeliveries(ctx, `SELECT n.audience, d.channel, d.state, count(*) FROM deliveries d JOIN notices n ON n.id = d.notice_id
		WHERE n.incident_id = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, incident)
}

// Unsent counts the deliveries that wait or were given up, by audience, channel and state.
func (s *Store) Unsent(ctx context.Context) ([]DeliveryCount, error) {
	return s.countDeliveries(ctx, `SELECT n.audience, d.channel, d.state, count(*) FROM deliveries d JOIN notices n ON n.id = d.notice_id
		WHERE d.state = 'queued' OR d.state = 'dead' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`)
}

func (s *Store) countDeliveries(ctx context.Context, query string, args ...any) ([]DeliveryCount, error) {
	rows, err := s.look.query(ctx, query, args...)
	if err != nil {
		return nil, wrap("count deliveries", err)
	}
	defer rows.Close()
	var list []DeliveryCount
	for rows.Next() {
		var c DeliveryCount
		if err := rows.Scan(&c.Audience, &c.Channel, &c.State, &c.N); err != nil {
			return nil, wrap("count deliveries", err)
		}
		list = append(list, c)
	}
	return list, wrap("count deliveries", rows.Err())
}
