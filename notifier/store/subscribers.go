package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Subscriber finds a subscriber by address, however it is spelled, nil where
// there is none. The row is the transaction's own until it ends.
func (t *Tx) Subscriber(channel, address string) (*notifier.Subscriber, error) {
	r, err := t.recipient(rules.Subscribers, channel, address)
	if err != nil || r == nil {
		return nil, wrap("subscriber", err)
	}
	return &r.Subscriber, nil
}

// SubscriberByID gives a subscriber, nil where there is none. The row is the
// transaction's own until it ends.
func (t *Tx) SubscriberByID(id int64) (*notifier.Subscriber, error) {
	var r recipientRow
	err := r.scan(t.row(t.ctx, `SELECT `+recipientFields+` FROM recipients WHERE id = ? AND audience = ?`+t.engine.locking(), id, string(rules.Subscribers)), t.seal)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("subscriber", err)
	}
	return &r.Subscriber, nil
}

// KeepSubscriber keeps all of a subscriber: a new one, whose ID it sets, where
// the ID is 0. Who is kept is a subscriber from then on, also where the config
// file names the address. That somebody else has the address is an error of
// code Conflict, and an unknown ID one of code NotFound.
func (t *Tx) KeepSubscriber(s *notifier.Subscriber) error {
	s.Audience = rules.Subscribers
	r := recipientRow{Subscriber: *s, origin: fromSubscription}
	other, err := t.recipient(s.Audience, s.Channel, s.Address)
	switch {
	case err != nil:
	case other != nil && s.ID == 0:
		return errOvertaken // whoever adds a row has looked for it before
	case other != nil && other.ID != s.ID:
		return errTaken
	case s.ID == 0:
		err = t.insertRecipient(&r)
		s.ID = r.ID
	default:
		err = t.changeSubscriber(&r, other)
	}
	if err != nil {
		return fmt.Errorf("store: subscriber %d on %s: %w", s.ID, s.Channel, err)
	}
	return nil
}

// changeSubscriber keeps a known one, at its old address or another.
func (t *Tx) changeSubscriber(r, atAddress *recipientRow) error {
	if atAddress == nil {
		known, err := t.SubscriberByID(r.ID)
		if err != nil {
			return err
		}
		if known == nil {
			return &notifier.Error{Code: notifier.NotFound, Message: fmt.Sprintf("there is no subscriber %d", r.ID)}
		}
	}
	if err := t.updateRecipient(r); err != nil {
		return err
	}
	return t.readdress(r.Recipient)
}

// EraseSubscriber forgets somebody: the row, what was sent and what waits. The
// audit log keeps the number alone. Erasing nobody is no error. SQLite's files
// hold nothing of them once Change has returned; PostgreSQL's as long as vacuum,
// its log and its backups let them.
func (t *Tx) EraseSubscriber(id int64) error {
	return wrap("erase subscriber", t.erase(id))
}

// erase forgets a recipient. Deliveries are found by way of the notices, which
// are few: an index of their own would cost every delivery.
func (t *Tx) erase(id int64) error {
	for _, statement := range []string{
		`DELETE FROM deliveries WHERE recipient_id = ? AND notice_id IN (SELECT id FROM notices)`,
		`DELETE FROM notices WHERE recipient_id = ?`,
		`DELETE FROM recipients WHERE id = ?`,
	} {
		if _, err := t.exec(t.ctx, statement, id); err != nil {
			return err
		}
	}
	t.erased = true
	return nil
}

// Subscribers lists those with an ID above after, in the order of their IDs, at
// most limit.
func (s *Store) Subscribers(ctx context.Context, after int64, limit int) ([]notifier.Subscriber, error) {
	rows, err := recipientRows(ctx, s.look, s.seal, `SELECT `+recipientFields+` FROM recipients WHERE audience = ? AND id > ? ORDER BY id LIMIT ?`,
		string(rules.Subscribers), after, limit)
	if err != nil {
		return nil, wrap("subscribers", err)
	}
	list := make([]notifier.Subscriber, len(rows))
	for i, r := range rows {
		list[i] = r.Subscriber
	}
	return list, nil
}

// Subscribe adds a subscriber, or activates one who is known by this address.
func (s *Store) Subscribe(ctx context.Context, r notifier.Recipient) error {
	return s.Change(ctx, func(tx *Tx) error {
		subscriber, err := tx.Subscriber(r.Channel, r.Address)
		if err != nil {
			return err
		}
		if subscriber == nil {
			subscriber = &notifier.Subscriber{Recipient: r}
		}
		subscriber.Language, subscriber.State = r.Language, notifier.Active
		return tx.KeepSubscriber(subscriber)
	})
}

// sealedRows runs a SELECT of id, channel, address and address_key.
func (t *Tx) sealedRows(query string, args ...any) ([]notifier.Recipient, error) {
	rows, err := t.query(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []notifier.Recipient
	for rows.Next() {
		var r notifier.Recipient
		var sealed []byte
		var keyID string
		if err := rows.Scan(&r.ID, &r.Channel, &sealed, &keyID); err != nil {
			return nil, err
		}
		if r.Address, err = t.seal.open(r.ID, keyID, sealed); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
