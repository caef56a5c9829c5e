package store

import (
	"context"
	"fmt"

	"shopwatch/notifier"
)

// Where a recipient comes from.
const (
	fromConfig       = "config"
	fromSubscription = "subscription"
)

// SyncPeople makes the recipients of the config file exactly these: those who
// are no longer in it are told no more.
func (s *Store) SyncPeople(ctx context.Context, people []notifier.Recipient) error {
	return s.Change(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE recipients SET state = ? WHERE origin = ?`, string(notifier.Departed), fromConfig); err != nil {
			return fmt.Errorf("store: people: %w", err)
		}
		for _, person := range people {
			if err := tx.keepRecipient(person, fromConfig); err != nil {
				return err
			}
		}
		return nil
	})
}

// Subscribe adds a subscriber, or activates one who is known by this address.
func (s *Store) Subscribe(ctx context.Context, r notifier.Recipient) error {
	return s.Change(ctx, func(tx *Tx) error { return tx.keepRecipient(r, fromSubscription) })
}

func (t *Tx) keepRecipient(r notifier.Recipient, origin string) error {
	var id int64
	err := t.row(t.ctx, `INSERT INTO recipients (audience, channel, language, origin, state, address, address_key, address_hash)
		VALUES (?, ?, ?, ?, ?, ?, '', ?)
		ON CONFLICT (audience, channel, address_hash) DO UPDATE SET language = excluded.language, origin = excluded.origin, state = excluded.state
		RETURNING id`,
		string(r.Audience), r.Channel, string(r.Language), origin, string(notifier.Active), []byte{}, t.seal.digest(r.Channel, r.Address)).Scan(&id)
	if err == nil {
		// Sealed to its row, whose number is known only now.
		_, err = t.exec(t.ctx, `UPDATE recipients SET address = ? WHERE id = ?`, t.seal.seal(id, r.Address), id)
	}
	if err != nil {
		return fmt.Errorf("store: recipient of %s on %s: %w", r.Audience, r.Channel, err)
	}
	return nil
}

// RecipientCount is how many recipients a channel has in a state.
type RecipientCount struct {
	Audience, Channel string
	State             notifier.RecipientState
	N                 int
}

// Recipients counts who is told, by audience, channel and state.
func (s *Store) Recipients(ctx context.Context) ([]RecipientCount, error) {
	rows, err := s.look.query(ctx, `SELECT audience, channel, state, count(*) FROM recipients GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`)
	if err != nil {
		return nil, fmt.Errorf("store: recipients: %w", err)
	}
	defer rows.Close()
	var list []RecipientCount
	for rows.Next() {
		var c RecipientCount
		if err := rows.Scan(&c.Audience, &c.Channel, &c.State, &c.N); err != nil {
			return nil, fmt.Errorf("store: recipients: %w", err)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}
